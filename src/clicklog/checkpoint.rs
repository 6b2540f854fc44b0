//! The checkpoint thread: brings the journal's frames into sled at its own pace, and heals sled when it fails.
//!
//! Never holds the writer up: it works on shared frames, and where those were dropped from memory it reads the
//! journal. After a failure the store is closed; the next order opens it again, sets a corrupt one aside and applies
//! everything after the watermark it finds.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use super::apply::apply;
use super::encoder::Encoder;
use super::error::StoreError;
use super::pending::Frame;
use super::replay::{Replayed, replay, used};
use super::segment;
use super::shared::Shared;
use super::store::{Store, guarded, open_or_set_aside};
use super::value::Meta;

/// What the thread is asked to do.
pub(super) enum Order {
    /// Bring sled up to date; clear the flag when done.
    Checkpoint(Arc<AtomicBool>),
    /// The same for the last time; tell how it went.
    Last(SyncSender<Result<(), StoreError>>),
}

/// Works until the last order, or until no more can come.
pub(super) fn run(shared: &Shared, orders: &Receiver<Order>) {
    let mut encoder = Encoder::new();
    while let Ok(order) = orders.recv() {
        match order {
            Order::Checkpoint(is_busy) => {
                checkpoint(shared, &mut encoder).ok();
                is_busy.store(false, Ordering::Release);
            }
            Order::Last(done) => {
                done.send(checkpoint(shared, &mut encoder)).ok();
                return;
            }
        }
    }
}

fn checkpoint(shared: &Shared, encoder: &mut Encoder) -> Result<(), StoreError> {
    let result = guarded(|| {
        let store = match shared.store() {
            Some(store) => store,
            None => reopen(shared)?,
        };
        bring_up_to_date(shared, &store, encoder)?;
        shared.counters.store_bytes.store(store.bytes(), Ordering::Relaxed);
        Ok(())
    });
    match &result {
        Ok(()) => shared.counters.checkpointed(shared.clock.now()),
        Err(error) => {
            shared.counters.checkpoint_failed(error);
            shared.set_store(None);
        }
    }
    result
}

/// Opens the store again. Its watermark may lie before what memory holds: the journal fills the gap.
fn reopen(shared: &Shared) -> Result<Arc<Store>, StoreError> {
    let options = &shared.options;
    prove_room(&options.dir)?;
    let opened = open_or_set_aside(&options.store_dir(), options.sled_cache_bytes, shared.clock.now());
    let opened = opened.map_err(|error| {
        shared.counters.reopen_failures.fetch_add(1, Ordering::Relaxed);
        StoreError::Io(std::io::Error::other(error.to_string()))
    })?;
    if opened.quarantined.is_some() {
        shared.counters.quarantines.fetch_add(1, Ordering::Relaxed);
    }
    let watermark = opened.store.meta()?.watermark;
    shared.pending().applied(watermark);
    shared.set_store(Some(Arc::clone(&opened.store)));
    Ok(opened.store)
}

/// Room that sled needs at once: a segment of its file, 512 KiB, and a snapshot.
const ROOM: usize = 1 << 20;

/// Fails when the disk takes no more: sled, opened on a full disk, could be taken for a corrupt one and set aside, and
/// what is older than the journal would be missing until somebody looks.
fn prove_room(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join("room");
    let proof = std::fs::File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; ROOM])?;
        file.sync_all()
    });
    std::fs::remove_file(&path).ok();
    Ok(proof?)
}

fn bring_up_to_date(shared: &Shared, store: &Store, encoder: &mut Encoder) -> Result<(), StoreError> {
    let options = &shared.options;
    let mut meta = store.meta()?;
    // What is appended from here on is the next checkpoint's.
    let last_index = shared.pending().last_index;
    while meta.watermark < last_index {
        let gap = shared.pending().gap();
        if gap.is_empty() {
            let frames = shared.pending().oldest(options.pending_clicks_max);
            if frames.is_empty() {
                break;
            }
            meta.reserved = shared.reserved.load(Ordering::Acquire);
            apply(store, &frames, &mut meta, encoder)?;
            shared.pending().applied(meta.watermark);
        } else {
            let progress = |applied: Progress| shared.pending().applied(applied.watermark);
            let journal = options.journal_dir();
            let replayed = catch_up(
                store,
                &journal,
                gap.end,
                options.pending_clicks_max,
                &mut meta,
                encoder,
                progress,
            )?;
            shared
                .counters
                .bad_frames
                .fetch_add(replayed.bad_frames, Ordering::Relaxed);
            // Damaged frames at the end of the gap will not come back.
            meta.watermark = gap.end - 1;
            shared.pending().applied(meta.watermark);
        }
    }
    let keep_ms = i64::try_from(options.keep_segments.as_millis()).unwrap_or(i64::MAX);
    let oldest_kept = shared.clock.now().plus_ms(keep_ms.saturating_neg());
    // Segments that cannot be deleted only take room: the next checkpoint tries again.
    segment::remove_old(&options.journal_dir(), meta.watermark, oldest_kept).ok();
    Ok(())
}

/// How far a catch-up has come with one more batch.
pub(super) struct Progress {
    pub(super) watermark: u64,
    /// Clicks in the batch.
    pub(super) clicks: u64,
}

/// Applies the journal's frames after the watermark of `meta` and below `before`, `clicks_max` at a time.
pub(super) fn catch_up(
    store: &Store,
    journal: &Path,
    before: u64,
    clicks_max: usize,
    meta: &mut Meta,
    encoder: &mut Encoder,
    mut progress: impl FnMut(Progress),
) -> Result<Replayed, StoreError> {
    let mut frames: Vec<Arc<Frame>> = Vec::new();
    let mut weight = 0;
    let after = meta.watermark;
    let mut reserved = meta.reserved;
    let mut take = |frames: &mut Vec<Arc<Frame>>, reserved: u64| {
        // With the watermark that passes it by: nobody reads the frame again that says so.
        meta.reserved = reserved;
        apply(store, frames, meta, encoder)?;
        let clicks = frames.drain(..).map(|frame| frame.clicks.len() as u64).sum();
        progress(Progress {
            watermark: meta.watermark,
            clicks,
        });
        Ok::<_, StoreError>(())
    };
    let replayed = replay(journal, after, before, |index, content| {
        reserved = reserved.max(used(&content));
        let frame = Frame::of(index, content);
        // Frames without clicks take room as well.
        weight += frame.clicks.len().max(1);
        frames.push(Arc::new(frame));
        if weight >= clicks_max {
            weight = 0;
            take(&mut frames, reserved)?;
        }
        Ok(())
    })?;
    take(&mut frames, reserved)?;
    meta.reserved = meta.reserved.max(replayed.reserved);
    Ok(replayed)
}
