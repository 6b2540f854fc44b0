//! Facets: the clicks of one unit of time counted by each dimension on its own, so that reports need not read clicks.
//!
//! A link has facets for each UTC day, a workspace for each UTC hour. Body of the value: through, as in `value`; then
//! for each of [`FACETS`], in order: a number, 0 = not kept, else 1 + the length of what follows; then for each key, in
//! order, its text and its counts by class, as in `value`. Keys are short: a country's code, the stored number of a device,
//! browser or system, `qr` or nothing, a referrer's host, a UTM value, an area (`US-CA`, or `US` where the region is not
//! known); nothing = unknown. Areas, the last, are left out where they are the countries: no region is known then, as of
//! all clicks of version 1.
//!
//! A value stays within [`FACETS_MAX`]. Where there are too many distinct keys, the longest dimension is **not kept** for
//! that unit, and questions about it read the clicks themselves: slower, never wrong. Clicks whose details were lost
//! are in no facet.

use crate::domain::click::ClickClass;

use super::bytes::{Damaged, Source, put_number};
use super::dimension::{BY_AREA, BY_COUNTRY, FACETS};
use super::value::{Counts, add, counts, put_counts};

/// Longest value, in bytes: sled copies a page for each change.
pub(super) const FACETS_MAX: usize = 4096;
/// Most keys of a dimension: more fit no value, and finding the place of each would take long. Three bytes are the least
/// that a key takes.
const KEYS_MAX: usize = FACETS_MAX / 3;
/// Version byte and checksum around the body.
const SEAL: usize = 5;

/// One dimension: its keys, in order, and their counts; `None` = not kept.
pub(super) type Facet<'a> = Option<Vec<(&'a [u8], Counts)>>;

/// Borrows its keys from where they were counted or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facets<'a> {
    pub(super) through: u64,
    of: [Facet<'a>; FACETS.len()],
}

impl<'a> Facets<'a> {
    pub(super) fn new() -> Self {
        Self {
            through: 0,
            of: std::array::from_fn(|_| Some(Vec::new())),
        }
    }

    /// No dimension is kept.
    pub(super) fn not_kept() -> Self {
        Self {
            through: 0,
            of: std::array::from_fn(|_| None),
        }
    }

    /// Adds clicks that have `key` in dimension number `facet`.
    pub(super) fn add(&mut self, facet: usize, key: &'a [u8], more: &Counts) {
        let Some(keys) = &mut self.of[facet] else { return };
        match keys.binary_search_by_key(&key, |(known, _)| *known) {
            Ok(place) => add(&mut keys[place].1, more),
            Err(_) if keys.len() == KEYS_MAX => self.of[facet] = None,
            Err(place) => keys.insert(place, (key, *more)),
        }
    }

    /// Counts one click of `class` under `key` in the place of `before`. Does nothing when it was not counted.
    pub(super) fn rename(&mut self, facet: usize, before: &[u8], key: &'a [u8], class: ClickClass) {
        let Some(keys) = &mut self.of[facet] else { return };
        let Ok(place) = keys.binary_search_by_key(&before, |(known, _)| *known) else {
            return;
        };
        let counts = &mut keys[place].1;
        if counts[class as usize] == 0 {
            return;
        }
        counts[class as usize] -= 1;
        if *counts == Counts::default() {
            keys.remove(place);
        }
        let mut one = Counts::default();
        one[class as usize] = 1;
        self.add(facet, key, &one);
    }

    /// The body, within bounds: gives up the longest dimensions until it fits.
    pub(super) fn body(&mut self) -> Vec<u8> {
        let is_without_regions = self.of[BY_AREA] == self.of[BY_COUNTRY];
        let written = if is_without_regions { BY_AREA } else { FACETS.len() };
        let written = self.of[..written].iter();
        let mut parts: Vec<Option<Vec<u8>>> = written.map(|facet| facet.as_deref().map(part)).collect();
        let length = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        // Ten bytes for `through`, three for the length of each part.
        let room = FACETS_MAX - SEAL - 10 - 3 * FACETS.len();
        while parts.iter().map(length).sum::<usize>() > room {
            let longest = (0..parts.len()).max_by_key(|place| length(&parts[*place])).unwrap_or(0);
            parts[longest] = None;
            self.of[longest] = None;
        }
        if is_without_regions {
            self.of[BY_AREA] = self.of[BY_COUNTRY].clone();
        }
        let mut out = Vec::with_capacity(FACETS_MAX);
        put_number(&mut out, self.through);
        for part in parts {
            match part {
                Some(part) => {
                    put_number(&mut out, part.len() as u64 + 1);
                    out.extend_from_slice(&part);
                }
                None => put_number(&mut out, 0),
            }
        }
        out
    }

    pub(super) fn read(body: &'a [u8]) -> Result<Self, Damaged> {
        let mut source = Source(body);
        let mut facets = Self::new();
        facets.through = source.number()?;
        for place in 0..FACETS.len() {
            facets.of[place] = match place == BY_AREA && source.0.is_empty() {
                true => facets.of[BY_COUNTRY].clone(),
                false => read_part(&mut source)?.map(keys_of).transpose()?,
            };
        }
        Ok(facets)
    }

    /// Dimension number `facet` of the body alone, and through which frame it counts.
    pub(super) fn read_one(body: &'a [u8], facet: usize) -> Result<(u64, Facet<'a>), Damaged> {
        let mut source = Source(body);
        let through = source.number()?;
        let mut country = None;
        for place in 0..facet {
            let part = read_part(&mut source)?;
            country = if place == BY_COUNTRY { part } else { country };
        }
        if facet == BY_AREA && source.0.is_empty() {
            return Ok((through, country.map(keys_of).transpose()?));
        }
        let keys = read_part(&mut source)?.map(keys_of).transpose()?;
        Ok((through, keys))
    }
}

