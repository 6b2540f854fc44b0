//! The clicks whose sums wait, a row each: what they are alike in by number, and the link's row before by number.
//!
//! Nothing is added up before it is written: adding costs a place in memory for each sum, and clicks on many links have
//! sums of their own. A question looks through all rows, or follows those of a link.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::{ClickClass, ClickFlags};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::dimension::{Dimension, FACETS, area_key};
use super::merge::Merged;
use super::sketch;
use super::tabulate::{Numbers, OwnTrait};
use super::value::Totals;

/// Ends of links' chains, by the lowest bits of their numbers: small enough for a processor's cache.
const CHAINS: usize = 1 << 16;
/// Links of a question up to which chains are followed: beyond, all rows are looked through.
const FOLLOWED_MAX: usize = 64;

/// Rows of which a question knows from when to when they are, to pass them by.
const STRETCH: usize = 4096;
/// Most rows that room is made for beforehand, 52 MiB: those of a writing and of some checkpoints.
const ROOM_MAX: usize = (3 << 19) + (1 << 17);
/// Traits, and kinds of clicks, that are still known after a writing: other clicks have the same.
const TRAITS_KEPT_MAX: usize = 1 << 14;

const CLASS: u8 = 7;
const IS_QR: u8 = 1 << 3;
const IS_USE: u8 = 1 << 4;
const IS_BY_DAY: u8 = 1 << 5;
const IS_PAGED: u8 = 1 << 6;

const PLACE: usize = 0;
const AGENT: usize = 1;
const REFERRER: usize = 2;
const UTM: usize = 3;

/// Where the clicks of a frame are counted, besides facets and sketches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct How {
    /// In days, rather than in roll-ups of quarter hours.
    pub(super) is_by_day: bool,
    /// In pages of totals, rather than in links' own.
    pub(super) is_paged: bool,
}

/// A click that waits. Of the size that it has: questions and writings wait for the memory that rows lie in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) at: Timestamp,
    /// 0 unless it enters sketches.
    pub(super) visitor: u64,
    pub(super) workspace: WorkspaceNo,
    pub(super) link: LinkNo,
    /// One more than the number of the row before in the same chain; 0 = none.
    before: u32,
    kind: Kind,
    mark: u8,
}

const _: () = assert!(size_of::<Row>() == 32);

/// Number of what a click is alike in with others: its place, agent, referrer and UTM. 24 bits, of which the backlog needs
/// 23: no more kinds than rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind([u8; 3]);

/// Kinds that there are numbers for.
const KINDS_MAX: usize = 1 << 24;

impl Kind {
    fn new(number: u32) -> Self {
        let [low, middle, high, _] = number.to_le_bytes();
        Self([low, middle, high])
    }

    fn number(self) -> usize {
        let [low, middle, high] = self.0;
        u32::from_le_bytes([low, middle, high, 0]) as usize
    }
}

/// The traits of each kind, by number, and the one that was met last: neighbours are often alike.
#[derive(Debug)]
struct Kinds {
    numbers: Numbers<[u32; 4]>,
    last: ([u32; 4], Kind),
}

impl Kinds {
    fn new() -> Self {
        let mut numbers = Numbers::new();
        let traits = [0; 4];
        let first = Kind::new(numbers.of(traits));
        Self {
            numbers,
            last: (traits, first),
        }
    }

    /// The number of what has these traits.
    ///
    /// # Panics
    /// When there are no more numbers: the backlog is written long before, and a store that refuses that for so long is
    /// as good as broken.
    fn of(&mut self, traits: [u32; 4]) -> Kind {
        if self.last.0 != traits {
            let number = self.numbers.of(traits);
            assert!(
                (number as usize) < KINDS_MAX,
                "the backlog was not written for too long"
            );
            self.last = (traits, Kind::new(number));
        }
        self.last.1
    }

    fn traits(&self, kind: Kind) -> [u32; 4] {
        self.numbers.values[kind.number()]
    }
}

