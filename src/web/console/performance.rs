//! The front page: the performance report with its picture, exactly as `/reports/performance` answers the same query.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::reply::{Refused, html};
use super::session::Session;
use crate::books;
use crate::books::Page;
use crate::books::creator::CreatorFilter;
use crate::clicklog::{self, Query};
use crate::domain::attribution::Model;
use crate::domain::id::LinkNo;
use crate::domain::money::{self, Currency};
use crate::domain::performance::Performance;
use crate::domain::time::Timestamp;
use crate::flows::Error;
use crate::web::api::{self, Api, Caller, FILTERS, Period};
use crate::web::pages::{self, Asked, Choices, Narrowed, PerformancePage, RowView, performance::INTERVAL};
use crate::web::report::{self, GroupBy, NOBODY, Report};

/// Links on the page.
const TOP_LINKS: usize = 10;
/// Creators, campaigns and niches that the form offers: more are cut by the page itself.
const OFFERED_MAX: u32 = 1_000;

/// Webhooks of which it is said when they are disabled: more than a workspace may have.
const WEBHOOKS_LOOKED_AT: u32 = 100;

pub(super) async fn show(
    State(api): State<Api>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let asked = asked(query.as_deref());
    let page = page(&api, &session.caller, asked).await?;
    Ok(html(StatusCode::OK, pages::performance_page(&page)))
}

/// The same report as a file.
pub(super) async fn download(
    State(api): State<Api>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let asked = asked(query.as_deref()).with(&[("format", "csv")]);
    let read = read_asked(&api, &session.caller, &asked)?;
    let report = api::read_report(&api, &read).await?;
    Ok(api::answer_report(&report, &read))
}

/// What the address asks. Dates of one's own take the place of the interval that the form was sent with, and all time has
/// no period before it to be compared with.
fn asked(query: Option<&str>) -> Asked {
    let mut asked = Asked::of(query.unwrap_or_default());
    if asked.get("start").is_some() || asked.get("end").is_some() {
        asked.set("interval", "");
    }
    if asked.get("interval") == Some("all") {
        asked.set("compare", "");
    }
    asked
}

fn read_asked(api: &Api, caller: &Caller, asked: &Asked) -> Result<api::Asked, Refused> {
    let now = api.context.clock().now();
    Ok(api::Asked::of(Some(&asked.query()), caller.workspace, now, INTERVAL)?)
}

async fn page(api: &Api, caller: &Caller, asked: Asked) -> Result<PerformancePage, Refused> {
    let read = read_asked(api, caller, &asked)?;
    let report = api::read_report(api, &read).await?;
    let (series, by_link) = picture(&api.clicks, &report.counted, &read.period).await?;
    let choices = choices(api, caller).await?;
    let narrowed = narrowed(api, caller, &asked, &read).await?;
    Ok(PerformancePage {
        workspace: caller.workspace_name.clone(),
        currency: money::currency(&report.currency).unwrap_or(Currency::USD),
        model: report.model.as_str().to_owned(),
        totals: total(&report),
        rows: rows(&report),
        series,
        top_links: named_links(api, caller, by_link).await?,
        notes: notes(api, caller, &report, read.request.model).await?,
        api_url: api.base_url.to_string(),
        updated_at: api.context.clock().now(),
        asked,
        choices,
        narrowed,
    })
}

/// The rows of a report as pages show them.
pub(super) fn rows(report: &Report) -> Vec<RowView> {
    let told = |line: &report::Row| RowView {
        previous: line.previous.as_ref().map(|sums| Box::new(row("", "", sums))),
        ..row(&line.key, &line.name, &line.sums)
    };
    report.rows.iter().map(told).collect()
}

/// All of a report together.
pub(super) fn total(report: &Report) -> RowView {
    RowView {
        previous: report.previous_total.as_ref().map(|sums| Box::new(row("", "", sums))),
        ..row("total", "Total", &report.total)
    }
}

