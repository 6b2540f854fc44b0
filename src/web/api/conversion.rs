//! Leads and sales as `/analytics` counts them, from the books, with the click that brought each where it is asked for.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::analytics::read_log;
use super::conversion_filter::{Event, Question, Unit};
use super::error::ApiError;
use super::{Api, Caller};
use crate::books::{self, View};
use crate::clicklog;
use crate::domain::click::Click;
use crate::domain::click_id::ClickId;
use crate::domain::id::{CreatorNo, LinkNo, WorkspaceNo};
use crate::domain::keyring::Keyring;
use crate::domain::time::Timestamp;
use crate::flows::Error;

/// Most leads and sales of one answer: at some 100 bytes each, what the largest answers about clicks may hold.
const FACTS_MAX: usize = 1_000_000;
/// Most clicks of leads and sales that are looked up one by one: some two seconds of reading.
const LOOKED_UP_MAX: usize = 20_000;

/// What a row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Figures {
    pub clicks: u64,
    pub leads: u64,
    pub sales: u64,
    /// Revenue less what was given back, in the answer's currency; minor units.
    pub sale_amount: i64,
}

impl Figures {
    pub fn of_clicks(clicks: u64) -> Self {
        Self {
            clicks,
            ..Self::default()
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.clicks += other.clicks;
        self.leads += other.leads;
        self.sales += other.sales;
        self.sale_amount = self.sale_amount.saturating_add(other.sale_amount);
    }

    /// What rows are sorted by, the largest first.
    pub fn rank(&self, event: Event, unit: Unit) -> (i64, i64) {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        match (event, unit) {
            (Event::Clicks | Event::Composite, _) => (count(self.clicks), self.sale_amount),
            (Event::Leads, _) => (count(self.leads), 0),
            (Event::Sales, Unit::Sales) => (count(self.sales), self.sale_amount),
            (Event::Sales, Unit::SaleAmount) => (self.sale_amount, count(self.sales)),
        }
    }

    /// The figures that were asked for.
    pub fn view(&self, event: Event) -> Map<String, Value> {
        let mut row = Map::new();
        if event.has_clicks() {
            row.insert("clicks".to_owned(), json!(self.clicks));
        }
        if event.has_leads() {
            row.insert("leads".to_owned(), json!(self.leads));
        }
        if event.has_sales() {
            row.insert("sales".to_owned(), json!(self.sales));
            row.insert("saleAmount".to_owned(), json!(self.sale_amount));
        }
        row
    }
}

/// A lead or a sale.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub at: Timestamp,
    pub creator: Option<CreatorNo>,
    pub link: Option<LinkNo>,
    pub figures: Figures,
    /// Only kept where it is asked for.
    click_id: Option<String>,
}

/// What was found in the books.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub facts: Vec<Fact>,
    /// In the facts' order; empty where nobody asked for clicks.
    clicks: Vec<Click>,
    /// What amounts are in.
    pub currency: String,
    /// Amounts of sales in other currencies, which no sum holds.
    pub others: BTreeMap<String, i64>,
}

impl Found {
    pub fn sum(&self) -> Figures {
        self.facts.iter().fold(Figures::default(), |mut sum, fact| {
            sum.add(&fact.figures);
            sum
        })
    }

    /// The facts with the clicks that brought them.
    pub fn with_clicks(&self) -> impl Iterator<Item = (&Fact, &Click)> {
        self.facts.iter().zip(&self.clicks)
    }
}

