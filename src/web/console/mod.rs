//! The console on the admin listener: sign in with a key, see what creators brought. Drawn by [`super::pages`].

mod session;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::tz::TimeZone;

use super::api::{Api, Caller, Period, caller_of_key};
use super::pages::{self, PerformancePage, RowView, assets};
use super::report::{self, Report, Request};
use crate::books;
use crate::clicklog::Query;
use crate::domain::click::ClassSet;
use crate::domain::money::{self, Currency};
use crate::domain::performance::Performance;
use crate::domain::stats;
use crate::domain::time::Timestamp;
use crate::flows::Error;
use crate::net::Peer;

/// Links on the page.
const TOP_LINKS: usize = 10;

/// The console's routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/sign-in", get(sign_in).post(check_key))
        .route("/sign-out", post(sign_out))
        .route(assets::style_path(), get(style))
        .with_state(api)
}

async fn home(State(api): State<Api>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let caller = match session::caller(&api, &headers).await {
        Ok(Some(caller)) => caller,
        Ok(None) => return see_other("/sign-in", None),
        Err(error) => return failed(&error),
    };
    match performance(&api, &caller, query.as_deref().unwrap_or_default()).await {
        Ok(page) => html(StatusCode::OK, pages::performance_page(&page)),
        Err(Error::Invalid(invalid)) => html(
            StatusCode::UNPROCESSABLE_ENTITY,
            pages::error_page(422, Some(&format!("{}: {}", invalid.field, invalid.message))),
        ),
        Err(error) => failed(&error),
    }
}

async fn sign_in() -> Response {
    html(StatusCode::OK, pages::sign_in_page(None))
}

async fn check_key(
    State(api): State<Api>,
    peer: Option<axum::Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_own_form(&headers) {
        return html(
            StatusCode::FORBIDDEN,
            pages::error_page(403, Some("The form was sent from another site.")),
        );
    }
    let key = url::form_urlencoded::parse(&body)
        .find(|(name, _)| name == "key")
        .map(|(_, key)| key.trim().to_owned());
    match caller_of_key(&api.context, key.as_deref().unwrap_or_default()).await {
        Ok(Some(caller)) => {
            let is_secure = peer.is_some_and(|peer| peer.is_secure);
            see_other("/", Some(&session::cookie(&api, &caller, is_secure)))
        }
        Ok(None) => html(
            StatusCode::UNAUTHORIZED,
            pages::sign_in_page(Some("This key is not known here, or was revoked.")),
        ),
        Err(error) => failed(&error),
    }
}

async fn sign_out(headers: HeaderMap) -> Response {
    if !is_own_form(&headers) {
        return html(
            StatusCode::FORBIDDEN,
            pages::error_page(403, Some("The form was sent from another site.")),
        );
    }
    see_other("/sign-in", Some(session::FORGET))
}

async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, assets::STYLE_CACHE_CONTROL),
    ];
    (headers, assets::STYLE).into_response()
}

/// Browsers say where a form comes from; what says nothing is no browser and has no cookie to abuse.
fn is_own_form(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_none_or(|site| site == "same-origin" || site == "none")
}

async fn performance(api: &Api, caller: &Caller, query: &str) -> Result<PerformancePage, Error> {
    let param = |name: &str| crate::domain::query::value_of(query, name).map(String::from);
    let interval = param("interval")
        .filter(|word| super::api::INTERVALS.contains(&word.as_str()))
        .unwrap_or_else(|| "30d".to_owned());
    let by_niche = param("groupBy").as_deref() == Some("niche");
    let period = Period::of_interval(&interval, api.context.clock().now(), TimeZone::UTC);
    let request = Request {
        workspace: caller.workspace,
        group_by: if by_niche {
            report::GroupBy::Niche
        } else {
            report::GroupBy::Creator
        },
        start: period.start,
        end: period.end,
        currency: param("currency"),
        model: None,
    };
    let report = report::performance(&api.context, &api.clicks, request).await?;
    let (series, top) = picture(api, caller, period).await?;
    Ok(PerformancePage {
        workspace: caller.workspace_name.clone(),
        interval,
        group_by: if by_niche {
            pages::GroupBy::Niche
        } else {
            pages::GroupBy::Creator
        },
        currency: money::currency(&report.currency).unwrap_or(Currency::USD),
        totals: row("total", "Total", &report.total),
        rows: report
            .rows
            .iter()
            .map(|line| row(&line.key, &line.name, &line.sums))
            .collect(),
        series,
        top_links: top,
        notes: notes(api, caller, &report).await?,
        api_url: api.base_url.to_string(),
        updated_at: api.context.clock().now(),
    })
}

