//! Turns journal frames into one sled batch: blocks, workspaces' roll-ups and the watermark. Links' days, facets, visitors
//! and totals are left to the backlog: blocks can tell them again. What no block can tell, clicks without details, is
//! counted in links' roll-ups and their own totals at once.
//!
//! Roll-ups and totals are read, added to and written as absolute values: with the watermark in the same batch, applying
//! after any crash counts each frame once.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::domain::id::{LinkNo, WorkspaceNo};

use super::backlog::Backlog;
use super::block;
use super::encoder::Encoder;
use super::error::StoreError;
use super::gap::{Cause, Gap};
use super::key;
use super::merge::Merged;
use super::pending::{Delta, Frame};
use super::store::Store;
use super::value::{Counts, Meta, Rollup, Totals, add, seal};
use super::waiting::How;

/// Writes `frames` and `gaps`, all of them after the watermark of `meta`, which is moved to the last of them; and what
/// the backlog holds, when it is time.
pub(super) fn apply(
    store: &Store,
    frames: &[Arc<Frame>],
    gaps: &[Gap],
    meta: &mut Meta,
    encoder: &mut Encoder,
    backlog: &Backlog,
) -> Result<(), StoreError> {
    let history = store.history()?;
    let (mut frames, mut gaps) = (frames, gaps.iter().collect::<Vec<_>>());
    // Each part is counted in one way: up to where days began, then to where pages of totals did, then after.
    for last in [history.days_since, history.pages_since, Some(u64::MAX)].map(|since| since.unwrap_or(u64::MAX)) {
        let (now, later) = frames.split_at(frames.partition_point(|frame| frame.index <= last));
        let (gaps_now, gaps_later): (Vec<&Gap>, Vec<&Gap>) = gaps
            .iter()
            .partition(|gap| last == u64::MAX || (is_passed(gap) && gap.last_frame <= last));
        let part = Part {
            frames: now,
            gaps: &gaps_now,
            how: history.how(last),
        };
        apply_part(store, &part, meta, encoder, backlog)?;
        (frames, gaps) = (later, gaps_later);
    }
    Ok(())
}

/// Frames of a gap at the journal's end may still come: they are not passed by.
fn is_passed(gap: &Gap) -> bool {
    gap.cause != Cause::End
}

/// Frames that are counted in one way.
struct Part<'a> {
    frames: &'a [Arc<Frame>],
    gaps: &'a [&'a Gap],
    how: How,
}

fn apply_part(
    store: &Store,
    part: &Part<'_>,
    meta: &mut Meta,
    encoder: &mut Encoder,
    backlog: &Backlog,
) -> Result<(), StoreError> {
    let Part { frames, gaps, .. } = *part;
    let passed = gaps.iter().filter(|gap| is_passed(gap)).map(|gap| gap.last_frame);
    let indexes = frames.iter().map(|frame| frame.index);
    let through = indexes.chain(passed).fold(meta.watermark, u64::max);
    if frames.is_empty() && gaps.is_empty() {
        return Ok(());
    }
    let mut batch = sled::Batch::default();
    let parts = frames.iter().map(|frame| &frame.columns).collect();
    let merged = Merged::within(&mut encoder.room, parts);
    block::cut(&merged, through, encoder, |key, value| batch.insert(&key, value));
    put_rollups(store, part, through, &mut batch)?;
    put_totals(store, part, through, &mut batch)?;
    let oldest = merged.spots.first().map(|first| first.at);
    let history = store.history()?.with_blocks(through, oldest);
    batch.insert(&key::HISTORY, seal(&key::HISTORY, &history.body()));
    for gap in gaps {
        let key = key::gap(gap.first_frame);
        batch.insert(&key, seal(&key, &gap.body()));
    }
    let newest_at = frames.iter().filter_map(|frame| frame.newest_at).max();
    let next = Meta {
        watermark: through,
        newest_at: meta.newest_at.max(newest_at),
        ..*meta
    };
    store.commit(batch, &next)?;
    *meta = next;
    backlog.add(&merged, part.how, through);
    merged.leave(&mut encoder.room);
    if backlog.is_due() {
        backlog.write(store)?;
    }
    Ok(())
}

