//! Hopcart: a smart-link redirect and social-cart edge server.

pub mod clicklog;
pub mod domain;
