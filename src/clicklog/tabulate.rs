//! What clicks are alike in, and which dimensions that tells: a click is five traits by number.
//!
//! The twelve dimensions of facets are made of those, once for all clicks that have them.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::{Click, ClickFlags};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;
use crate::domain::user_agent::UserAgent;

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

/// The traits of `click`.
pub(super) fn traits_of(click: &Click) -> [OwnTrait; 5] {
    Trait::all(click).map(|one| match one {
        Trait::Place(country, area) => OwnTrait::Place(*country, area.into()),
        Trait::Agent(agent) => OwnTrait::Agent(agent),
        Trait::Referrer(text) => OwnTrait::Referrer(Arc::clone(text)),
        Trait::Utm(texts) => OwnTrait::Utm(Arc::clone(texts)),
        Trait::Trigger(is_qr) => OwnTrait::Trigger(is_qr),
    })
}
