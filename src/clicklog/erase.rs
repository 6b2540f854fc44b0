//! Erases on request what tells who somebody was: visitor, journey, agent, language, referrer, UTM parameters, region and
//! city go, in the journal, in blocks, in facets and in sheets; instant, link, country and every count stay.
//!
//! Works on the checkpoint thread, so that nothing writes beside it, on clicks that sled has. Journal segments come
//! first, each replaced as a whole: a store that is rebuilt while or after this runs is rebuilt from what was erased.
//! Running it again finds what is left, so a crash in between costs nothing. Sketches and sheets hold hashes of visitors among
//! counts, and those stay; so do clicks that the visitor makes afterwards.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::domain::click::{Click, ClickFlags};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::block::SPAN_MS;
use super::bytes::Source;
use super::columns::{Columns, Header};
use super::day::QUARTERS;
use super::dimension::FACETS;
use super::encoder::Encoder;
use super::erasure::{Erased, Erasure, Subject};
use super::error::{StoreError, WriteError};
use super::facets::Facets;
use super::frame::{Content, RawFrame, find_next};
use super::key::{self, BlockKey};
use super::options::sync_dir;
use super::segment;
use super::shared::Shared;
use super::sheet::{self, Sheet};
use super::store::{Store, guarded};
use super::tabulate;
use super::value::seal;

/// Requests that wait at once; each takes a reading of the whole log.
const WAITING_MAX: usize = 16;
/// Blocks that are written anew in one batch of the store.
const BLOCKS_A_BATCH: usize = 64;
/// Blocks that are read between two looks at what waits for the checkpoint thread.
const BLOCKS_A_SLICE: usize = 4096;
/// Clicks that an answer names; the others are erased and counted all the same.
const NAMED_MAX: usize = 100_000;

/// Orders erasures.
#[derive(Clone)]
pub struct Eraser {
    shared: Arc<Shared>,
}

/// An erasure that somebody waits for.
pub(super) struct Request {
    workspace: WorkspaceNo,
    subject: Subject,
    done: SyncSender<Result<Erased, StoreError>>,
}

/// Erasures that wait.
#[derive(Default)]
pub(super) struct Requests {
    /// Not seen by the writer yet.
    asked: Vec<Request>,
    /// Everything that they are about is in finished segments.
    ready: Vec<Request>,
    is_closed: bool,
}

impl Requests {
    pub(super) fn are_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// The writer has ended its segment: what was asked so far can be done.
    pub(super) fn make_ready(&mut self) {
        self.ready.append(&mut self.asked);
    }

    /// The log closes: who waits is told by the end of the channel.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.asked.clear();
        self.ready.clear();
    }
}

impl Eraser {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Erases what `subject` left in `workspace` before this call. Waits until it is durable: as long as reading the log
    /// takes.
    ///
    /// # Errors
    /// [`WriteError::Erasure`]: not all of it is gone; asking again goes on.
    pub fn erase(&self, workspace: WorkspaceNo, subject: Subject) -> Result<Erased, WriteError> {
        let (done, wait) = sync_channel(1);
        {
            let mut requests = self.shared.requests();
            if requests.is_closed || requests.asked.len() + requests.ready.len() >= WAITING_MAX {
                return Err(WriteError::Erasure("the log is closed or busy with others".to_owned()));
            }
            requests.asked.push(Request {
                workspace,
                subject,
                done,
            });
        }
        let failed = |error: &dyn std::fmt::Display| WriteError::Erasure(error.to_string());
        let result = wait.recv().map_err(|_| failed(&"the log was closed"))?;
        result.map_err(|error| failed(&error))
    }
}

/// Does what is ready. `between` lets the checkpoint thread do its other work.
pub(super) fn run_ready(
    shared: &Shared,
    is_up_to_date: bool,
    encoder: &mut Encoder,
    between: &mut dyn FnMut(&mut Encoder) -> Result<(), StoreError>,
) {
    let ready = std::mem::take(&mut shared.requests().ready);
    for request in ready {
        let result = match shared.store().filter(|_| is_up_to_date) {
            Some(store) => guarded(|| {
                // Erasing changes facets where they are.
                shared.backlog.write(&store)?;
                erase(shared, &store, &request, encoder, &mut |encoder| {
                    between(encoder)?;
                    shared.backlog.write(&store)
                })
            }),
            None => Err(StoreError::Damaged("the store is not up to date")),
        };
        // Who asked may have gone; it was done all the same.
        request.done.send(result).ok();
    }
}

fn erase(
    shared: &Shared,
    store: &Store,
    request: &Request,
    encoder: &mut Encoder,
    between: &mut dyn FnMut(&mut Encoder) -> Result<(), StoreError>,
) -> Result<Erased, StoreError> {
    let options = &shared.options;
    let segments = erase_in_journal(&options.journal_dir(), shared.sealed(), request, encoder)?;
    let mut erased = Erased {
        record: Erasure {
            at: shared.clock.now(),
            is_visitor: matches!(request.subject, Subject::Visitor(_)),
            clicks: 0,
            blocks: 0,
            segments,
            set_aside: set_aside(&options.dir)?,
        },
        clicks: Vec::new(),
    };
    let (mut from, last) = range(&request.subject);
    while let Some(next) = erase_in_blocks(store, request, (&from, &last), encoder, &mut erased)? {
        from = next;
        between(encoder)?;
    }
    put_record(store, request.workspace, &mut erased.record)?;
    Ok(erased)
}

