//! Orders and refunds as shops tell them, and what an order is worth.
//!
//! Deliveries come in any order and more than once: [`merge`] makes the same order of them whatever the order was.
//! Shops tell the tax of an order, but rarely that of a refund: [`without_tax`].
//! Revenue = subtotal after discounts, without tax and shipping; nothing here ever becomes negative.

use super::attribution::{Credit, Ruling};
use super::id::{ALPHABET, ProgramNo, StoreNo, WorkspaceNo};
use super::time::Timestamp;

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct OrderLine {
    /// The shop's id of the line.
    pub external_id: String,
    pub sku: Option<String>,
    pub variant_id: Option<String>,
    pub title: String,
    pub quantity: u32,
    /// After discounts, without tax; minor units.
    pub amount: i64,
}

/// The state of an order as one delivery tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderSnapshot {
    /// The shop's id of the order.
    pub external_id: String,
    /// What people call it, such as `#1001`.
    pub name: String,
    pub ordered_at: Timestamp,
    /// When the shop last changed it: decides between deliveries.
    pub updated_at: Timestamp,
    /// ISO 4217 code.
    pub currency: String,
    /// Subtotal after discounts, without tax and shipping; minor units.
    pub revenue: i64,
    /// Discounts; minor units.
    pub discounts: i64,
    pub is_test: bool,
    pub is_paid: bool,
    pub cancelled_at: Option<Timestamp>,
    /// The shop's id of the customer.
    pub customer: Option<String>,
    /// The buyer by their address, as [`super::customer`] hashes it; what tells a creator who buys.
    pub buyer: Option<String>,
    /// Discount codes, in the shop's order.
    pub codes: Vec<String>,
    /// What came back as `hop_id`, unverified.
    pub click_id: Option<String>,
    pub lines: Vec<OrderLine>,
}

/// One refund as the shop tells it; refunds repeat and may come before their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The shop's id of the refund.
    pub external_id: String,
    /// The shop's id of the order.
    pub order_external_id: String,
    /// Of several tellings the earliest stays: some shops date a refund by the delivery that tells it.
    pub at: Timestamp,
    /// Whether the amount is the sum of all that was given back so far, as Stripe tells it: the largest one told
    /// stays. Otherwise the first one does.
    pub is_running_total: bool,
    pub lines: Vec<RefundLine>,
}

impl Refund {
    /// Sum of the lines' subtotals in minor units; `None` when it does not fit.
    pub fn amount(&self) -> Option<i64> {
        self.lines
            .iter()
            .try_fold(0i64, |sum, line| sum.checked_add(line.amount))
    }
}

/// A refunded part of an order line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundLine {
    /// The shop's id of the order line.
    pub line_external_id: String,
    pub quantity: u32,
    /// Subtotal; minor units.
    pub amount: i64,
}

/// What a webhook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderEvent {
    Order(OrderSnapshot),
    Refund(Refund),
    /// A topic that changes nothing here.
    Ignored,
}

/// Why an order is kept out of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quarantine {
    /// Its currency is not the store's.
    Currency,
    /// Its revenue is negative, or its discounts are.
    Negative,
    /// Its revenue is larger than [`REVENUE_MAX`], or its discounts are.
    TooLarge,
}

/// Most orders of one call that tells them as a file. 2,000: at some 0.2 ms an order in the books, half a second.
pub const ORDERS_PER_CALL_MAX: usize = 2_000;

/// Largest revenue of one order that is believed, in minor units: sums of many stay far from what 64 bits hold.
pub const REVENUE_MAX: i64 = 100_000_000_000_000;

impl Quarantine {
    /// The word in the books and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Currency => "currency",
            Self::Negative => "negative",
            Self::TooLarge => "too_large",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Currency, Self::Negative, Self::TooLarge]
            .into_iter()
            .find(|reason| reason.as_str() == word)
    }

    /// Whether `snapshot` must stay out of the numbers of a store that sells in `store_currency`.
    pub fn of(snapshot: &OrderSnapshot, store_currency: &str) -> Option<Self> {
        if !snapshot.currency.eq_ignore_ascii_case(store_currency) {
            Some(Self::Currency)
        } else if snapshot.revenue < 0 || snapshot.discounts < 0 {
            Some(Self::Negative)
        } else if snapshot.revenue > REVENUE_MAX || snapshot.discounts > REVENUE_MAX {
            Some(Self::TooLarge)
        } else {
            None
        }
    }
}

