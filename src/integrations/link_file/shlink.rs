//! A short URL as Shlink's REST API lists it (`GET /rest/v3/short-urls`).

use serde_json::{Map, Value};

use super::cell::{address, instant};
use super::dialect;
use super::draft::Draft;
use super::error::FieldError;

/// Reads one of the list.
pub fn read(object: Map<String, Value>) -> Result<Draft, FieldError> {
    let mut draft = Draft::default();
    let text = |name: &str| object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    for (theirs, ours) in [("longUrl", "url"), ("shortCode", "key"), ("title", "title")] {
        if let Some(text) = text(theirs) {
            draft.set(ours, text);
        }
    }
    match (text("domain"), text("shortUrl")) {
        (Some(domain), _) => draft.set("domain", domain),
        (None, Some(url)) => draft.set("domain", address("shortUrl", url)?.0),
        (None, None) => {}
    }
    if let Some(at) = text("dateCreated") {
        draft.set("createdAt", instant("dateCreated", at)?);
    }
    if let Some(Value::Array(tags)) = object.get("tags")
        && !tags.is_empty()
    {
        draft.tags = Some(dialect::tags(tags));
    }
    read_meta(object.get("meta").unwrap_or(&Value::Null), &mut draft)?;
    let devices = object.get("deviceLongUrls").unwrap_or(&Value::Null);
    for device in ["ios", "android"] {
        if let Some(url) = devices[device].as_str() {
            draft.set(device, url);
        }
    }
    if let Some(url) = devices["desktop"].as_str() {
        draft.note(format!("desktops led to {url}: add a rule for them"));
    }
    if object.get("hasRedirectRules") == Some(&Value::Bool(true)) {
        draft.note("its redirect rules are not in Shlink's list: add them as rules");
    }
    Ok(draft)
}

/// The bounds on a short URL's life.
fn read_meta(meta: &Value, draft: &mut Draft) -> Result<(), FieldError> {
    if let Some(until) = meta["validUntil"].as_str() {
        draft.set("expiresAt", instant("meta.validUntil", until)?);
    }
    if let Some(visits) = meta["maxVisits"].as_u64() {
        draft.set("maxClicks", visits);
    }
    if let Some(since) = meta["validSince"].as_str() {
        draft.note(format!("began at {since}: links here begin when they are made"));
    }
    Ok(())
}
