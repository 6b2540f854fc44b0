//! Who is credited with an order that is told, told again, or followed by news of the same customer's earlier orders.
//!
//! Deliveries come in any order: what is decided depends on what was told, never on when. What links and codes were when
//! the order first showed them stays with it.

use super::accept_order::Accepted;
use super::error::Error;
use super::look_up_order::{Returned, Seen};
use crate::books::order::OrderRow;
use crate::books::{self, Tx, View};
use crate::domain::attribution::{self, ClickEvidence, CodeEvidence, CodeKind, Evidence, LeakSignal, PastTouch, leak};
use crate::domain::click::Click;
use crate::domain::customer::CustomerKey;
use crate::domain::discount_code::fold;
use crate::domain::id::{CreatorNo, LinkNo};
use crate::domain::order::{self, Ages, Order, OrderSnapshot, Quarantine};
use crate::domain::program::WINDOW_DAYS_MAX;
use crate::domain::store::Store;
use crate::domain::time::{DAY_MS, Timestamp};

/// Later orders of one customer that are looked at when an earlier one changes. A customer who has more within a year is
/// a till, not a person, and tills follow no links.
const LATER_ORDERS_MAX: u32 = 500;

/// Where orders of one store are credited.
pub(super) struct Desk {
    pub store: Store,
    /// Tells whether a creator is the buyer.
    pub customers: CustomerKey,
    pub now: Timestamp,
}

/// What of an order its customer's later orders go by.
#[derive(PartialEq, Eq)]
struct Past {
    customer: Option<String>,
    ordered_at: Timestamp,
    /// `None` also where the order does not count.
    owner: Option<CreatorNo>,
}

impl Past {
    fn of(order: &Order) -> Self {
        let is_counted = order::counts(&order.snapshot, order.quarantine);
        Self {
            customer: order.snapshot.customer.clone(),
            ordered_at: order.snapshot.ordered_at,
            owner: order.credit.owner.filter(|_| is_counted),
        }
    }
}

/// Where the click came from; `None` = unknown.
fn country_of(click: &Click) -> Option<String> {
    let code = std::str::from_utf8(&click.country).ok()?;
    (click.country != [0; 2]).then(|| code.to_owned())
}

impl Desk {
    /// What became of the order, and whether the click id that was told stands behind it.
    pub fn take_order(&self, tx: &Tx<'_>, told: &OrderSnapshot, seen: Seen) -> Result<(Accepted, bool), Error> {
        let known = books::order::load(tx, self.store.no, &told.external_id)?;
        let known_click = known.as_ref().and_then(|row| row.evidence.click.clone());
        let returned = seen.click.as_ref().map(|returned| returned.text.clone());
        let click = self.click(tx, seen.click, known_click.clone())?;
        let merged = order::merge(known.as_ref().map(|row| (&row.order.snapshot, row.order.ages)), told);
        let (snapshot, ages) = match (merged, &known) {
            (Some(merged), _) => merged,
            (None, Some(row)) if click != known_click => (row.order.snapshot.clone(), row.order.ages),
            (None, Some(row)) => {
                // A sale may have told since who brought the customer.
                let is_changed = self.settle_by_customer(tx, row.clone())?;
                let accepted = if is_changed {
                    Accepted::Changed
                } else {
                    Accepted::Unchanged
                };
                return Ok((accepted, false));
            }
            (None, None) => return Ok((Accepted::Unchanged, false)),
        };
        let has_click = returned.is_some() && click.as_ref().map(|click| &click.click_id) == returned.as_ref();
        let codes = self.codes(tx, &snapshot, known.as_ref(), &seen.without_clicks, &seen.handed_out)?;
        let evidence = Evidence {
            codes,
            click,
            ..Evidence::default()
        };
        self.put(tx, snapshot, ages, evidence, known)?;
        Ok((Accepted::Changed, has_click))
    }

