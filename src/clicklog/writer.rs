//! The one writer: journal first, then memory for readers, then, when due, an order to the checkpoint thread.
//!
//! Dropping it without [`Writer::close`] is as if the process had been killed: no checkpoint, nothing acknowledged lost.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::domain::click::{Click, LostDetail};
use crate::domain::time::Timestamp;

use super::checkpoint::{self, Order};
use super::columns::{CLICKS_MAX, Columns};
use super::encoder::Encoder;
use super::erase::Eraser;
use super::error::WriteError;
use super::frame::{Content, LOST_DRAINED_MAX, LOST_MAX, Mark, put_clicks, put_drained, put_lost, put_reserved};
use super::gather::Drain;
use super::journal::Journal;
use super::pending::Frame;
use super::replay::used;
use super::segment::Header;
use super::shared::Shared;
use super::trail::{Trail, counts_of};

/// Most clicks in one [`Writer::append_drained`].
pub const DRAINED_CLICKS_MAX: usize = CLICKS_MAX;
/// Most lost details in one.
pub const DRAINED_LOST_MAX: usize = LOST_DRAINED_MAX;
/// Room for frames that is kept: some full ones at their usual length. A longer one has its own.
const FRAMES_KEPT: usize = 1 << 20;
/// How long after a failure the next checkpoint is tried.
const RETRY_CHECKPOINT: Duration = Duration::from_secs(1);

/// How often the checkpoint thread looks for old clicks while none come in.
const IDLE_LOOK: Duration = Duration::from_secs(60 * 60);

/// What is written together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Clicks with their details.
    pub clicks: Vec<Click>,
    /// Clicks of which only the count is known.
    pub lost: Vec<LostDetail>,
}

/// What an append made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Index of the last journal frame.
    pub last_index: u64,
    /// Bytes written.
    pub bytes: u64,
    /// How long the sync took.
    pub fsync: Duration,
}

/// Writes the click log. There is one; it may move between threads.
pub struct Writer {
    shared: Arc<Shared>,
    pub(super) journal: Journal,
    encoder: Encoder,
    /// Frames that are being written; its room is used again.
    frames: Vec<u8>,
    /// What the next frame says of those before it.
    trail: Trail,
    last_index: u64,
    /// Number of the segment that the floor tells.
    told: u64,
    last_order: Timestamp,
    is_busy: Arc<AtomicBool>,
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
    /// Locked as long as the log is open.
    _lock: File,
}

