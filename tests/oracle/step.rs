//! What can happen in a history, drawn from a seed. Numbers that name something are taken modulo what there is, so that a
//! history with steps left out is one as well.

use crate::rooms::chance::Chance;

/// One delivery about an order.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    pub store: usize,
    pub order: usize,
    /// When the shop changed it: deliveries come in any order.
    pub updated: i64,
    /// Hours before now at which it was placed; negative = the shop's clock runs ahead.
    pub hours_ago: i64,
    pub revenue: i64,
    pub discounts: i64,
    /// Which list of codes, see [`CODE_LISTS`].
    pub codes: usize,
    /// Which of the clicks so far; past their number nothing.
    pub click: Option<usize>,
    /// Below 3 a person, from 3 on the creator of that number less 3.
    pub customer: Option<usize>,
    /// Whose address is on it: a creator, past their number a stranger.
    pub buyer: Option<usize>,
    pub is_paid: bool,
    pub is_test: bool,
    /// Which of [`CURRENCIES`].
    pub currency: usize,
    /// Which of [`LINES`].
    pub lines: usize,
    pub cancelled: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Hours.
    Wait(i64),
    Follow {
        link: usize,
        /// Whose cookie; `None` = the app keeps none.
        jar: Option<usize>,
        is_bot: bool,
        is_from_coupons: bool,
        /// Its record comes into the log later.
        is_late: bool,
    },
    /// The records that are late come in.
    Record,
    Give {
        link: usize,
        creator: Option<usize>,
    },
    Delete {
        link: usize,
    },
    Tell(Told),
    Refund {
        store: usize,
        order: usize,
        refund: usize,
        amount: i64,
        /// Which of [`REFUND_LINES`] the whole of it is for.
        line: usize,
    },
    /// A delivery comes again, under its id or another.
    Again {
        delivery: usize,
        is_new_id: bool,
    },
    /// 0 = reported, 1 = nothing speaks against it, 2 = trusted.
    Mark {
        code: usize,
        how: usize,
    },
    /// Which program, see [`PROGRAMS`].
    Program(usize),
    Rule {
        store: usize,
        order: usize,
        is_release: bool,
    },
    Restart {
        is_kill: bool,
    },
    /// Many people follow at once.
    Crowd {
        link: usize,
        people: usize,
    },
    /// Many orders with the same codes.
    Rush {
        store: usize,
        codes: usize,
    },
    /// The job looks whether a code brings far more than its creator's clicks.
    Watch,
    /// One of a foreign currency in euros, or with `is_inverse` of the euro in it.
    Rate {
        currency: usize,
        is_inverse: bool,
        days_ago: i64,
        rate: usize,
    },
    /// A person signs up; which of the clicks so far brought them.
    Lead {
        person: usize,
        click: Option<usize>,
        event: usize,
    },
    /// A person's sale is told by the brand's own server; its invoice is the shop's order of that number.
    Sale {
        person: usize,
        click: Option<usize>,
        store: usize,
        order: usize,
        amount: i64,
    },
}

pub const CREATORS: usize = 3;
pub const LINKS: usize = 5;
pub const STORES: usize = 2;
pub const ORDERS: usize = 7;
pub const JARS: usize = 3;
pub const CUSTOMERS: usize = 3;
/// Orders of a [`Step::Rush`]: from 20 on a code's share of the orders is looked at.
pub const RUSH: usize = 22;
pub const CURRENCIES: [&str; 3] = ["EUR", "USD", "JPY"];
pub const RATES: [&str; 6] = ["0.9236", "1.0834", "0.5", "0.006123", "163.27", "2.5"];
pub const EVENTS: [&str; 2] = ["Sign up", "Trial"];
/// Lines of an order: the shop's id, and what it is worth.
pub const LINES: [&[(&str, i64)]; 4] = [&[], &[("a", 3)], &[("a", 700), ("b", 301)], &[("b", 4_999), ("c", 0)]];
pub const REFUND_LINES: [&str; 4] = ["a", "b", "c", "z"];

/// Codes by creator; the third has two.
pub const CODES: [(&str, usize); 4] = [("CODE0", 0), ("CODE1", 1), ("CODE2", 2), ("Extra2", 2)];

/// Small ones show how rests are given out, the large one the last digit of every weight.
const REVENUES: [i64; 11] = [0, 1, 3, 7, 100, 999, 1_001, 5_382, 77_777, 9_999_999_999_999, -5];
const REFUNDS: [i64; 7] = [1, 2, 3, 5, 300, 999, 5_000];

/// What shops write on orders.
pub const CODE_LISTS: [&[&str]; 9] = [
    &[],
    &[],
    &["CODE0"],
    &["code1"],
    &["CODE2"],
    &["SPRING", "CODE1"],
    &["CODE0", "CODE1"],
    &["EXTRA2", "code0"],
    &["SPRING"],
];

