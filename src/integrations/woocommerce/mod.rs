//! WooCommerce: order webhooks in.

pub mod webhook;
