//! Gathers clicks into columns as they come: each text is looked up once, and is a number from then on.
//!
//! What was looked up is remembered from one batch to the next, within bounds, so that clicks far apart share their texts
//! too. Texts from outside are cut to the domain's bounds here; nothing else is judged.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt, fast};

use crate::domain::click::{Click, ClickFlags, LANGUAGE_MAX, LostDetail, Outcome, REFERRER_MAX, Tapped, UTM_MAX, cut};
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::locality;
use crate::domain::time::Timestamp;
use crate::domain::user_agent::UserAgent;
use crate::domain::visitor::{TOUCHES_MAX, Touch};

use super::columns::{CLICKS_MAX, Columns, Header, Mark, Place};
use super::dictionary::Column;

/// Texts of one kind that are remembered: a day's languages and referrers many times, some MB at their usual length.
const TEXTS_MAX: usize = 16_384;
/// Slots for the places of a usual batch, a power of two: half of them stay free, so that looking for one ends soon.
const PLACES: usize = 2 * CLICKS_MAX;

/// A click on its way into the log: a [`Click`] whose texts lie elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct NewRow<'a> {
    pub sequence: u64,
    pub at: Timestamp,
    pub workspace: WorkspaceNo,
    pub domain: DomainNo,
    pub link: LinkNo,
    pub flags: ClickFlags,
    pub outcome: Outcome,
    pub visitor: u64,
    pub variant: u8,
    pub country: [u8; 2],
    pub locality: &'a str,
    pub user_agent: UserAgent,
    pub language: &'a str,
    pub referrer: &'a str,
    pub utm: [&'a str; 5],
    pub journey: &'a [Touch],
    pub tapped: Option<Tapped>,
}

impl<'a> NewRow<'a> {
    /// As `click` says.
    pub fn of(click: &'a Click) -> Self {
        Self {
            sequence: click.sequence,
            at: click.at,
            workspace: click.workspace,
            domain: click.domain,
            link: click.link,
            flags: click.flags,
            outcome: click.outcome,
            visitor: click.visitor,
            variant: click.variant,
            country: click.country,
            locality: &click.locality,
            user_agent: click.user_agent,
            language: &click.language,
            referrer: &click.referrer,
            utm: click.utm.each_ref().map(|text| &**text),
            journey: &click.journey,
            tapped: click.tapped,
        }
    }

    /// The same with texts cut to the domain's bounds; of a longer journey the newest touches stay, and a locality of
    /// another country goes: facets tell the country by the region.
    fn keep_within_bounds(&mut self) {
        if !locality::is_of(self.locality, self.country) {
            self.locality = "";
        }
        self.language = cut(self.language, LANGUAGE_MAX);
        self.referrer = cut(self.referrer, REFERRER_MAX);
        for text in &mut self.utm {
            *text = cut(text, UTM_MAX);
        }
        let surplus = self.journey.len().saturating_sub(TOUCHES_MAX);
        self.journey = &self.journey[surplus..];
    }
}

/// What was read from rings and is written together, and what is remembered of what was written before.
#[derive(Debug, Default)]
pub struct Drain {
    /// Clicks of which only the count is known.
    pub lost: Vec<LostDetail>,
    columns: Columns,
    /// Of each click; may change until they are written.
    marks: Vec<Mark>,
    /// Counts batches, from 1: says which picks are of this one.
    batch: u32,
    places: Places,
    utms: Utms,
    countries: Known<[u8; 2]>,
    agents: Known<UserAgent>,
    languages: Texts,
    referrers: Texts,
    localities: Texts,
}

/// The number of a value in the columns of one batch.
#[derive(Debug, Clone, Copy, Default)]
struct Pick {
    batch: u32,
    number: u16,
}

impl Pick {
    /// The number in `batch`; where it has none yet, it gets the one that `add` answers.
    fn of(&mut self, batch: u32, add: impl FnOnce() -> u16) -> u16 {
        if self.batch != batch {
            *self = Self { batch, number: add() };
        }
        self.number
    }
}

impl Drain {
    /// Nothing, and nothing remembered.
    pub fn new() -> Self {
        Self {
            batch: 1,
            ..Self::default()
        }
    }

    /// Clicks in it.
    pub fn clicks(&self) -> usize {
        self.columns.at.len()
    }

    /// Adds `row`, one of at most [`super::DRAINED_CLICKS_MAX`]. Texts longer than the domain allows are cut.
    pub fn push(&mut self, mut row: NewRow<'_>) {
        row.keep_within_bounds();
        self.add(&row);
    }

