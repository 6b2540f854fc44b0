//! The waiting lists: an address is on a link's list once, whatever its letter case. What is erased is gone.

use rusqlite::types::Value;

use super::columns::{Columns, Json};
use super::error::Error;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::view::{Tx, View};
use crate::domain::id::{LinkNo, StoreNo, WorkspaceNo};
use crate::domain::waitlist::WaitlistEntry;

const COLUMNS: &str = "id, workspace, store, link, email, consent, language, skus, created_at, \
     (SELECT id FROM links WHERE no = waitlist.link), (SELECT id FROM stores WHERE no = waitlist.store)";

/// Which entries of a workspace; everything that is set must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WaitlistFilter {
    pub link: Option<LinkNo>,
    pub store: Option<StoreNo>,
    /// In any case of ASCII letters.
    pub email: Option<String>,
}

/// An entry with the public ids of what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub entry: WaitlistEntry,
    /// `None` once the link was deleted.
    pub link_id: Option<String>,
    pub store_id: String,
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Listed> {
    let mut columns = Columns::of(row);
    Ok(Listed {
        entry: WaitlistEntry {
            id: columns.next()?,
            workspace: columns.next()?,
            store: columns.next()?,
            link: columns.next()?,
            email: columns.next()?,
            consent: columns.next()?,
            language: columns.next()?,
            skus: columns.next::<Json<_>>()?.0,
            created_at: columns.next()?,
        },
        link_id: columns.next()?,
        store_id: columns.next()?,
    })
}

/// Adds `entry` unless its address is on the link's list; `false` = it was, and nothing is changed.
///
/// # Errors
/// [`Error::Failed`].
pub fn insert(tx: &Tx<'_>, entry: &WaitlistEntry) -> Result<bool, Error> {
    let added = tx.run(
        "INSERT INTO waitlist (id, workspace, store, link, email, consent, language, skus, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (link, email) DO NOTHING",
        (
            &entry.id,
            entry.workspace,
            entry.store,
            entry.link,
            &entry.email,
            &entry.consent,
            &entry.language,
            Json(&entry.skus),
            entry.created_at,
        ),
    )?;
    Ok(added > 0)
}

/// Whether `email` is on the link's list.
///
/// # Errors
/// [`Error::Failed`].
pub fn is_listed(view: &View<'_>, link: LinkNo, email: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM waitlist WHERE link = ? AND email = ?";
    Ok(view.first(sql, (link, email), |_| Ok(()))?.is_some())
}

/// Entries of one link, whoever owns it. Reads all of them: some milliseconds for a full list.
///
/// # Errors
/// [`Error::Failed`].
pub fn count_of_link(view: &View<'_>, link: LinkNo) -> Result<u64, Error> {
    view.count("SELECT count(*) FROM waitlist WHERE link = ?", [link])
}

/// One page of the workspace's entries, newest first.
///
/// # Errors
/// [`Error::NotFound`] on `page` for an unknown id to go on from.
pub fn list(
    view: &View<'_>,
    workspace: WorkspaceNo,
    filter: &WaitlistFilter,
    page: &Page,
) -> Result<Vec<Listed>, Error> {
    let listing = Listing {
        table: "waitlist",
        columns: COLUMNS,
        id: "id",
        sort: "created_at",
        is_ascending: false,
    };
    listing.page(view, conditions(workspace, filter), page, read)
}

/// The number of the workspace's entries that `filter` lets through.
///
/// # Errors
/// [`Error::Failed`].
pub fn count(view: &View<'_>, workspace: WorkspaceNo, filter: &WaitlistFilter) -> Result<u64, Error> {
    let conditions = conditions(workspace, filter);
    let sql = format!("SELECT count(*) FROM waitlist WHERE {}", conditions.sql());
    view.count(&sql, rusqlite::params_from_iter(conditions.values()))
}

fn conditions(workspace: WorkspaceNo, filter: &WaitlistFilter) -> Filter {
    let mut conditions = Filter::of("workspace = ?", workspace.0);
    conditions.and_some("link = ?", filter.link.map(|link| Value::from(link.0)));
    conditions.and_some("store = ?", filter.store.map(|store| Value::from(store.0)));
    conditions.and_some("email = ?", filter.email.clone());
    conditions
}

/// Removes every entry of `email` in the workspace, in any case of ASCII letters; how many there were.
///
/// # Errors
/// [`Error::Failed`].
pub fn erase_email(tx: &Tx<'_>, workspace: WorkspaceNo, email: &str) -> Result<usize, Error> {
    tx.run(
        "DELETE FROM waitlist WHERE workspace = ? AND email = ?",
        (workspace, email),
    )
}

