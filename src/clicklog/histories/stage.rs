//! A log in a directory, the lists beside it, and what becomes of both in each step.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::click::{Click, LostDetail};
use crate::domain::outside::{Clock, FixedClock};
use crate::domain::time::Timestamp;

use super::super::samples::NOON;
use super::super::{Batch, Drain, Mark, NewRow, Options, QueryError, Reader, Recovery, Writer, marks, open};
use super::chance::Chance;
use super::compare;
use super::lossy_disk::{LossyDisk, Mishap};
use super::naive::Naive;
use super::power::{self, Files};
use super::step::{Cut, Drawn, Question, Step, Traits, Trouble};

/// Far more than a log of some hundred clicks takes to open or to let go.
const PATIENCE: Duration = Duration::from_secs(60);
/// Sequence numbers set aside at a time.
const SEQUENCES_AHEAD: u64 = 1000;
/// How often a caller tries again until the disk works; every mishap ends before that.
const TRIES: usize = 40;

/// What was played.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    acknowledged: u64,
    refused: u64,
    checkpoints: u64,
    kills: u64,
    power_cuts: u64,
    /// Openings after which something counted that was not acknowledged, and after which it did not.
    unproven_kept: u64,
    unproven_gone: u64,
    replayed: u64,
    questions: u64,
    set_aside: u64,
}

