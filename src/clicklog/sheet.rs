//! Sheets: links' days with few clicks, many of them in one value, click by click.
//!
//! A link's day, facets and sketch of its own are three values that cost sled as much as some dozen clicks. Where fewer
//! wait to be written, they go into a sheet instead: a writing makes sheets of its own, each of neighbouring links of one
//! workspace and UTC day, and never looks at those of before. Who asks adds the sheets up, and what links have of their
//! own: each click is in one of them.
//!
//! Body of the value:
//!
//! | bytes | what |
//! |---|---|
//! | four dictionaries | of places, agents, referrers' hosts and UTMs: how many, then each with its length |
//! | number | links |
//! | three numbers a link | how much higher it is than the one before (the first: than that of the key), clicks, visitors |
//! | 2 a click, and up to four numbers | class and, as 8, whether by a QR code; quarter hour of the day; its place in each dictionary that has more than one entry |
//! | 4 a visitor | as a sketch of few notes a visitor, little endian, ascending within a link's |
//!
//! A place is the key of the country after its length, and the area; an agent device, browser and system, a byte each;
//! UTMs are five texts with their lengths. Keys are those of `facets`. Visitors are hashes, as in sketches, and no click
//! says which is its own. Never holds clicks without details.

use std::ops::Range;
use std::sync::Arc;

use crate::domain::click::{Click, ClickFlags};
use crate::domain::id::LinkNo;
use crate::domain::user_agent::UserAgent;

use super::bytes::{Damaged, Source, put_number};
use super::day::QUARTERS;
use super::dimension::{Dimension, FACETS, country_key, host, trigger_key};
use super::tabulate::{OwnTrait, traits_of};

/// Longest body that is begun with, in bytes: with what an erasure may add it stays below what sled keeps in its log.
pub(super) const BODY_MAX: usize = 6 * 1024;
/// Most of anything in one sheet.
const COUNT_MAX: usize = 8 * 1024;
/// Dictionaries of a sheet.
pub(super) const KINDS: usize = 4;
const PLACE: usize = 0;
const AGENT: usize = 1;
const HOST: usize = 2;
const UTM: usize = 3;
const IS_QR: u8 = 8;
const CLASS: u8 = 7;

/// Which dictionary tells each of [`FACETS`]; `None` = the click's first byte does.
const TOLD_BY: [Option<usize>; FACETS.len()] = [
    Some(PLACE),
    Some(AGENT),
    Some(AGENT),
    Some(AGENT),
    None,
    Some(HOST),
    Some(UTM),
    Some(UTM),
    Some(UTM),
    Some(UTM),
    Some(UTM),
    Some(PLACE),
];

/// A click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    mark: u8,
    /// Quarter hour of the day.
    pub(super) quarter: u8,
    /// Places in the dictionaries.
    pub(super) of: [u32; KINDS],
}

impl Entry {
    pub(super) fn new(class: usize, is_qr: bool, quarter: u8, of: [u32; KINDS]) -> Self {
        let mark = class as u8 & CLASS | if is_qr { IS_QR } else { 0 };
        Self { mark, quarter, of }
    }

    pub(super) fn class(&self) -> usize {
        usize::from(self.mark & CLASS)
    }

    pub(super) fn is_qr(&self) -> bool {
        self.mark & IS_QR != 0
    }
}

/// A link's part of a sheet: which of its clicks and visitors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) link: LinkNo,
    pub(super) clicks: Range<usize>,
    pub(super) visitors: Range<usize>,
}

/// Some links' clicks on a day. Borrows its texts from where they were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sheet<'a> {
    pub(super) dictionaries: [Vec<&'a [u8]>; KINDS],
    /// In order.
    pub(super) links: Vec<Part>,
    pub(super) clicks: Vec<Entry>,
    pub(super) visitors: Vec<u32>,
}

impl<'a> Sheet<'a> {
    /// The part of `link`.
    pub(super) fn part(&self, link: LinkNo) -> Option<&Part> {
        let place = self.links.binary_search_by_key(&link, |part| part.link).ok()?;
        Some(&self.links[place])
    }

