//! What the server itself shows: its health, its clock, the key, the public listener, its metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::Value;
use url::Url;

use super::finding::Finding;
use super::metrics;
use crate::cli::api::{Api, CallError};
use crate::cli::terminal::{cell, minute};
use crate::net::Answer;

/// A clock that is further off makes cookies and reports wrong, in milliseconds.
const SKEW_MAX_MS: i64 = 2_000;

/// Every check of the server; the later ones are left out when it cannot be reached.
pub async fn server(api: &Api) -> Vec<Finding> {
    let health = match get(api, "/healthz").await {
        Ok(answer) => answer,
        Err(why) => {
            let advice = "start `hopcart serve`, or name the server by --server (HOPCART_SERVER)";
            return vec![Finding::fail("API", format!("{}: {why}", api.server()), advice)];
        }
    };
    let mut findings = vec![status("API", &health, api.server(), "look at the server's log")];
    findings.push(match get(api, "/readyz").await {
        Ok(ready) => readiness(&ready),
        Err(why) => Finding::fail("ready", why, "look at the server's log"),
    });
    findings.extend(clock(&health.headers, now_ms()));
    let key = key(api).await;
    let is_key_good = key.1;
    findings.push(key.0);
    if is_key_good {
        findings.push(public(api).await);
        findings.extend(stores(api).await);
    }
    findings.extend(match get(api, "/metrics").await {
        Ok(answer) if answer.status == 200 => metrics::concerns(&String::from_utf8_lossy(&answer.body)),
        Ok(answer) => vec![Finding::warn(
            "metrics",
            format!("answered {}", answer.status),
            "look at the server's log",
        )],
        Err(why) => vec![Finding::warn("metrics", why, "look at the server's log")],
    });
    findings
}

async fn get(api: &Api, path: &str) -> Result<Answer, String> {
    let url = format!("{}{path}", api.server());
    let sent = api.client().send(Method::GET, &url, &[], Bytes::new()).await;
    sent.map_err(|error| error.to_string())
}

fn status(what: &'static str, answer: &Answer, seen: &str, advice: &str) -> Finding {
    match answer.status {
        200 => Finding::ok(what, seen),
        status => Finding::fail(what, format!("answered {status}"), advice),
    }
}

/// Ready, ready with a failing click log, or not.
fn readiness(answer: &Answer) -> Finding {
    let told = String::from_utf8_lossy(&answer.body);
    match told.trim_end().split_once("but clicks wait: ") {
        Some((_, problem)) if answer.status == 200 => Finding::fail(
            "click log",
            problem,
            "make room on the data directory's disk, or repair it: no restart is needed, clicks wait in memory",
        ),
        _ => {
            let advice = "wait: links or clicks still load";
            status("ready", answer, "links loaded, clicks replayed", advice)
        }
    }
}

/// Compares the server's `Date` with `now_ms`.
fn clock(headers: &HeaderMap, now_ms: i64) -> Option<Finding> {
    let text = headers.get("date")?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    // The header counts whole seconds: on average half a second has passed since.
    let skew = date.as_millisecond() + 500 - now_ms;
    let seen = format!(
        "the server is {}.{} s off this machine",
        skew / 1000,
        skew.abs() % 1000 / 100
    );
    Some(if skew.abs() <= SKEW_MAX_MS {
        Finding::ok("clock", format!("within {} s", SKEW_MAX_MS / 1000))
    } else {
        Finding::warn("clock", seen, "synchronise both clocks (chrony, systemd-timesyncd)")
    })
}

/// Whether the key opens the API.
async fn key(api: &Api) -> (Finding, bool) {
    if !api.has_key() {
        let finding = Finding::warn(
            "key",
            "none given",
            "set HOPCART_API_KEY to check key and public listener too",
        );
        return (finding, false);
    }
    match api.try_call(Method::GET, "/links/count", None).await {
        Ok(reply) => (Finding::ok("key", format!("valid; {} links", reply.value)), true),
        Err(CallError::Refused {
            status: 401, message, ..
        }) => (
            Finding::fail("key", message, "make one with `hopcart keys create` and a valid key"),
            false,
        ),
        Err(error) => {
            let failure = api.explain(&Method::GET, "/links/count", error);
            (
                Finding::fail("key", failure.to_string(), "look at the server's log"),
                false,
            )
        }
    }
}

