//! `/analytics`: clicks, leads and sales counted, over time, and by what is known of them. Leads and sales are known by
//! the click that brought them.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::conversion::{self, Figures, Found};
use super::conversion_filter::{Event, Question, Unit};
use super::error::ApiError;
use super::link_answer::answer;
use super::link_query::domain_name;
use super::params::Params;
use super::{Api, Caller, Period};
use crate::books::{self, View};
use crate::clicklog::{Dimension, Lacks, Query, QueryError};
use crate::domain::click::{ClassSet, ClickClass};
use crate::domain::id::{CreatorNo, FolderNo, LinkNo, TagNo};
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
const OF_NOTHING: [&str; 2] = ["top_groups", "top_partner_tags"];

/// The fields of a row beside its figures.
type Fields = Vec<(&'static str, Value)>;

/// Groupings by what a click's link says.
#[derive(Clone, Copy)]
enum ByLink {
    Domain,
    Partner,
    Folder,
    /// A link counts for each of its tags.
    Tag,
    Url,
    /// Without query and fragment.
    BaseUrl,
}

pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let (lacks, told) = tell(&api, &caller, Params::of(raw.as_deref())?).await?;
    Ok(with_lacks(&lacks, told))
}

/// What was asked for, and what of it is gone.
pub(super) async fn tell(api: &Api, caller: &Caller, mut params: Params) -> Result<(Lacks, Value), ApiError> {
    let group_by = params.text("groupBy").unwrap_or_else(|| "count".to_owned());
    let question = Question::take(api, &mut params)?;
    params.end()?;
    let query = question.clicks.query(api, caller).await?;
    let lacks = query.lacks.clone();
    let by = BREAKDOWNS.iter().find(|(name, ..)| *name == group_by);
    let found = conversion::find(api, caller, &question, by.is_some()).await?;
    let counted = Counted {
        log: question.event.has_clicks().then_some(query),
        event: question.event,
        unit: question.unit,
        found,
    };
    let told = match (group_by.as_str(), by) {
        ("count", _) => counted.count(api).await?,
        ("timeseries", _) => counted.timeseries(api, question.clicks.period).await?,
        ("top_links", _) => counted.top_links(api, caller).await?,
        ("top_domains", _) => counted.by_link(api, ByLink::Domain).await?,
        ("top_partners", _) => counted.by_link(api, ByLink::Partner).await?,
        ("top_folders", _) => counted.by_link(api, ByLink::Folder).await?,
        ("top_link_tags", _) => counted.by_link(api, ByLink::Tag).await?,
        ("top_urls", _) => counted.by_link(api, ByLink::Url).await?,
        ("top_base_urls", _) => counted.by_link(api, ByLink::BaseUrl).await?,
        (nothing, _) if OF_NOTHING.contains(&nothing) => json!([]),
        (_, Some((name, field, dimension))) => counted.breakdown(api, name, field, *dimension).await?,
        _ => {
            return Err(ApiError::invalid(
                "groupBy",
                "is not one of count, timeseries, countries, devices, browsers, os, referers, top_links and their kin",
            ));
        }
    };
    Ok((lacks, told))
}

/// What is counted: clicks in the log, and leads and sales as they were found in the books.
struct Counted {
    /// `None` where clicks are not asked for.
    log: Option<Query>,
    event: Event,
    unit: Unit,
    found: Found,
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

impl Counted {
    async fn count(self, api: &Api) -> Result<Value, ApiError> {
        let mut sum = self.found.sum();
        let mut more = Map::new();
        if let Some(query) = self.log {
            let lacks = query.lacks.clone();
            let (clicks, unique, taps) = read_log(api, move |log| {
                let taps = Query {
                    classes: ClassSet::only(ClickClass::Tap),
                    ..query.clone()
                };
                Ok((log.count(&query)?, unique_visitors(log, &query)?, log.count(&taps)?))
            })
            .await?;
            sum.clicks = clicks;
            more.insert("checkoutTaps".to_owned(), json!(taps));
            more.insert("uniqueVisitors".to_owned(), json!(unique));
            if let Some(before) = lacks.partial_before() {
                more.insert("partialBefore".to_owned(), json!(before.to_string()));
            }
        }
        if self.event.has_sales() {
            more.insert("currency".to_owned(), json!(self.found.currency));
            more.insert("otherCurrencies".to_owned(), json!(self.found.others));
        }
        let mut row = sum.view(self.event);
        row.extend(more);
        Ok(Value::Object(row))
    }

