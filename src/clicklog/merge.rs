//! The clicks of several frames in one order, their values numbered across all of them: what blocks are cut from.
//!
//! Every distinct value is looked up once a frame; cutting and counting then work with numbers alone.

use std::hash::Hash;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::{ClickFlags, Tapped};
use crate::domain::time::Timestamp;
use crate::domain::user_agent::UserAgent;
use crate::domain::visitor::Touch;

use super::columns::{Columns, Mark, Place};
use super::dictionary::{self, Column, address};
use super::encoder::{Rows, put_agent, put_country, put_mark, put_place, put_shared, put_utm};

/// Where a click lies: in which frame, and where in there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) at: Timestamp,
    pub(super) sequence: u64,
    part: u32,
    row: u32,
}

/// Values of a column, numbered across all frames in order of first use.
#[derive(Debug)]
pub(super) struct Numbered<'f, T> {
    pub(super) values: Vec<&'f T>,
    /// For each frame, the numbers of its values.
    of_part: Vec<Vec<u32>>,
}

impl<'f, T> Numbered<'f, T> {
    fn new(
        columns: impl Iterator<Item = &'f Column<T>>,
        mut number: impl FnMut(&'f T, &mut Vec<&'f T>) -> u32,
    ) -> Self {
        let mut values = Vec::new();
        let of_part = columns
            .map(|column| column.values.iter().map(|value| number(value, &mut values)).collect())
            .collect();
        Self { values, of_part }
    }

    /// Of values that are cheap to compare.
    fn of_small(columns: impl Iterator<Item = &'f Column<T>>) -> Self
    where
        T: Copy + Eq + Hash,
    {
        let mut known: HashMap<T, u32> = HashMap::new();
        Self::new(columns, |value, values| {
            *known.entry(*value).or_insert_with(|| add(values, value))
        })
    }
}

impl<'f, T: ?Sized + Eq + Hash> Numbered<'f, Arc<T>> {
    /// Of values that frames share: who has the same one was looked at already.
    fn of_shared(columns: impl Iterator<Item = &'f Column<Arc<T>>>) -> Self {
        let mut of_address: HashMap<usize, u32> = HashMap::new();
        let mut known: HashMap<&T, u32> = HashMap::new();
        Self::new(columns, |value, values| {
            let number = of_address.entry(address(value));
            *number.or_insert_with(|| *known.entry(value).or_insert_with(|| add(values, value)))
        })
    }
}

fn add<'f, T>(values: &mut Vec<&'f T>, value: &'f T) -> u32 {
    values.push(value);
    values.len() as u32 - 1
}

/// The clicks of some frames, in order of their instants, then their sequences.
pub(super) struct Merged<'f> {
    parts: Vec<&'f Columns>,
    pub(super) spots: Vec<Spot>,
    pub(super) place: Numbered<'f, Place>,
    pub(super) mark: Numbered<'f, Mark>,
    pub(super) country: Numbered<'f, [u8; 2]>,
    pub(super) user_agent: Numbered<'f, UserAgent>,
    pub(super) language: Numbered<'f, Arc<str>>,
    pub(super) referrer: Numbered<'f, Arc<str>>,
    pub(super) utm: Numbered<'f, Arc<[Box<str>; 5]>>,
    pub(super) locality: Numbered<'f, Arc<str>>,
}

/// The numbers of a click's values.
macro_rules! numbers {
    ($($column:ident),*) => {$(
        pub(super) fn $column(&self, spot: &Spot) -> usize {
            let pick = self.parts[spot.part as usize].$column.pick(spot.row as usize);
            self.$column.of_part[spot.part as usize][pick] as usize
        }
    )*};
}

impl<'f> Merged<'f> {
    pub(super) fn of(parts: Vec<&'f Columns>) -> Self {
        let mut spots = Vec::with_capacity(parts.iter().map(|part| part.at.len()).sum());
        for (part, columns) in parts.iter().enumerate() {
            let clicks = columns.at.iter().zip(&columns.sequence).enumerate();
            spots.extend(clicks.map(|(row, (at, sequence))| Spot {
                at: *at,
                sequence: *sequence,
                part: part as u32,
                row: row as u32,
            }));
        }
        spots.sort_unstable_by_key(|spot| (spot.at, spot.sequence));
        let each = || parts.iter().copied();
        Self {
            place: Numbered::of_small(each().map(|part| &part.place)),
            mark: Numbered::of_small(each().map(|part| &part.mark)),
            country: Numbered::of_small(each().map(|part| &part.country)),
            user_agent: Numbered::of_small(each().map(|part| &part.user_agent)),
            language: Numbered::of_shared(each().map(|part| &part.language)),
            referrer: Numbered::of_shared(each().map(|part| &part.referrer)),
            utm: Numbered::of_shared(each().map(|part| &part.utm)),
            locality: Numbered::of_shared(each().map(|part| &part.locality)),
            spots,
            parts,
        }
    }

