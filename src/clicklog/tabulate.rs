//! Counts a checkpoint's clicks by dimension and adds them to the facets that sled has.
//!
//! A click is counted once, under its link and hour, in five small tables; the eleven dimensions, the link's day and the
//! workspace's hour are made of those afterwards. This is most of what facets cost a click.

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::{CLASSES, Click, ClickFlags};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::{HOUR_MS, Timestamp};
use crate::domain::user_agent::UserAgent;

use super::dimension::{Dimension, FACETS, country_key, host, trigger_key};
use super::error::StoreError;
use super::facets::Facets;
use super::key;
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

/// One link's clicks in one hour.
#[derive(Default)]
struct Group<'a> {
    countries: HashMap<&'a [u8; 2], Counts>,
    agents: HashMap<UserAgent, Counts>,
    referrers: HashMap<&'a str, Counts>,
    utms: HashMap<&'a [Box<str>; 5], Counts>,
    triggers: [Counts; 2],
}

impl<'a> Group<'a> {
    fn add(&mut self, click: &'a Click) {
        let class = click.flags.class() as usize;
        self.countries.entry(&click.country).or_default()[class] += 1;
        self.agents.entry(click.user_agent).or_default()[class] += 1;
        self.referrers.entry(&click.referrer).or_default()[class] += 1;
        self.utms.entry(&click.utm).or_default()[class] += 1;
        self.triggers[usize::from(click.flags.has(ClickFlags::QR))][class] += 1;
    }

    fn facets(&self) -> Facets {
        let mut facets = Facets::new();
        for (facet, by) in FACETS.iter().enumerate() {
            let mut add = |key: &[u8], counts: &Counts| facets.add(facet, key, counts);
            match by {
                Dimension::Country => self.countries.iter().for_each(|(code, n)| add(country_key(code), n)),
                Dimension::Device | Dimension::Browser | Dimension::Os => {
                    self.agents.iter().for_each(|(agent, n)| add(agent_key(*by, *agent), n));
                }
                Dimension::Trigger => self
                    .triggers
                    .iter()
                    .zip([false, true])
                    .filter(|(n, _)| **n != [0; CLASSES])
                    .for_each(|(n, is_qr)| add(trigger_key(is_qr), n)),
                Dimension::Referrer => self
                    .referrers
                    .iter()
                    .for_each(|(text, n)| add(host(text).as_bytes(), n)),
                _ => self
                    .utms
                    .iter()
                    .for_each(|(texts, n)| add(texts[by.utm_place()].as_bytes(), n)),
            }
        }
        facets
    }
}

fn agent_key(by: Dimension, agent: UserAgent) -> &'static [u8] {
    let code = match by {
        Dimension::Device => agent.device as u8,
        Dimension::Browser => agent.browser as u8,
        _ => agent.os as u8,
    };
    let place = usize::from(code);
    &BYTES[place..=place]
}

/// The key of `click` in each facet.
pub(super) fn keys(click: &Click) -> [Vec<u8>; FACETS.len()] {
    FACETS.map(|by| {
        let key = match by {
            Dimension::Country => country_key(&click.country),
            Dimension::Device | Dimension::Browser | Dimension::Os => agent_key(by, click.user_agent),
            Dimension::Trigger => trigger_key(click.flags.has(ClickFlags::QR)),
            Dimension::Referrer => host(&click.referrer).as_bytes(),
            _ => click.utm[by.utm_place()].as_bytes(),
        };
        key.to_vec()
    })
}

/// The keys of the facets in which a click counts.
pub(super) fn places(workspace: WorkspaceNo, link: LinkNo, at: Timestamp) -> [Vec<u8>; 2] {
    [
        key::link_facets(workspace, link, at.day()).to_vec(),
        key::workspace_facets(workspace, at.hour()).to_vec(),
    ]
}

/// Adds `clicks` to the facets of their links' days and their workspaces' hours.
pub(super) fn put_facets(
    store: &Store,
    clicks: &[&Click],
    through: u64,
    batch: &mut sled::Batch,
) -> Result<(), StoreError> {
    let mut groups: HashMap<(WorkspaceNo, LinkNo, u32), Group<'_>> = HashMap::new();
    for click in clicks {
        let place = (click.workspace, click.link, click.at.hour());
        groups.entry(place).or_default().add(click);
    }
    let mut sums: HashMap<Vec<u8>, Facets> = HashMap::new();
    for ((workspace, link, hour), group) in &groups {
        let facets = group.facets();
        for key in places(*workspace, *link, Timestamp(i64::from(*hour) * HOUR_MS)) {
            match sums.get_mut(&key) {
                Some(sum) => sum.add_all(&facets),
                None => {
                    sums.insert(key, facets.clone());
                }
            }
        }
    }
    for (key, mut sum) in sums {
        if let Some(body) = store.get(&key)? {
            sum.add_all(&Facets::read(&body)?);
        }
        sum.through = through;
        let value = seal(&key, &sum.body());
        batch.insert(key, value);
    }
    Ok(())
}
