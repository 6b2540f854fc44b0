//! Clicks that are in the journal but not in sled yet: what readers add to what sled says.
//!
//! One short lock, held for a push or for copying a pointer; a reader's snapshot never holds the writer up.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::domain::click::{ClickClass, ClickFlags, LostDetail};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::backlog::Backlog;
use super::columns::Columns;
use super::frame::Content;
use super::value::{Counts, Totals, add};

/// What clicks of a frame add to their link in their bucket. There may be several of one link and bucket: they add up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delta {
    pub(super) workspace: WorkspaceNo,
    pub(super) link: LinkNo,
    pub(super) bucket: u32,
    pub(super) counts: Counts,
    /// Of them, those without details.
    pub(super) lost: Counts,
    pub(super) uses: u64,
    /// Of them, those without details.
    pub(super) lost_uses: u64,
    pub(super) last_human_at: Option<Timestamp>,
}

impl Delta {
    /// Of nothing yet.
    fn new(workspace: WorkspaceNo, link: LinkNo, bucket: u32) -> Self {
        Self {
            workspace,
            link,
            bucket,
            counts: Counts::default(),
            lost: Counts::default(),
            uses: 0,
            lost_uses: 0,
            last_human_at: None,
        }
    }

    /// The counts of clicks with details.
    pub(super) fn detailed(&self) -> Counts {
        std::array::from_fn(|class| self.counts[class] - self.lost[class])
    }

    fn add(&mut self, at: Timestamp, class: ClickClass, is_use: bool, count: u64) {
        self.counts[class as usize] += count;
        if is_use {
            self.uses += count;
        }
        if class == ClickClass::Human {
            self.last_human_at = self.last_human_at.max(Some(at));
        }
    }

    /// Adds this to the totals of its link.
    pub(super) fn add_to(&self, totals: &mut Totals) {
        self.add_detailed_to(totals);
        self.add_lost_to(totals);
    }

    /// Adds clicks with details alone. The latest instant is that of any click: all of them count.
    pub(super) fn add_detailed_to(&self, totals: &mut Totals) {
        add(&mut totals.counts, &self.detailed());
        totals.uses = totals.uses.saturating_add(self.uses - self.lost_uses);
        totals.last_human_at = totals.last_human_at.max(self.last_human_at);
    }

    /// Adds clicks without details alone.
    pub(super) fn add_lost_to(&self, totals: &mut Totals) {
        add(&mut totals.counts, &self.lost);
        totals.uses = totals.uses.saturating_add(self.lost_uses);
        totals.last_human_at = totals.last_human_at.max(self.last_human_at);
    }
}

/// A journal frame in memory.
pub(super) struct Frame {
    pub(super) index: u64,
    pub(super) columns: Columns,
    /// In the order of their links.
    lost: Vec<LostDetail>,
    /// Numbers of its clicks in the order of their links. Made when somebody asks: who writes frames does not, and most
    /// links have one click in a frame.
    by_link: OnceLock<Box<[u16]>>,
    /// The instants of its clicks lie between these; with none, the first is after the second.
    clicked: (Timestamp, Timestamp),
    /// The newest instant in it.
    pub(super) newest_at: Option<Timestamp>,
}

impl Frame {
    /// The frame that says `content`.
    pub(super) fn of(index: u64, content: Content) -> Self {
        let (columns, mut lost) = match content {
            Content::Clicks(columns) => (columns, Vec::new()),
            Content::Lost(lost) => (Columns::default(), lost),
            Content::Drained { columns, lost, .. } => (columns, lost),
            Content::Reserved(_) => (Columns::default(), Vec::new()),
        };
        lost.sort_unstable_by_key(|lost| (lost.link, lost.workspace, lost.at));
        let header = columns.header;
        let clicked = match header.count {
            0 => (Timestamp(i64::MAX), Timestamp(i64::MIN)),
            _ => (header.first_at, header.last_at),
        };
        let newest_lost = lost.iter().map(|lost| lost.at).max();
        Self {
            index,
            columns,
            lost,
            by_link: OnceLock::new(),
            clicked,
            newest_at: newest_lost.max((header.count > 0).then_some(header.last_at)),
        }
    }

    /// Clicks with details in it.
    pub(super) fn count(&self) -> usize {
        self.columns.header.count
    }

