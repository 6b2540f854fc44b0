//! User agents that a worker saw lately, and what a follow wants of them.
//!
//! Millions of followers share some hundred of them, and searching one for the names of programs costs more than all else
//! that is asked about who follows. A text is compared byte by byte before it counts as known; its hash only says where
//! to look. Never answers otherwise than [`Agent::of`] but for what is read of a text that is met again.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::domain::click::{ClickFlags, cut};
use crate::domain::user_agent::{self, USER_AGENT_MAX, UserAgent};
use crate::domain::visitor;

/// User agents that a worker remembers. 512: the browsers inside the large apps differ by phone, version and language;
/// with 200 bytes each some 130 KB.
const SLOTS: usize = 512;

/// What a follow wants of a user agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agent {
    /// [`ClickFlags::BOT`] and [`ClickFlags::PREVIEW`], or none.
    pub class: ClickFlags,
    /// See [`visitor::agent_digest`].
    pub digest: [u8; visitor::AGENT],
    /// What the click log keeps of it; `None` when it is met for the first time in a while: then the log's writer reads
    /// the text, so that no follow waits for that but the second.
    pub parsed: Option<UserAgent>,
}

impl Agent {
    /// Reads `text`, of which no more than [`USER_AGENT_MAX`] bytes count.
    fn of(text: &str) -> Self {
        let text = cut(text, USER_AGENT_MAX);
        let mut class = ClickFlags::default();
        if user_agent::is_bot(text) {
            class = class.with(ClickFlags::BOT);
            if user_agent::is_preview(text) {
                class = class.with(ClickFlags::PREVIEW);
            }
        }
        Self {
            class,
            digest: visitor::agent_digest(text),
            parsed: None,
        }
    }
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct Agents {
    hasher: RandomState,
    slots: Box<[Slot]>,
}

/// A remembered user agent.
#[derive(Debug, Clone)]
struct Slot {
    text: String,
    agent: Agent,
}

impl Agents {
    /// None is known.
    pub fn new() -> Self {
        Self::with_slots(SLOTS)
    }

    fn with_slots(slots: usize) -> Self {
        let empty = Slot {
            text: String::new(),
            agent: Agent::of(""),
        };
        Self {
            hasher: RandomState::default(),
            slots: vec![empty; slots].into(),
        }
    }

    /// What a follow wants of `text`.
    pub fn read(&mut self, text: &str) -> Agent {
        let text = cut(text, USER_AGENT_MAX);
        let place = self.hasher.hash_one(text) as usize % self.slots.len();
        let slot = &mut self.slots[place];
        if slot.text != text {
            slot.agent = Agent::of(text);
            slot.text.clear();
            slot.text.push_str(text);
        } else if slot.agent.parsed.is_none() {
            slot.agent.parsed = Some(user_agent::parse(text));
        }
        slot.agent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_are_kept_and_given_way() {
        let mut agents = Agents::with_slots(1);
        let (bot, preview) = (ClickFlags::BOT, ClickFlags::BOT.with(ClickFlags::PREVIEW));
        let person = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148";
        for (text, class) in [
            ("", bot),
            (person, ClickFlags::default()),
            (person, ClickFlags::default()),
            ("curl/8.5.0", bot),
            ("WhatsApp/2.23.20.0", preview),
            (person, ClickFlags::default()),
        ] {
            assert_eq!(agents.read(text).class, class, "{text}");
        }
        assert_ne!(agents.read(person).digest, agents.read("curl/8.5.0").digest);
        let long = "x".repeat(USER_AGENT_MAX);
        let cut_off = agents.read(&format!("{long}Googlebot"));
        assert_eq!(agents.read(&long).class, cut_off.class);
        assert_eq!(
            (cut_off.parsed, agents.read(&long).parsed),
            (None, Some(user_agent::parse(&long)))
        );
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_what_would_be_read(
            texts in proptest::collection::vec("(a|b|bot/|curl/|Mozilla|WhatsApp/|\u{e4}){0,3}", 1..60),
            slots in 1usize..4,
        ) {
            let mut agents = Agents::with_slots(slots);
            for text in &texts {
                let read = agents.read(text);
                prop_assert!(read.parsed.is_none_or(|parsed| parsed == user_agent::parse(text)), "{}", text);
                prop_assert_eq!(Agent { parsed: None, ..read }, Agent::of(text), "{}", text);
            }
        }
    }
}