    fn add(&mut self, new: &NewRow<'_>) {
        let Self { columns, batch, .. } = self;
        let (batch, row) = (*batch, columns.at.len());
        debug_assert!(row < usize::from(FREE), "numbers of values have 16 bits");
        columns.at.push(new.at);
        columns.sequence.push(new.sequence);
        columns.visitor.push(new.visitor);
        self.marks.push(Mark {
            flags: new.flags,
            outcome: new.outcome,
            variant: new.variant,
        });
        let place = Place {
            workspace: new.workspace,
            domain: new.domain,
            link: new.link,
        };
        self.places.push(&mut columns.place, row, batch, place);
        self.countries.push(&mut columns.country, row, batch, new.country);
        self.agents.push(&mut columns.user_agent, row, batch, new.user_agent);
        self.languages.push(&mut columns.language, row, batch, new.language);
        self.referrers.push(&mut columns.referrer, row, batch, new.referrer);
        self.utms.push(&mut columns.utm, row, batch, &new.utm);
        self.localities.push(&mut columns.locality, row, batch, new.locality);
        columns.touches.extend_from_slice(new.journey);
        columns.end_journey(row);
        if new.tapped.is_some() {
            columns.tapped.resize(row, None);
            columns.tapped.push(new.tapped);
        }
    }

    /// Says who made click number `row`, and with which flags.
    pub fn recognise(&mut self, row: usize, visitor: u64, flags: ClickFlags) {
        self.columns.visitor[row] = visitor;
        self.marks[row].flags = flags;
    }

    /// The clicks as they are to be written, after [`Self::finish`].
    pub(super) fn whole(&self) -> &Columns {
        &self.columns
    }

    /// Makes the columns whole; may be called again when something changed.
    pub(super) fn finish(&mut self) {
        let columns = &mut self.columns;
        columns.header = Header::of(&columns.at, &columns.sequence);
        columns.mark.clear();
        let mut known: HashMap<Mark, u16> = HashMap::new();
        let mut last = None;
        for (row, mark) in self.marks.iter().enumerate() {
            // Neighbours are often alike: comparing is cheaper than hashing.
            let number = match last {
                Some((same, number)) if same == *mark => number,
                _ => *known.entry(*mark).or_insert_with(|| columns.mark.add(*mark)),
            };
            last = Some((*mark, number));
            columns.mark.push(row, number);
        }
    }

    /// What was written, finished, and begins anew in the room of `next`, which is empty; what was looked up stays.
    pub(super) fn take(&mut self, mut next: Columns) -> (Columns, Vec<LostDetail>) {
        self.marks.clear();
        // As many again are likely: growing by doubling would move them all several times.
        next.reserve_as(&self.columns);
        let columns = std::mem::replace(&mut self.columns, next);
        match self.batch.checked_add(1) {
            Some(batch) => self.batch = batch,
            // Picks of old batches would come to life again.
            None => *self = Self::new(),
        }
        (columns, std::mem::take(&mut self.lost))
    }
}

impl Columns {
    /// The columns of `clicks`, as they are.
    pub(super) fn of(clicks: &[Click]) -> Self {
        Self::of_rows(clicks.iter().map(NewRow::of))
    }

    /// The columns of `clicks`, their texts cut to the domain's bounds.
    pub(super) fn of_bounded(clicks: &[Click]) -> Self {
        Self::of_rows(clicks.iter().map(|click| {
            let mut row = NewRow::of(click);
            row.keep_within_bounds();
            row
        }))
    }

    fn of_rows<'a>(rows: impl Iterator<Item = NewRow<'a>>) -> Self {
        let mut drain = Drain::new();
        rows.for_each(|row| drain.add(&row));
        drain.finish();
        drain.take(Columns::default()).0
    }
}

/// Places of one batch: numbers in its column, found by a hash. Nothing is remembered of them: with many links hardly
/// one is met again soon, and with few they are found as quickly. Slots are few bytes, written anew for each batch: so
/// they lie near the processor when they are looked into.
#[derive(Debug, Default)]
struct Places {
    hasher: fast::RandomState,
    /// Numbers of places, or [`FREE`]: as many as [`PLACES`] once there is one, more when a batch has more.
    slots: Vec<u16>,
    /// Which batch they are of.
    batch: u32,
    last: Option<(u32, Place, u16)>,
}

/// A slot of no place.
const FREE: u16 = u16::MAX;

impl Places {
    fn push(&mut self, column: &mut Column<Place>, row: usize, batch: u32, place: Place) {
        let number = match self.last {
            Some((same_batch, same, number)) if same_batch == batch && same == place => number,
            _ => self.number(column, batch, place),
        };
        self.last = Some((batch, place, number));
        column.push(row, number);
    }

