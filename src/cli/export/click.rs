//! Clicks, one by one, each with the link that it was on.

use serde_json::{Map, Value};

use super::Output;
use super::pages::Pages;
use crate::cli::api::Api;
use crate::cli::failure::Failure;
use crate::integrations::link_file::export::cell;

/// Clicks of a page: as many as the API gives.
const PAGE: usize = 1_000;
/// Of the link.
const OF_LINK: [(&str, &str); 6] = [
    ("linkId", "id"),
    ("domain", "domain"),
    ("key", "key"),
    ("externalId", "externalId"),
    ("partnerId", "partnerId"),
    ("campaignId", "campaignId"),
];
/// Of the click.
const OF_CLICK: [&str; 19] = [
    "id",
    "timestamp",
    "url",
    "country",
    "region",
    "city",
    "continent",
    "device",
    "browser",
    "os",
    "app",
    "language",
    "trigger",
    "qr",
    "referer",
    "refererUrl",
    "visitorId",
    "flags",
    "counted",
];

pub async fn write(api: &Api, [start, end]: &[Option<String>; 2], out: &mut Output) -> Result<(), Failure> {
    let all = start.is_none().then(|| "all".to_owned());
    let wanted = vec![
        ("event", Some("clicks".to_owned())),
        ("interval", all),
        ("start", start.clone()),
        ("end", end.clone()),
        ("include", Some("repeats,bots,prefetch,head,test".to_owned())),
        ("sortOrder", Some("asc".to_owned())),
    ];
    let mut pages = Pages::of(api, "/events", wanted, ("limit", PAGE), "/click/id");
    let columns: Vec<&str> = OF_CLICK.into_iter().chain(OF_LINK.map(|(name, _)| name)).collect();
    out.header(&columns)?;
    while let Some(events) = pages.next().await? {
        for event in events {
            let click = click(&event);
            out.thing(&click, || {
                let cells = columns.iter().map(|name| match click.get(*name) {
                    Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
                    value => cell(value),
                });
                vec![cells.collect()]
            })?;
        }
        out.page()?;
    }
    Ok(())
}

/// The click of an event, and which link it was on.
fn click(event: &Value) -> Map<String, Value> {
    let told = OF_CLICK.map(|name| (name.to_owned(), event["click"][name].clone()));
    let link = OF_LINK.map(|(name, theirs)| (name.to_owned(), event["link"][theirs].clone()));
    told.into_iter().chain(link).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_click_names_its_link() {
        let told = click(&json!({
            "event": "click", "click": { "id": "c1", "flags": ["bot"], "ip": "" },
            "link": { "id": "link_1", "key": "mia", "domain": "go.brand.example" },
        }));
        assert_eq!(
            (&told["id"], &told["linkId"], &told["flags"], told.get("ip")),
            (&json!("c1"), &json!("link_1"), &json!(["bot"]), None)
        );
    }
}
