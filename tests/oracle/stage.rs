//! Where a history is played: to the program's flows and to the oracle, one step after the other.

use std::collections::HashMap;

use hopcart::domain::attribution::{EvidenceKind, LeakSignal, Model, Ruling};
use hopcart::domain::click::{Click, ClickFlags};
use hopcart::domain::creator::Creator;
use hopcart::domain::discount_code::DiscountCode;
use hopcart::domain::id::{LinkNo, WorkspaceNo};
use hopcart::domain::link::Link;
use hopcart::domain::order::{OrderEvent, OrderLine, OrderSnapshot, Refund, RefundLine};
use hopcart::domain::outside::Clock;
use hopcart::domain::performance::Sales;
use hopcart::domain::store::Store;
use hopcart::domain::time::Timestamp;
use hopcart::domain::visitor::Touch;
use hopcart::flows::accept_order::Accepted;
use hopcart::flows::set_program::ProgramChange;

use crate::rooms::Rooms;
use crate::rules::{Clicked, Code, GivenBack, Owned, Row, Rows, Telling, World};
use crate::step::{
    CODE_LISTS, CODES, CREATORS, CURRENCIES, CUSTOMERS, EVENTS, JARS, LINES, LINKS, ORDERS, PROGRAMS, RATES,
    REFUND_LINES, RUSH, STORES, Step, Told,
};

/// 2026-11-21T21:30:00Z.
const START: i64 = 1_795_296_600_000;
const HOUR: i64 = 3_600_000;
/// Touches that a cookie keeps.
const COOKIE_TOUCHES: usize = 8;

pub struct Stage {
    rooms: Rooms,
    histories: usize,
}

/// One history on the stage.
struct Play<'a> {
    rooms: &'a mut Rooms,
    world: World,
    workspace: WorkspaceNo,
    creators: Vec<Creator>,
    links: Vec<Link>,
    stores: Vec<Store>,
    codes: Vec<DiscountCode>,
    jars: Vec<Vec<(usize, i64)>>,
    late: Vec<(usize, Click)>,
    sent: Vec<(usize, String, OrderEvent, Again)>,
    deliveries: usize,
}

/// What the oracle has to be told when a delivery comes again.
#[derive(Clone)]
enum Again {
    Order(String, Telling),
    Refund(usize, GivenBack),
}

impl Stage {
    pub fn new() -> Self {
        Self {
            rooms: Rooms::open(Timestamp(START)),
            histories: 0,
        }
    }

    /// Plays `steps`; what each order came to. Panics at the first difference.
    pub fn play(&mut self, steps: &[Step]) -> Vec<String> {
        self.histories += 1;
        let now = self.rooms.clock.now();
        self.rooms.clock.advance(Timestamp(START).since(now));
        let mut play = Play::set_up(&mut self.rooms, self.histories);
        for step in steps {
            play.step(*step);
        }
        play.compare()
    }
}

fn program(place: usize) -> ProgramChange {
    let (window, customers, kinds, signals) = PROGRAMS[place];
    let kind = |letter| match letter {
        's' => EvidenceKind::SingleUseCode,
        'c' => EvidenceKind::CreatorCode,
        'k' => EvidenceKind::Click,
        _ => EvidenceKind::Customer,
    };
    let signal = |letter| match letter {
        'n' => LeakSignal::NoClicks,
        'c' => LeakSignal::CouponSite,
        's' => LeakSignal::ClickShare,
        _ => LeakSignal::Reported,
    };
    ProgramChange {
        window_days: Some(window),
        customer_window_days: Some(customers),
        evidence_order: Some(kinds.chars().map(kind).collect()),
        leak_signals: Some(signals.chars().map(signal).collect()),
        model: None,
    }
}

