//! Single-use codes: what of a pool is free, taken out, handed out and used.
//!
//! A code is taken out ([`lease`]) before anybody may get it, so whatever crashes, none is taken out twice; what was
//! taken out and not handed out is skipped, unless it was given back.

use std::collections::HashSet;

use super::columns::Columns;
use super::error::Error;
use super::order::{self, OrderRow};
use super::view::{Tx, View};
use crate::domain::click_id::ClickId;
use crate::domain::code_pool::{CodePool, GivenCode, PoolCode};
use crate::domain::discount_code::fold;
use crate::domain::id::{CodePoolNo, CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::time::Timestamp;

/// Most orders of one code that are looked at together. 100: a code that more than one customer uses is odd already.
const ORDERS_OF_CODE_MAX: u32 = 100;

/// A code that sticks to a visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sticky {
    pub leased: PoolCode,
    pub given: GivenCode,
}

/// What became of a code that was uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    New,
    /// The pool has it already.
    Known,
    /// Another pool of the store has it.
    Elsewhere,
}

/// A pool's code, as an order's code finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub no: u64,
    pub pool: CodePoolNo,
    /// Public id of the pool.
    pub pool_id: String,
    /// Whose the pool is.
    pub pool_creator: Option<CreatorNo>,
    pub is_leased: bool,
    pub given: Option<GivenCode>,
}

const GIVEN: &str =
    "c.no, c.pool, c.given_at, c.clicked_at, c.node, c.sequence, c.link, c.creator, c.visitor, c.identity";

fn read_given(columns: &mut Columns<'_, '_>) -> rusqlite::Result<(u64, CodePoolNo, Option<GivenCode>)> {
    let code = columns.next::<i64>()?.cast_unsigned();
    let pool = columns.next()?;
    let at: Option<Timestamp> = columns.next()?;
    let clicked_at: Option<Timestamp> = columns.next()?;
    let node: Option<u16> = columns.next()?;
    let sequence: Option<i64> = columns.next()?;
    let link: Option<LinkNo> = columns.next()?;
    let creator = columns.next()?;
    let (visitor, identity): (Option<i64>, Option<i64>) = (columns.next()?, columns.next()?);
    let given = at.zip(clicked_at).zip(link).map(|((at, clicked_at), link)| GivenCode {
        code,
        pool,
        at,
        click: ClickId {
            at: clicked_at,
            node: node.unwrap_or_default(),
            sequence: sequence.unwrap_or_default().cast_unsigned(),
            link,
        },
        creator,
        visitor: visitor.unwrap_or_default().cast_unsigned(),
        identity: identity.unwrap_or_default().cast_unsigned(),
    });
    Ok((code, pool, given))
}

fn read_leased(row: &rusqlite::Row<'_>) -> rusqlite::Result<PoolCode> {
    let mut columns = Columns::of(row);
    Ok(PoolCode {
        no: columns.next::<i64>()?.cast_unsigned(),
        code: columns.next()?,
        expires_at: columns.next()?,
    })
}

/// Adds `code` to `pool`, unless the store has it.
///
/// # Errors
/// [`Error::Failed`].
pub fn add(tx: &Tx<'_>, pool: &CodePool, code: &str, expires_at: Timestamp) -> Result<Added, Error> {
    let added = tx.run(
        "INSERT INTO pool_codes (pool, store, code, code_fold, expires_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (store, code_fold) DO NOTHING",
        (pool.no, pool.store, code.trim(), fold(code), expires_at),
    )?;
    if added > 0 {
        tx.run("UPDATE code_pools SET total = total + 1 WHERE no = ?", [pool.no])?;
        return Ok(Added::New);
    }
    let sql = "SELECT pool FROM pool_codes WHERE store = ? AND code_fold = ?";
    let owner: Option<CodePoolNo> = tx.first(sql, (pool.store, fold(code)), |row| row.get(0))?;
    Ok(if owner == Some(pool.no) {
        Added::Known
    } else {
        Added::Elsewhere
    })
}

/// Whether a pool of the workspace has `code`.
///
/// # Errors
/// [`Error::Failed`].
pub fn is_known(view: &View<'_>, workspace: WorkspaceNo, code: &str) -> Result<bool, Error> {
    let known = view.count(
        "SELECT EXISTS (SELECT 1 FROM stores s JOIN pool_codes c ON c.store = s.no AND c.code_fold = ?
         WHERE s.workspace = ?)",
        (fold(code), workspace),
    )?;
    Ok(known > 0)
}

