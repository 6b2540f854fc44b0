//! The checkpoint thread: brings the journal's frames into sled at its own pace, and heals sled when it fails.
//!
//! Never holds the writer up: it works on shared frames, and where those were dropped from memory it reads the
//! journal. After a failure the store is closed; the next order opens it again, sets a corrupt one aside and applies
//! everything after the watermark it finds.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Instant;

use crate::domain::time::Timestamp;

use super::apply::apply;
use super::backlog::Backlog;
use super::encoder::Encoder;
use super::erase;
use super::error::{OpenError, StoreError};
use super::export::{BackupFiles, copy_journal, load_parts};
use super::gap::{Cause, Gap};
use super::open::Recovery;
use super::options::Options;
use super::pending::Frame;
use super::replay::{Met, parts, replay, used};
use super::retention::Retention;
use super::segment;
use super::shared::{Opening, Shared};
use super::store::{Store, fatal, guarded, open_or_set_aside, set_aside};
use super::survey::survey;
use super::value::Meta;

/// What the thread is asked to do.
pub(super) enum Order {
    /// Bring sled up to date; clear the flag when done.
    Checkpoint(Arc<AtomicBool>),
    /// The same for the last time; tell how it went.
    Last(SyncSender<Result<(), StoreError>>),
}

/// Attempts at a store whose bytes are damaged before it is set aside.
const CORRUPTIONS_MAX: u64 = 2;

/// Opens the store, then works until the last order, or until no more can come.
pub(super) fn run(shared: &Shared, orders: &Receiver<Order>) {
    let mut encoder = Encoder::new();
    let mut retention = Retention::default();
    open(shared, &mut encoder);
    while let Ok(order) = orders.recv() {
        match order {
            Order::Checkpoint(is_busy) => {
                let is_up_to_date = checkpoint(shared, &mut encoder).is_ok();
                erase::run_ready(shared, is_up_to_date, &mut encoder, &mut |encoder| {
                    checkpoint(shared, encoder)
                });
                remove_old(shared, &mut retention);
                is_busy.store(false, Ordering::Release);
            }
            Order::Last(done) => {
                let result = checkpoint(shared, &mut encoder);
                if result.is_ok() {
                    // The next opening finds all the same what this cannot write.
                    shared.store().map(|store| guarded(|| shared.backlog.write(&store)));
                    // Only a help for the next opening: it asks the store without it.
                    let watermark = shared.pending().watermark;
                    raise_floor(shared, watermark, watermark, true).ok();
                }
                done.send(result).ok();
                return;
            }
        }
    }
}

