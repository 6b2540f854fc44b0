//! Dictionary columns: each distinct value once, in order of first use, then one index a click.
//!
//! | what | how |
//! |---|---|
//! | distinct values | number, 1 to the count of clicks |
//! | values | each as its column writes it |
//! | indexes | one number a click; left out when there is one value |

use std::hash::Hash;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::bytes::{Damaged, Source, put_number};

/// Appends the column of `values`; answers which of the distinct values, numbered in order of first use, each has.
pub(super) fn put_column<K: Copy + Eq + Hash>(
    out: &mut Vec<u8>,
    values: impl Iterator<Item = K>,
    put_value: impl Fn(&mut Vec<u8>, &K),
) -> Vec<u64> {
    let mut numbers: HashMap<K, u64> = HashMap::new();
    let mut order = Vec::new();
    let mut picks = Vec::new();
    let mut last: Option<(K, u64)> = None;
    for value in values {
        // Neighbours are often alike: comparing is cheaper than hashing.
        let number = match last {
            Some((same, number)) if same == value => number,
            _ => *numbers.entry(value).or_insert_with(|| {
                order.push(value);
                order.len() as u64 - 1
            }),
        };
        last = Some((value, number));
        picks.push(number);
    }
    put(out, &order, put_value, &picks);
    picks
}

/// As [`put_column`], for values that clicks share: who has the same one was looked at already.
pub(super) fn put_shared<'a, T: ?Sized + Eq + Hash + 'a>(
    out: &mut Vec<u8>,
    values: impl Iterator<Item = &'a Arc<T>>,
    put_value: impl Fn(&mut Vec<u8>, &T),
) -> Vec<u64> {
    let mut numbers: HashMap<&T, u64> = HashMap::new();
    let mut of_address: HashMap<usize, u64> = HashMap::new();
    let mut picks = Vec::new();
    let mut order: Vec<&T> = Vec::new();
    for value in values {
        let number = of_address.entry(address(value)).or_insert_with(|| {
            *numbers.entry(value).or_insert_with(|| {
                order.push(value);
                order.len() as u64 - 1
            })
        });
        picks.push(*number);
    }
    put(out, &order, |out, value| put_value(out, value), &picks);
    picks
}

/// Where a shared value lies: as long as both live, two at one address are the same.
pub(super) fn address<T: ?Sized>(value: &Arc<T>) -> usize {
    Arc::as_ptr(value).cast::<()>().addr()
}

fn put<K>(out: &mut Vec<u8>, order: &[K], put_value: impl Fn(&mut Vec<u8>, &K), picks: &[u64]) {
    put_number(out, order.len() as u64);
    order.iter().for_each(|value| put_value(out, value));
    if order.len() > 1 {
        picks.iter().for_each(|pick| put_number(out, *pick));
    }
}

/// A column as read: the distinct values and which of them each click has.
pub(super) struct Column<T> {
    pub(super) values: Vec<T>,
    picks: Vec<u32>,
}

impl<T> Column<T> {
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
        self.picks.get(row).map_or(0, |pick| *pick as usize)
    }

    /// The value of click number `row`.
    pub(super) fn get(&self, row: usize) -> &T {
        &self.values[self.pick(row)]
    }
}

fn pick(source: &mut Source<'_>, distinct: usize) -> Result<u32, Damaged> {
    source
        .small()
        .ok()
        .filter(|pick| (*pick as usize) < distinct)
        .ok_or(Damaged("an index is outside its dictionary"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::bytes::put_text;

    #[test]
    fn one_value_takes_no_indexes() {
        let mut out = Vec::new();
        put_column(&mut out, [7u8; 100].into_iter(), |out, value| out.push(*value));
        assert_eq!(out, [1, 7]);
        let column = Column::read(&mut Source(&out), 100, |source| source.byte()).expect("own bytes");
        assert_eq!(*column.get(99), 7);
    }

    #[test]
    fn what_is_shared_is_written_as_what_is_not() {
        let texts = ["a", "b", "a", "c", "b", "a"];
        let (mut plain, mut shared) = (Vec::new(), Vec::new());
        let picks = put_column(&mut plain, texts.into_iter(), |out, text| put_text(out, text));
        // The last is the first one's, the third only says the same.
        let mut arcs: Vec<Arc<str>> = texts.map(Arc::from).to_vec();
        arcs[5] = Arc::clone(&arcs[0]);
        let picks_shared = put_shared(&mut shared, arcs.iter(), put_text);
        assert_eq!((plain, picks), (shared, picks_shared));
    }

    #[test]
    fn an_index_outside_is_refused() {
        let out = [2, 5, 6, 0, 1, 2];
        assert!(Column::read(&mut Source(&out), 3, |source| source.byte()).is_err());
        assert!(Column::read(&mut Source(&[0]), 3, |source| source.byte()).is_err());
    }
}