/// An order as the books keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub workspace: WorkspaceNo,
    pub store: StoreNo,
    pub snapshot: OrderSnapshot,
    pub ages: Ages,
    pub quarantine: Option<Quarantine>,
    pub credit: Credit,
    /// Version of the program under which it was first accepted; `None` = the usual rules.
    pub program: Option<ProgramNo>,
    /// What the brand decided about a held credit.
    pub ruling: Option<Ruling>,
}

/// The public id of the order that `store` calls `external_id`: `ord_` and 26 characters of Crockford's base 32 (130 bits
/// of BLAKE3). The same in every telling, also after the books were restored.
pub fn public_id(store: StoreNo, external_id: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("hopcart 2026 public ids of orders");
    hasher.update(&store.0.to_le_bytes());
    hasher.update(external_id.as_bytes());
    let mut bytes = [0; 26];
    hasher.finalize_xof().fill(&mut bytes);
    let characters = bytes.iter().map(|byte| ALPHABET[usize::from(byte & 31)] as char);
    std::iter::once("ord_".to_owned())
        .chain(characters.map(String::from))
        .collect()
}

/// The age of what deliveries may leave out: when the delivery that told it was updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    pub customer: Timestamp,
    pub buyer: Timestamp,
    pub codes: Timestamp,
    pub click_id: Timestamp,
}

impl Ages {
    /// All that `told` says is as old as itself.
    pub fn of(told: &OrderSnapshot) -> Self {
        let at = told.updated_at;
        Self {
            customer: at,
            buyer: at,
            codes: at,
            click_id: at,
        }
    }
}

/// The order's state after `told`, or `None` when the delivery changes nothing.
///
/// The newest `updated_at` decides what can change, and of one instant (some shops count whole seconds) the larger
/// state; paid, cancelled and test never go back, the earliest time of order stays, and of customer, buyer, codes and
/// click id the newest stays that some delivery told, also when a newer one left it out.
pub fn merge(known: Option<(&OrderSnapshot, Ages)>, told: &OrderSnapshot) -> Option<(OrderSnapshot, Ages)> {
    let mut ages = Ages::of(told);
    let Some((known, known_ages)) = known else {
        return Some((told.clone(), ages));
    };
    let newer = if state(told) > state(known) { told } else { known };
    let cancelled_at = match (known.cancelled_at, told.cancelled_at) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    let codes = |codes: &[String]| (!codes.is_empty()).then(|| codes.to_vec());
    let merged = OrderSnapshot {
        ordered_at: known.ordered_at.min(told.ordered_at),
        is_paid: known.is_paid || told.is_paid,
        is_test: known.is_test || told.is_test,
        cancelled_at,
        click_id: newest(&known.click_id, known_ages.click_id, &told.click_id, &mut ages.click_id),
        customer: newest(&known.customer, known_ages.customer, &told.customer, &mut ages.customer),
        buyer: newest(&known.buyer, known_ages.buyer, &told.buyer, &mut ages.buyer),
        codes: newest(
            &codes(&known.codes),
            known_ages.codes,
            &codes(&told.codes),
            &mut ages.codes,
        )
        .unwrap_or_default(),
        ..newer.clone()
    };
    // An age alone is news too: the next delivery is held against it.
    (merged != *known || ages != known_ages).then_some((merged, ages))
}

/// Of two tellings the newer that says something, of one age the larger; `age` is the told one's and becomes its age.
fn newest<T: Clone + Ord>(known: &Option<T>, known_age: Timestamp, told: &Option<T>, age: &mut Timestamp) -> Option<T> {
    let is_told = told.is_some() && (known.is_none() || (*age, told) > (known_age, known));
    if is_told {
        return told.clone();
    }
    *age = known_age;
    known.clone()
}

/// What the newest delivery decides alone, in the order in which deliveries are compared: age first. Total, so that
/// deliveries of one instant end alike in any order.
fn state(snapshot: &OrderSnapshot) -> impl Ord + '_ {
    let OrderSnapshot {
        updated_at,
        revenue,
        discounts,
        currency,
        name,
        lines,
        ..
    } = snapshot;
    (updated_at, revenue, discounts, currency, name, lines)
}