    /// What it adds to links, in their order.
    pub(super) fn deltas(&self) -> Deltas<'_> {
        Deltas {
            columns: &self.columns,
            rows: self.by_link(),
            lost: &self.lost,
        }
    }

    /// What it adds to `link`.
    pub(super) fn deltas_of(&self, link: LinkNo) -> Deltas<'_> {
        let (rows, lost) = (self.by_link(), &self.lost[..]);
        let link_of = |row: &u16| self.columns.place.get(usize::from(*row)).link;
        let (start, end) = (
            rows.partition_point(|row| link_of(row) < link),
            rows.partition_point(|row| link_of(row) <= link),
        );
        let (lost_start, lost_end) = (
            lost.partition_point(|lost| lost.link < link),
            lost.partition_point(|lost| lost.link <= link),
        );
        Deltas {
            columns: &self.columns,
            rows: &rows[start..end],
            lost: &lost[lost_start..lost_end],
        }
    }

    /// Whether it holds counts of clicks without details.
    pub(super) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Hands the counts of clicks with details to `each`, by workspace and bucket; there may be several of one: they add
    /// up.
    pub(super) fn by_workspace(&self, mut each: impl FnMut(WorkspaceNo, u32, &Counts)) {
        let columns = &self.columns;
        let mut sum: Option<((WorkspaceNo, u32), Counts)> = None;
        for row in 0..self.count() {
            let of = (columns.place.get(row).workspace, columns.at[row].bucket());
            if let Some((known, counts)) = sum.filter(|(known, _)| *known != of) {
                each(known.0, known.1, &counts);
                sum = None;
            }
            let (_, counts) = sum.get_or_insert((of, Counts::default()));
            counts[columns.mark.get(row).flags.class() as usize] += 1;
        }
        if let Some((known, counts)) = sum {
            each(known.0, known.1, &counts);
        }
    }

    fn by_link(&self) -> &[u16] {
        self.by_link.get_or_init(|| {
            let place = &self.columns.place;
            // Link, place, row: a link's clicks stand together, and in there those of one place in their order.
            let key = |row| {
                let pick = place.pick(row);
                u64::from(place.values[pick].link.0) << 32 | (pick as u64) << 16 | row as u64
            };
            let mut keys: Vec<u64> = (0..self.count()).map(key).collect();
            keys.sort_unstable();
            keys.iter().map(|key| *key as u16).collect()
        })
    }

    /// Its clicks, if one of them can be of `at`.
    pub(super) fn columns_around(&self, at: Timestamp) -> Option<&Columns> {
        let (first, last) = self.clicked;
        (first <= at && at <= last).then_some(&self.columns)
    }
}

/// What some clicks of a frame add to their links, in the order of links. Nothing is stored of it.
pub(super) struct Deltas<'f> {
    columns: &'f Columns,
    /// In the order of links, those of a place together.
    rows: &'f [u16],
    lost: &'f [LostDetail],
}

impl Deltas<'_> {
    /// Of the first rows, as many as have the place and the bucket of the first.
    fn of_rows(&mut self) -> Option<Delta> {
        let columns = self.columns;
        let first = usize::from(*self.rows.first()?);
        let (pick, bucket) = (columns.place.pick(first), columns.at[first].bucket());
        let place = columns.place.values[pick];
        let mut delta = Delta::new(place.workspace, place.link, bucket);
        while let Some((row, rest)) = self.rows.split_first() {
            let row = usize::from(*row);
            let at = columns.at[row];
            if columns.place.pick(row) != pick || at.bucket() != bucket {
                break;
            }
            let flags = columns.mark.get(row).flags;
            delta.add(at, flags.class(), flags.has(ClickFlags::USE), 1);
            self.rows = rest;
        }
        Some(delta)
    }

    /// Of the first of those without details, and those like it.
    fn of_lost(&mut self) -> Option<Delta> {
        let of = |lost: &LostDetail| (lost.workspace, lost.link, lost.at.bucket());
        let (workspace, link, bucket) = of(self.lost.first()?);
        let mut delta = Delta::new(workspace, link, bucket);
        while let Some((lost, rest)) = self.lost.split_first()
            && of(lost) == (workspace, link, bucket)
        {
            let count = u64::from(lost.count);
            delta.add(lost.at, lost.class, lost.is_use, count);
            delta.lost[lost.class as usize] += count;
            delta.lost_uses += if lost.is_use { count } else { 0 };
            self.lost = rest;
        }
        Some(delta)
    }
}

impl Iterator for Deltas<'_> {
    type Item = Delta;

    fn next(&mut self) -> Option<Delta> {
        let link_of = |row: &u16| self.columns.place.get(usize::from(*row)).link;
        let is_lost_first = match (self.rows.first().map(link_of), self.lost.first()) {
            (Some(link), Some(lost)) => lost.link < link,
            (link, _) => link.is_none(),
        };
        if is_lost_first { self.of_lost() } else { self.of_rows() }
    }
}

/// Frames in order of their index, without gaps.
pub(super) type Frames = VecDeque<Arc<Frame>>;

