//! Gathers clicks into columns as they come: each text is looked up once, and is a number from then on.
//!
//! What was looked up is remembered from one batch to the next, within bounds, so that clicks far apart share their texts
//! too. Texts from outside are cut to the domain's bounds here; nothing else is judged.

use std::hash::Hash;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::{Click, ClickFlags, LANGUAGE_MAX, LostDetail, Outcome, REFERRER_MAX, Tapped, UTM_MAX, cut};
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::locality;
use crate::domain::time::Timestamp;
use crate::domain::user_agent::UserAgent;
use crate::domain::visitor::{TOUCHES_MAX, Touch};

use super::columns::{Columns, Header, Mark, Place};
use super::dictionary::Column;

/// Texts of one kind that are remembered: a day's languages and referrers many times, some MB at their usual length.
const TEXTS_MAX: usize = 16_384;
/// Links whose place and UTM parameters are remembered: 2 MB.
const LINKS_MAX: usize = 32_768;

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
    fn within_bounds(&self) -> Self {
        let is_of = locality::is_of(self.locality, self.country);
        let surplus = self.journey.len().saturating_sub(TOUCHES_MAX);
        Self {
            locality: if is_of { self.locality } else { "" },
            language: cut(self.language, LANGUAGE_MAX),
            referrer: cut(self.referrer, REFERRER_MAX),
            utm: self.utm.map(|text| cut(text, UTM_MAX)),
            journey: &self.journey[surplus..],
            ..*self
        }
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
    of_link: HashMap<LinkNo, OfLink>,
    utms: Utms,
    countries: Known<[u8; 2]>,
    agents: Known<UserAgent>,
    languages: Texts,
    referrers: Texts,
    localities: Texts,
}

/// What the clicks of a link have in common.
#[derive(Debug, Clone, Copy)]
struct OfLink {
    place: Place,
    pick: Pick,
    /// Number of the UTM parameters that it had last: they come from the link, so all its clicks have the same.
    utm: usize,
}

/// The number of a value in the columns of one batch.
#[derive(Debug, Clone, Copy, Default)]
struct Pick {
    batch: u32,
    number: u32,
}

