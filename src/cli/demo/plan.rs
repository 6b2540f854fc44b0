//! The day at the shop, drawn up before anything is sent: who taps what, in which order, and who buys.
//!
//! A plan follows from its seed alone, so that what must be seen in the end does not depend on timing.

use super::brand::{Cast, Creator, Product};
use super::chance::Chance;
use super::order::{Code, Line, Order};
use super::people::{Person, follower, program};
use crate::domain::money::{Currency, currency};

/// Of all follows, in percent: programs, HEAD requests, prefetches. The rest is people.
const PROGRAM_PERCENT: u64 = 8;
const HEAD_PERCENT: u64 = 2;
const PREFETCH_PERCENT: u64 = 2;
/// Of people, in percent: those who tap twice, and those who follow another creator's link later.
const REPEAT_PERCENT: u64 = 6;
const RETURN_PERCENT: u64 = 18;
/// Of people, in percent: those who buy, of a micro-influencer's followers and of a celebrity's. (Some tap more than
/// once, so that about 8 in a hundred taps on micro-influencers' links end in an order.)
const MICRO_ORDER_PERCENT: u64 = 10;
const CELEBRITY_ORDER_PERCENT: u64 = 1;
/// Of orders, in percent: those of which a part comes back, and those by somebody who bought before.
const REFUND_PERCENT: u64 = 6;
const KNOWN_CUSTOMER_PERCENT: u64 = 10;
/// First ids of the shop's orders and customers.
const FIRST_ORDER: u64 = 5_600_000_001_001;
const FIRST_CUSTOMER: u64 = 7_100_000_000_001;

/// Everything that will be sent.
pub struct Plan {
    pub journeys: Vec<Journey>,
    /// Number of follows in them.
    pub follows: u64,
}

/// What one person or program does, in order, on one device.
pub struct Journey {
    pub person: Person,
    pub steps: Vec<Step>,
    /// Orders after the last step.
    pub purchases: Vec<Purchase>,
}

/// One follow.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Place of the creator in the cast.
    pub creator: usize,
    pub kind: Kind,
}

/// Whether the link of the creator at this place of the cast shows its landing page first: every fourth does.
pub fn lands_on_page(creator: usize) -> bool {
    creator % 4 == 1
}

/// What a follow must be counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Tap,
    Repeat,
    Program,
    Head,
    Prefetch,
}

/// An order and everything that the shop tells about it.
pub struct Purchase {
    pub order: Order,
    /// Place of the creator who must be credited.
    pub credited: usize,
    /// Whether the click id comes back on the order.
    pub carries_click: bool,
    pub deliveries: Vec<Delivery>,
}

/// One webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// `orders/create`: not paid yet.
    Created,
    /// `orders/paid`.
    Paid,
    /// The same delivery again: same id, same body.
    PaidAgain,
    /// The same state under a new delivery id.
    PaidUnderNewId,
    /// `refunds/create`.
    Refund,
    /// `orders/paid` with a signature of somebody else: must be refused.
    Forged,
}

/// Draws up a plan of `follows` follows.
pub fn draw(cast: &Cast, seed: u64, follows: u64) -> Plan {
    let mut draft = Draft {
        cast,
        chance: Chance::new(seed),
        weights: weights(&cast.creators),
        people: 0,
        orders: 0,
        customers: Vec::new(),
    };
    let mut plan = Plan {
        journeys: Vec::new(),
        follows: 0,
    };
    while plan.follows < follows {
        let room = usize::try_from(follows - plan.follows).unwrap_or(usize::MAX);
        let journey = draft.journey(room);
        plan.follows += u64::try_from(journey.steps.len()).unwrap_or(0);
        plan.journeys.push(journey);
    }
    plan
}

/// How often each creator is followed: the n-th largest about 1/n times as often as the largest (Zipf).
fn weights(creators: &[Creator]) -> Vec<u64> {
    let rank = |creator: &Creator| {
        creators
            .iter()
            .filter(|other| other.followers > creator.followers)
            .count()
    };
    creators
        .iter()
        .map(|creator| (1_000_000.0 / f64::from(u32::try_from(rank(creator)).unwrap_or(0) + 1).powf(0.9)) as u64)
        .collect()
}

fn line(product: &Product, quantity: i64) -> Line {
    Line {
        sku: product.sku.clone(),
        variant_id: product.variant_id.clone(),
        title: product.title.clone(),
        price: product.price,
        quantity,
    }
}

