//! Counts a checkpoint's clicks by dimension and adds them to the facets that sled has.
//!
//! Looks at each distinct value of a block once, with what its encoder found out: a click is then five counts by number.
//! The twelve dimensions, the link's day and the workspace's hour are made of those afterwards.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::{CLASSES, Click, ClickFlags};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::{HOUR_MS, Timestamp};
use crate::domain::user_agent::UserAgent;

use super::block::Cut;
use super::dimension::{Dimension, FACETS, area_key, country_key, host, trigger_key};
use super::error::StoreError;
use super::facets::Facets;
use super::key;
use super::pending::Frame;
use super::store::Store;
use super::value::{Counts, seal};

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
enum Trait<'c> {
    /// Country, and area as `area_key` names it.
    Place(&'c [u8; 2], &'c str),
    Agent(UserAgent),
    Referrer(&'c str),
    Utm(&'c [Box<str>; 5]),
    Trigger(bool),
}

impl<'c> Trait<'c> {
    /// The key in dimension `by`; `None` when this does not tell it.
    fn key(self, by: Dimension) -> Option<&'c [u8]> {
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
struct Numbers<K> {
    of: HashMap<K, u32>,
    values: Vec<K>,
}

impl<K: Copy + Eq + std::hash::Hash> Numbers<K> {
    fn new() -> Self {
        Self {
            of: HashMap::new(),
            values: Vec::new(),
        }
    }

    fn of(&mut self, value: K) -> u32 {
        *self.of.entry(value).or_insert_with(|| {
            self.values.push(value);
            self.values.len() as u32 - 1
        })
    }

    /// The numbers of a block's distinct values, of which `picks` says who has which.
    fn of_column<'c>(&mut self, clicks: &[&'c Click], picks: &[u64], value: impl Fn(&'c Click) -> K) -> Vec<u32> {
        let mut numbers = Vec::new();
        for (click, pick) in clicks.iter().copied().zip(picks) {
            // Picks count up in order of first use.
            if *pick == numbers.len() as u64 {
                numbers.push(self.of(value(click)));
            }
        }
        numbers
    }
}

/// Clicks of a checkpoint, counted by what they are alike in.
pub(super) struct Table<'c> {
    /// Links and hours.
    groups: Numbers<(WorkspaceNo, LinkNo, u32)>,
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
    /// Counts the clicks of a block.
    pub(super) fn add(&mut self, (clicks, picks): Cut<'_, 'c>) {
        let group = |click: &Click| (click.workspace, click.link, click.at.hour());
        let groups = self.groups.of_column(clicks, &picks.place, group);
        // Where no more than the country is known, the first click of a locality says nothing of the next one's.
        let bare = |click: &'c Click| Trait::Place(&click.country, area_key(&click.country, ""));
        let countries = self.traits.of_column(clicks, &picks.country, bare);
        let localities = self.traits.of_column(clicks, &picks.locality, Trait::place);
        let agents = self
            .traits
            .of_column(clicks, &picks.user_agent, |click| Trait::Agent(click.user_agent));
        let referrers = self
            .traits
            .of_column(clicks, &picks.referrer, |click| Trait::Referrer(&click.referrer));
        let utms = self
            .traits
            .of_column(clicks, &picks.utm, |click| Trait::Utm(&click.utm));
        let triggers = [false, true].map(|is_qr| self.traits.of(Trait::Trigger(is_qr)));
        for (row, click) in clicks.iter().enumerate() {
            let class = click.flags.class() as usize;
            let group = groups[picks.place[row] as usize];
            let place = match picks.locality.get(row) {
                Some(pick) if !click.locality.is_empty() => localities[*pick as usize],
                _ => countries[picks.country[row] as usize],
            };
            for number in [
                place,
                agents[picks.user_agent[row] as usize],
                referrers[picks.referrer[row] as usize],
                utms[picks.utm[row] as usize],
                triggers[usize::from(click.flags.has(ClickFlags::QR))],
            ] {
                self.counts.entry((group, number)).or_default()[class] += 1;
            }
        }
    }

    /// Adds what was counted, the clicks of `frames`, to the facets of the links' days and the workspaces' hours.
    pub(super) fn put(
        &self,
        store: &Store,
        frames: &[Arc<Frame>],
        through: u64,
        batch: &mut sled::Batch,
    ) -> Result<(), StoreError> {
        let first_index = frames.first().map_or(u64::MAX, |frame| frame.index);
        let mut places: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (group, (workspace, link, hour)) in self.groups.values.iter().enumerate() {
            let start = Timestamp(i64::from(*hour) * HOUR_MS);
            for key in self::places(*workspace, *link, start) {
                places.entry(key).or_default().push(group);
            }
        }
        let facets = self.facets();
        for (key, groups) in places {
            let stored = store.get(&key)?;
            let mut sum = match &stored {
                Some(body) => Facets::read(body)?,
                None => Facets::new(),
            };
            if sum.through < first_index {
                groups.iter().for_each(|group| sum.add_all(&facets[*group]));
            } else {
                add_after(&mut sum, frames, &key);
            }
            sum.through = sum.through.max(through);
            batch.insert(&*key, seal(&key, &sum.body()));
        }
        Ok(())
    }

    /// The facets of each group.
    fn facets(&self) -> Vec<Facets<'c>> {
        let mut facets: Vec<Facets<'c>> = self.groups.values.iter().map(|_| Facets::new()).collect();
        // Hosts are looked up in referrers once, not once a group.
        let keys: Vec<Vec<(usize, &'c [u8])>> = self.traits.values.iter().map(|t| told(*t)).collect();
        for ((group, number), counts) in &self.counts {
            let counts: Counts = counts.map(u64::from);
            for (facet, key) in &keys[*number as usize] {
                facets[*group as usize].add(*facet, key, &counts);
            }
        }
        facets
    }
}

/// Adds the clicks of frames that facets under `key` do not count yet: those that a backup brought may be ahead of the
/// watermark.
fn add_after<'c>(facets: &mut Facets<'c>, frames: &'c [Arc<Frame>], key: &[u8]) {
    let through = facets.through;
    let after = frames.iter().filter(|frame| frame.index > through);
    for click in after.flat_map(|frame| &frame.clicks) {
        if places(click.workspace, click.link, click.at)
            .iter()
            .any(|place| place == key)
        {
            let mut one = Counts::default();
            one[click.flags.class() as usize] = 1;
            for (facet, key) in keys(click).into_iter().enumerate() {
                facets.add(facet, key, &one);
            }
        }
    }
}

/// The facets that a trait tells, and its key in each.
fn told(of: Trait<'_>) -> Vec<(usize, &[u8])> {
    let facets = FACETS.iter().enumerate();
    facets
        .filter_map(|(facet, by)| of.key(*by).map(|key| (facet, key)))
        .collect()
}
