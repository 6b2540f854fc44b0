//! Counts a checkpoint's clicks by dimension, for the backlog to add up.
//!
//! Looks at each distinct value once: a click is then five counts by number.
//! The twelve dimensions, the link's day and the workspace's hour are made of those afterwards.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::{CLASSES, Click, ClickFlags};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;
use crate::domain::user_agent::UserAgent;

use super::columns::Columns;
use super::dimension::{Dimension, FACETS, area_key, country_key, host, trigger_key};
use super::key;
use super::merge::Merged;

/// Every byte as a key of one byte.
const BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut n = 0;
    while n < 256 {
        bytes[n] = n as u8;
        n += 1;
    }
    bytes
};

/// What clicks are alike in; tells several dimensions at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Trait<'c> {
    /// Country, and area as `area_key` names it.
    Place(&'c [u8; 2], &'c str),
    Agent(UserAgent),
    Referrer(&'c Arc<str>),
    Utm(&'c Arc<[Box<str>; 5]>),
    Trigger(bool),
}

/// A trait that outlives the click that it was seen in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum OwnTrait {
    Place([u8; 2], Box<str>),
    Agent(UserAgent),
    Referrer(Arc<str>),
    Utm(Arc<[Box<str>; 5]>),
    Trigger(bool),
}

impl OwnTrait {
    pub(super) fn as_trait(&self) -> Trait<'_> {
        match self {
            Self::Place(country, area) => Trait::Place(country, area),
            Self::Agent(agent) => Trait::Agent(*agent),
            Self::Referrer(text) => Trait::Referrer(text),
            Self::Utm(texts) => Trait::Utm(texts),
            Self::Trigger(is_qr) => Trait::Trigger(*is_qr),
        }
    }
}

/// A link's UTC hour: workspace, link, hour.
pub(super) type Group = (WorkspaceNo, LinkNo, u32);

impl<'c> Trait<'c> {
    /// The key in dimension `by`; `None` when this does not tell it.
    pub(super) fn key(self, by: Dimension) -> Option<&'c [u8]> {
        type D = Dimension;
        Some(match (self, by) {
            (Self::Place(country, _), D::Country) => country_key(country),
            (Self::Place(_, area), D::Area) => area.as_bytes(),
            (Self::Agent(agent), D::Device) => byte(agent.device as u8),
            (Self::Agent(agent), D::Browser) => byte(agent.browser as u8),
            (Self::Agent(agent), D::Os) => byte(agent.os as u8),
            (Self::Referrer(text), D::Referrer) => host(text).as_bytes(),
            (Self::Trigger(is_qr), D::Trigger) => trigger_key(is_qr),
            (Self::Utm(texts), D::UtmSource | D::UtmMedium | D::UtmCampaign | D::UtmTerm | D::UtmContent) => {
                texts[by.utm_place()].as_bytes()
            }
            _ => return None,
        })
    }

    /// The facets that this tells, and the key in each.
    pub(super) fn keys(self) -> Vec<(usize, &'c [u8])> {
        let facets = FACETS.iter().enumerate();
        facets
            .filter_map(|(facet, by)| self.key(*by).map(|key| (facet, key)))
            .collect()
    }

    fn to_own(self) -> OwnTrait {
        match self {
            Self::Place(country, area) => OwnTrait::Place(*country, area.into()),
            Self::Agent(agent) => OwnTrait::Agent(agent),
            Self::Referrer(text) => OwnTrait::Referrer(Arc::clone(text)),
            Self::Utm(texts) => OwnTrait::Utm(Arc::clone(texts)),
            Self::Trigger(is_qr) => OwnTrait::Trigger(is_qr),
        }
    }

    fn place(click: &'c Click) -> Self {
        Self::Place(&click.country, area_key(&click.country, &click.locality))
    }

    fn all(click: &'c Click) -> [Self; 5] {
        [
            Self::place(click),
            Self::Agent(click.user_agent),
            Self::Referrer(&click.referrer),
            Self::Utm(&click.utm),
            Self::Trigger(click.flags.has(ClickFlags::QR)),
        ]
    }
}

