//! Writes the sums of waiting clicks: in the order of sled's keys, each link's day that has many into values of its own,
//! the others side by side into sheets.

use std::hash::Hash;
use std::ops::Range;

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::CLASSES;
use crate::domain::id::{LinkNo, WorkspaceNo};

use super::day::{Day, QUARTERS};
use super::error::StoreError;
use super::facets::Facets;
use super::key;
use super::sheet::{self, BODY_MAX, Entry, KINDS, Part, Sheet};
use super::sketch::{self, Sketch};
use super::store::Store;
use super::tabulate::{Numbers, OwnTrait};
use super::total_page::{self, TotalPage};
use super::value::{Counts, seal};
use super::waiting::{Row, Sums};

/// Rows that are brought together at a time, in their order: one after the other would be waited for, for they lie apart.
const TOGETHER: usize = 2048;

/// Puts everything that waits into `batch`; links' days with fewer clicks than `few_max` into sheets.
pub(super) fn put(sums: &Sums, few_max: usize, store: &Store, batch: &mut sled::Batch) -> Result<(), StoreError> {
    let mut writing = Writing {
        sums,
        store,
        batch,
        tally: Tally::of(&sums.traits.values),
    };
    writing.put_hours()?;
    let by_link = by_link(&sums.rows);
    let days = Units::of(&sums.rows, |row| (row.workspace, day(row)));
    writing.put_days(&days.arrange(by_link.iter().copied()).0, few_max)?;
    writing.put_totals(&by_link)
}

/// Numbers of rows by link, and then as they came.
fn by_link(rows: &[Row]) -> Vec<u32> {
    let keys = (0u64..)
        .zip(rows)
        .map(|(number, row)| u64::from(row.link.0) << 32 | number);
    let mut keys: Vec<u64> = keys.collect();
    keys.sort_unstable();
    keys.into_iter().map(|key| key as u32).collect()
}

/// What rows belong to: few units, of which neighbours mostly have the same.
struct Units<U> {
    units: Numbers<U>,
    of_row: Vec<u32>,
}

impl<U: Copy + Eq + Ord + Hash> Units<U> {
    fn of(rows: &[Row], unit: impl Fn(&Row) -> U) -> Self {
        let mut units = Numbers::new();
        let mut last = None;
        let of_row = rows.iter().map(|row| {
            let unit = unit(row);
            let number = match last {
                Some((same, number)) if same == unit => number,
                _ => units.of(unit),
            };
            last = Some((unit, number));
            number
        });
        Self {
            of_row: of_row.collect(),
            units,
        }
    }

    /// All numbers of rows, those of a unit together and as they came; and the units in order, with where theirs are.
    fn arrange(&self, rows: impl Iterator<Item = u32> + Clone) -> (Vec<u32>, Vec<(U, Range<usize>)>) {
        let mut counts = vec![0; self.units.values.len()];
        self.of_row.iter().for_each(|unit| counts[*unit as usize] += 1);
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_unstable_by_key(|unit| self.units.values[*unit]);
        let (mut next, mut start) = (vec![0; counts.len()], 0);
        let places = order.into_iter().map(|unit| {
            let place = start..start + counts[unit];
            (next[unit], start) = (start, place.end);
            (self.units.values[unit], place)
        });
        let places: Vec<(U, Range<usize>)> = places.collect();
        let mut numbers = vec![0; self.of_row.len()];
        for row in rows {
            let place = &mut next[self.of_row[row as usize] as usize];
            numbers[*place] = row;
            *place += 1;
        }
        (numbers, places)
    }
}

/// Hands rows to `each`, as many as belong together, in the order of their `numbers`.
fn together(
    sums: &Sums,
    numbers: &[u32],
    belong: impl Fn(&Row, &Row) -> bool,
    mut each: impl FnMut(&[Row]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let row = |number: &u32| sums.rows[*number as usize];
    let (mut rows, mut start): (Vec<Row>, usize) = (Vec::new(), 0);
    while start < numbers.len() {
        let end = numbers.len().min(start + TOGETHER);
        rows.clear();
        rows.extend(numbers[start..end].iter().map(row));
        let last = rows[rows.len() - 1];
        rows.extend(numbers[end..].iter().map(row).take_while(|next| belong(&last, next)));
        start += rows.len();
        rows.chunk_by(&belong).try_for_each(&mut each)?;
    }
    Ok(())
}

fn day(row: &Row) -> u32 {
    row.at.bucket() / QUARTERS
}

struct Writing<'a> {
    sums: &'a Sums,
    store: &'a Store,
    batch: &'a mut sled::Batch,
    tally: Tally<'a>,
}

