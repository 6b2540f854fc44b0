//! Every number that a log can be asked for, as JSON: what two logs are compared by.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use hopcart::clicklog::{Batch, Dimension, Query, QueryError, Reader, Totals};
use hopcart::domain::click::{ClassSet, Click, ClickClass, ClickFlags};
use hopcart::domain::id::{LinkNo, WorkspaceNo};
use hopcart::domain::time::{BUCKET_MS, DAY_MS, Timestamp};
use serde_json::{Map, Value, json};

use crate::stream::{LINKS, START, WORKSPACES};

const CLASSES: [ClickClass; 8] = [
    ClickClass::Human,
    ClickClass::Repeat,
    ClickClass::Bot,
    ClickClass::Prefetch,
    ClickClass::Head,
    ClickClass::Test,
    ClickClass::Tap,
    ClickClass::OtherTap,
];
/// The stream's two days.
const DAYS: i64 = 2;

fn first_day() -> Timestamp {
    Timestamp(START.0 - START.0 % DAY_MS)
}

/// The link of `workspace` that the stream follows most.
fn busiest(workspace: u32) -> LinkNo {
    LinkNo((workspace - 1) * LINKS + 1)
}

/// The classes of a question that leaves nothing out.
fn every_class() -> ClassSet {
    CLASSES
        .iter()
        .fold(ClassSet::default(), |set, class| set.including(*class))
}

fn asked(workspace: u32, classes: ClassSet) -> Query {
    Query {
        workspace: WorkspaceNo(workspace),
        links: None,
        start: first_day(),
        end: first_day().plus_ms(DAYS * DAY_MS),
        classes,
        ..Query::default()
    }
}

/// What `reader` answers.
pub fn of_log(reader: &Reader) -> Result<Value, QueryError> {
    let mut totals = BTreeMap::new();
    reader.each_total(|link, sum| {
        totals.insert(link.0, sum);
    })?;
    let workspaces = (1..=WORKSPACES).map(|workspace| of_workspace(reader, workspace));
    Ok(json!({
        "totals": totals_value(&totals),
        "workspaces": workspaces.collect::<Result<Vec<_>, _>>()?,
    }))
}

fn of_workspace(reader: &Reader, workspace: u32) -> Result<Value, QueryError> {
    let people = asked(workspace, ClassSet::default());
    let counts = CLASSES
        .iter()
        .map(|class| reader.count(&asked(workspace, ClassSet::only(*class))));
    let by_link: BTreeMap<u32, u64> = reader
        .count_by_link(&people)?
        .into_iter()
        .map(|(link, count)| (link.0, count))
        .collect();
    let edges: Vec<Timestamp> = (0..=DAYS * DAY_MS / BUCKET_MS)
        .map(|n| first_day().plus_ms(n * BUCKET_MS))
        .collect();
    let of_busiest = Query {
        links: Some(Arc::new(HashSet::from([busiest(workspace)]))),
        ..people.clone()
    };
    let events = reader.events(&asked(workspace, every_class()), false, 0, usize::MAX)?;
    let days = (0..DAYS).map(|day| {
        let from = first_day().plus_ms(day * DAY_MS);
        reader.unique_visitors(&Query {
            start: from,
            end: from.plus_ms(DAY_MS),
            ..people.clone()
        })
    });
    let mut tops = Map::new();
    for (name, by) in [
        ("country", Dimension::Country),
        ("region", Dimension::Region),
        ("area", Dimension::Area),
        ("city", Dimension::City),
        ("locality", Dimension::Locality),
        ("device", Dimension::Device),
        ("browser", Dimension::Browser),
        ("app", Dimension::App),
        ("referrer", Dimension::Referrer),
        ("utmSource", Dimension::UtmSource),
        ("variant", Dimension::Variant),
    ] {
        tops.insert(name.to_owned(), json!(reader.top(&people, by, 10)?));
    }
    Ok(json!({
        "counts": counts.collect::<Result<Vec<_>, _>>()?,
        "byLink": by_link,
        "quarterHours": reader.timeseries(&people, &edges)?,
        "quarterHoursOfBusiest": reader.timeseries(&of_busiest, &edges)?,
        "events": digest(&events),
        "uniqueByDay": days.collect::<Result<Vec<_>, _>>()?,
        "tops": tops,
    }))
}

