//! Shopify: order and refund webhooks in.

pub mod webhook;