    fn number(&mut self, column: &mut Column<Place>, batch: u32, place: Place) -> u16 {
        if self.batch != batch {
            self.slots.fill(FREE);
            self.batch = batch;
        }
        if column.values.len() * 2 >= self.slots.len() {
            self.slots = vec![FREE; PLACES.max(self.slots.len() * 2)];
            for (number, known) in (0..).zip(&column.values) {
                let free = self.find(column, *known);
                self.slots[free] = number;
            }
        }
        let found = self.find(column, place);
        let slot = &mut self.slots[found];
        if *slot == FREE {
            *slot = column.add(place);
        }
        *slot
    }

    /// The slot of `place`, or the free one where it belongs.
    fn find(&self, column: &Column<Place>, place: Place) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = self.hasher.hash_one((place.workspace.0, place.domain.0, place.link.0)) as usize & mask;
        // Half of them are free at least.
        while self.slots[at] != FREE && column.values[usize::from(self.slots[at])] != place {
            at = (at + 1) & mask;
        }
        at
    }
}

/// Small values, and their numbers in the batch.
#[derive(Debug)]
struct Known<T> {
    picks: HashMap<T, Pick>,
    last: Option<(u32, T, u16)>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self {
            picks: HashMap::new(),
            last: None,
        }
    }
}

impl<T: Copy + Eq + Hash> Known<T> {
    fn push(&mut self, column: &mut Column<T>, row: usize, batch: u32, value: T) {
        let number = match self.last {
            // Neighbours are often alike: comparing is cheaper than hashing.
            Some((same_batch, same, number)) if same_batch == batch && same == value => number,
            _ => self.number(column, batch, value),
        };
        self.last = Some((batch, value, number));
        column.push(row, number);
    }

    fn number(&mut self, column: &mut Column<T>, batch: u32, value: T) -> u16 {
        // Bytes of a header that nobody checked: bounded, like everything.
        if self.picks.len() >= TEXTS_MAX {
            self.picks.clear();
            // Numbers given before in this batch are forgotten: a value may stand in its column twice.
        }
        let pick = self.picks.entry(value).or_default();
        pick.of(batch, || column.add(value))
    }
}

/// Texts of a kind, and their numbers in the batch.
#[derive(Debug, Default)]
struct Texts {
    numbers: HashMap<Arc<str>, usize>,
    slots: Vec<(Arc<str>, Pick)>,
    /// Number of the one that was met last.
    last: usize,
    /// Of the empty text, which many have.
    empty: Pick,
}

impl Texts {
    fn push(&mut self, column: &mut Column<Arc<str>>, row: usize, batch: u32, text: &str) {
        if text.is_empty() {
            let number = self.empty.of(batch, || column.add("".into()));
            return column.push(row, number);
        }
        if self.slots.get(self.last).is_none_or(|(last, _)| **last != *text) {
            self.last = self.find(text);
        }
        let (shared, pick) = &mut self.slots[self.last];
        let number = pick.of(batch, || column.add(Arc::clone(shared)));
        column.push(row, number);
    }

    fn find(&mut self, text: &str) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        if self.slots.len() >= TEXTS_MAX {
            self.slots.clear();
            self.numbers.clear();
        }
        let shared: Arc<str> = text.into();
        self.slots.push((Arc::clone(&shared), Pick::default()));
        self.numbers.insert(shared, self.slots.len() - 1);
        self.slots.len() - 1
    }
}

/// UTM parameters, found by a hash of all five.
#[derive(Debug, Default)]
struct Utms {
    hasher: fast::RandomState,
    numbers: HashMap<u64, usize>,
    slots: Vec<Utm>,
    /// Number of those that were met last.
    last: usize,
}

#[derive(Debug)]
struct Utm {
    texts: Arc<[Box<str>; 5]>,
    /// The same, one behind the other: comparing five texts that each lie elsewhere waits five times for memory.
    together: Box<str>,
    lengths: [usize; 5],
    pick: Pick,
}

impl Utms {
    fn push(&mut self, column: &mut Column<Arc<[Box<str>; 5]>>, row: usize, batch: u32, texts: &[&str; 5]) {
        if self.slots.get(self.last).is_none_or(|last| !last.is(texts)) {
            self.last = self.find(texts);
        }
        let slot = &mut self.slots[self.last];
        let number = slot.pick.of(batch, || column.add(Arc::clone(&slot.texts)));
        column.push(row, number);
    }