/// What `gross` given back of an order takes from its revenue, where the shop tells refunds with their tax: the part
/// that `revenue` is of `revenue` + `tax`, half a minor unit rounded up. Nothing negative, and shipping that was given
/// back counts as goods: an over-refund is cut where it is summed ([`refunded`]).
pub fn without_tax(gross: i64, revenue: i64, tax: i64) -> i64 {
    let (gross, revenue, tax) = (i128::from(gross.max(0)), i128::from(revenue), i128::from(tax));
    let whole = revenue + tax;
    if revenue <= 0 || tax <= 0 {
        return i64::try_from(gross).unwrap_or(i64::MAX);
    }
    // At most `gross`, which fits.
    i64::try_from((2 * gross * revenue + whole) / (2 * whole)).unwrap_or(i64::MAX)
}

/// Whether an order is in the numbers: verified by payment, real, and not set aside.
pub fn counts(snapshot: &OrderSnapshot, quarantine: Option<Quarantine>) -> bool {
    snapshot.is_paid && !snapshot.is_test && quarantine.is_none()
}

/// What of each of `lines` is given back, in their order: what refunds name of it, never more than the line is worth, and
/// all of it once cancelled. What refunds name no line for is in none.
pub fn refunded_by_line(lines: &[OrderLine], refunds: &[RefundLine], is_cancelled: bool) -> Vec<i64> {
    let of_line = |line: &OrderLine| {
        let named = refunds
            .iter()
            .filter(|refund| refund.line_external_id == line.external_id);
        let sum = named.fold(0i64, |sum, refund| sum.saturating_add(refund.amount));
        refunded(line.amount, sum, is_cancelled)
    };
    lines.iter().map(of_line).collect()
}

