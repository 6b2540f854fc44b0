//! `/orders/{id}/journey`: what was found about who brought an order, what of it was used and why, the touches that led
//! to it, and what each gets under every model.

use serde_json::{Map, Value, json};

use super::order::{link_id, partner_id};
use super::program;
use crate::books::order::OrderRow;
use crate::books::{self, View};
use crate::domain::attribution::{
    EvidenceKind, Finding, Model, Touch, Verdict, Why, decide, touches, verdict::leaks, weights,
};
use crate::domain::order::counts;
use crate::domain::performance::{Sales, WHOLE};
use crate::domain::program::Program;
use crate::domain::stats;
use crate::domain::time::Timestamp;
use crate::flows::Error;

/// Adds the journey to an order's answer.
pub(super) fn add(view: &View<'_>, row: &OrderRow, models: &[Model], answer: &mut Value) -> Result<(), Error> {
    let (order, ordered_at) = (&row.order, row.order.snapshot.ordered_at);
    let rules = books::program::by_no(view, order.program)?;
    let verdict = decide(&row.evidence, &rules, ordered_at, order.ruling);
    let evidence = verdict.findings.iter().map(|finding| piece(view, row, *finding));
    let touched = touches(&row.evidence, &rules, ordered_at, &verdict);
    answer["program"] = program::answer(&rules);
    answer["evidence"] = evidence.collect::<Result<Vec<_>, _>>()?.into();
    answer["touches"] = told_touches(view, row, models, &touched)?;
    answer["credit"]["reason"] = json!(reason(&verdict));
    Ok(())
}

/// Why the credit is as it is, for people.
fn reason(verdict: &Verdict) -> String {
    let decisive = verdict.findings.iter().find(|finding| finding.why.is_decisive());
    match decisive {
        Some(finding) => format!("{}: {}", noun(finding.kind), finding.why),
        None if verdict.findings.is_empty() => "Nothing on the order says who brought it.".to_owned(),
        None => "Nothing that was found counts under your program.".to_owned(),
    }
}

fn noun(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::SingleUseCode => "Single-use code",
        EvidenceKind::CreatorCode => "Creator's code",
        EvidenceKind::Click => "Click",
        EvidenceKind::Customer => "Customer's earlier order or lead",
    }
}

/// One piece of evidence: what it is, whether it was used, and why.
fn piece(view: &View<'_>, row: &OrderRow, finding: Finding) -> Result<Value, Error> {
    let found = &row.evidence;
    let mut piece = json!({
        "kind": finding.kind,
        "used": finding.why == Why::Used,
        "why": finding.why,
        "reason": finding.why.to_string(),
    });
    match finding.kind {
        EvidenceKind::SingleUseCode | EvidenceKind::CreatorCode => {
            if let Some(code) = found.codes.get(finding.place) {
                piece["code"] = json!(code.code);
                piece["partnerId"] = json!(partner_id(view, Some(code.creator))?);
                piece["linkId"] = json!(link_id(view, code.link)?);
                piece["leakSignals"] = json!(leaks(found, code));
                if let Some(click) = &code.given_on {
                    piece["clickId"] = json!(click.click_id);
                    piece["at"] = json!(click.at().to_string());
                }
            }
        }
        EvidenceKind::Click => {
            if let Some(click) = &found.click {
                piece["clickId"] = json!(click.click_id);
                piece["at"] = json!(click.at().to_string());
                piece["partnerId"] = json!(partner_id(view, click.creator)?);
                piece["linkId"] = json!(link_id(view, Some(click.link))?);
            }
        }
        EvidenceKind::Customer => {
            if let Some(customer) = &found.customer {
                let is_order = customer.order.starts_with("ord_");
                piece[if is_order { "orderId" } else { "leadId" }] = json!(customer.order);
                if !is_order {
                    piece["linkId"] = json!(link_id(view, customer.link)?);
                }
                piece["at"] = json!(Timestamp(customer.ordered_at_ms).to_string());
                piece["partnerId"] = json!(partner_id(view, Some(customer.creator))?);
            }
        }
    }
    Ok(piece)
}

/// The touches, oldest first, each with what it gets of the order under each model.
fn told_touches(view: &View<'_>, row: &OrderRow, models: &[Model], touched: &[Touch]) -> Result<Value, Error> {
    let snapshot = &row.order.snapshot;
    let sales = Sales {
        orders_milli: WHOLE,
        gross_revenue: snapshot.revenue.max(0),
        refunds: row.refunded,
        ..Sales::default()
    };
    let shared: Vec<(Model, Option<Vec<Sales>>)> = models
        .iter()
        .map(|model| (*model, sales.share_out(&weights(*model, touched))))
        .collect();
    let mut told = Vec::with_capacity(touched.len());
    for (place, touch) in touched.iter().enumerate() {
        let mut shares = Map::new();
        for (model, parts) in &shared {
            let part = parts.as_ref().map(|parts| parts[place]).unwrap_or_default();
            shares.insert(model.as_str().to_owned(), share_of(&part));
        }
        let (creator, link) = touch.receiver();
        told.push(json!({
            "kind": touch.kind.as_str(),
            "at": touch.at.to_string(),
            "linkId": link_id(view, touch.link)?,
            "partnerId": partner_id(view, touch.creator)?,
            "inWindow": touch.counts,
            "creditedTo": { "partnerId": partner_id(view, creator)?, "linkId": link_id(view, link)? },
            "shares": shares,
        }));
    }
    Ok(told.into())
}

fn share_of(part: &Sales) -> Value {
    json!({
        "orders": stats::of_thousandths(part.orders_milli, 1),
        "revenue": part.gross_revenue,
        "netRevenue": part.net_revenue(),
    })
}

/// What the reader should know about the order.
pub(super) fn flags(view: &View<'_>, row: &OrderRow) -> Result<Vec<&'static str>, Error> {
    let order = &row.order;
    let uses = books::order::click_use(view, row)?;
    let rules: Program = books::program::by_no(view, order.program)?;
    let verdict = decide(&row.evidence, &rules, order.snapshot.ordered_at, order.ruling);
    let is_self = verdict.findings.iter().any(|finding| finding.why == Why::SelfPurchase);
    let found = &row.evidence;
    let is_suspect = found.codes.iter().any(|code| !leaks(found, code).is_empty());
    let is_from_coupon_site = found.click.as_ref().is_some_and(|click| click.is_from_coupon_site);
    let flags = [
        (uses.is_shared(), "shared_click"),
        (uses.is_repeat, "repeat"),
        (is_self, "self_purchase"),
        (is_suspect, "leaked_code"),
        (is_from_coupon_site, "coupon_site"),
        (!counts(&order.snapshot, order.quarantine), "not_counted"),
    ];
    let set = flags.into_iter().filter(|(is_set, _)| *is_set);
    Ok(set.map(|(_, flag)| flag).collect())
}
