//! Makes a click of what the hot path saw: who it was, whether it is a repeat, which device.
//!
//! Never waits and never writes. What it remembers is bounded.

use std::hash::BuildHasher;
use std::hint::black_box;

use foldhash::{HashMap, quality};

use crate::clicklog::{Drain, NewRow};
use crate::domain::click::{ClickClass, ClickFlags};
use crate::domain::id::LinkNo;
use crate::domain::locality;
use crate::domain::recognition::{Forgotten, Recognition, Seen};
use crate::domain::time::Timestamp;
use crate::domain::user_agent::{self, UserAgent};
use crate::redirect::lane::{Agent, NewClick};

/// User agents whose parse is remembered; more than a day's different apps.
const AGENTS_MAX: usize = 8_192;

/// Remembers what the next click may have in common with those before.
pub(super) struct Recogniser {
    recognition: Recognition,
    agents: Agents,
    /// Clicks of the batch that nobody was recognised in yet.
    unknown: Vec<Unknown>,
}

/// What a click's visitor and class depend on.
struct Unknown {
    row: u32,
    link: LinkNo,
    seen: Seen,
    /// Once it is known.
    visitor: u64,
    at: Timestamp,
    flags: ClickFlags,
    /// Of the click that was tapped, where the flags say that it is a tap.
    tapped: u64,
}

impl Recogniser {
    /// With a dedupe window of `window_ms`.
    pub(super) fn new(window_ms: i64) -> Self {
        Self {
            recognition: Recognition::new(window_ms),
            agents: Agents::default(),
            unknown: Vec::new(),
        }
    }

    /// Adds the click that `new` tells of to `batch`; who made it is left to [`Self::recognise`].
    pub(super) fn take(&mut self, new: &NewClick<'_>, batch: &mut Drain) {
        self.unknown.push(Unknown {
            row: batch.clicks() as u32,
            seen: Seen {
                known: new.visitor_known,
                new: new.visitor_new,
                identity: new.identity,
            },
            visitor: 0,
            at: new.at,
            link: new.link,
            flags: new.flags,
            tapped: new.tapped.map_or(0, |tapped| tapped.sequence),
        });
        let locality = match (new.region, new.city) {
            ("", "") => String::new(),
            (region, city) => locality::of(new.country, region, city),
        };
        batch.push(NewRow {
            sequence: new.sequence,
            at: new.at,
            workspace: new.workspace,
            domain: new.domain,
            link: new.link,
            flags: new.flags,
            outcome: new.outcome,
            visitor: 0,
            variant: new.variant,
            country: new.country,
            locality: &locality,
            user_agent: match new.user_agent {
                Agent::Text(text) => self.agents.parse(text),
                Agent::Parsed(parsed) => parsed,
            },
            language: new.language,
            referrer: new.referrer,
            utm: new.utm,
            journey: new.journey,
            tapped: new.tapped,
        });
    }

    /// What it had to forget before its time, since the start.
    pub(super) fn forgotten(&self) -> Forgotten {
        self.recognition.forgotten()
    }

    /// Says who made the clicks that were taken since the last call, and which are repeats.
    ///
    /// Visitors and follows lie all over their memories. All of their places are looked at first, one right after the
    /// other, so that the processor waits for many at once.
    pub(super) fn recognise(&mut self, batch: &mut Drain) {
        let Self {
            recognition, unknown, ..
        } = self;
        let places = unknown.iter().map(|click| recognition.look_for_visitor(click.seen));
        black_box(places.fold(0, |all, place| all ^ place));
        for click in unknown.iter_mut() {
            click.visitor = if click.flags.has(ClickFlags::TEST) {
                // Test traffic leaves nothing in the memory: nobody else becomes the visitor that it was.
                if click.seen.known == 0 {
                    click.seen.new
                } else {
                    click.seen.known
                }
            } else {
                recognition.visitor(click.seen, click.at)
            };
        }
        let places = unknown
            .iter()
            .map(|click| recognition.look_for_repeat(click.visitor, click.link));
        black_box(places.fold(0, |all, place| all ^ place));
        for click in unknown.drain(..) {
            let mut flags = click.flags;
            // A tap belongs to its click, so that click is what can be tapped twice.
            if flags.class() == ClickClass::Tap && recognition.is_tapped_again(click.tapped, click.link, click.at) {
                flags = flags.with(ClickFlags::REPEAT);
            }
            // Only what counts can be repeated, and only that is remembered.
            if flags.class() == ClickClass::Human && recognition.is_repeat(click.visitor, click.link, click.at) {
                flags = flags.with(ClickFlags::REPEAT);
            }
            batch.recognise(click.row as usize, click.visitor, flags);
        }
    }
}

/// Parsed user agents, by a hash of their text under a key of this process: comparing texts of a hundred bytes, each
/// somewhere else in memory, costs more than all else that recognising does. Two that meet in 64 bits would be taken for
/// one device: it takes some five billion different ones for an even chance.
#[derive(Default)]
struct Agents {
    hasher: quality::RandomState,
    parsed: HashMap<u64, UserAgent>,
}

impl Agents {
    fn parse(&mut self, text: &str) -> UserAgent {
        let hash = self.hasher.hash_one(text);
        if let Some(known) = self.parsed.get(&hash) {
            return *known;
        }
        if self.parsed.len() >= AGENTS_MAX {
            self.parsed.clear();
        }
        let parsed = user_agent::parse(text);
        self.parsed.insert(hash, parsed);
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_parsed_once_and_forgotten_in_time() {
        let mut agents = Agents::default();
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Instagram 300.0";
        assert_eq!(agents.parse(phone), user_agent::parse(phone));
        assert_ne!(agents.parse("curl/8.0"), agents.parse(phone));
        for n in 0..=AGENTS_MAX {
            agents.parse(&format!("app/{n}"));
        }
        assert!(agents.parsed.len() <= AGENTS_MAX);
        assert_eq!(agents.parse(phone), user_agent::parse(phone));
    }
}
