//! Dictionary columns: each distinct value once, in order of first use, then one index a click.
//!
//! | what | how |
//! |---|---|
//! | distinct values | number, 1 to the count of clicks |
//! | values | each as its column writes it |
//! | indexes | one number a click; left out when there is one value |

use std::sync::Arc;

use super::bytes::{Damaged, Source, put_number};

/// Appends the column of the clicks that have the values numbered `picks`, of which there are `distinct`, numbered in
/// order of first use; `put_value` writes the one with a number.
pub(super) fn put(
    out: &mut Vec<u8>,
    distinct: usize,
    mut put_value: impl FnMut(&mut Vec<u8>, usize),
    picks: impl Iterator<Item = u32>,
) {
    put_number(out, distinct as u64);
    (0..distinct).for_each(|number| put_value(out, number));
    match distinct {
        0 | 1 => {}
        // Each is its own byte.
        2..=0x80 => out.extend(picks.map(|pick| pick as u8)),
        _ => picks.for_each(|pick| put_number(out, u64::from(pick))),
    }
}

/// Where a shared value lies: as long as both live, two at one address are the same.
pub(super) fn address<T: ?Sized>(value: &Arc<T>) -> usize {
    Arc::as_ptr(value).cast::<()>().addr()
}

/// A column in memory: the distinct values and which of them each click has, of at most 65,536 of either.
#[derive(Debug, Clone)]
pub(super) struct Column<T> {
    pub(super) values: Vec<T>,
    /// Empty as long as all clicks have the first value.
    picks: Vec<u16>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            picks: Vec::new(),
        }
    }
}

impl<T> Column<T> {
    /// Forgets all clicks; the room stays.
    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.picks.clear();
    }

    /// Makes room in this, which is empty, for as much as `other` has.
    pub(super) fn reserve_as(&mut self, other: &Self) {
        self.values.reserve(other.values.len());
        self.picks.reserve(other.picks.len());
    }

    /// Adds a value that no click has yet; its number.
    pub(super) fn add(&mut self, value: T) -> u16 {
        self.values.push(value);
        (self.values.len() - 1) as u16
    }

    /// Click number `row`, the next, has the value with number `pick`.
    pub(super) fn push(&mut self, row: usize, pick: u16) {
        if pick == 0 && self.picks.is_empty() {
            return;
        }
        if self.picks.len() < row {
            self.picks.resize(row, 0);
        }
        self.picks.push(pick);
    }

    /// Appends the column's bytes.
    pub(super) fn put(&self, out: &mut Vec<u8>, put_value: impl Fn(&mut Vec<u8>, &T)) {
        put(
            out,
            self.values.len(),
            |out, number| put_value(out, &self.values[number]),
            self.picks.iter().map(|pick| u32::from(*pick)),
        );
    }

    /// A column in which every click has `value`.
    pub(super) fn of_one(value: T) -> Self {
        Self {
            values: vec![value],
            picks: Vec::new(),
        }
    }

    /// Reads a column of `count` clicks.
    pub(super) fn read<'a>(
        source: &mut Source<'a>,
        count: usize,
        mut value: impl FnMut(&mut Source<'a>) -> Result<T, Damaged>,
    ) -> Result<Self, Damaged> {
        let distinct = source.count(count)?;
        let values = (0..distinct).map(|_| value(source)).collect::<Result<Vec<_>, _>>()?;
        let picks = match distinct {
            0 => return Err(Damaged("a column has no value")),
            1 => Vec::new(),
            _ => (0..count).map(|_| pick(source, distinct)).collect::<Result<_, _>>()?,
        };
        Ok(Self { values, picks })
    }

    /// Index into [`Self::values`] of click number `row`.
    pub(super) fn pick(&self, row: usize) -> usize {
        self.picks.get(row).map_or(0, |pick| usize::from(*pick))
    }

    /// The value of click number `row`.
    pub(super) fn get(&self, row: usize) -> &T {
        &self.values[self.pick(row)]
    }
}

fn pick(source: &mut Source<'_>, distinct: usize) -> Result<u16, Damaged> {
    let pick = source.small().ok().and_then(|pick| u16::try_from(pick).ok());
    pick.filter(|pick| usize::from(*pick) < distinct)
        .ok_or(Damaged("an index is outside its dictionary"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_takes_no_indexes() {
        let mut written = Column::default();
        let seven = written.add(7u8);
        (0..100).for_each(|row| written.push(row, seven));
        let mut out = Vec::new();
        written.put(&mut out, |out, value| out.push(*value));
        assert_eq!(out, [1, 7]);
        let column = Column::read(&mut Source(&out), 100, |source| source.byte()).expect("own bytes");
        assert_eq!(*column.get(99), 7);
    }

    #[test]
    fn many_values_are_told_apart() {
        for distinct in [2u32, 128, 129, 4096] {
            let mut written = Column::default();
            let numbers: Vec<u16> = (0..distinct).map(|value| written.add(value)).collect();
            // The first value many times, before there is another.
            (0..9).for_each(|row| written.push(row, 0));
            numbers
                .iter()
                .enumerate()
                .for_each(|(row, number)| written.push(9 + row, *number));
            let mut out = Vec::new();
            written.put(&mut out, |out, value| put_number(out, u64::from(*value)));
            let count = 9 + distinct as usize;
            let column = Column::read(&mut Source(&out), count, |source| source.small()).expect("own bytes");
            let values: Vec<u32> = (0..count).map(|row| *column.get(row)).collect();
            assert_eq!(values, [0; 9].into_iter().chain(0..distinct).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_index_outside_is_refused() {
        let out = [2, 5, 6, 0, 1, 2];
        assert!(Column::read(&mut Source(&out), 3, |source| source.byte()).is_err());
        assert!(Column::read(&mut Source(&[0]), 3, |source| source.byte()).is_err());
    }
}