    fn find(&mut self, texts: &[&str; 5]) -> usize {
        let mut hasher = self.hasher.build_hasher();
        for text in texts {
            // The length as well: the same letters cut otherwise are others.
            hasher.write_usize(text.len());
            hasher.write(text.as_bytes());
        }
        let hash = hasher.finish();
        // Of two that meet in a hash, the one met last has its number.
        if let Some(number) = self.numbers.get(&hash).filter(|number| self.slots[**number].is(texts)) {
            return *number;
        }
        if self.slots.len() >= TEXTS_MAX {
            self.slots.clear();
            self.numbers.clear();
        }
        self.slots.push(Utm {
            texts: Arc::new(texts.map(Box::from)),
            together: texts.concat().into(),
            lengths: texts.map(str::len),
            pick: Pick::default(),
        });
        self.numbers.insert(hash, self.slots.len() - 1);
        self.slots.len() - 1
    }
}

impl Utm {
    fn is(&self, texts: &[&str; 5]) -> bool {
        let mut rest = &*self.together;
        self.lengths == texts.map(str::len)
            && texts
                .iter()
                .filter(|text| !text.is_empty())
                .all(|text| match rest.strip_prefix(text) {
                    Some(after) => {
                        rest = after;
                        true
                    }
                    None => false,
                })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::samples::{NOON, any_click, click};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn clicks_come_out_as_they_went_in(batches in proptest::collection::vec(proptest::collection::vec(any_click(), 0..20), 1..4)) {
            let mut drain = Drain::new();
            for clicks in batches {
                clicks.iter().for_each(|click| drain.push(NewRow::of(click)));
                drain.finish();
                prop_assert_eq!(drain.whole().clicks(), clicks.clone());
                let (columns, _) = drain.take(Columns::default());
                prop_assert_eq!(columns.clicks(), clicks);
            }
        }
    }

    #[test]
    fn batches_share_texts_and_count_them_anew() {
        let mut drain = Drain::new();
        let mut one = click(1, NOON, 1, 2);
        one.language = "de-DE".into();
        one.utm = Arc::new(["a".into(), "".into(), "b".into(), "".into(), "".into()]);
        let mut other = click(2, NOON, 2, 2);
        other.utm = Arc::new(["a".into(), "b".into(), "".into(), "".into(), "".into()]);
        let mut batch = |clicks: &[&Click]| {
            clicks.iter().for_each(|click| drain.push(NewRow::of(click)));
            drain.finish();
            drain.take(Columns::default()).0
        };
        let (first, second) = (batch(&[&one, &other, &one]), batch(&[&other, &one]));
        assert_eq!((first.utm.values.len(), first.language.values.len()), (2, 2));
        assert!(Arc::ptr_eq(first.utm.get(0), second.utm.get(1)));
        assert!(Arc::ptr_eq(first.language.get(2), second.language.get(1)));
        assert_eq!(second.utm.get(0)[1].as_ref(), "b", "the same letters, cut otherwise");
        // A link that changes says so.
        one.utm = other.utm.clone();
        assert_eq!(batch(&[&one, &other]).utm.values.len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let mut drain = Drain::new();
        for batch in 0..5 {
            for n in 0..CLICKS_MAX as u32 {
                let mut one = click(u64::from(n), NOON, n, 1);
                one.referrer = format!("https://a.example/{batch}/{n}").into();
                one.utm = Arc::new([(); 5].map(|()| format!("{batch}{n}").into()));
                drain.push(NewRow::of(&one));
            }
            assert_eq!(drain.whole().place.values.len(), CLICKS_MAX);
            drain.finish();
            drain.take(Columns::default());
        }
        assert!(drain.utms.slots.len() <= TEXTS_MAX && drain.utms.numbers.len() <= TEXTS_MAX);
        assert!(drain.referrers.slots.len() <= TEXTS_MAX && drain.referrers.numbers.len() <= TEXTS_MAX);
    }

    #[test]
    fn bounds_are_kept() {
        let mut long = click(1, NOON, 1, 1);
        long.referrer = "r".repeat(REFERRER_MAX + 1).into();
        long.language = "l".repeat(LANGUAGE_MAX + 1).into();
        long.utm = Arc::new([(); 5].map(|()| "u".repeat(UTM_MAX + 1).into()));
        long.country = *b"DE";
        long.locality = "FR/Paris".into();
        long.journey = (0..TOUCHES_MAX as u32 + 1)
            .map(|n| Touch {
                link: LinkNo(n),
                seconds: n,
            })
            .collect();
        let cut = Columns::of_bounded(&[long]).click(0);
        assert_eq!((cut.referrer.len(), cut.language.len()), (REFERRER_MAX, LANGUAGE_MAX));
        assert!(cut.utm.iter().all(|text| text.len() == UTM_MAX));
        assert_eq!((&*cut.locality, cut.journey[0].link), ("", LinkNo(1)));
    }
}
