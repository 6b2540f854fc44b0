//! Looks at every frame and every value of a log that no server uses, and says what is wrong. Changes nothing.
//!
//! Sums are checked against each other: a link's total against its roll-ups, a workspace's roll-ups against its links',
//! the clicks in blocks against roll-ups and sketches, and the whole against what the newest frame says came before it.

use std::collections::{BTreeMap, HashSet};

use foldhash::{HashMap, HashMapExt};

use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::block::SPAN_MS;
use super::columns::Columns;
use super::day::{Day, QUARTERS};
use super::error::{OpenError, StoreError};
use super::facets::Facets;
use super::gap::{Cause, Gap};
use super::history::History;
use super::key::{self, BlockKey};
use super::open::lock;
use super::options::Options;
use super::replay::{Met, parts, replay};
use super::sheet::Sheet;
use super::sheets;
use super::sketch::{self, Sketch, Visitors};
use super::store::{Store, fatal, guarded};
use super::survey::survey;
use super::total_page::TotalPage;
use super::trail::Run;
use super::value::{Counts, Meta, Rollup, Totals, add};
use super::waiting::How;

/// Most findings that are listed: who has more knows enough.
const FINDINGS_MAX: usize = 1000;
/// Most runs of sequences that are remembered, some 100 MB: beyond, doubles are looked for no further.
const RUNS_MAX: usize = 2_000_000;
/// How many values and frames lie between two words of progress.
const PROGRESS_EVERY: u64 = 4096;

/// What was looked at and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    pub frames: u64,
    pub values: u64,
    /// Clicks with details in the store.
    pub clicks: u64,
    /// What is wrong, a line each.
    pub findings: Vec<String>,
    /// Findings beyond those listed.
    pub more_findings: u64,
    /// Gaps that the log knows of: clicks that are missing for good, unless a backup has them.
    pub gaps: Vec<Gap>,
}

impl Verified {
    fn found(&mut self, line: impl Into<String>) {
        match self.findings.len() < FINDINGS_MAX {
            true => self.findings.push(line.into()),
            false => self.more_findings += 1,
        }
    }

    /// Whether nothing is wrong and nothing is missing.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.gaps.is_empty()
    }
}

/// Verifies the log in `options.dir`; `progress` hears how many frames and values were looked at.
///
/// # Errors
/// The log is in use, or cannot be read at all.
pub fn verify(options: &Options, progress: impl FnMut(u64)) -> Result<Verified, OpenError> {
    let _lock = lock(&options.lock_path(), &options.dir)?;
    let mut check = Check {
        told: Verified::default(),
        looked: 0,
        progress,
        meta: Meta::default(),
        history: History::default(),
        by_bucket: BTreeMap::new(),
        by_workspace: BTreeMap::new(),
        by_link: HashMap::new(),
        totals: HashMap::new(),
        sequences: Sequences::default(),
        detailed: 0,
    };
    let failed = |error: StoreError| fatal(error, &options.dir);
    let last_index = guarded(|| check.journal(options)).map_err(failed)?;
    if options.store_dir().exists() {
        match guarded(|| Store::open(&options.store_dir(), options.sled_cache_bytes)) {
            Ok(store) => {
                if let Err(error) = guarded(|| check.store(&store, last_index)) {
                    check
                        .told
                        .found(format!("the store cannot be read to its end: {error}"));
                }
            }
            Err(newer @ StoreError::Newer { .. }) => return Err(fatal(newer, &options.dir)),
            Err(error) => check.told.found(format!("the store does not open: {error}")),
        }
    }
    Ok(check.told)
}

struct Check<P> {
    told: Verified,
    looked: u64,
    progress: P,
    meta: Meta,
    /// Tells where clicks are counted.
    history: History,
    /// Link roll-ups by workspace and bucket, and the workspaces' own.
    by_bucket: BTreeMap<(WorkspaceNo, u32), Counts>,
    by_workspace: BTreeMap<(WorkspaceNo, u32), Counts>,
    /// Roll-ups by link over all time, and the links' totals.
    by_link: HashMap<LinkNo, Counts>,
    totals: HashMap<LinkNo, Counts>,
    sequences: Sequences,
    /// Clicks of roll-ups.
    detailed: u64,
}

impl<P: FnMut(u64)> Check<P> {
    fn looked(&mut self) {
        self.looked += 1;
        if self.looked.is_multiple_of(PROGRESS_EVERY) {
            (self.progress)(self.looked);
        }
    }