    /// Puts the entries `is` in the place of `was` in one click of `link` that is of this class and way and quarter hour;
    /// whether there was one.
    pub(super) fn exchange(
        &mut self,
        link: LinkNo,
        (flags, quarter): (ClickFlags, u8),
        was: &[Vec<u8>; KINDS],
        is: &'a [Vec<u8>; KINDS],
    ) -> bool {
        let Some(part) = self.part(link) else { return false };
        let wanted = Entry::new(flags.class() as usize, flags.has(ClickFlags::QR), quarter, [0; KINDS]);
        let is_wanted = |click: &Entry| {
            let of = |kind: usize| self.dictionaries[kind][click.of[kind] as usize];
            (click.mark, click.quarter) == (wanted.mark, wanted.quarter) && (0..KINDS).all(|kind| of(kind) == was[kind])
        };
        let Some(place) = part.clicks.clone().find(|place| is_wanted(&self.clicks[*place])) else {
            return false;
        };
        for (kind, entry) in is.iter().enumerate() {
            let dictionary = &mut self.dictionaries[kind];
            let known = dictionary.iter().position(|known| known == entry);
            let number = known.unwrap_or_else(|| {
                dictionary.push(entry);
                dictionary.len() - 1
            });
            self.clicks[place].of[kind] = number as u32;
        }
        true
    }

    /// The key of `click` in dimension number `facet`.
    pub(super) fn key(&self, click: &Entry, facet: usize) -> &'a [u8] {
        let Some(kind) = TOLD_BY[facet] else {
            return trigger_key(click.is_qr());
        };
        // Checked when it was read.
        let entry = self.dictionaries[kind].get(click.of[kind] as usize);
        entry.map_or(&[], |entry| key(entry, FACETS[facet]))
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BODY_MAX);
        for dictionary in &self.dictionaries {
            put_number(&mut out, dictionary.len() as u64);
            for entry in dictionary {
                put_number(&mut out, entry.len() as u64);
                out.extend_from_slice(entry);
            }
        }
        put_number(&mut out, self.links.len() as u64);
        let mut before = self.links.first().map_or(0, |part| part.link.0);
        for part in &self.links {
            put_number(&mut out, u64::from(part.link.0 - before));
            put_number(&mut out, part.clicks.len() as u64);
            put_number(&mut out, part.visitors.len() as u64);
            before = part.link.0;
        }
        let has_numbers = self.dictionaries.each_ref().map(|dictionary| dictionary.len() > 1);
        for click in &self.clicks {
            out.extend_from_slice(&[click.mark, click.quarter]);
            for kind in (0..KINDS).filter(|kind| has_numbers[*kind]) {
                put_number(&mut out, u64::from(click.of[kind]));
            }
        }
        self.visitors
            .iter()
            .for_each(|visitor| out.extend_from_slice(&visitor.to_le_bytes()));
        out
    }

    /// Reads a sheet whose first link is `first`, as its key says.
    pub(super) fn read(body: &'a [u8], first: LinkNo) -> Result<Self, Damaged> {
        let mut source = Source(body);
        let mut sheet = Self::default();
        for (kind, dictionary) in sheet.dictionaries.iter_mut().enumerate() {
            for _ in 0..source.count(COUNT_MAX)? {
                let length = source.count(source.0.len())?;
                dictionary.push(checked(kind, source.take(length)?)?);
            }
        }
        let (mut link, mut clicks, mut visitors) = (Some(first.0), 0, 0);
        for place in 0..source.count(COUNT_MAX)? {
            let more = source.small()?;
            if place > 0 && more == 0 {
                return Err(Damaged("links of a sheet are out of order"));
            }
            link = link.and_then(|link| link.checked_add(more));
            let of = (source.count(COUNT_MAX)?, source.count(COUNT_MAX)?);
            sheet.links.push(Part {
                link: LinkNo(link.ok_or(Damaged("a link of a sheet does not fit"))?),
                clicks: clicks..clicks + of.0,
                visitors: visitors..visitors + of.1,
            });
            (clicks, visitors) = (clicks + of.0, visitors + of.1);
        }
        if clicks > COUNT_MAX || visitors > COUNT_MAX {
            return Err(Damaged("a sheet is too large"));
        }
        for _ in 0..clicks {
            let click = sheet.read_click(&mut source)?;
            sheet.clicks.push(click);
        }
        for _ in 0..visitors {
            sheet.visitors.push(u32::from_le_bytes(source.array()?));
        }
        source.end()?;
        Ok(sheet)
    }

    fn read_click(&self, source: &mut Source<'_>) -> Result<Entry, Damaged> {
        let [mark, quarter] = source.array()?;
        if mark > IS_QR | CLASS || u32::from(quarter) >= QUARTERS {
            return Err(Damaged("a click of a sheet makes no sense"));
        }
        let mut of = [0; KINDS];
        for (number, dictionary) in of.iter_mut().zip(&self.dictionaries) {
            *number = match dictionary.len() {
                0 => return Err(Damaged("a dictionary of a sheet is empty")),
                1 => 0,
                length => source.count(length - 1)? as u32,
            };
        }
        Ok(Entry { mark, quarter, of })
    }
}

