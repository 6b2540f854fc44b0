//! The rules of attribution, written down a second time, as plainly as possible and from the words alone: nothing here
//! comes from the program. Everything is kept for ever and looked through from the start for every question.

use std::collections::{BTreeMap, BTreeSet};

use super::step::PROGRAMS;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

pub type Creator = usize;
pub type Link = usize;

#[derive(Debug, Clone)]
pub struct Owned {
    pub creator: Option<Creator>,
    pub is_alive: bool,
    /// When a person last followed it, as the log knows.
    pub last_person: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct Clicked {
    pub id: String,
    pub link: Link,
    pub at: i64,
    /// Links followed before, with the seconds.
    pub before: Vec<(Link, i64)>,
    pub is_from_coupons: bool,
    /// Whether the log knows it (yet).
    pub is_recorded: bool,
    pub is_bot: bool,
}

#[derive(Debug, Clone)]
pub struct Code {
    pub folded: String,
    pub creator: Creator,
    pub link: Option<Link>,
    pub is_reported: bool,
    /// Found by the job to bring far more than its creator's clicks.
    pub is_above_share: bool,
    pub is_trusted: bool,
}

/// A delivery about an order, as the shop means it.
#[derive(Debug, Clone)]
pub struct Telling {
    pub updated: i64,
    pub ordered: i64,
    pub revenue: i64,
    pub discounts: i64,
    pub codes: Vec<String>,
    pub click: Option<usize>,
    pub customer: Option<String>,
    /// The creator who is that customer.
    pub customer_is: Option<Creator>,
    /// The address on the order, and the creator whose it is.
    pub buyer: Option<(String, Option<Creator>)>,
    pub is_paid: bool,
    pub is_test: bool,
    pub currency: &'static str,
    /// The shop's id and worth of each line.
    pub lines: Vec<(String, i64)>,
    pub cancelled: Option<i64>,
}

/// A code as it was when the order first showed it.
#[derive(Debug, Clone)]
struct ShownCode {
    folded: String,
    creator: Creator,
    link: Option<Link>,
    /// n, r, s.
    signals: String,
}

/// A click as it was when it first came back.
#[derive(Debug, Clone)]
struct ShownClick {
    click: usize,
    creator: Option<Creator>,
    /// Link, owner, milliseconds.
    before: Vec<(Link, Option<Creator>, i64)>,
    is_from_coupons: bool,
    is_whole: bool,
}

#[derive(Debug, Default)]
struct Order {
    tellings: Vec<Telling>,
    program: usize,
    codes: Vec<ShownCode>,
    clicks: Vec<ShownClick>,
    /// Some(true) = released.
    ruling: Option<bool>,
}

/// What must be seen of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub state: &'static str,
    pub by: Option<char>,
    pub creator: Option<Creator>,
    pub link: Option<Link>,
}

/// A row of a report: orders, new and returning customers in thousandths, gross, discounts, refunds; orders without a rate.
pub type Row = [i64; 7];
type Receiver = (Option<Creator>, Option<Link>);
/// Rows by receiver and store.
pub type Rows = BTreeMap<(Receiver, usize), Row>;

#[derive(Default)]
pub struct World {
    pub now: i64,
    pub program: usize,
    pub links: Vec<Owned>,
    pub clicks: Vec<Clicked>,
    pub codes: Vec<Code>,
    orders: BTreeMap<(usize, String), Order>,
    /// By store and the shop's id.
    refunds: BTreeMap<(usize, usize), GivenBack>,
    /// Of one in the other on a day, in units of 10^-12.
    rates: BTreeMap<(&'static str, &'static str, i64), i128>,
    people: BTreeMap<usize, Person>,
    /// Whom a sale named, by the store and the order that it is.
    sales: BTreeMap<(usize, String), usize>,
    invoices: BTreeSet<String>,
}

/// A refund of an order's line.
#[derive(Debug, Clone)]
pub struct GivenBack {
    pub order: String,
    pub line: String,
    pub amount: i64,
}