    /// Answers the index of the last frame.
    fn journal(&mut self, options: &Options) -> Result<u64, StoreError> {
        let dir = options.journal_dir();
        let first = parts(&dir)?.first().map_or(1, |part| part.first_index);
        let end = survey(&dir)?;
        replay(&dir, first.saturating_sub(1), u64::MAX, |met| {
            self.looked();
            match met {
                Met::Frame(..) => self.told.frames += 1,
                Met::Gap(gap) => self.told.found(format!("journal: {gap}")),
            }
            Ok(())
        })?;
        if let Some(torn) = end.torn.filter(|torn| torn.is_suspect) {
            self.told
                .found(format!("journal: {} bytes at its end are damaged", torn.bytes));
        }
        if end.is_newest_unreadable {
            self.told.found("journal: its newest segment cannot be read");
        }
        Ok(end.last_index)
    }

    fn store(&mut self, store: &Store, last_index: u64) -> Result<(), StoreError> {
        self.meta = store.meta()?;
        self.told.gaps = store.gaps().unwrap_or_default();
        if last_index > 0 && self.meta.watermark > last_index {
            let watermark = self.meta.watermark;
            self.told.found(format!(
                "the store is at frame {watermark}, the journal ends at {last_index}"
            ));
        }
        self.history = store.history()?;
        let mut bucket: Option<Bucket> = None;
        store.each_value(|key, body| {
            self.looked();
            self.told.values += 1;
            let body = match body {
                Ok(body) => body,
                Err(newer @ StoreError::Newer { .. }) => return Err(newer),
                Err(error) => {
                    self.told.found(format!("value {}: {error}", hex(key)));
                    return Ok(());
                }
            };
            if let Err(error) = self.value(store, key, body, &mut bucket) {
                self.told.found(format!("value {}: {error}", hex(key)));
            }
            Ok(())
        })?;
        if let Some(bucket) = bucket {
            self.leave(store, &bucket)?;
        }
        self.compare();
        Ok(())
    }

    fn value(&mut self, store: &Store, key: &[u8], body: &[u8], bucket: &mut Option<Bucket>) -> Result<(), StoreError> {
        if let Ok(place) = BlockKey::read(key) {
            let columns = Columns::decode(body)?;
            let number = place.last_at.bucket();
            if bucket.as_ref().is_some_and(|bucket| bucket.number != number) {
                let done = bucket.take();
                done.map_or(Ok(()), |done| self.leave(store, &done))?;
            }
            self.block(&place, &columns);
            let (is_written, how) = (place.through <= self.history.written, self.history.how(place.through));
            if !is_written {
                self.count_again(&columns, how);
            }
            bucket
                .get_or_insert_with(|| Bucket::new(number))
                .add(&columns, is_written, is_written || !how.is_by_day);
            return Ok(());
        }
        let number = |place| key::number(key, place);
        match key::part(key).split('-').next().unwrap_or_default() {
            "links" => {
                let rollup = Rollup::read(body)?;
                self.is_through(key, rollup.through);
                let link = (WorkspaceNo(number(0)), LinkNo(number(1)));
                self.counted(link, number(2), &rollup.counts);
            }
            "days" => {
                let day = Day::read(body)?;
                self.is_through(key, day.through);
                let link = (WorkspaceNo(number(0)), LinkNo(number(1)));
                for (bucket, counts) in day.buckets(number(2)) {
                    self.counted(link, bucket, counts);
                }
            }
            "workspaces" => {
                let rollup = Rollup::read(body)?;
                self.is_through(key, rollup.through);
                self.by_workspace
                    .insert((WorkspaceNo(number(0)), number(1)), rollup.counts);
            }
            "totals" => {
                let (totals, through) = Totals::read(body)?;
                self.is_through(key, through);
                add(self.totals.entry(LinkNo(number(0))).or_default(), &totals.counts);
            }
            "pages" => {
                let page = TotalPage::read(body)?;
                self.is_through(key, page.through);
                for (link, totals) in page.links(number(0)) {
                    add(self.totals.entry(link).or_default(), &totals.counts);
                }
            }
            "sheets" => self.sheet(key, body)?,
            "visitors" => drop(Sketch::read(body)?),
            "gaps" => drop(Gap::read(0, body)?),
            "facets" | "hours" => {
                let through = Facets::read(body)?.through;
                self.is_through(key, through);
            }
            "history" => drop(History::read(body)?),
            _ => {}
        }
        Ok(())
    }

    /// Counts what the next opening counts again.
    fn count_again(&mut self, columns: &Columns, how: How) {
        for row in 0..columns.header.count {
            let (place, mark) = (columns.place.get(row), columns.mark.get(row));
            let mut one = Counts::default();
            one[mark.flags.class() as usize] = 1;
            if how.is_by_day {
                self.counted((place.workspace, place.link), columns.at[row].bucket(), &one);
            }
            if how.is_paged {
                add(self.totals.entry(place.link).or_default(), &one);
            }
        }
    }

