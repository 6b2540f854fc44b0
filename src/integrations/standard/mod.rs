//! Any shop: orders and refunds in our own JSON, signed as Standard Webhooks are.

pub mod order;
pub mod signature;