impl Writing<'_> {
    fn insert(&mut self, key: &[u8], body: &[u8]) {
        self.batch.insert(key, seal(key, body));
    }

    /// Puts links' days with few clicks into sheets, the others into values of their own.
    fn put_days(&mut self, numbers: &[u32], few_max: usize) -> Result<(), StoreError> {
        let known = Known::of(&self.sums.traits.values);
        let mut draft = Draft::new(self.sums, &known);
        let mut of = None;
        let of_row = |row: &Row| (row.workspace, day(row), row.link);
        let belong = |a: &Row, b: &Row| of_row(a) == of_row(b);
        together(self.sums, numbers, belong, |rows| {
            let (workspace, day, link) = of_row(&rows[0]);
            // Days say which clicks are not in roll-ups: sheets would not.
            if rows.len() >= few_max || !rows.iter().all(Row::is_by_day) {
                return self.put_own(rows);
            }
            if of != Some((workspace, day)) {
                self.put_sheet(of, &mut draft);
                of = Some((workspace, day));
            }
            if draft.add(link, rows) {
                return Ok(());
            }
            self.put_sheet(of, &mut draft);
            if draft.add(link, rows) {
                return Ok(());
            }
            // Its texts alone are too long.
            draft.clear();
            self.put_own(rows)
        })?;
        self.put_sheet(of, &mut draft);
        Ok(())
    }

    fn put_sheet(&mut self, of: Option<(WorkspaceNo, u32)>, draft: &mut Draft<'_>) {
        if let (Some((workspace, day)), Some(first)) = (of, draft.sheet.links.first()) {
            let key = key::sheet(workspace, day, self.sums.through, first.link);
            self.insert(&key, &draft.sheet.body());
        }
        draft.clear();
    }

    /// Puts a link's day into values of its own.
    fn put_own(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let (workspace, link, day) = (rows[0].workspace, rows[0].link, day(&rows[0]));
        self.put_day(&key::link_day(workspace, link, day), rows)?;
        let sums = self.sums;
        rows.iter()
            .for_each(|row| self.tally.add(sums.traits_of(row), row.class()));
        self.put_facets(&key::link_facets(workspace, link, day))?;
        let mut visitors = rows.iter().map(|row| row.visitor).filter(|visitor| *visitor != 0);
        let Some(first) = visitors.next() else { return Ok(()) };
        let key = key::sketch(workspace, link, day);
        let mut sketch = match self.store.get(&key)? {
            Some(body) => Sketch::read(&body)?,
            None => Sketch::new()?,
        };
        sketch.add(first);
        visitors.for_each(|visitor| sketch.add(visitor));
        self.insert(&key, &sketch.body());
        Ok(())
    }

    fn put_day(&mut self, key: &[u8], rows: &[Row]) -> Result<(), StoreError> {
        let mut quarters = [[0u32; CLASSES]; QUARTERS as usize];
        let by_day = rows.iter().filter(|row| row.is_by_day());
        by_day.for_each(|row| quarters[(row.at.bucket() % QUARTERS) as usize][row.class()] += 1);
        if quarters == [[0; CLASSES]; QUARTERS as usize] {
            return Ok(());
        }
        let mut day = match self.store.get(key)? {
            Some(body) => Day::read(&body)?,
            None => Day::default(),
        };
        if day.through > self.sums.since {
            return Err(StoreError::Damaged("a link's day is ahead of what was written"));
        }
        for (quarter, counts) in (0..).zip(&quarters).filter(|(_, counts)| **counts != [0; CLASSES]) {
            day.add(quarter, &counts.map(u64::from));
        }
        day.through = self.sums.through;
        self.insert(key, &day.body());
        Ok(())
    }

    /// Adds what the tally holds to the facets under `key`.
    fn put_facets(&mut self, key: &[u8]) -> Result<(), StoreError> {
        let stored = self.store.get(key)?;
        let mut sum = match &stored {
            Some(body) => Facets::read(body)?,
            None => Facets::new(),
        };
        if sum.through > self.sums.since {
            // Nobody knows which of these are in it: questions about it read the clicks.
            sum = Facets::not_kept();
        }
        self.tally.put(&mut sum);
        sum.through = self.sums.through;
        let body = sum.body();
        self.insert(key, &body);
        Ok(())
    }

    /// Facets of workspaces by UTC hour.
    fn put_hours(&mut self) -> Result<(), StoreError> {
        let hours = Units::of(&self.sums.rows, |row| (row.workspace, row.at.hour()));
        let (numbers, places) = hours.arrange(0..self.sums.rows.len() as u32);
        for ((workspace, hour), place) in places {
            for number in &numbers[place] {
                let row = &self.sums.rows[*number as usize];
                self.tally.add(self.sums.traits_of(row), row.class());
            }
            self.put_facets(&key::workspace_facets(workspace, hour))?;
        }
        Ok(())
    }

    /// Pages of totals; `by_link` are the numbers of rows by link.
    fn put_totals(&mut self, by_link: &[u32]) -> Result<(), StoreError> {
        let page = |row: &Row| total_page::number(row.link);
        together(
            self.sums,
            by_link,
            |a, b| page(a) == page(b),
            |rows| {
                if !rows.iter().any(Row::is_paged) {
                    return Ok(());
                }
                let key = key::total_page(page(&rows[0]));
                let mut page = match self.store.get(&key)? {
                    Some(body) => TotalPage::read(&body)?,
                    None => TotalPage::default(),
                };
                if page.through > self.sums.since {
                    return Err(StoreError::Damaged("a page of totals is ahead of what was written"));
                }
                for row in rows.iter().filter(|row| row.is_paged()) {
                    row.add_to(page.of(row.link));
                }
                page.through = self.sums.through;
                self.insert(&key, &page.body());
                Ok(())
            },
        )
    }
}

