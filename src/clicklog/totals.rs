//! What links were followed in all: their own totals and pages of totals in sled, the backlog, and what is pending.
//!
//! A click with details is in a page, or, if it is older than pages are, in its link's own total; one without is in the
//! latter.

use foldhash::{HashMap, HashMapExt};

use crate::domain::id::LinkNo;

use super::error::QueryError;
use super::key;
use super::pending::{Delta, Snapshot};
use super::store::Store;
use super::total_page::{self, TotalPage};
use super::value::{Totals, add};
use super::waiting::Sums;

/// What is added to totals in sled. After the pending frames were looked at: what is not pending any more waits here.
struct Added {
    /// Links' own totals hold all clicks of frames up to this one.
    pages_since: u64,
    /// A page that holds later frames than this one holds what waits as well.
    since: u64,
    /// Frames up to this one are in pages or wait.
    through: u64,
}

impl Added {
    fn to(store: &Store, sums: &Sums) -> Result<Self, QueryError> {
        Ok(Self {
            pages_since: store.history()?.pages_since.unwrap_or(u64::MAX),
            since: sums.since,
            through: sums.through,
        })
    }

    /// Adds `pending` deltas and their frames' indexes to `totals`, of which links' own hold frames up to `own`, and
    /// pages frames up to `paged`.
    fn add(&self, totals: &mut Totals, pending: impl Iterator<Item = (u64, Delta)>, own: u64, paged: u64) {
        for (index, delta) in pending {
            let is_paged = index > self.pages_since;
            if index > own {
                delta.add_lost_to(totals);
            }
            if index > if is_paged { paged.max(self.through) } else { own } {
                delta.add_detailed_to(totals);
            }
        }
    }
}

fn sum(totals: &mut Totals, more: &Totals) {
    add(&mut totals.counts, &more.counts);
    totals.uses = totals.uses.saturating_add(more.uses);
    totals.last_human_at = totals.last_human_at.max(more.last_human_at);
}

/// The totals of `link` with what is pending.
pub(super) fn of_link(store: &Store, snapshot: &Snapshot, link: LinkNo) -> Result<Totals, QueryError> {
    let mut waiting = Totals::default();
    let added = {
        let sums = snapshot.backlog.read();
        let rows = sums.of_link(link).filter(|row| row.is_paged());
        rows.for_each(|row| row.add_to(&mut waiting));
        Added::to(store, &sums)?
    };
    let (mut totals, own) = match store.get(&key::total(link))? {
        Some(body) => Totals::read(&body)?,
        None => Default::default(),
    };
    let mut paged = 0;
    if let Some(body) = store.get(&key::total_page(total_page::number(link)))? {
        let mut page = TotalPage::read(&body)?;
        sum(&mut totals, page.of(link));
        paged = page.through;
    }
    if paged <= added.since {
        sum(&mut totals, &waiting);
    }
    let frames = snapshot.frames.iter();
    let deltas = frames.flat_map(|frame| frame.deltas_of(link).map(|delta| (frame.index, delta)));
    added.add(&mut totals, deltas, own, paged);
    Ok(totals)
}

/// Hands the totals of every link to `each`.
pub(super) fn each(store: &Store, snapshot: &Snapshot, mut each: impl FnMut(LinkNo, Totals)) -> Result<(), QueryError> {
    let mut all = AllTotals::of(store, snapshot)?;
    let (first, last) = (key::total(LinkNo(0)), key::total(LinkNo(u32::MAX)));
    store.scan::<QueryError>(&first, &last, false, |key, body| {
        let link = LinkNo(key::number(key, 0));
        all.pages_before(total_page::number(link), &mut each)?;
        let own = Totals::read(body)?;
        each(link, all.take(link, own));
        Ok(true)
    })?;
    all.pages_before(u32::MAX, &mut each)?;
    let left: Vec<LinkNo> = all.pending.keys().chain(all.waiting.keys()).copied().collect();
    for link in left {
        if all.pending.contains_key(&link) || all.waiting.contains_key(&link) {
            each(link, all.take(link, Default::default()));
        }
    }
    Ok(())
}

/// Everything that totals are summed up of, besides links' own; what was handed on is taken out.
struct AllTotals<'a> {
    store: &'a Store,
    added: Added,
    pending: HashMap<LinkNo, Vec<(u64, Delta)>>,
    waiting: HashMap<LinkNo, Totals>,
    /// The page that was read last, and its number.
    page: Option<(u32, TotalPage)>,
    /// The next page is this one or a later.
    next: u32,
}

impl<'a> AllTotals<'a> {
    fn of(store: &'a Store, snapshot: &Snapshot) -> Result<Self, QueryError> {
        let mut pending: HashMap<LinkNo, Vec<(u64, Delta)>> = HashMap::new();
        for frame in snapshot.frames.iter() {
            for delta in frame.deltas() {
                pending.entry(delta.link).or_default().push((frame.index, delta));
            }
        }
        let mut waiting: HashMap<LinkNo, Totals> = HashMap::new();
        let sums = snapshot.backlog.read();
        for row in sums.rows.iter().filter(|row| row.is_paged()) {
            row.add_to(waiting.entry(row.link).or_default());
        }
        Ok(Self {
            store,
            added: Added::to(store, &sums)?,
            pending,
            waiting,
            page: None,
            next: 0,
        })
    }

    /// Takes out the totals of `link`, whose own these are with the frame that they go to. Its page, if there is one, was
    /// read last.
    fn take(&mut self, link: LinkNo, (mut totals, own): (Totals, u64)) -> Totals {
        let mut paged = 0;
        if let Some((_, page)) = self.page.as_mut().filter(|(no, _)| *no == total_page::number(link)) {
            sum(&mut totals, &std::mem::take(page.of(link)));
            paged = page.through;
        }
        let waiting = self.waiting.remove(&link);
        if let Some(waiting) = waiting.filter(|_| paged <= self.added.since) {
            sum(&mut totals, &waiting);
        }
        let pending = self.pending.remove(&link).unwrap_or_default();
        self.added.add(&mut totals, pending.into_iter(), own, paged);
        totals
    }

    /// Hands on what is left of pages before number `end`, and reads that page if it is there.
    fn pages_before(&mut self, end: u32, each: &mut impl FnMut(LinkNo, Totals)) -> Result<(), QueryError> {
        loop {
            if let Some((number, page)) = &self.page {
                if *number >= end {
                    return Ok(());
                }
                let links: Vec<LinkNo> = page.links(*number).map(|(link, _)| link).collect();
                for link in links {
                    each(link, self.take(link, Default::default()));
                }
                self.page = None;
            }
            if self.next > end {
                return Ok(());
            }
            let (first, last) = (key::total_page(self.next), key::total_page(end));
            let mut found = None;
            self.store.scan::<QueryError>(&first, &last, false, |key, body| {
                found = Some((key::number(key, 0), TotalPage::read(body)?));
                Ok(false)
            })?;
            match found {
                Some((number, page)) => {
                    self.next = number.saturating_add(1);
                    self.page = Some((number, page));
                }
                None => return Ok(()),
            }
        }
    }
}
