//! `/analytics`: clicks counted, over time, and by what is known of them.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::link_answer::answer;
use super::link_query::Named;
use super::params::Params;
use super::{Api, Caller, Period};
use crate::books::link::LinkFilter;
use crate::books::{self, View};
use crate::clicklog::{Dimension, Query};
use crate::domain::click::{ClassSet, ClickClass};
use crate::domain::id::LinkNo;
use crate::flows::Error;
use crate::flows::publish_link::domain_for;

/// Most rows of a breakdown.
const ROWS_MAX: usize = 1_000;
/// Most links of `top_links`.
const TOP_LINKS_MAX: usize = 100;

/// The dialect's groupings that are built, with the row's field name.
const BREAKDOWNS: [(&str, &str, Dimension); 12] = [
    ("countries", "country", Dimension::Country),
    ("devices", "device", Dimension::Device),
    ("browsers", "browser", Dimension::Browser),
    ("os", "os", Dimension::Os),
    ("referers", "referer", Dimension::Referrer),
    ("referer_urls", "refererUrl", Dimension::ReferrerUrl),
    ("triggers", "trigger", Dimension::Trigger),
    ("utm_sources", "utm_source", Dimension::UtmSource),
    ("utm_mediums", "utm_medium", Dimension::UtmMedium),
    ("utm_campaigns", "utm_campaign", Dimension::UtmCampaign),
    ("utm_terms", "utm_term", Dimension::UtmTerm),
    ("utm_contents", "utm_content", Dimension::UtmContent),
];

/// Filters of the dialect that are not built yet: refused when set.
const NOT_YET: [&str; 27] = [
    "tenantId",
    "tagId",
    "tagIds",
    "folderId",
    "partnerTagId",
    "groupId",
    "customerId",
    "country",
    "city",
    "region",
    "continent",
    "device",
    "browser",
    "os",
    "trigger",
    "referer",
    "refererUrl",
    "url",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "root",
    "saleType",
    "query",
    "qr",
];

/// What both `/analytics` and `/events` read from a query.
pub(super) struct Clicks {
    named: Named,
    partner_id: Option<String>,
    classes: ClassSet,
    pub period: Period,
}

impl Clicks {
    pub fn take(api: &Api, params: &mut Params) -> Result<Self, ApiError> {
        if params
            .word("event", &["clicks", "leads", "sales", "composite"])?
            .is_some_and(|event| event != "clicks")
        {
            return Err(ApiError::invalid("event", "only clicks are supported yet"));
        }
        params.not_yet(&NOT_YET)?;
        params.not_yet(&["programId"])?;
        let include = params.text("include").unwrap_or_default();
        let classes = ClassSet::parse(&include).map_err(|word| {
            ApiError::invalid(
                "include",
                &format!("{word} is none of repeats, bots, prefetch, head, test"),
            )
        })?;
        Ok(Self {
            named: Named::take(params),
            partner_id: params.text("partnerId"),
            classes,
            period: Period::take(params, api.context.clock().now(), "24h")?,
        })
    }

    /// The log's query: the workspace's links, narrowed.
    pub async fn query(&self, api: &Api, caller: &Caller) -> Result<Query, ApiError> {
        let links = self.links(api, caller).await?;
        Ok(Query {
            workspace: caller.workspace,
            links: links.map(Arc::new),
            start: self.period.start,
            end: self.period.end,
            classes: self.classes,
        })
    }