/// A plan that is being drawn.
struct Draft<'a> {
    cast: &'a Cast,
    chance: Chance,
    weights: Vec<u64>,
    people: u32,
    orders: u64,
    /// Those who bought, in order.
    customers: Vec<u64>,
}

impl Draft<'_> {
    /// A journey of at most `room` steps.
    fn journey(&mut self, room: usize) -> Journey {
        self.people += 1;
        let creator = self.chance.weighted(&self.weights);
        let draw = self.chance.below(100);
        if draw < PROGRAM_PERCENT {
            return self.single(creator, Kind::Program);
        } else if draw < PROGRAM_PERCENT + HEAD_PERCENT {
            return self.single(creator, Kind::Head);
        } else if draw < PROGRAM_PERCENT + HEAD_PERCENT + PREFETCH_PERCENT {
            return self.single(creator, Kind::Prefetch);
        }
        let person = self.follower(creator);
        let tap = |creator| Step {
            creator,
            kind: Kind::Tap,
        };
        let mut steps = vec![tap(creator)];
        // Somebody who opted out cannot be recognised, so their second tap would count as another person's.
        if !person.is_opted_out && self.chance.happens(REPEAT_PERCENT) {
            steps.push(Step {
                creator,
                kind: Kind::Repeat,
            });
        }
        if self.chance.happens(RETURN_PERCENT) {
            let other = self.chance.weighted(&self.weights);
            steps.extend((other != creator).then(|| tap(other)));
        }
        steps.truncate(room);
        let purchases = self.purchases(&person, &steps);
        Journey {
            person,
            steps,
            purchases,
        }
    }

    fn follower(&mut self, creator: usize) -> Person {
        let platform = &self.cast.creators[creator].platform;
        follower(platform, self.people, &mut self.chance)
    }

    fn single(&mut self, creator: usize, kind: Kind) -> Journey {
        let person = match kind {
            Kind::Program => program(self.people, &mut self.chance),
            _ => self.follower(creator),
        };
        Journey {
            person,
            steps: vec![Step { creator, kind }],
            purchases: Vec::new(),
        }
    }

    fn purchases(&mut self, person: &Person, steps: &[Step]) -> Vec<Purchase> {
        let Some(last) = steps.last() else { return Vec::new() };
        let percent = if self.cast.creators[last.creator].is_celebrity() {
            CELEBRITY_ORDER_PERCENT
        } else {
            MICRO_ORDER_PERCENT
        };
        if !self.chance.happens(percent) {
            return Vec::new();
        }
        let purchase = self.purchase(person, last.creator);
        let is_followed_by_test = self.orders % 40 == 5;
        let test = is_followed_by_test.then(|| self.test_order(last.creator));
        [Some(purchase), test].into_iter().flatten().collect()
    }

    fn purchase(&mut self, person: &Person, clicked: usize) -> Purchase {
        let evidence = self.chance.below(100);
        let carries_click = !person.is_opted_out && evidence < 85;
        let has_code = !carries_click || evidence < 63;
        // A few use the code of a creator whom they heard of first: the code wins over the click.
        let credited = if has_code && self.chance.happens(4) {
            self.chance.weighted(&self.weights)
        } else {
            clicked
        };
        let mut order = self.order(clicked);
        if has_code {
            let creator = &self.cast.creators[credited];
            order.code = Some(Code {
                text: creator.code.clone(),
                percent: creator.percent,
            });
        }
        if self.chance.happens(REFUND_PERCENT) {
            order.refund = Some((self.chance.place_in(&order.lines), 1));
        }
        let deliveries = self.deliveries(order.refund.is_some());
        Purchase {
            order,
            credited,
            carries_click,
            deliveries,
        }
    }

    /// An order of what the creator's link put into the cart, sometimes more of it, sometimes something else too.
    fn order(&mut self, clicked: usize) -> Order {
        self.orders += 1;
        let mut lines: Vec<Line> = Vec::new();
        for product in self.cast.buyable(&self.cast.creators[clicked]) {
            let quantity = if self.chance.happens(25) { 2 } else { 1 };
            lines.push(line(product, quantity));
        }
        if self.chance.happens(30) {
            let product = &self.cast.products[self.chance.place_in(&self.cast.products)];
            if !product.is_sold_out() && lines.iter().all(|line| line.sku != product.sku) {
                lines.push(line(product, 1));
            }
        }
        Order {
            id: FIRST_ORDER + self.orders,
            customer: self.customer(),
            currency: currency(&self.cast.brand.currency).unwrap_or(Currency::EUR),
            lines,
            code: None,
            is_test: false,
            refund: None,
        }
    }

    fn customer(&mut self) -> u64 {
        if !self.customers.is_empty() && self.chance.happens(KNOWN_CUSTOMER_PERCENT) {
            return self.chance.one_of(&self.customers);
        }
        let customer = FIRST_CUSTOMER + self.customers.len() as u64;
        self.customers.push(customer);
        customer
    }

    /// What brands do first: an order that is marked as a test and must not be in the numbers.
    fn test_order(&mut self, clicked: usize) -> Purchase {
        let mut order = self.order(clicked);
        order.is_test = true;
        // A customer of its own, or the next real order of that customer would no longer be the first.
        order.customer = FIRST_CUSTOMER - self.orders;
        Purchase {
            order,
            credited: clicked,
            carries_click: true,
            deliveries: vec![Delivery::Paid],
        }
    }

    fn deliveries(&mut self, has_refund: bool) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        if self.orders % 30 == 7 {
            deliveries.push(Delivery::Forged);
        }
        if self.chance.happens(20) {
            deliveries.push(Delivery::Created);
        }
        deliveries.push(Delivery::Paid);
        if has_refund {
            // Refunds sometimes overtake their order.
            let place = if self.chance.happens(15) { 0 } else { deliveries.len() };
            deliveries.insert(place, Delivery::Refund);
        }
        match self.orders % 9 {
            2 => deliveries.push(Delivery::PaidAgain),
            6 => deliveries.push(Delivery::PaidUnderNewId),
            _ => {}
        }
        deliveries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64, follows: u64) -> Plan {
        draw(&Cast::read().expect("good files"), seed, follows)
    }

    fn count(plan: &Plan, kind: Kind) -> u64 {
        let steps = plan.journeys.iter().flat_map(|journey| &journey.steps);
        steps.filter(|step| step.kind == kind).count() as u64
    }

    #[test]
    fn a_plan_has_the_size_and_the_shares_that_were_asked_for() {
        let plan = plan(1, 6_000);
        assert_eq!(plan.follows, 6_000);
        let kinds = [Kind::Tap, Kind::Repeat, Kind::Program, Kind::Head, Kind::Prefetch];
        assert_eq!(kinds.map(|kind| count(&plan, kind)).iter().sum::<u64>(), 6_000);
        assert!((4_800..5_400).contains(&count(&plan, Kind::Tap)));
        for (kind, least) in [
            (Kind::Repeat, 150),
            (Kind::Program, 300),
            (Kind::Head, 60),
            (Kind::Prefetch, 60),
        ] {
            assert!(count(&plan, kind) > least, "{kind:?}: {}", count(&plan, kind));
        }
        let purchases = plan.journeys.iter().flat_map(|journey| &journey.purchases);
        let deliveries: Vec<Delivery> = purchases.flat_map(|purchase| purchase.deliveries.clone()).collect();
        use Delivery as D;
        for delivery in [
            D::Created,
            D::Paid,
            D::PaidAgain,
            D::PaidUnderNewId,
            D::Refund,
            D::Forged,
        ] {
            assert!(deliveries.contains(&delivery), "{delivery:?}");
        }
    }

    #[test]
    fn the_seed_decides_everything() {
        let told = |seed| {
            let plan = plan(seed, 500);
            let orders = plan.journeys.iter().flat_map(|journey| &journey.purchases);
            orders
                .map(|purchase| (purchase.credited, purchase.order.subtotal()))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(3), told(3));
        assert_ne!(told(3), told(4));
    }

    #[test]
    fn nobody_repeats_by_accident() {
        for journey in plan(2, 3_000).journeys {
            let mut tapped = Vec::new();
            for (place, step) in journey.steps.iter().enumerate() {
                match step.kind {
                    Kind::Repeat => assert_eq!(journey.steps[place - 1].creator, step.creator),
                    _ => assert!(!tapped.contains(&step.creator), "{:?}", journey.steps),
                }
                tapped.push(step.creator);
            }
            let is_opted_out = journey.person.is_opted_out;
            assert!(!(is_opted_out && journey.purchases.iter().any(|p| p.carries_click && !p.order.is_test)));
        }
    }
}