impl Writer {
    /// Starts the checkpoint thread. `last_index` is the index of the last frame in the journal.
    pub(super) fn start(
        shared: Arc<Shared>,
        journal: Journal,
        trail: Trail,
        last_index: u64,
        lock: File,
    ) -> std::io::Result<Self> {
        // One order waits at most: `is_busy` sees to it.
        let (orders, receiver) = sync_channel(1);
        let thread = std::thread::Builder::new().name("click-checkpoint".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || checkpoint::run(&shared, &receiver)
        })?;
        Ok(Self {
            last_order: shared.clock.now(),
            shared,
            journal,
            encoder: Encoder::new(),
            frames: Vec::new(),
            trail,
            last_index,
            told: 0,
            is_busy: Arc::new(AtomicBool::new(false)),
            orders: Some(orders),
            thread: Some(thread),
            _lock: lock,
        })
    }

    /// The first sequence number that was never handed out.
    pub fn next_sequence(&self) -> u64 {
        self.shared.reserved.load(Ordering::Acquire)
    }

    /// Makes it durable that sequence numbers below `up_to` are handed out, so that none is used twice.
    ///
    /// # Errors
    /// The journal failed; nothing is reserved.
    pub fn reserve_sequences(&mut self, up_to: u64) -> Result<(), WriteError> {
        if up_to <= self.next_sequence() {
            return Ok(());
        }
        let mut frames = Vec::new();
        let mut trail = self.trail.clone();
        put_reserved(&mut frames, self.last_index + 1, up_to, &mut trail);
        self.write(&frames)?;
        self.trail = trail;
        self.show(vec![Content::Reserved(up_to)], frames.len());
        Ok(())
    }

    /// Writes and syncs `batch`; when this returns, it is durable and readers see it.
    ///
    /// Texts longer than the domain allows are cut.
    ///
    /// # Errors
    /// The journal failed: the batch comes back and nothing of it counts. The next try goes to a new segment.
    pub fn append(&mut self, batch: Batch) -> Result<Appended, (Batch, WriteError)> {
        let clicks: Vec<Columns> = batch.clicks.chunks(CLICKS_MAX).map(Columns::of_bounded).collect();
        let mut frames = Vec::new();
        let mut index = self.last_index;
        // Frames that fail leave no trail.
        let mut trail = self.trail.clone();
        for columns in &clicks {
            index += 1;
            put_clicks(&mut frames, index, columns, &mut self.encoder, &mut trail);
        }
        for lost in batch.lost.chunks(LOST_MAX) {
            index += 1;
            put_lost(&mut frames, index, lost, &mut trail);
        }
        let fsync = match frames.is_empty() {
            true => Duration::ZERO,
            false => match self.write(&frames) {
                Ok(fsync) => fsync,
                Err(error) => return Err((batch, error)),
            },
        };
        self.trail = trail;
        let clicks = clicks.into_iter().map(Content::Clicks);
        let lost = batch.lost.chunks(LOST_MAX).map(|lost| Content::Lost(lost.to_vec()));
        self.show(clicks.chain(lost).collect(), frames.len());
        Ok(Appended {
            last_index: self.last_index,
            bytes: frames.len() as u64,
            fsync,
        })
    }

    /// Writes and syncs what was read from rings, as one frame: after a crash all of it is there, and `marks` with it,
    /// or nothing. With neither clicks nor lost details the marks alone are written.
    ///
    /// At most [`DRAINED_CLICKS_MAX`] clicks and [`DRAINED_LOST_MAX`] lost details.
    ///
    /// # Errors
    /// The journal failed: `drain` stays as it is and nothing of it counts. The next try goes to a new segment.
    pub fn append_drained(&mut self, drain: &mut Drain, marks: &[Mark]) -> Result<Appended, WriteError> {
        debug_assert!(drain.clicks() <= DRAINED_CLICKS_MAX && drain.lost.len() <= DRAINED_LOST_MAX);
        let mut frames = std::mem::take(&mut self.frames);
        frames.clear();
        drain.finish();
        let (index, read) = (self.last_index + 1, (drain.whole(), &drain.lost[..]));
        // A frame that fails leaves no trail.
        let mut trail = self.trail.clone();
        put_drained(&mut frames, index, read, marks, &mut self.encoder, &mut trail);
        let written = self.write(&frames);
        let bytes = frames.len();
        if frames.capacity() <= FRAMES_KEPT {
            self.frames = frames;
        }
        let fsync = written?;
        self.trail = trail;
        let spare = self.shared.pending().spare();
        let (columns, lost) = drain.take(spare);
        let marks = marks.to_vec();
        self.show(vec![Content::Drained { columns, lost, marks }], bytes);
        Ok(Appended {
            last_index: self.last_index,
            bytes: bytes as u64,
            fsync,
        })
    }

    fn write(&mut self, frames: &[u8]) -> Result<Duration, WriteError> {
        let header = Header {
            node: self.shared.options.node,
            first_index: self.last_index + 1,
            reserved: self.next_sequence(),
            made_at: self.shared.clock.now(),
        };
        self.shared.counters.append_started();
        let result = self.journal.append(frames, header);
        let newest = self.journal.newest();
        if result.is_ok() && self.told != newest {
            self.told = newest;
            // Only a help for the next opening, should this segment be gone by then.
            self.shared.raise_floor(|floor| floor.segment = newest).ok();
        }
        match &result {
            Ok(took) => self.shared.counters.synced(*took),
            Err(error) => self.shared.counters.append_failed(error),
        }
        result
    }

    /// Lets readers see what was synced.
    fn show(&mut self, contents: Vec<Content>, bytes: usize) {
        let bound = self.shared.options.pending_bound();
        let counters = &self.shared.counters;
        counters.frames.fetch_add(contents.len() as u64, Ordering::Relaxed);
        counters.journal_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        for content in contents {
            self.shared.reserved.fetch_max(used(&content), Ordering::AcqRel);
            let (clicks, lost) = counts_of(&content);
            counters.clicks_written.fetch_add(clicks, Ordering::Relaxed);
            counters.lost_details.fetch_add(lost, Ordering::Relaxed);
            self.last_index += 1;
            let frame = Frame::of(self.last_index, content);
            self.shared.pending().push(frame, bound);
        }
    }

    /// Who erases on request.
    pub fn eraser(&self) -> Eraser {
        Eraser::new(Arc::clone(&self.shared))
    }

    /// Orders a checkpoint when one is due and none is under way. Never waits.
    pub fn tick(&mut self) {
        let now = self.shared.clock.now();
        if self.shared.requests().are_asked() && !self.is_busy.load(Ordering::Acquire) {
            self.shared.seal(self.journal.seal());
            return self.order(now);
        }
        let (clicks, is_behind) = {
            let pending = self.shared.pending();
            (pending.clicks(), pending.watermark < pending.last_index)
        };
        let is_suspect = self.shared.is_suspect.load(Ordering::Acquire);
        // A clock that was set back must not put checkpoints off.
        let since = u128::from(now.since(self.last_order).unsigned_abs());
        // Clicks grow old also while none come in.
        let is_idle = since >= IDLE_LOOK.as_millis() && self.shared.options.keep_clicks.is_some();
        let needs_one = is_behind || is_suspect || is_idle || self.shared.store().is_none();
        let counters = &self.shared.counters;
        // A disk that refuses the journal would refuse sled as well, and one refusal poisons it.
        if counters.is_journal_failed() {
            return;
        }
        let every = self.shared.options.checkpoint_every;
        let pause = if counters.is_checkpoint_failed() {
            every.min(RETRY_CHECKPOINT)
        } else {
            every
        };
        let is_due = since >= pause.as_millis();
        let is_full = clicks >= self.shared.options.pending_clicks_max && self.shared.store().is_some();
        if needs_one && (is_due || is_full) && !self.is_busy.load(Ordering::Acquire) {
            self.order(now);
        }
    }

    fn order(&mut self, now: Timestamp) {
        self.is_busy.store(true, Ordering::Release);
        self.last_order = now;
        let order = Order::Checkpoint(Arc::clone(&self.is_busy));
        let sent = self.orders.as_ref().map(|orders| orders.try_send(order).is_ok());
        if sent != Some(true) {
            self.is_busy.store(false, Ordering::Release);
        }
    }

    /// Brings sled up to date, stops the checkpoint thread and closes the store; readers answer
    /// [`super::QueryError::Unavailable`] afterwards.
    ///
    /// # Errors
    /// The last checkpoint failed; the journal is whole and the next opening applies it.
    pub fn close(mut self) -> Result<(), WriteError> {
        let (done, wait) = sync_channel(1);
        let sent = self.orders.take().map(|orders| orders.send(Order::Last(done)).is_ok());
        let result = match sent {
            Some(true) => wait.recv().map_err(|_| "its thread ended".to_owned()),
            _ => Err("its thread ended".to_owned()),
        };
        result
            .and_then(|checkpoint| checkpoint.map_err(|error| error.to_string()))
            .map_err(WriteError::Checkpoint)
    }

    /// Waits until the checkpoint under way, if any, is done.
    #[cfg(test)]
    pub(super) fn settle(&self) {
        while self.is_busy.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.orders.take());
        self.shared.requests().close();
        if let Some(thread) = self.thread.take() {
            // A checkpoint that panicked has said so in the counters.
            thread.join().ok();
        }
        self.shared.set_store(None);
    }
}