impl Pick {
    /// The number in `batch`; where it has none yet, it gets the one that `add` answers.
    fn of(&mut self, batch: u32, add: impl FnOnce() -> u32) -> u32 {
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

    /// Adds `row`. Texts longer than the domain allows are cut.
    pub fn push(&mut self, row: &NewRow<'_>) {
        self.add(&row.within_bounds());
    }

    fn add(&mut self, row: &NewRow<'_>) {
        let Self { columns, batch, .. } = self;
        let batch = *batch;
        columns.at.push(row.at);
        columns.sequence.push(row.sequence);
        columns.visitor.push(row.visitor);
        self.marks.push(Mark {
            flags: row.flags,
            outcome: row.outcome,
            variant: row.variant,
        });
        self.countries.push(&mut columns.country, batch, row.country);
        self.agents.push(&mut columns.user_agent, batch, row.user_agent);
        self.languages.push(&mut columns.language, batch, row.language);
        self.referrers.push(&mut columns.referrer, batch, row.referrer);
        self.localities.push(&mut columns.locality, batch, row.locality);
        columns.touches.extend_from_slice(row.journey);
        columns.touches_end.push(columns.touches.len());
        if row.tapped.is_some() {
            columns.tapped.resize(columns.at.len() - 1, None);
            columns.tapped.push(row.tapped);
        }
        self.push_of_link(row);
    }

    fn push_of_link(&mut self, row: &NewRow<'_>) {
        let Self {
            columns,
            of_link,
            utms,
            batch,
            ..
        } = self;
        let texts = row.utm;
        if of_link.len() >= LINKS_MAX || utms.slots.len() >= TEXTS_MAX {
            of_link.clear();
            *utms = Utms::default();
        }
        let place = Place {
            workspace: row.workspace,
            domain: row.domain,
            link: row.link,
        };
        let known = of_link.entry(row.link).or_insert_with(|| OfLink {
            place,
            pick: Pick::default(),
            utm: utms.number(&texts),
        });
        if known.place != place {
            (known.place, known.pick) = (place, Pick::default());
        }
        if !utms.slots[known.utm].is(&texts) {
            known.utm = utms.number(&texts);
        }
        let number = known.pick.of(*batch, || columns.place.add(place));
        columns.place.push(number);
        let slot = &mut utms.slots[known.utm];
        let number = slot.pick.of(*batch, || columns.utm.add(Arc::clone(&slot.texts)));
        columns.utm.push(number);
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
        columns.mark = Column::default();
        let mut known: HashMap<Mark, u32> = HashMap::new();
        let mut last = None;
        for mark in &self.marks {
            // Neighbours are often alike: comparing is cheaper than hashing.
            let number = match last {
                Some((same, number)) if same == *mark => number,
                _ => *known.entry(*mark).or_insert_with(|| columns.mark.add(*mark)),
            };
            last = Some((*mark, number));
            columns.mark.push(number);
        }
    }

    /// What was written, finished, and begins anew; what was looked up stays.
    pub(super) fn take(&mut self) -> (Columns, Vec<LostDetail>) {
        self.marks.clear();
        // As many again are likely: growing by doubling would move them all several times.
        let next = Columns::with_room(self.columns.at.len());
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
    fn with_room(count: usize) -> Self {
        Self {
            at: Vec::with_capacity(count),
            sequence: Vec::with_capacity(count),
            visitor: Vec::with_capacity(count),
            touches_end: Vec::with_capacity(count),
            ..Self::default()
        }
    }

    /// The columns of `clicks`, as they are.
    pub(super) fn of(clicks: &[Click]) -> Self {
        Self::of_rows(clicks.iter().map(NewRow::of))
    }

    /// The columns of `clicks`, their texts cut to the domain's bounds.
    pub(super) fn of_bounded(clicks: &[Click]) -> Self {
        Self::of_rows(clicks.iter().map(|click| NewRow::of(click).within_bounds()))
    }

    fn of_rows<'a>(rows: impl Iterator<Item = NewRow<'a>>) -> Self {
        let mut drain = Drain::new();
        rows.for_each(|row| drain.add(&row));
        drain.finish();
        drain.take().0
    }
}

/// Small values, and their numbers in the batch.
#[derive(Debug)]
struct Known<T>(HashMap<T, Pick>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Copy + Eq + Hash> Known<T> {
    fn push(&mut self, column: &mut Column<T>, batch: u32, value: T) {
        // Bytes of a header that nobody checked: bounded, like everything.
        if self.0.len() >= TEXTS_MAX {
            self.0.clear();
            // Numbers given before in this batch are forgotten: a value may stand in its column twice.
        }
        let pick = self.0.entry(value).or_default();
        let number = pick.of(batch, || column.add(value));
        column.push(number);
    }
}

/// Texts of a kind, and their numbers in the batch.
#[derive(Debug, Default)]
struct Texts {
    known: HashMap<Arc<str>, (Pick, Arc<str>)>,
    /// Of the empty text, which many have.
    empty: Pick,
}

impl Texts {
    fn push(&mut self, column: &mut Column<Arc<str>>, batch: u32, text: &str) {
        let number = match text {
            "" => self.empty.of(batch, || column.add("".into())),
            _ => match self.known.get_mut(text) {
                Some((pick, shared)) => pick.of(batch, || column.add(Arc::clone(shared))),
                None => self.meet(column, batch, text),
            },
        };
        column.push(number);
    }

    fn meet(&mut self, column: &mut Column<Arc<str>>, batch: u32, text: &str) -> u32 {
        if self.known.len() >= TEXTS_MAX {
            self.known.clear();
        }
        let shared: Arc<str> = text.into();
        let mut pick = Pick::default();
        let number = pick.of(batch, || column.add(Arc::clone(&shared)));
        self.known.insert(Arc::clone(&shared), (pick, shared));
        number
    }
}

/// UTM parameters.
#[derive(Debug, Default)]
struct Utms {
    of: HashMap<Arc<[Box<str>; 5]>, usize>,
    slots: Vec<Utm>,
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
    fn number(&mut self, texts: &[&str; 5]) -> usize {
        let owned: Arc<[Box<str>; 5]> = Arc::new(texts.map(Box::from));
        if let Some(number) = self.of.get(&owned) {
            return *number;
        }
        let number = self.slots.len();
        self.slots.push(Utm {
            texts: Arc::clone(&owned),
            together: texts.concat().into(),
            lengths: texts.map(str::len),
            pick: Pick::default(),
        });
        self.of.insert(owned, number);
        number
    }
}

impl Utm {
    fn is(&self, texts: &[&str; 5]) -> bool {
        let mut rest = &*self.together;
        self.lengths == texts.map(str::len)
            && texts.iter().all(|text| match rest.strip_prefix(text) {
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
                clicks.iter().for_each(|click| drain.push(&NewRow::of(click)));
                drain.finish();
                prop_assert_eq!(drain.whole().clicks(), clicks.clone());
                let (columns, _) = drain.take();
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
            clicks.iter().for_each(|click| drain.push(&NewRow::of(click)));
            drain.finish();
            drain.take().0
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
        for n in 0..LINKS_MAX as u32 + 2 {
            let mut one = click(u64::from(n), NOON, n, 1);
            one.referrer = format!("https://a.example/{n}").into();
            drain.push(&NewRow::of(&one));
        }
        assert!(drain.of_link.len() <= LINKS_MAX && drain.referrers.known.len() <= TEXTS_MAX);
        assert_eq!(drain.whole().place.values.len(), LINKS_MAX + 2);
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
