//! What is known of a store's UCP profile, and when it is looked at again. Reads no profile and asks nobody.

use super::id::StoreNo;
use super::time::Timestamp;

/// How long a profile stays fresh that does not say so itself.
const FRESH_MS: i64 = 60 * 60 * 1000;
/// Shortest freshness, and the wait after a first failure: a shop is not asked more often than once a minute.
const FRESH_MIN_MS: i64 = 60 * 1000;
/// Longest freshness: an endpoint that moved is noticed within a day.
const FRESH_MAX_MS: i64 = 24 * 60 * 60 * 1000;
/// Longest wait after failures, before jitter.
const BACK_OFF_MAX_MS: i64 = 6 * 60 * 60 * 1000;

/// What a look at a profile brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Endpoint of UCP permalinks; `None` when the profile names none.
    pub endpoint: Option<String>,
    /// The keys that the shop signs with, a JSON array of JWKs; `None` when it names none.
    pub signing_keys: Option<String>,
    /// Milliseconds for which this holds.
    pub fresh_ms: i64,
}

/// What is known of a store's profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UcpProfile {
    pub store: StoreNo,
    /// Endpoint of UCP permalinks, without a final slash.
    pub endpoint: Option<String>,
    /// JSON array of JWKs (RFC 7517), as the shop wrote them.
    pub signing_keys: Option<String>,
    /// When the profile was last read.
    pub fetched_at: Option<Timestamp>,
    /// When somebody last tried to read it.
    pub looked_at: Timestamp,
    /// When it is looked at next.
    pub fresh_until: Timestamp,
    /// What is wrong with it, for the brand.
    pub problem: Option<String>,
}

impl UcpProfile {
    /// What a good look at `now` leaves. A profile without an endpoint is good, and told as a problem: carts cannot go
    /// where the shop does not say.
    pub fn found(store: StoreNo, look: Look, now: Timestamp) -> Self {
        let problem = look
            .endpoint
            .is_none()
            .then(|| "the profile names no endpoint for dev.ucp.shopping.permalink".to_owned());
        Self {
            store,
            endpoint: look.endpoint,
            signing_keys: look.signing_keys,
            fetched_at: Some(now),
            looked_at: now,
            fresh_until: now.plus_ms(look.fresh_ms.clamp(FRESH_MIN_MS, FRESH_MAX_MS)),
            problem,
        }
    }

    /// What a failed look at `now` leaves: what was known `before`, and the problem. The next look is a minute later,
    /// then twice as long as the last wait, 6 hours at most, and up to a quarter more by `random`, so that stores that
    /// failed together are not looked at together.
    pub fn failed(store: StoreNo, before: Option<Self>, problem: String, now: Timestamp, random: u64) -> Self {
        let waited = before.as_ref().filter(|before| before.has_failed());
        let wait = match waited {
            Some(before) => before.fresh_until.since(before.looked_at).saturating_mul(2),
            None => FRESH_MIN_MS,
        };
        let wait = wait.clamp(FRESH_MIN_MS, BACK_OFF_MAX_MS);
        let jitter = random % (wait as u64 / 4);
        let (endpoint, signing_keys, fetched_at) = before.map_or((None, None, None), |before| {
            (before.endpoint, before.signing_keys, before.fetched_at)
        });
        Self {
            store,
            endpoint,
            signing_keys,
            fetched_at,
            looked_at: now,
            fresh_until: now.plus_ms(wait.saturating_add_unsigned(jitter)),
            problem: Some(problem),
        }
    }

    /// Whether the last look failed.
    pub fn has_failed(&self) -> bool {
        self.fetched_at != Some(self.looked_at)
    }
}