    fn put(
        &self,
        tx: &Tx<'_>,
        snapshot: OrderSnapshot,
        ages: Ages,
        mut evidence: Evidence,
        known: Option<OrderRow>,
    ) -> Result<(), Error> {
        let program_no = match &known {
            Some(row) => row.order.program,
            None => books::program::in_force(tx, self.store.workspace)?.map(|(no, _)| no),
        };
        let program = books::program::by_no(tx, program_no)?;
        let ruling = known.as_ref().and_then(|row| row.order.ruling);
        self.add_customer(tx, &snapshot, &mut evidence)?;
        let quarantine = Quarantine::of(&snapshot, &self.store.currency);
        if let Some(reason) = quarantine {
            tracing::warn!(order = %snapshot.name, reason = reason.as_str(), "order set aside: it is shown but not counted");
        }
        let order = Order {
            workspace: self.store.workspace,
            store: self.store.no,
            quarantine,
            credit: attribution::credit(&evidence, &program, snapshot.ordered_at, ruling),
            program: program_no,
            ruling,
            ages,
            snapshot,
        };
        let codes_before = match &known {
            Some(row) => books::pool_code::of_order(tx, row)?,
            None => Vec::new(),
        };
        books::order::put(tx, &order, &evidence, self.now)?;
        self.settle_later(tx, known.map(|row| Past::of(&row.order)), &order)?;
        let mut codes: Vec<String> = order.snapshot.codes.iter().map(|code| fold(code)).collect();
        codes.extend(codes_before);
        codes.sort_unstable();
        codes.dedup();
        codes.iter().try_for_each(|code| self.settle_code(tx, code))
    }

    /// Decides anew about the orders that show a single-use code, where one of them is another customer's than the
    /// first's, or is so no more.
    fn settle_code(&self, tx: &Tx<'_>, code: &str) -> Result<(), Error> {
        let rows = books::pool_code::orders(tx, self.store.no, code)?;
        let customers = rows.iter().map(|row| row.order.snapshot.customer.as_deref());
        let strangers = leak::used_twice(customers);
        for (mut row, is_stranger) in rows.into_iter().zip(strangers) {
            let shown = row.evidence.codes.iter_mut();
            let mut shown = shown.filter(|shown| shown.kind == CodeKind::SingleUse && fold(&shown.code) == code);
            let Some(shown) = shown.next() else { continue };
            if shown.leaks.contains(&LeakSignal::UsedTwice) == is_stranger {
                continue;
            }
            shown.leaks.retain(|signal| *signal != LeakSignal::UsedTwice);
            if is_stranger {
                shown.leaks.push(LeakSignal::UsedTwice);
            }
            let before = Past::of(&row.order);
            let program = books::program::by_no(tx, row.order.program)?;
            let ordered_at = row.order.snapshot.ordered_at;
            row.order.credit = attribution::credit(&row.evidence, &program, ordered_at, row.order.ruling);
            books::order::put(tx, &row.order, &row.evidence, self.now)?;
            self.settle_later(tx, Some(before), &row.order)?;
        }
        Ok(())
    }

    /// Decides anew about a known order whose evidence or ruling changed, and about those that go by it.
    pub fn settle(&self, tx: &Tx<'_>, mut row: OrderRow, before: &Order) -> Result<OrderRow, Error> {
        let program = books::program::by_no(tx, row.order.program)?;
        let ordered_at = row.order.snapshot.ordered_at;
        row.order.credit = attribution::credit(&row.evidence, &program, ordered_at, row.order.ruling);
        books::order::set_credit(tx, &row)?;
        self.settle_later(tx, Some(Past::of(before)), &row.order)?;
        Ok(row)
    }

