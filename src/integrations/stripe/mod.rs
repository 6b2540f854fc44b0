//! Stripe: webhooks of payment links and refunds in.

mod currency;
pub mod webhook;