/// Takes up to `most` codes out of the pool, those that expire first first, none that has expired at `now`. Once this is
/// committed, they are nobody else's.
///
/// # Errors
/// [`Error::Failed`].
pub fn lease(tx: &Tx<'_>, pool: CodePoolNo, most: usize, now: Timestamp) -> Result<Vec<PoolCode>, Error> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut leased = tx.all(
        "UPDATE pool_codes SET leased_at = ?1 WHERE no IN (SELECT no FROM pool_codes
             WHERE pool = ?2 AND leased_at IS NULL AND expires_at > ?1 ORDER BY expires_at, no LIMIT ?3)
         RETURNING no, code, expires_at",
        (now, pool, most),
        read_leased,
    )?;
    leased.sort_by_key(|code| (code.expires_at, code.no));
    let count = i64::try_from(leased.len()).unwrap_or(i64::MAX);
    tx.run("UPDATE code_pools SET leased = leased + ? WHERE no = ?", (count, pool))?;
    Ok(leased)
}

/// Puts codes back that were taken out and that nobody got or can get any more.
///
/// # Errors
/// [`Error::Failed`].
pub fn give_back(tx: &Tx<'_>, pool: CodePoolNo, codes: &[u64]) -> Result<(), Error> {
    let mut back = 0;
    for code in codes {
        back += tx.run(
            "UPDATE pool_codes SET leased_at = NULL WHERE no = ? AND pool = ? AND leased_at IS NOT NULL AND given_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM pool_code_orders WHERE code = no)",
            (code.cast_signed(), pool),
        )?;
    }
    let back = i64::try_from(back).unwrap_or(i64::MAX);
    tx.run("UPDATE code_pools SET leased = leased - ? WHERE no = ?", (back, pool))?;
    Ok(())
}

/// Notes on which click a code was handed out; what was noted first stays.
///
/// # Errors
/// [`Error::Failed`].
pub fn note_given(tx: &Tx<'_>, given: &GivenCode) -> Result<(), Error> {
    let click = &given.click;
    let noted = tx.run(
        "UPDATE pool_codes SET given_at = ?, clicked_at = ?, node = ?, sequence = ?, link = ?, creator = ?, visitor = ?,
         identity = ? WHERE no = ? AND given_at IS NULL",
        (
            given.at,
            click.at,
            click.node,
            click.sequence.cast_signed(),
            click.link,
            given.creator,
            given.visitor.cast_signed(),
            given.identity.cast_signed(),
            given.code.cast_signed(),
        ),
    )?;
    let noted = i64::try_from(noted).unwrap_or(0);
    tx.run(
        "UPDATE code_pools SET given = given + ? WHERE no = ?",
        (noted, given.pool),
    )?;
    Ok(())
}

/// The store's code of a pool that a shop takes for `code`, of deleted pools too.
///
/// # Errors
/// [`Error::Failed`].
pub fn find(view: &View<'_>, store: StoreNo, code: &str) -> Result<Option<Found>, Error> {
    let sql = format!(
        "SELECT {GIVEN}, p.id, p.creator, c.leased_at IS NOT NULL FROM pool_codes c JOIN code_pools p ON p.no = c.pool
         WHERE c.store = ? AND c.code_fold = ?"
    );
    view.first(&sql, (store, fold(code)), |row| {
        let mut columns = Columns::of(row);
        let (no, pool, given) = read_given(&mut columns)?;
        Ok(Found {
            no,
            pool,
            given,
            pool_id: columns.next()?,
            pool_creator: columns.next()?,
            is_leased: columns.next()?,
        })
    })
}