impl Request {
    fn is_about(&self, click: &Click) -> bool {
        click.workspace == self.workspace
            && match self.subject {
                Subject::Visitor(visitor) => visitor != 0 && click.visitor == visitor,
                Subject::Click { at, sequence, link } => {
                    click.at == at && click.sequence == sequence && click.link == link && !is_bare(click)
                }
            }
    }

    /// Whether encoded clicks may hold one that this is about; told from what is never packed.
    fn may_be_in(&self, header: &Header, encoded: &[u8]) -> bool {
        match self.subject {
            Subject::Visitor(visitor) => {
                let wanted = visitor.to_le_bytes();
                encoded.rchunks_exact(8).take(header.count).any(|bytes| bytes == wanted)
            }
            Subject::Click { at, sequence, .. } => {
                (header.first_at..=header.last_at).contains(&at)
                    && (header.first_sequence..=header.last_sequence).contains(&sequence)
            }
        }
    }
}

fn is_bare(click: &Click) -> bool {
    click.flags.has(ClickFlags::ERASED)
}

/// `click` without what tells who it was.
fn bared(click: &Click) -> Click {
    Click {
        flags: click.flags.with(ClickFlags::ERASED),
        visitor: 0,
        user_agent: Default::default(),
        language: "".into(),
        referrer: "".into(),
        utm: Default::default(),
        locality: "".into(),
        journey: Vec::new(),
        ..click.clone()
    }
}

/// Bares the clicks that `request` is about; answers them as they were.
fn bare_all(clicks: &mut [Click], request: &Request) -> Vec<Click> {
    let mut bare = Vec::new();
    for click in clicks.iter_mut().filter(|click| request.is_about(click)) {
        let next = bared(click);
        bare.push(std::mem::replace(click, next));
    }
    bare
}

// --- the journal ---

/// Writes the segments with numbers below `sealed` anew that hold clicks of `request`; answers how many.
fn erase_in_journal(dir: &Path, sealed: u64, request: &Request, encoder: &mut Encoder) -> Result<u64, StoreError> {
    let mut count = 0;
    for (_, path) in segment::list(dir)?.into_iter().filter(|(number, _)| *number < sealed) {
        let next = path.with_extension("new");
        // Left by a crash: never read, and not to stay.
        fs::remove_file(&next).ok();
        let bytes = fs::read(&path)?;
        let Some(bare) = bare_segment(&bytes, request, encoder)? else {
            continue;
        };
        let mut file = File::create_new(&next)?;
        file.write_all(&bare)?;
        file.sync_all()?;
        fs::rename(&next, &path)?;
        sync_dir(dir)?;
        count += 1;
    }
    Ok(count)
}

/// The segment without what `request` is about; `None` when it holds nothing of it. Damaged bytes stay as they are.
fn bare_segment(bytes: &[u8], request: &Request, encoder: &mut Encoder) -> Result<Option<Vec<u8>>, StoreError> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut offset = segment::HEADER.min(bytes.len());
    out.extend_from_slice(&bytes[..offset]);
    let mut is_changed = false;
    while offset < bytes.len() {
        let Some((raw, length)) = RawFrame::read(&bytes[offset..]) else {
            let next = find_next(bytes, offset).unwrap_or(bytes.len());
            out.extend_from_slice(&bytes[offset..next]);
            offset = next;
            continue;
        };
        let frame = &bytes[offset..offset + length];
        offset += length;
        let mut clicks = match raw.content() {
            Ok(Content::Clicks(columns) | Content::Drained { columns, .. }) => columns.clicks(),
            _ => Vec::new(),
        };
        if bare_all(&mut clicks, request).is_empty() {
            out.extend_from_slice(frame);
        } else {
            raw.put_with(&mut out, &clicks, encoder)?;
            is_changed = true;
        }
    }
    Ok(is_changed.then_some(out))
}

/// Stores below `dir` that were set aside as corrupt, or replaced by a rebuilt one.
fn set_aside(dir: &Path) -> Result<u64, StoreError> {
    let mut count = 0;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        count += u64::from(name.contains(".quarantine-") || name.contains(".replaced-"));
    }
    Ok(count)
}

// --- the store ---

/// First and last key of the blocks that may hold clicks of `subject`.
fn range(subject: &Subject) -> (Vec<u8>, Vec<u8>) {
    let (first, last) = match subject {
        Subject::Visitor(_) => (Timestamp(i64::MIN), Timestamp(i64::MAX)),
        Subject::Click { at, .. } => (*at, at.plus_ms(SPAN_MS)),
    };
    (BlockKey::lowest(first).to_vec(), BlockKey::highest(last).to_vec())
}

