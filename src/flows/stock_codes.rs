//! Pools of single-use codes come into being, are filled and go. The codes themselves must exist in the shop; here they
//! are only handed out.

use super::context::Context;
use super::error::Error;
use super::hand_out_codes;
use crate::books::pool_code::Added;
use crate::books::{self, Tx, View};
use crate::domain::code_pool::{
    CODES_PER_CALL_MAX, CodePool, NAME_MAX, NEVER, POOL_CODES_MAX, POOLS_MAX, check_code, why_no_pool,
};
use crate::domain::id::{CodePoolNo, WorkspaceNo};
use crate::domain::time::Timestamp;

/// Codes of one transaction. 500: some 15 ms, so that webhooks hardly wait for an upload.
const SLICE: usize = 500;

/// A pool as a caller names it.
#[derive(Debug, Clone)]
pub struct PoolDraft {
    pub name: String,
    /// Public id of the shop.
    pub store_id: String,
    /// Public id of the creator; `None` = everybody's.
    pub creator_id: Option<String>,
}

/// A code as a caller names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeDraft {
    pub code: String,
    pub expires_at: Option<Timestamp>,
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uploaded {
    /// Codes that the pool did not have.
    pub added: usize,
    /// Places of codes that the pool had already, or that were sent twice: nothing is wrong with them.
    pub known: Vec<usize>,
    /// Places of codes that cannot be taken, with the field and what to do.
    pub refused: Vec<(usize, &'static str, &'static str)>,
}

/// Makes an empty pool.
///
/// # Errors
/// [`Error::Invalid`] names the field.
pub async fn open_pool(context: &Context, workspace: WorkspaceNo, draft: PoolDraft) -> Result<CodePool, Error> {
    let name = draft.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(Error::invalid("name", "must have 1 to 190 characters"));
    }
    let (id, now) = (context.new_id("cpool_"), context.inner.clock.now());
    let opened = context.inner.books.commit(move |tx| {
        let store = books::store::by_id(tx, workspace, &draft.store_id)?
            .ok_or_else(|| Error::invalid("storeId", "is not a store of this workspace"))?;
        if let Some(why) = why_no_pool(store.provider) {
            return Err(Error::invalid("storeId", why));
        }
        let creator = match &draft.creator_id {
            Some(id) => {
                let creator = books::creator::by_id(tx, workspace, id)?;
                let missing = || Error::invalid("partnerId", "is not a partner of this workspace");
                Some(creator.ok_or_else(missing)?.no)
            }
            None => None,
        };
        if books::code_pool::count(tx, workspace)? >= POOLS_MAX {
            return Err(Error::invalid(
                "name",
                "would be one pool too many: 1000 is the most; delete one first",
            ));
        }
        let pool = CodePool {
            no: CodePoolNo::default(),
            id,
            workspace,
            store: store.no,
            creator,
            name,
            created_at: now,
        };
        Ok(books::code_pool::insert(tx, pool)?)
    });
    opened.await
}

/// The workspace's pool with public id `id`.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<CodePool, Error> {
    books::code_pool::by_id(view, workspace, id)?.ok_or(Error::NotFound { what: "code pool" })
}

/// Puts `codes` into the pool; each is taken or refused by itself. They can be handed out when this returns. A dry run
/// changes nothing.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] on `codes` for more than a call takes. When the books cannot be written,
/// earlier slices are kept: sending the same again does no harm.
pub async fn upload(
    context: &Context,
    workspace: WorkspaceNo,
    pool_id: &str,
    codes: Vec<CodeDraft>,
    is_dry_run: bool,
) -> Result<Uploaded, Error> {
    if codes.len() > CODES_PER_CALL_MAX {
        return Err(Error::invalid("codes", "must have at most 10000 entries a call"));
    }
    let now = context.inner.clock.now();
    let mut uploaded = Uploaded::default();
    let id = pool_id.to_owned();
    let pool = context
        .inner
        .books
        .read(move |view| Ok::<_, Error>(find(view, workspace, &id)?.no));
    let pool = pool.await?;
    for (slice, drafts) in codes.chunks(SLICE).enumerate() {
        let (id, drafts) = (pool_id.to_owned(), drafts.to_vec());
        let taken = context.inner.books.commit(move |tx| {
            let pool = find(tx, workspace, &id)?;
            let taken = take(tx, &pool, &drafts, now)?;
            // A transaction that ends in an error keeps nothing.
            if is_dry_run {
                Err(Outcome::Dry(taken))
            } else {
                Ok(taken)
            }
        });
        let taken = match taken.await {
            Ok(taken) | Err(Outcome::Dry(taken)) => taken,
            Err(Outcome::Failed(error)) => return Err(error),
        };
        let first = slice * SLICE;
        uploaded.added += taken.added;
        uploaded.known.extend(taken.known.iter().map(|place| first + place));
        let refused = taken.refused.into_iter();
        uploaded
            .refused
            .extend(refused.map(|(place, field, message)| (first + place, field, message)));
    }
    if !is_dry_run {
        hand_out_codes::prepare(context, Some(pool)).await;
    }
    Ok(uploaded)
}

/// How a slice ends that is not to be kept.
enum Outcome {
    Dry(Uploaded),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Outcome {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn take(tx: &Tx<'_>, pool: &CodePool, drafts: &[CodeDraft], now: Timestamp) -> Result<Uploaded, Error> {
    let mut room = POOL_CODES_MAX.saturating_sub(books::code_pool::counts(tx, pool.no, now)?.total);
    let mut taken = Uploaded::default();
    for (place, draft) in drafts.iter().enumerate() {
        let code = draft.code.trim();
        let refused = if let Err(message) = check_code(code) {
            Some(("code", message))
        } else if draft.expires_at.is_some_and(|end| end <= now) {
            Some(("expiresAt", "must be in the future"))
        } else if books::discount_code::by_code(tx, pool.workspace, code)?.is_some() {
            Some(("code", "is a partner's own code: a single-use code is nobody else's"))
        } else if room == 0 {
            Some(("code", "finds no room: a pool has at most 1000000 codes; open another"))
        } else {
            None
        };
        if let Some((field, message)) = refused {
            taken.refused.push((place, field, message));
            continue;
        }
        match books::pool_code::add(tx, pool, code, draft.expires_at.unwrap_or(NEVER))? {
            Added::New => {
                taken.added += 1;
                room -= 1;
            }
            Added::Known => taken.known.push(place),
            Added::Elsewhere => taken.refused.push((place, "code", "is in another pool of this store")),
        }
    }
    Ok(taken)
}

/// Deletes the pool: nobody gets a code of it any more, and its links send their own codes. What was handed out still
/// says whose an order is.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(context: &Context, workspace: WorkspaceNo, id: String) -> Result<CodePool, Error> {
    let now = context.inner.clock.now();
    let deleted = context.inner.books.commit(move |tx| {
        let pool = find(tx, workspace, &id)?;
        books::code_pool::delete(tx, pool.no, now)?;
        Ok::<_, Error>(pool)
    });
    let pool = deleted.await?;
    hand_out_codes::close_pool(context, pool.no).await;
    Ok(pool)
}
