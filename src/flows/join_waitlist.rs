//! Followers join the waiting list of a link whose products are gone, and are erased when they or the brand want it.
//!
//! Whoever is on the list already is told the same, so that nobody can ask who is. Nobody is written to from here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::context::Context;
use super::error::Error;
use crate::books::{self, Tx};
use crate::domain::email;
use crate::domain::id::{LinkNo, StoreNo, WorkspaceNo};
use crate::domain::waitlist::{ENTRIES_PER_LINK_MAX, WaitlistEntry};

/// Links whose entries are counted in memory: about 200 KB. More, and all are counted again when they are next joined.
const LINKS_COUNTED_MAX: usize = 10_000;

/// What a follower sent, checked for form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub workspace: WorkspaceNo,
    pub store: StoreNo,
    pub link: LinkNo,
    /// As [`email::parse`] spells it.
    pub email: String,
    /// The sentence that was agreed to.
    pub consent: String,
    /// Language of the page (BCP 47).
    pub language: &'static str,
    pub skus: Vec<String>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    Added,
    /// The address was on the list.
    Known,
    /// The list has [`ENTRIES_PER_LINK_MAX`] entries.
    Full,
}

/// What became of everything that was posted, for `/metrics`.
#[derive(Debug, Default)]
pub struct Tally {
    pub added: AtomicU64,
    pub known: AtomicU64,
    /// A list had no room.
    pub full: AtomicU64,
    /// No address, no consent, an old or made-up page, or a link that is gone.
    pub refused: AtomicU64,
    /// Too many from one network.
    pub throttled: AtomicU64,
    /// Too much at once, or the books cannot be written.
    pub unavailable: AtomicU64,
}

/// How many entries each link has, so that a full list is not read again for every follower of a spike; and the tally.
#[derive(Debug, Default)]
pub(super) struct Lists {
    counts: Mutex<HashMap<LinkNo, u64>>,
    pub tally: Arc<Tally>,
}

impl Lists {
    fn known_count(&self, link: LinkNo) -> Option<u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&link).copied()
    }

    fn remember(&self, link: LinkNo, count: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= LINKS_COUNTED_MAX && !counts.contains_key(&link) {
            counts.clear();
        }
        counts.insert(link, count);
    }

    fn forget(&self) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Puts an address on a link's list; durable when it returns.
///
/// # Errors
/// [`Error::NotFound`] when the link was deleted meanwhile.
pub async fn join(context: &Context, request: Request) -> Result<Joined, Error> {
    let entry = WaitlistEntry {
        id: context.new_id("wl_"),
        workspace: request.workspace,
        store: request.store,
        link: request.link,
        email: request.email,
        consent: request.consent,
        language: request.language.to_owned(),
        skus: request.skus,
        created_at: context.inner.clock.now(),
    };
    let inner = Arc::clone(&context.inner);
    let joined = context
        .inner
        .books
        .commit(move |tx| enter(tx, &inner.lists, &entry))
        .await;
    let tally = &context.inner.lists.tally;
    let counter = match &joined {
        Ok(Joined::Added) => &tally.added,
        Ok(Joined::Known) => &tally.known,
        Ok(Joined::Full) => &tally.full,
        Err(Error::NotFound { .. }) => &tally.refused,
        Err(_) => &tally.unavailable,
    };
    counter.fetch_add(1, Ordering::Relaxed);
    joined
}

/// The decision, on the books' one writing thread. Should the commit fail after it, the count in memory is one too
/// many until the next erasure or start: a list then ends one entry early.
fn enter(tx: &Tx<'_>, lists: &Lists, entry: &WaitlistEntry) -> Result<Joined, Error> {
    if books::link::by_no(tx, entry.link)?.is_none_or(|link| link.workspace != entry.workspace) {
        return Err(Error::NotFound { what: "link" });
    }
    let count = match lists.known_count(entry.link) {
        Some(count) => count,
        None => books::waitlist::count_of_link(tx, entry.link)?,
    };
    if count >= ENTRIES_PER_LINK_MAX && !books::waitlist::is_listed(tx, entry.link, &entry.email)? {
        return Ok(Joined::Full);
    }
    let is_added = books::waitlist::insert(tx, entry)?;
    lists.remember(entry.link, count + u64::from(is_added));
    Ok(if is_added { Joined::Added } else { Joined::Known })
}

/// Whose entries are erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erased {
    /// Every entry of this address in the workspace.
    Email(String),
    /// The entry with this public id.
    Id(String),
}

