//! `/events`: clicks one by one (leads and sales: `conversion_event`), with the flat fields that the dialect's clients still require.

use std::collections::HashMap;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::analytics::{read_log, with_lacks};
use super::conversion_event;
use super::conversion_filter::Question;
use super::erasure::visitor_id;
use super::error::ApiError;
use super::link_answer::{LinkView, answer, deleted};
use super::params::Params;
use super::{Api, Caller};
use crate::books;
use crate::domain::click::{Click, ClickClass, ClickFlags};
use crate::domain::click_id::ClickId;
use crate::domain::continent;
use crate::domain::id::LinkNo;
use crate::domain::keyring::Keyring;
use crate::domain::locality;
use crate::domain::time::Timestamp;
use crate::flows::Error;

/// Default and most rows of a page.
pub(super) const LIMIT: u32 = 100;
pub(super) const LIMIT_MAX: u32 = 1_000;
/// Deepest page; deeper ones want a narrower interval.
pub(super) const PAGE_MAX: u32 = 1_000;

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let mut params = Params::of(raw.as_deref())?;
    if let Some(event) = conversion_event::asked(&mut params)? {
        return conversion_event::list(&api, &caller, event, params).await;
    }
    let page = params.number("page", 1, PAGE_MAX)?;
    let limit = params.number("limit", 1, LIMIT_MAX)?.unwrap_or(LIMIT) as usize;
    params.word("sortBy", &["timestamp"])?;
    let old_order = params.word("order", &["asc", "desc"])?;
    let order = params.word("sortOrder", &["asc", "desc"])?.or(old_order);
    let is_newest_first = order != Some("asc");
    let (after, before) = (
        place(&api, &mut params, "startingAfter")?,
        place(&api, &mut params, "endingBefore")?,
    );
    if [page.is_some(), after.is_some(), before.is_some()]
        .into_iter()
        .filter(|is| *is)
        .count()
        > 1
    {
        return Err(ApiError::invalid(
            "page",
            "goes with neither startingAfter nor endingBefore; use one of them",
        ));
    }
    let clicks = Question::take(&api, &mut params)?.clicks;
    params.end()?;
    let query = clicks.query(&api, &caller).await?;
    let lacks = query.lacks.clone();
    let skip = (page.unwrap_or(1) as usize - 1) * limit;
    let found = read_log(&api, move |log| match (after, before) {
        (Some(place), _) => log.events_beyond(&query, is_newest_first, place, limit),
        (_, Some(place)) => {
            // What ends before a click is what lies beyond it the other way round.
            let mut found = log.events_beyond(&query, !is_newest_first, place, limit)?;
            found.reverse();
            Ok(found)
        }
        _ => log.events(&query, is_newest_first, skip, limit),
    })
    .await?;
    let links = links_of(&api, &caller, &found).await?;
    let keys = (api.click_ids)();
    let gone = |link| serde_json::to_value(deleted(&api, &caller, link)).unwrap_or_default();
    let rows = found.iter().map(|click| {
        let link = links.get(&click.link).cloned().unwrap_or_else(|| gone(click.link));
        event(click, link, &keys, api.node)
    });
    Ok(with_lacks(&lacks, rows.collect()))
}

/// Where the click that parameter `name` names lies in the order of events.
fn place(api: &Api, params: &mut Params, name: &'static str) -> Result<Option<(Timestamp, u64)>, ApiError> {
    let Some(text) = params.text(name) else { return Ok(None) };
    match ClickId::verify(&text, &(api.click_ids)()) {
        Some(id) => Ok(Some((id.at, id.sequence))),
        None => Err(ApiError::invalid(name, "must be a click id of this server")),
    }
}

/// The links of `clicks` as answers; deleted ones are missing.
async fn links_of(api: &Api, caller: &Caller, clicks: &[Click]) -> Result<HashMap<LinkNo, Value>, ApiError> {
    link_views(api, caller, clicks.iter().map(|click| click.link).collect()).await
}

