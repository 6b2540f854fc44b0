//! A creator's own report, `GET /_/creator/{token}`: read on the background runtime, a few at a time, so that it slows no
//! follower. What is signed and over is gone; what is not signed leads nowhere, and counts as a miss of its address.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY};
use hyper::{Method, Request, Response, StatusCode};
use jiff::tz::TimeZone;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::reply;
use crate::books;
use crate::clicklog;
use crate::domain::creator::Creator;
use crate::domain::id::LinkNo;
use crate::domain::money::{self, Currency};
use crate::domain::query::value_of;
use crate::domain::report_link::{ReportLink, ReportToken};
use crate::domain::time::Timestamp;
use crate::flows::{Context, Error};
use crate::redirect::{Keys, Refusal, Throttle};
use crate::web::api::Period;
use crate::web::console::{picture, row};
use crate::web::pages::{CreatorReport, FollowerPage, RowView, assets, creator_report, filters::INTERVALS};
use crate::web::report::{self, GroupBy, NOBODY, Report};

/// What the address of a creator's page begins with.
pub const CREATOR_PAGE: &str = "/_/creator/";

/// Pages read at once: each reads a report, and the books have as few readers.
const AT_ONCE_MAX: usize = 4;
/// Pages (and wrong tokens) of one network in a minute: somebody who looks often, yet no flood.
const PER_MINUTE_MAX: u32 = 60;

/// What creators' pages need; one for all workers.
#[derive(Clone)]
pub struct CreatorPages {
    inner: Arc<Inner>,
}

struct Inner {
    context: Context,
    clicks: clicklog::Reader,
    keys: Arc<ArcSwap<Keys>>,
    runtime: Handle,
    places: Arc<Semaphore>,
    throttle: Throttle,
}

impl CreatorPages {
    /// Works on `runtime`; `throttle_key` must be fresh from the system's entropy.
    pub fn new(
        context: Context,
        clicks: clicklog::Reader,
        keys: Arc<ArcSwap<Keys>>,
        runtime: Handle,
        throttle_key: [u8; 32],
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                context,
                clicks,
                keys,
                runtime,
                places: Arc::new(Semaphore::new(AT_ONCE_MAX)),
                throttle: Throttle::new(PER_MINUTE_MAX, throttle_key),
            }),
        }
    }

    /// The page that `token` names, for `address`.
    pub(super) async fn show(
        &self,
        token: &str,
        address: IpAddr,
        request: &Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        let (inner, now) = (&self.inner, self.inner.context.clock().now());
        if inner.throttle.miss(address, now) {
            return private(reply::refused(Refusal::TooMany));
        }
        let Some(token) = ReportToken::verify(token, &inner.keys.load().click_id) else {
            return private(reply::page(FollowerPage::NotFound));
        };
        if now >= token.expires_at {
            return private(reply::page(FollowerPage::Gone));
        }
        let Ok(place) = Arc::clone(&inner.places).try_acquire_owned() else {
            return private(reply::refused(Refusal::Unavailable));
        };
        let query = request.uri().query().unwrap_or_default();
        let asked = value_of(query, "interval");
        let interval = INTERVALS
            .iter()
            .map(|(wire, ..)| *wire)
            .find(|wire| asked.as_deref() == Some(*wire));
        let interval = interval.unwrap_or(creator_report::INTERVAL);
        let inner = Arc::clone(inner);
        let work = self.inner.runtime.spawn(async move {
            let _place = place;
            inner.draw(token, interval).await
        });
        let mut response = private(work.await.unwrap_or_else(|_| reply::refused(Refusal::Unavailable)));
        if request.method() == Method::HEAD {
            *response.body_mut() = Full::default();
        }
        response
    }
}

impl Inner {
    async fn draw(&self, token: ReportToken, interval: &'static str) -> Response<Full<Bytes>> {
        match self.report(token, interval).await {
            Ok(Some(page)) => {
                let mut response = reply::html(StatusCode::OK, creator_report::creator_report(&page).into());
                let policy = HeaderValue::from_static(assets::PUBLIC_CSP);
                response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
                response
            }
            Ok(None) => reply::page(FollowerPage::Gone),
            Err(error) => {
                tracing::error!(%error, "a creator's page was not drawn");
                reply::refused(Refusal::Unavailable)
            }
        }
    }