/// `entry` if it is one of dictionary number `kind`.
fn checked(kind: usize, entry: &[u8]) -> Result<&[u8], Damaged> {
    let is_whole = match kind {
        PLACE => entry.first().is_some_and(|length| entry.len() > usize::from(*length)),
        AGENT => entry.len() == 3,
        UTM => utms(entry).is_ok(),
        _ => true,
    };
    if is_whole {
        Ok(entry)
    } else {
        Err(Damaged("an entry of a sheet makes no sense"))
    }
}

fn utms(entry: &[u8]) -> Result<[&[u8]; 5], Damaged> {
    let mut source = Source(entry);
    let mut texts = [&[][..]; 5];
    for text in &mut texts {
        let length = source.count(source.0.len())?;
        *text = source.take(length)?;
    }
    source.end()?;
    Ok(texts)
}

/// The key that a dictionary's `entry` has in dimension `by`.
fn key(entry: &[u8], by: Dimension) -> &[u8] {
    type D = Dimension;
    let country_end = 1 + entry.first().map_or(0, |length| usize::from(*length));
    let part = match by {
        D::Country => entry.get(1..country_end),
        D::Area => entry.get(country_end..),
        D::Device => entry.get(..1),
        D::Browser => entry.get(1..2),
        D::Os => entry.get(2..3),
        D::Referrer => Some(entry),
        _ => utms(entry).ok().map(|texts| texts[by.utm_place()]),
    };
    part.unwrap_or_default()
}

/// The entries of `click` in the dictionaries.
pub(super) fn entries(click: &Click) -> [Vec<u8>; KINDS] {
    let mut entries: [Vec<u8>; KINDS] = Default::default();
    for (kind, bytes) in traits_of(click).iter().filter_map(entry) {
        entries[kind] = bytes;
    }
    entries
}

/// The dictionary that tells a trait, and its entry there; `None` for how it was followed.
pub(super) fn entry(of: &OwnTrait) -> Option<(usize, Vec<u8>)> {
    Some(match of {
        OwnTrait::Place(country, area) => {
            let country = country_key(country);
            let length = country.len() as u8;
            (PLACE, [&[length], country, area.as_bytes()].concat())
        }
        OwnTrait::Agent(agent) => (AGENT, agent_entry(*agent)),
        OwnTrait::Referrer(text) => (HOST, host(text).as_bytes().to_vec()),
        OwnTrait::Utm(texts) => (UTM, utm_entry(texts)),
        OwnTrait::Trigger(_) => return None,
    })
}

fn agent_entry(agent: UserAgent) -> Vec<u8> {
    vec![agent.device as u8, agent.browser as u8, agent.os as u8]
}