/// Somebody whom leads and sales name.
#[derive(Debug)]
struct Person {
    brought: Brought,
    leads: Vec<SignUp>,
}

/// A click, and whose its link was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Brought {
    click: usize,
    link: Link,
    creator: Option<Creator>,
}

#[derive(Debug)]
struct SignUp {
    event: String,
    at: i64,
    by: Brought,
}

impl Order {
    fn newest(&self) -> &Telling {
        // Between tellings of one moment the larger wins.
        let newest = |told: &&Telling| {
            (
                told.updated,
                told.revenue,
                told.discounts,
                told.currency,
                told.lines.clone(),
            )
        };
        self.tellings.iter().max_by_key(newest).expect("told")
    }

    /// The newest that says something; of one age the larger.
    fn said<T: Clone + Ord>(&self, what: impl Fn(&Telling) -> Option<T>) -> Option<T> {
        let said = self
            .tellings
            .iter()
            .filter_map(|told| Some((told.updated, what(told)?)));
        said.max().map(|(_, value)| value)
    }

    fn codes_now(&self) -> Vec<String> {
        self.said(|told| (!told.codes.is_empty()).then(|| told.codes.clone()))
            .unwrap_or_default()
    }

    fn customer(&self) -> Option<(String, Option<Creator>)> {
        self.said(|told| told.customer.clone().map(|customer| (customer, told.customer_is)))
    }

    /// The creator who buys: by the address on the order, else by the customer's.
    fn buyer(&self) -> Option<Creator> {
        match self.said(|told| told.buyer.clone()) {
            Some((_, creator)) => creator,
            None => self.customer().and_then(|(_, creator)| creator),
        }
    }

    fn ordered(&self) -> i64 {
        self.tellings.iter().map(|told| told.ordered).min().expect("told")
    }

    fn is_cancelled(&self) -> bool {
        self.tellings.iter().any(|told| told.cancelled.is_some())
    }

    fn counts(&self) -> bool {
        let newest = self.newest();
        self.tellings.iter().any(|told| told.is_paid)
            && !self.tellings.iter().any(|told| told.is_test)
            && newest.revenue >= 0
    }
}

impl World {
    pub fn at(now: i64) -> Self {
        Self { now, ..Self::default() }
    }

    pub fn tell(&mut self, store: usize, id: &str, told: Telling) {
        let program = self.program;
        let key = (store, id.to_owned());
        let mut order = self.orders.remove(&key).unwrap_or_else(|| Order {
            program,
            ..Order::default()
        });
        if let Some(click) = told.click {
            self.show_click(&mut order, click);
        }
        let before = if order.tellings.is_empty() {
            Vec::new()
        } else {
            order.codes_now()
        };
        let ordered = told.ordered;
        order.tellings.push(told);
        let now = order.codes_now();
        if now != before {
            let shown = std::mem::take(&mut order.codes);
            for text in now {
                let folded = text.to_lowercase();
                if let Some(known) = shown.iter().find(|known| known.folded == folded) {
                    order.codes.push(known.clone());
                } else if let Some(code) = self.codes.iter().find(|code| code.folded == folded) {
                    let shown = self.show_code(code, ordered);
                    order.codes.push(shown);
                }
            }
        }
        self.orders.insert(key, order);
    }

    fn show_code(&self, code: &Code, ordered: i64) -> ShownCode {
        let (window, _, _, signals) = PROGRAMS[self.program];
        let own: Vec<&Owned> = self
            .links
            .iter()
            .filter(|link| link.is_alive && link.creator == Some(code.creator))
            .collect();
        let last = own.iter().filter_map(|link| link.last_person).max();
        let is_silent = !own.is_empty() && last.is_none_or(|last| ordered - last > i64::from(window) * DAY);
        let mut told = String::new();
        if code.is_reported {
            told.push('r');
        }
        if code.is_above_share {
            told.push('s');
        }
        if is_silent && signals.contains('n') {
            told.push('n');
        }
        if code.is_trusted {
            told.clear();
        }
        ShownCode {
            folded: code.folded.clone(),
            creator: code.creator,
            link: code.link.filter(|link| self.links[*link].is_alive),
            signals: told,
        }
    }