    /// `None` when the link was taken back, or its creator is gone.
    async fn report(&self, token: ReportToken, interval: &'static str) -> Result<Option<CreatorReport>, Error> {
        let now = self.context.clock().now();
        let found = self.context.books().read(move |view| {
            let link = books::report_link::by_no(view, token.link)?;
            let link = link.filter(|link| link.is_named_by(&token) && link.is_open(now));
            let creator = books::creator::by_no(view, token.creator)?;
            let brand = books::workspace::by_no(view, token.workspace)?;
            Ok::<_, Error>(
                link.zip(creator.filter(|creator| creator.workspace == token.workspace))
                    .zip(brand),
            )
        });
        let Some(((link, creator), brand)) = found.await? else {
            return Ok(None);
        };
        let period = Period::of_interval(interval, now, TimeZone::UTC);
        let by_link = self.read(&creator, &period, GroupBy::Link).await?;
        let by_content = self.read(&creator, &period, GroupBy::Content).await?;
        let (series, _) = picture(&self.clicks, &by_link.counted, &period).await?;
        let own = self.own_links(&creator).await?;
        Ok(Some(told(
            (link, creator),
            brand.name,
            interval,
            series,
            (by_link, by_content),
            &own,
            now,
        )))
    }

    /// The brand's report, narrowed to the creator.
    async fn read(&self, creator: &Creator, period: &Period, group_by: GroupBy) -> Result<Report, Error> {
        let mut request = report::Request {
            workspace: creator.workspace,
            group_by,
            start: period.start,
            end: period.end,
            currency: None,
            model: None,
            compares: false,
            only: vec![(GroupBy::Creator, creator.id.clone())],
            country: None,
        };
        match report::performance(&self.context, &self.clicks, request.clone()).await {
            // The brand sells in several currencies and counts in none of them: the first one is as good.
            Err(Error::Invalid(invalid)) if invalid.field == "currency" => {
                let workspace = creator.workspace;
                let used = self
                    .context
                    .books()
                    .read(move |view| books::sales::currencies(view, workspace));
                request.currency = used.await?.into_iter().next();
                report::performance(&self.context, &self.clicks, request).await
            }
            read => read,
        }
    }

    /// Public ids of the links that are the creator's now: an order may be credited to them for a link that was theirs.
    async fn own_links(&self, creator: &Creator) -> Result<HashSet<String>, Error> {
        let (workspace, no) = (creator.workspace, creator.no);
        let read = self.context.books().read(move |view| {
            let owners = books::link::owners(view, workspace, false)?;
            let own: Vec<LinkNo> = owners
                .into_iter()
                .filter(|link| link.creator == Some(no))
                .map(|link| link.no)
                .collect();
            let mut ids = HashSet::with_capacity(own.len());
            for link in own {
                ids.extend(books::link::by_no(view, link)?.map(|link| link.id));
            }
            Ok::<_, Error>(ids)
        });
        read.await
    }
}

fn told(
    (link, creator): (ReportLink, Creator),
    brand: String,
    interval: &str,
    series: Vec<(String, u64)>,
    (by_link, by_content): (Report, Report),
    own: &HashSet<String>,
    now: Timestamp,
) -> CreatorReport {
    let plain = |line: &report::Row, name: &str| RowView {
        // What the brand pays is not for this page, whatever it draws.
        spend: 0,
        cac: None,
        roi: None,
        ..row(&line.key, name, &line.sums)
    };
    let links = by_link.rows.iter().map(|line| match own.contains(&line.key) {
        true => plain(line, &line.name),
        false => plain(line, "Codes, and links you had"),
    });
    let contents = by_content
        .rows
        .iter()
        .filter(|line| line.key != NOBODY)
        .map(|line| plain(line, &line.name));
    CreatorReport {
        brand,
        creator: creator.terms.name,
        interval: interval.to_owned(),
        currency: money::currency(&by_link.currency).unwrap_or(Currency::USD),
        totals: RowView {
            spend: 0,
            cac: None,
            roi: None,
            ..row("", "", &by_link.total)
        },
        series,
        links: links.collect(),
        contents: contents.collect(),
        updated_at: now,
        expires_at: link.expires_at,
    }
}

/// What every answer under this path carries: the address is the key to it, and must not be passed on or kept.
fn private(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let headers = response.headers_mut();
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// The style sheet of creators' pages.
pub(super) fn style() -> Response<Full<Bytes>> {
    let mut response = reply::with_body(
        StatusCode::OK,
        "text/css; charset=utf-8",
        Bytes::from_static(assets::STYLE.as_bytes()),
    );
    let forever = HeaderValue::from_static(assets::STYLE_CACHE_CONTROL);
    response.headers_mut().insert(CACHE_CONTROL, forever);
    response
}