fn utm_entry(texts: &Arc<[Box<str>; 5]>) -> Vec<u8> {
    let mut out = Vec::new();
    for text in texts.iter() {
        put_number(&mut out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::samples::any_click;
    use crate::clicklog::tabulate;
    use proptest::prelude::*;

    /// A sheet of `clicks`, all of them taken for one day's; its dictionaries, which must outlive it, are in `entries`.
    fn sheet<'a>(clicks: &[Click], entries: &'a [Vec<[Vec<u8>; KINDS]>]) -> Sheet<'a> {
        let mut sheet = Sheet::default();
        for (link, of_link) in (3..).zip(entries) {
            let start = sheet.clicks.len();
            for entry in of_link {
                let click = &clicks[sheet.clicks.len()];
                let of = std::array::from_fn(|kind| {
                    let dictionary = &mut sheet.dictionaries[kind];
                    let known = dictionary.iter().position(|known| *known == entry[kind]);
                    known.unwrap_or_else(|| {
                        dictionary.push(&entry[kind]);
                        dictionary.len() - 1
                    }) as u32
                });
                let quarter = (click.at.bucket() % QUARTERS) as u8;
                let is_qr = click.flags.has(ClickFlags::QR);
                sheet
                    .clicks
                    .push(Entry::new(click.flags.class() as usize, is_qr, quarter, of));
                sheet.visitors.push(click.visitor as u32);
            }
            sheet.links.push(Part {
                link: LinkNo(link * 5),
                clicks: start..sheet.clicks.len(),
                visitors: start..sheet.clicks.len(),
            });
        }
        sheet
    }

    proptest! {
        #[test]
        fn sheets_round_trip_and_tell_every_key(clicks in proptest::collection::vec(any_click(), 1..40), a_link in 1usize..5) {
            let told: Vec<Vec<[Vec<u8>; KINDS]>> = clicks
                .chunks(a_link)
                .map(|of_link| of_link.iter().map(entries).collect())
                .collect();
            let sheet = sheet(&clicks, &told);
            let body = sheet.body();
            let read = Sheet::read(&body, LinkNo(15));
            prop_assert_eq!(&read, &Ok(sheet));
            let read = read.expect("compared");
            for (click, entry) in clicks.iter().zip(&read.clicks) {
                prop_assert_eq!(entry.class(), click.flags.class() as usize);
                for (facet, expected) in tabulate::keys(click).into_iter().enumerate() {
                    prop_assert_eq!(read.key(entry, facet), expected);
                }
            }
        }

        #[test]
        fn no_bytes_panic(body: Vec<u8>, first: u32) {
            if let Ok(sheet) = Sheet::read(&body, LinkNo(first)) {
                for click in &sheet.clicks {
                    (0..FACETS.len()).for_each(|facet| drop(sheet.key(click, facet).to_vec()));
                }
                prop_assert!(Sheet::read(&sheet.body(), LinkNo(first)).is_ok());
            }
        }
    }

    #[test]
    fn one_click_like_another_is_exchanged_for_it() {
        let of = |n: u8| Click {
            utm: Arc::new(["", "", "", "", ["a", "b"][usize::from(n)]].map(Into::into)),
            ..Click::default()
        };
        let clicks = [of(0), of(0), of(1)];
        let told: Vec<Vec<[Vec<u8>; KINDS]>> = vec![clicks.iter().map(entries).collect()];
        let mut sheet = sheet(&clicks, &told);
        let (was, is) = (entries(&of(0)), entries(&of(1)));
        let how = |quarter| (ClickFlags::default(), quarter);
        assert!(!sheet.exchange(LinkNo(16), how(0), &was, &is), "no such link");
        assert!(!sheet.exchange(LinkNo(15), how(1), &was, &is), "no such quarter hour");
        let found = (0..3).filter(|_| sheet.exchange(LinkNo(15), how(0), &was, &is)).count();
        assert_eq!(found, 2);
        let body = sheet.body();
        let read = Sheet::read(&body, LinkNo(15)).expect("own bytes");
        assert!(read.clicks.iter().all(|click| read.key(click, 10) == b"b"));
    }
}