    async fn timeseries(self, api: &Api, period: Period) -> Result<Value, ApiError> {
        let first_found = self.found.facts.iter().map(|fact| fact.at).min();
        let (labels, edges, clicks) = match self.log {
            Some(query) => {
                read_log(api, move |log| {
                    let first = log.first_at(&query)?.into_iter().chain(first_found).min();
                    let edges = period.edges(first);
                    let counts = log.timeseries(&query, &edges)?;
                    let labels: Vec<String> = edges.iter().map(|edge| period.label(*edge)).collect();
                    Ok((labels, edges, counts))
                })
                .await?
            }
            None => {
                let edges = period.edges(first_found);
                let labels = edges.iter().map(|edge| period.label(*edge)).collect();
                let none = vec![0; edges.len().saturating_sub(1)];
                (labels, edges, none)
            }
        };
        let mut steps: Vec<Figures> = clicks.into_iter().map(Figures::of_clicks).collect();
        for fact in &self.found.facts {
            let step = edges.partition_point(|edge| *edge <= fact.at);
            if let Some(figures) = step.checked_sub(1).and_then(|step| steps.get_mut(step)) {
                figures.add(&fact.figures);
            }
        }
        let rows = labels
            .iter()
            .zip(steps)
            .map(|(start, figures)| with_figures([("start", json!(start))], &figures, self.event));
        Ok(rows.collect())
    }

    async fn breakdown(
        self,
        api: &Api,
        name: &'static str,
        field: &'static str,
        dimension: Dimension,
    ) -> Result<Value, ApiError> {
        let (event, unit) = (self.event, self.unit);
        let mut sums: HashMap<String, Figures> = HashMap::new();
        for (fact, click) in self.found.with_clicks() {
            sums.entry(dimension.of(click).to_owned())
                .or_default()
                .add(&fact.figures);
        }
        if let Some(query) = self.log {
            let top = read_log(api, move |log| log.top(&query, dimension, ROWS_MAX)).await?;
            for (value, clicks) in top {
                sums.entry(value).or_default().clicks += clicks;
            }
        }
        // The dialect's clients know seven continents and no eighth.
        let known = sums
            .into_iter()
            .filter(|(value, _)| name != "continents" || value != UNKNOWN);
        let rows = ranked(known, event, unit)
            .into_iter()
            .map(|(value, figures)| match name {
                "countries" | "regions" | "cities" => with_figures(place(name, &value), &figures, event),
                _ => with_figures([(field, json!(value))], &figures, event),
            });
        Ok(rows.collect())
    }

