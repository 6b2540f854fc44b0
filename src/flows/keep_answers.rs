//! Calls that a client names are carried out once: the name is claimed before the call, every write of the call marks the
//! claim in its own transaction, and the answer is kept for a day. Never runs a call again that has written.

use super::context::Context;
use super::error::Error;
use crate::books;
pub use crate::books::idempotency::{ClaimNo, KeptAnswer};
use crate::domain::id::WorkspaceNo;
use crate::domain::time::DAY_MS;

/// Largest answer that is kept, in bytes. 256 KiB: some two hundred links; whoever makes thousands looks them up.
pub const ANSWER_MAX: usize = 256 << 10;
/// Claims of one workspace within a day. 20,000: one every four seconds; at some 2 KiB each, 40 MB.
const CLAIMS_MAX: u64 = 20_000;
/// How long a name stands for its call.
const KEPT_MS: i64 = DAY_MS;
/// Old claims that each new one takes along.
const FORGOTTEN_AT_ONCE: u32 = 4;

/// What to do with a named call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Carry it out under this claim, then [`keep`] its answer or [`release`] it.
    Run(ClaimNo),
    /// It was carried out: answer this again.
    Replay(KeptAnswer),
    /// The name stands for another call.
    Other,
    /// It was carried out, but its answer is not there any more.
    Lost,
    /// Too many names within a day.
    TooMany,
}

/// Claims `name` for the call that hashes to `request`. The caller sees to it that one call of a name is under way at
/// a time.
pub async fn claim(context: &Context, workspace: WorkspaceNo, name: String, request: [u8; 32]) -> Result<Turn, Error> {
    let now = context.inner.clock.now();
    let taken = context.inner.books.commit(move |tx| {
        books::idempotency::forget(tx, now.plus_ms(-KEPT_MS), FORGOTTEN_AT_ONCE)?;
        let known = books::idempotency::find(tx, workspace, &name)?;
        match known {
            Some(claim) if now.since(claim.created_at) >= KEPT_MS => books::idempotency::drop_claim(tx, claim.no)?,
            Some(claim) if claim.request != request => return Ok(Turn::Other),
            Some(claim) => {
                return Ok(match claim.answer {
                    Some(answer) => Turn::Replay(answer),
                    None if claim.has_written => Turn::Lost,
                    // Cut off before it wrote anything.
                    None => Turn::Run(claim.no),
                });
            }
            None => {}
        }
        if books::idempotency::count(tx, workspace)? >= CLAIMS_MAX {
            return Ok(Turn::TooMany);
        }
        Ok::<_, Error>(Turn::Run(books::idempotency::insert(
            tx, workspace, &name, request, now,
        )?))
    });
    taken.await
}

/// Keeps the answer of a call that was carried out; durable when this returns.
pub async fn keep(context: &Context, claim: ClaimNo, answer: KeptAnswer) -> Result<(), Error> {
    let kept = context.inner.books.commit(move |tx| {
        books::idempotency::mark_written(tx, claim)?;
        if answer.body.len() <= ANSWER_MAX {
            books::idempotency::keep(tx, claim, &answer)?;
        }
        Ok::<_, Error>(())
    });
    kept.await
}

/// Gives the name of a refused call back, unless something of the call is in the books.
pub async fn release(context: &Context, claim: ClaimNo) -> Result<(), Error> {
    let released = context
        .inner
        .books
        .commit(move |tx| books::idempotency::release(tx, claim).map_err(Error::from));
    released.await
}

/// Drops the kept answers of a workspace in which somebody was erased.
pub async fn drop_answers(context: &Context, workspace: WorkspaceNo) -> Result<(), Error> {
    let dropped = context
        .inner
        .books
        .commit(move |tx| books::idempotency::drop_answers(tx, workspace).map_err(Error::from));
    dropped.await.map(drop)
}