    /// Decides anew about the later orders of the order's customer, where what they go by changed.
    fn settle_later(&self, tx: &Tx<'_>, before: Option<Past>, order: &Order) -> Result<(), Error> {
        let now = Past::of(order);
        let says_nothing = before.as_ref().is_none_or(|before| before.owner.is_none()) && now.owner.is_none();
        if says_nothing || before.as_ref() == Some(&now) {
            return Ok(());
        }
        let was_at = before.as_ref().map_or(now.ordered_at, |before| before.ordered_at);
        let (from, to) = (was_at.min(now.ordered_at), was_at.max(now.ordered_at));
        let until = to.plus_ms(i64::from(WINDOW_DAYS_MAX) * DAY_MS);
        let mut customers: Vec<String> = [before.and_then(|before| before.customer), now.customer]
            .into_iter()
            .flatten()
            .collect();
        customers.dedup();
        for customer in customers {
            let after = (from, order.snapshot.external_id.as_str());
            let later = books::order::later_of_customer(tx, order.store, &customer, after, until, LATER_ORDERS_MAX)?;
            if later.len() >= LATER_ORDERS_MAX as usize {
                tracing::warn!(order = %order.snapshot.name, "a customer has more orders than are looked at again");
            }
            for row in later {
                self.settle_by_customer(tx, row)?;
            }
        }
        Ok(())
    }

    /// Decides anew about an order where who brought its customer before changed; whether that did.
    fn settle_by_customer(&self, tx: &Tx<'_>, mut row: OrderRow) -> Result<bool, Error> {
        let known = row.evidence.clone();
        self.add_customer(tx, &row.order.snapshot, &mut row.evidence)?;
        if row.evidence == known {
            return Ok(false);
        }
        let program = books::program::by_no(tx, row.order.program)?;
        let ordered_at = row.order.snapshot.ordered_at;
        row.order.credit = attribution::credit(&row.evidence, &program, ordered_at, row.order.ruling);
        books::order::set_credit(tx, &row)?;
        Ok(true)
    }

    /// Finds who brought the customer before, and which of the creators found are the customer.
    fn add_customer(&self, view: &View<'_>, snapshot: &OrderSnapshot, evidence: &mut Evidence) -> Result<(), Error> {
        evidence.customer = None;
        evidence.buyers.clear();
        if let Some(customer) = &snapshot.customer {
            let before = (snapshot.ordered_at, snapshot.external_id.as_str());
            let since = snapshot.ordered_at.plus_ms(-i64::from(WINDOW_DAYS_MAX) * DAY_MS);
            evidence.customer = books::customer::owner(view, self.store.no, customer, before, since)?;
        }
        let by_address = snapshot.customer.as_ref().filter(|name| CustomerKey::is_of_email(name));
        let Some(buyer) = snapshot.buyer.as_ref().or(by_address) else {
            return Ok(());
        };
        for no in evidence.creators() {
            let creator = books::creator::by_no(view, no)?;
            let email = creator.and_then(|creator| creator.terms.email);
            if email.and_then(|email| self.customers.of_email(&email)).as_ref() == Some(buyer) {
                evidence.buyers.push(no);
            }
        }
        Ok(())
    }

    /// Whose the order's codes are. One that the order showed before stays whose it was.
    fn codes(
        &self,
        view: &View<'_>,
        snapshot: &OrderSnapshot,
        known: Option<&OrderRow>,
        without_clicks: &[CreatorNo],
        handed_out: &[(String, Returned)],
    ) -> Result<Vec<CodeEvidence>, Error> {
        let known: &[CodeEvidence] = known.map_or(&[], |row| &row.evidence.codes);
        let mut codes = Vec::new();
        for code in &snapshot.codes {
            if let Some(known) = known.iter().find(|known| fold(&known.code) == fold(code)) {
                codes.push(known.clone());
                continue;
            }
            let Some(found) = books::discount_code::by_code(view, self.store.workspace, code)? else {
                codes.extend(self.single_use_code(view, code, handed_out)?);
                continue;
            };
            let creator = books::creator::by_no(view, found.creator)?;
            let departure = creator.and_then(|creator| creator.departure);
            if departure.is_some_and(|departure| departure.at <= snapshot.ordered_at) {
                continue;
            }
            let mut leaks: Vec<LeakSignal> = found.leak.into_iter().collect();
            if without_clicks.contains(&found.creator) {
                leaks.push(LeakSignal::NoClicks);
            }
            if found.is_trusted {
                leaks.clear();
            }
            codes.push(CodeEvidence {
                code: code.clone(),
                creator: found.creator,
                link: found.link,
                kind: CodeKind::Creator,
                given_on: None,
                leaks,
            });
        }
        Ok(codes)
    }

