//! A brand with creators, links and a million orders over 90 days, and how it is stored.

use std::time::{Duration, Instant};

use hopcart::books::{self, Books, Error, Tx};
use hopcart::domain::attribution::{ClickEvidence, Evidence, PastTouch, credit};
use hopcart::domain::creator::{Creator, CreatorTerms};
use hopcart::domain::id::{CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use hopcart::domain::money::Currency;
use hopcart::domain::order::{Ages, Order, OrderSnapshot, Refund};
use hopcart::domain::program::Program;
use hopcart::domain::rate::{DatedRate, Rate};
use hopcart::domain::store::{Permalink, Provider, Store, StoreLook};
use hopcart::domain::time::{DAY_MS, Timestamp};

pub const DAYS: i64 = 90;
pub const LINKS: u64 = 3;
const COUNTRIES: [&str; 20] = [
    "AT", "BE", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "LU", "NL", "NO", "PL", "PT", "SE", "SK",
    "US",
];
const GROUP: u64 = 500;

/// Who sells what, and when.
#[derive(Clone, Copy)]
pub struct Brand {
    pub workspace: WorkspaceNo,
    pub store: StoreNo,
    /// Of so many, with consecutive numbers.
    pub first_creator: CreatorNo,
    pub creators: u64,
    /// Numbers of its links lie so far apart, from 1.
    pub link_step: u32,
    /// Instant of the first order, in ms.
    pub start: i64,
}

impl Brand {
    /// The link with number `place` of all that it has.
    pub fn link(&self, place: u64) -> LinkNo {
        LinkNo(1 + place as u32 * self.link_step)
    }
}

/// Numbers that only look random (splitmix64).
fn mixed(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ mixed >> 27
}

/// A brand without links in `workspace`.
pub fn set_up(tx: &Tx<'_>, workspace: WorkspaceNo, creators: u64, start: i64) -> Result<Brand, Error> {
    let mut first = None;
    for number in 0..creators {
        let creator = Creator {
            no: CreatorNo::default(),
            id: format!("pn_{number}"),
            workspace,
            terms: CreatorTerms {
                name: format!("C{number}"),
                ..CreatorTerms::default()
            },
            created_at: Timestamp(1),
            departure: None,
        };
        let made = books::creator::insert(tx, creator)?.no;
        first.get_or_insert(made);
    }
    let store = Store {
        no: StoreNo::default(),
        id: "store_1".to_owned(),
        workspace,
        name: "bench".to_owned(),
        provider: Provider::Shopify,
        base_url: "https://shop.test".to_owned(),
        currency: "EUR".to_owned(),
        permalink: Permalink::default(),
        look: StoreLook::default(),
        ucp_endpoint: None,
        returns_click_ids: false,
        created_at: Timestamp(1),
    };
    let store = books::store::insert(tx, store, &[])?.no;
    let first_day = Timestamp(start).day();
    let rates: Vec<DatedRate> = (0..DAYS as u32)
        .map(|day| DatedRate {
            base: Currency::EUR,
            quote: Currency::USD,
            day: first_day + day,
            rate: Rate::parse(&format!("1.08{day:02}")).unwrap_or_else(|_| unreachable!("a decimal")),
        })
        .collect();
    books::rate::put(tx, workspace, &rates)?;
    Ok(Brand {
        workspace,
        store,
        first_creator: first.unwrap_or_default(),
        creators,
        link_step: 1,
        start,
    })
}

fn order(number: u64, orders: u64, brand: Brand) -> (Order, Evidence) {
    let drawn = mixed(number);
    let at = Timestamp(brand.start + (number as i64 * DAYS * DAY_MS) / orders as i64);
    let source = |drawn: u64| {
        let creator = drawn % brand.creators;
        let link = brand.link(creator * LINKS + drawn / brand.creators % LINKS);
        (CreatorNo(brand.first_creator.0 + creator as u32), link)
    };
    let (creator, link) = source(drawn);
    let (before, before_link) = source(mixed(drawn));
    let journey = (drawn >> 20).is_multiple_of(10).then_some(PastTouch {
        link: before_link,
        creator: Some(before),
        seconds: (at.0 / 1000 - 3_600) as u32,
    });
    let evidence = Evidence {
        click: Some(ClickEvidence {
            click_id: format!("{number:032}"),
            link,
            creator: Some(creator),
            clicked_at_ms: at.0 - 60_000,
            variant: 0,
            journey: journey.into_iter().collect(),
            is_recorded: true,
            is_from_coupon_site: false,
            country: Some(COUNTRIES[(drawn >> 30) as usize % COUNTRIES.len()].to_owned()),
        }),
        ..Evidence::default()
    };
    let customer = if (drawn >> 24).is_multiple_of(5) {
        mixed(number) % (number + 1)
    } else {
        number
    };
    let snapshot = OrderSnapshot {
        external_id: number.to_string(),
        name: format!("#{number}"),
        ordered_at: at,
        updated_at: at,
        currency: "EUR".to_owned(),
        revenue: 2_000 + (drawn >> 8) as i64 % 10_000,
        discounts: 100,
        is_test: false,
        is_paid: true,
        cancelled_at: None,
        customer: Some(customer.to_string()),
        buyer: None,
        codes: vec![format!("CODE{}", creator.0)],
        click_id: Some(format!("{number:032}")),
        lines: Vec::new(),
    };
    let order = Order {
        workspace: brand.workspace,
        store: brand.store,
        ages: Ages::of(&snapshot),
        quarantine: None,
        credit: credit(&evidence, &Program::default(), at, None),
        program: None,
        ruling: None,
        snapshot,
    };
    (order, evidence)
}

/// Stores `orders` orders, 500 in a commit.
pub fn fill(books: &Books, orders: u64, brand: Brand) -> Duration {
    let began = Instant::now();
    for group in (0..orders).step_by(GROUP as usize) {
        let stored = books.commit_blocking(move |tx| {
            for number in group..(group + GROUP).min(orders) {
                let (order, evidence) = order(number, orders, brand);
                if mixed(number ^ 5) % 100 < 8 {
                    let refund = Refund {
                        external_id: format!("r{number}"),
                        order_external_id: number.to_string(),
                        at: order.snapshot.ordered_at,
                        is_running_total: false,
                        lines: Vec::new(),
                    };
                    books::refund::insert(tx, brand.store, &refund, 700, refund.at)?;
                }
                books::order::put(tx, &order, &evidence, order.snapshot.ordered_at)?;
            }
            Ok::<_, Error>(())
        });
        stored.expect("stored");
    }
    began.elapsed()
}
