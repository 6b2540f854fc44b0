//! What a report reads from the books: first who is who, what was spent, and in which currency; then what was sold, which
//! takes longest. What changes between the two counts for whoever it belonged to before, or for nobody.

use std::collections::{BTreeMap, HashMap};

use super::Request;
use super::group::{Doer, Group, GroupBy};
use crate::books::experiment::VariantOf;
use crate::books::link::LinkOwner;
use crate::books::mark_sales::{self, Mark};
use crate::books::sales::{Source, Wanted};
use crate::books::{self, View};
use crate::domain::attribution::Model;
use crate::domain::creator::{Creator, TierBounds};
use crate::domain::id::{CampaignNo, CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::money;
use crate::domain::performance::Sales;
use crate::domain::rate::Exchange;
use crate::domain::settings::Settings;
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::flows::Error;

pub(super) struct Loaded {
    pub creators: HashMap<CreatorNo, Creator>,
    pub links: HashMap<LinkNo, LinkOwner>,
    pub stores: HashMap<StoreNo, Store>,
    /// Id and name.
    pub campaigns: HashMap<CampaignNo, (String, String)>,
    pub tiers: TierBounds,
    /// Only for reports by variant.
    pub variants: BTreeMap<VariantOf, Sales>,
    pub spend: Vec<Spent>,
    pub currency: String,
    pub model: Model,
    /// What the report is filtered for.
    pub only: Vec<(GroupBy, Group)>,
}

/// Sales as the report groups them.
pub(super) enum Sold {
    BySource(Vec<(Source, Sales)>),
    ByMark(Vec<(Option<String>, Sales)>),
}

/// Spend on one creator, campaign and link, in the report's currency.
pub(super) struct Spent {
    pub on: Doer,
    pub amount: i64,
    /// Entries without a rate.
    pub unconverted: u64,
}

pub(super) fn load(view: &View<'_>, request: &Request) -> Result<Loaded, Error> {
    let workspace = request.workspace;
    let settings = books::settings::of(view, workspace)?;
    let own = own_currency(view, workspace, &settings)?;
    let currency = currency_of(view, request, own.as_deref())?;
    let in_force = books::program::in_force(view, workspace)?;
    let model = request
        .model
        .or(in_force.map(|(_, program)| program.model))
        .unwrap_or_default();
    let wanted = Wanted {
        workspace,
        start: request.start,
        end: request.end,
        currency: &currency,
    };
    let creators: HashMap<_, _> = books::creator::all(view, workspace)?
        .into_iter()
        .map(|creator| (creator.no, creator))
        .collect();
    let is_by = |by: GroupBy| request.group_by == by || request.only.iter().any(|(filter, _)| *filter == by);
    let links = books::link::owners(view, workspace, is_by(GroupBy::Store))?;
    let links: HashMap<_, _> = links.into_iter().map(|link| (link.no, link)).collect();
    let mut spend = spent(view, wanted, &links)?;
    spend.extend(costs(view, wanted, creators.values(), own.as_deref())?);
    let mut loaded = Loaded {
        creators,
        links,
        stores: books::store::list(view, workspace)?
            .into_iter()
            .map(|store| (store.no, store))
            .collect(),
        campaigns: books::campaign::names(view, workspace)?
            .into_iter()
            .map(|(no, id, name)| (no, (id, name)))
            .collect(),
        tiers: settings.tiers,
        variants: match request.group_by {
            GroupBy::Variant => books::experiment::sales(view, wanted)?,
            _ => BTreeMap::new(),
        },
        spend,
        currency: currency.clone(),
        model,
        only: Vec::new(),
    };
    for (by, key) in &request.only {
        let group = loaded.wanted_group(view, workspace, *by, key)?;
        loaded.only.push((*by, group));
    }
    loaded.keep_what_is_wanted(request.country.is_some());
    Ok(loaded)
}

/// The sales that the report is about.
pub(super) fn sold(view: &View<'_>, request: &Request, loaded: &Loaded) -> Result<Sold, Error> {
    let wanted = Wanted {
        workspace: request.workspace,
        start: request.start,
        end: request.end,
        currency: &loaded.currency,
    };
    let country = request.country.as_deref();
    let mark = match request.group_by {
        GroupBy::Code => Mark::Code,
        GroupBy::Country => Mark::Country,
        _ => {
            let mut sales = books::sales::by_source_in(view, wanted, loaded.model, country)?;
            sales.retain(|(source, _)| loaded.keeps(doer_of(source)));
            return Ok(Sold::BySource(sales));
        }
    };
    if loaded.only.is_empty() && country.is_none() {
        return Ok(Sold::ByMark(mark_sales::by_mark(view, wanted, mark)?));
    }
    let mut sums: BTreeMap<Option<String>, Sales> = BTreeMap::new();
    for ((mark, source), sales) in mark_sales::by_mark_and_source(view, wanted, mark, country)? {
        if loaded.keeps(doer_of(&source)) {
            let sum = sums.entry(mark).or_default();
            *sum = sum.plus(&sales).ok_or(books::Error::TooLarge { what: "sales" })?;
        }
    }
    Ok(Sold::ByMark(sums.into_iter().collect()))
}

/// Whom an order is put down to.
pub(super) fn doer_of(source: &Source) -> Doer {
    Doer {
        creator: source.creator,
        campaign: None,
        link: source.link,
        store: Some(source.store),
    }
}

impl Loaded {
    /// Leaves out the spend and the variants that the report is not about. Nothing was spent on a country.
    fn keep_what_is_wanted(&mut self, has_country: bool) {
        let mut spend = std::mem::take(&mut self.spend);
        spend.retain(|spent| !has_country && self.keeps(spent.on));
        self.spend = spend;
        let mut variants = std::mem::take(&mut self.variants);
        variants.retain(|(link, _), _| self.keeps(self.follower_of(*link)));
        self.variants = variants;
    }
}

/// What the brand counts in: what it set, else how its stores sell, when all sell alike.
fn own_currency(view: &View<'_>, workspace: WorkspaceNo, settings: &Settings) -> Result<Option<String>, Error> {
    if settings.currency.is_some() {
        return Ok(settings.currency.clone());
    }
    let mut currencies: Vec<String> = books::store::list(view, workspace)?
        .into_iter()
        .map(|store| store.currency.to_ascii_uppercase())
        .collect();
    currencies.sort_unstable();
    currencies.dedup();
    Ok(currencies.pop().filter(|_| currencies.is_empty()))
}

/// The currency asked for, else the brand's own, else the only one there is.
fn currency_of(view: &View<'_>, request: &Request, own: Option<&str>) -> Result<String, Error> {
    if let Some(code) = &request.currency {
        let known = money::currency(code);
        return known
            .map(|known| known.code().to_owned())
            .ok_or_else(|| Error::invalid("currency", "must be an ISO 4217 code such as EUR"));
    }
    if let Some(own) = own {
        return Ok(own.to_owned());
    }
    let used = books::sales::currencies(view, request.workspace)?;
    match used.as_slice() {
        [] => {
            let stores = books::store::list(view, request.workspace)?;
            Ok(stores
                .first()
                .map_or_else(|| "USD".to_owned(), |store| store.currency.clone()))
        }
        [one] => Ok(one.clone()),
        several => Err(Error::invalid(
            "currency",
            format!(
                "is required: orders are in {}; or choose one with PATCH /settings",
                several.join(", ")
            ),
        )),
    }
}

/// Converts to the report's currency; holds the rates that it has read.
struct Converter<'a, 'v> {
    view: &'a View<'v>,
    wanted: Wanted<'a>,
    /// Days for which rates are read.
    days: (u32, u32),
    exchanges: HashMap<String, Option<Exchange>>,
}

impl<'a, 'v> Converter<'a, 'v> {
    fn new(view: &'a View<'v>, wanted: Wanted<'a>, days: (u32, u32)) -> Self {
        Self {
            view,
            wanted,
            days,
            exchanges: HashMap::new(),
        }
    }

    /// `amount` of `at`; `None` without a rate.
    fn convert(&mut self, amount: i64, from: &str, at: Timestamp) -> Result<Option<i64>, books::Error> {
        if !self.exchanges.contains_key(from) {
            let pair = money::currency(from).zip(money::currency(self.wanted.currency));
            let exchange = match pair {
                Some(pair) => Some(books::rate::exchange(
                    self.view,
                    self.wanted.workspace,
                    pair,
                    self.days,
                )?),
                None => None,
            };
            self.exchanges.insert(from.to_owned(), exchange);
        }
        let exchange = self.exchanges.get(from).and_then(Option::as_ref);
        Ok(exchange.and_then(|exchange| exchange.convert(amount, at.day())))
    }
}

type Place = (Option<CreatorNo>, Option<CampaignNo>, Option<LinkNo>);

/// The period's entries of spend, each converted by the rate of its day.
fn spent(view: &View<'_>, wanted: Wanted<'_>, links: &HashMap<LinkNo, LinkOwner>) -> Result<Vec<Spent>, Error> {
    let mut converter = Converter::new(view, wanted, (wanted.start.day(), wanted.end.day()));
    let mut sums: BTreeMap<Place, (i64, u64)> = BTreeMap::new();
    books::spend::each_counted(view, wanted.workspace, (wanted.start, wanted.end), |spend| {
        let told = spend.told;
        let converted = converter.convert(told.amount, &told.currency, told.at)?;
        let (amount, unconverted) = sums.entry((told.creator, told.campaign, told.link)).or_default();
        match converted {
            Some(converted) => {
                let sum = amount.checked_add(converted);
                *amount = sum.ok_or(books::Error::TooLarge { what: "spend" })?;
            }
            None => *unconverted += 1,
        }
        Ok(())
    })?;
    let spent = sums
        .into_iter()
        .map(|((creator, campaign, link), (amount, unconverted))| {
            let owner = link.and_then(|no| links.get(&no)).and_then(|link| link.creator);
            let on = Doer {
                creator: creator.or(owner),
                campaign,
                link,
                store: None,
            };
            Spent {
                on,
                amount,
                unconverted,
            }
        });
    Ok(spent.collect())
}

/// What creators cost up front, in whatever period, by the rates of the days on which they were enlisted.
fn costs<'c>(
    view: &View<'_>,
    wanted: Wanted<'_>,
    creators: impl Iterator<Item = &'c Creator> + Clone,
    own: Option<&str>,
) -> Result<Vec<Spent>, Error> {
    let enlisted = creators.clone().map(|creator| creator.created_at.day());
    let days = (enlisted.clone().min().unwrap_or(0), enlisted.max().unwrap_or(0));
    let mut converter = Converter::new(view, wanted, days);
    let mut costs = Vec::new();
    for creator in creators.filter(|creator| creator.terms.cost != 0) {
        let cost = match own {
            Some(own) => converter.convert(creator.terms.cost, own, creator.created_at)?,
            // Stores sell in several currencies and the brand has chosen none: the cost is in whatever is asked for.
            None => Some(creator.terms.cost),
        };
        costs.push(Spent {
            on: Doer {
                creator: Some(creator.no),
                ..Doer::default()
            },
            amount: cost.unwrap_or(0),
            unconverted: u64::from(cost.is_none()),
        });
    }
    Ok(costs)
}