    fn show_click(&self, order: &mut Order, click: usize) {
        let clicked = &self.clicks[click];
        let link = &self.links[clicked.link];
        let before = || {
            let touch = |(link, at): &(Link, i64)| {
                let owned = &self.links[*link];
                (*link, owned.creator.filter(|_| owned.is_alive), at * 1000)
            };
            clicked.before.iter().map(touch).collect::<Vec<_>>()
        };
        if let Some(known) = order.clicks.iter_mut().find(|known| known.click == click) {
            if !known.is_whole && clicked.is_recorded {
                known.before = before();
                known.is_whole = true;
                known.is_from_coupons = clicked.is_from_coupons;
            }
            return;
        }
        // Whose a deleted link was, only the log can say.
        if !link.is_alive && !clicked.is_recorded {
            return;
        }
        order.clicks.push(ShownClick {
            click,
            creator: link.creator.filter(|_| link.is_alive),
            before: if clicked.is_recorded { before() } else { Vec::new() },
            is_from_coupons: clicked.is_recorded && clicked.is_from_coupons,
            is_whole: clicked.is_recorded,
        });
    }

    pub fn refund(&mut self, store: usize, refund: usize, told: GivenBack) {
        self.refunds.entry((store, refund)).or_insert(told);
    }

    pub fn rate(&mut self, from: &'static str, to: &'static str, days_ago: i64, rate: &str) {
        let (whole, fraction) = rate.split_once('.').expect("a decimal");
        let units = format!("{whole}{fraction:0<12}").parse().expect("digits");
        self.rates
            .insert((from, to, self.now.div_euclid(DAY) - days_ago), units);
    }

    /// In euro cents, half a cent to the even one; `None` when neither the order's day nor one of the seven before it has
    /// a rate.
    fn in_euros(&self, amount: i64, currency: &'static str, ordered: i64) -> Option<i64> {
        if currency == "EUR" {
            return Some(amount);
        }
        let day = ordered.div_euclid(DAY);
        let (over, under) = (0..=7).find_map(|age| {
            let of = |from, to| self.rates.get(&(from, to, day - age)).copied();
            let direct = of(currency, "EUR").map(|rate| (rate, 1_000_000_000_000));
            direct.or_else(|| of("EUR", currency).map(|rate| (1_000_000_000_000, rate)))
        })?;
        let cents_of_one = if currency == "JPY" { 100 } else { 1 };
        let (twice, under) = (2 * i128::from(amount) * over * cents_of_one, under);
        let floor = twice / (2 * under);
        let rest = twice % (2 * under);
        let is_up = rest > under || rest == under && floor % 2 == 1;
        i64::try_from(floor + i128::from(is_up)).ok()
    }

    /// Whose the link of a click is now; `None` = the link is gone.
    fn brought_by(&self, click: usize) -> Option<Brought> {
        let link = self.clicks[click].link;
        let owned = &self.links[link];
        owned.is_alive.then_some(Brought {
            click,
            link,
            creator: owned.creator,
        })
    }

    /// Whether the lead is taken.
    pub fn lead(&mut self, person: usize, click: Option<usize>, event: &str) -> bool {
        let own = click.map(|click| self.brought_by(click));
        if own == Some(None) {
            return false;
        }
        let known = self.people.get(&person).map(|known| known.brought);
        let Some(by) = own.flatten().or(known) else {
            return false;
        };
        self.sign_up(person, by, event);
        true
    }

    fn sign_up(&mut self, person: usize, by: Brought, event: &str) {
        let at = self.now;
        let known = self.people.entry(person).or_insert_with(|| Person {
            brought: by,
            leads: Vec::new(),
        });
        if !known.leads.iter().any(|lead| lead.event == event) {
            known.leads.push(SignUp {
                event: event.to_owned(),
                at,
                by,
            });
        }
    }