/// The links with these numbers as answers; deleted ones are missing.
pub(super) async fn link_views(
    api: &Api,
    caller: &Caller,
    mut numbers: Vec<LinkNo>,
) -> Result<HashMap<LinkNo, Value>, ApiError> {
    numbers.sort_unstable();
    numbers.dedup();
    let found = api.context.books().read(move |view| {
        let links = numbers
            .iter()
            .filter_map(|no| books::link::by_no(view, *no).transpose());
        links.collect::<Result<Vec<_>, _>>().map_err(Error::from)
    });
    let found = found.await?;
    let numbers: Vec<LinkNo> = found.iter().map(|link| link.no).collect();
    let views: Vec<LinkView> = answer(api, caller, found).await?;
    let values = views.iter().map(|view| serde_json::to_value(view).unwrap_or_default());
    Ok(numbers.into_iter().zip(values).collect())
}

fn event(click: &Click, link: Value, keys: &Keyring, node: u16) -> Value {
    let id = ClickId {
        at: click.at,
        node,
        sequence: click.sequence,
        link: click.link,
    }
    .sign(keys);
    event_of(click, link, id.as_str())
}

/// What is told of `click` alone: the part of an event that is not its link's.
pub(super) fn click_part(click: &Click, link: &Value, keys: &Keyring, node: u16) -> Value {
    event(click, link.clone(), keys, node)["click"].take()
}

/// What is told of `click`, whose id is `id`.
pub(super) fn event_of(click: &Click, link: Value, id: &str) -> Value {
    let country = match click.country {
        [0, 0] => "Unknown".to_owned(),
        code => String::from_utf8_lossy(&code).into_owned(),
    };
    let continent = continent::of_country(&country).unwrap_or("Unknown");
    let known = |part: &str| {
        if part.is_empty() {
            "Unknown".to_owned()
        } else {
            part.to_owned()
        }
    };
    let (region, city) = (
        known(locality::region(&click.locality)),
        known(locality::city(&click.locality)),
    );
    let is_qr = click.flags.has(ClickFlags::QR);
    let referrer_host = url::Url::parse(&click.referrer)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    let referrer_url = if click.referrer.is_empty() {
        "(direct)"
    } else {
        &*click.referrer
    };
    let (device, browser, os) = (
        click.user_agent.device.name(),
        click.user_agent.browser.name(),
        click.user_agent.os.name(),
    );
    let at = click.at.to_string();
    let url = link["url"].clone();
    json!({
        "event": "click",
        "timestamp": at,
        "click": {
            "id": id,
            "timestamp": at,
            "url": url,
            "country": country,
            "city": city,
            "region": region,
            "continent": continent,
            "device": device,
            "browser": browser,
            "os": os,
            "ua": null,
            "trigger": if is_qr { "qr" } else { "link" },
            "referer": referrer_host.as_deref().unwrap_or("(direct)"),
            "refererUrl": referrer_url,
            "qr": is_qr,
            // No address is ever stored.
            "ip": "",
            "app": click.user_agent.app.name(),
            "language": &*click.language,
            "visitorId": visitor_id(click.visitor),
            "flags": flag_words(click.flags),
            "counted": click.flags.class() == ClickClass::Human,
        },
        "click_id": id,
        "link_id": link["id"],
        "domain": link["domain"],
        "key": link["key"],
        "url": url,
        "continent": continent,
        "country": country,
        "city": city,
        "device": device,
        "browser": browser,
        "os": os,
        "qr": i32::from(is_qr),
        "ip": "",
        "link": link,
    })
}

fn flag_words(flags: ClickFlags) -> Vec<&'static str> {
    let words = [
        (ClickFlags::BOT, "bot"),
        (ClickFlags::PREVIEW, "preview"),
        (ClickFlags::PREFETCH, "prefetch"),
        (ClickFlags::HEAD, "head"),
        (ClickFlags::TEST, "test"),
        (ClickFlags::REPEAT, "repeat"),
        (ClickFlags::QR, "qr"),
        (ClickFlags::OPTED_OUT, "opted_out"),
        (ClickFlags::ERASED, "erased"),
    ];
    words
        .into_iter()
        .filter(|(flag, _)| flags.has(*flag))
        .map(|(_, word)| word)
        .collect()
}