    async fn links(&self, api: &Api, caller: &Caller) -> Result<Option<HashSet<LinkNo>>, ApiError> {
        let (inner, workspace) = (api.clone(), caller.workspace);
        let named = self.named.clone();
        let partner_id = self.partner_id.clone();
        let narrowed = api.context.books().read(move |view: &View<'_>| {
            let mut filter = LinkFilter {
                shows_archived: true,
                ..LinkFilter::default()
            };
            if let Some(name) = named.domain_alone() {
                filter.domain = Some(domain_for(&inner.context, view, workspace, Some(name))?.no);
            }
            if let Some(id) = &partner_id {
                let creator = books::creator::by_id(view, workspace, id)?;
                filter.creator = Some(
                    creator
                        .ok_or_else(|| Error::invalid("partnerId", "is not a partner of this workspace"))?
                        .no,
                );
            }
            let group = match filter.domain.is_some() || filter.creator.is_some() {
                true => Some(
                    books::link::numbers_of(view, workspace, &filter)?
                        .into_iter()
                        .collect::<HashSet<_>>(),
                ),
                false => None,
            };
            let one = named.find(&inner, view, workspace)?.map(|link| link.no);
            Ok::<_, Error>(match (one, group) {
                (Some(one), Some(group)) => Some(group.into_iter().filter(|link| *link == one).collect()),
                (Some(one), None) => Some(HashSet::from([one])),
                (None, group) => group,
            })
        });
        Ok(narrowed.await?)
    }
}

pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(raw.as_deref())?;
    let group_by = params.text("groupBy").unwrap_or_else(|| "count".to_owned());
    let clicks = Clicks::take(&api, &mut params)?;
    params.end()?;
    let query = clicks.query(&api, &caller).await?;
    match group_by.as_str() {
        "count" => count(&api, query).await,
        "timeseries" => timeseries(&api, query, clicks.period).await,
        "top_links" => top_links(&api, &caller, query).await,
        other => match BREAKDOWNS.iter().find(|(name, ..)| *name == other) {
            Some((_, field, dimension)) => breakdown(&api, query, field, *dimension).await,
            None => Err(ApiError::invalid(
                "groupBy",
                "is not one of count, timeseries, countries, devices, browsers, os, referers, top_links and their kin",
            )),
        },
    }
}

async fn count(api: &Api, query: Query) -> Result<Json<Value>, ApiError> {
    let (clicks, unique, taps) = read_log(api, move |log| {
        let taps = Query {
            classes: ClassSet::only(ClickClass::Tap),
            ..query.clone()
        };
        Ok((log.count(&query)?, log.unique_visitors(&query)?, log.count(&taps)?))
    })
    .await?;
    let mut row = figures(clicks);
    row.insert("checkoutTaps".to_owned(), json!(taps));
    row.insert("uniqueVisitors".to_owned(), json!(unique));
    Ok(Json(Value::Object(row)))
}

async fn timeseries(api: &Api, query: Query, period: Period) -> Result<Json<Value>, ApiError> {
    let (edges, counts) = read_log(api, move |log| {
        let first = log.events(&query, false, 0, 1)?.first().map(|click| click.at);
        let edges = period.edges(first);
        let counts = log.timeseries(&query, &edges)?;
        Ok((edges.iter().map(|edge| period.label(*edge)).collect::<Vec<_>>(), counts))
    })
    .await?;
    let rows = edges
        .iter()
        .zip(counts)
        .map(|(start, clicks)| with_figures([("start", json!(start))], clicks));
    Ok(Json(rows.collect()))
}

async fn breakdown(
    api: &Api,
    query: Query,
    field: &'static str,
    dimension: Dimension,
) -> Result<Json<Value>, ApiError> {
    let top = read_log(api, move |log| log.top(&query, dimension, ROWS_MAX)).await?;
    let rows = top.into_iter().map(|(value, clicks)| match field {
        "country" => with_figures(
            [("country", json!(value)), ("region", json!("*")), ("city", json!("*"))],
            clicks,
        ),
        field => with_figures([(field, json!(value))], clicks),
    });
    Ok(Json(rows.collect()))
}

async fn top_links(api: &Api, caller: &Caller, query: Query) -> Result<Json<Value>, ApiError> {
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
    Ok(Json(rows.collect()))
}

/// Runs a query on a thread that may read the disk.
pub(super) async fn read_log<T: Send + 'static>(
    api: &Api,
    read: impl FnOnce(&crate::clicklog::Reader) -> Result<T, crate::clicklog::QueryError> + Send + 'static,
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

fn with_figures<const N: usize>(fields: [(&str, Value); N], clicks: u64) -> Value {
    let mut row: Map<String, Value> = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    row.extend(figures(clicks));
    Value::Object(row)
}
