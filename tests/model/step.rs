//! What can happen in a history, drawn at random. Numbers that name something are taken modulo what there is, so that
//! a history with steps left out is a history as well.

use proptest::prelude::*;

/// How a link is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Tap,
    Head,
    Prefetch,
    /// Marked as a load test.
    Test,
    /// With a signal not to be recognised.
    Private,
}

/// A change of a link.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    Creator(Option<u8>),
    UsesMax(Option<u8>),
    Disabled(bool),
}

/// What stays the same about an order, taken from the first step that tells of it.
#[derive(Debug, Clone, Copy)]
pub struct Traits {
    pub customer: Option<u8>,
    /// Which list of codes.
    pub codes: u8,
    /// Which of the click ids seen so far; past their number a forged one.
    pub click: Option<u8>,
    pub hours_ago: u8,
    pub has_processed_at: bool,
    pub is_foreign: bool,
    pub is_test: bool,
}

#[derive(Debug, Clone, Copy)]
pub enum Topic {
    Create,
    Paid,
    Updated,
    Cancelled,
}

#[derive(Debug, Clone)]
pub enum Step {
    Wait(i64),
    Follow {
        follower: u8,
        link: u8,
        how: How,
    },
    Create {
        creator: Option<u8>,
        uses_max: Option<u8>,
        is_cart: bool,
    },
    Change {
        link: u8,
        change: Change,
    },
    Delete {
        link: u8,
    },
    Enlist {
        creator: u8,
        niche: Option<u8>,
        cost: u8,
    },
    Order {
        store: u8,
        order: u8,
        topic: Topic,
        status: u8,
        version: u8,
        tells_evidence: bool,
        is_test: bool,
        traits: Traits,
    },
    Refund {
        store: u8,
        refund: u8,
        order: u8,
        amount: u16,
        is_number: bool,
    },
    /// A delivery comes again: the same, or what it said under another id.
    Again {
        delivery: u8,
        is_new_id: bool,
    },
    /// A delivery that the shop did not sign.
    Forged {
        delivery: u8,
    },
    Restart,
}

/// Waits that fall on both sides of the dedupe window, of a quarter hour and of a day.
const WAITS: [i64; 12] = [
    1, 40, 1_500, 4_000, 9_999, 10_000, 10_001, 61_000, 899_999, 3_600_000, 21_600_000, 90_000_000,
];

/// A history of `length` steps.
pub fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), length)
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        10 => Just(How::Tap), 1 => Just(How::Head), 1 => Just(How::Prefetch), 1 => Just(How::Test),
        1 => Just(How::Private),
    ];
    let change = prop_oneof![
        2 => option(4).prop_map(Change::Creator),
        2 => option(6).prop_map(Change::UsesMax),
        1 => any::<bool>().prop_map(Change::Disabled),
    ];
    prop_oneof![
        10 => (0..WAITS.len()).prop_map(|place| Step::Wait(WAITS[place])),
        30 => (any::<u8>(), any::<u8>(), how).prop_map(|(follower, link, how)| Step::Follow { follower, link, how }),
        4 => (option(4), option(6), any::<bool>())
            .prop_map(|(creator, uses_max, is_cart)| Step::Create { creator, uses_max, is_cart }),
        3 => (any::<u8>(), change).prop_map(|(link, change)| Step::Change { link, change }),
        2 => any::<u8>().prop_map(|link| Step::Delete { link }),
        1 => (0..4u8, option(3), any::<u8>()).prop_map(|(creator, niche, cost)| Step::Enlist { creator, niche, cost }),
        14 => order(),
        5 => (0..2u8, 0..8u8, 0..6u8, 0..9000u16, any::<bool>()).prop_map(
            |(store, refund, order, amount, is_number)| Step::Refund { store, refund, order, amount, is_number }
        ),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(delivery, is_new_id)| Step::Again { delivery, is_new_id }),
        1 => any::<u8>().prop_map(|delivery| Step::Forged { delivery }),
        2 => Just(Step::Restart),
    ]
}

fn order() -> impl Strategy<Value = Step> {
    let topic = prop_oneof![
        2 => Just(Topic::Create), 4 => Just(Topic::Paid), 2 => Just(Topic::Updated), 1 => Just(Topic::Cancelled),
    ];
    let traits = (
        option(3),
        0..5u8,
        proptest::option::weighted(0.7, any::<u8>()),
        0..60u8,
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.05),
    )
        .prop_map(
            |(customer, codes, click, hours_ago, has_processed_at, is_foreign, is_test)| Traits {
                customer,
                codes,
                click,
                hours_ago,
                has_processed_at,
                is_foreign,
                is_test,
            },
        );
    let told = (
        0..2u8,
        0..6u8,
        topic,
        0..4u8,
        0..6u8,
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.04),
        traits,
    );
    told.prop_map(
        |(store, order, topic, status, version, tells_evidence, is_test, traits)| Step::Order {
            store,
            order,
            topic,
            status,
            version,
            tells_evidence,
            is_test,
            traits,
        },
    )
}

fn option(end: u8) -> impl Strategy<Value = Option<u8>> {
    proptest::option::weighted(0.75, 0..end)
}
