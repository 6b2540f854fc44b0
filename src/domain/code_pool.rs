//! Pools of single-use discount codes: codes that exist in a shop and are handed out one a follower.
//!
//! Says what a code of a pool must look like, how many are taken at a time, and for how long a follower keeps one. Hands
//! nothing out itself and asks no clock.

use super::cart;
use super::click_id::ClickId;
use super::discount_code::fold;
use super::id::{CodePoolNo, CreatorNo, StoreNo, WorkspaceNo};
use super::store::Provider;
use super::time::{DAY_MS, Timestamp};

/// Most pools of a workspace. 1,000: one for each creator of a large campaign; the server looks at each that a link uses
/// many times a second.
pub const POOLS_MAX: u64 = 1_000;
/// Most codes of one pool, used ones included. A million: some 150 MB of books; what comes after it goes into another.
pub const POOL_CODES_MAX: u64 = 1_000_000;
/// Most codes of one upload. 10,000: at most a megabyte, written in slices that orders hardly wait for.
pub const CODES_PER_CALL_MAX: usize = 10_000;
/// Longest name of a pool, in characters.
pub const NAME_MAX: usize = 190;
/// Fewest characters of a code. 8: whoever knows one should not find another by trying; shops make them of 8 to 16.
pub const CODE_MIN: usize = 8;
/// For how long a visitor who follows the same link again gets the same code, in milliseconds: a day.
pub const STICKY_MS: i64 = DAY_MS;
/// Stands for "never" where codes are ordered by when they expire.
pub const NEVER: Timestamp = Timestamp(i64::MAX);

/// Fewest codes of a lot. 32: what a crash skips of a pool that is hardly used.
pub const LOT_MIN: usize = 32;
/// Most codes of a lot. 4,096: with a new lot twenty times a second 80,000 followers a second, four times what one core
/// answers; its commit takes some 20 ms, and a crash skips no more than one and a half.
pub const LOT_MAX: usize = 4_096;
/// A lot that lasted less than this was too small, in milliseconds.
const LOT_LASTS_MS: i64 = 2_000;

/// A pool as the books keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodePool {
    pub no: CodePoolNo,
    /// Public id, `cpool_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    /// The shop in which its codes exist.
    pub store: StoreNo,
    /// Whose links may use it; `None` = everybody's, and the link says whose code it is.
    pub creator: Option<CreatorNo>,
    pub name: String,
    pub created_at: Timestamp,
}

/// How many codes a pool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolCounts {
    /// All that were ever uploaded.
    pub total: u64,
    /// Can still be handed out, but for those that workers hold.
    pub remaining: u64,
    /// With the workers, or skipped by a crash: taken out of the pool and not known to be handed out.
    pub leased: u64,
    /// Handed out on a click.
    pub given: u64,
    /// Came back on an order.
    pub used: u64,
    /// Expired before anybody got them.
    pub expired: u64,
}

/// A code that was taken out of its pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolCode {
    /// Row number.
    pub no: u64,
    /// As the brand wrote it.
    pub code: String,
    /// [`NEVER`] = it does not.
    pub expires_at: Timestamp,
}

/// On which click a code was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenCode {
    /// Row number of the code.
    pub code: u64,
    pub pool: CodePoolNo,
    pub at: Timestamp,
    pub click: ClickId,
    /// Who owned the link then.
    pub creator: Option<CreatorNo>,
    /// The visitor's number; 0 = none, or forgotten.
    pub visitor: u64,
    /// Keyed hash of address and agent; 0 = none, or forgotten.
    pub identity: u64,
}

/// Why text is no code of a pool.
///
/// # Errors
/// What is wrong and what to do.
pub fn check_code(code: &str) -> Result<(), &'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !code.chars().all(is_plain) {
        return Err("must consist of letters a to z, digits, -, _ and . so that it fits into every shop's URL");
    }
    if !(CODE_MIN..=cart::CODE_MAX).contains(&code.len()) {
        return Err("must have 8 to 64 characters: shorter ones can be guessed");
    }
    Ok(())
}

/// Why orders of a store's platform never show a code of a pool as it was handed out; `None` = they do.
pub fn why_no_pool(provider: Provider) -> Option<&'static str> {
    match provider {
        Provider::Amazon | Provider::Ecwid => Some("is of a platform whose cart links carry no codes"),
        Provider::Stripe => Some("is Stripe's, which tells codes on orders by ids of its own: its click ids come back"),
        Provider::Api => Some("is no shop but what /track/sale tells"),
        Provider::Shopify | Provider::Ucp | Provider::WooCommerce | Provider::BigCommerce | Provider::Template => None,
    }
}

/// Whether two codes are one to a shop.
pub fn is_same(a: &str, b: &str) -> bool {
    fold(a) == fold(b)
}

/// How many codes the next lot has, after one of `last` codes that lasted `lasted_ms`: twice as many when it went
/// quickly, half as many when it lasted long, within [`LOT_MIN`] and [`LOT_MAX`].
pub fn next_lot(last: usize, lasted_ms: i64) -> usize {
    let next = if lasted_ms < LOT_LASTS_MS {
        last.saturating_mul(2)
    } else {
        last / 2
    };
    next.clamp(LOT_MIN, LOT_MAX)
}

/// Until when the visitor who was handed a code at `given_at` gets it again.
pub fn sticks_until(given_at: Timestamp, expires_at: Timestamp) -> Timestamp {
    given_at.plus_ms(STICKY_MS).min(expires_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fit_into_urls_and_are_not_guessed() {
        for (code, is_good) in [
            ("SPRING-7XK2", true),
            ("a_b.c-12", true),
            ("MIA10", false),
            ("", false),
            ("SPRING 7XK2", false),
            ("SPRING,7XK2", false),
            ("ÄPFEL-7XK2", false),
        ] {
            assert_eq!(check_code(code).is_ok(), is_good, "{code}");
        }
        assert!(check_code(&"x".repeat(64)).is_ok() && check_code(&"x".repeat(65)).is_err());
        assert!(is_same("Spring-7xk2", " SPRING-7XK2"));
    }

    #[test]
    fn lots_grow_with_the_rush_within_their_bounds() {
        for (last, lasted_ms, next) in [
            (0, 0, LOT_MIN),
            (32, 10, 64),
            (64, 60_000, 32),
            (32, 60_000, LOT_MIN),
            (4_000, 0, LOT_MAX),
            (usize::MAX, 0, LOT_MAX),
        ] {
            assert_eq!(next_lot(last, lasted_ms), next, "{last} in {lasted_ms}");
        }
    }

    #[test]
    fn a_code_sticks_for_a_day_or_until_it_expires() {
        let at = Timestamp(1_000);
        assert_eq!(sticks_until(at, NEVER), Timestamp(1_000 + DAY_MS));
        assert_eq!(sticks_until(at, Timestamp(2_000)), Timestamp(2_000));
    }
}