fn byte(code: u8) -> &'static [u8] {
    let place = usize::from(code);
    &BYTES[place..=place]
}

/// The key of `click` in each facet.
pub(super) fn keys(click: &Click) -> [&[u8]; FACETS.len()] {
    let traits = Trait::all(click);
    FACETS.map(|by| traits.iter().find_map(|t| t.key(by)).unwrap_or_default())
}

/// The keys of the facets in which a click counts: its link's day, its workspace's hour.
pub(super) fn places(workspace: WorkspaceNo, link: LinkNo, at: Timestamp) -> [Vec<u8>; 2] {
    [
        key::link_facets(workspace, link, at.day()).to_vec(),
        key::workspace_facets(workspace, at.hour()).to_vec(),
    ]
}

/// Values numbered in order of first use.
#[derive(Debug)]
pub(super) struct Numbers<K> {
    of: HashMap<K, u32>,
    pub(super) values: Vec<K>,
}

impl<K: Clone + Eq + std::hash::Hash> Numbers<K> {
    pub(super) fn new() -> Self {
        Self {
            of: HashMap::new(),
            values: Vec::new(),
        }
    }

    pub(super) fn of(&mut self, value: K) -> u32 {
        if let Some(number) = self.of.get(&value) {
            return *number;
        }
        let number = self.values.len() as u32;
        self.values.push(value.clone());
        self.of.insert(value, number);
        number
    }
}

/// Clicks of a checkpoint, counted by what they are alike in.
pub(super) struct Table<'c> {
    /// Links and hours.
    groups: Numbers<Group>,
    traits: Numbers<Trait<'c>>,
    /// By group and trait.
    counts: HashMap<(u32, u32), [u32; CLASSES]>,
}

impl Default for Table<'_> {
    fn default() -> Self {
        Self {
            groups: Numbers::new(),
            traits: Numbers::new(),
            counts: HashMap::new(),
        }
    }
}

impl<'c> Table<'c> {
    /// Counts the clicks of `merged`.
    pub(super) fn of(merged: &Merged<'c>) -> Self {
        let mut table = Self::default();
        let traits = &mut table.traits;
        let agents = merged.user_agent.values.iter();
        let agents: Vec<u32> = agents.map(|agent| traits.of(Trait::Agent(**agent))).collect();
        let referrers = merged.referrer.values.iter();
        let referrers: Vec<u32> = referrers.map(|text| traits.of(Trait::Referrer(text))).collect();
        let utms = merged.utm.values.iter();
        let utms: Vec<u32> = utms.map(|texts| traits.of(Trait::Utm(texts))).collect();
        let triggers = [false, true].map(|is_qr| traits.of(Trait::Trigger(is_qr)));
        // Where no more than the country is known, the locality says nothing of it.
        let bare = |country: &'c [u8; 2]| Trait::Place(country, area_key(country, ""));
        let countries = merged.country.values.iter();
        let countries: Vec<u32> = countries.map(|country| traits.of(bare(country))).collect();
        let mut localities: Vec<Option<u32>> = vec![None; merged.locality.values.len()];
        // Clicks of a link follow one another within the hour.
        let mut groups: Vec<Option<(u32, u32)>> = vec![None; merged.place.values.len()];
        for spot in &merged.spots {
            let (place, hour) = (merged.place(spot), spot.at.hour());
            let group = match groups[place] {
                Some((same, group)) if same == hour => group,
                _ => {
                    let known = merged.place.values[place];
                    table.groups.of((known.workspace, known.link, hour))
                }
            };
            groups[place] = Some((hour, group));
            let (country, locality) = (merged.country(spot), merged.locality(spot));
            let area = match merged.locality.values[locality] {
                text if text.is_empty() => countries[country],
                text => *localities[locality].get_or_insert_with(|| {
                    let country = merged.country.values[country];
                    table.traits.of(Trait::Place(country, area_key(country, text)))
                }),
            };
            let flags = merged.flags(spot);
            for number in [
                area,
                agents[merged.user_agent(spot)],
                referrers[merged.referrer(spot)],
                utms[merged.utm(spot)],
                triggers[usize::from(flags.has(ClickFlags::QR))],
            ] {
                table.counts.entry((group, number)).or_default()[flags.class() as usize] += 1;
            }
        }
        table
    }