    /// What a single-use code says: whose click it was handed out on. Where that was lost with a crash, its pool's
    /// creator; a code that nobody was handed, or of which nobody knows whose it is, says nothing.
    fn single_use_code(
        &self,
        view: &View<'_>,
        code: &str,
        handed_out: &[(String, Returned)],
    ) -> Result<Option<CodeEvidence>, Error> {
        let Some(found) = books::pool_code::find(view, self.store.no, code)?.filter(|found| found.is_leased) else {
            return Ok(None);
        };
        let of_click = found.given.and_then(|given| given.creator);
        let Some(creator) = found.pool_creator.or(of_click) else {
            return Ok(None);
        };
        let returned = handed_out.iter().find(|(folded, _)| *folded == fold(code));
        let click = match returned {
            Some((_, returned)) => self.click_evidence(view, returned)?,
            None => None,
        };
        Ok(Some(CodeEvidence {
            code: code.to_owned(),
            creator,
            link: found.given.map(|given| given.click.link),
            kind: CodeKind::SingleUse,
            given_on: click.map(Box::new),
            leaks: vec![],
        }))
    }

    /// The order's click: of all that came back on it the latest. One that once showed stays as it was found.
    fn click(
        &self,
        view: &View<'_>,
        returned: Option<Returned>,
        known: Option<ClickEvidence>,
    ) -> Result<Option<ClickEvidence>, Error> {
        let Some(returned) = returned else { return Ok(known) };
        match known {
            Some(known) if known.click_id == returned.text => {
                // Its record came into the log after the order did.
                if let (false, Some(record)) = (known.is_recorded, &returned.record) {
                    let found = self.click_evidence(view, &returned)?;
                    return Ok(Some(ClickEvidence {
                        journey: found.map(|found| found.journey).unwrap_or_default(),
                        variant: record.variant,
                        is_recorded: true,
                        is_from_coupon_site: leak::is_coupon_site(&record.referrer),
                        country: country_of(record),
                        ..known
                    }));
                }
                Ok(Some(known))
            }
            known => match self.click_evidence(view, &returned)? {
                Some(found) => Ok(Some(found.or_later(known))),
                None => Ok(known),
            },
        }
    }

    /// The click as evidence, if it happened on a link of the store's own workspace.
    fn click_evidence(&self, view: &View<'_>, returned: &Returned) -> Result<Option<ClickEvidence>, Error> {
        let link = books::link::by_no(view, returned.id.link)?;
        let record = returned.record.as_ref();
        // A deleted link's click is still known to the log.
        let workspace = link
            .as_ref()
            .map(|link| link.workspace)
            .or(record.map(|click| click.workspace));
        if workspace != Some(self.store.workspace) {
            return Ok(None);
        }
        let mut journey = Vec::new();
        for touch in record.map(|click| click.journey.as_slice()).unwrap_or_default() {
            journey.push(PastTouch {
                link: touch.link,
                creator: self.owner_of(view, touch.link)?,
                seconds: touch.seconds,
            });
        }
        Ok(Some(ClickEvidence {
            click_id: returned.text.clone(),
            link: returned.id.link,
            creator: link.and_then(|link| link.terms.creator),
            clicked_at_ms: returned.id.at.0,
            variant: record.map_or(0, |click| click.variant),
            journey,
            is_recorded: record.is_some(),
            is_from_coupon_site: record.is_some_and(|click| leak::is_coupon_site(&click.referrer)),
            country: record.and_then(country_of),
        }))
    }

    fn owner_of(&self, view: &View<'_>, link: LinkNo) -> Result<Option<CreatorNo>, Error> {
        let link = books::link::by_no(view, link)?;
        let own = link.filter(|link| link.workspace == self.store.workspace);
        Ok(own.and_then(|link| link.terms.creator))
    }
}
