//! What the audit log says of a link: what a brand sets, by name. A field that is not listed here is never shown, so that
//! no secret gets there by being added to links.

use serde_json::{Map, Value, json};

use super::lock_link::PASSWORD_SHOWN;
use crate::domain::cart::ItemName;
use crate::domain::link::Link;
use crate::domain::reception::Target;

/// The facts of `link`. A cart's note and attributes may be a person's words: only its goods and codes are told.
pub(super) fn of(link: &Link) -> Value {
    let terms = &link.terms;
    let cart = terms.cart.as_ref().map(|cart| {
        let items = cart.items.iter().map(|item| {
            let (ItemName::Sku(name) | ItemName::Variant(name)) = &item.name;
            json!({ "name": name, "quantity": item.quantity })
        });
        json!({ "items": items.collect::<Vec<_>>(), "discountCodes": cart.discount_codes })
    });
    let reception = &terms.reception;
    let target = |target: &Option<Target>| target.as_ref().map(|target| target.destination.clone());
    let rules = reception.rules.iter();
    let rules = rules.map(|rule| json!({ "when": rule.when, "url": rule.target.destination }));
    let geo = reception.geo.iter();
    let geo: Map<String, Value> = geo
        .map(|(country, target)| (country.clone(), json!(target.destination)))
        .collect();
    json!({
        "key": link.slug,
        "url": terms.destination,
        "externalId": terms.external_id,
        "tenantId": terms.tenant_id,
        "trackConversion": terms.tracks_conversions,
        "archived": terms.is_archived,
        "disabledAt": terms.disabled_at.map(|at| at.to_string()),
        "expiresAt": terms.expires_at.map(|at| at.to_string()),
        "expiredUrl": terms.expired_url,
        "maxClicks": terms.clicks_max,
        "title": terms.title,
        "description": terms.description,
        "comments": terms.comments,
        "contentId": terms.content_id,
        "contentUrl": terms.content_url,
        "hasPartner": terms.creator.is_some(),
        "testVariants": terms.experiment.as_ref().map(|experiment| experiment.variants.len()),
        "cart": cart,
        "password": reception.password.as_ref().map(|_| PASSWORD_SHOWN),
        "proxy": reception.is_card,
        "image": reception.image,
        "video": reception.video,
        "ios": target(&reception.ios),
        "android": target(&reception.android),
        "geo": (!geo.is_empty()).then_some(geo),
        "rules": (!reception.rules.is_empty()).then(|| rules.collect::<Vec<_>>()),
        "openInBrowser": reception.leaves_apps,
    })
}

/// The facts of a link before and after a change. Of a password it is told that it became another one, and no more.
pub(super) fn of_change(before: &Link, after: &Link) -> (Value, Value) {
    let (was, mut is) = (of(before), of(after));
    let [old, new] = [before, after].map(|link| &link.terms.reception.password);
    if old.is_some() && new.is_some() && old != new {
        is["password"] = json!(format!("{PASSWORD_SHOWN} (another)"));
    }
    (was, is)
}

/// Fields that are there, so that what was made or deleted is told without a row of nulls.
pub(super) fn said_of(link: &Link) -> Value {
    match of(link) {
        Value::Object(mut facts) => {
            facts.retain(|_, value| !value.is_null() && *value != Value::Bool(false));
            Value::Object(facts)
        }
        other => other,
    }
}
