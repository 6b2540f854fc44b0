//! Counts a checkpoint's clicks by dimension, for the backlog to add up.
//!
//! Looks at each distinct value of a block once, with what its encoder found out: a click is then five counts by number.
//! The twelve dimensions, the link's day and the workspace's hour are made of those afterwards.

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::{CLASSES, Click, ClickFlags};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;
use crate::domain::user_agent::UserAgent;

use super::block::Cut;
use super::dimension::{Dimension, FACETS, area_key, country_key, host, trigger_key};
use super::key;

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
    Referrer(&'c str),
    Utm(&'c [Box<str>; 5]),
    Trigger(bool),
}

/// A trait that outlives the click that it was seen in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum OwnTrait {
    Place([u8; 2], Box<str>),
    Agent(UserAgent),
    Referrer(Box<str>),
    Utm([Box<str>; 5]),
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
            Self::Referrer(text) => OwnTrait::Referrer(text.into()),
            Self::Utm(texts) => OwnTrait::Utm(texts.clone()),
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

    /// Counts `clicks`, however they are encoded.
    pub(super) fn of(clicks: &[&'c Click]) -> Self {
        let mut table = Self::default();
        for click in clicks {
            let group = table.groups.of((click.workspace, click.link, click.at.hour()));
            for one in Trait::all(click) {
                let number = table.traits.of(one);
                table.counts.entry((group, number)).or_default()[click.flags.class() as usize] += 1;
            }
        }
        table
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
