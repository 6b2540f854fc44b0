//! The rules of counting, crediting and summing, written as plainly as possible: lists, and a walk over all of them for
//! every number. Shares no code with the server; where the two differ, one of them is wrong.

use std::collections::{BTreeMap, HashMap, HashSet};

pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Within this time of a counted click the same visitor's next on the same link is a repeat.
pub const DEDUPE_MS: i64 = 10_000;
/// What groups are called that no creator or niche is behind.
pub const NOBODY: &str = "(none)";

/// What a click counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Human,
    Repeat,
    Bot,
    Prefetch,
    Head,
    Test,
}

/// A request for a link.
#[derive(Debug, Clone, Copy)]
pub struct Tap {
    pub link: usize,
    /// Address and user agent.
    pub identity: (u8, u8),
    /// The visitor that the cookie names.
    pub cookie: Option<u32>,
    pub is_bot: bool,
    pub is_head: bool,
    pub is_prefetch: bool,
    pub is_test: bool,
    /// Asks not to be recognised.
    pub is_private: bool,
}

/// What the follower gets.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub status: u16,
    pub has_click_id: bool,
    pub cookie: Cookie,
}

/// What the answer does to the attribution cookie.
#[derive(Debug, PartialEq, Eq)]
pub enum Cookie {
    Untouched,
    /// It names this visitor.
    Names(u32),
    Removed,
}

#[derive(Debug, Clone, Default)]
pub struct Creator {
    /// As the API calls it.
    pub id: String,
    pub niche: Option<String>,
    pub cost: i64,
}

#[derive(Debug, Clone, Default)]
pub struct Link {
    /// As the API calls it.
    pub id: String,
    pub is_alive: bool,
    pub creator: Option<usize>,
    pub is_cart: bool,
    pub is_disabled: bool,
    pub uses_max: Option<u64>,
    pub uses: u64,
}

#[derive(Debug, Clone, Copy)]
pub struct Click {
    pub at: i64,
    pub link: usize,
    pub class: Class,
    pub visitor: Option<u32>,
}

/// One state of an order as the shop tells it.
#[derive(Debug, Clone)]
pub struct Telling {
    pub updated_at: i64,
    pub ordered_at: i64,
    pub revenue: i64,
    pub is_paid: bool,
    pub is_cancelled: bool,
    pub is_test: bool,
    pub is_store_currency: bool,
    pub customer: Option<u8>,
    /// Of the codes listed, the first that belongs to a creator.
    pub code_of: Option<usize>,
    /// The link whose click id came back.
    pub clicked: Option<usize>,
}

#[derive(Debug, Default)]
struct Order {
    tellings: Vec<Telling>,
    /// Who owned the clicked link when its id first came back.
    click_of: Option<Option<usize>>,
}

impl Order {
    fn newest(&self) -> &Telling {
        let newest = self.tellings.iter().map(|told| told.updated_at).max();
        let newest = self.tellings.iter().find(|told| Some(told.updated_at) == newest);
        newest.expect("an order is known by what was told of it")
    }

    fn counts(&self) -> bool {
        self.tellings.iter().any(|told| told.is_paid) && !self.tellings.iter().any(|told| told.is_test)
    }

    fn customer(&self) -> Option<u8> {
        self.tellings.iter().find_map(|told| told.customer)
    }

    fn creator(&self) -> Option<usize> {
        let code = self.tellings.iter().find_map(|told| told.code_of);
        code.or(self.click_of.flatten())
    }

    fn refunded(&self, refunds: i64) -> i64 {
        let revenue = self.newest().revenue;
        if self.tellings.iter().any(|told| told.is_cancelled) {
            revenue
        } else {
            refunds.min(revenue)
        }
    }
}

/// A row of the performance report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub clicks: u64,
    pub unique_visitors: u64,
    pub orders: u64,
    pub new_customers: u64,
    pub gross: i64,
    pub refunds: i64,
    pub net: i64,
    pub spend: i64,
    /// Orders in a currency without a rate; no history tells one.
    pub unconverted: u64,
}

/// Everything that happened.
#[derive(Debug, Default)]
pub struct Naive {
    pub now: i64,
    pub creators: Vec<Creator>,
    pub links: Vec<Link>,
    pub clicks: Vec<Click>,
    /// By store and the shop's id.
    orders: BTreeMap<(usize, u64), Order>,
    /// By store and the shop's id: order and amount.
    refunds: BTreeMap<(usize, u64), (u64, i64)>,
    visitors: u32,
    /// Forgotten by a restart: who was first seen with an identity, and on which day.
    first_seen: HashMap<(u8, u8), (i64, u32)>,
    /// Forgotten by a restart: clicks before this one start no window.
    remembered_from: usize,
}

impl Naive {
    pub fn at(now: i64) -> Self {
        Self { now, ..Self::default() }
    }

    pub fn restart(&mut self) {
        self.first_seen.clear();
        self.remembered_from = self.clicks.len();
    }