impl Row {
    pub(super) fn class(&self) -> usize {
        usize::from(self.mark & CLASS)
    }

    pub(super) fn is_qr(&self) -> bool {
        self.mark & IS_QR != 0
    }

    pub(super) fn is_by_day(&self) -> bool {
        self.mark & IS_BY_DAY != 0
    }

    pub(super) fn is_paged(&self) -> bool {
        self.mark & IS_PAGED != 0
    }

    /// Adds it to the totals of its link.
    pub(super) fn add_to(&self, totals: &mut Totals) {
        totals.counts[self.class()] += 1;
        totals.uses += u64::from(self.mark & IS_USE != 0);
        if self.class() == ClickClass::Human as usize {
            totals.last_human_at = totals.last_human_at.max(Some(self.at));
        }
    }
}

fn mark(flags: ClickFlags, how: How) -> u8 {
    let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
    flags.class() as u8
        | bit(flags.has(ClickFlags::QR), IS_QR)
        | bit(flags.has(ClickFlags::USE), IS_USE)
        | bit(how.is_by_day, IS_BY_DAY)
        | bit(how.is_paged, IS_PAGED)
}

/// Which of a row's traits tells each dimension; the last is how it was followed.
fn told_by(by: Dimension) -> usize {
    type D = Dimension;
    match by {
        D::Country | D::Area => PLACE,
        D::Device | D::Browser | D::Os => AGENT,
        D::Referrer => REFERRER,
        D::Trigger => UTM + 1,
        _ => UTM,
    }
}

/// The clicks of frames after `since` up to `through`.
#[derive(Debug)]
pub(super) struct Sums {
    /// Days, facets, sketches, sheets and pages of totals in sled hold frames up to this one.
    pub(super) since: u64,
    /// Frames up to this one are there or here.
    pub(super) through: u64,
    pub(super) rows: Vec<Row>,
    /// The first and the last instant of each [`STRETCH`] rows: rows come nearly in the order of their time.
    spans: Vec<(Timestamp, Timestamp)>,
    /// One more than the number of each chain's latest row.
    latest: Vec<u32>,
    pub(super) traits: Numbers<OwnTrait>,
    kinds: Kinds,
    pub(super) written: Instant,
}

impl Sums {
    /// Nothing, where sled has everything up to frame `since`; with room for `room` rows, so that they need not be moved.
    pub(super) fn after(since: u64, room: usize) -> Self {
        Self {
            since,
            through: since,
            rows: Vec::with_capacity(room.min(ROOM_MAX)),
            spans: Vec::new(),
            latest: vec![0; CHAINS],
            traits: traits(),
            kinds: Kinds::new(),
            written: Instant::now(),
        }
    }

    /// Everything is in sled.
    pub(super) fn begin_again(&mut self) {
        if self.rows.capacity() > 2 * ROOM_MAX {
            *self = Self::after(self.through, ROOM_MAX);
            return;
        }
        self.since = self.through;
        self.rows.clear();
        self.spans.clear();
        self.latest.fill(0);
        if self.traits.values.len().max(self.kinds.numbers.values.len()) > TRAITS_KEPT_MAX {
            (self.traits, self.kinds) = (traits(), Kinds::new());
        }
        self.written = Instant::now();
    }

    fn push(&mut self, row: Row) {
        let latest = &mut self.latest[row.link.0 as usize % CHAINS];
        let before = std::mem::replace(latest, self.rows.len() as u32 + 1);
        if self.rows.len().is_multiple_of(STRETCH) {
            self.spans.push((row.at, row.at));
        }
        if let Some((first, last)) = self.spans.last_mut() {
            (*first, *last) = (row.at.min(*first), row.at.max(*last));
        }
        self.rows.push(Row { before, ..row });
    }