/// Removes clicks by age. What fails here fails the next checkpoint too, which heals the store.
fn remove_old(shared: &Shared, retention: &mut Retention) {
    if let Some(store) = shared.store() {
        let keep = shared.options.keep_clicks;
        let keep_ms = keep.map(|keep| i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        guarded(|| retention.pass(&store, &shared.backlog, shared.clock.now(), keep_ms)).ok();
    }
}

/// The first opening, and the report of what it found.
fn open(shared: &Shared, encoder: &mut Encoder) {
    let started = Instant::now();
    let mut result = attempt(shared, encoder);
    while matches!(&result, Err(error) if error.is_corruption()) && shared.store().is_none() {
        if shared.corruptions.load(Ordering::Relaxed) > CORRUPTIONS_MAX {
            break;
        }
        result = attempt(shared, encoder);
    }
    shared.recovery().took = started.elapsed();
    match result {
        Ok(()) => {
            shared.counters.opened(shared.clock.now());
            report(&shared.recovery());
            shared.set_opening(Opening::Done);
        }
        Err(error) => {
            tracing::error!(%error, "the click store does not open; clicks wait in the journal");
            shared.set_opening(Opening::Failed(fatal(error, &shared.options.dir)));
        }
    }
}

fn report(recovery: &Recovery) {
    if let Some(aside) = &recovery.quarantined {
        tracing::error!(aside = %aside.display(), "a corrupt click store was set aside and rebuilt");
    }
    if let Some(backup) = &recovery.restored_from {
        tracing::warn!(backup = %backup.display(), "clicks older than the journal were brought back from the backup");
    }
    if recovery.torn_bytes > 0 {
        tracing::warn!(bytes = recovery.torn_bytes, "the journal's torn end was cut off");
    }
    for gap in &recovery.gaps {
        tracing::error!(%gap, "clicks are missing");
    }
}

fn checkpoint(shared: &Shared, encoder: &mut Encoder) -> Result<(), StoreError> {
    heal(shared);
    let result = attempt(shared, encoder);
    if result.is_ok() {
        shared.counters.checkpointed(shared.clock.now());
        shared.set_opening(Opening::Done);
    }
    result
}

/// Opens the store where it is closed and brings it up to date; closes it when that fails.
fn attempt(shared: &Shared, encoder: &mut Encoder) -> Result<(), StoreError> {
    let result = guarded(|| {
        let store = match shared.store() {
            Some(store) => store,
            None => reopen(shared)?,
        };
        begin(shared, &store)?;
        bring_up_to_date(shared, &store, encoder)?;
        shared.counters.store_bytes.store(store.bytes(), Ordering::Relaxed);
        Ok(())
    });
    match &result {
        Ok(()) => shared.corruptions.store(0, Ordering::Relaxed),
        Err(error) => {
            if error.is_corruption() {
                shared.corruptions.fetch_add(1, Ordering::Relaxed);
            }
            shared.counters.checkpoint_failed(error);
            shared.set_store(None);
        }
    }
    result
}

/// A question met damaged bytes: where journal or backup have everything, the store is closed, to be rebuilt.
fn heal(shared: &Shared) {
    if !shared.is_suspect.swap(false, Ordering::AcqRel) || shared.store().is_none() {
        return;
    }
    let reaches =
        parts(&shared.options.journal_dir()).is_ok_and(|parts| parts.first().is_some_and(|p| p.first_index <= 1));
    if reaches || shared.options.backup.is_some() {
        tracing::error!("the click store is damaged and will be rebuilt");
        shared.corruptions.store(CORRUPTIONS_MAX, Ordering::Relaxed);
        shared.set_store(None);
    } else if !shared.counters.is_damaged.swap(true, Ordering::Relaxed) {
        tracing::error!("the click store is damaged beyond the journal's reach: `hopcart clicks verify` says where");
    }
}

/// Opens the store again. Its watermark may lie before what memory holds: the journal fills the gap.
fn reopen(shared: &Shared) -> Result<Arc<Store>, StoreError> {
    let options = &shared.options;
    let dir = options.store_dir();
    let now = shared.clock.now();
    prove_room(&options.dir)?;
    let mut aside = None;
    if shared.corruptions.load(Ordering::Relaxed) >= CORRUPTIONS_MAX && dir.exists() {
        aside = Some(set_aside(&dir, now).map_err(retold)?);
    }
    let open = || {
        let opened = open_or_set_aside(&dir, options.sled_cache_bytes, now);
        opened.map_err(|error| {
            shared.counters.reopen_failures.fetch_add(1, Ordering::Relaxed);
            retold(error)
        })
    };
    let mut opened = open()?;
    // sled takes a file in which it knows nothing again for a new one.
    if aside.is_none() && opened.quarantined.is_none() && shared.stored() > 0 && opened.store.is_empty()? {
        drop(opened);
        aside = Some(set_aside(&dir, now).map_err(retold)?);
        opened = open()?;
    }
    let aside = aside.or(opened.quarantined);
    if aside.is_some() {
        shared.counters.quarantines.fetch_add(1, Ordering::Relaxed);
        shared.counters.rebuilds.fetch_add(1, Ordering::Relaxed);
        shared.counters.is_damaged.store(false, Ordering::Relaxed);
        shared.recovery().quarantined = aside;
    }
    bring_back(shared, &opened.store)?;
    Ok(opened.store)
}

/// Room that sled needs at once: a segment of its file, 512 KiB, and a snapshot.
const ROOM: usize = 1 << 20;

/// Fails when the disk takes no more: sled, opened on a full disk, could be taken for a corrupt one and set aside, and
/// what is older than the journal would be missing until somebody looks.
fn prove_room(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join("room");
    let proof = fs::File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; ROOM])?;
        file.sync_all()
    });
    fs::remove_file(&path).ok();
    Ok(proof?)
}

