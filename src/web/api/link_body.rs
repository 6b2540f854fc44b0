//! A link as the dialect sends it, read into our words. Every field of the dialect is known here: what is not built yet
//! is refused when it is set, never ignored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::body::said;
use super::error::ApiError;
use super::reception_body::{self, ReceptionBody, RuleBody};
use crate::domain::cart::{CartItem, ItemName, Landing, OnOut};
use crate::domain::time::Timestamp;
use crate::flows::link_filing::FilingChange;
use crate::flows::publish_link::LinkChange;
use crate::flows::{CartDraft, ExperimentChange, StockPolicyDraft, VariantDraft};

/// Fields of the dialect that are not built yet: refused when set, never ignored.
type NotYet = Option<Value>;

/// A link as the dialect sends it; instants are text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LinkBody {
    url: Option<String>,
    domain: Option<String>,
    key: Option<String>,
    key_length: Option<usize>,
    prefix: Option<String>,
    #[serde(default, deserialize_with = "said")]
    external_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    tenant_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    partner_id: Option<Option<String>>,
    track_conversion: Option<bool>,
    archived: Option<bool>,
    #[serde(default, deserialize_with = "said")]
    expires_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    expired_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    title: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    comments: Option<Option<String>>,
    #[serde(default, rename = "utm_source", alias = "utmSource", deserialize_with = "said")]
    utm_source: Option<Option<String>>,
    #[serde(default, rename = "utm_medium", alias = "utmMedium", deserialize_with = "said")]
    utm_medium: Option<Option<String>>,
    #[serde(default, rename = "utm_campaign", alias = "utmCampaign", deserialize_with = "said")]
    utm_campaign: Option<Option<String>>,
    #[serde(default, rename = "utm_term", alias = "utmTerm", deserialize_with = "said")]
    utm_term: Option<Option<String>>,
    #[serde(default, rename = "utm_content", alias = "utmContent", deserialize_with = "said")]
    utm_content: Option<Option<String>>,
    utm_template_id: Option<String>,
    #[serde(default, rename = "ref", deserialize_with = "said")]
    reference: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    ios: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    android: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    geo: Option<Option<BTreeMap<String, Option<String>>>>,
    #[serde(default, deserialize_with = "said")]
    password: Option<Option<String>>,
    proxy: Option<bool>,
    #[serde(default, deserialize_with = "said")]
    image: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    video: Option<Option<String>>,
    // Ours.
    #[serde(default, deserialize_with = "said")]
    rules: Option<Option<Vec<RuleBody>>>,
    open_in_browser: Option<bool>,
    disabled: Option<bool>,
    #[serde(default, deserialize_with = "said")]
    max_clicks: Option<Option<u64>>,
    #[serde(default, deserialize_with = "said")]
    cart: Option<Option<CartBody>>,
    #[serde(default, deserialize_with = "said")]
    stock_policy: Option<Option<StockPolicyBody>>,
    #[serde(default, deserialize_with = "said")]
    test_variants: Option<Option<Vec<VariantBody>>>,
    #[serde(default, deserialize_with = "said")]
    test_started_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    test_completed_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    campaign_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    content_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    content_url: Option<Option<String>>,
    tag_id: Option<String>,
    tag_ids: Option<Texts>,
    tag_names: Option<Texts>,
    #[serde(default, deserialize_with = "said")]
    folder_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    webhook_ids: Option<Option<Vec<String>>>,
    program_id: NotYet,
    rewrite: NotYet,
    do_index: NotYet,
    public_stats: NotYet,
}

/// One text, in which commas part several, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(text) => text
                .split(',')
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
                .collect(),
            Self::Many(texts) => texts,
        }
    }
}