    fn sheet(&mut self, key: &[u8], body: &[u8]) -> Result<(), StoreError> {
        let (day, through, first) = key::of_sheet(key);
        let workspace = WorkspaceNo(key::number(key, 0));
        self.is_through(key, through);
        let sheet = Sheet::read(body, first)?;
        for part in &sheet.links {
            for click in &sheet.clicks[part.clicks.clone()] {
                let mut one = Counts::default();
                one[click.class()] = 1;
                let bucket = day.saturating_mul(QUARTERS).saturating_add(u32::from(click.quarter));
                self.counted((workspace, part.link), bucket, &one);
            }
        }
        Ok(())
    }

    /// A value says that `link` has `counts` in the quarter hour `bucket`.
    fn counted(&mut self, (workspace, link): (WorkspaceNo, LinkNo), bucket: u32, counts: &Counts) {
        self.detailed += counts.iter().sum::<u64>();
        add(self.by_bucket.entry((workspace, bucket)).or_default(), counts);
        add(self.by_link.entry(link).or_default(), counts);
    }

    fn is_through(&mut self, key: &[u8], through: u64) {
        if through > self.meta.watermark {
            let watermark = self.meta.watermark;
            self.told
                .found(format!("value {}: is ahead of the watermark {watermark}", hex(key)));
        }
    }

    fn block(&mut self, place: &BlockKey, columns: &Columns) {
        let header = &columns.header;
        self.told.clicks += header.count as u64;
        let is_in_place = header.last_at == place.last_at || place.last_at == Timestamp::of_bucket(0);
        let is_short = header.last_at.since(header.first_at) <= SPAN_MS || place.last_at == Timestamp::of_bucket(0);
        if !is_in_place || !is_short || place.through > self.meta.watermark {
            self.told.found(format!(
                "block that ends at {}: it is not where it belongs",
                place.last_at
            ));
        }
        for sequence in &columns.sequence {
            if !self.sequences.insert(*sequence) {
                self.told.found(format!("click {sequence} is there twice"));
            }
        }
    }

    /// All blocks of a quarter hour were met: their clicks must be in its roll-ups, days and sheets, and their visitors in
    /// their day's sketches and sheets.
    fn leave(&mut self, store: &Store, bucket: &Bucket) -> Result<(), StoreError> {
        let day = Timestamp::of_bucket(bucket.number).day();
        let mut in_sheets = bucket.in_sheets(store)?;
        for ((workspace, link), (counts, visitors)) in &bucket.links {
            let (in_sheet, mut notes) = in_sheets.remove(&(*workspace, *link)).unwrap_or_default();
            let mut stored = match store.get(&key::link_rollup(*workspace, *link, bucket.number))? {
                Some(body) => Rollup::read(&body)?.counts,
                None => Counts::default(),
            };
            add(&mut stored, &in_sheet);
            if let Some(body) = store.get(&key::link_day(*workspace, *link, day))? {
                let of_day = Day::read(&body)?;
                let same = of_day.buckets(day).filter(|(number, _)| *number == bucket.number);
                same.for_each(|(_, counts)| add(&mut stored, counts));
            }
            let name = format!(
                "link {} of workspace {} at {}",
                link.0,
                workspace.0,
                Timestamp::of_bucket(bucket.number)
            );
            if counts.iter().zip(&stored).any(|(blocks, rollup)| blocks > rollup) {
                self.told.found(format!(
                    "{name}: {counts:?} clicks in blocks, {stored:?} in its roll-up, day and sheets"
                ));
            }
            if visitors.is_empty() {
                continue;
            }
            let sketch = store.get(&key::sketch(*workspace, *link, day))?;
            if sketch.is_none() && notes.is_empty() {
                self.told
                    .found(format!("{name}: its visitors are in no sketch or sheet"));
                continue;
            }
            let mut known = Visitors::new()?;
            if let Some(body) = sketch {
                known.add_all(&Sketch::read(&body)?);
            }
            known.add_notes(&mut notes)?;
            let before = known.count();
            visitors.iter().for_each(|visitor| known.add(*visitor));
            if known.count() != before {
                self.told
                    .found(format!("{name}: visitors are missing in the day's sketch and sheets"));
            }
        }
        Ok(())
    }