    /// Adds the clicks of frames up to `through`.
    pub(super) fn add(&mut self, merged: &Merged<'_>, how: How, through: u64) {
        self.through = through;
        let traits = &mut self.traits;
        let agents = merged.user_agent.values.iter();
        let agents: Vec<u32> = agents.map(|agent| traits.of(OwnTrait::Agent(*agent))).collect();
        let referrers = merged.referrer.values.iter();
        let referrers: Vec<u32> = referrers.map(|text| traits.of(referrer(text))).collect();
        let utms = merged.utm.values.iter();
        let utms: Vec<u32> = utms.map(|texts| traits.of(utm(texts))).collect();
        let countries = merged.country.values.iter();
        let countries: Vec<u32> = countries.map(|country| traits.of(place(country, ""))).collect();
        let mut localities: Vec<Option<u32>> = vec![None; merged.locality.values.len()];
        self.rows.reserve(merged.spots.len());
        for spot in &merged.spots {
            let of = merged.place.values[merged.place(spot)];
            let (country, locality) = (merged.country(spot), merged.locality(spot));
            // Where no more than the country is known, the locality says nothing of it.
            let place = match merged.locality.values[locality] {
                text if text.is_empty() => countries[country],
                text => *localities[locality]
                    .get_or_insert_with(|| self.traits.of(place(&merged.country.values[country], text))),
            };
            let (flags, visitor) = (merged.flags(spot), merged.visitor(spot));
            let traits = [
                place,
                agents[merged.user_agent(spot)],
                referrers[merged.referrer(spot)],
                utms[merged.utm(spot)],
            ];
            let kind = self.kinds.of(traits);
            self.push(Row {
                at: spot.at,
                visitor: if sketch::counts(flags, visitor) { visitor } else { 0 },
                workspace: of.workspace,
                link: of.link,
                before: 0,
                kind,
                mark: mark(flags, how),
            });
        }
    }

    /// Adds the clicks of a block that was read from the store.
    pub(super) fn add_block(&mut self, columns: &Columns, how: How) {
        let traits = &mut self.traits;
        let agents = columns.user_agent.values.iter();
        let agents: Vec<u32> = agents.map(|agent| traits.of(OwnTrait::Agent(*agent))).collect();
        let referrers = columns.referrer.values.iter();
        let referrers: Vec<u32> = referrers.map(|text| traits.of(referrer(text))).collect();
        let utms = columns.utm.values.iter();
        let utms: Vec<u32> = utms.map(|texts| traits.of(utm(texts))).collect();
        // Made of two columns: looked up once for each two values that meet.
        let mut places: HashMap<(usize, usize), u32> = HashMap::new();
        for row in 0..columns.header.count {
            let (of, flags, visitor) = (
                columns.place.get(row),
                columns.mark.get(row).flags,
                columns.visitor[row],
            );
            let picks = (columns.country.pick(row), columns.locality.pick(row));
            let place = *places.entry(picks).or_insert_with(|| {
                let traits = &mut self.traits;
                traits.of(place(columns.country.get(row), columns.locality.get(row)))
            });
            let traits = [
                place,
                agents[columns.user_agent.pick(row)],
                referrers[columns.referrer.pick(row)],
                utms[columns.utm.pick(row)],
            ];
            let kind = self.kinds.of(traits);
            self.push(Row {
                at: columns.at[row],
                visitor: if sketch::counts(flags, visitor) { visitor } else { 0 },
                workspace: of.workspace,
                link: of.link,
                before: 0,
                kind,
                mark: mark(flags, how),
            });
        }
    }

    /// The rows of `link`, the latest first.
    pub(super) fn of_link(&self, link: LinkNo) -> impl Iterator<Item = &Row> {
        let at = |number: u32| number.checked_sub(1).map(|place| &self.rows[place as usize]);
        let latest = at(self.latest[link.0 as usize % CHAINS]);
        let chain = std::iter::successors(latest, move |row| at(row.before));
        chain.filter(move |row| row.link == link)
    }