    /// What each link brought; clicks, leads and sales together.
    async fn links(&self, api: &Api) -> Result<HashMap<LinkNo, Figures>, ApiError> {
        let mut sums: HashMap<LinkNo, Figures> = HashMap::new();
        for fact in &self.found.facts {
            if let Some(link) = fact.link {
                sums.entry(link).or_default().add(&fact.figures);
            }
        }
        if let Some(query) = self.log.clone() {
            for (link, clicks) in read_log(api, move |log| log.count_by_link(&query)).await? {
                sums.entry(link).or_default().clicks += clicks;
            }
        }
        Ok(sums)
    }
}

/// The rows in the order of what was asked for, at most [`ROWS_MAX`]; equal ones by name. Rows of nothing are left out.
fn ranked<K: Ord>(rows: impl Iterator<Item = (K, Figures)>, event: Event, unit: Unit) -> Vec<(K, Figures)> {
    let mut rows: Vec<(K, Figures)> = rows.filter(|(_, figures)| *figures != Figures::default()).collect();
    rows.sort_by(|(a, more), (b, less)| {
        less.rank(event, unit)
            .cmp(&more.rank(event, unit))
            .then_with(|| a.cmp(b))
    });
    rows.truncate(ROWS_MAX);
    rows
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

impl Counted {
    async fn top_links(self, api: &Api, caller: &Caller) -> Result<Value, ApiError> {
        let event = self.event;
        let mut counts = ranked(self.links(api).await?.into_iter(), event, self.unit);
        counts.truncate(TOP_LINKS_MAX);
        let numbers: Vec<LinkNo> = counts.iter().map(|(link, _)| *link).collect();
        let found = api.context.books().read(move |view| {
            let links = numbers.iter().map(|no| books::link::by_no(view, *no));
            links.collect::<Result<Vec<_>, _>>().map_err(Error::from)
        });
        let found = found.await?;
        let known: Vec<Figures> = counts
            .into_iter()
            .zip(&found)
            .filter(|(_, link)| link.is_some())
            .map(|((_, figures), _)| figures)
            .collect();
        let views = answer(api, caller, found.into_iter().flatten().collect()).await?;
        let rows = views.into_iter().zip(known).map(|(link, figures)| {
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
                &figures,
                event,
            )
        });
        Ok(rows.collect())
    }

    /// What was counted by what its links say; links that were deleted say nothing. Leads and sales of a partner are
    /// those that the partner is credited with, also by a code and without a link.
    async fn by_link(self, api: &Api, by: ByLink) -> Result<Value, ApiError> {
        let mut counted = self;
        let mut creators: HashMap<CreatorNo, Figures> = HashMap::new();
        if let ByLink::Partner = by {
            for fact in std::mem::take(&mut counted.found.facts) {
                if let Some(creator) = fact.creator {
                    creators.entry(creator).or_default().add(&fact.figures);
                }
            }
        }
        let counts = counted.links(api).await?;
        if counts.len() > LINKS_LOOKED_UP_MAX {
            return Err(ApiError::invalid(
                "interval",
                "has clicks of too many links: narrow it, or the links",
            ));
        }
        let (inner, event, unit) = (api.clone(), counted.event, counted.unit);
        let rows = api.context.books().read(move |view| {
            let mut sums: HashMap<String, (Fields, Figures)> = HashMap::new();
            let mut add = |named: Option<(String, Fields)>, figures: &Figures| {
                if let Some((key, fields)) = named {
                    sums.entry(key).or_insert((fields, Figures::default())).1.add(figures);
                }
            };
            for (link, figures) in &counts {
                if let ByLink::Tag = by {
                    for tag in books::tag::of_link(view, *link)? {
                        add(tag_fields(view, tag)?, figures);
                    }
                    continue;
                }
                if let ByLink::Folder = by {
                    if let Some(folder) = books::folder::of_link(view, *link)? {
                        add(folder_fields(view, folder)?, figures);
                    }
                    continue;
                }
                if let Some(place) = books::link::place_of(view, *link)? {
                    add(fields_of(&inner, view, &place, by)?, figures);
                }
            }
            for (creator, figures) in &creators {
                add(partner_fields(view, *creator)?, figures);
            }
            let mut fields: HashMap<String, Fields> = HashMap::new();
            let mut figures = Vec::with_capacity(sums.len());
            for (key, (own, sum)) in sums {
                fields.insert(key.clone(), own);
                figures.push((key, sum));
            }
            let rows = ranked(figures.into_iter(), event, unit).into_iter();
            let rows = rows.map(|(key, sum)| with_figures(fields.remove(&key).unwrap_or_default(), &sum, event));
            Ok::<_, Error>(rows.collect())
        });
        Ok(rows.await?)
    }
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
            return match place.creator {
                Some(no) => partner_fields(view, no),
                None => Ok(None),
            };
        }
        // Filed elsewhere than where the link leads.
        ByLink::Folder | ByLink::Tag => return Ok(None),
    };
    Ok(Some((text.clone(), vec![("url", json!(text))])))
}

fn tag_fields(view: &View<'_>, no: TagNo) -> Result<Option<(String, Fields)>, Error> {
    let Some(tag) = books::tag::by_no(view, no)? else {
        return Ok(None);
    };
    let shown = json!({ "id": tag.id, "name": tag.name, "color": tag.color });
    Ok(Some((tag.id.clone(), vec![("tagId", json!(tag.id)), ("tag", shown)])))
}

fn folder_fields(view: &View<'_>, no: FolderNo) -> Result<Option<(String, Fields)>, Error> {
    let Some(folder) = books::folder::by_no(view, no)? else {
        return Ok(None);
    };
    let shown = json!({ "id": folder.id, "name": folder.name, "accessLevel": folder.access });
    Ok(Some((
        folder.id.clone(),
        vec![("folderId", json!(folder.id)), ("folder", shown)],
    )))
}

fn partner_fields(view: &View<'_>, no: CreatorNo) -> Result<Option<(String, Fields)>, Error> {
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
    let fields = vec![("partnerId", json!(creator.id)), ("partner", partner)];
    Ok(Some((creator.id, fields)))
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

fn with_figures(fields: impl IntoIterator<Item = (&'static str, Value)>, figures: &Figures, event: Event) -> Value {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    let mut row: Map<String, Value> = fields.collect();
    row.extend(figures.view(event));
    Value::Object(row)
}