impl<'a> Play<'a> {
    fn set_up(rooms: &'a mut Rooms, number: usize) -> Self {
        let workspace = rooms.workspace(&format!("Brand {number}"));
        let creator = |place: usize| rooms.creator(workspace, &format!("C{place}"), &format!("c{place}@brand.example"));
        let creators: Vec<Creator> = (0..CREATORS).map(creator).collect();
        let mut world = World::at(START);
        let mut links = Vec::new();
        for place in 0..LINKS {
            // The third creator has no link at first, and one link is nobody's.
            let owner = [Some(0), Some(0), Some(1), Some(1), None][place];
            links.push(rooms.link(workspace, owner.map(|owner| creators[owner].id.clone())));
            world.links.push(Owned {
                creator: owner,
                is_alive: true,
                last_person: None,
            });
        }
        let mut codes = Vec::new();
        for (place, (text, creator)) in CODES.into_iter().enumerate() {
            // The first code belongs to a link.
            let link = (place == 0).then_some(0);
            let id = link.map(|link: usize| links[link].id.clone());
            codes.push(rooms.code(workspace, text, &creators[creator].id, id));
            world.codes.push(Code {
                folded: text.to_lowercase(),
                creator,
                link,
                is_reported: false,
                is_above_share: false,
                is_trusted: false,
            });
        }
        let stores = (0..STORES).map(|_| rooms.store(workspace)).collect();
        Self {
            rooms,
            world,
            workspace,
            creators,
            links,
            stores,
            codes,
            jars: vec![Vec::new(); JARS],
            late: Vec::new(),
            sent: Vec::new(),
            deliveries: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(hours) => {
                self.rooms.clock.advance(hours * HOUR + 777);
                self.world.now += hours * HOUR + 777;
            }
            Step::Follow {
                link,
                jar,
                is_bot,
                is_from_coupons,
                is_late,
            } => self.follow(link, jar, is_bot, is_from_coupons, is_late),
            Step::Record => {
                let late = std::mem::take(&mut self.late);
                for (place, click) in &late {
                    self.note_record(*place, click);
                }
                self.rooms.record(late.into_iter().map(|(_, click)| click).collect());
            }
            Step::Give { link, creator } if self.world.links[link].is_alive => {
                let id = creator.map(|creator| self.creators[creator].id.clone());
                self.rooms.give_link(self.workspace, &self.links[link].id, id);
                self.world.links[link].creator = creator;
            }
            Step::Delete { link } if self.world.links[link].is_alive => {
                self.rooms.delete_link(self.workspace, &self.links[link].id);
                self.world.links[link].is_alive = false;
            }
            Step::Give { .. } | Step::Delete { .. } => {}
            Step::Tell(told) => self.tell(told),
            Step::Refund {
                store,
                order,
                refund,
                amount,
                line,
            } => self.refund(store, refund, order, amount, REFUND_LINES[line]),
            Step::Again { delivery, is_new_id } => self.again(delivery, is_new_id),
            Step::Mark { code, how } => {
                let leak = (how == 0).then_some(LeakSignal::Reported);
                self.rooms.mark_code(&self.codes[code], leak, how == 2);
                self.world.codes[code].is_reported = how == 0;
                self.world.codes[code].is_above_share = false;
                self.world.codes[code].is_trusted = how == 2;
            }
            Step::Program(place) => {
                self.rooms.change_program(self.workspace, program(place));
                self.world.program = place;
            }
            Step::Rule {
                store,
                order,
                is_release,
            } => self.rule(store, order, is_release),
            Step::Restart { is_kill } => self.rooms.restart(is_kill),
            Step::Crowd { link, people } => self.crowd(link, people),
            Step::Rush { store, codes } => self.rush(store, codes),
            Step::Watch => {
                self.rooms.watch_codes();
                self.world.watch();
            }
            Step::Rate {
                currency,
                is_inverse,
                days_ago,
                rate,
            } => {
                let (from, to) = match is_inverse {
                    false => (CURRENCIES[currency], "EUR"),
                    true => ("EUR", CURRENCIES[currency]),
                };
                self.rooms.load_rate(self.workspace, (from, to), days_ago, RATES[rate]);
                self.world.rate(from, to, days_ago, RATES[rate]);
            }
            Step::Lead { person, click, event } => self.lead(person, click, EVENTS[event]),
            Step::Sale {
                person,
                click,
                store,
                order,
                amount,
            } => self.sale(person, click, (store, order), amount),
        }
    }