    /// Hands the rows of `workspace` from the first to the last instant to `each`, of `links` alone if there are any.
    pub(super) fn visit<'s>(
        &'s self,
        (workspace, links): (WorkspaceNo, Option<&HashSet<LinkNo>>),
        (first, last): (Timestamp, Timestamp),
        mut each: impl FnMut(&'s Row),
    ) {
        let mut visit = |row: &'s Row| {
            if row.workspace == workspace && first <= row.at && row.at <= last {
                each(row);
            }
        };
        let stretches = self.rows.chunks(STRETCH).zip(&self.spans);
        let asked = stretches.filter(|(_, span)| span.0 <= last && first <= span.1);
        let rows = asked.flat_map(|(rows, _)| rows);
        match links {
            Some(links) if links.len() <= FOLLOWED_MAX => {
                links.iter().for_each(|link| self.of_link(*link).for_each(&mut visit));
            }
            Some(links) => rows.filter(|row| links.contains(&row.link)).for_each(visit),
            None => rows.for_each(visit),
        }
    }

    /// What tells dimension number `facet` of `row`, by number.
    pub(super) fn number(&self, row: &Row, facet: usize) -> u32 {
        self.traits_of(row)[told_by(FACETS[facet])]
    }

    /// Numbers of the place, agent, referrer, UTM of `row`, and of how it was followed.
    pub(super) fn traits_of(&self, row: &Row) -> [u32; 5] {
        let [place, agent, referrer, utm] = self.kinds.traits(row.kind);
        [place, agent, referrer, utm, u32::from(row.is_qr())]
    }

    /// The key in dimension number `facet` of what has this number there.
    pub(super) fn key(&self, number: u32, facet: usize) -> &[u8] {
        let known = self.traits.values[number as usize].as_trait();
        known.key(FACETS[facet]).unwrap_or_default()
    }
}

/// The ways of following, which rows tell by their numbers.
fn traits() -> Numbers<OwnTrait> {
    let mut traits = Numbers::new();
    for (number, is_qr) in [false, true].into_iter().enumerate() {
        let found = traits.of(OwnTrait::Trigger(is_qr));
        debug_assert_eq!(found as usize, number);
    }
    traits
}

fn referrer(text: &Arc<str>) -> OwnTrait {
    OwnTrait::Referrer(Arc::clone(text))
}

fn utm(texts: &Arc<[Box<str>; 5]>) -> OwnTrait {
    OwnTrait::Utm(Arc::clone(texts))
}