/// Whether shops that sent their orders daily still do; nothing where there is no store.
async fn stores(api: &Api) -> Option<Finding> {
    match api.try_call(Method::GET, "/stores", None).await {
        Ok(reply) => silence(&reply.value),
        Err(error) => {
            let failure = api.explain(&Method::GET, "/stores", error);
            Some(Finding::fail("orders", failure.to_string(), "look at the server's log"))
        }
    }
}

fn silence(stores: &Value) -> Option<Finding> {
    let stores = stores.as_array().filter(|stores| !stores.is_empty())?;
    let silent: Vec<String> = stores
        .iter()
        .filter(|store| store["silentSince"].is_string())
        .map(|store| format!("{} ({})", cell(&store["name"]), minute(&store["silentSince"])))
        .collect();
    Some(match silent.len() {
        0 => Finding::ok("orders", format!("no silence among {} stores", stores.len())),
        _ => Finding::warn(
            "orders",
            format!("no order since: {}", silent.join(", ")),
            "see in the shop whether its webhook is still on and its secret the store's, then bring the orders in by \
             `hopcart orders import`",
        ),
    })
}

/// Whether short links lead to this server.
async fn public(api: &Api) -> Finding {
    let origins = origins(api).await;
    if origins.is_empty() {
        return Finding::warn(
            "public",
            "there is no link yet",
            "make one: hopcart link create https://shop.example",
        );
    }
    let mut seen = String::new();
    for origin in &origins {
        let url = format!("{origin}/robots.txt");
        match api.client().send(Method::GET, &url, &[], Bytes::new()).await {
            Ok(answer) if answer.status < 500 => return Finding::ok("public", format!("{origin} answers")),
            Ok(answer) => seen = format!("{origin} answered {}", answer.status),
            Err(error) => seen = format!("{origin}: {error}"),
        }
    }
    Finding::fail(
        "public",
        seen,
        "links lead there: check --public-url, DNS, the firewall and the proxy in front",
    )
}

/// What short links begin with: of the newest link, else of the first domain.
async fn origins(api: &Api) -> Vec<String> {
    let field = |reply: &Value, name: &str| reply.get(0)?.get(name)?.as_str().map(str::to_owned);
    if let Ok(links) = api.try_call(Method::GET, "/links?page=1&pageSize=1", None).await
        && let Some(url) = field(&links.value, "shortLink").and_then(|link| Url::parse(&link).ok())
    {
        return vec![url.origin().ascii_serialization()];
    }
    match api.try_call(Method::GET, "/domains", None).await {
        Ok(domains) => field(&domains.value, "slug")
            .map(|host| vec![format!("https://{host}"), format!("http://{host}")])
            .unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn silent_stores_are_named() {
        assert_eq!(silence(&serde_json::json!([])), None);
        let mut stores = serde_json::json!([{"name": "Moss", "silentSince": null}, {"name": "Fern"}]);
        assert_eq!(silence(&stores).map(|finding| finding.verdict), Some(Verdict::Ok));
        stores[1]["silentSince"] = "2026-11-20T09:53:00.000Z".into();
        let finding = silence(&stores).expect("a finding");
        assert_eq!(finding.verdict, Verdict::Warn);
        assert_eq!(finding.seen, "no order since: Fern (2026-11-20 09:53)");
    }

    #[test]
    fn a_failing_click_log_is_told_with_its_cause() {
        let ready = |status, body: &'static str| {
            let answer = Answer {
                status,
                headers: HeaderMap::new(),
                body: Bytes::from_static(body.as_bytes()),
            };
            let finding = readiness(&answer);
            (finding.verdict, finding.seen)
        };
        assert_eq!(ready(200, "ready\n").0, Verdict::Ok);
        let cause = "click journal, writing: No space left on device";
        let told = ready(
            200,
            "ready, but clicks wait: click journal, writing: No space left on device\n",
        );
        assert_eq!(told, (Verdict::Fail, cause.to_owned()));
        assert_eq!(ready(503, "links are still being loaded\n").0, Verdict::Fail);
    }

    #[test]
    fn clocks_are_compared() {
        let mut headers = HeaderMap::new();
        headers.insert("date", "Sat, 21 Nov 2026 09:53:00 GMT".parse().expect("a header"));
        let at = 1_795_254_780_000;
        for (now, verdict) in [
            (at, Verdict::Ok),
            (at + 2_400, Verdict::Ok),
            (at + 9_000, Verdict::Warn),
            (at - 9_000, Verdict::Warn),
        ] {
            let finding = clock(&headers, now).expect("a date");
            assert_eq!(finding.verdict, verdict, "{finding:?}");
        }
        assert_eq!(clock(&HeaderMap::new(), at), None);
    }
}
