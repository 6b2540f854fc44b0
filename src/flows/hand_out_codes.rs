//! Single-use codes on their way: taken out of their pools in lots before the hot path runs out, and which follower got
//! which noted in the books after it happened.
//!
//! A lot is committed before any of its codes is ready: a crash skips what was ready, and nothing is handed out twice. A
//! crash also loses which click the codes of the last moment went to; those are still known to be taken out, so an order
//! that shows one is their pool's creator's. A stop in good order puts back what nobody got.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, Notify};

use super::context::Context;
use super::error::Error;
use crate::books;
use crate::domain::code_pool::{GivenCode, LOT_MIN, PoolCode, STICKY_MS, next_lot};
use crate::domain::id::{CodePoolNo, StoreNo};
use crate::domain::time::Timestamp;
use crate::redirect::REMEMBERED_MAX;

/// Codes whose click is noted in one transaction. 2,000: some 20 ms, so that webhooks hardly wait.
const NOTED_AT_ONCE: usize = 2_000;
/// How often an empty pool is looked at when nobody has uploaded anything, in milliseconds: codes may have been put back.
const EMPTY_LOOK_MS: i64 = 10_000;
/// How often it is looked for codes that stick to nobody any more, in milliseconds.
const FORGET_MS: i64 = 60_000;

/// What is remembered from one turn to the next.
#[derive(Debug, Default)]
pub struct Desk {
    /// One turn at a time: what is read is still so when it is written.
    state: Mutex<State>,
    /// Pools that links use and that have no code left.
    empty: AtomicU64,
    /// Told when links may use a pool since now.
    wanted: Notify,
}

#[derive(Debug, Default)]
struct State {
    pools: HashMap<CodePoolNo, Watch>,
    forgotten_at: Timestamp,
    is_closed: bool,
}

/// How it goes with one pool.
#[derive(Debug, Clone, Copy, Default)]
struct Watch {
    lot: usize,
    leased_at: Timestamp,
    /// When the books had fewer than were asked for.
    dry_at: Option<Timestamp>,
    /// Whether it was said that it is empty.
    is_empty: bool,
}

impl Desk {
    /// Pools that links use and that have no code left.
    pub fn empty_pools(&self) -> u64 {
        self.empty.load(Ordering::Relaxed)
    }
}

/// At the start, before anybody follows: whose codes still stick. Blocks; not for async code.
///
/// # Errors
/// The books cannot be read.
pub fn remember(context: &Context) -> Result<(), Error> {
    let (books, table) = (&context.inner.books, &context.inner.table);
    let since = context.inner.clock.now().plus_ms(-STICKY_MS);
    let sticky =
        books.read_blocking(|view| books::pool_code::sticky(view, since, REMEMBERED_MAX / 2).map_err(Error::from))?;
    for code in sticky {
        table.remember_code(code.leased, &code.given);
    }
    Ok(())
}

/// Once the links are known: the first lots of the pools that they use. Blocks; not for async code.
///
/// # Errors
/// The books cannot be written.
pub fn open(context: &Context) -> Result<(), Error> {
    let (books, table) = (&context.inner.books, &context.inner.table);
    if table.code_pools().is_empty() {
        return Ok(());
    }
    let mut state = context.inner.codes.state.blocking_lock();
    // Those of links that were followed meanwhile have theirs.
    let pools = table
        .code_pools()
        .into_iter()
        .filter(|pool| !state.pools.contains_key(pool));
    let pools: Vec<(CodePoolNo, usize)> = pools.map(|pool| (pool, LOT_MIN)).collect();
    if pools.is_empty() || state.is_closed {
        return Ok(());
    }
    let now = context.inner.clock.now();
    for (pool, codes) in books.commit_blocking(move |tx| lease(tx, &pools, now))? {
        let watch = Watch {
            lot: LOT_MIN,
            leased_at: now,
            ..Watch::default()
        };
        state.pools.insert(pool, watch);
        table.put_codes(pool, codes);
    }
    Ok(())
}

