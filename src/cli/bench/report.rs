//! What is told at the end: tables for people, JSON for programs, and whether all was as it should be.

use serde_json::{Value, json};

use super::plan::Plan;
use super::ratio::Spread;
use super::rounds::{Outcome, Round};
use crate::cli::failure::Failure;
use crate::cli::terminal::{align_right, table};

/// Above this part of its time a generator is the slower side.
const BUSY: f64 = 0.9;

/// A figure of a round that targets are compared by.
type Figure = (&'static str, fn(&Round) -> Option<f64>);
const FIGURES: &[Figure] = &[
    ("cpuTotal", |round| round.cpu_total),
    ("cpuServing", |round| round.cpu_serving),
    ("perSecond", |round| Some(round.rate)),
    ("p50", |round| Some(round.p50)),
    ("p99", |round| Some(round.p99)),
];

/// `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Microseconds with the unit that reads best: `24.1 µs`, `1.44 ms`, `2.1 s`.
pub fn micros(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{us:.1} µs"),
        us if us < 1e6 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// The tables.
pub fn text(plan: &Plan, outcomes: &[Outcome]) -> String {
    let mut parts = vec![plan.headline(), String::new(), figures(plan, outcomes).to_string()];
    if let Some(ratios) = ratio_table(outcomes) {
        parts.extend([String::new(), ratios]);
    }
    parts.extend(remarks(plan, outcomes).into_iter().map(|remark| format!("\n{remark}")));
    parts.join("\n")
}

fn figures(plan: &Plan, outcomes: &[Outcome]) -> comfy_table::Table {
    let is_cpu_told = outcomes
        .iter()
        .any(|outcome| cpu(outcome, |round| round.cpu_total).is_some());
    let mut columns = vec![
        "target", "requests", "wrong", "req/s", "p50", "p90", "p99", "p99.9", "max",
    ];
    if is_cpu_told {
        columns.push("cpu/req");
    }
    let is_split = is_cpu_told && plan.serving.is_some();
    if is_split {
        columns.push("serving");
    }
    let mut rows = table(&columns);
    align_right(&mut rows, 1..columns.len());
    for outcome in outcomes {
        let all = &outcome.all;
        let mut row = vec![
            outcome.name.clone(),
            count(all.answered),
            count(all.wrong(&plan.expected) + all.failed()),
            count(all.rate() as u64),
        ];
        row.extend([0.5, 0.9, 0.99, 0.999].map(|part| micros(all.at(part))));
        row.push(micros(all.longest()));
        let told = |spread: Option<Spread>| spread.map_or_else(String::new, |spread| micros(spread.median));
        if is_cpu_told {
            row.push(told(cpu(outcome, |round| round.cpu_total)));
        }
        if is_split {
            row.push(told(cpu(outcome, |round| round.cpu_serving)));
        }
        rows.add_row(row);
    }
    rows
}

fn cpu(outcome: &Outcome, of: impl Fn(&Round) -> Option<f64>) -> Option<Spread> {
    Spread::of(outcome.rounds.iter().filter_map(of))
}

/// How each target compares with the first.
fn ratio_table(outcomes: &[Outcome]) -> Option<String> {
    let (first, others) = outcomes.split_first()?;
    if others.is_empty() {
        return None;
    }
    let title = format!("times {}", first.name);
    let mut rows = table(&[title.as_str(), "cpu/req", "serving", "req/s", "p50", "p99"]);
    align_right(&mut rows, 1..6);
    for other in others {
        let mut row = vec![other.name.clone()];
        row.extend(FIGURES.iter().map(|(_, figure)| {
            let ratio = paired(other, first, *figure);
            ratio.map_or_else(String::new, |Spread { median, p20, p80 }| {
                format!("{median:.2} ({p20:.2}..{p80:.2})")
            })
        }));
        rows.add_row(row);
    }
    Some(format!(
        "{rows}\nmedians of the ratios within each round, and where three fifths of them lie"
    ))
}

fn paired(outcome: &Outcome, base: &Outcome, figure: fn(&Round) -> Option<f64>) -> Option<Spread> {
    let values = |outcome: &Outcome| outcome.rounds.iter().map(figure).collect::<Vec<_>>();
    Spread::paired(&values(outcome), &values(base))
}

/// What one should know before one believes the figures.
fn remarks(plan: &Plan, outcomes: &[Outcome]) -> Vec<String> {
    let mut remarks = Vec::new();
    for outcome in outcomes {
        let all = &outcome.all;
        if let Some(rate) = plan.rate.filter(|_| all.unsent > 0) {
            let unsent = count(all.unsent);
            remarks.push(format!(
                "{}: {unsent} requests were due and could not be sent: {rate} a second are too many for it, or for {} connections",
                outcome.name, plan.connections
            ));
        }
        let busy = all.busy_ns as f64 / 1e9 / (all.seconds * plan.threads as f64).max(0.001);
        if plan.rate.is_none() && busy > BUSY {
            remarks.push(format!(
                "{}: the generator itself was busy {:.0} % of the time, so its requests a second are a lower bound; cpu/req holds",
                outcome.name,
                busy * 100.0
            ));
        }
        for (status, number) in all
            .statuses
            .iter()
            .filter(|(status, _)| !plan.expected.contains(status))
        {
            remarks.push(format!(
                "{}: {} answers with status {status}",
                outcome.name,
                count(*number)
            ));
        }
        for (why, number) in &all.failures {
            remarks.push(format!("{}: {} without an answer: {why}", outcome.name, count(*number)));
        }
    }
    remarks
}

/// Whether every answer was right.
///
/// # Errors
/// [`Failure::Failed`] with the number of those that were not, or when there was none.
pub fn verdict(plan: &Plan, outcomes: &[Outcome]) -> Result<(), Failure> {
    let sum = |of: &dyn Fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
    let wrong = sum(&|outcome| outcome.all.wrong(&plan.expected));
    let failed = sum(&|outcome| outcome.all.failed());
    if wrong + failed > 0 {
        let expected: Vec<String> = plan.expected.iter().map(u16::to_string).collect();
        return Err(Failure::Failed(format!(
            "{} answers had another status than {}, {} requests had no answer: the figures are not of redirects alone",
            count(wrong),
            expected.join(", "),
            count(failed)
        )));
    }
    match outcomes.iter().find(|outcome| outcome.all.answered == 0) {
        Some(silent) => Err(Failure::Failed(format!(
            "{} answered nothing in the measured time",
            silent.name
        ))),
        None => Ok(()),
    }
}

/// The figures as JSON.
pub fn json(plan: &Plan, outcomes: &[Outcome]) -> Value {
    json!({
        "mode": if plan.rate.is_some() { "rate" } else { "saturation" },
        "rate": plan.rate,
        "connections": plan.connections,
        "threads": plan.threads,
        "close": plan.is_closing,
        "rounds": plan.rounds,
        "sliceSeconds": plan.slice.as_secs_f64(),
        "expect": plan.expected,
        "servingThreads": plan.serving,
        "targets": outcomes.iter().map(|outcome| target_json(plan, outcome)).collect::<Vec<_>>(),
        "ratios": ratios_json(outcomes),
    })
}

fn target_json(plan: &Plan, outcome: &Outcome) -> Value {
    let all = &outcome.all;
    let keyed = |pairs: Vec<(String, u64)>| Value::Object(pairs.into_iter().map(|(key, n)| (key, n.into())).collect());
    let statuses = all
        .statuses
        .iter()
        .map(|(status, number)| (status.to_string(), *number));
    let failures = all.failures.iter().map(|(why, number)| (why.clone(), *number));
    let busy = all.busy_ns as f64 / 1e9 / (all.seconds * plan.threads as f64).max(0.001);
    json!({
        "name": outcome.name,
        "url": outcome.url,
        "requests": all.answered,
        "seconds": all.seconds,
        "perSecond": all.rate(),
        "unsent": all.unsent,
        "wrong": all.wrong(&plan.expected),
        "statuses": keyed(statuses.collect()),
        "failed": all.failed(),
        "failures": keyed(failures.collect()),
        "latencyUs": {
            "mean": all.latency.mean() / 1e3,
            "p50": all.at(0.5),
            "p90": all.at(0.9),
            "p99": all.at(0.99),
            "p999": all.at(0.999),
            "p9999": all.at(0.9999),
            "max": all.longest(),
        },
        "generatorBusy": busy,
        "cpuUsPerRequest": {
            "total": spread_json(cpu(outcome, |round| round.cpu_total)),
            "slice": spread_json(cpu(outcome, |round| round.cpu_slice)),
            "serving": spread_json(cpu(outcome, |round| round.cpu_serving)),
        },
        "perRound": outcome.rounds.iter().map(|round| json!({
            "requests": round.answered,
            "perSecond": round.rate,
            "p50Us": round.p50,
            "p99Us": round.p99,
            "cpuTotalUs": round.cpu_total,
            "cpuSliceUs": round.cpu_slice,
            "cpuServingUs": round.cpu_serving,
        })).collect::<Vec<_>>(),
    })
}

fn ratios_json(outcomes: &[Outcome]) -> Vec<Value> {
    let Some((first, others)) = outcomes.split_first() else {
        return Vec::new();
    };
    let ratio = |other: &Outcome| {
        let mut ratio = json!({ "target": other.name, "of": first.name });
        for (name, figure) in FIGURES {
            if let Some(ratio) = ratio.as_object_mut() {
                ratio.insert((*name).to_owned(), spread_json(paired(other, first, *figure)));
            }
        }
        ratio
    };
    others.iter().map(ratio).collect()
}

fn spread_json(spread: Option<Spread>) -> Value {
    spread.map_or(
        Value::Null,
        |Spread { median, p20, p80 }| json!({ "median": median, "p20": p20, "p80": p80 }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [count(0), count(999), count(1_000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [micros(24.06), micros(1_442.0), micros(2_100_000.0)],
            ["24.1 µs", "1.44 ms", "2.10 s"]
        );
    }
}
