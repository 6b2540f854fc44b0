//! Sends a plan over the public socket: follows, and the signed webhooks of what was bought.
//!
//! Journeys run side by side, the steps of one journey in order. The first surprising answer ends the demo with a
//! line that says which request it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::Method;
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::Url;

use super::brand::Cast;
use super::people::Person;
use super::plan::{Delivery, Journey, Kind, Plan, Purchase, Step, lands_on_page};
use super::progress::Progress;
use super::setup::Stage;
use super::webhook::sign;
use crate::cli::failure::Failure;
use crate::domain::cart::CLICK_ID_ATTRIBUTE;
use crate::domain::time::Timestamp;
use crate::net::{Answer, Client, ClientOptions};

/// Journeys at one time: enough to keep two cores busy, few enough that nobody waits for a socket.
const SIDE_BY_SIDE: usize = 16;
/// How often a webhook is sent while the server says that it is busy; shops give up after 8.
const TRIES: u32 = 6;

/// The shop and its followers, ready to send.
pub struct Crowd {
    client: Client,
    base: String,
    cast: Cast,
    stage: Stage,
    plan: Plan,
    progress: Progress,
    next: AtomicUsize,
    orders: AtomicU64,
}

/// Sends everything of `plan` to the public listener at `base`, in no less than `least`, and gives it back.
///
/// # Errors
/// The first answer that is not as it must be.
pub async fn send(base: String, cast: Cast, stage: Stage, plan: Plan, least: Duration) -> Result<Arc<Crowd>, Failure> {
    let client = Client::new(ClientOptions::default()).map_err(|error| Failure::Failed(error.to_string()))?;
    let crowd = Arc::new(Crowd {
        client,
        base,
        cast,
        stage,
        progress: Progress::new(plan.follows),
        plan,
        next: AtomicUsize::new(0),
        orders: AtomicU64::new(0),
    });
    let start = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..SIDE_BY_SIDE {
        let crowd = Arc::clone(&crowd);
        senders.spawn(async move { crowd.send_some(start, least).await });
    }
    while let Some(done) = senders.join_next().await {
        let done = done.unwrap_or_else(|error| Err(Failure::Failed(format!("a sender broke off: {error}"))));
        if done.is_err() {
            crowd.progress.finish();
            return done.map(|()| crowd);
        }
    }
    crowd.progress.finish();
    Ok(crowd)
}

impl Crowd {
    /// What was sent.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Who was in it.
    pub fn cast(&self) -> &Cast {
        &self.cast
    }