    /// Counts the clicks of blocks that were read from the store.
    pub(super) fn of_blocks(blocks: &'c [Columns]) -> Self {
        let mut table = Self::default();
        blocks.iter().for_each(|columns| table.add_block(columns));
        table
    }

    fn add_block(&mut self, columns: &'c Columns) {
        let traits = &mut self.traits;
        let agents = columns
            .user_agent
            .values
            .iter()
            .map(|agent| traits.of(Trait::Agent(*agent)));
        let agents: Vec<u32> = agents.collect();
        let referrers = columns
            .referrer
            .values
            .iter()
            .map(|text| traits.of(Trait::Referrer(text)));
        let referrers: Vec<u32> = referrers.collect();
        let utms = columns.utm.values.iter().map(|texts| traits.of(Trait::Utm(texts)));
        let utms: Vec<u32> = utms.collect();
        let triggers = [false, true].map(|is_qr| traits.of(Trait::Trigger(is_qr)));
        for row in 0..columns.header.count {
            let (place, flags) = (columns.place.get(row), columns.mark.get(row).flags);
            let group = (place.workspace, place.link, columns.at[row].hour());
            let group = self.groups.of(group);
            let country = columns.country.get(row);
            let area = Trait::Place(country, area_key(country, columns.locality.get(row)));
            for number in [
                self.traits.of(area),
                agents[columns.user_agent.pick(row)],
                referrers[columns.referrer.pick(row)],
                utms[columns.utm.pick(row)],
                triggers[usize::from(flags.has(ClickFlags::QR))],
            ] {
                self.counts.entry((group, number)).or_default()[flags.class() as usize] += 1;
            }
        }
    }

    /// Links' hours by number.
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups.values
    }

    /// Traits by number.
    pub(super) fn traits(&self) -> impl Iterator<Item = OwnTrait> {
        self.traits.values.iter().map(|one| one.to_own())
    }

    /// Clicks by class, by the numbers of group and trait.
    pub(super) fn counts(&self) -> &HashMap<(u32, u32), [u32; CLASSES]> {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::block::cut;
    use crate::clicklog::encoder::Encoder;
    use crate::clicklog::samples::any_click;
    use crate::clicklog::value::unseal;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Counts by group and by what the trait says.
    fn told(table: &Table<'_>) -> BTreeMap<(Group, String), [u32; CLASSES]> {
        let traits: Vec<OwnTrait> = table.traits().collect();
        let counts = table.counts().iter();
        counts
            .filter(|(_, counts)| **counts != [0; CLASSES])
            .map(|((group, known), counts)| {
                let place = (
                    table.groups()[*group as usize],
                    format!("{:?}", traits[*known as usize]),
                );
                (place, *counts)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_block_is_counted_alike_when_written_and_when_read(clicks in proptest::collection::vec(any_click(), 1..40)) {
            let frames: Vec<Columns> = clicks.chunks(clicks.len() / 3 + 1).map(Columns::of).collect();
            let merged = Merged::of(frames.iter().collect());
            let mut blocks = Vec::new();
            cut(&merged, 1, &mut Encoder::new(), |key, value| {
                blocks.push(Columns::decode(unseal(&key, &value).expect("sealed")).expect("own bytes"));
            });
            let mut naive: BTreeMap<(Group, String), [u32; CLASSES]> = BTreeMap::new();
            for click in &clicks {
                let group = (click.workspace, click.link, click.at.hour());
                for one in Trait::all(click) {
                    let counts = naive.entry((group, format!("{:?}", one.to_own()))).or_default();
                    counts[click.flags.class() as usize] += 1;
                }
            }
            prop_assert_eq!(&told(&Table::of(&merged)), &naive);
            prop_assert_eq!(&told(&Table::of_blocks(&blocks)), &naive);
        }
    }
}