/// Finds the leads and sales that `question` is about; with `wants_clicks` with their clicks.
pub(super) async fn find(
    api: &Api,
    caller: &Caller,
    question: &Question,
    wants_clicks: bool,
) -> Result<Found, ApiError> {
    let event = question.event;
    if event == Event::Clicks {
        return Ok(Found::default());
    }
    let filter = question.filter(api, caller).await?;
    let looks_up = wants_clicks || !question.clicks.filter.is_empty();
    let (currency, workspace) = (question.currency.clone(), caller.workspace);
    let found = api.context.books().read(move |view| {
        let mut found = Found {
            currency: match currency {
                Some(currency) => currency,
                None => home_currency(view, workspace)?,
            },
            ..Found::default()
        };
        let mut is_over = false;
        if event.has_leads() {
            books::conversion::each_lead(view, &filter, |lead| {
                is_over |= found.facts.len() >= FACTS_MAX;
                if !is_over {
                    found.facts.push(Fact {
                        at: lead.at,
                        creator: lead.creator,
                        link: Some(lead.link),
                        click_id: looks_up.then_some(lead.click_id),
                        figures: Figures {
                            leads: lead.quantity.into(),
                            ..Figures::default()
                        },
                    });
                }
                Ok(())
            })?;
        }
        if event.has_sales() {
            books::conversion::each_sale(view, &filter, |sale| {
                is_over |= found.facts.len() >= FACTS_MAX;
                let is_home = sale.currency.eq_ignore_ascii_case(&found.currency);
                if !is_home {
                    *found.others.entry(sale.currency.clone()).or_default() += sale.net();
                }
                if !is_over {
                    found.facts.push(Fact {
                        at: sale.at,
                        creator: sale.creator,
                        link: sale.link,
                        figures: Figures {
                            sales: 1,
                            sale_amount: if is_home { sale.net() } else { 0 },
                            ..Figures::default()
                        },
                        click_id: sale.click_id.filter(|_| looks_up),
                    });
                }
                Ok(())
            })?;
        }
        Ok::<_, Error>((found, is_over))
    });
    let (mut found, is_over) = found.await?;
    if is_over {
        let message = format!("has more than {FACTS_MAX} leads and sales: narrow it");
        return Err(ApiError::invalid("interval", &message));
    }
    if looks_up {
        if found.facts.len() > LOOKED_UP_MAX {
            let message = format!(
                "has more than {LOOKED_UP_MAX} leads and sales, whose clicks would be read one by one: narrow it, or ask \
                 by links, partners or time without a filter"
            );
            return Err(ApiError::invalid("interval", &message));
        }
        let ids = found.facts.iter().map(|fact| fact.click_id.clone()).collect();
        let clicks = clicks_of(api, ids).await?;
        let is_asked = |click: &Click| question.clicks.filter.lets_through(click);
        let kept = found.facts.into_iter().zip(clicks).filter(|(_, click)| is_asked(click));
        (found.facts, found.clicks) = kept.unzip();
    }
    Ok(found)
}

/// The clicks with these ids; what is not known of one (any more) is `Unknown` in answers.
pub(super) async fn clicks_of(api: &Api, ids: Vec<Option<String>>) -> Result<Vec<Click>, ApiError> {
    let keys = (api.click_ids)();
    read_log(api, move |log| {
        let clicks = ids.iter().map(|id| click_of(log, id.as_deref(), &keys));
        clicks.collect()
    })
    .await
}

/// The click with this id; as [`clicks_of`].
pub(super) fn click_of(
    log: &clicklog::Reader,
    id: Option<&str>,
    keys: &Keyring,
) -> Result<Click, clicklog::QueryError> {
    let Some(id) = id.and_then(|id| verified(id, keys)) else {
        return Ok(Click::default());
    };
    let found = log.find(id.at, id.sequence, id.link)?;
    Ok(found.unwrap_or_else(|| Click {
        at: id.at,
        link: id.link,
        sequence: id.sequence,
        ..Click::default()
    }))
}

fn verified(text: &str, keys: &Keyring) -> Option<ClickId> {
    ClickId::verify(text, keys)
}

/// The currency of answers that name none: the only one there is, else the oldest store's.
pub(super) fn home_currency(view: &View<'_>, workspace: WorkspaceNo) -> Result<String, Error> {
    let used = books::sales::currencies(view, workspace)?;
    if let [only] = used.as_slice() {
        return Ok(only.to_ascii_uppercase());
    }
    let stores = books::store::list(view, workspace)?;
    let oldest = stores
        .iter()
        .min_by_key(|store| store.no)
        .map(|store| store.currency.clone());
    Ok(oldest.unwrap_or_else(|| "USD".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_show_what_was_asked_for_and_rank_by_it() {
        let figures = Figures {
            clicks: 9,
            leads: 3,
            sales: 2,
            sale_amount: 700,
        };
        let names = |event| figures.view(event).keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(Event::Clicks), ["clicks"]);
        assert_eq!(names(Event::Leads), ["leads"]);
        assert_eq!(names(Event::Sales), ["saleAmount", "sales"]);
        assert_eq!(names(Event::Composite).len(), 4);
        assert_eq!(figures.rank(Event::Sales, Unit::Sales), (2, 700));
        assert_eq!(figures.rank(Event::Sales, Unit::SaleAmount), (700, 2));
        assert_eq!(figures.rank(Event::Leads, Unit::Sales), (3, 0));
    }
}
