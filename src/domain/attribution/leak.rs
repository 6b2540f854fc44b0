//! What tells that a creator's code has got into strangers' hands: signals, and a flag that people set.
//!
//! A signal accuses nobody of anything: it only keeps money from being paid out before somebody has looked.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// Orders of one code below which its share says nothing: three orders in a row are luck.
pub const SHARE_ORDERS_MIN: u64 = 20;

/// Orders of one code from which on it is odd that they are more than its creator's clicks.
pub const ORDERS_ABOVE_CLICKS_MIN: u64 = 5;

/// How many times larger than its creator's share of the clicks a code's share of the orders must be to be odd. 5: within
/// one brand creators' conversion rates lie further apart than three times, but hardly ever five.
pub const SHARE_FACTOR: u64 = 5;

/// Sites whose whole purpose is to collect codes; a host below one of them counts as well.
const COUPON_SITES: [&str; 20] = [
    "capitaloneshopping.com",
    "couponbirds.com",
    "couponcabin.com",
    "couponfollow.com",
    "coupons.com",
    "dealspotr.com",
    "dontpayfull.com",
    "groupon.com",
    "gutscheine.de",
    "gutscheinpony.de",
    "hotdeals.com",
    "joinhoney.com",
    "knoji.com",
    "mydealz.de",
    "promocodes.com",
    "rakuten.com",
    "retailmenot.com",
    "simplycodes.com",
    "slickdeals.net",
    "vouchercodes.co.uk",
];

/// Why a code is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakSignal {
    /// Nobody followed any link of its creator within the window before the order.
    NoClicks,
    /// The order's own click came from a site that collects coupons.
    CouponSite,
    /// It brings a far larger share of the orders than its creator brings of the clicks.
    ClickShare,
    /// Somebody said so.
    Reported,
    /// A single-use code that another customer has used before.
    UsedTwice,
}

impl LeakSignal {
    /// Every signal.
    pub const ALL: [Self; 5] = [
        Self::NoClicks,
        Self::CouponSite,
        Self::ClickShare,
        Self::Reported,
        Self::UsedTwice,
    ];

    /// The word in the books and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoClicks => "no_clicks",
            Self::CouponSite => "coupon_site",
            Self::ClickShare => "click_share",
            Self::Reported => "reported",
            Self::UsedTwice => "used_twice",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.as_str() == word)
    }
}

/// For each of the orders that show one single-use code, by their customers and in the order in which they were placed:
/// whether somebody else than the first customer placed it. Nobody knows that two guests are one.
pub fn used_twice<'a>(customers: impl IntoIterator<Item = Option<&'a str>>) -> Vec<bool> {
    let mut customers = customers.into_iter();
    let Some(first) = customers.next() else {
        return Vec::new();
    };
    let later = customers.map(|customer| customer.is_none() || customer != first);
    std::iter::once(false).chain(later).collect()
}

/// Whether nobody followed the creator's links within `window_ms` before the order. `last_click` is the latest follow of
/// any of them; one after the order shows at least that they are followed. A creator without links cannot be followed,
/// so that nothing is odd.
pub fn is_without_clicks(
    has_links: bool,
    last_click: Option<Timestamp>,
    ordered_at: Timestamp,
    window_ms: i64,
) -> bool {
    has_links && last_click.is_none_or(|last| ordered_at.since(last) > window_ms)
}

/// Whether `referrer`, a URL, is of a site that collects coupons.
pub fn is_coupon_site(referrer: &str) -> bool {
    let rest = referrer.split_once("://").map_or(referrer, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let is_below = |site: &&str| -> bool {
        let above = host
            .len()
            .checked_sub(site.len())
            .and_then(|at| host.split_at_checked(at));
        above.is_some_and(|(below, tail)| tail.eq_ignore_ascii_case(site) && (below.is_empty() || below.ends_with('.')))
    };
    COUPON_SITES.iter().any(is_below)
}

/// Whether `orders` of `all_orders` with a code is more than [`SHARE_FACTOR`] times what `clicks` of `all_clicks` is, or
/// simply more than the clicks. One click is always allowed for: nobody's share is taken for nothing.
pub fn is_far_above_clicks(orders: u64, all_orders: u64, clicks: u64, all_clicks: u64) -> bool {
    let wide = u128::from;
    let is_above_clicks = orders >= ORDERS_ABOVE_CLICKS_MIN && orders > clicks.max(1);
    let is_share_odd = orders >= SHARE_ORDERS_MIN
        && all_clicks > 0
        && wide(orders) * wide(all_clicks)
            > (wide(clicks.max(1)) * wide(all_orders)).saturating_mul(wide(SHARE_FACTOR));
    is_above_clicks || is_share_odd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_clicks_of_its_creator_is_odd() {
        let at = Timestamp(1_000);
        for (has_links, last, expected) in [
            (true, None, true),
            (true, Some(Timestamp(899)), true),
            (true, Some(Timestamp(900)), false),
            (true, Some(Timestamp(2_000)), false),
            (false, None, false),
        ] {
            assert_eq!(is_without_clicks(has_links, last, at, 100), expected, "{last:?}");
        }
    }

    #[test]
    fn coupon_sites_are_known_by_their_host() {
        for (referrer, expected) in [
            ("https://www.retailmenot.com/view/moss.example", true),
            ("https://Coupons.com", true),
            ("https://de.mycoupons.com/", false),
            ("https://moss.example/?from=retailmenot.com", false),
            ("https://l.instagram.com/", false),
            ("https://é.com", false),
            ("", false),
        ] {
            assert_eq!(is_coupon_site(referrer), expected, "{referrer}");
        }
        assert!(COUPON_SITES.is_sorted());
    }

    #[test]
    fn a_share_is_odd_when_it_is_far_above_the_clicks() {
        for (orders, all_orders, clicks, all_clicks, expected) in [
            (19, 100, 30, 1_000, false),
            (20, 100, 40, 1_000, false),
            (20, 100, 39, 1_000, true),
            (4, 100, 0, 1_000, false),
            (5, 100, 4, 0, true),
            (5, 100, 5, 1_000, false),
            (20, 20, 20, 0, false),
            (u64::MAX, u64::MAX, u64::MAX, u64::MAX, false),
        ] {
            assert_eq!(
                is_far_above_clicks(orders, all_orders, clicks, all_clicks),
                expected,
                "{orders} of {all_orders}, {clicks} of {all_clicks}"
            );
        }
    }

    #[test]
    fn a_second_customer_of_a_single_use_code_is_odd() {
        let (ann, ben) = (Some("ann"), Some("ben"));
        for (customers, expected) in [
            (vec![], vec![]),
            (vec![ann], vec![false]),
            (vec![ann, ann, ben], vec![false, false, true]),
            (vec![None, None, ann], vec![false, true, true]),
            (vec![ann, None], vec![false, true]),
        ] {
            assert_eq!(used_twice(customers.clone()), expected, "{customers:?}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for signal in LeakSignal::ALL {
            assert_eq!(LeakSignal::parse(signal.as_str()), Some(signal));
            assert_eq!(serde_json::to_value(signal).expect("a word"), signal.as_str());
        }
    }
}