/// `null`, `false`, an empty text, list or object say "nothing", as clients send for what they do not use.
fn is_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CartBody {
    store_id: String,
    items: Vec<CartItemBody>,
    #[serde(default)]
    discount_codes: Vec<String>,
    note: Option<String>,
    #[serde(default)]
    attributes: serde_json::Map<String, Value>,
    #[serde(default)]
    landing: Landing,
    continue_to: Option<String>,
    code_pool_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CartItemBody {
    sku: Option<String>,
    variant_id: Option<Value>,
    quantity: Option<u32>,
    #[serde(default)]
    fallbacks: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VariantBody {
    url: Option<String>,
    percentage: Option<f64>,
    // Ours.
    name: Option<String>,
    cart: Option<CartBody>,
    discount_codes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StockPolicyBody {
    on_out: Option<OnOut>,
    redirect_url: Option<String>,
}

impl LinkBody {
    /// 422 for the first field that is not built yet and set to anything but nothing.
    fn refuse_not_yet(&self) -> Result<(), ApiError> {
        let not_yet = [
            ("programId", &self.program_id),
            ("rewrite", &self.rewrite),
            ("doIndex", &self.do_index),
            ("publicStats", &self.public_stats),
        ];
        let set = not_yet
            .into_iter()
            .find(|(_, value)| value.as_ref().is_some_and(is_something));
        match set {
            Some((field, _)) => Err(ApiError::invalid(field, "is not supported yet")),
            None => Ok(()),
        }
    }

    /// What the caller said, in our words.
    pub fn change(self) -> Result<LinkChange, ApiError> {
        self.refuse_not_yet()?;
        let expires_at = instant("expiresAt", self.expires_at)?;
        let cart = self
            .cart
            .map(|cart| cart.map(|body| body.draft("cart")).transpose())
            .transpose()?;
        let experiment = ExperimentChange {
            variants: self.test_variants.map(variants).transpose()?,
            started_at: instant("testStartedAt", self.test_started_at)?,
            completed_at: instant("testCompletedAt", self.test_completed_at)?,
        };
        let stock_policy = self.stock_policy.map(|policy| {
            policy.map(|body| StockPolicyDraft {
                on_out: body.on_out.unwrap_or_default(),
                redirect_url: body.redirect_url,
            })
        });
        let reception = reception_body::change(ReceptionBody {
            ios: self.ios,
            android: self.android,
            geo: self.geo,
            rules: self.rules,
            password: self.password,
            proxy: self.proxy,
            image: self.image,
            video: self.video,
            open_in_browser: self.open_in_browser,
        })?;
        Ok(LinkChange {
            reception,
            destination: self.url,
            domain: self.domain,
            slug: self.key,
            slug_length: self.key_length,
            slug_prefix: self.prefix,
            external_id: self.external_id,
            tenant_id: self.tenant_id,
            creator_id: self.partner_id,
            tracks_conversions: self.track_conversion,
            is_archived: self.archived,
            is_disabled: self.disabled,
            expires_at,
            expired_url: self.expired_url,
            clicks_max: self.max_clicks,
            title: self.title,
            description: self.description,
            comments: self.comments,
            utm: [
                self.utm_source,
                self.utm_medium,
                self.utm_campaign,
                self.utm_term,
                self.utm_content,
            ],
            utm_template: self.utm_template_id.filter(|id| !id.is_empty()),
            reference: self.reference,
            cart,
            stock_policy,
            experiment,
            campaign_id: self.campaign_id.map(filled),
            content_id: self.content_id.map(filled),
            content_url: self.content_url.map(filled),
            filing: FilingChange {
                // The dialect's older name for one of them.
                tag_ids: self.tag_ids.map(Texts::list).or(filled(self.tag_id).map(|id| vec![id])),
                tag_names: self.tag_names.map(Texts::list),
                folder_id: self.folder_id.map(filled),
                webhook_ids: self.webhook_ids.map(Option::unwrap_or_default),
            },
            // Only an import says these.
            created_at: None,
            is_exact: None,
        })
    }
}

pub(super) fn instant(field: &str, said: Option<Option<String>>) -> Result<Option<Option<Timestamp>>, ApiError> {
    let read = |text: String| {
        let instant = Timestamp::parse(&text);
        instant.ok_or_else(|| ApiError::invalid(field, "must be an instant such as 2026-11-21T10:00:00Z"))
    };
    said.map(|text| text.map(read).transpose()).transpose()
}

/// No variants is no experiment, as clients send for what they do not use.
fn variants(bodies: Option<Vec<VariantBody>>) -> Result<Option<Vec<VariantDraft>>, ApiError> {
    let bodies = bodies.unwrap_or_default();
    let drafts = bodies.into_iter().enumerate().map(|(place, body)| body.draft(place));
    let drafts = drafts.collect::<Result<Vec<_>, _>>()?;
    Ok((!drafts.is_empty()).then_some(drafts))
}

impl VariantBody {
    fn draft(self, place: usize) -> Result<VariantDraft, ApiError> {
        let field = format!("testVariants[{place}].cart");
        Ok(VariantDraft {
            name: self.name,
            // Some clients have no whole numbers: 50.0 is 50.
            percentage: self
                .percentage
                .filter(|number| number.fract() == 0.0 && number.abs() <= 100.0)
                .map(|number| number as i64),
            url: self.url,
            cart: self.cart.map(|body| body.draft(&field)).transpose()?,
            codes: self.discount_codes,
        })
    }
}

/// An empty text means "none", as in the dialect.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

impl CartBody {
    /// `whole` names the cart in errors.
    pub(super) fn draft(self, whole: &str) -> Result<CartDraft, ApiError> {
        let item = |(place, item): (usize, CartItemBody)| {
            let field = format!("{whole}.items[{place}]");
            let name = match (item.sku, item.variant_id) {
                (Some(sku), None) => ItemName::Sku(sku),
                (None, Some(Value::String(id))) => ItemName::Variant(id),
                (None, Some(Value::Number(id))) if id.is_u64() => ItemName::Variant(id.to_string()),
                (None, Some(_)) => {
                    return Err(ApiError::invalid(
                        &format!("{field}.variantId"),
                        "must be text or a number",
                    ));
                }
                (Some(_), Some(_)) => return Err(ApiError::invalid(&field, "must have sku or variantId, not both")),
                (None, None) => return Err(ApiError::invalid(&format!("{field}.sku"), "is required (or variantId)")),
            };
            Ok(CartItem {
                name,
                quantity: item.quantity.unwrap_or(1),
                fallbacks: item.fallbacks,
            })
        };
        let attribute = |(name, value): (String, Value)| match value {
            Value::String(text) => Ok((name, text)),
            Value::Number(number) => Ok((name, number.to_string())),
            _ => Err(ApiError::invalid(&format!("{whole}.attributes.{name}"), "must be text")),
        };
        Ok(CartDraft {
            store_id: self.store_id,
            items: self.items.into_iter().enumerate().map(item).collect::<Result<_, _>>()?,
            discount_codes: self.discount_codes,
            note: self.note.filter(|note| !note.is_empty()),
            attributes: self.attributes.into_iter().map(attribute).collect::<Result<_, _>>()?,
            continue_to: self.continue_to,
            landing: self.landing,
            code_pool_id: filled(self.code_pool_id),
        })
    }
}
