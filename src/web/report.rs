//! The performance report: clicks from the log, sales and spend from the books, brought together by who or what brought
//! them.
//!
//! Read by the API and by the console, so that both show the same numbers.

mod group;
mod load;
mod sums;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::clicklog;
use crate::domain::attribution::Model;
use crate::domain::id::WorkspaceNo;
use crate::domain::performance::Performance;
use crate::domain::time::Timestamp;
use crate::flows::{Context, Error};

pub use group::{GroupBy, NOBODY};

/// One row: a group and its sums.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The public id of a creator, link, campaign or store; else the word.
    pub key: String,
    /// What people call it.
    pub name: String,
    pub sums: Performance,
    /// Of the period before, when the report compares.
    pub previous: Option<Performance>,
}

/// What a report is about.
#[derive(Debug, Clone)]
pub struct Request {
    pub workspace: WorkspaceNo,
    pub group_by: GroupBy,
    pub start: Timestamp,
    pub end: Timestamp,
    /// ISO 4217 code; what is in another currency is converted where a rate is known, and left out and counted otherwise.
    pub currency: Option<String>,
    /// How orders are shared out; `None` = as the brand's program says.
    pub model: Option<Model>,
    /// Whether each row also has the figures of the period of the same length right before.
    pub compares: bool,
    /// Only what would stand in these rows: of the report by the one, the row called the other ([`NOBODY`] for nobody's).
    /// Not by variant, code or country.
    pub only: Vec<(GroupBy, String)>,
    /// Only clicks from this country and orders of such clicks: ISO 3166-1 alpha-2. Not with variants.
    pub country: Option<String>,
}

/// The rows, best net revenue first, and the currency they are in.
#[derive(Debug, Clone)]
pub struct Report {
    pub rows: Vec<Row>,
    pub group_by: GroupBy,
    pub currency: String,
    pub model: Model,
    /// Everything together; unique visitors over all groups, not their sum.
    pub total: Performance,
    /// The same of the period before, when the report compares.
    pub previous_total: Option<Performance>,
    /// The clicks that the report is about.
    pub counted: clicklog::Query,
}

/// Reads the report.
pub async fn performance(context: &Context, clicks: &clicklog::Reader, request: Request) -> Result<Report, Error> {
    let mut report = of_period(context, clicks, request.clone()).await?;
    if request.compares {
        let length = request.end.since(request.start);
        let earlier = Request {
            start: request.start.plus_ms(-length),
            end: request.start,
            currency: Some(report.currency.clone()),
            ..request
        };
        let earlier = of_period(context, clicks, earlier).await?;
        compare(&mut report.rows, earlier.rows);
        report.previous_total = Some(earlier.total);
    }
    report.rows.sort_by(|a, b| {
        let rank = |row: &Row| (Reverse(row.sums.sales.net_revenue()), Reverse(row.sums.clicks));
        rank(a).cmp(&rank(b)).then_with(|| a.key.cmp(&b.key))
    });
    Ok(report)
}

async fn of_period(context: &Context, clicks: &clicklog::Reader, request: Request) -> Result<Report, Error> {
    let request = Arc::new(request);
    let (workspace, group_by) = (request.workspace, request.group_by);
    let wanted = Arc::clone(&request);
    let loaded = context.books().read(move |view| load::load(view, &wanted)).await?;
    let loaded = Arc::new(loaded);
    // The log and the books are read side by side: each takes as long as the other.
    let followed = tokio::task::spawn_blocking({
        let (clicks, request, loaded) = (clicks.clone(), Arc::clone(&request), Arc::clone(&loaded));
        move || sums::followed(&clicks, &request, &loaded)
    });
    let sold = context.books().read({
        let (request, loaded) = (Arc::clone(&request), Arc::clone(&loaded));
        move |view| load::sold(view, &request, &loaded)
    });
    let (followed, sold) = tokio::join!(followed, sold);
    let followed = followed.map_err(|_| Error::Internal("a report panicked".to_owned()))??;
    let counted = followed.counted.clone();
    let (groups, total) = sums::put_together(followed, sold?, &request, &loaded)?;
    let (currency, model) = (loaded.currency.clone(), loaded.model);
    let named = context.books().read(move |view| {
        let mut rows = Vec::with_capacity(groups.len());
        for (group, sums) in groups {
            let (key, name) = group::named(view, workspace, &group, &loaded)?;
            rows.push(Row {
                key,
                name,
                sums,
                previous: None,
            });
        }
        Ok::<_, Error>(rows)
    });
    Ok(Report {
        rows: named.await?,
        group_by,
        currency,
        model,
        total,
        previous_total: None,
        counted,
    })
}

/// Puts each earlier row beside its present one; groups that are gone stay as rows of nothing.
fn compare(rows: &mut Vec<Row>, earlier: Vec<Row>) {
    let mut before: HashMap<String, Row> = earlier.into_iter().map(|row| (row.key.clone(), row)).collect();
    for row in rows.iter_mut() {
        let known = before.remove(&row.key).map(|known| known.sums);
        row.previous = Some(known.unwrap_or_default());
    }
    rows.extend(before.into_values().map(|gone| Row {
        sums: Performance::default(),
        previous: Some(gone.sums),
        ..gone
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_either_period_are_rows() {
        let row = |key: &str, clicks| Row {
            key: key.to_owned(),
            sums: Performance {
                clicks,
                ..Performance::default()
            },
            ..Row::default()
        };
        let mut rows = vec![row("a", 1), row("b", 2)];
        compare(&mut rows, vec![row("b", 3), row("c", 4)]);
        let found: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.key.as_str(),
                    row.sums.clicks,
                    row.previous.as_ref().map(|sums| sums.clicks),
                )
            })
            .collect();
        assert_eq!(found, [("a", 1, Some(0)), ("b", 2, Some(3)), ("c", 0, Some(4))]);
    }
}
