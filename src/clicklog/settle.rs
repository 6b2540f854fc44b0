//! Writes the sums of waiting clicks: in the order of sled's keys, each link's day that has many into values of its own,
//! the others side by side into sheets.

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

/// A link's UTC day, and which of the ordered rows are its.
#[derive(Debug, Clone, Copy)]
struct Group {
    workspace: WorkspaceNo,
    link: LinkNo,
    day: u32,
    start: usize,
    end: usize,
}

/// Puts everything that waits into `batch`; links' days with fewer clicks than `few_max` into sheets.
pub(super) fn put(sums: &Sums, few_max: usize, store: &Store, batch: &mut sled::Batch) -> Result<(), StoreError> {
    let order = ordered(&sums.rows);
    let groups = groups(sums, &order);
    let mut writing = Writing {
        sums,
        order,
        store,
        batch,
        tally: Tally::of(&sums.traits.values),
    };
    let own = writing.put_sheets(&groups, few_max);
    own.iter().try_for_each(|group| writing.put_own(group))?;
    writing.put_hours()?;
    writing.put_totals(groups)
}

/// Numbers of rows by workspace, day, link and then as they came.
fn ordered(rows: &[Row]) -> Vec<u32> {
    let key = |(number, row): (usize, &Row)| {
        let of = [row.workspace.0, row.at.bucket() / QUARTERS, row.link.0, number as u32];
        of.iter().fold(0u128, |key, part| key << 32 | u128::from(*part))
    };
    let mut keys: Vec<u128> = rows.iter().enumerate().map(key).collect();
    keys.sort_unstable();
    keys.into_iter().map(|key| key as u32).collect()
}

fn groups(sums: &Sums, order: &[u32]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, number) in order.iter().enumerate() {
        let row = &sums.rows[*number as usize];
        let next = Group {
            workspace: row.workspace,
            link: row.link,
            day: row.at.bucket() / QUARTERS,
            start: place,
            end: place + 1,
        };
        match groups.last_mut() {
            Some(last) if (last.workspace, last.link, last.day) == (next.workspace, next.link, next.day) => {
                last.end = place + 1;
            }
            _ => groups.push(next),
        }
    }
    groups
}

/// The rows of `group`, as they came.
fn rows<'s>(sums: &'s Sums, order: &'s [u32], group: &Group) -> impl Iterator<Item = &'s Row> + use<'s> {
    let numbers = order[group.start..group.end].iter();
    numbers.map(move |number| &sums.rows[*number as usize])
}

struct Writing<'a> {
    sums: &'a Sums,
    order: Vec<u32>,
    store: &'a Store,
    batch: &'a mut sled::Batch,
    tally: Tally<'a>,
}