/// Traits as entries of sheets' dictionaries.
struct Known {
    /// By number: the least number of a trait with the same entry, and the entry. Ways of following have none.
    entries: Vec<(u32, Vec<u8>)>,
}

impl Known {
    fn of(traits: &[OwnTrait]) -> Self {
        let mut least: HashMap<(usize, Vec<u8>), u32> = HashMap::new();
        let entries = (0u32..).zip(traits).map(|(number, of)| match sheet::entry(of) {
            Some((kind, entry)) => (*least.entry((kind, entry.clone())).or_insert(number), entry),
            None => (number, Vec::new()),
        });
        let entries = entries.collect();
        Self { entries }
    }
}

/// A sheet in the making; used again for the next.
struct Draft<'k> {
    sums: &'k Sums,
    known: &'k Known,
    sheet: Sheet<'k>,
    /// Its length, or a little more.
    length: usize,
    /// Of each trait: the sheet that it was met in last, counted from 1, and its place there.
    met: Vec<(u32, u32)>,
    number: u32,
}

/// Bytes of a link in a sheet, at most: three numbers, of which the last two are small.
const LINK_LENGTH: usize = 9;

impl<'k> Draft<'k> {
    fn new(sums: &'k Sums, known: &'k Known) -> Self {
        Self {
            sums,
            known,
            sheet: Sheet::default(),
            length: 0,
            met: vec![(0, 0); known.entries.len()],
            number: 1,
        }
    }

    fn clear(&mut self) {
        let Sheet {
            dictionaries,
            links,
            clicks,
            visitors,
        } = &mut self.sheet;
        dictionaries.iter_mut().for_each(Vec::clear);
        links.clear();
        clicks.clear();
        visitors.clear();
        self.length = 0;
        self.number += 1;
    }

    /// Adds a link with its clicks, unless that would be too much: then nothing of it stays.
    fn add(&mut self, link: LinkNo, rows: &[Row]) -> bool {
        let (clicks, visitors, length) = (self.sheet.clicks.len(), self.sheet.visitors.len(), self.length);
        let entries = self.sheet.dictionaries.each_ref().map(Vec::len);
        rows.iter().for_each(|row| self.add_click(row));
        self.sheet.visitors[visitors..].sort_unstable();
        self.length += LINK_LENGTH;
        if self.length > BODY_MAX {
            self.sheet.clicks.truncate(clicks);
            self.sheet.visitors.truncate(visitors);
            let dictionaries = self.sheet.dictionaries.iter_mut().zip(entries);
            dictionaries.for_each(|(dictionary, length)| dictionary.truncate(length));
            self.length = length;
            // What was met is not there any more: this sheet ends here.
            return false;
        }
        let mut kept = visitors;
        for place in visitors..self.sheet.visitors.len() {
            if kept == visitors || self.sheet.visitors[kept - 1] != self.sheet.visitors[place] {
                self.sheet.visitors[kept] = self.sheet.visitors[place];
                kept += 1;
            }
        }
        self.sheet.visitors.truncate(kept);
        self.sheet.links.push(Part {
            link,
            clicks: clicks..self.sheet.clicks.len(),
            visitors: visitors..kept,
        });
        true
    }