/// Columns that are kept for their room: twice as many full ones as bring a checkpoint forward, 6 MB.
const SPARE_MAX: usize = 32;

/// The frames after the watermark, and what is known of the whole log.
#[derive(Default)]
pub(super) struct Pending {
    frames: Arc<Frames>,
    clicks: usize,
    /// Columns of frames that are in sled, empty: their room is for the frames to come. At most [`SPARE_MAX`].
    spare: Vec<Columns>,
    /// Index of the last frame of which everything is in sled.
    pub(super) watermark: u64,
    /// Index of the last frame in the journal.
    pub(super) last_index: u64,
    pub(super) newest_at: Option<Timestamp>,
}

/// What a reader works with: sled's values up to at least the watermark, plus these frames.
pub(super) struct Snapshot {
    pub(super) backlog: Arc<Backlog>,
    pub(super) frames: Arc<Frames>,
    pub(super) watermark: u64,
    pub(super) newest_at: Option<Timestamp>,
}

impl Pending {
    /// A log of which everything up to `last_index` is in sled.
    #[cfg(test)]
    pub(super) fn opened(last_index: u64, newest_at: Option<Timestamp>) -> Self {
        Self {
            watermark: last_index,
            last_index,
            newest_at,
            ..Self::default()
        }
    }

    /// The log while its store is not open yet: nobody knows what is in it.
    pub(super) fn unopened(last_index: u64) -> Self {
        Self {
            last_index,
            ..Self::default()
        }
    }

    pub(super) fn snapshot(&self, backlog: &Arc<Backlog>) -> Snapshot {
        Snapshot {
            backlog: Arc::clone(backlog),
            frames: Arc::clone(&self.frames),
            watermark: self.watermark,
            newest_at: self.newest_at,
        }
    }

    /// The frames in memory, those after the watermark and perhaps some before.
    pub(super) fn frames(&self) -> Arc<Frames> {
        Arc::clone(&self.frames)
    }

    /// Clicks in memory.
    pub(super) fn clicks(&self) -> usize {
        self.clicks
    }

    /// Adds a synced frame. When more than `bound` clicks would be held, all go: they are in the journal.
    pub(super) fn push(&mut self, frame: Frame, bound: usize) {
        self.last_index = frame.index;
        self.newest_at = self.newest_at.max(frame.newest_at);
        let frames = Arc::make_mut(&mut self.frames);
        if self.clicks + frame.count() > bound {
            frames.clear();
            self.clicks = 0;
        }
        self.clicks += frame.count();
        frames.push_back(Arc::new(frame));
    }

    /// Indexes of the frames that are neither in sled nor in memory; empty unless sled was failing.
    pub(super) fn gap(&self) -> Range<u64> {
        let first = self.frames.front().map_or(self.last_index + 1, |frame| frame.index);
        self.watermark + 1..first.max(self.watermark + 1)
    }

    /// The oldest frames after the watermark with at most `clicks_max` clicks, at least one frame if there is any.
    pub(super) fn oldest(&self, clicks_max: usize) -> Vec<Arc<Frame>> {
        let mut clicks = 0;
        let after = self.frames.iter().skip_while(|frame| frame.index <= self.watermark);
        let chosen = after.take_while(|frame| {
            let is_first = clicks == 0;
            clicks += frame.count().max(1);
            is_first || clicks <= clicks_max
        });
        chosen.cloned().collect()
    }

    /// Everything up to `watermark` is in sled now.
    pub(super) fn applied(&mut self, watermark: u64) {
        self.watermark = watermark;
        let frames = Arc::make_mut(&mut self.frames);
        while let Some(frame) = frames.pop_front() {
            if frame.index > watermark {
                frames.push_front(frame);
                break;
            }
            self.clicks -= frame.count();
            // Those that somebody still reads go when he has done.
            if self.spare.len() < SPARE_MAX
                && let Some(frame) = Arc::into_inner(frame)
            {
                self.spare.push(frame.columns.emptied());
            }
        }
    }