/// A row with the API's own figures.
pub(in crate::web) fn row(key: &str, name: &str, sums: &Performance) -> RowView {
    let figures = api::figures(sums);
    RowView {
        key: key.to_owned(),
        name: name.to_owned(),
        clicks: figures.clicks,
        unique_visitors: figures.unique_visitors,
        orders_milli: sums.sales.orders_milli,
        new_customers_milli: sums.sales.new_customers_milli,
        gross_revenue: figures.gross_revenue,
        refunds: figures.refunds,
        net_revenue: figures.net_revenue,
        spend: figures.spend,
        conversion_rate: figures.conversion_rate,
        conversion: figures.conversion_rate_low.zip(figures.conversion_rate_high),
        epc: figures.epc,
        cac: figures.cac,
        roi: figures.roi,
        previous: None,
    }
}

/// Clicks over time and by link.
pub(in crate::web) type Picture = (Vec<(String, u64)>, Vec<(LinkNo, u64)>);

/// Clicks over time, and the most followed links, most clicked first.
pub(in crate::web) async fn picture(log: &clicklog::Reader, query: &Query, period: &Period) -> Result<Picture, Error> {
    let (log, query, period) = (log.clone(), query.clone(), period.clone());
    let read = tokio::task::spawn_blocking(move || {
        let edges = period.edges(log.first_at(&query)?);
        let counts = log.timeseries(&query, &edges)?;
        let labels = edges.iter().map(|edge| step_label(&period, *edge, &edges));
        let series: Vec<(String, u64)> = labels.zip(counts).collect();
        Ok::<_, clicklog::QueryError>((series, log.count_by_link(&query)?))
    });
    let (series, by_link) = read.await.map_err(|error| Error::Internal(error.to_string()))??;
    let mut top: Vec<_> = by_link.into_iter().filter(|(_, clicks)| *clicks > 0).collect();
    top.sort_by_key(|(link, clicks)| (std::cmp::Reverse(*clicks), *link));
    top.truncate(TOP_LINKS);
    Ok((series, top))
}

/// A step's label in the period's time zone: the hour for short steps, else the day.
fn step_label(period: &Period, edge: Timestamp, edges: &[Timestamp]) -> String {
    let text = period.label(edge);
    let is_short = edges
        .windows(2)
        .nth(1)
        .is_some_and(|pair| pair[1].since(pair[0]) < crate::domain::time::DAY_MS * 9 / 10);
    match (is_short, text.get(5..16), text.get(..10)) {
        (true, Some(hour), _) => hour.replace('T', " "),
        (false, _, Some(day)) => day.to_owned(),
        _ => text,
    }
}

/// Domain and slug of links of the workspace.
async fn named_links(api: &Api, caller: &Caller, top: Vec<(LinkNo, u64)>) -> Result<Vec<(String, u64)>, Error> {
    let (public, workspace) = (api.context.public().clone(), caller.workspace);
    let named = api.context.books().read(move |view| {
        let mut named = Vec::new();
        for (no, clicks) in top {
            let Some(link) = books::link::by_no(view, no)?.filter(|link| link.workspace == workspace) else {
                continue;
            };
            let domain = books::link_domain::by_no(view, link.domain)?
                .map(|domain| domain.slug)
                .filter(|slug| !slug.is_empty());
            let domain = domain.unwrap_or_else(|| public.authority.clone());
            named.push((format!("{domain}/{}", link.slug), clicks));
        }
        Ok::<_, Error>(named)
    });
    named.await
}

/// What the form offers, by name.
async fn choices(api: &Api, caller: &Caller) -> Result<Choices, Error> {
    let workspace = caller.workspace;
    let read = api.context.books().read(move |view| {
        let page = Page::Number {
            number: 1,
            size: OFFERED_MAX,
        };
        let creators = books::creator::list(view, workspace, &CreatorFilter::default(), &page)?;
        let mut niches: Vec<_> = creators
            .iter()
            .filter_map(|creator| creator.terms.niche.clone())
            .collect();
        niches.sort_unstable();
        niches.dedup();
        let campaigns = books::campaign::names(view, workspace)?.into_iter().rev();
        let stores = books::store::list(view, workspace)?;
        Ok::<_, Error>(Choices {
            creators: by_name(creators.into_iter().map(|creator| (creator.id, creator.terms.name))),
            niches: niches.into_iter().map(|niche| (niche.clone(), niche)).collect(),
            campaigns: campaigns
                .take(OFFERED_MAX as usize)
                .map(|(_, id, name)| (id, name))
                .collect(),
            stores: by_name(stores.into_iter().map(|store| (store.id, store.name))),
        })
    });
    read.await
}