fn place(country: &[u8; 2], locality: &str) -> OwnTrait {
    OwnTrait::Place(*country, area_key(country, locality).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::block::cut;
    use crate::clicklog::encoder::Encoder;
    use crate::clicklog::samples::any_click;
    use crate::clicklog::tabulate;
    use crate::clicklog::value::unseal;
    use crate::domain::click::Click;
    use proptest::prelude::*;

    const HOW: How = How {
        is_by_day: true,
        is_paged: false,
    };

    const ALWAYS: (Timestamp, Timestamp) = (Timestamp(i64::MIN), Timestamp(i64::MAX));

    /// What each row says, sorted.
    fn told(sums: &Sums) -> Vec<String> {
        let each = sums.rows.iter().map(|row| {
            let keys = (0..FACETS.len()).map(|facet| sums.key(sums.number(row, facet), facet));
            let of = (
                row.workspace,
                row.link,
                row.at,
                row.visitor,
                row.class(),
                row.is_paged(),
            );
            format!("{of:?} {:?}", keys.collect::<Vec<_>>())
        });
        let mut told: Vec<String> = each.collect();
        told.sort();
        told
    }

    #[test]
    fn kinds_keep_their_numbers() {
        for number in [0, 255, 256, 65_535, 65_536, KINDS_MAX - 1] {
            assert_eq!(Kind::new(number as u32).number(), number);
        }
        let mut kinds = Kinds::new();
        let of = |n: u32| [n, n % 7, n % 3, 1];
        let numbers: Vec<Kind> = (0..70_000).map(|n| kinds.of(of(n))).collect();
        for (n, kind) in (0..).zip(&numbers) {
            assert_eq!((kinds.traits(*kind), kinds.of(of(n))), (of(n), *kind));
        }
        let first = kinds.of([0; 4]);
        assert_eq!(kinds.traits(first), [0; 4], "which it begins with");
    }

    proptest! {
        #[test]
        fn a_block_is_told_alike_when_written_and_when_read(clicks in proptest::collection::vec(any_click(), 1..40)) {
            let frames: Vec<Columns> = clicks.chunks(clicks.len() / 3 + 1).map(Columns::of).collect();
            let merged = Merged::of(frames.iter().collect());
            let (mut written, mut read) = (Sums::after(0, 9), Sums::after(0, 9));
            written.add(&merged, HOW, 1);
            cut(&merged, 1, &mut Encoder::new(), |key, value| {
                let columns = Columns::decode(unseal(&key, &value).expect("sealed")).expect("own bytes");
                read.add_block(&columns, HOW);
            });
            let mut naive: Vec<String> = clicks
                .iter()
                .map(|click| {
                    let visitor = if sketch::counts(click.flags, click.visitor) { click.visitor } else { 0 };
                    let class = click.flags.class() as usize;
                    let of = (click.workspace, click.link, click.at, visitor, class, false);
                    format!("{of:?} {:?}", tabulate::keys(click).to_vec())
                })
                .collect();
            naive.sort();
            prop_assert_eq!(told(&written), naive.clone());
            prop_assert_eq!(told(&read), naive);
        }
    }

    #[test]
    fn rows_are_found_by_link() {
        let click = |link: u32, workspace: u32| Click {
            link: LinkNo(link),
            workspace: WorkspaceNo(workspace),
            ..Click::default()
        };
        // The first two are in one chain.
        let far = 1 + CHAINS as u32;
        let clicks = [click(1, 1), click(far, 1), click(1, 1), click(2, 1), click(1, 2)];
        let frames = [Columns::of(&clicks)];
        let mut sums = Sums::after(3, 1);
        sums.add(&Merged::of(frames.iter().collect()), HOW, 4);
        let found = |links: Option<Vec<u32>>| {
            let links = links.map(|links| links.into_iter().map(LinkNo).collect());
            let mut count = 0;
            sums.visit((WorkspaceNo(1), links.as_ref()), ALWAYS, |_| count += 1);
            count
        };
        assert_eq!(
            [found(None), found(Some(vec![1])), found(Some(vec![far, 2, 7]))],
            [4, 2, 2]
        );
        assert_eq!(found(Some((1..100).collect())), 3);
        assert_eq!(sums.of_link(LinkNo(1)).count(), 3);
        assert_eq!((sums.since, sums.through), (3, 4));
    }

    #[test]
    fn rows_are_found_by_time() {
        let clicks: Vec<Click> = (0..10_000)
            .map(|n| Click {
                at: Timestamp(n * n % 20_000),
                workspace: WorkspaceNo(1),
                ..Click::default()
            })
            .collect();
        let mut sums = Sums::after(0, 0);
        for some in clicks.chunks(3000) {
            let frames: Vec<Columns> = some.chunks(1000).map(Columns::of).collect();
            sums.add(&Merged::of(frames.iter().collect()), HOW, 4);
        }
        for (first, last) in [(0, 0), (1, 9_000), (19_000, 30_000), (30_000, 40_000), (7, 6)] {
            let mut count = 0;
            let span = (Timestamp(first), Timestamp(last));
            sums.visit((WorkspaceNo(1), None), span, |_| count += 1);
            let naive = clicks.iter().filter(|click| span.0 <= click.at && click.at <= span.1);
            assert_eq!(count, naive.count(), "{first} to {last}");
        }
    }
}
