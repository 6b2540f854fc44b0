//! Hopcart: a smart-link redirect and social-cart edge server.

pub mod books;
pub mod domain;