    numbers!(place, mark, country, user_agent, language, referrer, utm, locality);

    pub(super) fn visitor(&self, spot: &Spot) -> u64 {
        self.parts[spot.part as usize].visitor[spot.row as usize]
    }

    pub(super) fn flags(&self, spot: &Spot) -> ClickFlags {
        self.mark.values[self.mark(spot)].flags
    }
}

/// Numbers of values across frames to numbers in one block, again and again without clearing.
#[derive(Debug, Default)]
pub(super) struct Renumber {
    /// Of each value: the block that it was met in last, and its number there.
    met: Vec<(u32, u32)>,
    order: Vec<usize>,
    picks: Vec<u32>,
}

impl Renumber {
    /// Appends the column of clicks with the values `numbers`, in block number `block`, counted from 1.
    fn put(
        &mut self,
        out: &mut Vec<u8>,
        block: u32,
        numbers: impl Iterator<Item = usize>,
        put_value: impl Fn(&mut Vec<u8>, usize),
    ) {
        self.order.clear();
        self.picks.clear();
        for number in numbers {
            if number >= self.met.len() {
                self.met.resize(number + 1, (0, 0));
            }
            let met = &mut self.met[number];
            if met.0 != block {
                *met = (block, self.order.len() as u32);
                self.order.push(number);
            }
            self.picks.push(met.1);
        }
        let order = &self.order;
        dictionary::put(
            out,
            order.len(),
            |out, place| put_value(out, order[place]),
            self.picks.iter().copied(),
        );
    }
}

/// Some clicks of a merge that go into one block.
pub(super) struct Block<'m, 'f> {
    pub(super) merged: &'m Merged<'f>,
    pub(super) spots: &'m [Spot],
    /// Different for each block that is tried, from 1.
    pub(super) number: u32,
    /// One for each dictionary column.
    pub(super) renumbers: &'m mut [Renumber; 8],
}

impl Rows for Block<'_, '_> {
    fn count(&self) -> usize {
        self.spots.len()
    }

    fn at(&self, row: usize) -> Timestamp {
        self.spots[row].at
    }

    fn sequence(&self, row: usize) -> u64 {
        self.spots[row].sequence
    }

    fn visitor(&self, row: usize) -> u64 {
        self.merged.visitor(&self.spots[row])
    }

    fn flags(&self, row: usize) -> ClickFlags {
        self.merged.flags(&self.spots[row])
    }

    fn journey(&self, row: usize) -> &[Touch] {
        let spot = &self.spots[row];
        self.merged.parts[spot.part as usize].journey(spot.row as usize)
    }

    fn tapped(&self, row: usize) -> Option<Tapped> {
        let spot = &self.spots[row];
        self.merged.parts[spot.part as usize].tapped(spot.row as usize)
    }

    fn put_dictionaries(&mut self, out: &mut Vec<u8>) -> bool {
        let (merged, spots, number) = (self.merged, self.spots, self.number);
        let [place, mark, country, agent, language, referrer, utm, locality] = &mut *self.renumbers;
        macro_rules! put {
            ($renumber:ident, $column:ident, $put:ident) => {
                $renumber.put(
                    out,
                    number,
                    spots.iter().map(|spot| merged.$column(spot)),
                    |out, value| $put(out, merged.$column.values[value]),
                )
            };
        }
        put!(place, place, put_place);
        put!(mark, mark, put_mark);
        put!(country, country, put_country);
        put!(agent, user_agent, put_agent);
        put!(language, language, put_shared);
        put!(referrer, referrer, put_shared);
        put!(utm, utm, put_utm);
        let known = |spot| !merged.locality.values[merged.locality(spot)].is_empty();
        let is_placed = spots.iter().any(known);
        if is_placed {
            put!(locality, locality, put_shared);
        }
        is_placed
    }
}