    /// What becomes of a sale: `Err` = refused, `Ok(false)` = answered, and nothing counted now.
    pub fn sale(
        &mut self,
        person: usize,
        customer: &str,
        click: Option<usize>,
        (store, id): (usize, &str),
        amount: i64,
    ) -> Result<bool, ()> {
        if amount <= 0 || self.invoices.contains(id) {
            return Ok(false);
        }
        if !self.people.contains_key(&person) {
            let Some(click) = click else { return Ok(false) };
            let by = self.brought_by(click).ok_or(())?;
            self.sign_up(person, by, "Sign up");
        }
        self.invoices.insert(id.to_owned());
        self.sales.insert((store, id.to_owned()), person);
        let brought = self.people[&person].brought.click;
        let sold = Telling {
            // Whatever a shop tells is newer.
            updated: i64::MIN,
            ordered: self.now,
            revenue: amount,
            discounts: 0,
            codes: Vec::new(),
            click: click.or(Some(brought)),
            customer: Some(customer.to_owned()),
            customer_is: None,
            buyer: None,
            is_paid: true,
            is_test: false,
            currency: "EUR",
            lines: Vec::new(),
            cancelled: None,
        };
        self.tell(store, id, sold);
        Ok(true)
    }

    /// The job looks at the codes: far more orders than the creator has clicks, or than their share of all.
    pub fn watch(&mut self) {
        let (window, _, _, heeded) = PROGRAMS[self.program];
        let since = self.now - i64::from(window) * DAY;
        if !heeded.contains('s') {
            return;
        }
        let counted = self
            .orders
            .values()
            .filter(|order| order.counts() && order.ordered() >= since);
        let shown: Vec<&str> = counted
            .filter_map(|order| order.codes.first())
            .map(|code| code.folded.as_str())
            .collect();
        let followed = self
            .clicks
            .iter()
            .filter(|click| click.is_recorded && !click.is_bot && click.at >= since && self.links[click.link].is_alive);
        let followed: Vec<Creator> = followed.filter_map(|click| self.links[click.link].creator).collect();
        let (all_orders, all_clicks) = (shown.len(), followed.len());
        for code in &mut self.codes {
            let orders = shown.iter().filter(|shown| **shown == code.folded).count();
            let clicks = followed
                .iter()
                .filter(|creator| **creator == code.creator)
                .count()
                .max(1);
            let is_above = orders >= 5 && orders > clicks
                || orders >= 20 && all_clicks > 0 && orders * all_clicks > 5 * clicks * all_orders;
            if is_above && !code.is_reported && !code.is_trusted {
                code.is_above_share = true;
            }
        }
    }

    /// Whether the brand's word is taken; then it is.
    pub fn rule(&mut self, store: usize, id: &str, is_release: bool) -> bool {
        let key = (store, id.to_owned());
        let Some(order) = self.orders.get(&key) else {
            return false;
        };
        if order.ruling.is_none() && self.verdict(store, id).state != "held" {
            return false;
        }
        let order = self.orders.get_mut(&key).expect("it is there");
        order.ruling = Some(is_release);
        true
    }

