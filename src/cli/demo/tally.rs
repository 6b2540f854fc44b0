//! The demo's own bookkeeping, what the server says, and whether the two agree.

use std::collections::{BTreeMap, HashSet};

use hyper::Method;
use serde_json::Value;

use super::brand::Cast;
use super::plan::{Delivery, Kind, Plan, lands_on_page};
use crate::cli::api::Api;
use crate::cli::failure::Failure;
use crate::cli::terminal::{align_right, table};
use crate::domain::money::{Currency, decimal};

/// Follows by the word that `include` calls them by, in the order of the rows.
const CLASSES: [(&str, &str); 4] = [
    ("repeats", "repeated taps"),
    ("bots", "bots and previews"),
    ("head", "HEAD requests"),
    ("prefetch", "prefetches"),
];

/// What must be seen, or what is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Navigations of people.
    pub taps: i64,
    /// As in [`CLASSES`].
    pub others: [i64; 4],
    /// Taps on landing pages' buttons.
    pub checkouts: i64,
    pub new_customers: i64,
    pub niches: BTreeMap<String, Niche>,
}

/// The sums of one niche; amounts in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Niche {
    pub clicks: i64,
    pub orders: i64,
    pub gross: i64,
    pub refunds: i64,
}

impl Niche {
    fn plus(self, other: &Niche) -> Niche {
        Niche {
            clicks: self.clicks + other.clicks,
            orders: self.orders + other.orders,
            gross: self.gross + other.gross,
            refunds: self.refunds + other.refunds,
        }
    }
}

impl Tally {
    /// What `plan` must come to.
    pub fn of_plan(plan: &Plan, cast: &Cast) -> Self {
        let mut tally = Self::default();
        let mut customers = HashSet::new();
        for creator in &cast.creators {
            tally.niches.entry(creator.niche.clone()).or_default();
        }
        for step in plan.journeys.iter().flat_map(|journey| &journey.steps) {
            let is_checkout = matches!(step.kind, Kind::Tap | Kind::Repeat) && lands_on_page(step.creator);
            tally.checkouts += i64::from(is_checkout);
            match step.kind {
                Kind::Tap => {
                    tally.taps += 1;
                    tally.niche(cast, step.creator).clicks += 1;
                }
                Kind::Repeat => tally.others[0] += 1,
                Kind::Program => tally.others[1] += 1,
                Kind::Head => tally.others[2] += 1,
                Kind::Prefetch => tally.others[3] += 1,
            }
        }
        let purchases = plan.journeys.iter().flat_map(|journey| &journey.purchases);
        for purchase in purchases.filter(|purchase| !purchase.order.is_test) {
            customers.insert(purchase.order.customer);
            let niche = tally.niche(cast, purchase.credited);
            niche.orders += 1;
            niche.gross += purchase.order.subtotal();
            if purchase.deliveries.contains(&Delivery::Refund) {
                niche.refunds += purchase.order.refunded();
            }
        }
        tally.new_customers = i64::try_from(customers.len()).unwrap_or(i64::MAX);
        tally
    }

    fn niche(&mut self, cast: &Cast, creator: usize) -> &mut Niche {
        self.niches.entry(cast.creators[creator].niche.clone()).or_default()
    }

    /// What the server says.
    ///
    /// # Errors
    /// When it refuses, or answers something else than numbers.
    pub async fn of_server(api: &Api) -> Result<Self, Failure> {
        let taps = count(api, None).await?;
        let mut others = [0; 4];
        for (place, (include, _)) in others.iter_mut().zip(CLASSES) {
            *place = count(api, Some(include)).await? - taps;
        }
        let path = "/reports/performance?groupBy=niche&interval=all";
        let report = api.call(Method::GET, path, None).await?.value;
        let rows = report
            .as_array()
            .ok_or_else(|| Failure::Failed(format!("GET {path} did not answer with a list: {report}")))?;
        Ok(Self {
            taps,
            others,
            checkouts: rows.iter().map(|row| number(row, "checkoutTaps")).sum(),
            new_customers: rows.iter().map(|row| number(row, "newCustomers")).sum(),
            niches: niches_of(rows),
        })
    }

    fn total(&self) -> Niche {
        self.niches.values().fold(Niche::default(), Niche::plus)
    }
}

/// Rows of the report by their niche; a row without one is what nobody brought, and only shown when it holds orders.
fn niches_of(rows: &[Value]) -> BTreeMap<String, Niche> {
    let niche = |row: &Value| Niche {
        clicks: number(row, "clicks"),
        orders: number(row, "orders"),
        gross: number(row, "grossRevenue"),
        refunds: number(row, "refunds"),
    };
    rows.iter()
        .map(|row| (row["key"].as_str().unwrap_or("(nobody)").to_owned(), niche(row)))
        .filter(|(key, niche)| key != "(nobody)" || *niche != Niche::default())
        .collect()
}