/// The codes that still stick to a visitor, given after `since`: at most `most`, the latest first.
///
/// # Errors
/// [`Error::Failed`].
pub fn sticky(view: &View<'_>, since: Timestamp, most: usize) -> Result<Vec<Sticky>, Error> {
    let sql = format!(
        "SELECT {GIVEN}, c.code, c.expires_at FROM pool_codes c WHERE c.visitor IS NOT NULL AND c.given_at > ?
         AND NOT EXISTS (SELECT 1 FROM pool_code_orders o WHERE o.code = c.no) ORDER BY c.given_at DESC LIMIT ?"
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let found = view.all(&sql, (since, most), |row| {
        let mut columns = Columns::of(row);
        let (no, _, given) = read_given(&mut columns)?;
        let leased = PoolCode {
            no,
            code: columns.next()?,
            expires_at: columns.next()?,
        };
        Ok(given.map(|given| Sticky { leased, given }))
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// Forgets who was handed codes up to `until`.
///
/// # Errors
/// [`Error::Failed`].
pub fn forget_until(tx: &Tx<'_>, until: Timestamp) -> Result<(), Error> {
    tx.run(
        "UPDATE pool_codes SET visitor = NULL, identity = NULL WHERE visitor IS NOT NULL AND given_at <= ?",
        [until],
    )?;
    Ok(())
}

/// Forgets who was handed codes on these clicks, by their sequences; what was forgotten.
///
/// # Errors
/// [`Error::Failed`].
pub fn forget_clicks(tx: &Tx<'_>, sequences: &HashSet<u64>) -> Result<Vec<GivenCode>, Error> {
    let mut theirs: Vec<GivenCode> = sticky_givens(tx)?;
    theirs.retain(|given| sequences.contains(&given.click.sequence));
    for given in &theirs {
        tx.run(
            "UPDATE pool_codes SET visitor = NULL, identity = NULL WHERE no = ?",
            [given.code.cast_signed()],
        )?;
    }
    Ok(theirs)
}

fn sticky_givens(view: &View<'_>) -> Result<Vec<GivenCode>, Error> {
    let sql = format!("SELECT {GIVEN} FROM pool_codes c WHERE c.visitor IS NOT NULL");
    let found = view.all(&sql, [], |row| Ok(read_given(&mut Columns::of(row))?.2))?;
    Ok(found.into_iter().flatten().collect())
}

/// Notes which of the store's codes order number `order_no` shows, in the place of what was noted before. A code that
/// was still free is so no more.
pub(super) fn note_order(
    tx: &Tx<'_>,
    order_no: i64,
    store: StoreNo,
    codes: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    let mut wanted = Vec::new();
    for code in codes {
        wanted.extend(find(tx, store, code)?.filter(|found| wanted.iter().all(|known: &Found| known.no != found.no)));
    }
    let before = "SELECT c.no, c.pool FROM pool_code_orders o JOIN pool_codes c ON c.no = o.code WHERE o.order_no = ?";
    let before: Vec<(i64, CodePoolNo)> = tx.all(before, [order_no], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let count = |code: i64| tx.count("SELECT count(*) FROM pool_code_orders WHERE code = ?", [code]);
    for (code, pool) in &before {
        if wanted.iter().all(|found| found.no.cast_signed() != *code) {
            tx.run(
                "DELETE FROM pool_code_orders WHERE code = ? AND order_no = ?",
                (code, order_no),
            )?;
            let gone = i64::from(count(*code)? == 0);
            tx.run("UPDATE code_pools SET used = used - ? WHERE no = ?", (gone, pool))?;
        }
    }
    for found in wanted {
        let code = found.no.cast_signed();
        let is_first = count(code)? == 0;
        tx.run(
            "INSERT OR IGNORE INTO pool_code_orders (code, order_no) VALUES (?, ?)",
            (code, order_no),
        )?;
        let freed = tx.run(
            "UPDATE pool_codes SET leased_at = ? WHERE no = ? AND leased_at IS NULL",
            (now, code),
        )?;
        tx.run(
            "UPDATE code_pools SET used = used + ?, leased = leased + ? WHERE no = ?",
            (i64::from(is_first), i64::try_from(freed).unwrap_or(0), found.pool),
        )?;
    }
    Ok(())
}

/// Orders of the store that show its code `code`, tests left out, the first placed first; at most
/// [`ORDERS_OF_CODE_MAX`].
///
/// # Errors
/// [`Error::Failed`].
pub fn orders(view: &View<'_>, store: StoreNo, code: &str) -> Result<Vec<OrderRow>, Error> {
    let ids: Vec<String> = view.all(
        "SELECT o.external_id FROM pool_codes c JOIN pool_code_orders u ON u.code = c.no JOIN orders o ON o.no = u.order_no
         WHERE c.store = ? AND c.code_fold = ? AND o.is_test = 0 ORDER BY o.ordered_at, o.external_id LIMIT ?",
        (store, fold(code), ORDERS_OF_CODE_MAX),
        |row| row.get(0),
    )?;
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        rows.extend(order::load(view, store, &id)?);
    }
    Ok(rows)
}

/// Codes of the store's pools that order number `order_no` shows, in the form in which codes are compared.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_order(view: &View<'_>, row: &OrderRow) -> Result<Vec<String>, Error> {
    view.all(
        "SELECT c.code_fold FROM pool_code_orders o JOIN pool_codes c ON c.no = o.code WHERE o.order_no = ?",
        [row.no],
        |row| row.get(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{code_pool, fixture};
    use crate::domain::code_pool::NEVER;

    fn pool(tx: &Tx<'_>) -> Result<CodePool, Error> {
        let workspace = fixture::workspace(tx, "a")?;
        let store = fixture::store(tx, "shop", workspace)?;
        let pool = CodePool {
            no: CodePoolNo::default(),
            id: "cpool_1".into(),
            workspace,
            store,
            creator: None,
            name: "Spring".into(),
            created_at: Timestamp(1),
        };
        code_pool::insert(tx, pool)
    }

    fn given(code: u64, pool: CodePoolNo) -> GivenCode {
        GivenCode {
            code,
            pool,
            at: Timestamp(50),
            click: ClickId {
                at: Timestamp(49),
                node: 3,
                sequence: u64::MAX,
                link: LinkNo(7),
            },
            creator: None,
            visitor: u64::MAX - 1,
            identity: 9,
        }
    }

    #[test]
    fn codes_go_from_free_to_used() {
        fixture::in_tx(|tx| {
            let pool = pool(tx)?;
            for (code, expires_at, added) in [
                ("AAAA-0001", NEVER, Added::New),
                ("aaaa-0001 ", NEVER, Added::Known),
                ("AAAA-0002", Timestamp(100), Added::New),
                ("AAAA-0003", Timestamp(10), Added::New),
                ("AAAA-0004", NEVER, Added::New),
            ] {
                assert_eq!(add(tx, &pool, code, expires_at)?, added, "{code}");
            }
            assert!(is_known(tx, pool.workspace, "AAAA-0004")? && !is_known(tx, pool.workspace, "AAAA-0009")?);
            let counts = |remaining, leased, given, used| crate::domain::code_pool::PoolCounts {
                total: 4,
                remaining,
                leased,
                given,
                used,
                expired: 1,
            };
            let now = Timestamp(20);
            assert_eq!(code_pool::counts(tx, pool.no, now)?, counts(3, 0, 0, 0));
            let leased = lease(tx, pool.no, 2, now)?;
            let codes: Vec<&str> = leased.iter().map(|leased| leased.code.as_str()).collect();
            assert_eq!(codes, ["AAAA-0002", "AAAA-0001"], "what expires first goes first");
            note_given(tx, &given(leased[0].no, pool.no))?;
            note_given(
                tx,
                &GivenCode {
                    visitor: 5,
                    ..given(leased[0].no, pool.no)
                },
            )?;
            assert_eq!(code_pool::counts(tx, pool.no, now)?, counts(1, 1, 1, 0));
            let found = find(tx, pool.store, "aaaa-0002")?.expect("the code");
            assert_eq!(found.given, Some(given(leased[0].no, pool.no)), "what was noted first");
            assert!(!find(tx, pool.store, "AAAA-0004")?.expect("the code").is_leased);

            give_back(tx, pool.no, &[leased[0].no, leased[1].no])?;
            assert_eq!(
                code_pool::counts(tx, pool.no, now)?,
                counts(2, 0, 1, 0),
                "only the one that nobody got"
            );
            let again = lease(tx, pool.no, 9, now)?;
            assert_eq!(again.len(), 2);
            assert_eq!(lease(tx, pool.no, 9, now)?, []);
            assert_eq!(code_pool::scarcest(tx, now, 5)?, [("cpool_1".to_owned(), 0)]);
            Ok(())
        });
    }

    #[test]
    fn orders_use_codes_up_and_visitors_are_forgotten() {
        fixture::in_tx(|tx| {
            let pool = pool(tx)?;
            for code in ["AAAA-0001", "AAAA-0002"] {
                add(tx, &pool, code, NEVER)?;
            }
            let first = lease(tx, pool.no, 1, Timestamp(20))?.remove(0);
            note_given(tx, &given(first.no, pool.no))?;
            assert_eq!(sticky(tx, Timestamp(40), 9)?.len(), 1);
            let mut told = fixture::order("7", pool.workspace, pool.store);
            let put = |told: &crate::domain::order::Order| {
                order::put(tx, told, &Default::default(), Timestamp(60))?;
                code_pool::counts(tx, pool.no, Timestamp(60)).map(|counts| (counts.used, counts.remaining))
            };
            told.snapshot.codes = vec!["aaaa-0001".into(), "AAAA-0001".into(), "OTHER".into()];
            assert_eq!(put(&told)?, (1, 1));
            assert_eq!(
                sticky(tx, Timestamp(40), 9)?,
                [],
                "what was used is not handed out again"
            );
            assert_eq!(orders(tx, pool.store, "AAAA-0001")?.len(), 1);
            // A code that nobody was handed is used up as well.
            told.snapshot.codes = vec!["AAAA-0002".into()];
            assert_eq!(put(&told)?, (1, 0));
            assert_eq!(orders(tx, pool.store, "AAAA-0001")?, []);

            assert_eq!(sticky(tx, Timestamp(40), 9)?.len(), 1);
            assert_eq!(forget_clicks(tx, &HashSet::from([1]))?, []);
            let forgotten = forget_clicks(tx, &HashSet::from([u64::MAX]))?;
            assert_eq!(forgotten, [given(first.no, pool.no)]);
            assert_eq!(sticky(tx, Timestamp(40), 9)?, []);
            forget_until(tx, Timestamp(60))?;
            code_pool::delete(tx, pool.no, Timestamp(70))?;
            assert_eq!(code_pool::by_no(tx, pool.no)?, None);
            assert!(find(tx, pool.store, "AAAA-0001")?.is_some(), "its orders still find it");
            assert_eq!(
                code_pool::name_of(tx, pool.workspace, "cpool_1")?.as_deref(),
                Some("Spring")
            );
            Ok(())
        });
    }
}