    fn follow(&mut self, link: usize, jar: Option<usize>, is_bot: bool, is_from_coupons: bool, is_late: bool) {
        if !self.world.links[link].is_alive {
            return;
        }
        self.rooms.clock.advance(61_000);
        self.world.now += 61_000;
        let before = jar.map(|jar| self.jars[jar].clone()).unwrap_or_default();
        let touch = |(link, seconds): &(usize, i64)| Touch {
            link: self.links[*link].no,
            seconds: u32::try_from(*seconds).expect("a second"),
        };
        let referrer = if is_from_coupons {
            "https://www.retailmenot.com/moss"
        } else {
            "https://t.co/"
        };
        let click = Click {
            workspace: self.workspace,
            link: self.links[link].no,
            flags: if is_bot { ClickFlags::BOT } else { ClickFlags::default() },
            visitor: jar.map_or(0, |jar| jar as u64 + 1),
            referrer: referrer.into(),
            journey: before.iter().map(touch).collect(),
            ..Click::default()
        };
        let (click, id) = self.rooms.click(click);
        let place = self.world.clicks.len();
        self.world.clicks.push(Clicked {
            id,
            link,
            at: self.world.now,
            before,
            is_from_coupons,
            is_recorded: false,
            is_bot,
        });
        if is_late {
            self.late.push((place, click));
        } else {
            self.note_record(place, &click);
            self.rooms.record(vec![click]);
        }
        if let Some(jar) = jar {
            let jar = &mut self.jars[jar];
            jar.retain(|(other, _)| *other != link);
            jar.push((link, self.world.now / 1000));
            if jar.len() > COOKIE_TOUCHES {
                jar.remove(0);
            }
        }
    }

    fn note_record(&mut self, place: usize, click: &Click) {
        let clicked = &mut self.world.clicks[place];
        clicked.is_recorded = true;
        if !click.flags.has(ClickFlags::BOT) {
            let link = &mut self.world.links[clicked.link];
            link.last_person = link.last_person.max(Some(clicked.at));
        }
    }

    /// People without a cookie, of one moment.
    fn crowd(&mut self, link: usize, people: usize) {
        if !self.world.links[link].is_alive {
            return;
        }
        let mut batch = Vec::new();
        for _ in 0..people {
            let click = Click {
                workspace: self.workspace,
                link: self.links[link].no,
                ..Click::default()
            };
            let (click, id) = self.rooms.click(click);
            self.world.clicks.push(Clicked {
                id,
                link,
                at: self.world.now,
                before: Vec::new(),
                is_from_coupons: false,
                is_recorded: true,
                is_bot: false,
            });
            batch.push(click);
        }
        self.world.links[link].last_person = Some(self.world.now);
        self.rooms.record(batch);
    }

    /// Orders of one moment, of nobody who is known.
    fn rush(&mut self, store: usize, codes: usize) {
        for place in 0..RUSH {
            let told = Told {
                store,
                order: 0,
                updated: 0,
                hours_ago: 0,
                revenue: 100,
                discounts: 0,
                codes,
                click: None,
                customer: None,
                buyer: None,
                is_paid: true,
                is_test: false,
                currency: 0,
                lines: 0,
                cancelled: None,
            };
            self.tell_as((2_000 + place).to_string(), told);
        }
    }

    fn lead(&mut self, person: usize, click: Option<usize>, event: &str) {
        let click = click.filter(|click| *click < self.world.clicks.len());
        let id = click.map(|click| self.world.clicks[click].id.clone());
        let is_taken = self.rooms.lead(self.workspace, &name(person), id, event);
        let expected = self.world.lead(person, click, event);
        assert_eq!(is_taken, expected, "whether a lead of person {person} is taken");
    }

    fn sale(&mut self, person: usize, click: Option<usize>, (store, order): (usize, usize), amount: i64) {
        let click = click.filter(|click| *click < self.world.clicks.len());
        let id = (1_000 + order).to_string();
        let text = click.map(|click| self.world.clicks[click].id.clone());
        let sold = self
            .rooms
            .sale(self.workspace, &name(person), text, (&self.stores[store], &id), amount);
        let expected = self.world.sale(person, &name(person), click, (store, &id), amount);
        assert_eq!(sold, expected, "what becomes of a sale of person {person}");
    }

    fn tell(&mut self, told: Told) {
        self.tell_as((1_000 + told.order % ORDERS).to_string(), told);
    }

