//! HTTP surfaces: what followers, brands and people at a browser see.

pub mod pages;