fn by_name(pairs: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by(|a, b| a.1.to_lowercase().cmp(&b.1.to_lowercase()).then_with(|| a.0.cmp(&b.0)));
    pairs
}

/// What the report is narrowed to, in words.
async fn narrowed(api: &Api, caller: &Caller, asked: &Asked, read: &api::Asked) -> Result<Vec<Narrowed>, Error> {
    let workspace = caller.workspace;
    let mut wanted: Vec<(&'static str, Option<GroupBy>, String)> = Vec::new();
    for (name, by) in FILTERS {
        if let Some(key) = asked.get(name) {
            wanted.push((name, Some(by), key.to_owned()));
        }
    }
    wanted.extend(read.request.country.clone().map(|country| ("country", None, country)));
    let named = api.context.books().read(move |view| {
        let name = |by: Option<GroupBy>, key: &str| {
            let found = match by {
                _ if key == NOBODY => Some("none".to_owned()),
                Some(GroupBy::Creator) => books::creator::by_id(view, workspace, key)?.map(|found| found.terms.name),
                Some(GroupBy::Campaign) => books::campaign::by_id(view, workspace, key)?.map(|found| found.terms.name),
                Some(GroupBy::Store) => books::store::by_id(view, workspace, key)?.map(|found| found.name),
                Some(GroupBy::Link) => Some(crate::flows::publish_link::find(view, workspace, key)?.slug),
                _ => None,
            };
            Ok::<_, Error>(found.unwrap_or_else(|| key.to_owned()))
        };
        let told = wanted.into_iter().map(|(param, by, key)| {
            let value = name(by, &key)?;
            let what = what_of(by);
            Ok(Narrowed {
                name: param,
                what,
                value,
            })
        });
        told.collect::<Result<Vec<_>, Error>>()
    });
    named.await
}

fn what_of(by: Option<GroupBy>) -> &'static str {
    let word = api::GROUPS
        .iter()
        .find(|(_, group)| Some(*group) == by)
        .map_or("country", |(word, _)| word);
    let known = pages::filters::GROUPS.iter().find(|(wire, ..)| *wire == word);
    known.map_or("Only", |(_, one, _)| one)
}

/// What the reader should know about the numbers.
async fn notes(api: &Api, caller: &Caller, report: &Report, asked: Option<Model>) -> Result<Vec<String>, Error> {
    let workspace = caller.workspace;
    let read = api.context.books().read(move |view| {
        let all = Page::Number {
            number: 1,
            size: WEBHOOKS_LOOKED_AT,
        };
        let counts = books::order::totals(view, workspace)?;
        Ok::<_, Error>((counts, books::webhook::list(view, workspace, &all)?))
    });
    let (counts, webhooks) = read.await?;
    let mut notes = Vec::new();
    for webhook in &webhooks {
        if let Some(notice) = api::webhook_notice(webhook) {
            notes.push(format!("Webhook \u{201c}{}\u{201d}: {notice}", webhook.name));
        }
    }
    if counts.quarantined > 0 {
        notes.push(format!(
            "{} orders are set aside: nobody knows their currency, or their amount is implausible.",
            counts.quarantined
        ));
    }
    let (unconverted, currency) = (report.total.sales.unconverted, &report.currency);
    if unconverted > 0 {
        notes.push(format!(
            "{unconverted} orders are left out: there is no rate of their day to {currency} (PUT /rates)."
        ));
    }
    if report.total.unconverted_spend > 0 {
        notes.push(format!(
            "Some spend is left out: there is no rate of its day to {currency} (PUT /rates)."
        ));
    }
    if counts.tests > 0 {
        notes.push(format!("{} test orders arrived; they are not counted.", counts.tests));
    }
    let is_nobodys = |row: &report::Row| row.key == NOBODY && row.sums.sales.orders_milli > 0;
    if report.rows.iter().any(is_nobodys) {
        let what = what_of(Some(report.group_by)).to_lowercase();
        notes.push(format!(
            "Some orders are credited to nobody, or to no {what}: they stand under \"No {what}\"."
        ));
    }
    let is_by_mark = matches!(report.group_by, GroupBy::Code | GroupBy::Country | GroupBy::Variant);
    if is_by_mark && asked.is_some_and(|model| model != Model::Last) {
        notes.push("Orders by code, country and variant are counted whole, whatever the attribution.".to_owned());
    }
    Ok(notes)
}