    fn add_click(&mut self, row: &Row) {
        let mut of = [0; KINDS];
        self.length += 2;
        for (kind, number) in self.sums.traits_of(row).into_iter().take(KINDS).enumerate() {
            let (least, _) = self.known.entries[number as usize];
            let met = &mut self.met[least as usize];
            let dictionary = &mut self.sheet.dictionaries[kind];
            if met.0 != self.number {
                *met = (self.number, dictionary.len() as u32);
                let entry = &self.known.entries[least as usize].1;
                dictionary.push(entry);
                self.length += entry.len() + 2;
            }
            of[kind] = met.1;
            self.length += if met.1 < 0x80 { 1 } else { 2 };
        }
        let quarter = (row.at.bucket() % QUARTERS) as u8;
        let entry = Entry::new(row.class(), row.is_qr(), quarter, of);
        self.sheet.clicks.push(entry);
        if row.visitor != 0 {
            self.sheet.visitors.push(sketch::note(row.visitor));
            self.length += 4;
        }
    }
}

/// Adds one unit's clicks up by numbers rather than by texts; used again for the next.
struct Tally<'t> {
    /// Facet and key, in the order of facets' values.
    keys: Vec<(usize, &'t [u8])>,
    /// The places in there that a trait tells.
    told: Vec<Vec<u32>>,
    /// By trait.
    of_traits: Vec<[u32; CLASSES]>,
    /// Traits whose counts are not zero.
    met_traits: Vec<u32>,
    counts: Vec<Counts>,
    /// Places whose counts are not zero.
    met: Vec<u32>,
}

impl<'t> Tally<'t> {
    fn of(traits: &'t [OwnTrait]) -> Self {
        let told: Vec<Vec<(usize, &[u8])>> = traits.iter().map(|known| known.as_trait().keys()).collect();
        let mut keys: Vec<(usize, &[u8])> = told.iter().flatten().copied().collect();
        keys.sort_unstable();
        keys.dedup();
        // Each of them is there: they were made of these.
        let place = |key: &(usize, &[u8])| keys.binary_search(key).unwrap_or(0) as u32;
        let told = told.iter().map(|keys| keys.iter().map(place).collect());
        Self {
            told: told.collect(),
            of_traits: vec![[0; CLASSES]; traits.len()],
            met_traits: Vec::new(),
            counts: vec![Counts::default(); keys.len()],
            met: Vec::new(),
            keys,
        }
    }

    /// Adds a click of this class with these traits.
    fn add(&mut self, traits: [u32; 5], class: usize) {
        for number in traits {
            let counts = &mut self.of_traits[number as usize];
            if *counts == [0; CLASSES] {
                self.met_traits.push(number);
            }
            counts[class] += 1;
        }
    }

