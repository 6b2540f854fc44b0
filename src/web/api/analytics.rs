//! `/analytics`: clicks counted, over time, and by what is known of them.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::click_filter::Clicks;
use super::error::ApiError;
use super::link_answer::answer;
use super::link_query::domain_name;
use super::params::Params;
use super::{Api, Caller, Period};
use crate::books::{self, View};
use crate::clicklog::{Dimension, Lacks, Query, QueryError};
use crate::domain::click::{ClassSet, ClickClass};
use crate::domain::id::LinkNo;
use crate::domain::locality;
use crate::flows::Error;

/// Most rows of a breakdown.
const ROWS_MAX: usize = 1_000;
/// Most links of `top_links`.
const TOP_LINKS_MAX: usize = 100;
/// Most links of which reports by domain, partner or destination look up where they belong.
const LINKS_LOOKED_UP_MAX: usize = 200_000;
/// Most clicks among which a filter's unique visitors are told apart: a second of reading.
const UNIQUE_CLICKS_MAX: u64 = 4_000_000;
/// Says in an answer that older clicks would have had to be read one by one, and are gone by age.
const PARTIAL: HeaderName = HeaderName::from_static("hopcart-partial-before");

/// What is not known, as the click log calls it.
const UNKNOWN: &str = "Unknown";

/// The dialect's groupings by what a click carries, with the row's field name.
const BREAKDOWNS: [(&str, &str, Dimension); 16] = [
    ("continents", "continent", Dimension::Continent),
    ("countries", "country", Dimension::Country),
    ("regions", "region", Dimension::Area),
    ("cities", "city", Dimension::Locality),
    ("devices", "device", Dimension::Device),
    ("browsers", "browser", Dimension::Browser),
    ("os", "os", Dimension::Os),
    ("referers", "referer", Dimension::Referrer),
    ("referer_urls", "refererUrl", Dimension::ReferrerUrl),
    ("triggers", "trigger", Dimension::Trigger),
    ("trigger", "trigger", Dimension::Trigger),
    ("utm_sources", "utm_source", Dimension::UtmSource),
    ("utm_mediums", "utm_medium", Dimension::UtmMedium),
    ("utm_campaigns", "utm_campaign", Dimension::UtmCampaign),
    ("utm_terms", "utm_term", Dimension::UtmTerm),
    ("utm_contents", "utm_content", Dimension::UtmContent),
];
/// The dialect's groupings by what links do not have here: no click belongs to any.
const OF_NOTHING: [&str; 4] = ["top_folders", "top_link_tags", "top_groups", "top_partner_tags"];

/// The fields of a row beside its figures.
type Fields = Vec<(&'static str, Value)>;

/// Groupings by what a click's link says.
#[derive(Clone, Copy)]
enum ByLink {
    Domain,
    Partner,
    Url,
    /// Without query and fragment.
    BaseUrl,
}

pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let mut params = Params::of(raw.as_deref())?;
    let group_by = params.text("groupBy").unwrap_or_else(|| "count".to_owned());
    let clicks = Clicks::take(&api, &mut params)?;
    params.end()?;
    let query = clicks.query(&api, &caller).await?;
    let lacks = query.lacks.clone();
    let told = match group_by.as_str() {
        "count" => count(&api, query).await?,
        "timeseries" => timeseries(&api, query, clicks.period).await?,
        "top_links" => top_links(&api, &caller, query).await?,
        "top_domains" => by_link(&api, query, ByLink::Domain).await?,
        "top_partners" => by_link(&api, query, ByLink::Partner).await?,
        "top_urls" => by_link(&api, query, ByLink::Url).await?,
        "top_base_urls" => by_link(&api, query, ByLink::BaseUrl).await?,
        nothing if OF_NOTHING.contains(&nothing) => json!([]),
        other => match BREAKDOWNS.iter().find(|(name, ..)| *name == other) {
            Some((name, field, dimension)) => breakdown(&api, query, name, field, *dimension).await?,
            None => {
                return Err(ApiError::invalid(
                    "groupBy",
                    "is not one of count, timeseries, countries, devices, browsers, os, referers, top_links and their kin",
                ));
            }
        },
    };
    Ok(with_lacks(&lacks, told))
}

/// The answer, marked when it could not count everything.
pub(super) fn with_lacks(lacks: &Lacks, told: Value) -> Response {
    let mut response = Json(told).into_response();
    if let Some(before) = lacks.partial_before()
        && let Ok(before) = HeaderValue::from_str(&before.to_string())
    {
        response.headers_mut().insert(PARTIAL, before);
    }
    response
}

