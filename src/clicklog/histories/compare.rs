//! Puts questions to the log and to the lists; any difference ends the history.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::domain::click::{CLASSES, ClassSet, Click, ClickClass};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::super::{Dimension, Query, QueryError, Reader};
use super::naive::{By, EVERY_BY, Naive, Total};
use super::step::Question;

/// Every answer to `question`.
pub(super) fn ask(reader: &Reader, naive: &Naive, question: &Question) -> Result<(), QueryError> {
    let query = query(question);
    let events = naive.events(question);
    same_clicks(&reader.events(&query, false, 0, usize::MAX)?, &events, question);
    let newest: Vec<_> = events.iter().rev().skip(3).take(5).cloned().collect();
    same_clicks(&reader.events(&query, true, 3, 5)?, &newest, question);
    for click in events.iter().step_by(7) {
        let found = reader.find(click.at, click.sequence, click.link)?;
        assert_eq!(found.as_ref(), Some(click));
    }
    if naive.is_countable(question) {
        assert_eq!(reader.count(&query)?, naive.count(question), "count of {question:?}");
        let by_link = reader.count_by_link(&query)?;
        let by_link: BTreeMap<u32, u64> = by_link.into_iter().map(|(link, count)| (link.0, count)).collect();
        assert_eq!(by_link, naive.by_link(question), "by link of {question:?}");
        by_class(reader, naive, question)?;
        timeseries(reader, naive, question)?;
    }
    for by in EVERY_BY {
        let top = reader.top(&query, dimension(by), usize::MAX)?;
        assert_eq!(top, naive.top(question, by), "{by:?} of {question:?}");
    }
    assert_eq!(
        reader.unique_visitors(&query)?,
        naive.visitors(question),
        "visitors of {question:?}"
    );
    groups(reader, naive, question)
}

fn same_clicks(found: &[Click], expected: &[Click], question: &Question) {
    let sequences = |clicks: &[Click]| clicks.iter().map(|click| click.sequence).collect::<Vec<_>>();
    assert_eq!(sequences(found), sequences(expected), "clicks of {question:?}");
    assert_eq!(found, expected, "clicks of {question:?}");
}

/// In two spans, cut at a quarter hour.
fn timeseries(reader: &Reader, naive: &Naive, question: &Question) -> Result<(), QueryError> {
    const QUARTER_MS: i64 = 15 * 60 * 1000;
    let middle = (question.start_ms / 2 + question.end_ms / 2).div_euclid(QUARTER_MS) * QUARTER_MS;
    let edges = [question.start_ms, middle.max(question.start_ms), question.end_ms];
    let spans: Vec<u64> = edges
        .windows(2)
        .map(|span| {
            let (start_ms, end_ms) = (span[0], span[1]);
            naive.count(&Question {
                start_ms,
                end_ms,
                ..question.clone()
            })
        })
        .collect();
    let found = reader.timeseries(&query(question), &edges.map(Timestamp))?;
    assert_eq!(found, spans, "spans of {question:?}");
    Ok(())
}

/// Clicks by link and class, each class as if it alone had been asked for.
fn by_class(reader: &Reader, naive: &Naive, question: &Question) -> Result<(), QueryError> {
    let found = reader.count_by_link_and_class(&query(question))?;
    for class in 0..CLASSES {
        let mut alone = question.clone();
        alone.classes = std::array::from_fn(|other| other == class && question.classes[class]);
        let of_class = found.iter().filter(|(_, counts)| counts[class] > 0);
        let of_class: BTreeMap<u32, u64> = of_class.map(|(link, counts)| (link.0, counts[class])).collect();
        assert_eq!(of_class, naive.by_link(&alone), "class {class} by link of {question:?}");
    }
    Ok(())
}

/// People by groups of links that overlap.
fn groups(reader: &Reader, naive: &Naive, question: &Question) -> Result<(), QueryError> {
    let first = 10 * question.workspace - 9;
    let links = |n: u32| [first + n, first + n + 1];
    let groups: Vec<Arc<HashSet<LinkNo>>> = (0..3).map(|n| Arc::new(links(n).map(LinkNo).into())).collect();
    let (start, end) = (Timestamp(question.start_ms), Timestamp(question.end_ms));
    let (found, all) = reader.unique_visitors_by(WorkspaceNo(question.workspace), &groups, start, end)?;
    let mut people = Question::everything(question.workspace);
    people.classes = std::array::from_fn(|class| class == ClickClass::Human as usize);
    (people.start_ms, people.end_ms) = (question.start_ms, question.end_ms);
    let expected: Vec<u64> = (0..3)
        .map(|n| {
            people.links = Some(links(n).to_vec());
            naive.visitors(&people)
        })
        .collect();
    assert_eq!(found, expected, "visitors of groups, {question:?}");
    people.links = Some((first..first + 4).collect());
    assert_eq!(all, naive.visitors(&people), "visitors of all groups, {question:?}");
    Ok(())
}

/// The totals of every link, as the log tells them.
pub(super) fn totals(reader: &Reader) -> Result<BTreeMap<u32, Total>, QueryError> {
    let mut totals = BTreeMap::new();
    reader.each_total(|link, sum| {
        let total = Total {
            counts: sum.counts,
            uses: sum.uses,
            last_human_ms: sum.last_human_at.map(|at| at.0),
        };
        assert!(totals.insert(link.0, total).is_none(), "{link:?} comes twice");
    })?;
    Ok(totals)
}

pub(super) fn query(question: &Question) -> Query {
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
    let asked = CLASSES.iter().filter(|class| question.classes[**class as usize]);
    let links = question.links.as_ref();
    Query {
        workspace: WorkspaceNo(question.workspace),
        links: links.map(|links| Arc::new(links.iter().copied().map(LinkNo).collect())),
        start: Timestamp(question.start_ms),
        end: Timestamp(question.end_ms),
        classes: asked.fold(ClassSet::only(ClickClass::Human), |set, class| set.including(*class)),
        ..Query::default()
    }
}

fn dimension(by: By) -> Dimension {
    match by {
        By::Country => Dimension::Country,
        By::Region => Dimension::Region,
        By::City => Dimension::City,
        By::Device => Dimension::Device,
        By::Os => Dimension::Os,
        By::Browser => Dimension::Browser,
        By::App => Dimension::App,
        By::Referrer => Dimension::Referrer,
        By::Language => Dimension::Language,
        By::Trigger => Dimension::Trigger,
        By::Source => Dimension::UtmSource,
        By::Variant => Dimension::Variant,
    }
}