/// What is known without a log: totals, counts, quarter hours and events of `batches`.
pub fn of_batches(batches: &[Batch]) -> Value {
    let clicks = || batches.iter().flat_map(|batch| &batch.clicks);
    let lost = || batches.iter().flat_map(|batch| &batch.lost);
    let mut totals: BTreeMap<u32, Totals> = BTreeMap::new();
    let mut add = |link: LinkNo, at, class: ClickClass, is_use: bool, count: u64| {
        let sum = totals.entry(link.0).or_default();
        sum.counts[class as usize] += count;
        sum.uses += if is_use { count } else { 0 };
        if class == ClickClass::Human {
            sum.last_human_at = sum.last_human_at.max(Some(at));
        }
    };
    clicks().for_each(|c| add(c.link, c.at, c.flags.class(), c.flags.has(ClickFlags::USE), 1));
    lost().for_each(|l| add(l.link, l.at, l.class, l.is_use, u64::from(l.count)));
    let workspaces = (1..=WORKSPACES).map(|workspace| {
        let mut counts = [0; CLASSES.len()];
        let mut quarters = vec![0; (DAYS * DAY_MS / BUCKET_MS) as usize];
        let mut of_busiest = quarters.clone();
        let mut by_link: BTreeMap<u32, u64> = BTreeMap::new();
        let mut add = |class: ClickClass, link: LinkNo, at: Timestamp, count: u64| {
            counts[class as usize] += count;
            if class == ClickClass::Human {
                let quarter = ((at.0 - first_day().0) / BUCKET_MS) as usize;
                quarters[quarter] += count;
                if link == busiest(workspace) {
                    of_busiest[quarter] += count;
                }
                *by_link.entry(link.0).or_default() += count;
            }
        };
        let of_it = |owner: WorkspaceNo| owner == WorkspaceNo(workspace);
        clicks()
            .filter(|c| of_it(c.workspace))
            .for_each(|c| add(c.flags.class(), c.link, c.at, 1));
        lost()
            .filter(|l| of_it(l.workspace))
            .for_each(|l| add(l.class, l.link, l.at, u64::from(l.count)));
        let mut events: Vec<Click> = clicks().filter(|c| of_it(c.workspace)).cloned().collect();
        events.sort_by_key(|click| (click.at, click.sequence));
        json!({
            "counts": counts,
            "byLink": by_link,
            "quarterHours": quarters,
            "quarterHoursOfBusiest": of_busiest,
            "events": digest(&events),
        })
    });
    let workspaces: Vec<Value> = workspaces.collect();
    json!({"totals": totals_value(&totals), "workspaces": workspaces})
}

/// What two logs' answers come to in one: the numbers that add up, no others.
pub fn sum(one: &Value, other: &Value) -> Value {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let adds_up = |key: &str| !["events", "uniqueByDay", "tops", "lastHumanMs"].contains(&key);
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).filter(|key| adds_up(key)).collect();
            let of = |key: &String| match (one.get(key), other.get(key)) {
                (Some(one), Some(other)) => Some(sum(one, other)),
                // A link that one of them does not know; or a number that an old log was not asked for.
                (one, other) if key.parse::<u32>().is_ok() => one.or(other).map(|known| sum(known, &Value::Null)),
                _ => None,
            };
            Value::Object(
                keys.into_iter()
                    .filter_map(|key| Some((key.clone(), of(key)?)))
                    .collect(),
            )
        }
        (Value::Array(one), Value::Array(other)) => one.iter().zip(other).map(|(one, other)| sum(one, other)).collect(),
        (Value::Object(known), Value::Null) => {
            let kept = known.iter().filter(|(key, _)| *key != "lastHumanMs");
            Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        _ => json!(one.as_u64().unwrap_or(0) + other.as_u64().unwrap_or(0)),
    }
}

/// Where `full` lacks something that `part` has, or says something else.
pub fn difference(full: &Value, part: &Value, place: &str) -> Option<String> {
    match (full, part) {
        (Value::Object(full), Value::Object(part)) => part.iter().find_map(|(key, value)| {
            let place = format!("{place}/{key}");
            match full.get(key) {
                Some(found) => difference(found, value, &place),
                None => Some(format!("{place} is missing")),
            }
        }),
        (Value::Array(full), Value::Array(part)) if full.len() == part.len() => {
            let pairs = full.iter().zip(part).enumerate();
            pairs
                .into_iter()
                .find_map(|(n, (full, part))| difference(full, part, &format!("{place}/{n}")))
        }
        _ => (full != part).then(|| format!("{place} is {full}, not {part}")),
    }
}

/// `full` has everything that `part` has, with the same values.
pub fn assert_covers(full: &Value, part: &Value, place: &str) {
    assert_eq!(difference(full, part, place), None);
}

fn totals_value(totals: &BTreeMap<u32, Totals>) -> Value {
    let rows = totals.iter().map(|(link, sum)| {
        let row = json!({"counts": sum.counts, "uses": sum.uses, "lastHumanMs": sum.last_human_at.map(|at| at.0)});
        (link.to_string(), row)
    });
    Value::Object(rows.collect())
}

/// How many clicks, and a hash of every detail of each: written out here, so that a new field of a click changes
/// nothing about old ones.
fn digest(clicks: &[Click]) -> Value {
    let mut hasher = blake3::Hasher::new();
    for c in clicks {
        let touches: Vec<_> = c.journey.iter().map(|touch| (touch.link.0, touch.seconds)).collect();
        let agent = (
            c.user_agent.device as u8,
            c.user_agent.os as u8,
            c.user_agent.browser as u8,
            c.user_agent.app as u8,
        );
        let place = (c.sequence, c.at.0, c.workspace.0, c.domain.0, c.link.0);
        let kind = (c.flags.0, c.outcome as u8, c.visitor, c.variant, c.country, agent);
        let texts = (&*c.language, &*c.referrer, &*c.utm);
        let tapped = c.tapped.map(|tapped| (tapped.sequence, tapped.at.0));
        hasher.update(json!([place, kind, texts, touches, tapped]).to_string().as_bytes());
        // Since format 2; what was not known then is not known now.
        hasher.update(c.locality.as_bytes());
    }
    json!({"count": clicks.len(), "blake3": hasher.finalize().to_hex().as_str()})
}
