//! Hopcart: a smart-link redirect and social-cart edge server.

pub mod domain;
pub mod net;