/// What of `revenue` is given back: the refunds, all of it once cancelled, never more than there is.
pub fn refunded(revenue: i64, refunds: i64, is_cancelled: bool) -> i64 {
    if is_cancelled {
        revenue.max(0)
    } else {
        refunds.clamp(0, revenue.max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn snapshot(updated_at: i64, revenue: i64) -> OrderSnapshot {
        OrderSnapshot {
            external_id: "1".into(),
            name: "#1".into(),
            ordered_at: Timestamp(1),
            updated_at: Timestamp(updated_at),
            currency: "EUR".into(),
            revenue,
            discounts: 0,
            is_test: false,
            is_paid: false,
            cancelled_at: None,
            customer: None,
            buyer: None,
            codes: vec![],
            click_id: None,
            lines: vec![],
        }
    }

    #[test]
    fn lines_lose_what_refunds_name_and_never_more() {
        let line = |id: &str, amount| OrderLine {
            external_id: id.to_owned(),
            amount,
            ..OrderLine::default()
        };
        let refund = |id: &str, amount| RefundLine {
            line_external_id: id.to_owned(),
            quantity: 1,
            amount,
        };
        let lines = [line("a", 500), line("b", 300), line("c", -5)];
        let refunds = [refund("a", 200), refund("a", 100), refund("b", 400), refund("x", 9)];
        assert_eq!(refunded_by_line(&lines, &refunds, false), [300, 300, 0]);
        assert_eq!(refunded_by_line(&lines, &[], true), [500, 300, 0]);
    }

    #[test]
    fn an_order_is_called_the_same_for_ever() {
        let id = public_id(StoreNo(1), "1001");
        assert_eq!((id.len(), &id[..4]), (30, "ord_"));
        assert_eq!(id, public_id(StoreNo(1), "1001"));
        assert_ne!(id, public_id(StoreNo(2), "1001"));
        assert_ne!(id, public_id(StoreNo(1), "1002"));
    }

    fn run(deliveries: &[OrderSnapshot]) -> (OrderSnapshot, Ages) {
        let mut known: Option<(OrderSnapshot, Ages)> = None;
        for told in deliveries {
            if let Some(next) = merge(known.as_ref().map(|(order, ages)| (order, *ages)), told) {
                known = Some(next);
            }
        }
        known.expect("at least one")
    }

    /// Updated, amount, paid, cancelled, click id, customer, codes.
    type Told = (
        i64,
        i64,
        bool,
        Option<i64>,
        Option<String>,
        Option<String>,
        Option<String>,
    );

    fn told() -> impl Strategy<Value = Told> {
        let word = || proptest::option::of("[a-c]");
        (
            0i64..4,
            0i64..3,
            any::<bool>(),
            proptest::option::of(0i64..9),
            word(),
            word(),
            word(),
        )
    }

    proptest! {
        #[test]
        fn deliveries_in_any_order_make_the_same_order(
            deliveries in proptest::collection::vec(told(), 1..6),
            swaps in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let told: Vec<OrderSnapshot> = deliveries.into_iter().map(|(at, more, is_paid, cancelled, click, customer, code)| {
                let mut order = snapshot(at, 100 + more);
                order.is_paid = is_paid;
                order.cancelled_at = cancelled.map(Timestamp);
                order.buyer = customer.clone().filter(|_| at % 2 == 0);
                (order.click_id, order.customer, order.codes) = (click, customer, code.into_iter().collect());
                order
            }).collect();
            let mut shuffled = told.clone();
            for (place, swap) in swaps.iter().enumerate() {
                let len = shuffled.len();
                shuffled.swap(place % len, swap.index(len));
            }
            let ((a, _), (b, ages)) = (run(&told), run(&shuffled));
            prop_assert_eq!(&a, &b);
            for delivery in &shuffled {
                prop_assert_eq!(merge(Some((&b, ages)), delivery), None, "a replay changes nothing");
            }
        }
    }

    #[test]
    fn deliveries_of_one_second_end_alike_in_any_order() {
        let (mut a, mut b) = (snapshot(5, 100), snapshot(5, 120));
        (a.ordered_at, a.is_paid, b.ordered_at) = (Timestamp(3), true, Timestamp(4));
        let (ab, _) = run(&[a.clone(), b.clone()]);
        let (ba, _) = run(&[b, a]);
        assert_eq!(ab, ba);
        assert_eq!((ab.revenue, ab.ordered_at, ab.is_paid), (120, Timestamp(3), true));
    }

    #[test]
    fn tax_is_taken_out_of_refunds() {
        for (gross, revenue, tax, expected) in [
            (1190, 1000, 190, 1000),
            (595, 1000, 190, 500),
            (1, 1000, 190, 1),
            (1000, 1000, 0, 1000),
            (1000, 0, 190, 1000),
            (1000, -5, 190, 1000),
            (-5, 1000, 190, 0),
            (i64::MAX, i64::MAX, i64::MAX, i64::MAX / 2 + 1),
        ] {
            assert_eq!(
                without_tax(gross, revenue, tax),
                expected,
                "{gross} of {revenue} + {tax}"
            );
        }
    }

    #[test]
    fn refunds_never_exceed_the_order() {
        for (revenue, refunds, is_cancelled, expected) in [
            (100, 0, false, 0),
            (100, 30, false, 30),
            (100, 130, false, 100),
            (100, 30, true, 100),
            (0, 30, false, 0),
            (-5, 3, true, 0),
        ] {
            assert_eq!(refunded(revenue, refunds, is_cancelled), expected);
        }
    }

    #[test]
    fn odd_orders_are_set_aside() {
        assert_eq!(Quarantine::of(&snapshot(1, 5), "eur"), None);
        assert_eq!(Quarantine::of(&snapshot(1, 5), "USD"), Some(Quarantine::Currency));
        assert_eq!(Quarantine::of(&snapshot(1, -5), "EUR"), Some(Quarantine::Negative));
        assert_eq!(
            Quarantine::of(&snapshot(1, i64::MAX), "EUR"),
            Some(Quarantine::TooLarge)
        );
        let discounted = |discounts| OrderSnapshot {
            discounts,
            ..snapshot(1, 5)
        };
        assert_eq!(Quarantine::of(&discounted(-1), "EUR"), Some(Quarantine::Negative));
        assert_eq!(Quarantine::of(&discounted(i64::MAX), "EUR"), Some(Quarantine::TooLarge));
        assert!(!counts(&snapshot(1, 5), None), "not paid yet");
        assert!(counts(
            &OrderSnapshot {
                is_paid: true,
                ..snapshot(1, 5)
            },
            None
        ));
        assert!(!counts(
            &OrderSnapshot {
                is_paid: true,
                is_test: true,
                ..snapshot(1, 5)
            },
            None
        ));
    }
}
