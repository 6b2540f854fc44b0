//! One delivery, read: whose form it has, whether one of the store's signers made it, and what it tells.
//!
//! Nothing is parsed before its signature holds, but for Standard Webhooks' and UCP's headers, which say that a delivery
//! has that form: any store may send the first, Shopify's and UCP's the second, every other its platform's own.

use std::fmt;

use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use super::super::reply;
use crate::domain::customer::CustomerKey;
use crate::domain::store::{Provider, Store};
use crate::domain::time::Timestamp;
use crate::flows::accept_order::{Delivery, Signers};
use crate::integrations::payload::PayloadError;
use crate::integrations::{shopify, standard, stripe, ucp, woocommerce};

/// Longest delivery id or topic that is kept.
const HEADER_MAX: usize = 255;
/// How far a shop's clock may be ahead of ours, in milliseconds: an order from tomorrow would beat all of today's news.
const AHEAD_MAX_MS: i64 = 5 * 60 * 1000;

/// A delivery as it came, and what it is held against.
pub(super) struct Incoming<'a> {
    pub head: &'a Parts,
    pub body: &'a [u8],
    pub store: &'a Store,
    pub signers: &'a Signers,
    pub customers: CustomerKey,
    /// Where the server's webhook URLs say that it is.
    pub authority: &'a str,
    pub now: Timestamp,
}

/// What a delivery is.
pub(super) enum Read {
    Delivery(Delivery),
    /// A greeting that tells nothing.
    Ping,
}

/// Why a delivery is not taken.
#[derive(Debug)]
pub(super) enum Refusal {
    Unsigned,
    LongName,
    /// Signed, but not what it should be.
    Unreadable(PayloadError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.write_str("The signature does not fit any of the store's webhook secrets or keys."),
            Self::LongName => f.write_str("Topic and webhook id have at most 255 bytes."),
            Self::Unreadable(error) => write!(f, "The body is not what its topic says: {error}"),
        }
    }
}