    /// What happened beside credit, and how often.
    pub fn also_seen(&self) -> [(&'static str, usize); 3] {
        let foreign = self.orders.values().filter(|order| order.newest().currency != "EUR");
        let is_rated = |order: &&Order| self.in_euros(1, order.newest().currency, order.ordered()).is_some();
        let (rated, unrated): (Vec<_>, Vec<_>) = foreign.partition(is_rated);
        [
            ("converted", rated.len()),
            ("without a rate", unrated.len()),
            ("told as a sale", self.sales.len()),
        ]
    }

    pub fn known(&self) -> Vec<(usize, String)> {
        self.orders.keys().cloned().collect()
    }

    /// The click that counts: the latest that came back.
    fn click_of<'a>(&self, order: &'a Order) -> Option<&'a ShownClick> {
        let latest = |shown: &&ShownClick| {
            let clicked = &self.clicks[shown.click];
            (clicked.at, clicked.id.clone())
        };
        order.clicks.iter().max_by_key(latest)
    }

    /// Who brought the customer within a year before, when, and by which link where that is known: by their latest earlier
    /// order, or by the first lead of the person whom a sale named, the later.
    fn past(&self, store: usize, id: &str, order: &Order) -> Option<(Creator, i64, Option<Link>)> {
        let by_order = self
            .past_order(store, id, order)
            .map(|(creator, at)| (creator, at, None));
        let by_lead = self.past_lead(store, id, order);
        match (by_order, by_lead) {
            (Some(order), Some(lead)) if lead.1 > order.1 => Some(lead),
            (order, lead) => order.or(lead),
        }
    }

    fn past_lead(&self, store: usize, id: &str, order: &Order) -> Option<(Creator, i64, Option<Link>)> {
        let person = self.sales.get(&(store, id.to_owned()))?;
        let first = self.people[person].leads.first()?;
        let age = order.ordered() - first.at;
        let is_near = (0..=365 * DAY).contains(&age);
        Some((first.by.creator.filter(|_| is_near)?, first.at, Some(first.by.link)))
    }

    fn past_order(&self, store: usize, id: &str, order: &Order) -> Option<(Creator, i64)> {
        let (customer, _) = order.customer()?;
        let place = (order.ordered(), id);
        let earlier = self.orders.iter().filter(|((other_store, other_id), other)| {
            *other_store == store
                && other.counts()
                && other.customer().is_some_and(|(name, _)| name == customer)
                && (other.ordered(), other_id.as_str()) < place
                && order.ordered() - other.ordered() <= 365 * DAY
        });
        let owned = earlier.filter_map(|((_, other_id), other)| {
            let owner = self.decide(other, None).creator?;
            Some(((other.ordered(), other_id.clone()), owner))
        });
        owned.max().map(|((at, _), owner)| (owner, at))
    }

    pub fn verdict(&self, store: usize, id: &str) -> Verdict {
        let order = &self.orders[&(store, id.to_owned())];
        self.decide(order, self.past(store, id, order))
    }

    fn suspects(&self, order: &Order, code: &ShownCode) -> bool {
        let (.., heeded) = PROGRAMS[order.program];
        let is_from_coupons = self.click_of(order).is_some_and(|click| click.is_from_coupons);
        code.signals.chars().any(|signal| heeded.contains(signal)) || is_from_coupons && heeded.contains('c')
    }

    fn decide(&self, order: &Order, past: Option<(Creator, i64, Option<Link>)>) -> Verdict {
        let (window, customer_window, kinds, _) = PROGRAMS[order.program];
        let ordered = order.ordered();
        let buyer = order.buyer();
        let click = self
            .click_of(order)
            .filter(|click| ordered - self.clicks[click.click].at <= i64::from(window) * DAY);
        let credited = |by, creator: Option<Creator>, link| {
            if creator.is_some() && creator == buyer {
                return Verdict {
                    state: "none",
                    by: Some(by),
                    creator: None,
                    link: None,
                };
            }
            let state = if creator.is_some() { "credited" } else { "none" };
            Verdict {
                state,
                by: Some(by),
                creator,
                link,
            }
        };
        for kind in kinds.chars() {
            match kind {
                'c' => {
                    for code in &order.codes {
                        let is_suspect = self.suspects(order, code);
                        if is_suspect && order.ruling == Some(false) {
                            continue;
                        }
                        if is_suspect && order.ruling.is_none() {
                            let is_backed = kinds.contains('k') && click.is_some_and(|click| !click.is_from_coupons);
                            if is_backed {
                                continue;
                            }
                            return Verdict {
                                state: "held",
                                by: Some('c'),
                                creator: None,
                                link: None,
                            };
                        }
                        let own = click.filter(|click| click.creator == Some(code.creator));
                        let link = own.map(|click| self.clicks[click.click].link).or(code.link);
                        return credited('c', Some(code.creator), link);
                    }
                }
                'k' => {
                    if let Some(click) = click {
                        return credited('k', click.creator, Some(self.clicks[click.click].link));
                    }
                }
                'u' => {
                    if let Some((creator, at, by_lead)) = past
                        && ordered - at <= i64::from(customer_window) * DAY
                    {
                        let own = click.filter(|click| click.creator == Some(creator));
                        let link = own.map(|click| self.clicks[click.click].link);
                        return credited('u', Some(creator), link.or(by_lead));
                    }
                }
                _ => {}
            }
        }
        Verdict {
            state: "none",
            by: None,
            creator: None,
            link: None,
        }
    }

    /// Who gets which weight of the order, oldest touch first, as fractions of 2^40.
    fn weights(&self, store: usize, id: &str, model: &str) -> Vec<(Receiver, i128)> {
        let order = &self.orders[&(store, id.to_owned())];
        let verdict = self.verdict(store, id);
        let nobody = vec![((None, None), 1)];
        if verdict.state == "held" {
            return nobody;
        }
        let (window, _, kinds, _) = PROGRAMS[order.program];
        let ordered = order.ordered();
        let buyer = order.buyer();
        let mut touches: Vec<(Receiver, i64)> = Vec::new();
        if let (true, Some(click)) = (kinds.contains('k'), self.click_of(order)) {
            let before = click.before.iter();
            touches.extend(before.map(|(link, creator, at)| ((*creator, Some(*link)), *at)));
            let clicked = &self.clicks[click.click];
            touches.push(((click.creator, Some(clicked.link)), clicked.at));
            touches.retain(|(_, at)| ordered - at <= i64::from(window) * DAY);
        }
        let by_code = verdict.by == Some('c');
        if by_code || verdict.by == Some('u') {
            let past = self.past(store, id, order);
            // Who decided, also where that is the buyer.
            let (creator, at) = match verdict.by {
                Some('c') => (self.deciding_code(order), ordered),
                _ => past.map(|(creator, at, _)| (Some(creator), at)).expect("it decided"),
            };
            let is_click_there = self
                .click_of(order)
                .is_some_and(|click| touches.last().is_some_and(|(_, at)| *at == self.clicks[click.click].at));
            let is_same = is_click_there && touches.last().is_some_and(|((last, _), _)| *last == creator);
            if !is_same {
                touches.push(((creator, verdict.link), at));
            }
        }
        if touches.is_empty() {
            return nobody;
        }
        let last_at = touches[touches.len() - 1].1;
        let count = touches.len();
        let weight = |place: usize, at: i64| -> i128 {
            match model {
                "last" => i128::from(place + 1 == count),
                "first" if by_code => i128::from(place + 1 == count),
                "first" => i128::from(place == 0),
                "linear" => 1,
                "time_decay" => {
                    let days = (last_at - at).max(0) / DAY;
                    let part = (2f64.powf(-(days % 7) as f64 / 7.0) * 2f64.powi(40)).round() as i128;
                    part >> (days / 7).min(100)
                }
                _ if count <= 2 => 1,
                _ if place == 0 || place + 1 == count => 2 * (count as i128 - 2),
                _ => 1,
            }
        };
        let with_weights = touches.iter().enumerate().map(|(place, ((creator, link), at))| {
            let is_own = creator.is_some() && *creator == buyer;
            let receiver = if is_own { (None, None) } else { (*creator, *link) };
            (receiver, weight(place, *at))
        });
        with_weights.filter(|(_, weight)| *weight > 0).collect()
    }

    /// The creator of the code that decided.
    fn deciding_code(&self, order: &Order) -> Option<Creator> {
        let stands = |code: &&ShownCode| !self.suspects(order, code) || order.ruling == Some(true);
        order.codes.iter().find(stands).map(|code| code.creator)
    }

    pub fn refunded(&self, store: usize, id: &str) -> i64 {
        let order = &self.orders[&(store, id.to_owned())];
        let revenue = order.newest().revenue.max(0);
        if order.is_cancelled() {
            return revenue;
        }
        let own = self
            .refunds
            .iter()
            .filter(|((of, _), told)| *of == store && told.order == id);
        own.map(|(_, told)| told.amount).sum::<i64>().min(revenue)
    }

    /// What of each line is given back: all once cancelled, else what refunds name of it, up to its worth.
    pub fn refunded_by_line(&self, store: usize, id: &str) -> Vec<i64> {
        let order = &self.orders[&(store, id.to_owned())];
        let of_line = |(line, worth): &(String, i64)| {
            let own = self
                .refunds
                .iter()
                .filter(|((of, _), told)| *of == store && told.order == id && told.line == *line);
            let sum: i64 = own.map(|(_, told)| told.amount).sum();
            if order.is_cancelled() { *worth } else { sum.min(*worth) }
        };
        order.newest().lines.iter().map(of_line).collect()
    }

    fn is_first(&self, store: usize, id: &str) -> Option<bool> {
        let order = &self.orders[&(store, id.to_owned())];
        let (customer, _) = order.customer()?;
        let place = (order.ordered(), id);
        Some(!self.orders.iter().any(|((other_store, other_id), other)| {
            *other_store == store
                && other.counts()
                && other.customer().is_some_and(|(name, _)| name == customer)
                && (other.ordered(), other_id.as_str()) < place
        }))
    }

    /// The report by creator, link and store.
    pub fn report(&self, model: &str, (start, end): (i64, i64)) -> Rows {
        let mut rows = Rows::new();
        for ((store, id), order) in &self.orders {
            if !order.counts() || !(start..end).contains(&order.ordered()) {
                continue;
            }
            let newest = order.newest();
            let euros = |amount| self.in_euros(amount, newest.currency, order.ordered());
            let (Some(revenue), Some(discounts), Some(refunded)) = (
                euros(newest.revenue),
                euros(newest.discounts),
                euros(self.refunded(*store, id)),
            ) else {
                // Without a rate it is left out, and counted where the last touch would have it.
                for (receiver, _) in self.weights(*store, id, "last") {
                    rows.entry((receiver, *store)).or_default()[6] += 1;
                }
                continue;
            };
            let is_first = self.is_first(*store, id);
            let weights = self.weights(*store, id, model);
            let only: Vec<i128> = weights.iter().map(|(_, weight)| *weight).collect();
            let gross = split(revenue, &only);
            let by_gross: Vec<i128> = gross.iter().map(|part| i128::from(*part)).collect();
            let columns = [
                split(1000, &only),
                split(if is_first == Some(true) { 1000 } else { 0 }, &only),
                split(if is_first == Some(false) { 1000 } else { 0 }, &only),
                gross,
                split(discounts, &only),
                split(refunded, &by_gross),
            ];
            for (place, (receiver, _)) in weights.iter().enumerate() {
                let row = rows.entry((*receiver, *store)).or_default();
                for (sum, column) in row.iter_mut().zip(&columns) {
                    *sum += column[place];
                }
            }
        }
        rows.retain(|_, row| *row != Row::default());
        rows
    }
}

/// Parts of `amount` by weight; what rounding leaves goes one by one to the largest remainder, the earliest first.
fn split(amount: i64, weights: &[i128]) -> Vec<i64> {
    let sum: i128 = weights.iter().sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let mut parts: Vec<i128> = weights.iter().map(|weight| i128::from(amount) * weight / sum).collect();
    let mut rests: Vec<i128> = weights.iter().map(|weight| i128::from(amount) * weight % sum).collect();
    while parts.iter().sum::<i128>() < i128::from(amount) {
        let largest = rests.iter().copied().max().expect("a part");
        let place = rests
            .iter()
            .position(|rest| *rest == largest)
            .expect("it is one of them");
        parts[place] += 1;
        rests[place] = -1;
    }
    parts
        .into_iter()
        .map(|part| i64::try_from(part).expect("it fits"))
        .collect()
}