async fn count(api: &Api, query: Query) -> Result<Value, ApiError> {
    let lacks = query.lacks.clone();
    let (clicks, unique, taps) = read_log(api, move |log| {
        let taps = Query {
            classes: ClassSet::only(ClickClass::Tap),
            ..query.clone()
        };
        Ok((log.count(&query)?, unique_visitors(log, &query)?, log.count(&taps)?))
    })
    .await?;
    let mut row = figures(clicks);
    row.insert("checkoutTaps".to_owned(), json!(taps));
    row.insert("uniqueVisitors".to_owned(), json!(unique));
    if let Some(before) = lacks.partial_before() {
        row.insert("partialBefore".to_owned(), json!(before.to_string()));
    }
    Ok(Value::Object(row))
}

/// Unique visitors; `None` when a filter would have too many clicks read for it, or clicks that are gone.
fn unique_visitors(log: &crate::clicklog::Reader, query: &Query) -> Result<Option<u64>, QueryError> {
    if query.filter.is_empty() {
        return log.unique_visitors(query).map(Some);
    }
    let all = Query {
        links: None,
        filter: Default::default(),
        ..query.clone()
    };
    if log.count(&all)? > UNIQUE_CLICKS_MAX {
        return Ok(None);
    }
    // What it lacks does not make the other figures partial.
    let own = Query {
        lacks: Lacks::default(),
        ..query.clone()
    };
    match log.unique_visitors(&own) {
        Ok(unique) => Ok(own.lacks.partial_before().is_none().then_some(unique)),
        Err(QueryError::TooLarge(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn timeseries(api: &Api, query: Query, period: Period) -> Result<Value, ApiError> {
    let (edges, counts) = read_log(api, move |log| {
        let edges = period.edges(log.first_at(&query)?);
        let counts = log.timeseries(&query, &edges)?;
        Ok((edges.iter().map(|edge| period.label(*edge)).collect::<Vec<_>>(), counts))
    })
    .await?;
    let rows = edges
        .iter()
        .zip(counts)
        .map(|(start, clicks)| with_figures([("start", json!(start))], clicks));
    Ok(rows.collect())
}

async fn breakdown(
    api: &Api,
    query: Query,
    name: &'static str,
    field: &'static str,
    dimension: Dimension,
) -> Result<Value, ApiError> {
    let top = read_log(api, move |log| log.top(&query, dimension, ROWS_MAX)).await?;
    // The dialect's clients know seven continents and no eighth.
    let known = top
        .into_iter()
        .filter(|(value, _)| name != "continents" || value != UNKNOWN);
    let rows = known.map(|(value, clicks)| match name {
        "countries" | "regions" | "cities" => with_figures(place(name, &value), clicks),
        _ => with_figures([(field, json!(value))], clicks),
    });
    Ok(rows.collect())
}

/// The fields of a row of places. In the dialect a star says that a row is of all regions or cities.
fn place(name: &str, value: &str) -> [(&'static str, Value); 3] {
    let text = if value == UNKNOWN { "" } else { value };
    let known = |part: &str| json!(if part.is_empty() { UNKNOWN } else { part });
    let star = json!("*");
    let region = || known(locality::region(text));
    let (region, city) = match name {
        "cities" => (region(), known(locality::city(text))),
        "regions" => (region(), star),
        _ => (star.clone(), star),
    };
    [
        ("country", known(locality::country(text))),
        ("region", region),
        ("city", city),
    ]
}

async fn top_links(api: &Api, caller: &Caller, query: Query) -> Result<Value, ApiError> {
    let counts = read_log(api, move |log| log.count_by_link(&query)).await?;
    let mut counts: Vec<(LinkNo, u64)> = counts.into_iter().filter(|(_, clicks)| *clicks > 0).collect();
    counts.sort_by_key(|(link, clicks)| (std::cmp::Reverse(*clicks), *link));
    counts.truncate(TOP_LINKS_MAX);
    let numbers: Vec<LinkNo> = counts.iter().map(|(link, _)| *link).collect();
    let found = api.context.books().read(move |view| {
        let links = numbers.iter().map(|no| books::link::by_no(view, *no));
        links.collect::<Result<Vec<_>, _>>().map_err(Error::from)
    });
    let found = found.await?;
    let known: Vec<u64> = counts
        .iter()
        .zip(&found)
        .filter(|(_, link)| link.is_some())
        .map(|((_, clicks), _)| *clicks)
        .collect();
    let views = answer(api, caller, found.into_iter().flatten().collect()).await?;
    let rows = views.into_iter().zip(known).map(|(link, clicks)| {
        with_figures(
            [
                ("link", json!(link.id)),
                ("id", json!(link.id)),
                ("domain", json!(link.domain)),
                ("key", json!(link.key)),
                ("shortLink", json!(link.short_link)),
                ("url", json!(link.url)),
                ("title", json!(link.title)),
                ("comments", json!(link.comments)),
                ("folderId", Value::Null),
                ("partnerId", json!(link.partner_id)),
                ("createdAt", json!(link.created_at)),
            ],
            clicks,
        )
    });
    Ok(rows.collect())
}

/// Clicks by what their links say; links that were deleted say nothing.
async fn by_link(api: &Api, query: Query, by: ByLink) -> Result<Value, ApiError> {
    let counts = read_log(api, move |log| log.count_by_link(&query)).await?;
    if counts.len() > LINKS_LOOKED_UP_MAX {
        return Err(ApiError::invalid(
            "interval",
            "has clicks of too many links: narrow it, or the links",
        ));
    }
    let inner = api.clone();
    let rows = api.context.books().read(move |view| {
        let mut sums: HashMap<String, (Fields, u64)> = HashMap::new();
        for (link, clicks) in counts {
            let Some(place) = books::link::place_of(view, link)? else {
                continue;
            };
            let Some((key, fields)) = fields_of(&inner, view, &place, by)? else {
                continue;
            };
            sums.entry(key).or_insert((fields, 0)).1 += clicks;
        }
        let mut rows: Vec<_> = sums.into_iter().collect();
        rows.sort_by(|(a, (_, more)), (b, (_, less))| less.cmp(more).then_with(|| a.cmp(b)));
        rows.truncate(ROWS_MAX);
        let rows = rows
            .into_iter()
            .map(|(_, (fields, clicks))| with_figures(fields, clicks));
        Ok::<_, Error>(rows.collect())
    });
    Ok(rows.await?)
}

/// What a row is told apart by, and its fields; `None` when the link belongs to none.
fn fields_of(
    api: &Api,
    view: &View<'_>,
    place: &books::link::LinkPlace,
    by: ByLink,
) -> Result<Option<(String, Fields)>, Error> {
    let text = match by {
        ByLink::Url => place.destination.clone(),
        ByLink::BaseUrl => {
            let end = place.destination.find(['?', '#']).unwrap_or(place.destination.len());
            place.destination[..end].to_owned()
        }
        ByLink::Domain => {
            let domain = domain_name(api, view, place.domain)?;
            return Ok(Some((domain.clone(), vec![("domain", json!(domain))])));
        }
        ByLink::Partner => {
            let Some(no) = place.creator else { return Ok(None) };
            let Some(creator) = books::creator::by_no(view, no)? else {
                return Ok(None);
            };
            let partner = json!({
                "id": creator.id,
                "name": creator.terms.name,
                "image": creator.terms.image,
                "country": creator.terms.country,
                "payoutsEnabledAt": null,
            });
            return Ok(Some((
                creator.id.clone(),
                vec![("partnerId", json!(creator.id)), ("partner", partner)],
            )));
        }
    };
    Ok(Some((text.clone(), vec![("url", json!(text))])))
}

/// Runs a query on a thread that may read the disk.
pub(super) async fn read_log<T: Send + 'static>(
    api: &Api,
    read: impl FnOnce(&crate::clicklog::Reader) -> Result<T, QueryError> + Send + 'static,
) -> Result<T, ApiError> {
    let log = api.clicks.clone();
    match tokio::task::spawn_blocking(move || read(&log)).await {
        Ok(told) => Ok(told?),
        Err(_) => Err(Error::Internal("a query of the click log panicked".to_owned()).into()),
    }
}

fn figures(clicks: u64) -> Map<String, Value> {
    let mut row = Map::new();
    for (name, value) in [("clicks", clicks), ("leads", 0), ("sales", 0), ("saleAmount", 0)] {
        row.insert(name.to_owned(), json!(value));
    }
    row
}

fn with_figures(fields: impl IntoIterator<Item = (&'static str, Value)>, clicks: u64) -> Value {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    let mut row: Map<String, Value> = fields.collect();
    row.extend(figures(clicks));
    Value::Object(row)
}
