//! How often keys call: counted over a minute of each key's own, bounded where a bound is set. Also says when a key's last
//! use is to be written: once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName};

use super::Caller;
use crate::domain::time::Timestamp;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
/// What calls are counted over, and how often a key's last use is written.
const MINUTE_MS: i64 = 60_000;
/// Keys that are remembered before those of earlier minutes go: some 1 MB.
const KEYS_MAX: usize = 10_000;

/// The minutes of all keys.
#[derive(Debug, Default)]
pub(super) struct Paces {
    /// Calls a minute of each key that has no bound of its own; 0 = no bound.
    calls_per_minute: u32,
    of_keys: Mutex<HashMap<String, Pace>>,
}

/// One key's minute.
#[derive(Debug, Default)]
struct Pace {
    began: Timestamp,
    calls: u32,
    touched_at: Timestamp,
}

/// What a call leaves of its key's minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    pub limit: u32,
    remaining: u32,
    /// When the next minute begins.
    reset: Timestamp,
    pub is_over: bool,
}

impl Paces {
    /// With the server's own bound; 0 = none.
    pub fn new(calls_per_minute: u32) -> Self {
        Self {
            calls_per_minute,
            ..Self::default()
        }
    }

    /// Counts a call of `caller` at `now`: what is left, where there is a bound, and whether the use is to be written.
    pub fn count(&self, caller: &Caller, now: Timestamp) -> (Option<Quota>, bool) {
        let mut paces = self.of_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if paces.len() >= KEYS_MAX {
            let is_of_now = |at| now.since(at) < MINUTE_MS;
            paces.retain(|_, pace| is_of_now(pace.touched_at) || is_of_now(pace.began));
        }
        let pace = paces.entry(caller.key_id.clone()).or_insert_with(|| Pace {
            touched_at: caller.last_used_at.unwrap_or_default(),
            ..Pace::default()
        });
        let touches = now.since(pace.touched_at) >= MINUTE_MS;
        if touches {
            pace.touched_at = now;
        }
        let limit = caller.calls_per_minute.unwrap_or(self.calls_per_minute);
        if limit == 0 {
            return (None, touches);
        }
        if now.since(pace.began) >= MINUTE_MS {
            (pace.began, pace.calls) = (now, 0);
        }
        let is_over = pace.calls >= limit;
        pace.calls = pace.calls.saturating_add(u32::from(!is_over));
        let quota = Quota {
            limit,
            remaining: limit - pace.calls,
            reset: Timestamp(pace.began.0.saturating_add(MINUTE_MS)),
            is_over,
        };
        (Some(quota), touches)
    }
}

impl Quota {
    /// Says it in `headers`.
    pub fn tell(self, headers: &mut HeaderMap, now: Timestamp) {
        headers.insert(LIMIT, self.limit.into());
        headers.insert(REMAINING, self.remaining.into());
        headers.insert(RESET, self.reset.0.into());
        if self.is_over {
            // Whole seconds (RFC 9110 section 10.2.3), rounded up; the dialect's own sends an instant here.
            headers.insert(RETRY_AFTER, ((self.reset.since(now) + 999) / 1000).max(1).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::WorkspaceNo;

    fn caller(calls_per_minute: Option<u32>) -> Caller {
        Caller {
            key_id: "key_1".into(),
            workspace: WorkspaceNo(1),
            workspace_id: "ws_1".into(),
            workspace_name: "a".into(),
            is_owner: false,
            scopes: None,
            calls_per_minute,
            last_used_at: None,
        }
    }

    #[test]
    fn a_minute_has_its_calls_and_no_more() {
        let paces = Paces::new(0);
        let at = |ms: i64| Timestamp(1_000_000 + ms);
        assert_eq!(paces.count(&caller(None), at(0)), (None, true), "off by default");
        assert_eq!(
            paces.count(&caller(Some(0)), at(0)),
            (None, false),
            "its use is written once a minute"
        );
        for (ms, remaining, is_over) in [
            (0, 1, false),
            (10, 0, false),
            (20, 0, true),
            (59_999, 0, true),
            (60_000, 1, false),
        ] {
            let quota = paces.count(&caller(Some(2)), at(ms)).0.expect("bound");
            assert_eq!(
                (quota.limit, quota.remaining, quota.is_over),
                (2, remaining, is_over),
                "{ms}"
            );
        }
        assert!(
            Paces::new(7)
                .count(&caller(None), at(0))
                .0
                .is_some_and(|quota| quota.limit == 7)
        );
        assert_eq!(
            Paces::new(7).count(&caller(Some(0)), at(0)).0,
            None,
            "its own word counts"
        );
    }

    #[test]
    fn a_key_that_is_remembered_no_more_begins_anew_only_in_another_minute() {
        let paces = Paces::new(1);
        let at = |ms: i64| Timestamp(1_000_000 + ms);
        let named = |no: usize| Caller {
            key_id: format!("key_{no}"),
            ..caller(None)
        };
        for no in 0..KEYS_MAX {
            paces.count(&named(no), at(0));
        }
        let is_over = |no, ms| paces.count(&named(no), at(ms)).0.expect("bound").is_over;
        assert!(!is_over(KEYS_MAX, 1) && is_over(0, 2));
        assert!(!is_over(KEYS_MAX + 1, MINUTE_MS), "the others go");
        assert_eq!(paces.of_keys.lock().expect("alone").len(), 2);
    }
}