impl Tally {
    fn parts(&self) -> [(u64, &'static str); 10] {
        [
            (self.acknowledged, "clicks acknowledged"),
            (self.refused, "appends refused"),
            (self.checkpoints, "checkpoints"),
            (self.kills, "kills"),
            (self.power_cuts, "power cuts"),
            (self.unproven_kept, "unproven appends kept"),
            (self.unproven_gone, "unproven appends gone"),
            (self.replayed, "clicks replayed"),
            (self.questions, "questions"),
            (self.set_aside, "stores set aside"),
        ]
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.checkpoints += other.checkpoints;
        self.kills += other.kills;
        self.power_cuts += other.power_cuts;
        self.unproven_kept += other.unproven_kept;
        self.unproven_gone += other.unproven_gone;
        self.replayed += other.replayed;
        self.questions += other.questions;
        self.set_aside += other.set_aside;
    }

    /// Whether everything that histories are about happened. (That a store is set aside is not asked for.)
    pub(super) fn has_everything(&self) -> bool {
        self.parts()[..9].iter().all(|(count, _)| *count > 0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .parts()
            .iter()
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        f.write_str(&parts.join(", "))
    }
}

/// What a caller holds because it was refused.
#[derive(Default)]
struct Held {
    batch: Batch,
    /// All that was tried since the last success, oldest first: bytes of any of them may be in the journal.
    tries: Vec<Batch>,
}

/// A ring of clicks that outlives the process, but not the power.
#[derive(Default)]
struct Ring {
    id: u64,
    made_at: Timestamp,
    /// A position is a place in here.
    pushed: Vec<Batch>,
    /// Everything before this is acknowledged.
    journaled: usize,
    is_gone: bool,
}

impl Ring {
    fn made(id: u64, made_at: Timestamp) -> Self {
        Self {
            id,
            made_at,
            ..Self::default()
        }
    }

    fn between(&self, start: usize, end: usize) -> Batch {
        let mut between = Batch::default();
        for batch in &self.pushed[start..end] {
            between.clicks.extend_from_slice(&batch.clicks);
            between.lost.extend_from_slice(&batch.lost);
        }
        between
    }
}

pub(super) struct Stage {
    dir: tempfile::TempDir,
    clock: Arc<FixedClock>,
    disk: LossyDisk,
    traits: Traits,
    naive: Naive,
    held: Held,
    ring: Ring,
    log: Option<(Writer, Reader)>,
    /// sled's files when they were last synced.
    synced: Files,
    next_sequence: u64,
    /// Numbers below this are set aside for good.
    set_aside_to: u64,
    checkpoints_seen: u64,
    tally: Tally,
}

impl Stage {
    pub(super) fn new(traits: Traits) -> Self {
        let mut stage = Self {
            dir: tempfile::tempdir().expect("a directory"),
            clock: Arc::new(FixedClock::at(NOON)),
            disk: LossyDisk::new(),
            traits,
            naive: Naive::default(),
            held: Held::default(),
            ring: Ring::made(1, NOON),
            log: None,
            synced: Files::new(),
            next_sequence: 0,
            set_aside_to: 0,
            checkpoints_seen: 0,
            tally: Tally::default(),
        };
        stage.reopen();
        stage
    }

    pub(super) fn play(mut self, steps: &[Step]) -> Tally {
        steps.iter().for_each(|step| self.step(step));
        // What is held goes in at last, and everything is asked for three times: of memory, of sled and of the journal.
        self.disk.heal();
        self.write_held();
        assert!(self.drain(), "the disk works");
        self.check_all();
        self.heal();
        self.check_all();
        self.end(Cut::Kill, 0);
        self.reopen();
        self.check_all();
        self.tally
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(drawn) => {
                self.hold(drawn);
                self.write_held();
            }
            Step::AppendWith { drawn, trouble } => {
                self.hold(drawn);
                self.through(trouble, |stage| stage.append());
            }
            Step::Push(drawn) => {
                let drawn = self.numbered(drawn);
                self.ring.pushed.push(drawn);
            }
            Step::Drain { trouble: None } => drop(self.drain()),
            Step::Drain { trouble: Some(trouble) } => self.through(trouble, |stage| stage.drain()),
            Step::Reserve { after, fails } => self.reserve(*after, *fails),
            Step::Checkpoint => self.checkpoint(),
            Step::StoreFails => self.writer().shared().set_store(None),
            Step::Wait { minutes } => self.clock.advance(minutes * 60_000),
            Step::Close => self.close(),
            Step::End { cut, seed } => {
                self.end(*cut, *seed);
                self.reopen();
            }
            Step::EndInCheckpoint { cut, seed } => self.end_in_checkpoint(*cut, *seed),
            Step::EndInOpening { cut, seed } => self.end_in_opening(*cut, *seed),
            Step::Ask(question) => self.check(question),
        }
    }

    // Writing.

    fn writer(&mut self) -> &mut Writer {
        &mut self.log.as_mut().expect("an open log").0
    }

    fn reader(&self) -> &Reader {
        &self.log.as_ref().expect("an open log").1
    }

    /// Gives clicks their numbers.
    fn numbered(&mut self, drawn: &Drawn) -> Batch {
        let number = |click: &Click| {
            self.next_sequence += 1;
            let sequence = self.next_sequence - 1;
            Click {
                sequence,
                ..click.clone()
            }
        };
        Batch {
            clicks: drawn.clicks.iter().map(number).collect(),
            lost: drawn.lost.clone(),
        }
    }

    /// Adds clicks to what is to be written.
    fn hold(&mut self, drawn: &Drawn) {
        let Batch { clicks, lost } = self.numbered(drawn);
        self.held.batch.clicks.extend(clicks);
        self.held.batch.lost.extend(lost);
    }

    /// Lets the disk do what `trouble` says while something is written.
    fn through(&mut self, trouble: &Trouble, write: impl Fn(&mut Self) -> bool) {
        for (after, mishap) in std::iter::once(trouble.first).chain(trouble.then) {
            self.disk.plan(after, mishap, trouble.seed);
            let is_written = write(self);
            if self.disk.is_dead() {
                self.end(trouble.cut, trouble.seed);
                self.reopen();
                return;
            }
            if mishap == Mishap::Dies {
                // It had fewer operations than that.
                self.disk.heal();
            }
            if is_written {
                return;
            }
        }
    }

    /// One try to write what the ring holds.
    fn drain(&mut self) -> bool {
        let position = self.ring.pushed.len();
        let batch = self.ring.between(self.ring.journaled, position);
        let mark = Mark {
            ring: self.ring.id,
            position: position as u64,
        };
        let count = batch.clicks.len() as u64;
        let mut drain = Drain::new();
        batch.clicks.iter().for_each(|click| drain.push(NewRow::of(click)));
        drain.lost = batch.lost;
        match self.writer().append_drained(&mut drain, &[mark]) {
            Ok(_) => {
                self.take_from_ring(position);
                self.held.tries.clear();
                self.tally.acknowledged += count;
                self.writer().tick();
                self.settle();
                true
            }
            Err(_) => {
                // The ring keeps it. Its bytes may be in the journal, as those of any other try.
                self.held.tries.push(Batch::default());
                self.tally.refused += 1;
                false
            }
        }
    }

    fn take_from_ring(&mut self, position: usize) {
        let Batch { clicks, lost } = self.ring.between(self.ring.journaled, position);
        self.naive.add(&clicks, &lost);
        self.ring.journaled = position;
    }

    /// One try to write what is held.
    fn append(&mut self) -> bool {
        let batch = std::mem::take(&mut self.held.batch);
        if batch == Batch::default() {
            return true;
        }
        self.held.tries.push(batch.clone());
        match self.writer().append(batch.clone()) {
            Ok(_) => {
                self.naive.add(&batch.clicks, &batch.lost);
                self.held.tries.clear();
                self.tally.acknowledged += batch.clicks.len() as u64;
                self.writer().tick();
                self.settle();
                true
            }
            Err((back, _)) => {
                assert_eq!(back, batch, "what was refused comes back");
                self.held.batch = back;
                self.tally.refused += 1;
                false
            }
        }
    }

    fn write_held(&mut self) {
        let is_written = (0..TRIES).any(|_| self.append());
        assert!(is_written, "the disk works again, and the log does not");
    }

    fn reserve(&mut self, after: u32, fails: bool) {
        if fails {
            self.disk.plan(after, Mishap::Fails { number: 28, times: 1 }, 0);
        }
        let before = self.writer().next_sequence();
        let is_done = self.writer().reserve_sequences(before + SEQUENCES_AHEAD).is_ok();
        let next = self.writer().next_sequence();
        assert_eq!(next, before + if is_done { SEQUENCES_AHEAD } else { 0 });
        if is_done {
            self.held.tries.clear();
        }
        self.set_aside_to = self.set_aside_to.max(next);
        self.disk.heal();
    }

    /// Lets the disk work, writes what is held and brings sled up to date.
    fn heal(&mut self) {
        self.disk.heal();
        self.write_held();
        // A journal that refused something is asked for nothing else until it has taken something.
        self.reserve(0, false);
        self.checkpoint();
    }

    // Checkpoints.

    fn checkpoint(&mut self) {
        self.clock.advance(10_000);
        self.writer().tick();
        self.settle();
    }

    /// Waits for the checkpoint under way; what it synced is durable.
    fn settle(&mut self) {
        self.writer().settle();
        let done = self.reader().stats().checkpoints;
        if done != self.checkpoints_seen {
            self.tally.checkpoints += done.saturating_sub(self.checkpoints_seen);
            self.checkpoints_seen = done;
            self.synced = power::read(&self.store_dir()).expect("sled's files can be read");
        }
    }

    fn end_in_checkpoint(&mut self, cut: Cut, seed: u64) {
        // A kill leaves what was written before, synced or not.
        let before = match cut {
            Cut::Kill => power::read(&self.store_dir()).expect("sled's files can be read"),
            Cut::Power => self.synced.clone(),
        };
        let segments = power::read(&self.journal_dir()).expect("segments can be read");
        self.checkpoint();
        let mut chance = Chance(!seed);
        // Segments go when sled has synced what they hold: either sled is whole, or all of them are there.
        let is_synced = chance.one_in(2);
        self.synced = match is_synced {
            true => power::read(&self.store_dir()).expect("sled's files can be read"),
            false => before.clone(),
        };
        self.end(cut, seed);
        if cut == Cut::Kill && !is_synced {
            power::cut_short(&self.store_dir(), &before, &mut chance).expect("sled's files can be changed");
        }
        let one_in = if is_synced { 2 } else { 1 };
        power::bring_back(&self.journal_dir(), &segments, one_in, &mut chance).expect("segments can be written");
        self.reopen();
    }

    fn end_in_opening(&mut self, cut: Cut, seed: u64) {
        self.end(cut, seed);
        let mut chance = Chance(!seed);
        let before = power::read(&self.store_dir()).expect("sled's files can be read");
        let segments = power::read(&self.journal_dir()).expect("segments can be read");
        // Nobody asks this one anything, so that nothing is proven yet.
        drop(self.open());
        self.end(Cut::Kill, seed);
        power::cut_short(&self.store_dir(), &before, &mut chance).expect("sled's files can be changed");
        power::cut_short(&self.journal_dir(), &segments, &mut chance).expect("segments can be changed");
        // sled may not have what they hold.
        power::bring_back(&self.journal_dir(), &segments, 1, &mut chance).expect("segments can be written");
        self.reopen();
    }

    // Ends and beginnings.

    fn close(&mut self) {
        let (writer, reader) = self.log.take().expect("an open log");
        writer.close().expect("sled works");
        assert!(matches!(
            reader.count(&compare::query(&Question::everything(1))),
            Err(QueryError::Unavailable)
        ));
        drop(reader);
        self.forget_process();
        self.reopen();
    }

    /// The process ends without a word; after a power cut the disk has lost what it may lose.
    fn end(&mut self, cut: Cut, seed: u64) {
        self.log = None;
        self.wait_for_sled();
        self.forget_process();
        match cut {
            Cut::Kill => {
                self.tally.kills += 1;
                self.disk.restart();
            }
            Cut::Power => {
                self.tally.power_cuts += 1;
                self.ring.is_gone = true;
                self.disk.cut_power(seed).expect("segments can be changed");
                power::cut_short(&self.store_dir(), &self.synced, &mut Chance(seed))
                    .expect("sled's files can be changed");
            }
        }
    }

    fn forget_process(&mut self) {
        // Nobody else knows of it: whether it counts is seen at the next opening.
        self.held.batch = Batch::default();
        self.checkpoints_seen = 0;
    }

    /// sled's own threads write for a moment after it was closed, and hold its file as long.
    fn wait_for_sled(&self) {
        let Ok(file) = File::open(self.store_dir().join("db")) else {
            return;
        };
        let give_up = Instant::now() + PATIENCE;
        while file.try_lock().is_err() {
            assert!(Instant::now() < give_up, "sled does not let go of its file");
            std::thread::yield_now();
        }
    }

    fn options(&self) -> Options {
        Options {
            segment_bytes: self.traits.segment_bytes,
            pending_clicks_max: self.traits.pending_clicks_max,
            backlog_clicks_max: self.traits.backlog_clicks_max,
            few_clicks_max: self.traits.few_clicks_max,
            keep_segments: Duration::from_secs(60 * self.traits.keep_minutes),
            sled_cache_bytes: 1 << 20,
            disk: Arc::new(self.disk.clone()),
            ..Options::at(self.dir.path())
        }
    }

    fn open(&self) -> (Writer, Reader, Recovery) {
        open(self.options(), self.clock.clone()).expect("it opens")
    }

    fn reopen(&mut self) {
        let before = power::read(&self.store_dir()).expect("sled's files can be read");
        let segments = power::read(&self.journal_dir()).expect("segments can be read");
        let (writer, reader, recovery) = self.open();
        self.log = Some((writer, reader));
        self.disk.note_cuts().expect("segments can be read");
        let left = power::read(&self.journal_dir()).expect("segments can be read");
        let has_all = segments.keys().all(|name| left.contains_key(name));
        // What was replayed without proof is durable now, and so is what no segment has any more; the rest can be
        // replayed again.
        self.synced = match self.held.tries.is_empty() && has_all {
            true => before,
            false => power::read(&self.store_dir()).expect("sled's files can be read"),
        };
        self.read_marks();
        self.judge(&recovery);
        if self.ring.is_gone {
            self.ring = Ring::made(self.ring.id + 1, self.clock.now());
        }
        let next = self.writer().next_sequence();
        let used = self.naive.clicks.iter().map(|click| click.sequence + 1).max();
        let handed_out = used.unwrap_or(0).max(self.set_aside_to);
        assert!(
            next >= handed_out,
            "numbers from {next} on would be handed out again: {handed_out}"
        );
        self.next_sequence = self.next_sequence.max(next);
    }

    /// What the journal says that it has of the ring counts, the rest does not.
    fn read_marks(&mut self) {
        let rings = HashSet::from([self.ring.id]);
        let found = marks(&self.options(), &rings, self.ring.made_at).expect("the journal can be read");
        let position = found.get(&self.ring.id).map_or(0, |position| *position as usize);
        // After an acknowledgement nobody needs the mark.
        if position > self.ring.journaled {
            self.take_from_ring(position);
        }
    }

    /// What was not acknowledged counts once or not at all. What counts now does so for ever; what does not may still
    /// come back after a power cut that takes the next segment away, as long as nothing was acknowledged since.
    fn judge(&mut self, recovery: &Recovery) {
        let tries = std::mem::take(&mut self.held.tries);
        assert!(recovery.bad_frames == 0 || !tries.is_empty(), "{recovery:?}");
        self.tally.replayed += recovery.replayed_clicks;
        self.tally.set_aside += u64::from(recovery.quarantined.is_some());
        let nothing = (Vec::new(), Vec::new());
        let candidates = std::iter::once(nothing).chain(tries.iter().flat_map(parts));
        let found = candidates.into_iter().find_map(|(clicks, lost)| {
            let mut naive = self.naive.clone();
            naive.add(&clicks, &lost);
            self.says(&naive).then_some(naive)
        });
        let Some(found) = found else {
            self.check_all();
            panic!("neither what was acknowledged counts nor that and a whole append that was not");
        };
        if !tries.is_empty() {
            let is_kept = found.len() > self.naive.len();
            self.tally.unproven_kept += u64::from(is_kept);
            self.tally.unproven_gone += u64::from(!is_kept);
            if !is_kept {
                self.held.tries = tries;
            }
        }
        self.naive = found;
    }

    /// Whether the log holds exactly what `naive` says.
    fn says(&self, naive: &Naive) -> bool {
        let reader = self.reader();
        compare::totals(reader).expect("totals can be read") == naive.totals()
            && [1, 2].map(Question::everything).iter().all(|question| {
                let events = reader.events(&compare::query(question), false, 0, usize::MAX);
                events.expect("clicks can be read") == naive.events(question)
            })
    }

    // Questions.

    fn check(&mut self, question: &Question) {
        self.tally.questions += 1;
        match compare::ask(self.reader(), &self.naive, question) {
            Ok(()) => {}
            // No number is better than a wrong one; a checkpoint brings the store back.
            Err(QueryError::Unavailable) => {
                self.heal();
                compare::ask(self.reader(), &self.naive, question).expect("an answer after a checkpoint");
            }
            Err(error) => panic!("{question:?}: {error}"),
        }
    }

    fn check_all(&mut self) {
        [1, 2]
            .map(Question::everything)
            .iter()
            .for_each(|question| self.check(question));
        let totals = compare::totals(self.reader()).expect("totals can be read");
        assert_eq!(totals, self.naive.totals());
    }

    fn store_dir(&self) -> PathBuf {
        self.dir.path().join("db")
    }

    fn journal_dir(&self) -> PathBuf {
        self.dir.path().join("journal")
    }
}

/// What may have become of an append: its clicks and its lost details are frames of their own.
fn parts(tried: &Batch) -> impl Iterator<Item = (Vec<Click>, Vec<LostDetail>)> {
    let (clicks, lost) = (tried.clicks.clone(), tried.lost.clone());
    [(clicks.clone(), lost.clone()), (clicks, Vec::new()), (Vec::new(), lost)].into_iter()
}