/// Erases entries of a workspace; how many there were. Gone from the file when it returns, and from its log once that
/// is folded in.
///
/// # Errors
/// [`Error::Invalid`] for what is no address; [`Error::NotFound`] for an id that is not the workspace's.
pub async fn erase(context: &Context, workspace: WorkspaceNo, erased: Erased) -> Result<usize, Error> {
    let erased = match erased {
        Erased::Email(text) => {
            Erased::Email(email::parse(&text).ok_or_else(|| Error::invalid("email", "must be an e-mail address"))?)
        }
        id => id,
    };
    let inner = Arc::clone(&context.inner);
    let work = context.inner.books.commit(move |tx| {
        inner.lists.forget();
        match erased {
            Erased::Email(email) => Ok(books::waitlist::erase_email(tx, workspace, &email)?),
            Erased::Id(id) => match books::waitlist::erase_id(tx, workspace, &id)? {
                0 => Err(Error::NotFound {
                    what: "waiting-list entry",
                }),
                count => Ok(count),
            },
        }
    });
    work.await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{Books, Options};
    use crate::domain::id::DomainNo;
    use crate::domain::link::LinkTerms;
    use crate::domain::store::{Permalink, Provider, Store, StoreLook};
    use crate::domain::time::Timestamp;

    fn entry(id: &str, link: LinkNo, email: &str) -> WaitlistEntry {
        WaitlistEntry {
            id: id.to_owned(),
            workspace: WorkspaceNo(1),
            store: StoreNo(1),
            link,
            email: email.to_owned(),
            consent: "Yes.".to_owned(),
            language: "en".to_owned(),
            skus: vec![],
            created_at: Timestamp(1),
        }
    }

    /// A workspace with a store and a link, which is returned.
    fn ground(tx: &Tx<'_>) -> Result<LinkNo, Error> {
        let workspace = books::workspace::insert(tx, "ws_a", "a", Timestamp(1))?;
        let store = Store {
            no: StoreNo(0),
            id: "store_a".to_owned(),
            workspace,
            name: "A".to_owned(),
            provider: Provider::Shopify,
            base_url: "https://shop.test/".to_owned(),
            currency: "EUR".to_owned(),
            permalink: Permalink::default(),
            look: StoreLook::default(),
            ucp_endpoint: None,
            returns_click_ids: false,
            created_at: Timestamp(1),
        };
        assert_eq!(
            (workspace, books::store::insert(tx, store, &[])?.no),
            (WorkspaceNo(1), StoreNo(1))
        );
        let link = books::link::NewLink {
            id: "link_a".to_owned(),
            workspace,
            domain: DomainNo::DEFAULT,
            slug: "a".to_owned(),
            is_exact: false,
            terms: LinkTerms::default(),
            created_at: Timestamp(1),
        };
        Ok(books::link::insert(tx, &link)?.no)
    }

    #[test]
    fn a_full_list_takes_nobody_but_thanks_those_who_are_on_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let books = Books::open(Options::at(directory.path().join("books.sqlite"))).expect("books");
        let done = books.commit_blocking(|tx| {
            let link = ground(tx)?;
            let lists = Lists::default();
            assert_eq!(enter(tx, &lists, &entry("1", link, "a@shop.test"))?, Joined::Added);
            assert_eq!(enter(tx, &lists, &entry("2", link, "A@shop.test"))?, Joined::Known);
            assert_eq!(lists.known_count(link), Some(1));
            lists.remember(link, ENTRIES_PER_LINK_MAX - 1);
            assert_eq!(enter(tx, &lists, &entry("3", link, "b@shop.test"))?, Joined::Added);
            assert_eq!(enter(tx, &lists, &entry("4", link, "c@shop.test"))?, Joined::Full);
            assert_eq!(enter(tx, &lists, &entry("5", link, "B@shop.test"))?, Joined::Known);
            assert_eq!(books::waitlist::count_of_link(tx, link)?, 2);
            // Counted again, there is room.
            lists.forget();
            assert_eq!(enter(tx, &lists, &entry("6", link, "c@shop.test"))?, Joined::Added);
            assert_eq!(lists.known_count(link), Some(3));
            Ok::<_, Error>(())
        });
        done.expect("the test's transaction");
    }

    #[test]
    fn a_link_that_is_gone_or_somebody_elses_has_no_list() {
        let directory = tempfile::tempdir().expect("a directory");
        let books = Books::open(Options::at(directory.path().join("books.sqlite"))).expect("books");
        let done = books.commit_blocking(|tx| {
            let link = ground(tx)?;
            let stranger = WaitlistEntry {
                workspace: WorkspaceNo(2),
                ..entry("1", link, "a@shop.test")
            };
            for entry in [stranger, entry("2", LinkNo(99), "a@shop.test")] {
                let refused = enter(tx, &Lists::default(), &entry);
                assert!(matches!(refused, Err(Error::NotFound { what: "link" })), "{refused:?}");
            }
            assert_eq!(books::waitlist::count_of_link(tx, link)?, 0);
            Ok::<_, Error>(())
        });
        done.expect("the test's transaction");
    }

    #[test]
    fn counts_in_memory_are_bounded() {
        let lists = Lists::default();
        for no in 0..=LINKS_COUNTED_MAX {
            lists.remember(LinkNo(no as u32), 1);
        }
        assert_eq!(lists.known_count(LinkNo(0)), None);
        assert_eq!(lists.known_count(LinkNo(LINKS_COUNTED_MAX as u32)), Some(1));
    }
}