impl Writing<'_> {
    fn insert(&mut self, key: &[u8], body: &[u8]) {
        self.batch.insert(key, seal(key, body));
    }

    /// Puts groups with few clicks into sheets; answers the others.
    fn put_sheets(&mut self, groups: &[Group], few_max: usize) -> Vec<Group> {
        let known = Known::of(&self.sums.traits.values);
        let mut draft = Draft::new(&known);
        let mut of = None;
        let mut own = Vec::new();
        for group in groups {
            // Days say which clicks are not in roll-ups: sheets would not.
            let is_whole = rows(self.sums, &self.order, group).all(Row::is_by_day);
            if group.end - group.start >= few_max || !is_whole {
                own.push(*group);
                continue;
            }
            if of != Some((group.workspace, group.day)) {
                self.put_sheet(of, &mut draft);
                of = Some((group.workspace, group.day));
            }
            if draft.add(group.link, rows(self.sums, &self.order, group)) {
                continue;
            }
            self.put_sheet(of, &mut draft);
            if !draft.add(group.link, rows(self.sums, &self.order, group)) {
                // Its texts alone are too long.
                draft.clear();
                own.push(*group);
            }
        }
        self.put_sheet(of, &mut draft);
        own
    }

    fn put_sheet(&mut self, of: Option<(WorkspaceNo, u32)>, draft: &mut Draft<'_>) {
        if let (Some((workspace, day)), Some(first)) = (of, draft.sheet.links.first()) {
            let key = key::sheet(workspace, day, self.sums.through, first.link);
            self.insert(&key, &draft.sheet.body());
        }
        draft.clear();
    }

    fn put_own(&mut self, group: &Group) -> Result<(), StoreError> {
        self.put_day(group)?;
        let key = key::link_facets(group.workspace, group.link, group.day);
        for row in rows(self.sums, &self.order, group) {
            self.tally.add(row);
        }
        self.put_facets(&key)?;
        let mut visitors = rows(self.sums, &self.order, group)
            .map(|row| row.visitor)
            .filter(|visitor| *visitor != 0);
        let Some(first) = visitors.next() else { return Ok(()) };
        let key = key::sketch(group.workspace, group.link, group.day);
        let mut sketch = match self.store.get(&key)? {
            Some(body) => Sketch::read(&body)?,
            None => Sketch::new()?,
        };
        sketch.add(first);
        visitors.for_each(|visitor| sketch.add(visitor));
        let body = sketch.body();
        self.insert(&key, &body);
        Ok(())
    }

    fn put_day(&mut self, group: &Group) -> Result<(), StoreError> {
        let key = key::link_day(group.workspace, group.link, group.day);
        let mut quarters = [[0u32; CLASSES]; QUARTERS as usize];
        let mut is_any = false;
        for row in rows(self.sums, &self.order, group).filter(|row| row.is_by_day()) {
            is_any = true;
            quarters[(row.at.bucket() % QUARTERS) as usize][row.class()] += 1;
        }
        if !is_any {
            return Ok(());
        }
        let mut day = match self.store.get(&key)? {
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
        self.insert(&key, &day.body());
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
        let mut units: Numbers<(WorkspaceNo, u32)> = Numbers::new();
        let of_row = self.sums.rows.iter();
        let of_row: Vec<u32> = of_row.map(|row| units.of((row.workspace, row.at.hour()))).collect();
        // Rows by the numbers of their units: first where each unit's begin.
        let mut starts = vec![0u32; units.values.len() + 1];
        of_row.iter().for_each(|unit| starts[*unit as usize + 1] += 1);
        (1..starts.len()).for_each(|unit| starts[unit] += starts[unit - 1]);
        let (mut next, mut order) = (starts.clone(), vec![0u32; of_row.len()]);
        for (number, unit) in of_row.iter().enumerate() {
            let place = &mut next[*unit as usize];
            order[*place as usize] = number as u32;
            *place += 1;
        }
        let mut places: Vec<usize> = (0..units.values.len()).collect();
        places.sort_unstable_by_key(|place| units.values[*place]);
        for place in places {
            let (workspace, hour) = units.values[place];
            for number in &order[starts[place] as usize..starts[place + 1] as usize] {
                self.tally.add(&self.sums.rows[*number as usize]);
            }
            self.put_facets(&key::workspace_facets(workspace, hour))?;
        }
        Ok(())
    }

    fn put_totals(&mut self, mut groups: Vec<Group>) -> Result<(), StoreError> {
        groups.sort_unstable_by_key(|group| (group.link, group.start));
        for of_page in groups.chunk_by(|a, b| total_page::number(a.link) == total_page::number(b.link)) {
            let paged = |group: &Group| rows(self.sums, &self.order, group).any(Row::is_paged);
            if !of_page.iter().any(paged) {
                continue;
            }
            let key = key::total_page(total_page::number(of_page[0].link));
            let mut page = match self.store.get(&key)? {
                Some(body) => TotalPage::read(&body)?,
                None => TotalPage::default(),
            };
            if page.through > self.sums.since {
                return Err(StoreError::Damaged("a page of totals is ahead of what was written"));
            }
            for group in of_page {
                let totals = page.of(group.link);
                let rows = rows(self.sums, &self.order, group).filter(|row| row.is_paged());
                rows.for_each(|row| row.add_to(totals));
            }
            page.through = self.sums.through;
            self.insert(&key, &page.body());
        }
        Ok(())
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
    fn new(known: &'k Known) -> Self {
        Self {
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
    fn add<'r>(&mut self, link: LinkNo, rows: impl Iterator<Item = &'r Row>) -> bool {
        let (clicks, visitors, length) = (self.sheet.clicks.len(), self.sheet.visitors.len(), self.length);
        let entries = self.sheet.dictionaries.each_ref().map(Vec::len);
        for row in rows {
            self.add_click(row);
        }
        self.sheet.visitors[visitors..].sort_unstable();
        self.length += LINK_LENGTH;
        if self.length > BODY_MAX {
            self.sheet.clicks.truncate(clicks);
            self.sheet.visitors.truncate(visitors);
            let dictionaries = self.sheet.dictionaries.iter_mut().zip(entries);
            dictionaries.for_each(|(dictionary, length)| dictionary.truncate(length));
            self.length = length;
            // What was met there is not there: the places of this sheet are not to be taken for those of any other.
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
        for (kind, number) in row.traits().into_iter().take(KINDS).enumerate() {
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

    fn add(&mut self, row: &Row) {
        for number in row.traits() {
            let counts = &mut self.of_traits[number as usize];
            if *counts == [0; CLASSES] {
                self.met_traits.push(number);
            }
            counts[row.class()] += 1;
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