/// Milliseconds for which an answer with this `Cache-Control` holds (RFC 9111 section 5.2.2): its `max-age` between a
/// minute and a day, a minute where it must not be kept, an hour when it does not say.
pub fn fresh_ms(cache_control: Option<&str>) -> i64 {
    let mut fresh = FRESH_MS;
    for directive in cache_control.unwrap_or_default().split(',') {
        let directive = directive.trim().to_ascii_lowercase();
        match directive
            .split_once('=')
            .map_or((&*directive, ""), |(name, value)| (name, value))
        {
            ("no-store" | "no-cache", "") => return FRESH_MIN_MS,
            ("max-age", seconds) => {
                let seconds = seconds.trim_matches('"');
                let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
                // A number that no type holds is longer than a day all the same.
                if is_number {
                    fresh = seconds.parse().unwrap_or(i64::MAX).saturating_mul(1000);
                }
            }
            _ => {}
        }
    }
    fresh.clamp(FRESH_MIN_MS, FRESH_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreNo = StoreNo(7);
    const MINUTE: i64 = 60 * 1000;

    fn look(endpoint: Option<&str>) -> Look {
        Look {
            endpoint: endpoint.map(str::to_owned),
            signing_keys: Some("[]".into()),
            fresh_ms: 5 * MINUTE,
        }
    }

    #[test]
    fn freshness_is_what_the_answer_says_within_bounds() {
        for (cache_control, minutes) in [
            (None, 60),
            (Some(""), 60),
            (Some("public, max-age=600"), 10),
            (Some("Max-Age=\"120\" , public"), 2),
            (Some("max-age=1"), 1),
            (Some("max-age=0"), 1),
            (Some("max-age=99999999"), 24 * 60),
            (Some("max-age=99999999999999999999999"), 24 * 60),
            (Some("max-age=-1"), 60),
            (Some("max-age=x"), 60),
            (Some("s-maxage=60"), 60),
            (Some("max-age=600, no-cache"), 1),
            (Some("no-store"), 1),
        ] {
            assert_eq!(fresh_ms(cache_control), minutes * MINUTE, "{cache_control:?}");
        }
    }

    #[test]
    fn failures_back_off_and_keep_what_was_known() {
        let mut now = Timestamp(1_000_000);
        let found = UcpProfile::found(STORE, look(Some("https://shop.example/buy")), now);
        assert_eq!((found.fresh_until.since(now), found.has_failed()), (5 * MINUTE, false));
        let mut known = found.clone();
        for minutes in [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360] {
            now = known.fresh_until;
            known = UcpProfile::failed(STORE, Some(known), "gone".into(), now, 0);
            assert_eq!(known.fresh_until.since(now), minutes * MINUTE);
            assert_eq!(
                (&known.endpoint, &known.signing_keys),
                (&found.endpoint, &found.signing_keys)
            );
            assert_eq!((known.fetched_at, known.has_failed()), (found.fetched_at, true));
        }
        for random in [0, 1, 90 * MINUTE as u64 - 1, u64::MAX] {
            let wait = UcpProfile::failed(STORE, Some(known.clone()), "gone".into(), now, random)
                .fresh_until
                .since(now);
            assert!((360 * MINUTE..450 * MINUTE).contains(&wait), "{wait}");
        }
        // One good look, and the next failure is a first one again.
        let found = UcpProfile::found(STORE, look(Some("https://shop.example/buy")), now);
        let failed = UcpProfile::failed(STORE, Some(found), "gone".into(), now.plus_ms(1), 0);
        assert_eq!(failed.fresh_until.since(now.plus_ms(1)), MINUTE);
        let first = UcpProfile::failed(STORE, None, "gone".into(), now, 0);
        assert_eq!((first.endpoint, first.fetched_at), (None, None));
    }

    #[test]
    fn a_profile_without_an_endpoint_takes_the_old_one_away() {
        let found = UcpProfile::found(STORE, look(None), Timestamp(5));
        assert_eq!((found.endpoint.as_deref(), found.has_failed()), (None, false));
        assert!(
            found
                .problem
                .is_some_and(|problem| problem.contains("dev.ucp.shopping.permalink"))
        );
    }
}