    /// Takes one journey after the other until none is left, each not before its share of `least` is over.
    async fn send_some(&self, start: Instant, least: Duration) -> Result<(), Failure> {
        let count = self.plan.journeys.len();
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(journey) = self.plan.journeys.get(place) else {
                return Ok(());
            };
            let share = u32::try_from(place).unwrap_or(0);
            let due = least * share / u32::try_from(count).unwrap_or(u32::MAX).max(1);
            tokio::time::sleep_until(start + due).await;
            self.run(journey).await?;
        }
    }

    async fn run(&self, journey: &Journey) -> Result<(), Failure> {
        let mut cookies: Vec<String> = Vec::new();
        let mut click_id = None;
        for step in &journey.steps {
            let answer = self.follow(&journey.person, step, &cookies).await?;
            if journey.person.keeps_cookies {
                keep_cookies(&answer, &mut cookies);
            }
            let answer = match answer.status {
                200 => self.check_out(&journey.person, step, &cookies, &answer).await?,
                _ => Some(answer),
            };
            click_id = match answer {
                Some(answer) => self.check_location(step, &answer)?,
                None => None,
            };
            self.progress.sent_one(self.orders.load(Ordering::Relaxed));
        }
        for purchase in &journey.purchases {
            self.tell(purchase, click_id.as_deref()).await?;
            self.orders.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn follow(&self, person: &Person, step: &Step, cookies: &[String]) -> Result<Answer, Failure> {
        let method = if step.kind == Kind::Head {
            Method::HEAD
        } else {
            Method::GET
        };
        let url = format!("{}{}", self.base, self.stage.paths[step.creator]);
        let (address, cookie) = (person.address.to_string(), cookies.join("; "));
        let all = [
            ("x-forwarded-for", address.as_str()),
            ("user-agent", person.agent),
            ("accept-language", person.language),
            ("referer", person.referrer),
            ("cookie", cookie.as_str()),
            ("sec-gpc", if person.is_opted_out { "1" } else { "" }),
            ("sec-purpose", if step.kind == Kind::Prefetch { "prefetch" } else { "" }),
        ];
        let headers: Vec<(&str, &str)> = all.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let answer = self.client.send(method.clone(), &url, &headers, Bytes::new()).await;
        let answer = answer.map_err(|error| Failure::Unavailable(format!("{method} {url}: {error}")))?;
        let expected = if lands_on_page(step.creator) { 200 } else { 303 };
        if answer.status == expected {
            return Ok(answer);
        }
        Err(surprise(&method, &url, &answer))
    }

    /// Taps a landing page's button, as people do; programs and prefetches only look.
    async fn check_out(
        &self,
        person: &Person,
        step: &Step,
        cookies: &[String],
        page: &Answer,
    ) -> Result<Option<Answer>, Failure> {
        if !matches!(step.kind, Kind::Tap | Kind::Repeat) {
            return Ok(None);
        }
        let url = format!("{}/_/go", self.base);
        let page = String::from_utf8_lossy(&page.body);
        let token = page
            .split("name=\"token\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let token = token.ok_or_else(|| Failure::Failed("a landing page has no token in its form".to_owned()))?;
        let items = page.matches("name=\"q").count();
        let quantities: String = (0..items).map(|place| format!("&q{place}=1")).collect();
        let (address, cookie) = (person.address.to_string(), cookies.join("; "));
        let all = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-forwarded-for", address.as_str()),
            ("user-agent", person.agent),
            ("cookie", cookie.as_str()),
            ("sec-gpc", if person.is_opted_out { "1" } else { "" }),
        ];
        let headers: Vec<(&str, &str)> = all.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let form = Bytes::from(format!("token={token}{quantities}"));
        let answer = self.client.send(Method::POST, &url, &headers, form).await;
        let answer = answer.map_err(|error| Failure::Unavailable(format!("POST {url}: {error}")))?;
        match answer.status {
            303 => Ok(Some(answer)),
            _ => Err(surprise(&Method::POST, &url, &answer)),
        }
    }

    /// The click id in the answer's `Location`, which must be a cart of things that can be bought.
    fn check_location(&self, step: &Step, answer: &Answer) -> Result<Option<String>, Failure> {
        let location = answer
            .headers
            .get("location")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let slug = &self.stage.paths[step.creator];
        let url = Url::parse(location)
            .map_err(|_| Failure::Failed(format!("GET {slug} leads to \"{location}\", which is no URL")))?;
        let sold_out = self
            .cast
            .products
            .iter()
            .find(|product| product.is_sold_out() && url.path().contains(&product.variant_id));
        if let Some(product) = sold_out {
            let sku = &product.sku;
            return Err(Failure::Failed(format!(
                "GET {slug} leads to {location}, but {sku} is sold out"
            )));
        }
        let name = format!("attributes[{CLICK_ID_ATTRIBUTE}]");
        let mut pairs = url.query_pairs();
        Ok(pairs.find(|(key, _)| *key == name).map(|(_, value)| value.into_owned()))
    }

    /// Sends everything that the shop tells about one purchase.
    async fn tell(&self, purchase: &Purchase, click_id: Option<&str>) -> Result<(), Failure> {
        let click_id = if purchase.carries_click {
            let missing =
                || Failure::Failed("a cart's Location carries no hop_id, so no order can bring it back".to_owned());
            Some(click_id.ok_or_else(missing)?)
        } else {
            None
        };
        let ordered_at = now();
        for delivery in &purchase.deliveries {
            self.deliver(purchase, *delivery, click_id, ordered_at).await?;
        }
        Ok(())
    }

    async fn deliver(
        &self,
        purchase: &Purchase,
        delivery: Delivery,
        click_id: Option<&str>,
        ordered_at: Timestamp,
    ) -> Result<(), Failure> {
        let order = &purchase.order;
        let (topic, body) = match delivery {
            Delivery::Created => ("orders/create", Some(order.payload(false, click_id, ordered_at))),
            Delivery::Refund => (
                "refunds/create",
                order.refund_payload(order.id.is_multiple_of(2), ordered_at),
            ),
            _ => ("orders/paid", Some(order.payload(true, click_id, ordered_at))),
        };
        let Some(body) = body else { return Ok(()) };
        let body = body.to_string();
        // A repeated delivery has the id of the first; all others have their own.
        let same = if delivery == Delivery::PaidAgain {
            Delivery::Paid
        } else {
            delivery
        };
        let id = format!("demo-{}-{same:?}", order.id);
        let secret = match delivery {
            Delivery::Forged => "somebody-else",
            _ => &self.cast.brand.webhook_secret,
        };
        let signature = sign(secret, body.as_bytes());
        let triggered_at = ordered_at.to_string();
        let headers = [
            ("content-type", "application/json"),
            ("x-shopify-topic", topic),
            ("x-shopify-hmac-sha256", &signature),
            ("x-shopify-webhook-id", &id),
            ("x-shopify-shop-domain", &self.cast.brand.shop_domain),
            ("x-shopify-api-version", "2026-07"),
            ("x-shopify-triggered-at", &triggered_at),
        ];
        let expected = if delivery == Delivery::Forged { 401 } else { 200 };
        self.post_hook(&headers, Bytes::from(body), expected).await
    }

    /// Posts one webhook, again while the server is busy, as shops do.
    async fn post_hook(&self, headers: &[(&str, &str)], body: Bytes, expected: u16) -> Result<(), Failure> {
        let url = format!("{}/_/hooks/{}", self.base, self.stage.store);
        for attempt in 0..TRIES {
            let answer = self.client.send(Method::POST, &url, headers, body.clone()).await;
            let answer = answer.map_err(|error| Failure::Unavailable(format!("POST {url}: {error}")))?;
            if answer.status == expected {
                return Ok(());
            }
            if answer.status != 503 || attempt + 1 == TRIES {
                return Err(surprise(&Method::POST, &url, &answer));
            }
            tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
        }
        Ok(())
    }
}

/// The line about an answer that must not be.
fn surprise(method: &Method, url: &str, answer: &Answer) -> Failure {
    let body: String = String::from_utf8_lossy(&answer.body)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect();
    Failure::Failed(format!("{method} {url} answered {}: {}", answer.status, body.trim()))
}

/// Takes over the cookies that an answer sets; a newer value replaces the older.
fn keep_cookies(answer: &Answer, cookies: &mut Vec<String>) {
    for set in answer.headers.get_all("set-cookie") {
        let Some(pair) = set.to_str().ok().and_then(|text| text.split(';').next()) else {
            continue;
        };
        let Some((name, _)) = pair.split_once('=') else {
            continue;
        };
        cookies.retain(|kept| kept.split_once('=').is_none_or(|(kept, _)| kept != name));
        cookies.push(pair.trim().to_owned());
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;

    use super::*;

    #[test]
    fn newer_cookies_replace_older_ones() {
        let answer = |set: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append("set-cookie", set.parse().expect("a header"));
            Answer {
                status: 303,
                headers,
                body: Bytes::new(),
            }
        };
        let mut cookies = Vec::new();
        keep_cookies(&answer("hop_v=a; Path=/; HttpOnly"), &mut cookies);
        keep_cookies(&answer("other=1"), &mut cookies);
        keep_cookies(&answer("hop_v=b; Path=/"), &mut cookies);
        assert_eq!(cookies, ["other=1", "hop_v=b"]);
    }
}