/// One look: notes what was handed out, fetches what runs low. Called many times a second.
///
/// # Errors
/// The books cannot be written; nothing is lost by it, the next turn goes on.
pub async fn turn(context: &Context) -> Result<(), Error> {
    let mut state = context.inner.codes.state.lock().await;
    note(context).await?;
    refill(context, &mut state).await?;
    forget(context, &mut state).await
}

/// Whether no link uses a pool, and nothing that was handed out waits to be noted.
pub fn is_quiet(context: &Context) -> bool {
    context.inner.table.code_pools().is_empty() && context.inner.reader.code_tally().waiting == 0
}

/// Waits until links may use a pool that none used; at once when that was so since the last wait.
pub async fn wanted(context: &Context) {
    context.inner.codes.wanted.notified().await;
}

/// Fetches codes for pools that links use since now, and for `filled`, which has got new ones. What fails is tried again
/// by the next turn.
pub(super) async fn prepare(context: &Context, filled: Option<CodePoolNo>) {
    context.inner.codes.wanted.notify_one();
    let mut state = context.inner.codes.state.lock().await;
    if let Some(watch) = filled.and_then(|pool| state.pools.get_mut(&pool)) {
        watch.dry_at = None;
    }
    if let Err(error) = refill(context, &mut state).await {
        tracing::warn!(%error, "single-use codes could not be made ready yet");
    }
}

/// Returns once what was handed out before the call is in the books.
///
/// # Errors
/// The books cannot be written.
pub(super) async fn settle(context: &Context) -> Result<(), Error> {
    if context.inner.reader.code_tally().waiting == 0 {
        return Ok(());
    }
    let _turn = context.inner.codes.state.lock().await;
    note(context).await
}

/// Nobody gets any code of the pool any more.
pub(super) async fn close_pool(context: &Context, pool: CodePoolNo) {
    let mut state = context.inner.codes.state.lock().await;
    context.inner.table.drop_code_pool(pool);
    state.pools.remove(&pool);
    tell_empty(context, &state);
}

/// Forgets whose the codes of an order are: who has used one is handed another the next time.
///
/// # Errors
/// The books cannot be read.
pub(super) async fn forget_used(context: &Context, store: StoreNo, codes: Vec<String>) -> Result<(), Error> {
    if codes.is_empty() || context.inner.reader.code_tally().remembered == 0 {
        return Ok(());
    }
    let given = context.inner.books.read(move |view| {
        let mut given = Vec::new();
        for code in &codes {
            given.extend(books::pool_code::find(view, store, code)?.and_then(|found| found.given));
        }
        Ok::<_, Error>(given)
    });
    given
        .await?
        .iter()
        .for_each(|given| context.inner.table.forget_code(given));
    Ok(())
}

/// At the end, when nobody follows any more: notes what was handed out and puts the rest back.
///
/// # Errors
/// The books cannot be written: what was ready is then skipped, as after a crash.
pub async fn close(context: &Context) -> Result<(), Error> {
    let mut state = context.inner.codes.state.lock().await;
    state.is_closed = true;
    note(context).await?;
    let table = &context.inner.table;
    let back: Vec<(CodePoolNo, Vec<u64>)> = table
        .code_pools()
        .into_iter()
        .map(|pool| (pool, table.take_codes_back(pool)))
        .filter(|(_, codes)| !codes.is_empty())
        .collect();
    for (pool, codes) in back {
        let put = move |tx: &books::Tx<'_>| books::pool_code::give_back(tx, pool, &codes).map_err(Error::from);
        context.inner.books.commit(put).await?;
    }
    Ok(())
}

/// Notes who was handed what; it stays with the hot path until it is committed.
async fn note(context: &Context) -> Result<(), Error> {
    loop {
        let given: Vec<GivenCode> = context.inner.table.codes_given(NOTED_AT_ONCE);
        if given.is_empty() {
            return Ok(());
        }
        let noted = given.clone();
        let commit = context.inner.books.commit(move |tx| {
            noted
                .iter()
                .try_for_each(|given| books::pool_code::note_given(tx, given))
                .map_err(Error::from)
        });
        commit.await?;
        context.inner.table.codes_recorded(&given);
        if given.len() < NOTED_AT_ONCE {
            return Ok(());
        }
    }
}

