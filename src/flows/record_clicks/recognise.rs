//! Makes a click of what the hot path saw: who it was, whether it is a repeat, which device; texts once a batch.
//!
//! Never waits and never writes. What it remembers is bounded.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt, quality};

use crate::domain::click::{Click, ClickClass, ClickFlags};
use crate::domain::id::LinkNo;
use crate::domain::locality;
use crate::domain::recognition::{Recognition, Seen};
use crate::domain::user_agent::{self, UserAgent};
use crate::redirect::lane::NewClick;

/// User agents whose parse is remembered; more than a day's different apps.
const AGENTS_MAX: usize = 8_192;

/// Remembers what the next click may have in common with those before.
pub(super) struct Recogniser {
    recognition: Recognition,
    agents: Agents,
    texts: Texts,
}

impl Recogniser {
    /// With a dedupe window of `window_ms`.
    pub(super) fn new(window_ms: i64) -> Self {
        Self {
            recognition: Recognition::new(window_ms),
            agents: Agents::default(),
            texts: Texts::default(),
        }
    }

    /// The click that `new` tells of.
    pub(super) fn click(&mut self, new: &NewClick<'_>) -> Click {
        let recognition = &mut self.recognition;
        let seen = Seen {
            known: new.visitor_known,
            new: new.visitor_new,
            identity: new.identity,
        };
        let mut flags = new.flags;
        let visitor = if flags.has(ClickFlags::TEST) {
            // Test traffic leaves nothing in the memory: nobody else becomes the visitor that it was.
            if seen.known == 0 { seen.new } else { seen.known }
        } else {
            recognition.visitor(seen, new.at)
        };
        // A tap belongs to its click, so that click is what can be tapped twice.
        if flags.class() == ClickClass::Tap
            && let Some(tapped) = new.tapped
            && recognition.is_tapped_again(tapped.sequence, new.link, new.at)
        {
            flags = flags.with(ClickFlags::REPEAT);
        }
        // Only what counts can be repeated, and only that is remembered.
        if flags.class() == ClickClass::Human && recognition.is_repeat(visitor, new.link, new.at) {
            flags = flags.with(ClickFlags::REPEAT);
        }
        Click {
            sequence: new.sequence,
            at: new.at,
            workspace: new.workspace,
            domain: new.domain,
            link: new.link,
            flags,
            outcome: new.outcome,
            visitor,
            variant: new.variant,
            country: new.country,
            locality: self.texts.of(&locality::of(new.country, new.region, new.city)),
            user_agent: self.agents.parse(new.user_agent),
            language: self.texts.of(new.language),
            referrer: self.texts.of(new.referrer),
            utm: self.texts.utm(new.link, &new.utm),
            journey: new.journey.to_vec(),
            tapped: new.tapped,
        }
    }

    /// The clicks so far go their way together: the next ones share no text with them.
    pub(super) fn end_batch(&mut self) {
        self.texts.clear();
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

/// Texts of one batch, each made once: a batch goes to another thread as a whole, so that no two threads count the
/// owners of a text at a time.
struct Texts {
    all: HashSet<Arc<str>, foldhash::fast::RandomState>,
    /// The UTM parameters that a link had last: they come from the link, so all its clicks have the same.
    utms: HashMap<LinkNo, Arc<[Box<str>; 5]>>,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            all: HashSet::default(),
            utms: HashMap::new(),
        }
    }
}

impl Texts {
    fn of(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.all.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.all.insert(Arc::clone(&new));
        new
    }

    fn utm(&mut self, link: LinkNo, texts: &[&str; 5]) -> Arc<[Box<str>; 5]> {
        let last = self.utms.get(&link);
        if let Some(same) = last.filter(|last| last.iter().zip(texts).all(|(known, text)| **known == **text)) {
            return Arc::clone(same);
        }
        let new = Arc::new(texts.map(Box::from));
        self.utms.insert(link, Arc::clone(&new));
        new
    }

    fn clear(&mut self) {
        self.all.clear();
        self.utms.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_of_a_batch_share_their_texts() {
        let mut texts = Texts::default();
        let utm = ["a", "", "b", "", ""];
        let (first, again) = (texts.of("de-DE"), texts.of("de-DE"));
        assert!(Arc::ptr_eq(&first, &again));
        let (of_link, same) = (texts.utm(LinkNo(1), &utm), texts.utm(LinkNo(1), &utm));
        assert!(Arc::ptr_eq(&of_link, &same));
        let other = texts.utm(LinkNo(1), &["a", "", "b", "c", ""]);
        assert_eq!((&*other[3], &*of_link[3]), ("c", ""));
        texts.clear();
        assert!(!Arc::ptr_eq(&first, &texts.of("de-DE")));
    }

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