    pub fn tap(&mut self, tap: Tap) -> Told {
        let refused = |status| Told {
            status,
            has_click_id: false,
            cookie: Cookie::Untouched,
        };
        let link = &mut self.links[tap.link];
        if !link.is_alive {
            return refused(404);
        }
        if link.is_disabled || link.uses_max.is_some_and(|max| link.uses >= max) {
            return refused(410);
        }
        let is_person = !tap.is_bot && !tap.is_head && !tap.is_prefetch;
        if is_person && !tap.is_test && link.uses_max.is_some() {
            link.uses += 1;
        }
        let status = if link.is_cart { 303 } else { 302 };
        let has_click_id = (link.is_cart || link.creator.is_some()) && !tap.is_private;
        let (visitor, cookie) = if is_person && !tap.is_private {
            let (visitor, named) = self.recognise(tap);
            (Some(visitor), Cookie::Names(named))
        } else if tap.is_private && tap.cookie.is_some() {
            (None, Cookie::Removed)
        } else {
            (None, Cookie::Untouched)
        };
        let class = self.class(tap, visitor);
        self.clicks.push(Click {
            at: self.now,
            link: tap.link,
            class,
            visitor,
        });
        Told {
            status,
            has_click_id,
            cookie,
        }
    }

    /// The visitor that the click is of, and the one that the cookie names from now on.
    fn recognise(&mut self, tap: Tap) -> (u32, u32) {
        if let Some(known) = tap.cookie {
            return (known, known);
        }
        self.visitors += 1;
        let (today, new) = (self.now / DAY_MS, self.visitors);
        // Test traffic leaves nothing behind: nobody else becomes the visitor that it was.
        if tap.is_test {
            return (new, new);
        }
        let first = self.first_seen.entry(tap.identity).or_insert((today, new));
        if first.0 != today {
            *first = (today, new);
        }
        (first.1, new)
    }

    fn class(&self, tap: Tap, visitor: Option<u32>) -> Class {
        if tap.is_test {
            Class::Test
        } else if tap.is_head {
            Class::Head
        } else if tap.is_bot {
            Class::Bot
        } else if tap.is_prefetch {
            Class::Prefetch
        } else {
            let is_repeat = self.clicks[self.remembered_from..].iter().any(|click| {
                visitor.is_some()
                    && click.visitor == visitor
                    && click.link == tap.link
                    && click.class == Class::Human
                    && self.now - click.at < DEDUPE_MS
            });
            if is_repeat { Class::Repeat } else { Class::Human }
        }
    }

    pub fn tell(&mut self, store: usize, order: u64, told: Telling) {
        let known = self.orders.entry((store, order)).or_default();
        if let (Some(link), None) = (told.clicked, known.click_of) {
            let link = &self.links[link];
            known.click_of = Some(link.creator.filter(|_| link.is_alive));
        }
        known.tellings.push(told);
    }

    pub fn refund(&mut self, store: usize, refund: u64, order: u64, amount: i64) {
        self.refunds.entry((store, refund)).or_insert((order, amount));
    }

    /// Clicks of these classes from `start` to before `end`.
    pub fn count(&self, classes: &[Class], (start, end): (i64, i64), is_asked: impl Fn(usize) -> bool) -> u64 {
        let counted = self
            .clicks
            .iter()
            .filter(|click| classes.contains(&click.class) && (start..end).contains(&click.at) && is_asked(click.link));
        counted.count() as u64
    }

    /// The performance report by creator's id or by niche.
    pub fn report(&self, is_by_niche: bool, (start, end): (i64, i64)) -> BTreeMap<String, Row> {
        let key = |creator: Option<usize>| match creator.map(|creator| &self.creators[creator]) {
            Some(creator) if is_by_niche => creator.niche.clone().unwrap_or_else(|| NOBODY.to_owned()),
            Some(creator) => creator.id.clone(),
            None => NOBODY.to_owned(),
        };
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        for creator in 0..self.creators.len() {
            rows.entry(key(Some(creator))).or_default().spend += self.creators[creator].cost;
        }
        let mut visitors: HashMap<String, HashSet<u32>> = HashMap::new();
        for click in &self.clicks {
            if click.class != Class::Human || !(start..end).contains(&click.at) {
                continue;
            }
            let link = &self.links[click.link];
            let key = key(link.creator.filter(|_| link.is_alive));
            visitors.entry(key.clone()).or_default().extend(click.visitor);
            rows.entry(key).or_default().clicks += 1;
        }
        for (key, visitors) in visitors {
            rows.entry(key).or_default().unique_visitors = visitors.len() as u64;
        }
        for ((store, id), order) in &self.orders {
            let at = order.newest().ordered_at;
            if !order.counts() || !(start..end).contains(&at) {
                continue;
            }
            let row = rows.entry(key(order.creator())).or_default();
            if !order.newest().is_store_currency {
                row.unconverted += 1;
                continue;
            }
            row.orders += 1;
            row.new_customers += u64::from(self.is_first(*store, *id, order));
            row.gross += order.newest().revenue;
            row.refunds += order.refunded(self.refunds_of(*store, *id));
        }
        for row in rows.values_mut() {
            row.net = row.gross - row.refunds;
        }
        rows.retain(|key, row| {
            key != NOBODY || row.clicks > 0 || row.orders > 0 || row.spend > 0 || row.unconverted > 0
        });
        rows
    }

    fn refunds_of(&self, store: usize, order: u64) -> i64 {
        let own = self.refunds.iter().filter(|((of, _), _)| *of == store);
        own.filter(|(_, (of, _))| *of == order)
            .map(|(_, (_, amount))| amount)
            .sum()
    }

    /// Whether no counted order of the same customer in that store came before; ids as text decide between equals.
    fn is_first(&self, store: usize, id: u64, order: &Order) -> bool {
        let place = |id: u64, order: &Order| (order.newest().ordered_at, id.to_string());
        order.customer().is_some()
            && !self.orders.iter().any(|((other_store, other_id), other)| {
                *other_store == store
                    && other.counts()
                    && other.customer() == order.customer()
                    && place(*other_id, other) < place(id, order)
            })
    }
}