    fn tell_as(&mut self, id: String, told: Told) {
        let ordered = self.world.now - told.hours_ago * HOUR;
        let click = told.click.filter(|click| *click < self.world.clicks.len());
        let creator = told.customer.and_then(|customer| customer.checked_sub(CUSTOMERS));
        let customer = told.customer.map(|customer| match creator {
            Some(creator) => self
                .rooms
                .customer(self.workspace, &format!("C{creator}@brand.example")),
            None => name(customer),
        });
        let buyer = told.buyer.map(|buyer| {
            let address = self.rooms.customer(self.workspace, &format!("C{buyer}@brand.example"));
            (address, (buyer < CREATORS).then_some(buyer))
        });
        let codes: Vec<String> = CODE_LISTS[told.codes].iter().map(ToString::to_string).collect();
        let telling = Telling {
            updated: told.updated,
            ordered,
            revenue: told.revenue,
            discounts: told.discounts,
            codes: codes.clone(),
            click,
            customer: customer.clone(),
            customer_is: creator,
            buyer: buyer.clone(),
            is_paid: told.is_paid,
            is_test: told.is_test,
            currency: CURRENCIES[told.currency],
            lines: LINES[told.lines]
                .iter()
                .map(|(line, worth)| ((*line).to_owned(), *worth))
                .collect(),
            cancelled: told.cancelled,
        };
        let snapshot = OrderSnapshot {
            external_id: id.clone(),
            name: format!("#{id}"),
            ordered_at: Timestamp(ordered),
            updated_at: Timestamp(START + told.updated * HOUR),
            currency: CURRENCIES[told.currency].to_owned(),
            revenue: told.revenue,
            discounts: told.discounts,
            is_test: told.is_test,
            is_paid: told.is_paid,
            cancelled_at: told.cancelled.map(|hours| Timestamp(START + hours)),
            customer,
            buyer: buyer.map(|(address, _)| address),
            codes,
            click_id: click.map(|click| self.world.clicks[click].id.clone()),
            lines: LINES[told.lines]
                .iter()
                .map(|(line, worth)| order_line(line, *worth))
                .collect(),
        };
        self.send(told.store, OrderEvent::Order(snapshot), Again::Order(id, telling));
    }

    fn refund(&mut self, store: usize, refund: usize, order: usize, amount: i64, line: &str) {
        let id = (1_000 + order).to_string();
        let event = OrderEvent::Refund(Refund {
            external_id: format!("r{refund}"),
            order_external_id: id.clone(),
            at: Timestamp(self.world.now),
            is_running_total: false,
            lines: vec![RefundLine {
                line_external_id: line.to_owned(),
                quantity: 1,
                amount,
            }],
        });
        let told = GivenBack {
            order: id,
            line: line.to_owned(),
            amount,
        };
        self.send(store, event, Again::Refund(refund, told));
    }

    fn send(&mut self, store: usize, event: OrderEvent, again: Again) {
        self.deliveries += 1;
        let id = format!("d{}", self.deliveries);
        self.rooms.deliver(&self.stores[store], &id, vec![event.clone()]);
        self.tell_oracle(store, again.clone());
        self.sent.push((store, id, event, again));
    }

    fn tell_oracle(&mut self, store: usize, again: Again) {
        match again {
            Again::Order(id, telling) => self.world.tell(store, &id, telling),
            Again::Refund(refund, told) => self.world.refund(store, refund, told),
        }
    }

    fn again(&mut self, delivery: usize, is_new_id: bool) {
        if self.sent.is_empty() {
            return;
        }
        let (store, id, event, again) = self.sent[delivery % self.sent.len()].clone();
        if is_new_id {
            self.send(store, event, again);
        } else {
            let accepted = self.rooms.deliver(&self.stores[store], &id, vec![event]);
            assert_eq!(accepted, Accepted::Unchanged, "a delivery that was seen");
        }
    }

    fn rule(&mut self, store: usize, order: usize, is_release: bool) {
        let id = (1_000 + order).to_string();
        let Some(row) = self.rooms.order(&self.stores[store], &id) else {
            return;
        };
        let ruling = if is_release { Ruling::Release } else { Ruling::Refuse };
        let is_taken = self.rooms.rule(self.workspace, &row.id, ruling);
        assert_eq!(
            is_taken,
            self.world.rule(store, &id, is_release),
            "whether order {id} of store {store} may be ruled on"
        );
    }

