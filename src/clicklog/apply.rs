//! Turns journal frames into one sled batch: blocks, roll-ups, totals, sketches, facets and the watermark.
//!
//! Roll-ups, totals, sketches and facets are read, added to and written as absolute values: with the watermark in the same
//! batch, applying after any crash counts each frame once.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::Click;
use crate::domain::id::{LinkNo, WorkspaceNo};

use super::block;
use super::encoder::Encoder;
use super::error::StoreError;
use super::key;
use super::pending::Frame;
use super::sketch::{self, Sketch};
use super::store::Store;
use super::tabulate::Table;
use super::value::{Counts, Meta, Rollup, Totals, add, seal};

/// Writes `frames`, all of them after the watermark of `meta`, which is moved to the last of them.
pub(super) fn apply(
    store: &Store,
    frames: &[Arc<Frame>],
    meta: &mut Meta,
    encoder: &mut Encoder,
) -> Result<(), StoreError> {
    let Some(through) = frames.last().map(|frame| frame.index) else {
        return Ok(());
    };
    let mut batch = sled::Batch::default();
    let mut clicks: Vec<&Click> = frames.iter().flat_map(|frame| &frame.clicks).collect();
    let mut table = Table::default();
    block::cut(&mut clicks, through, encoder, |key, value, cut| {
        batch.insert(&key, value);
        table.add(cut);
    });
    put_rollups(store, frames, through, &mut batch)?;
    put_totals(store, frames, through, &mut batch)?;
    put_sketches(store, &clicks, &mut batch)?;
    table.put(store, through, &mut batch)?;
    let history = store.history()?.with_facets(through);
    batch.insert(&key::HISTORY, seal(&key::HISTORY, &history.body()));
    let newest_at = frames.iter().filter_map(|frame| frame.newest_at).max();
    let next = Meta {
        watermark: through,
        newest_at: meta.newest_at.max(newest_at),
        ..*meta
    };
    store.commit(batch, &next)?;
    *meta = next;
    Ok(())
}

fn put_rollups(store: &Store, frames: &[Arc<Frame>], through: u64, batch: &mut sled::Batch) -> Result<(), StoreError> {
    let mut sums: HashMap<Vec<u8>, Counts> = HashMap::new();
    for delta in frames.iter().flat_map(|frame| &frame.deltas) {
        let link = key::link_rollup(delta.workspace, delta.link, delta.bucket);
        let workspace = key::workspace_rollup(delta.workspace, delta.bucket);
        add(sums.entry(link.to_vec()).or_default(), &delta.counts);
        add(sums.entry(workspace.to_vec()).or_default(), &delta.counts);
    }
    for (key, counts) in sums {
        let mut rollup = match store.get(&key)? {
            Some(body) => Rollup::read(&body)?,
            None => Rollup::default(),
        };
        add(&mut rollup.counts, &counts);
        rollup.through = through;
        let value = seal(&key, &rollup.body());
        batch.insert(key, value);
    }
    Ok(())
}

fn put_totals(store: &Store, frames: &[Arc<Frame>], through: u64, batch: &mut sled::Batch) -> Result<(), StoreError> {
    let mut sums: HashMap<LinkNo, Totals> = HashMap::new();
    for delta in frames.iter().flat_map(|frame| &frame.deltas) {
        let totals = match sums.entry(delta.link) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let stored = store.get(&key::total(delta.link))?;
                entry.insert(match stored {
                    Some(body) => Totals::read(&body)?.0,
                    None => Totals::default(),
                })
            }
        };
        delta.add_to(totals);
    }
    for (link, totals) in sums {
        let key = key::total(link);
        batch.insert(&key, seal(&key, &totals.body(through)));
    }
    Ok(())
}

fn put_sketches(store: &Store, clicks: &[&Click], batch: &mut sled::Batch) -> Result<(), StoreError> {
    let mut visitors: HashMap<(WorkspaceNo, LinkNo, u32), Vec<u64>> = HashMap::new();
    for click in clicks.iter().filter(|click| sketch::counts(click)) {
        let day = (click.workspace, click.link, click.at.day());
        visitors.entry(day).or_default().push(click.visitor);
    }
    for ((workspace, link, day), visitors) in visitors {
        let key = key::sketch(workspace, link, day);
        let mut sketch = match store.get(&key)? {
            Some(body) => Sketch::read(&body)?,
            None => Sketch::new()?,
        };
        visitors.into_iter().for_each(|visitor| sketch.add(visitor));
        batch.insert(&key, seal(&key, &sketch.body()));
    }
    Ok(())
}