/// Loads the newest backup into an empty store whose journal does not reach back to the first frame. A backup that
/// cannot be used is reported: what it would have brought is then missing, as the gap says.
fn bring_back(shared: &Shared, store: &Store) -> Result<(), StoreError> {
    let options = &shared.options;
    let Some(source) = &options.backup else { return Ok(()) };
    let live = parts(&options.journal_dir())?
        .first()
        .map_or(u64::MAX, |part| part.first_index);
    if store.meta()? != Meta::default() || live <= 1 {
        return Ok(());
    }
    let files = match source.newest() {
        Ok(files) => files,
        Err(error) => {
            tracing::error!(error, "the backup cannot be used to rebuild the click store");
            return Ok(());
        }
    };
    let last_index = shared.pending().last_index;
    let gaps = load_before(store, &files, options, live.min(last_index + 1), &shared.backlog)?;
    shared.recovery().restored_from = Some(files.from.clone());
    gaps.iter().for_each(|gap| shared.recovery().tell(gap));
    Ok(())
}

/// Loads a backup's parts into an empty store, then what its journal has of the frames before `live`; the gaps in that.
pub(super) fn load_before(
    store: &Store,
    files: &BackupFiles,
    options: &Options,
    live: u64,
    backlog: &Backlog,
) -> Result<Vec<Gap>, StoreError> {
    let mut meta = load_parts(store, &files.parts)?;
    backlog.take_up(store)?;
    if meta.watermark + 1 >= live {
        return Ok(Vec::new());
    }
    let borrowed = options.dir.join("journal.borrowed");
    if borrowed.exists() {
        fs::remove_dir_all(&borrowed)?;
    }
    fs::create_dir(&borrowed)?;
    copy_journal(files, &borrowed)?;
    let before = live.min(survey(&borrowed)?.last_index + 1);
    let most = options.pending_clicks_max;
    let gaps = catch_up(
        (store, backlog),
        &borrowed,
        before,
        most,
        &mut meta,
        &mut Encoder::new(),
        |_| (),
    )?;
    fs::remove_dir_all(&borrowed)?;
    Ok(gaps)
}

fn retold(error: OpenError) -> StoreError {
    match error {
        OpenError::NewerFormat { found, known } => StoreError::Newer { found, known },
        other => StoreError::Io(io::Error::other(other.to_string())),
    }
}

/// Lets readers have a store that was just opened, once it says what is in it.
fn begin(shared: &Shared, store: &Arc<Store>) -> Result<(), StoreError> {
    if shared.store().is_some() && !shared.is_opening() {
        return Ok(());
    }
    let meta = store.meta()?;
    if meta.watermark > shared.pending().last_index {
        return Err(StoreError::Damaged("the store is ahead of its journal"));
    }
    store.count_anew_after(shared.pending().last_index)?;
    shared.backlog.take_up(store)?;
    let found: Vec<Gap> = shared
        .recovery()
        .gaps
        .iter()
        .filter(|gap| gap.cause == Cause::End)
        .cloned()
        .collect();
    if !found.is_empty() {
        apply(
            store,
            &[],
            &found,
            &mut meta.clone(),
            &mut Encoder::new(),
            &shared.backlog,
        )?;
    }
    let gaps = store.gaps()?;
    shared.counters.know(&gaps);
    shared.reserved.fetch_max(meta.reserved, Ordering::AcqRel);
    let mut pending = shared.pending();
    pending.applied(meta.watermark);
    pending.newest_at = pending.newest_at.max(meta.newest_at);
    drop(pending);
    shared.set_store(Some(Arc::clone(store)));
    Ok(())
}

fn raise_floor(shared: &Shared, watermark: u64, stored: u64, is_closed: bool) -> Result<(), StoreError> {
    let reserved = shared.reserved.load(Ordering::Acquire);
    Ok(shared.raise_floor(|floor| {
        floor.watermark = floor.watermark.max(watermark);
        floor.stored = floor.stored.max(stored);
        floor.reserved = reserved;
        floor.is_closed = is_closed;
    })?)
}