/// Erases in some of the blocks between two keys, in one batch; answers where to go on, `None` at the end.
fn erase_in_blocks(
    store: &Store,
    request: &Request,
    (first, last): (&[u8], &[u8]),
    encoder: &mut Encoder,
    erased: &mut Erased,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut found: Vec<(Vec<u8>, Vec<Click>)> = Vec::new();
    let (mut seen, mut next) = (0, None);
    store.scan::<StoreError>(first, last, false, |key, body| {
        if seen == BLOCKS_A_SLICE || found.len() == BLOCKS_A_BATCH {
            next = Some(key.to_vec());
            return Ok(false);
        }
        seen += 1;
        if request.may_be_in(&Header::read(&mut Source(body))?, body) {
            found.push((key.to_vec(), Columns::decode(body)?.clicks()));
        }
        Ok(true)
    })?;
    let mut batch = sled::Batch::default();
    let mut bare = Vec::new();
    for (key, mut clicks) in found {
        let before = bare_all(&mut clicks, request);
        if before.is_empty() {
            continue;
        }
        // Shorter by every visitor and longer by a few entries of dictionaries: far below what sled writes to files.
        let value = seal(&key, &encoder.encode(&Columns::of(&clicks)));
        batch.insert(key, value);
        erased.record.blocks += 1;
        bare.extend(before);
    }
    if bare.is_empty() {
        return Ok(next);
    }
    put_facets(store, &bare, &mut batch)?;
    store.rewrite(batch)?;
    erased.record.clicks += bare.len() as u64;
    let room = NAMED_MAX.saturating_sub(erased.clicks.len());
    let names = bare.iter().take(room);
    erased
        .clicks
        .extend(names.map(|click| (click.at, click.sequence, click.link)));
    Ok(next)
}

/// Counts `bare` clicks, here as they were, as unknown from now on. Where a sheet has one that is like it in everything,
/// it does not matter whose that was.
fn put_facets(store: &Store, bare: &[Click], batch: &mut sled::Batch) -> Result<(), StoreError> {
    let next: Vec<Click> = bare.iter().map(bared).collect();
    let is_in_sheet = put_sheets(store, bare, &next, batch)?;
    let mut places: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
    for (place, click) in bare.iter().enumerate() {
        let [of_link, of_workspace] = tabulate::places(click.workspace, click.link, click.at);
        places.entry(of_workspace).or_default().push(place);
        if !is_in_sheet[place] {
            places.entry(of_link).or_default().push(place);
        }
    }
    for (key, clicks) in places {
        let Some(body) = store.get(&key)? else { continue };
        let mut facets = Facets::read(&body)?;
        for click in clicks {
            let (was, is) = (tabulate::keys(&bare[click]), tabulate::keys(&next[click]));
            for facet in 0..FACETS.len() {
                facets.rename(facet, was[facet], is[facet], bare[click].flags.class());
            }
        }
        let value = seal(&key, &facets.body());
        batch.insert(key, value);
    }
    Ok(())
}

/// Puts what `next` are in the place of `bare` clicks into sheets; which of them were found there.
fn put_sheets(store: &Store, bare: &[Click], next: &[Click], batch: &mut sled::Batch) -> Result<Vec<bool>, StoreError> {
    let entries = |clicks: &[Click]| clicks.iter().map(sheet::entries).collect::<Vec<_>>();
    let (was, is) = (entries(bare), entries(next));
    let mut days: BTreeMap<(WorkspaceNo, u32), Vec<usize>> = BTreeMap::new();
    for (place, click) in bare.iter().enumerate() {
        let day = click.at.bucket() / QUARTERS;
        days.entry((click.workspace, day)).or_default().push(place);
    }
    let mut is_found = vec![false; bare.len()];
    for ((workspace, day), clicks) in days {
        let first = key::sheet(workspace, day, 0, LinkNo(0));
        let last = key::sheet(workspace, day, u64::MAX, LinkNo(u32::MAX));
        store.scan::<StoreError>(&first, &last, false, |key, body| {
            let (_, _, first) = key::of_sheet(key);
            let mut sheet = Sheet::read(body, first)?;
            let mut is_changed = false;
            for place in clicks.iter().copied() {
                if is_found[place] {
                    continue;
                }
                let click = &bare[place];
                let quarter = (click.at.bucket() % QUARTERS) as u8;
                is_found[place] = sheet.exchange(click.link, (click.flags, quarter), &was[place], &is[place]);
                is_changed |= is_found[place];
            }
            if is_changed {
                batch.insert(key, seal(key, &sheet.body()));
            }
            Ok(clicks.iter().any(|place| !is_found[*place]))
        })?;
    }
    Ok(is_found)
}

/// Writes the record under the first free millisecond.
fn put_record(store: &Store, workspace: WorkspaceNo, record: &mut Erasure) -> Result<(), StoreError> {
    let mut ms = u64::try_from(record.at.0).unwrap_or(0);
    let key = loop {
        let key = key::erasure(workspace, ms);
        if store.get(&key)?.is_none() {
            break key;
        }
        ms += 1;
    };
    record.at = Timestamp(i64::try_from(ms).unwrap_or(i64::MAX));
    let mut batch = sled::Batch::default();
    batch.insert(&key, seal(&key, &record.body()));
    store.rewrite(batch)
}
