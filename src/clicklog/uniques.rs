//! Unique visitors: whole UTC days from sketches and sheets, parts of a day from the clicks themselves.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::{ClassSet, ClickClass};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::{DAY_MS, Timestamp};

use super::columns::Depth;
use super::error::QueryError;
use super::key;
use super::link_count::each_link;
use super::pending::Snapshot;
use super::query::{Budget, Query, Ragged};
use super::scan;
use super::sheets;
use super::sketch::{NOTES_AT_ONCE, Sketch, Visitors};
use super::store::Store;

/// Which groups a link belongs to.
enum Groups {
    /// One group of all links.
    All,
    Of(HashMap<LinkNo, Vec<usize>>),
}

impl Groups {
    fn of(&self, link: LinkNo) -> &[usize] {
        match self {
            Self::All => &[0],
            Self::Of(groups) => groups.get(&link).map_or(&[], Vec::as_slice),
        }
    }
}

/// Visitors of the clicks of `query`, each counted once.
pub(super) fn of_query(store: &Store, snapshot: &Snapshot, query: &Query) -> Result<u64, QueryError> {
    let asked = query.links.iter().cloned().collect::<Vec<_>>();
    let groups = if asked.is_empty() { Groups::All } else { grouped(&asked) };
    let mut visitors = vec![Visitors::new()?];
    // Sketches hold people only. Repeats are by people who are in them; bots and HEAD have no visitor.
    // Nor do sketches know what else a click was like.
    let has_others = query.classes.has(ClickClass::Prefetch) || query.classes.has(ClickClass::Test);
    if has_others || !query.filter.is_empty() {
        scan_clicks(store, snapshot, query, &groups, &mut visitors, &mut Budget::new())?;
    } else {
        let people = Query {
            classes: ClassSet::default(),
            ..query.clone()
        };
        count_people(store, snapshot, &people, &groups, &mut visitors)?;
    }
    Ok(visitors.iter().map(Visitors::count).sum())
}

/// Visitors by group of links, and of all groups together, in one pass over the log.
pub(super) fn by_group(
    store: &Store,
    snapshot: &Snapshot,
    workspace: WorkspaceNo,
    asked: &[Arc<HashSet<LinkNo>>],
    (start, end): (Timestamp, Timestamp),
) -> Result<(Vec<u64>, u64), QueryError> {
    let people = Query {
        workspace,
        links: None,
        start,
        end,
        ..Query::default()
    };
    let mut visitors = asked.iter().map(|_| Visitors::new()).collect::<Result<Vec<_>, _>>()?;
    count_people(store, snapshot, &people, &grouped(asked), &mut visitors)?;
    let mut all = Visitors::new()?;
    visitors.iter().for_each(|group| all.unite(group));
    Ok((visitors.iter().map(Visitors::count).collect(), all.count()))
}

fn grouped(asked: &[Arc<HashSet<LinkNo>>]) -> Groups {
    let mut groups: HashMap<LinkNo, Vec<usize>> = HashMap::new();
    for (group, links) in asked.iter().enumerate() {
        links
            .iter()
            .for_each(|link| groups.entry(*link).or_default().push(group));
    }
    Groups::Of(groups)
}

fn count_people(
    store: &Store,
    snapshot: &Snapshot,
    people: &Query,
    groups: &Groups,
    visitors: &mut [Visitors],
) -> Result<(), QueryError> {
    let mut budget = Budget::new();
    let ragged = Ragged::of(people.start, people.end, DAY_MS, snapshot.newest_at);
    for (start, end) in ragged.parts() {
        scan_clicks(
            store,
            snapshot,
            &people.between(start, end),
            groups,
            visitors,
            &mut budget,
        )?;
    }
    let (first, after) = ragged.whole;
    let Some(last) = ragged.last() else { return Ok(()) };
    let mut read = |link| {
        sketches(
            store,
            people.workspace,
            link,
            (first, last),
            groups,
            visitors,
            &mut budget,
        )
    };
    match groups {
        Groups::All => each_link(store, people.workspace, key::sketch, &mut read)?,
        Groups::Of(groups) => groups.keys().try_for_each(|link| read(*link))?,
    }
    // Adding a visitor twice changes nothing: it does not matter which of these are in sketches or sheets already.
    let links: Option<HashSet<LinkNo>> = match groups {
        Groups::All => None,
        Groups::Of(groups) => Some(groups.keys().copied().collect()),
    };
    let sums = snapshot.backlog.read();
    sums.visit(people.workspace, links.as_ref(), |row| {
        if (first..=last).contains(&row.at.day()) {
            add(groups, visitors, row.link, row.visitor);
        }
    });
    drop(sums);
    let mut notes: Vec<Vec<u32>> = vec![Vec::new(); visitors.len()];
    sheets::visit::<QueryError>(store, (people.workspace, links.as_ref()), (first, last), |found| {
        budget.rollup()?;
        for group in groups.of(found.link) {
            notes[*group].extend_from_slice(found.visitors());
            if notes[*group].len() >= NOTES_AT_ONCE {
                visitors[*group].add_notes(&mut notes[*group])?;
            }
        }
        Ok(())
    })?;
    for (visitors, notes) in visitors.iter_mut().zip(&mut notes) {
        visitors.add_notes(notes)?;
    }
    let days = people.between(day(first), day(after));
    scan::pending(snapshot, &days, |_, row| {
        add(groups, visitors, row.link(), row.visitor());
        Ok(())
    })
}

/// First instant of day number `day`; the first day begins with the beginning of time.
fn day(day: u32) -> Timestamp {
    if day == 0 {
        Timestamp(i64::MIN)
    } else {
        Timestamp(i64::from(day).saturating_mul(DAY_MS))
    }
}

fn sketches(
    store: &Store,
    workspace: WorkspaceNo,
    link: LinkNo,
    (first, last): (u32, u32),
    groups: &Groups,
    visitors: &mut [Visitors],
    budget: &mut Budget,
) -> Result<(), QueryError> {
    let (first, last) = (key::sketch(workspace, link, first), key::sketch(workspace, link, last));
    store.scan(&first, &last, false, |_, body| {
        budget.rollup()?;
        let sketch = Sketch::read(body)?;
        groups
            .of(link)
            .iter()
            .for_each(|group| visitors[*group].add_all(&sketch));
        Ok(true)
    })
}

fn scan_clicks(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    groups: &Groups,
    visitors: &mut [Visitors],
    budget: &mut Budget,
) -> Result<(), QueryError> {
    scan::rows(store, snapshot, query, Depth::Whole, budget, |row| {
        add(groups, visitors, row.link(), row.visitor());
        Ok(())
    })
}

fn add(groups: &Groups, visitors: &mut [Visitors], link: LinkNo, visitor: u64) {
    if visitor != 0 {
        groups.of(link).iter().for_each(|group| visitors[*group].add(visitor));
    }
}