fn put_rollups(store: &Store, part: &Part<'_>, through: u64, batch: &mut sled::Batch) -> Result<(), StoreError> {
    let first_index = part.frames.first().map_or(u64::MAX, |frame| frame.index);
    let mut sums: HashMap<Place, Counts> = HashMap::new();
    for frame in part.frames {
        // Most frames count for workspaces alone, whatever their links: those need not be put in order.
        if part.how.is_by_day && !frame.has_lost() {
            frame.by_workspace(|workspace, bucket, counts| {
                add(sums.entry((workspace, None, bucket)).or_default(), counts);
            });
            continue;
        }
        for delta in frame.deltas() {
            for (place, counts) in part.rollups_of(&delta) {
                add(sums.entry(place).or_default(), &counts);
            }
        }
    }
    for (place, mut counts) in sums {
        let key = key_of(place);
        let mut rollup = match store.get(&key)? {
            Some(body) => Rollup::read(&body)?,
            None => Rollup::default(),
        };
        if rollup.through >= first_index {
            counts = part.counts_after(rollup.through, place);
        }
        add(&mut rollup.counts, &counts);
        rollup.through = rollup.through.max(through);
        let value = seal(&key, &rollup.body());
        batch.insert(key, value);
    }
    Ok(())
}

/// Where a roll-up counts: the workspace or one of its links, and the quarter hour.
type Place = (WorkspaceNo, Option<LinkNo>, u32);

fn key_of((workspace, link, bucket): Place) -> Vec<u8> {
    match link {
        Some(link) => key::link_rollup(workspace, link, bucket).to_vec(),
        None => key::workspace_rollup(workspace, bucket).to_vec(),
    }
}

impl Part<'_> {
    /// The roll-ups in which `delta` counts, and how.
    fn rollups_of(&self, delta: &Delta) -> impl Iterator<Item = (Place, Counts)> {
        let of_link = if self.how.is_by_day { delta.lost } else { delta.counts };
        let place = |link| (delta.workspace, link, delta.bucket);
        let of_link = (of_link != Counts::default()).then(|| (place(Some(delta.link)), of_link));
        of_link.into_iter().chain([(place(None), delta.counts)])
    }

    /// What frames after `through` add to the roll-up at `place`: one that a backup brought may be ahead of the
    /// watermark.
    fn counts_after(&self, through: u64, place: Place) -> Counts {
        let mut counts = Counts::default();
        let after = self.frames.iter().filter(|frame| frame.index > through);
        for delta in after.flat_map(|frame| frame.deltas()) {
            let of_it = self.rollups_of(&delta).filter(|(known, _)| *known == place);
            of_it.for_each(|(_, more)| add(&mut counts, &more));
        }
        counts
    }
}

/// Links' own totals: clicks that no block can tell again, and those of before there were pages.
fn put_totals(store: &Store, part: &Part<'_>, through: u64, batch: &mut sled::Batch) -> Result<(), StoreError> {
    let mut sums: HashMap<LinkNo, (Totals, u64)> = HashMap::new();
    // Where there are pages, their own totals count what no click tells.
    let counted = |frame: &&Arc<Frame>| !part.how.is_paged || frame.has_lost();
    for frame in part.frames.iter().filter(counted) {
        let counted = |delta: &Delta| !part.how.is_paged || delta.lost != Counts::default();
        for delta in frame.deltas().filter(counted) {
            let (totals, known) = match sums.entry(delta.link) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let stored = store.get(&key::total(delta.link))?;
                    entry.insert(match stored {
                        Some(body) => Totals::read(&body)?,
                        None => Default::default(),
                    })
                }
            };
            // One that a backup brought may be ahead of the watermark.
            if frame.index <= *known {
                continue;
            }
            match part.how.is_paged {
                true => delta.add_lost_to(totals),
                false => delta.add_to(totals),
            }
        }
    }
    for (link, (totals, known)) in sums {
        let key = key::total(link);
        batch.insert(&key, seal(&key, &totals.body(known.max(through))));
    }
    Ok(())
}