    fn compare(&self) -> Vec<String> {
        let mut seen = Vec::new();
        for (store, id) in self.world.known() {
            let row = self
                .rooms
                .order(&self.stores[store], &id)
                .expect("an order that was told");
            let expected = self.world.verdict(store, &id);
            let credit = row.order.credit;
            let by = credit.by.map(|kind| match kind {
                EvidenceKind::SingleUseCode => 's',
                EvidenceKind::CreatorCode => 'c',
                EvidenceKind::Click => 'k',
                EvidenceKind::Customer => 'u',
            });
            let creators = self.creators.iter().map(|creator| creator.no);
            let creator = creators.enumerate().find(|(_, no)| Some(*no) == credit.creator);
            let found = (
                credit.state.as_str(),
                by,
                creator.map(|(place, _)| place),
                credit.link.map(|no| self.place_of(no)),
            );
            let expected = (expected.state, expected.by, expected.creator, expected.link);
            assert_eq!(
                found, expected,
                "order {id} of store {store}: found, expected; {row:#?}"
            );
            assert_eq!(
                row.refunded,
                self.world.refunded(store, &id),
                "refunded of order {id} of store {store}"
            );
            assert_eq!(
                self.rooms.refunded_by_line(&self.stores[store], &row),
                self.world.refunded_by_line(store, &id),
                "refunded lines of order {id} of store {store}"
            );
            let by = credit.by.map_or("nothing".to_owned(), |kind| format!("{kind:?}"));
            let split = if credit.is_split { ", split" } else { "" };
            seen.push(format!("{} by {by}{split}", credit.state.as_str()));
        }
        let leaks = self.rooms.leaks(self.workspace);
        for (code, leak) in self.world.codes.iter().zip(leaks) {
            let expected = match (code.is_reported, code.is_above_share) {
                (true, _) => Some(LeakSignal::Reported),
                (_, true) => Some(LeakSignal::ClickShare),
                _ => None,
            };
            assert_eq!(leak, expected, "what speaks against {code:?}");
            seen.extend(leak.map(|leak| format!("leak: {leak:?}")));
        }
        let day = 24 * HOUR;
        let now = self.world.now;
        for (what, count) in self.world.also_seen() {
            seen.extend((0..count).map(|_| what.to_owned()));
        }
        for span in [
            (0, now + 1_000 * day),
            (START - 20 * day, now - 5 * day),
            (START + 7 * HOUR, START + 9 * HOUR),
        ] {
            for model in Model::ALL {
                let expected = self.world.report(model.as_str(), span);
                assert_eq!(self.report(model, span), expected, "{model:?} within {span:?}");
            }
        }
        seen
    }

    fn place_of(&self, no: LinkNo) -> usize {
        self.links
            .iter()
            .position(|link| link.no == no)
            .expect("a link of the history")
    }

    fn report(&self, model: Model, span: (i64, i64)) -> Rows {
        let creators: HashMap<_, usize> = self
            .creators
            .iter()
            .enumerate()
            .map(|(place, creator)| (creator.no, place))
            .collect();
        let rows = self.rooms.sales(self.workspace, span, model).into_iter();
        let rows = rows.map(|(source, sales)| {
            let store = self.stores.iter().position(|store| store.no == source.store);
            let receiver = (
                source.creator.map(|no| creators[&no]),
                source.link.map(|no| self.place_of(no)),
            );
            assert!(sales.net_revenue() >= 0, "{sales:?}");
            ((receiver, store.expect("a store of the history")), row(&sales))
        });
        rows.collect()
    }
}

/// How shop and brand call a person.
fn name(person: usize) -> String {
    format!("person-{person}")
}

fn order_line(line: &str, worth: i64) -> OrderLine {
    OrderLine {
        external_id: line.to_owned(),
        quantity: 1,
        amount: worth,
        ..OrderLine::default()
    }
}

fn row(sales: &Sales) -> Row {
    let milli = |count: u64| i64::try_from(count).expect("it fits");
    [
        milli(sales.orders_milli),
        milli(sales.new_customers_milli),
        milli(sales.returning_customers_milli),
        sales.gross_revenue,
        sales.discounts,
        sales.refunds,
        milli(sales.unconverted),
    ]
}