    /// Moves what was added into `facets`.
    fn put<'f>(&mut self, facets: &mut Facets<'f>)
    where
        't: 'f,
    {
        for number in self.met_traits.drain(..) {
            let more = std::mem::take(&mut self.of_traits[number as usize]);
            for place in &self.told[number as usize] {
                let counts = &mut self.counts[*place as usize];
                if *counts == Counts::default() {
                    self.met.push(*place);
                }
                let sums = counts.iter_mut().zip(more);
                sums.for_each(|(sum, more)| *sum += u64::from(more));
            }
        }
        self.met.sort_unstable();
        for place in self.met.drain(..) {
            let (facet, key) = self.keys[place as usize];
            facets.add(facet, key, &std::mem::take(&mut self.counts[place as usize]));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::clicklog::block::VALUE_MAX;
    use crate::clicklog::columns::Columns;
    use crate::clicklog::merge::Merged;
    use crate::clicklog::samples::{NOON, any_click, click};
    use crate::clicklog::sheets;
    use crate::clicklog::value::{Meta, Totals};
    use crate::clicklog::waiting::How;
    use crate::domain::click::Click;

    const HOW: How = How {
        is_by_day: true,
        is_paged: true,
    };

    /// Clicks of many links with few each, of link 7 with many, and of link 9 with texts that fill a sheet.
    fn clicks() -> Vec<Click> {
        let few = (0..1500u64).map(|n| {
            let campaign = format!("campaign number {}", n % 50);
            Click {
                utm: Arc::new(["", "", &campaign, "", ""].map(Into::into)),
                ..click(n, NOON, 100 + (n / 5) as u32, n + 1)
            }
        });
        let many = (2000..2070).map(|n| click(n, NOON, 7, n));
        let long = (3000..3003u64).map(|n| {
            let text = format!("{n}").repeat(200);
            Click {
                utm: Arc::new(std::array::from_fn(|_| text.as_str().into())),
                ..click(n, NOON, 9, n)
            }
        });
        few.chain(many).chain(long).collect()
    }

    proptest! {
        #[test]
        fn rows_are_in_the_order_of_workspaces_days_and_links(clicks in proptest::collection::vec(any_click(), 0..60)) {
            let few = clicks.into_iter().map(|click| Click {
                workspace: WorkspaceNo(click.workspace.0 % 3),
                link: LinkNo(click.link.0 % 4),
                at: NOON.plus_ms(click.at.0 % (36 * 60 * 60 * 1000)),
                ..click
            });
            let columns = Columns::of(&few.collect::<Vec<_>>());
            let mut sums = Sums::after(0, 0);
            sums.add(&Merged::of(vec![&columns]), HOW, 1);
            let by_link = by_link(&sums.rows);
            let days = Units::of(&sums.rows, |row| (row.workspace, day(row)));
            let (numbers, places) = days.arrange(by_link.iter().copied());
            let key = |number: &u32| {
                let row = &sums.rows[*number as usize];
                (row.workspace, day(row), row.link, *number)
            };
            let mut expected: Vec<u32> = (0..sums.rows.len() as u32).collect();
            expected.sort_by_key(key);
            prop_assert_eq!(&numbers, &expected);
            let of_places = places.iter().flat_map(|(unit, place)| place.clone().map(move |_| *unit));
            let of_rows = expected.iter().map(key).map(|(workspace, day, ..)| (workspace, day));
            prop_assert!(of_places.eq(of_rows));
        }
    }

    #[test]
    fn each_click_is_in_one_place_and_no_value_is_too_large() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), 1 << 20).expect("opened");
        let clicks = clicks();
        let columns: Vec<Columns> = clicks.chunks(1000).map(Columns::of).collect();
        let mut sums = Sums::after(0, 10);
        for through in [5, 8] {
            sums.add(&Merged::of(columns.iter().collect()), HOW, through);
            let mut batch = sled::Batch::default();
            put(&sums, 64, &store, &mut batch).expect("put");
            store.commit(batch, &Meta::default()).expect("written");
            sums.begin_again();
            assert_eq!((sums.since, sums.rows.len()), (through, 0));
        }
        let mut values = 0;
        let mut total = Totals::default();
        let all = store.each_value(|key, body| {
            let body = body.expect("whole");
            assert!(body.len() + 5 <= VALUE_MAX, "{key:?}: {}", body.len());
            values += usize::from(key::part(key).starts_with("sheets"));
            if key::part(key) == "pages" {
                let page = TotalPage::read(body).expect("own bytes");
                page.links(0).for_each(|(_, of)| total.counts[0] += of.counts[0]);
            }
            Ok(())
        });
        all.expect("readable");
        assert!(values > 4, "{values} sheets of two writings");
        assert_eq!(total.counts[0], 2 * clicks.len() as u64);
        let workspace = WorkspaceNo(1);
        let day = NOON.day();
        for (link, own, in_sheets) in [(7, 140, 0), (9, 6, 0), (100, 0, 10), (399, 0, 10), (98, 0, 0)] {
            let key = key::link_day(workspace, LinkNo(link), day);
            let body = store.get(&key).expect("readable");
            let found = body.map_or(0, |body| {
                let of_day = Day::read(&body).expect("own bytes");
                of_day.buckets(day).map(|(_, counts)| counts[0]).sum()
            });
            let mut of_sheets = 0;
            let links = [LinkNo(link)].into();
            sheets::visit::<StoreError>(&store, (workspace, Some(&links)), (day, day), |found| {
                of_sheets += found.clicks().count();
                assert_eq!(found.visitors().len(), 5);
                Ok(())
            })
            .expect("readable");
            assert_eq!((found, of_sheets), (own, in_sheets), "link {link}");
        }
        let mut all = 0;
        sheets::visit::<StoreError>(&store, (workspace, None), (day, day), |found| {
            all += found.clicks().count();
            Ok(())
        })
        .expect("readable");
        assert_eq!(all, 3000);
    }
}
