//! Totals of neighbouring links in one value: what a checkpoint of clicks on many links writes once for sixty-four.
//!
//! Body: through; 0 or 1 + signed ms of the page's latest click by a person; then for each link with clicks, in order: a
//! byte, its place in the page (0 to 63) and, in the top bit, whether a person ever followed it; counts; uses; and, with
//! that bit, how many ms before the page's latest that was. Clicks without details are never in it (see `apply`): no
//! block could tell them again.

use crate::domain::id::LinkNo;
use crate::domain::time::Timestamp;

use super::bytes::{Damaged, Source, put_number};
use super::value::{Totals, counts, instant, put_counts, put_instant};

/// Links of a page: with the largest numbers in each of them it stays below 8 KiB.
pub(super) const LINKS: u32 = 64;
const HAS_PERSON: u8 = 0x80;

/// The page that `link` is in.
pub(super) fn number(link: LinkNo) -> u32 {
    link.0 / LINKS
}

/// The totals of a page's links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TotalPage {
    /// Index of the last journal frame that is in it.
    pub(super) through: u64,
    of: Vec<Totals>,
}

impl Default for TotalPage {
    fn default() -> Self {
        Self {
            through: 0,
            of: vec![Totals::default(); LINKS as usize],
        }
    }
}

impl TotalPage {
    /// The totals of `link`, which must be of this page.
    pub(super) fn of(&mut self, link: LinkNo) -> &mut Totals {
        &mut self.of[(link.0 % LINKS) as usize]
    }

    /// The links of page number `page` that were ever followed, in order.
    pub(super) fn links(&self, page: u32) -> impl Iterator<Item = (LinkNo, &Totals)> {
        let links = (0..).zip(&self.of).filter(|(_, totals)| **totals != Totals::default());
        links.map(move |(place, totals)| (LinkNo(page.wrapping_mul(LINKS).wrapping_add(place)), totals))
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let latest = self.of.iter().filter_map(|totals| totals.last_human_at).max();
        let mut out = Vec::with_capacity(16 * LINKS as usize);
        put_number(&mut out, self.through);
        put_instant(&mut out, latest);
        for (link, totals) in self.links(0) {
            let has_person = if totals.last_human_at.is_some() { HAS_PERSON } else { 0 };
            out.push(link.0 as u8 | has_person);
            put_counts(&mut out, &totals.counts);
            put_number(&mut out, totals.uses);
            if let (Some(latest), Some(at)) = (latest, totals.last_human_at) {
                put_number(&mut out, latest.0.wrapping_sub(at.0) as u64);
            }
        }
        out
    }

    pub(super) fn read(body: &[u8]) -> Result<Self, Damaged> {
        let mut source = Source(body);
        let mut page = Self {
            through: source.number()?,
            ..Self::default()
        };
        let latest = instant(&mut source)?;
        let mut next = 0;
        while !source.0.is_empty() {
            let byte = source.byte()?;
            let place = usize::from(byte & !HAS_PERSON);
            if place < next || place >= LINKS as usize {
                return Err(Damaged("links of a page of totals are out of order"));
            }
            next = place + 1;
            page.of[place] = Totals {
                counts: counts(&mut source)?,
                uses: source.number()?,
                last_human_at: match byte & HAS_PERSON {
                    0 => None,
                    _ => Some(before(latest, source.number()?)?),
                },
            };
        }
        Ok(page)
    }
}

fn before(latest: Option<Timestamp>, ms: u64) -> Result<Timestamp, Damaged> {
    let latest = latest.ok_or(Damaged("a page of totals has no latest instant"))?;
    Ok(Timestamp(latest.0.wrapping_sub(ms as i64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::block::VALUE_MAX;
    use crate::clicklog::value::Counts;
    use proptest::prelude::*;

    fn some_totals() -> impl Strategy<Value = Totals> {
        (any::<Counts>(), any::<u64>(), any::<Option<i64>>()).prop_map(|(counts, uses, at)| Totals {
            counts,
            uses,
            last_human_at: at.map(Timestamp),
        })
    }

    proptest! {
        #[test]
        fn pages_round_trip(through: u64, of in proptest::collection::btree_map(0..LINKS, some_totals(), 0..=64)) {
            let mut page = TotalPage { through, ..TotalPage::default() };
            for (link, totals) in &of {
                *page.of(LinkNo(7 * LINKS + link)) = *totals;
            }
            prop_assert_eq!(TotalPage::read(&page.body()), Ok(page.clone()));
            let told: Vec<(u32, Totals)> = page.links(7).map(|(link, totals)| (link.0 - 7 * LINKS, *totals)).collect();
            let expected: Vec<_> = of.into_iter().filter(|(_, totals)| *totals != Totals::default()).collect();
            prop_assert_eq!(told, expected);
        }

        #[test]
        fn no_bytes_panic(body: Vec<u8>) {
            if let Ok(page) = TotalPage::read(&body) {
                prop_assert_eq!(TotalPage::read(&page.body()), Ok(page));
            }
        }
    }

    #[test]
    fn the_largest_page_fits_a_value() {
        let mut page = TotalPage {
            through: u64::MAX,
            ..TotalPage::default()
        };
        for link in 0..LINKS {
            *page.of(LinkNo(link)) = Totals {
                counts: [u64::MAX; 8],
                uses: u64::MAX,
                last_human_at: Some(Timestamp(if link == 0 { i64::MAX } else { i64::MIN })),
            };
        }
        assert!(page.body().len() < VALUE_MAX, "{}", page.body().len());
    }
}
