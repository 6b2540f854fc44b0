//! Discount codes. In a workspace no two are the same when folded as shops compare them.

use super::columns::Columns;
use super::error::Error;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::view::{Tx, View};
use crate::domain::attribution::LeakSignal;
use crate::domain::discount_code::{DiscountCode, fold};
use crate::domain::id::{CreatorNo, WorkspaceNo};
use crate::domain::time::Timestamp;

const COLUMNS: &str = "id, workspace, code, creator, link, created_at, leak, is_trusted";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<DiscountCode> {
    let mut columns = Columns::of(row);
    Ok(DiscountCode {
        id: columns.next()?,
        workspace: columns.next()?,
        code: columns.next()?,
        creator: columns.next()?,
        link: columns.next()?,
        created_at: columns.next()?,
        leak: columns.next_parsed(LeakSignal::parse)?,
        is_trusted: columns.next()?,
    })
}

/// Says why the workspace's code with public id `id` is not trusted, or with `None` that nothing speaks against it; and
/// whether the brand trusts it whatever signals say. `false` = there is no such code.
///
/// # Errors
/// [`Error::Failed`].
pub fn set_leak(
    tx: &Tx<'_>,
    workspace: WorkspaceNo,
    id: &str,
    leak: Option<LeakSignal>,
    is_trusted: bool,
) -> Result<bool, Error> {
    let changed = tx.run(
        "UPDATE discount_codes SET leak = ?, is_trusted = ? WHERE workspace = ? AND id = ?",
        (leak.map(LeakSignal::as_str), is_trusted, workspace, id),
    )?;
    Ok(changed > 0)
}

/// Every code of the workspace.
///
/// # Errors
/// [`Error::Failed`].
pub fn all(view: &View<'_>, workspace: WorkspaceNo) -> Result<Vec<DiscountCode>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM discount_codes WHERE workspace = ? ORDER BY no");
    view.all(&sql, [workspace], read)
}

/// Counted orders of the workspace placed since `since`, by the first of our codes on them as it was written there, where
/// that is not a single-use one.
///
/// # Errors
/// [`Error::Failed`].
pub fn orders_by_code(view: &View<'_>, workspace: WorkspaceNo, since: Timestamp) -> Result<Vec<(String, u64)>, Error> {
    view.all(
        // Not called `code`: orders have a column of that name, which also holds codes that are nobody's.
        "SELECT json_extract(evidence, '$.codes[0].code') AS shown, count(*) FROM orders
         WHERE workspace = ? AND ordered_at >= ? AND counts = 1 AND shown IS NOT NULL
         AND coalesce(json_extract(evidence, '$.codes[0].kind'), 'creator') = 'creator' GROUP BY shown",
        (workspace, since),
        |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())),
    )
}

/// Adds `code`.
///
/// # Errors
/// [`Error::Conflict`] on `code`; nothing is changed then.
pub fn insert(tx: &Tx<'_>, code: &DiscountCode) -> Result<(), Error> {
    tx.run_unique(
        "INSERT INTO discount_codes (id, workspace, code, code_fold, creator, link, created_at, leak,
         is_trusted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            &code.id,
            code.workspace,
            &code.code,
            fold(&code.code),
            code.creator,
            code.link,
            code.created_at,
            code.leak.map(LeakSignal::as_str),
            code.is_trusted,
        ),
        &[("discount_codes.workspace, discount_codes.code_fold", "code")],
    )?;
    Ok(())
}

/// The workspace's code that a shop takes for `code`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_code(view: &View<'_>, workspace: WorkspaceNo, code: &str) -> Result<Option<DiscountCode>, Error> {
    view.first(
        &format!("SELECT {COLUMNS} FROM discount_codes WHERE workspace = ? AND code_fold = ?"),
        (workspace, fold(code)),
        read,
    )
}

/// The workspace's code with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<DiscountCode>, Error> {
    view.first(
        &format!("SELECT {COLUMNS} FROM discount_codes WHERE id = ? AND workspace = ?"),
        (id, workspace),
        read,
    )
}

/// One page of the workspace's codes, newest first, all or one creator's.
///
/// # Errors
/// [`Error::NotFound`] on `page` for an unknown id to go on from.
pub fn list(
    view: &View<'_>,
    workspace: WorkspaceNo,
    creator: Option<CreatorNo>,
    page: &Page,
) -> Result<Vec<DiscountCode>, Error> {
    let mut filter = Filter::of("workspace = ?", workspace.0);
    filter.and_some("creator = ?", creator.map(|creator| i64::from(creator.0)));
    let listing = Listing {
        table: "discount_codes",
        columns: COLUMNS,
        id: "id",
        sort: "created_at",
        is_ascending: false,
    };
    listing.page(view, filter, page, read)
}