    /// Sums against sums.
    fn compare(&mut self) {
        let workspaces = std::mem::take(&mut self.by_workspace);
        let buckets = std::mem::take(&mut self.by_bucket);
        for place in workspaces
            .keys()
            .chain(buckets.keys().filter(|place| !workspaces.contains_key(place)))
        {
            let (own, links) = (workspaces.get(place), buckets.get(place));
            if own != links {
                let (workspace, at) = (place.0.0, Timestamp::of_bucket(place.1));
                self.told.found(format!(
                    "workspace {workspace} at {at}: roll-up {own:?}, its links' {links:?}"
                ));
            }
        }
        let (by_link, totals) = (std::mem::take(&mut self.by_link), std::mem::take(&mut self.totals));
        for link in totals
            .keys()
            .chain(by_link.keys().filter(|link| !totals.contains_key(link)))
        {
            let (total, rollups) = (totals.get(link), by_link.get(link));
            if total != rollups {
                self.told
                    .found(format!("link {}: total {total:?}, its roll-ups {rollups:?}", link.0));
            }
        }
        if self.told.clicks > self.detailed {
            let (blocks, rollups) = (self.told.clicks, self.detailed);
            self.told
                .found(format!("{blocks} clicks in blocks, {rollups} in roll-ups"));
        }
        let ends = self.told.gaps.iter().filter(|gap| gap.cause == Cause::End).count();
        if ends > 0 && self.meta.watermark == 0 {
            self.told.found("the store is empty, and its journal has lost its end");
        }
    }
}

/// What sheets have of links: clicks of a quarter hour, and what is noted of the day's visitors.
type InSheets = HashMap<(WorkspaceNo, LinkNo), (Counts, Vec<u32>)>;

/// The clicks of the blocks of one quarter hour.
struct Bucket {
    number: u32,
    links: HashMap<(WorkspaceNo, LinkNo), (Counts, Vec<u64>)>,
}

impl Bucket {
    fn new(number: u32) -> Self {
        Self {
            number,
            links: HashMap::new(),
        }
    }

    /// What sheets have of its links.
    fn in_sheets(&self, store: &Store) -> Result<InSheets, StoreError> {
        let day = Timestamp::of_bucket(self.number).day();
        let mut links: BTreeMap<WorkspaceNo, HashSet<LinkNo>> = BTreeMap::new();
        for (workspace, link) in self.links.keys() {
            links.entry(*workspace).or_default().insert(*link);
        }
        let mut told = InSheets::new();
        for (workspace, links) in links {
            sheets::visit::<StoreError>(store, (workspace, Some(&links)), (day, day), |found| {
                let (counts, notes) = told.entry((workspace, found.link)).or_default();
                let same = found.clicks().filter(|(bucket, _)| *bucket == self.number);
                same.for_each(|(_, click)| counts[click.class()] += 1);
                notes.extend_from_slice(found.visitors());
                Ok(())
            })?;
        }
        Ok(told)
    }

    /// Adds a block; whether its visitors are in sketches, and its clicks in days or roll-ups.
    fn add(&mut self, columns: &Columns, has_sketch: bool, is_counted: bool) {
        for row in 0..columns.header.count {
            let (place, mark) = (columns.place.get(row), columns.mark.get(row));
            let (counts, visitors) = self.links.entry((place.workspace, place.link)).or_default();
            counts[mark.flags.class() as usize] += u64::from(is_counted);
            if has_sketch && sketch::counts(mark.flags, columns.visitor[row]) {
                visitors.push(columns.visitor[row]);
            }
        }
    }
}

/// Sequences that were met, as runs.
#[derive(Default)]
struct Sequences(BTreeMap<u64, u64>);

impl Sequences {
    /// Whether `sequence` is new; always, once too many runs are remembered.
    fn insert(&mut self, sequence: u64) -> bool {
        let before: Option<Run> = self
            .0
            .range(..=sequence)
            .next_back()
            .map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| sequence <= last) {
            return false;
        }
        let joins_before = before.filter(|(_, last)| last.checked_add(1) == Some(sequence));
        let after = sequence.checked_add(1).and_then(|next| self.0.remove(&next));
        let last = after.unwrap_or(sequence);
        match joins_before {
            Some((first, _)) => self.0.insert(first, last),
            None if self.0.len() < RUNS_MAX => self.0.insert(sequence, last),
            None => None,
        };
        true
    }
}

fn hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_noticed_and_runs_grow_together() {
        let mut sequences = Sequences::default();
        for sequence in [5, 7, 6, 1, u64::MAX, 0, 2] {
            assert!(sequences.insert(sequence), "{sequence}");
        }
        assert_eq!(sequences.0.len(), 3);
        for sequence in [0, 6, 7, u64::MAX] {
            assert!(!sequences.insert(sequence), "{sequence}");
        }
    }
}
