//! A link's experiment, read: clicks from the log, orders from the books, what they say, and whether a variant has won.

use crate::books;
use crate::clicklog::{self, Query};
use crate::domain::experiment::{Arm, Experiment, Standing, Winner, judge};
use crate::domain::id::WorkspaceNo;
use crate::domain::link::Link;
use crate::domain::stats::experiment::{Belief, SplitTest, beliefs, millionths, split_test};
use crate::domain::time::Timestamp;
use crate::flows::{Context, Error};

/// What was counted and what is believed, variant by variant.
#[derive(Debug, Clone)]
pub struct Reading {
    pub arms: Vec<Arm>,
    pub beliefs: Vec<Belief>,
    pub split: Option<SplitTest>,
    pub winner: Winner,
    /// ISO 4217.
    pub currency: String,
    /// Clicks before this instant were removed by age.
    pub partial_before: Option<Timestamp>,
}

/// Reads `experiment` of `link`. Without `currency` the one in which its orders are.
///
/// # Errors
/// [`Error::Invalid`] when the orders are in several currencies, or the log would have to be read too far.
pub async fn read(
    context: &Context,
    clicks: &clicklog::Reader,
    link: &Link,
    experiment: Experiment,
    currency: Option<String>,
) -> Result<Reading, Error> {
    let now = context.clock().now();
    let (workspace, no) = (link.workspace, link.no);
    let since = experiment.since();
    let end = experiment.completed_at.unwrap_or(Timestamp(i64::MAX));
    let sold = context.books().read(move |view| {
        let currency = currency_of(view, workspace, no, currency)?;
        let sold = books::experiment::arms(view, workspace, no, (since, end), &currency)?;
        Ok::<_, Error>((sold, currency))
    });
    let (sold, currency) = sold.await?;
    let query = Query {
        workspace,
        links: Some(std::sync::Arc::new([no].into())),
        start: since,
        end,
        ..Query::default()
    };
    let log = clicks.clone();
    let work = tokio::task::spawn_blocking(move || {
        let followed = log.by_variant(&query)?;
        let arm = |number: u8| {
            let followed = followed.get(&(no, number)).copied().unwrap_or_default();
            Arm {
                visitors: followed.visitors,
                clicks: followed.clicks,
                checkout_taps: followed.taps,
                ..sold.get(&number).copied().unwrap_or_default()
            }
        };
        let arms: Vec<Arm> = (1..).zip(&experiment.variants).map(|(number, _)| arm(number)).collect();
        Ok(judged(&experiment, arms, currency, query.lacks.partial_before(), now))
    });
    work.await
        .map_err(|_| Error::Internal("an experiment's reading panicked".to_owned()))?
}

fn judged(
    experiment: &Experiment,
    arms: Vec<Arm>,
    currency: String,
    partial_before: Option<Timestamp>,
    now: Timestamp,
) -> Reading {
    let beliefs = beliefs(&arms);
    let visitors: Vec<u64> = arms.iter().map(|arm| arm.visitors).collect();
    let percentages: Vec<u8> = experiment.variants.iter().map(|variant| variant.percentage).collect();
    let split = split_test(&visitors, &percentages);
    let best: Vec<Option<u32>> = beliefs.iter().map(|belief| belief.best.map(millionths)).collect();
    let standing = Standing {
        arms: &arms,
        best_millionths: &best,
        has_mismatch: split.is_some_and(|split| split.is_mismatch()),
        partial_before,
    };
    let winner = judge(experiment, &standing, now);
    Reading {
        arms,
        beliefs,
        split,
        winner,
        currency,
        partial_before,
    }
}

/// The currency asked for, else the only one of the orders, else that of the workspace's first store.
fn currency_of(
    view: &books::View<'_>,
    workspace: WorkspaceNo,
    link: crate::domain::id::LinkNo,
    asked: Option<String>,
) -> Result<String, Error> {
    if let Some(code) = asked {
        let known = crate::domain::money::currency(&code).map(|known| known.code().to_owned());
        return known.ok_or_else(|| Error::invalid("currency", "must be an ISO 4217 code such as EUR"));
    }
    match books::experiment::currencies(view, workspace, link)?.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let stores = books::store::list(view, workspace)?;
            let first = stores.into_iter().next();
            Ok(first.map_or_else(|| "USD".to_owned(), |store| store.currency))
        }
        several => Err(Error::invalid(
            "currency",
            format!("is required: orders are in {}", several.join(", ")),
        )),
    }
}