    /// Empty columns, with the room of such as were applied if there are any.
    pub(super) fn spare(&mut self) -> Columns {
        self.spare.pop().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::samples::{NOON, any_click, click};
    use crate::domain::click::Click;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn clicks_of(clicks: &[Click]) -> Content {
        Content::Clicks(Columns::of(clicks))
    }

    fn frame(index: u64, clicks: u64) -> Frame {
        Frame::of(
            index,
            clicks_of(&(0..clicks).map(|n| click(n, NOON, n as u32 % 2, 1)).collect::<Vec<_>>()),
        )
    }

    #[test]
    fn frames_leave_when_they_are_applied() {
        let mut pending = Pending::opened(4, None);
        (5..=8).for_each(|index| pending.push(frame(index, 10), 1000));
        let before = pending.snapshot(&Arc::new(Backlog::new(1, 64)));
        let oldest: Vec<u64> = pending.oldest(25).iter().map(|frame| frame.index).collect();
        assert_eq!((oldest, pending.gap().is_empty()), (vec![5, 6], true));
        pending.applied(6);
        assert_eq!((pending.clicks(), before.frames.len()), (20, 4));
        assert_eq!(pending.spare.len(), 0, "somebody reads them");
        drop(before);
        pending.applied(7);
        assert_eq!((pending.spare.len(), pending.spare()), (1, Columns::default()));
        assert_eq!(pending.oldest(1)[0].index, 8);
    }

    #[test]
    fn beyond_the_bound_frames_wait_in_the_journal() {
        let mut pending = Pending::opened(4, None);
        (5..=8).for_each(|index| pending.push(frame(index, 10), 30));
        assert_eq!((pending.gap(), pending.clicks()), (5..8, 10));
    }

    #[test]
    fn deltas_add_up_by_link() {
        let frame = frame(1, 5);
        let mut totals = Totals::default();
        frame.deltas().for_each(|delta| delta.add_to(&mut totals));
        assert_eq!(
            (frame.deltas().count(), totals.counts[0], totals.last_human_at),
            (2, 5, Some(NOON))
        );
        let of = |link| {
            let mut totals = Totals::default();
            frame
                .deltas_of(LinkNo(link))
                .for_each(|delta| delta.add_to(&mut totals));
            totals.counts[0]
        };
        assert_eq!([of(0), of(1), of(2)], [3, 2, 0]);
    }

    proptest! {
        #[test]
        fn workspaces_count_what_their_links_do(clicks in proptest::collection::vec(any_click(), 0..40)) {
            let frame = Frame::of(1, clicks_of(&clicks));
            let mut of_links: BTreeMap<(WorkspaceNo, u32), Counts> = BTreeMap::new();
            for delta in frame.deltas() {
                add(of_links.entry((delta.workspace, delta.bucket)).or_default(), &delta.counts);
            }
            let mut of_workspaces = BTreeMap::new();
            frame.by_workspace(|workspace, bucket, counts| {
                add(of_workspaces.entry((workspace, bucket)).or_default(), counts);
            });
            prop_assert_eq!(of_workspaces, of_links);
        }
    }

    #[test]
    fn lost_details_and_quarter_hours_are_told_apart() {
        let lost = |link, class, count| LostDetail {
            at: NOON,
            workspace: WorkspaceNo(1),
            link: LinkNo(link),
            class,
            is_use: true,
            count,
        };
        let clicks = [
            click(1, NOON, 7, 1),
            click(2, NOON.plus_ms(15 * 60_000), 7, 1),
            click(3, NOON, 3, 1),
        ];
        let frame = Frame::of(
            1,
            Content::Drained {
                columns: Columns::of(&clicks),
                lost: vec![
                    lost(9, ClickClass::Bot, 70_000),
                    lost(7, ClickClass::Human, 2),
                    lost(7, ClickClass::Bot, 3),
                    lost(1, ClickClass::Human, 1),
                ],
                marks: Vec::new(),
            },
        );
        let links: Vec<u32> = frame.deltas().map(|delta| delta.link.0).collect();
        assert_eq!(links, [1, 3, 7, 7, 7, 9]);
        let of_seven: Vec<Delta> = frame.deltas_of(LinkNo(7)).collect();
        let buckets = of_seven.iter().map(|delta| delta.bucket - NOON.bucket());
        assert_eq!(buckets.collect::<Vec<_>>(), [0, 1, 0]);
        let (human, bot) = (ClickClass::Human as usize, ClickClass::Bot as usize);
        let last = of_seven.last().expect("three");
        assert_eq!(
            (last.counts[human], last.lost[bot], last.uses, last.detailed()),
            (2, 3, 5, Counts::default())
        );
        assert_eq!(frame.deltas_of(LinkNo(2)).count(), 0);
    }

    #[test]
    fn clicks_are_looked_for_only_in_frames_of_their_time() {
        let frame = frame(1, 5);
        for (away_ms, expected) in [(-1, 0), (0, 5), (1, 0)] {
            let found = frame.columns_around(NOON.plus_ms(away_ms));
            assert_eq!(found.map_or(0, |columns| columns.header.count), expected, "{away_ms}");
        }
        let nothing = Frame::of(2, clicks_of(&[]));
        assert!(nothing.columns_around(NOON).is_none());
    }
}