fn part(keys: &[(&[u8], Counts)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, counts) in keys {
        put_number(&mut out, key.len() as u64);
        out.extend_from_slice(key);
        put_counts(&mut out, counts);
    }
    out
}

/// The next dimension's bytes; a dimension that came after the value was written is not kept.
fn read_part<'a>(source: &mut Source<'a>) -> Result<Option<&'a [u8]>, Damaged> {
    if source.0.is_empty() {
        return Ok(None);
    }
    match source.count(FACETS_MAX)? {
        0 => Ok(None),
        length => source.take(length - 1).map(Some),
    }
}

fn keys_of(part: &[u8]) -> Result<Vec<(&[u8], Counts)>, Damaged> {
    let mut source = Source(part);
    let mut keys = Vec::new();
    while !source.0.is_empty() {
        let length = source.count(FACETS_MAX)?;
        let key = source.take(length)?;
        if keys.last().is_some_and(|(before, _)| *before >= key) {
            return Err(Damaged("keys of facets are out of order"));
        }
        keys.push((key, counts(&mut source)?));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::click::CLASSES;
    use proptest::prelude::*;

    type Entries = Vec<(usize, String, [u32; CLASSES])>;

    fn some_entries() -> impl Strategy<Value = Entries> {
        proptest::collection::vec((0..FACETS.len(), "[a-z]{0,40}", any::<[u32; CLASSES]>()), 0..60)
    }

    proptest! {
        #[test]
        fn facets_round_trip_whole_and_one_by_one(entries in some_entries(), through: u64) {
            let mut facets = Facets::new();
            facets.through = through;
            for (facet, key, counts) in &entries {
                facets.add(*facet, key.as_bytes(), &counts.map(u64::from));
            }
            let body = facets.body();
            prop_assert!(body.len() + SEAL <= FACETS_MAX);
            prop_assert_eq!(Facets::read(&body), Ok(facets.clone()));
            for (place, facet) in facets.of.iter().enumerate() {
                prop_assert_eq!(&Facets::read_one(&body, place), &Ok((through, facet.clone())));
            }
        }

        #[test]
        fn no_bytes_panic(body: Vec<u8>, facet in 0..FACETS.len()) {
            let whole = Facets::read(&body);
            let one = Facets::read_one(&body, facet);
            prop_assert!(one.is_ok() || whole.is_err());
        }
    }

    #[test]
    fn areas_take_room_only_where_a_region_is_known() {
        let facets = |areas: &[&'static str]| {
            let mut facets = Facets::new();
            for area in areas {
                facets.add(BY_COUNTRY, &area.as_bytes()[..2], &[1; CLASSES]);
                facets.add(BY_AREA, area.as_bytes(), &[1; CLASSES]);
            }
            facets
        };
        let mut bare = facets(&["DE", "US"]);
        let body = bare.body();
        // As version 1 wrote it: eleven dimensions, ten of them empty.
        let own: usize = [1, 1, 2 * (1 + 2 + 1 + CLASSES), FACETS.len() - 2].into_iter().sum();
        assert_eq!(body.len(), own);
        assert_eq!(Facets::read_one(&body, BY_AREA), Facets::read_one(&body, BY_COUNTRY));
        // A region that comes later is told from those of before.
        let mut sum = Facets::read(&body).expect("own bytes");
        sum.add(BY_COUNTRY, b"US", &[1; CLASSES]);
        sum.add(BY_AREA, b"US-CA", &[1; CLASSES]);
        let body = sum.body();
        let areas = Facets::read_one(&body, BY_AREA).expect("own bytes").1.expect("kept");
        let areas: Vec<&[u8]> = areas.into_iter().map(|(key, _)| key).collect();
        assert_eq!(areas, [&b"DE"[..], b"US", b"US-CA"]);
    }

    #[test]
    fn no_dimension_grows_past_what_fits() {
        let keys: Vec<String> = (0..KEYS_MAX + 2).map(|n| format!("{n:x}")).collect();
        let mut facets = Facets::new();
        for key in &keys {
            facets.add(9, key.as_bytes(), &[1; CLASSES]);
        }
        assert_eq!(facets.of[9], None);
        let (key, counts) = (b"a", [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            part(&[(&key[..0], counts)]).len() * KEYS_MAX,
            FACETS_MAX - FACETS_MAX % 3
        );
    }

    #[test]
    fn too_many_keys_give_up_the_longest_dimension_alone() {
        let terms: Vec<String> = (0..300).map(|n| format!("term number {n}")).collect();
        let mut facets = Facets::new();
        facets.add(0, b"DE", &[1; CLASSES]);
        for term in &terms {
            facets.add(9, term.as_bytes(), &[1; CLASSES]);
        }
        let body = facets.body();
        let read = |facet| Facets::read_one(&body, facet).expect("own bytes").1;
        assert_eq!(read(0), Some(vec![(&b"DE"[..], [1; CLASSES])]));
        assert_eq!(read(9), None);
        // Once given up, it stays so: what is added later would be a part only.
        let mut later = Facets::read(&body).expect("own bytes");
        later.add(9, b"term", &[1; CLASSES]);
        assert_eq!(Facets::read_one(&later.body(), 9).expect("own bytes").1, None);
    }
}