/// Removes the workspace's code with this public id, else the one that folds like it; `false` = there was none.
///
/// # Errors
/// [`Error::Failed`].
pub fn delete(tx: &Tx<'_>, workspace: WorkspaceNo, id_or_code: &str) -> Result<bool, Error> {
    let by_id = tx.run(
        "DELETE FROM discount_codes WHERE workspace = ? AND id = ?",
        (workspace, id_or_code),
    )?;
    if by_id > 0 {
        return Ok(true);
    }
    let by_code = tx.run(
        "DELETE FROM discount_codes WHERE workspace = ? AND code_fold = ?",
        (workspace, fold(id_or_code)),
    )?;
    Ok(by_code > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{creator, fixture, link, order};
    use crate::domain::attribution::{CodeEvidence, CodeKind, Evidence};

    fn code(code: &str, workspace: WorkspaceNo, creator: CreatorNo) -> DiscountCode {
        DiscountCode {
            id: format!("dcode_{code}_{}", workspace.0),
            workspace,
            code: code.to_owned(),
            creator,
            link: None,
            created_at: Timestamp(1),
            leak: None,
            is_trusted: false,
        }
    }

    #[test]
    fn codes_are_one_in_any_letter_case() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let mia = creator::insert(tx, fixture::creator("Mia", ours))?.no;
            let ben = creator::insert(tx, fixture::creator("Ben", ours))?.no;
            let eva = creator::insert(tx, fixture::creator("Eva", theirs))?.no;
            let first = code("Mia10", ours, mia);
            insert(tx, &first)?;
            insert(tx, &code("MIA10", theirs, eva))?;
            insert(tx, &code("BEN", ours, ben))?;
            assert_eq!(
                insert(tx, &code("MIA10", ours, ben)),
                Err(Error::Conflict { what: "code" })
            );
            assert_eq!(by_code(tx, ours, " mia10 ")?.as_ref(), Some(&first));
            assert_eq!(by_code(tx, theirs, "ben")?, None);
            assert_eq!(by_id(tx, ours, &first.id)?.as_ref(), Some(&first));
            assert_eq!(by_id(tx, theirs, &first.id)?, None);

            let page = Page::Number { number: 1, size: 10 };
            assert_eq!(list(tx, ours, None, &page)?.len(), 2);
            assert_eq!(list(tx, ours, Some(mia), &page)?, std::slice::from_ref(&first));
            assert_eq!(list(tx, theirs, Some(mia), &page)?, []);

            assert!(set_leak(tx, ours, &first.id, Some(LeakSignal::Reported), false)?);
            assert!(!set_leak(tx, theirs, &first.id, None, true)?);
            assert_eq!(
                by_id(tx, ours, &first.id)?.and_then(|code| code.leak),
                Some(LeakSignal::Reported)
            );
            assert!(!delete(tx, theirs, &first.id)?);
            assert!(delete(tx, ours, &first.id)?);
            assert!(delete(tx, ours, "ben")?);
            assert!(!delete(tx, ours, "ben")?);
            assert!(by_code(tx, theirs, "mia10")?.is_some());
            Ok(())
        });
    }

    #[test]
    fn a_code_outlives_its_link() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            let mia = creator::insert(tx, fixture::creator("Mia", ours))?.no;
            let link = link::insert(tx, &fixture::link("mia", ours))?.no;
            insert(
                tx,
                &DiscountCode {
                    link: Some(link),
                    ..code("MIA", ours, mia)
                },
            )?;
            assert_eq!(by_code(tx, ours, "mia")?.map(|code| code.link), Some(Some(link)));
            assert!(link::delete(tx, link)?);
            assert_eq!(by_code(tx, ours, "mia")?.map(|code| code.link), Some(None));
            Ok(())
        });
    }

    #[test]
    fn orders_are_counted_by_the_first_code_that_is_ours() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", ours)?;
            let mia = creator::insert(tx, fixture::creator("Mia", ours))?.no;
            for (id, text, at, is_ours) in [
                ("1", "MIA10", 100, true),
                ("2", "SPRING", 100, false),
                ("3", "mia10", 100, true),
                ("4", "MIA10", 50, true),
            ] {
                let mut told = fixture::order(id, ours, store);
                told.snapshot.codes = vec![text.to_owned()];
                told.snapshot.ordered_at = Timestamp(at);
                let shown = is_ours.then(|| CodeEvidence {
                    code: text.to_owned(),
                    creator: mia,
                    link: None,
                    kind: CodeKind::Creator,
                    given_on: None,
                    leaks: Vec::new(),
                });
                let evidence = Evidence {
                    codes: shown.into_iter().collect(),
                    ..Evidence::default()
                };
                order::put(tx, &told, &evidence, Timestamp(1))?;
            }
            let counted = orders_by_code(tx, ours, Timestamp(60))?;
            assert_eq!(counted, [("MIA10".to_owned(), 1), ("mia10".to_owned(), 1)]);
            Ok(())
        });
    }
}