/// Window, window of customers, evidence (s, c, k, u = single-use, creator's code, click, customer), signals (n, c, s, r
/// = no clicks, coupon site, click share, reported).
pub const PROGRAMS: [(u32, u32, &str, &str); 6] = [
    (30, 30, "scku", "ncsr"),
    (7, 60, "scku", "cr"),
    (30, 30, "kcu", "ncsr"),
    (14, 14, "ukc", "r"),
    (60, 1, "cu", "ncr"),
    (1, 365, "ck", ""),
];

/// The history that belongs to `seed`.
pub fn history(seed: u64, length: usize) -> Vec<Step> {
    let mut chance = Chance::new(seed);
    let mut steps: Vec<Step> = (0..length).map(|_| step(&mut chance)).collect();
    if chance.in_100(50) {
        steps.insert(0, Step::Program(chance.below(PROGRAMS.len())));
    }
    // A restart takes longer than all the rest.
    if chance.in_100(8) {
        let at = chance.below(steps.len());
        let is_kill = chance.in_100(50);
        steps.insert(at, Step::Restart { is_kill });
    }
    steps
}

fn step(chance: &mut Chance) -> Step {
    match chance.below(122) {
        0..10 => Step::Wait([1, 5, 24, 30, 100, 169, 400, 700][chance.below(8)]),
        10..35 => Step::Follow {
            link: chance.below(LINKS),
            jar: chance.option(70, JARS),
            is_bot: chance.in_100(10),
            is_from_coupons: chance.in_100(10),
            is_late: chance.in_100(10),
        },
        35..37 => Step::Record,
        37..40 => Step::Give {
            link: chance.below(LINKS),
            creator: chance.option(80, CREATORS),
        },
        40 => Step::Delete {
            link: chance.below(LINKS),
        },
        41..75 => Step::Tell(told(chance)),
        75..84 => Step::Refund {
            store: chance.below(STORES),
            order: chance.below(ORDERS + 1),
            refund: chance.below(12),
            amount: REFUNDS[chance.below(REFUNDS.len())],
            line: chance.below(REFUND_LINES.len()),
        },
        84..90 => Step::Again {
            delivery: chance.below(64),
            is_new_id: chance.in_100(50),
        },
        90..93 => Step::Mark {
            code: chance.below(CODES.len()),
            how: chance.below(3),
        },
        93..95 => Step::Program(chance.below(PROGRAMS.len())),
        100..103 => Step::Watch,
        103 => Step::Rush {
            store: chance.below(STORES),
            codes: chance.below(CODE_LISTS.len()),
        },
        104..106 => Step::Crowd {
            link: chance.below(LINKS),
            people: [4, 24, 240][chance.below(3)],
        },
        106..111 => Step::Rate {
            currency: 1 + chance.below(CURRENCIES.len() - 1),
            is_inverse: chance.in_100(40),
            days_ago: [0, 1, 3, 8, 12, 30, 31][chance.below(7)],
            rate: chance.below(RATES.len()),
        },
        111..115 => Step::Lead {
            person: chance.below(CUSTOMERS),
            click: chance.option(80, 16),
            event: chance.below(EVENTS.len()),
        },
        115..122 => Step::Sale {
            person: chance.below(CUSTOMERS),
            click: chance.option(60, 16),
            store: chance.below(STORES),
            order: chance.below(ORDERS),
            amount: REVENUES[chance.below(REVENUES.len())],
        },
        _ => Step::Rule {
            store: chance.below(STORES),
            order: chance.below(ORDERS),
            is_release: chance.in_100(50),
        },
    }
}

fn told(chance: &mut Chance) -> Told {
    // Below zero is rare.
    let revenues = REVENUES.len() - usize::from(!chance.in_100(10));
    Told {
        store: chance.below(STORES),
        order: chance.below(ORDERS),
        updated: chance.below(5) as i64,
        hours_ago: [0, 1, 20, 24, 100, 300, 740, -3][chance.below(8)],
        revenue: REVENUES[chance.below(revenues)],
        discounts: [0, 0, 101][chance.below(3)],
        codes: chance.below(CODE_LISTS.len()),
        click: chance.option(60, 16),
        customer: chance.option(70, CUSTOMERS + CREATORS),
        buyer: chance.option(20, CREATORS + 1),
        is_paid: chance.in_100(85),
        is_test: chance.in_100(4),
        currency: if chance.in_100(15) {
            1 + chance.below(CURRENCIES.len() - 1)
        } else {
            0
        },
        lines: chance.below(LINES.len()),
        cancelled: chance.in_100(6).then(|| chance.below(3) as i64),
    }
}