fn number(row: &Value, key: &str) -> i64 {
    row[key].as_i64().unwrap_or_default()
}

/// Clicks as `/analytics` counts them, with one further class when `include` names it.
async fn count(api: &Api, include: Option<&str>) -> Result<i64, Failure> {
    let include = include.map(|word| format!("&include={word}")).unwrap_or_default();
    let path = format!("/analytics?event=clicks&groupBy=count&interval=all{include}");
    let answer = api.call(Method::GET, &path, None).await?.value;
    answer["clicks"]
        .as_i64()
        .ok_or_else(|| Failure::Failed(format!("GET {path} answered without \"clicks\": {answer}")))
}

/// One comparison.
struct Row {
    what: String,
    sent: String,
    seen: String,
}

/// Every comparison, as text: equal texts are equal numbers.
fn rows(sent: &Tally, seen: &Tally, currency: Currency) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |what: String, sent: String, seen: String| rows.push(Row { what, sent, seen });
    add(
        "taps of people".to_owned(),
        sent.taps.to_string(),
        seen.taps.to_string(),
    );
    for (place, (_, what)) in CLASSES.iter().enumerate() {
        add(
            (*what).to_owned(),
            sent.others[place].to_string(),
            seen.others[place].to_string(),
        );
    }
    add(
        "checkout taps".to_owned(),
        sent.checkouts.to_string(),
        seen.checkouts.to_string(),
    );
    let (all_sent, all_seen) = (sent.total(), seen.total());
    let money = |amount| decimal(amount, currency);
    add(
        "orders".to_owned(),
        all_sent.orders.to_string(),
        all_seen.orders.to_string(),
    );
    add(
        "new customers".to_owned(),
        sent.new_customers.to_string(),
        seen.new_customers.to_string(),
    );
    add("gross revenue".to_owned(), money(all_sent.gross), money(all_seen.gross));
    add("refunds".to_owned(), money(all_sent.refunds), money(all_seen.refunds));
    let names: HashSet<&String> = sent.niches.keys().chain(seen.niches.keys()).collect();
    let mut names: Vec<&String> = names.into_iter().collect();
    names.sort();
    let told = |niche: Option<&Niche>| match niche {
        Some(niche) => format!(
            "{} taps, {} orders, {} net",
            niche.clicks,
            niche.orders,
            money(niche.gross - niche.refunds)
        ),
        None => "nothing".to_owned(),
    };
    for name in names {
        add(name.clone(), told(sent.niches.get(name)), told(seen.niches.get(name)));
    }
    rows
}

/// The table that people read, and how many of its rows differ.
pub fn compare(sent: &Tally, seen: &Tally, currency: Currency) -> (String, usize) {
    let mut shown = table(&["what", "sent", "seen", ""]);
    align_right(&mut shown, [1, 2]);
    let rows = rows(sent, seen, currency);
    for row in &rows {
        let verdict = if row.sent == row.seen { "ok" } else { "DIFFERS" };
        shown.add_row([row.what.as_str(), &row.sent, &row.seen, verdict]);
    }
    let differing = rows.iter().filter(|row| row.sent != row.seen).count();
    (shown.to_string(), differing)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::plan::draw;
    use super::*;

    #[test]
    fn a_plan_is_counted_whole() {
        let cast = Cast::read().expect("good files");
        let plan = draw(&cast, 1, 2_000);
        let tally = Tally::of_plan(&plan, &cast);
        assert_eq!(tally.taps + tally.others.iter().sum::<i64>(), 2_000);
        let total = tally.total();
        assert_eq!(total.clicks, tally.taps);
        assert!(
            total.orders > 60 && total.gross > total.refunds && total.refunds > 0,
            "{total:?}"
        );
        assert!(tally.new_customers <= total.orders && tally.new_customers > total.orders * 3 / 4);
        let (text, differing) = compare(&tally, &tally, Currency::EUR);
        assert_eq!((differing, text.contains("DIFFERS")), (0, false));
    }

    #[test]
    fn differences_are_named() {
        let niche = Niche {
            clicks: 10,
            orders: 2,
            gross: 9_000,
            refunds: 1_000,
        };
        let sent = Tally {
            taps: 10,
            niches: BTreeMap::from([("van life".to_owned(), niche)]),
            ..Tally::default()
        };
        let row = json!([{"key": "van life", "clicks": 9, "orders": 2, "grossRevenue": 9000, "refunds": 1000},
            {"key": null, "clicks": 0}]);
        let seen = Tally {
            niches: niches_of(row.as_array().expect("rows")),
            ..sent.clone()
        };
        let (text, differing) = compare(&sent, &seen, Currency::EUR);
        assert_eq!(differing, 1, "{text}");
        assert!(text.contains("9 taps, 2 orders, 80.00 net"), "{text}");
    }
}