async fn refill(context: &Context, state: &mut State) -> Result<(), Error> {
    if state.is_closed {
        return Ok(());
    }
    let (table, now) = (&context.inner.table, context.inner.clock.now());
    let mut wanted = Vec::new();
    for pool in table.code_pools() {
        let watch = state.pools.entry(pool).or_default();
        let is_low = table.codes_ready(pool) <= watch.lot / 2;
        let is_dry = watch.dry_at.is_some_and(|at| now.since(at).abs() < EMPTY_LOOK_MS);
        if is_low && !is_dry {
            wanted.push((pool, next_lot(watch.lot, now.since(watch.leased_at))));
        }
    }
    if !wanted.is_empty() {
        let asked: HashMap<CodePoolNo, usize> = wanted.iter().copied().collect();
        let leased = context.inner.books.commit(move |tx| lease(tx, &wanted, now)).await?;
        for (pool, codes) in leased {
            let watch = state.pools.entry(pool).or_default();
            let most = asked.get(&pool).copied().unwrap_or(LOT_MIN);
            watch.dry_at = (codes.len() < most).then_some(now);
            (watch.lot, watch.leased_at) = (most, now);
            if !codes.is_empty() {
                table.put_codes(pool, codes);
            }
        }
    }
    tell_emptied(context, state).await
}

/// Codes for each of these pools, which are theirs alone once this is committed.
fn lease(
    tx: &books::Tx<'_>,
    wanted: &[(CodePoolNo, usize)],
    now: Timestamp,
) -> Result<Vec<(CodePoolNo, Vec<PoolCode>)>, Error> {
    let lease = |(pool, most): &(CodePoolNo, usize)| Ok((*pool, books::pool_code::lease(tx, *pool, *most, now)?));
    wanted.iter().map(lease).collect()
}

/// Says once that a pool is empty, each time that it becomes so.
async fn tell_emptied(context: &Context, state: &mut State) -> Result<(), Error> {
    let mut emptied = Vec::new();
    for (pool, watch) in &mut state.pools {
        let is_empty = watch.dry_at.is_some() && context.inner.table.codes_ready(*pool) == 0;
        if is_empty && !watch.is_empty {
            emptied.push(*pool);
        }
        watch.is_empty = is_empty;
    }
    tell_empty(context, state);
    if emptied.is_empty() {
        return Ok(());
    }
    let named = context.inner.books.read(move |view| {
        let named = emptied
            .into_iter()
            .map(|no| Ok((no, books::code_pool::by_no(view, no)?)));
        named.collect::<Result<Vec<_>, Error>>()
    });
    for (no, pool) in named.await? {
        let Some(pool) = pool else {
            // It was deleted, which its links do not know.
            context.inner.table.drop_code_pool(no);
            state.pools.remove(&no);
            continue;
        };
        tracing::warn!(
            pool = %pool.id,
            "a pool of single-use codes is empty: links that use it send their creator's codes; upload more"
        );
    }
    tell_empty(context, state);
    Ok(())
}

fn tell_empty(context: &Context, state: &State) {
    let empty = state.pools.values().filter(|watch| watch.is_empty).count();
    context.inner.codes.empty.store(empty as u64, Ordering::Relaxed);
}

/// After a day nobody knows any more who was handed what; the click stays.
async fn forget(context: &Context, state: &mut State) -> Result<(), Error> {
    let now = context.inner.clock.now();
    if now.since(state.forgotten_at).abs() < FORGET_MS {
        return Ok(());
    }
    context.inner.table.forget_old_codes(now);
    let until = now.plus_ms(-STICKY_MS);
    let forget = move |tx: &books::Tx<'_>| books::pool_code::forget_until(tx, until).map_err(Error::from);
    context.inner.books.commit(forget).await?;
    state.forgotten_at = now;
    Ok(())
}

#[cfg(test)]
mod tests;
