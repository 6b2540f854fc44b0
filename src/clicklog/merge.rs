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

/// Most clicks whose room is kept for the next merge, 20 MB with their values: four checkpoints' worth, more than is ever
/// read back at once.
const ROOM_MAX: usize = 1 << 18;

/// Values of a column, numbered across all frames in order of first use.
#[derive(Debug)]
pub(super) struct Numbered<V> {
    pub(super) values: Vec<V>,
    /// The numbers of each frame's values, one frame after the other.
    numbers: Vec<u32>,
    /// Where each frame's begin.
    starts: Vec<usize>,
}

impl<V> Default for Numbered<V> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            numbers: Vec::new(),
            starts: Vec::new(),
        }
    }
}

impl<V> Numbered<V> {
    /// The number of value `pick` of frame `part`.
    fn of(&self, part: u32, pick: usize) -> usize {
        self.numbers[self.starts[part as usize] + pick] as usize
    }

    /// A value that no frame had yet; its number.
    fn add(&mut self, value: V) -> u32 {
        self.values.push(value);
        self.values.len() as u32 - 1
    }

    fn clear(&mut self) {
        self.values.clear();
        self.numbers.clear();
        self.starts.clear();
    }
}

impl<'f, T: ?Sized + Eq + Hash> Numbered<&'f Arc<T>> {
    /// Of values that frames share: who has the same one was looked at already.
    fn of_shared(columns: impl Iterator<Item = &'f Column<Arc<T>>>) -> Self {
        let mut of_address: HashMap<usize, u32> = HashMap::new();
        let mut known: HashMap<&T, u32> = HashMap::new();
        let mut all = Self::default();
        for column in columns {
            all.starts.push(all.numbers.len());
            for value in &column.values {
                let number = of_address.entry(address(value));
                let number = *number.or_insert_with(|| *known.entry(value).or_insert_with(|| all.add(value)));
                all.numbers.push(number);
            }
        }
        all
    }
}

/// Room for the values of a column that are cheap to compare.
#[derive(Debug)]
struct Small<T> {
    known: HashMap<T, u32>,
    numbered: Numbered<T>,
}

impl<T> Default for Small<T> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            numbered: Numbered::default(),
        }
    }
}

impl<T: Copy + Eq + Hash> Small<T> {
    /// The values of `columns`, in this room, which is empty until they are given back.
    fn number<'f>(&mut self, columns: impl Iterator<Item = &'f Column<T>>) -> Numbered<T>
    where
        T: 'f,
    {
        let mut all = std::mem::take(&mut self.numbered);
        self.known.clear();
        for column in columns {
            all.starts.push(all.numbers.len());
            for value in &column.values {
                let number = *self.known.entry(*value).or_insert_with(|| all.add(*value));
                all.numbers.push(number);
            }
        }
        all
    }

    fn take_back(&mut self, mut numbered: Numbered<T>) {
        numbered.clear();
        self.numbered = numbered;
    }
}

/// What a merge leaves to the next one: memory that comes fresh from the system each time costs more than what is done
/// in it.
#[derive(Debug, Default)]
pub(super) struct Room {
    spots: Vec<Spot>,
    place: Small<Place>,
    mark: Small<Mark>,
    country: Small<[u8; 2]>,
    user_agent: Small<UserAgent>,
    renumbers: Renumbers,
}

/// One for each dictionary column.
pub(super) type Renumbers = [Renumber; 8];

impl Room {
    /// Those that blocks are cut with, empty.
    pub(super) fn renumbers(&mut self) -> Renumbers {
        std::mem::take(&mut self.renumbers)
    }

    /// The same for the next time.
    pub(super) fn take_renumbers_back(&mut self, mut renumbers: Renumbers) {
        renumbers.iter_mut().for_each(|renumber| renumber.met.clear());
        self.renumbers = renumbers;
    }
}

/// The clicks of some frames, in order of their instants, then their sequences.
pub(super) struct Merged<'f> {
    parts: Vec<&'f Columns>,
    pub(super) spots: Vec<Spot>,
    pub(super) place: Numbered<Place>,
    pub(super) mark: Numbered<Mark>,
    pub(super) country: Numbered<[u8; 2]>,
    pub(super) user_agent: Numbered<UserAgent>,
    pub(super) language: Numbered<&'f Arc<str>>,
    pub(super) referrer: Numbered<&'f Arc<str>>,
    pub(super) utm: Numbered<&'f Arc<[Box<str>; 5]>>,
    pub(super) locality: Numbered<&'f Arc<str>>,
}

/// The numbers of a click's values.
macro_rules! numbers {
    ($($column:ident),*) => {$(
        pub(super) fn $column(&self, spot: &Spot) -> usize {
            let pick = self.parts[spot.part as usize].$column.pick(spot.row as usize);
            self.$column.of(spot.part, pick)
        }
    )*};
}

impl<'f> Merged<'f> {
    /// The clicks of `parts`.
    #[cfg(test)]
    pub(super) fn of(parts: Vec<&'f Columns>) -> Self {
        Self::within(&mut Room::default(), parts)
    }

    /// The clicks of `parts`, in `room`, to which it is given back by [`Self::leave`].
    pub(super) fn within(room: &mut Room, parts: Vec<&'f Columns>) -> Self {
        let mut spots = std::mem::take(&mut room.spots);
        spots.reserve(parts.iter().map(|part| part.at.len()).sum());
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
            place: room.place.number(each().map(|part| &part.place)),
            mark: room.mark.number(each().map(|part| &part.mark)),
            country: room.country.number(each().map(|part| &part.country)),
            user_agent: room.user_agent.number(each().map(|part| &part.user_agent)),
            language: Numbered::of_shared(each().map(|part| &part.language)),
            referrer: Numbered::of_shared(each().map(|part| &part.referrer)),
            utm: Numbered::of_shared(each().map(|part| &part.utm)),
            locality: Numbered::of_shared(each().map(|part| &part.locality)),
            spots,
            parts,
        }
    }

    /// Gives its room back.
    pub(super) fn leave(self, room: &mut Room) {
        let Self {
            mut spots,
            place,
            mark,
            country,
            user_agent,
            ..
        } = self;
        if spots.capacity() > ROOM_MAX {
            *room = Room::default();
            return;
        }
        spots.clear();
        room.spots = spots;
        room.place.take_back(place);
        room.mark.take_back(mark);
        room.country.take_back(country);
        room.user_agent.take_back(user_agent);
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
    pub(super) renumbers: &'m mut Renumbers,
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
                    |out, value| $put(out, &merged.$column.values[value]),
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