impl Refusal {
    pub fn answer(&self) -> Response<Full<Bytes>> {
        let status = match self {
            Self::Unsigned => StatusCode::UNAUTHORIZED,
            Self::LongName => StatusCode::BAD_REQUEST,
            Self::Unreadable(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        reply::text(status, format!("{self}\n"))
    }
}

impl From<PayloadError> for Refusal {
    fn from(error: PayloadError) -> Self {
        Self::Unreadable(error)
    }
}

impl Incoming<'_> {
    pub fn read(&self) -> Result<Read, Refusal> {
        let provider = self.store.provider;
        let has = |name: &str| self.head.headers.contains_key(name);
        let delivery = if has("webhook-signature") {
            self.standard()?
        } else if has("signature-input") && provider.has_ucp_profile() {
            self.ucp()?
        } else {
            match provider {
                Provider::Shopify => self.shopify()?,
                Provider::WooCommerce if woocommerce::webhook::is_ping(self.body) => return Ok(Read::Ping),
                Provider::WooCommerce => self.woocommerce()?,
                Provider::Stripe => self.stripe()?,
                Provider::Ucp
                | Provider::BigCommerce
                | Provider::Amazon
                | Provider::Ecwid
                | Provider::Template
                | Provider::Api => return Err(Refusal::Unsigned),
            }
        };
        if delivery.topic.len() > HEADER_MAX || delivery.id.len() > HEADER_MAX {
            return Err(Refusal::LongName);
        }
        Ok(Read::Delivery(delivery))
    }

    /// A header's value; empty when it is not there or not ASCII.
    fn header(&self, name: &str) -> &str {
        let value = self.head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// The first of these headers that says something.
    fn first_of(&self, names: [&str; 2]) -> &str {
        let [first, second] = names.map(|name| self.header(name));
        if first.is_empty() { second } else { first }
    }

    /// The sender's id of the delivery; one that has none is known by its body.
    fn id_or_body(&self, id: &str) -> String {
        match id {
            "" => format!("body:{}", blake3::hash(self.body)),
            id => id.to_owned(),
        }
    }

    fn shopify(&self) -> Result<Delivery, Refusal> {
        let signature = self.first_of(["x-shopify-hmac-sha256", "shopify-hmac-sha256"]);
        signed(shopify::webhook::verify(&self.signers.secrets, self.body, signature))?;
        let topic = self.header("x-shopify-topic");
        let event = shopify::webhook::parse(topic, self.body, &self.store.currency, &self.customers)?;
        Ok(Delivery {
            id: self.id_or_body(self.first_of(["x-shopify-webhook-id", "shopify-webhook-id"])),
            topic: topic.to_owned(),
            events: vec![event],
            is_ucp: false,
        })
    }

    fn woocommerce(&self) -> Result<Delivery, Refusal> {
        let signature = self.header("x-wc-webhook-signature");
        signed(woocommerce::webhook::verify(
            &self.signers.secrets,
            self.body,
            signature,
        ))?;
        let topic = self.header("x-wc-webhook-topic");
        Ok(Delivery {
            id: self.id_or_body(self.header("x-wc-webhook-delivery-id")),
            topic: topic.to_owned(),
            events: woocommerce::webhook::parse(topic, self.body, &self.customers)?,
            is_ucp: false,
        })
    }

    fn stripe(&self) -> Result<Delivery, Refusal> {
        let signature = self.header("stripe-signature");
        signed(stripe::webhook::verify(
            &self.signers.secrets,
            self.body,
            signature,
            self.now,
        ))?;
        let read = stripe::webhook::parse(self.body, &self.customers)?;
        Ok(Delivery {
            id: read.id,
            topic: read.kind,
            events: read.events,
            is_ucp: false,
        })
    }

    fn standard(&self) -> Result<Delivery, Refusal> {
        let headers = standard::signature::Headers {
            id: self.header("webhook-id"),
            timestamp: self.header("webhook-timestamp"),
            signature: self.header("webhook-signature"),
        };
        let secrets = &self.signers.secrets;
        signed(standard::signature::verify(secrets, self.body, headers, self.now))?;
        let (topic, events) = standard::order::parse(self.body, &self.customers)?;
        Ok(Delivery {
            id: headers.id.to_owned(),
            topic,
            events,
            is_ucp: false,
        })
    }

    fn ucp(&self) -> Result<Delivery, Refusal> {
        let header = |name: &str| {
            let values = self.head.headers.get_all(name).iter();
            let values: Option<Vec<&str>> = values.map(|value| value.to_str().ok()).collect();
            values
                .filter(|values| !values.is_empty())
                .map(|values| values.join(", "))
        };
        let message = ucp::signature::Message {
            method: self.head.method.as_str(),
            path: self.head.uri.path(),
            query: self.head.uri.query(),
            authority: self.authority,
            header: &header,
            body: self.body,
        };
        let keys = self.signers.signing_keys.as_deref().unwrap_or("[]");
        let verified = ucp::signature::verify(&message, keys, self.now).ok_or(Refusal::Unsigned)?;
        let occurred = self
            .header("webhook-timestamp")
            .parse()
            .ok()
            .map(Timestamp::from_seconds);
        let told_at = occurred.or(verified.created).unwrap_or(self.now);
        // The header is signed where it is there; what is told of tomorrow is not believed all the same.
        signed(told_at.since(self.now) <= AHEAD_MAX_MS)?;
        let mut events = ucp::order::parse(self.body, told_at, &self.customers)?;
        if self.store.provider == Provider::Shopify {
            events = ucp::order::evidence_only(events)?;
        }
        Ok(Delivery {
            id: self.id_or_body(self.header("webhook-id")),
            topic: "ucp.order".to_owned(),
            events,
            is_ucp: true,
        })
    }
}

fn signed(is_signed: bool) -> Result<(), Refusal> {
    is_signed.then_some(()).ok_or(Refusal::Unsigned)
}