fn bring_up_to_date(shared: &Shared, store: &Store, encoder: &mut Encoder) -> Result<(), StoreError> {
    let options = &shared.options;
    let mut meta = Meta {
        node: options.node,
        ..store.meta()?
    };
    // What is appended from here on is the next checkpoint's.
    let last_index = shared.pending().last_index;
    if meta.watermark < last_index {
        raise_floor(shared, last_index, meta.watermark, false)?;
    }
    while meta.watermark < last_index {
        let gap = shared.pending().gap();
        if gap.is_empty() {
            let frames = shared.pending().oldest(options.pending_clicks_max);
            if frames.is_empty() {
                break;
            }
            meta.reserved = shared.reserved.load(Ordering::Acquire);
            apply(store, &frames, &[], &mut meta, encoder, &shared.backlog)?;
            drop(frames);
            shared.pending().applied(meta.watermark);
        } else {
            fill(shared, store, gap.end, &mut meta, encoder)?;
        }
    }
    let keep_ms = i64::try_from(options.keep_segments.as_millis()).unwrap_or(i64::MAX);
    let oldest_kept = shared.clock.now().plus_ms(keep_ms.saturating_neg());
    // Segments that cannot be deleted only take room: the next checkpoint tries again.
    segment::remove_old(&options.journal_dir(), meta.watermark, oldest_kept).ok();
    Ok(())
}

/// Applies what only the journal has, up to the frame `before`.
fn fill(shared: &Shared, store: &Store, before: u64, meta: &mut Meta, encoder: &mut Encoder) -> Result<(), StoreError> {
    let options = &shared.options;
    let is_opening = shared.is_opening();
    let gaps = catch_up(
        (store, &shared.backlog),
        &options.journal_dir(),
        before,
        options.pending_clicks_max,
        meta,
        encoder,
        |applied: Progress| {
            let mut pending = shared.pending();
            pending.newest_at = pending.newest_at.max(applied.newest_at);
            pending.applied(applied.watermark);
            drop(pending);
            if is_opening {
                shared.recovery().replayed_clicks += applied.clicks;
            }
        },
    )?;
    for gap in &gaps {
        shared.recovery().tell(gap);
        shared.counters.bad_frames.fetch_add(gap.frames(), Ordering::Relaxed);
        if !is_opening {
            tracing::error!(%gap, "clicks are missing");
        }
    }
    if !gaps.is_empty() {
        shared.counters.know(&store.gaps()?);
    }
    Ok(())
}

/// How far a catch-up has come with one more batch.
pub(super) struct Progress {
    pub(super) watermark: u64,
    /// Clicks in the batch.
    pub(super) clicks: u64,
    /// The newest instant in the store.
    pub(super) newest_at: Option<Timestamp>,
}

/// Applies the journal's frames after the watermark of `meta` and below `before`, `clicks_max` at a time; answers the
/// gaps, which are in the store as well.
pub(super) fn catch_up(
    (store, backlog): (&Store, &Backlog),
    journal: &Path,
    before: u64,
    clicks_max: usize,
    meta: &mut Meta,
    encoder: &mut Encoder,
    mut progress: impl FnMut(Progress),
) -> Result<Vec<Gap>, StoreError> {
    let mut frames: Vec<Arc<Frame>> = Vec::new();
    let mut gaps: Vec<Gap> = Vec::new();
    let mut told = 0;
    let mut weight = 0;
    let after = meta.watermark;
    let mut reserved = meta.reserved;
    let mut take = |frames: &mut Vec<Arc<Frame>>, gaps: &[Gap], reserved: u64| {
        // With the watermark that passes it by: nobody reads the frame again that says so.
        meta.reserved = reserved;
        apply(store, frames, gaps, meta, encoder, backlog)?;
        let clicks = frames.drain(..).map(|frame| frame.count() as u64).sum();
        progress(Progress {
            watermark: meta.watermark,
            clicks,
            newest_at: meta.newest_at,
        });
        Ok::<_, StoreError>(())
    };
    let headers = replay(journal, after, before, |met| {
        // What weighs nothing takes room as well.
        weight += match met {
            Met::Frame(index, content) => {
                reserved = reserved.max(used(&content));
                let frame = Frame::of(index, content);
                let clicks = frame.count().max(1);
                frames.push(Arc::new(frame));
                clicks
            }
            Met::Gap(gap) => {
                let sequences = gap.sequences.last().map_or(0, |(_, last)| last.saturating_add(1));
                reserved = reserved.max(sequences);
                gaps.push(gap);
                1
            }
        };
        if weight >= clicks_max {
            weight = 0;
            take(&mut frames, &gaps[told..], reserved)?;
            told = gaps.len();
        }
        Ok(())
    })?;
    take(&mut frames, &gaps[told..], reserved.max(headers))?;
    Ok(gaps)
}