/// Removes the workspace's entry with public id `id`; how many there were.
///
/// # Errors
/// [`Error::Failed`].
pub fn erase_id(tx: &Tx<'_>, workspace: WorkspaceNo, id: &str) -> Result<usize, Error> {
    tx.run("DELETE FROM waitlist WHERE workspace = ? AND id = ?", (workspace, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{fixture, link};
    use crate::domain::time::Timestamp;

    const PAGE: Page = Page::Number { number: 1, size: 50 };

    fn entry(id: &str, workspace: WorkspaceNo, store: StoreNo, link: LinkNo, email: &str) -> WaitlistEntry {
        WaitlistEntry {
            id: format!("wl_{id}"),
            workspace,
            store,
            link,
            email: email.to_owned(),
            consent: "Glow may write to me.".to_owned(),
            language: "en".to_owned(),
            skus: vec!["MUG".to_owned(), "A,\"b\"".to_owned()],
            created_at: Timestamp(5),
        }
    }

    fn ids(listed: &[Listed]) -> Vec<&str> {
        listed.iter().map(|listed| listed.entry.id.as_str()).collect()
    }

    #[test]
    fn an_address_is_on_a_links_list_once() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", ours)?;
            let mia = link::insert(tx, &fixture::link("mia", ours))?;
            let ben = link::insert(tx, &fixture::link("ben", ours))?;
            let first = entry("1", ours, store, mia.no, "Eva@shop.test");
            assert!(insert(tx, &first)?);
            assert!(!insert(tx, &entry("2", ours, store, mia.no, "Eva@shop.test"))?);
            assert!(!insert(tx, &entry("3", ours, store, mia.no, "eVA@shop.test"))?);
            assert!(insert(tx, &entry("4", ours, store, ben.no, "eva@shop.test"))?);
            assert!(is_listed(tx, mia.no, "EVA@shop.test")? && !is_listed(tx, mia.no, "eve@shop.test")?);
            assert_eq!((count_of_link(tx, mia.no)?, count_of_link(tx, LinkNo(99))?), (1, 0));
            let listed = list(
                tx,
                ours,
                &WaitlistFilter {
                    link: Some(mia.no),
                    ..Default::default()
                },
                &PAGE,
            )?;
            let expected = Listed {
                entry: first,
                link_id: Some(mia.id),
                store_id: "store_x".to_owned(),
            };
            assert_eq!(listed, [expected], "the first one stays as it was");
            assert!(link::delete(tx, mia.no)?);
            assert_eq!(list(tx, ours, &WaitlistFilter::default(), &PAGE)?[1].link_id, None);
            Ok(())
        });
    }

    #[test]
    fn lists_are_filtered_and_end_at_the_workspace() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let (x, y, z) = (
                fixture::store(tx, "x", ours)?,
                fixture::store(tx, "y", ours)?,
                fixture::store(tx, "z", theirs)?,
            );
            for (id, workspace, store, link, email) in [
                ("1", ours, x, 1, "a@shop.test"),
                ("2", ours, x, 2, "a@shop.test"),
                ("3", ours, y, 3, "b@shop.test"),
                ("4", theirs, z, 4, "a@shop.test"),
            ] {
                assert!(insert(tx, &entry(id, workspace, store, LinkNo(link), email))?);
            }
            let email = |email: &str| WaitlistFilter {
                email: Some(email.to_owned()),
                ..Default::default()
            };
            let of_store = |store| WaitlistFilter {
                store: Some(store),
                ..Default::default()
            };
            for (workspace, filter, expected) in [
                (ours, WaitlistFilter::default(), &["wl_3", "wl_2", "wl_1"][..]),
                (ours, email("A@SHOP.test"), &["wl_2", "wl_1"]),
                (ours, of_store(y), &["wl_3"]),
                (ours, of_store(z), &[]),
                (
                    ours,
                    WaitlistFilter {
                        link: Some(LinkNo(2)),
                        ..email("a@shop.test")
                    },
                    &["wl_2"],
                ),
                (theirs, email("a@shop.test"), &["wl_4"]),
                (theirs, email("b@shop.test"), &[]),
            ] {
                assert_eq!(ids(&list(tx, workspace, &filter, &PAGE)?), expected, "{filter:?}");
                assert_eq!(count(tx, workspace, &filter)?, expected.len() as u64, "{filter:?}");
            }
            let after = Page::After {
                id: "wl_3".to_owned(),
                size: 1,
            };
            assert_eq!(ids(&list(tx, ours, &WaitlistFilter::default(), &after)?), ["wl_2"]);
            let of_others = Page::After {
                id: "wl_4".to_owned(),
                size: 1,
            };
            assert_eq!(
                list(tx, ours, &WaitlistFilter::default(), &of_others),
                Err(Error::NotFound { what: "page" })
            );

            assert_eq!(erase_email(tx, theirs, "b@shop.test")?, 0);
            assert_eq!(erase_id(tx, theirs, "wl_1")?, 0);
            assert_eq!(erase_email(tx, ours, "A@shop.TEST")?, 2);
            assert_eq!(erase_id(tx, ours, "wl_3")?, 1);
            assert_eq!(erase_id(tx, ours, "wl_3")?, 0);
            assert_eq!(count(tx, ours, &WaitlistFilter::default())?, 0);
            assert_eq!(count(tx, theirs, &WaitlistFilter::default())?, 1);
            Ok(())
        });
    }

    #[test]
    fn an_erased_address_is_in_the_file_no_more() {
        let (directory, books) = fixture::open();
        let email = "erased.for.ever@shop.test";
        let is_in_file = || {
            let files = std::fs::read_dir(directory.path()).expect("the directory");
            files
                .map(|file| std::fs::read(file.expect("a file").path()).expect("its bytes"))
                .any(|bytes| bytes.windows(email.len()).any(|window| window == email.as_bytes()))
        };
        let ours = books
            .commit_blocking(move |tx| {
                let ours = fixture::workspace(tx, "a")?;
                let store = fixture::store(tx, "x", ours)?;
                insert(tx, &entry("1", ours, store, LinkNo(1), email))?;
                Ok::<_, Error>(ours)
            })
            .expect("an entry");
        assert!(is_in_file());
        let erased = books.commit_blocking(move |tx| erase_email(tx, ours, email));
        assert_eq!(erased, Ok(1));
        // The last connection that closes folds the log into the file.
        books.close();
        drop(books);
        assert!(!is_in_file());
    }
}