fn row(key: &str, name: &str, sums: &Performance) -> RowView {
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let (sales, net) = (&sums.sales, sums.sales.net_revenue());
    RowView {
        key: key.to_owned(),
        name: name.to_owned(),
        clicks: sums.clicks,
        unique_visitors: sums.unique_visitors,
        orders: sales.orders(),
        new_customers: sales.new_customers(),
        gross_revenue: sales.gross_revenue,
        refunds: sales.refunds,
        net_revenue: net,
        spend: sums.spend,
        conversion_rate: stats::of_thousandths(sales.orders_milli, sums.clicks),
        epc: stats::ratio(net, signed(sums.clicks)),
        cac: stats::by_thousandths(sums.spend, sales.new_customers_milli),
        roi: stats::roi(net, sums.spend),
    }
}

type Picture = (Vec<(String, u64)>, Vec<(String, u64)>);

/// Clicks over time, and the most followed links.
async fn picture(api: &Api, caller: &Caller, period: Period) -> Result<Picture, Error> {
    let log = api.clicks.clone();
    let query = Query {
        workspace: caller.workspace,
        links: None,
        start: period.start,
        end: period.end,
        classes: ClassSet::default(),
        ..Query::default()
    };
    let read = tokio::task::spawn_blocking(move || {
        let edges = period.edges(log.first_at(&query)?);
        let counts = log.timeseries(&query, &edges)?;
        let series: Vec<(String, u64)> = edges.iter().map(|edge| step_label(*edge, &edges)).zip(counts).collect();
        Ok::<_, crate::clicklog::QueryError>((series, log.count_by_link(&query)?))
    });
    let failed = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
    let (series, by_link) = read
        .await
        .map_err(|error| failed(&error))?
        .map_err(|error| failed(&error))?;
    let mut top: Vec<_> = by_link.into_iter().filter(|(_, clicks)| *clicks > 0).collect();
    top.sort_by_key(|(link, clicks)| (std::cmp::Reverse(*clicks), *link));
    top.truncate(TOP_LINKS);
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
    Ok((series, named.await?))
}

/// A step's label: the hour for short steps, else the day.
fn step_label(edge: Timestamp, edges: &[Timestamp]) -> String {
    let text = edge.to_string();
    let is_short = edges
        .windows(2)
        .nth(1)
        .is_some_and(|pair| pair[1].since(pair[0]) < crate::domain::time::DAY_MS);
    match (is_short, text.get(5..16), text.get(..10)) {
        (true, Some(hour), _) => hour.replace('T', " "),
        (false, _, Some(day)) => day.to_owned(),
        _ => text,
    }
}

/// What the reader should know about the numbers.
async fn notes(api: &Api, caller: &Caller, report: &Report) -> Result<Vec<String>, Error> {
    let workspace = caller.workspace;
    let counts = api
        .context
        .books()
        .read(move |view| books::order::totals(view, workspace).map_err(Error::from))
        .await?;
    let mut notes = Vec::new();
    if counts.quarantined > 0 {
        notes.push(format!(
            "{} orders are set aside: their currency is not the store's, or their amount is implausible.",
            counts.quarantined
        ));
    }
    if counts.tests > 0 {
        notes.push(format!("{} test orders arrived; they are not counted.", counts.tests));
    }
    if report
        .rows
        .iter()
        .any(|row| row.key == report::NOBODY && row.sums.sales.orders_milli > 0)
    {
        notes.push("Some orders came without a code or click of a creator: they stand under (none).".to_owned());
    }
    Ok(notes)
}

fn html(status: StatusCode, page: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, assets::CSP),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    (status, headers, page).into_response()
}

fn see_other(path: &'static str, cookie: Option<&str>) -> Response {
    let mut response = (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, path), (header::CACHE_CONTROL, "private, no-store")],
    )
        .into_response();
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn failed(error: &Error) -> Response {
    tracing::error!(%error, "a page failed");
    html(StatusCode::INTERNAL_SERVER_ERROR, pages::error_page(500, None))
}
