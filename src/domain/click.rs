//! A click: one follow of a link, as logged.
//!
//! Holds no address and no raw user agent. The click id is derived from node, time, sequence and link, never stored.

use std::sync::Arc;

use super::id::{DomainNo, LinkNo, WorkspaceNo};
use super::time::Timestamp;
use super::user_agent::UserAgent;
use super::visitor::Touch;

/// Longest referrer that is kept, in bytes.
pub const REFERRER_MAX: usize = 512;
/// Longest value of a UTM parameter that is kept, in bytes.
pub const UTM_MAX: usize = 255;
/// Longest language tag that is kept, in bytes (RFC 5646 section 4.4.1).
pub const LANGUAGE_MAX: usize = 35;
/// The UTM parameters in the order in which [`Click::utm`] holds them.
pub const UTM_NAMES: [&str; 5] = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"];

/// Facts about a click, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ClickFlags(pub u16);

impl ClickFlags {
    /// A program, by its user agent.
    pub const BOT: Self = Self(1);
    /// A bot that fetches a card for a chat or a feed; always with [`Self::BOT`].
    pub const PREVIEW: Self = Self(1 << 1);
    /// The browser fetched ahead of any tap.
    pub const PREFETCH: Self = Self(1 << 2);
    /// Method HEAD.
    pub const HEAD: Self = Self(1 << 3);
    /// Marked as test traffic with a valid key.
    pub const TEST: Self = Self(1 << 4);
    /// The same visitor followed the same link within the dedupe window.
    pub const REPEAT: Self = Self(1 << 5);
    /// Came through a QR code.
    pub const QR: Self = Self(1 << 6);
    /// Opted out of being recognised: no cookie, no visitor, no journey.
    pub const OPTED_OUT: Self = Self(1 << 7);
    /// A use of a link with a click limit: a person's GET that got its destination.
    pub const USE: Self = Self(1 << 8);
    /// The click id was sent along to the destination.
    pub const ID_SENT: Self = Self(1 << 9);
    /// Got the landing page, with the shop a tap away.
    pub const PAGE: Self = Self(1 << 10);
    /// Not a follow: the tap on a landing page's button; [`Click::tapped`] says of which click.
    pub const TAP: Self = Self(1 << 11);
    /// What could tell who it was has been erased on request; the click still counts.
    pub const ERASED: Self = Self(1 << 12);

    /// Whether all bits of `other` are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags and those of `other`.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The class under which the click is counted.
    pub fn class(self) -> ClickClass {
        let others = Self::TEST.0 | Self::HEAD.0 | Self::BOT.0 | Self::PREFETCH.0 | Self::REPEAT.0;
        if self.has(Self::TAP) {
            if self.0 & others == 0 {
                ClickClass::Tap
            } else {
                ClickClass::OtherTap
            }
        } else if self.has(Self::TEST) {
            ClickClass::Test
        } else if self.has(Self::HEAD) {
            ClickClass::Head
        } else if self.has(Self::BOT) {
            ClickClass::Bot
        } else if self.has(Self::PREFETCH) {
            ClickClass::Prefetch
        } else if self.has(Self::REPEAT) {
            ClickClass::Repeat
        } else {
            ClickClass::Human
        }
    }
}

/// What a click counts as. Reports show [`Self::Human`] and, on request, others; each click is in exactly one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ClickClass {
    /// A person's navigation.
    Human = 0,
    /// A person's, again within the dedupe window.
    Repeat = 1,
    /// A program, previews included.
    Bot = 2,
    /// Fetched ahead of a tap.
    Prefetch = 3,
    /// Method HEAD.
    Head = 4,
    /// Test traffic.
    Test = 5,
    /// A person's tap on a landing page's button. No click: it belongs to one.
    Tap = 6,
    /// A tap that does not count: again within the dedupe window, a program's, test traffic.
    OtherTap = 7,
}

/// Number of classes; the length of every array of counts by class.
pub const CLASSES: usize = 8;

impl ClickClass {
    /// The class stored as `code`.
    pub fn of_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Human,
            1 => Self::Repeat,
            2 => Self::Bot,
            3 => Self::Prefetch,
            4 => Self::Head,
            5 => Self::Test,
            6 => Self::Tap,
            7 => Self::OtherTap,
            _ => return None,
        })
    }
}

/// The classes that a report includes, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClassSet(u8);

impl Default for ClassSet {
    fn default() -> Self {
        Self(1)
    }
}

impl ClassSet {
    /// `class` and nothing else.
    pub fn only(class: ClickClass) -> Self {
        Self(1 << class as u8)
    }

    /// Adds `class`.
    #[must_use]
    pub fn including(self, class: ClickClass) -> Self {
        Self(self.0 | 1 << class as u8)
    }

    /// Whether `class` is in the report.
    pub fn has(self, class: ClickClass) -> bool {
        self.0 >> (class as u8) & 1 == 1
    }

    /// Reads `include=repeats,bots,prefetch,head,test`; people are always included.
    ///
    /// # Errors
    /// The first word that is none of these.
    pub fn parse(include: &str) -> Result<Self, String> {
        include
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .try_fold(Self::default(), |set, word| {
                let class = match word {
                    "repeats" => ClickClass::Repeat,
                    "bots" => ClickClass::Bot,
                    "prefetch" => ClickClass::Prefetch,
                    "head" => ClickClass::Head,
                    "test" => ClickClass::Test,
                    other => return Err(other.to_owned()),
                };
                Ok(set.including(class))
            })
    }

    /// The sum of those of `counts` that belong to the report.
    pub fn sum(self, counts: &[u64; CLASSES]) -> u64 {
        counts
            .iter()
            .enumerate()
            .filter(|(class, _)| self.0 >> class & 1 == 1)
            .map(|(_, count)| count)
            .sum()
    }
}

/// What the follower got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Outcome {
    /// The link's destination.
    #[default]
    Destination = 0,
    /// The cart as written.
    Cart = 1,
    /// The cart with at least one item replaced by its fallback.
    CartWithFallback = 2,
    /// The cart without at least one item that was out of stock.
    CartReduced = 3,
    /// The page for carts of which nothing can be bought.
    OutOfStock = 4,
}

impl Outcome {
    /// The stored number's meaning; numbers of a newer version read as a destination.
    pub fn of_code(code: u8) -> Self {
        match code {
            1 => Self::Cart,
            2 => Self::CartWithFallback,
            3 => Self::CartReduced,
            4 => Self::OutOfStock,
            _ => Self::Destination,
        }
    }
}

/// The click that a tap belongs to, as its click id names it; node and link are the tap's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tapped {
    pub sequence: u64,
    pub at: Timestamp,
}

/// One click with everything that reports need of it. Clicks that come together share the texts that they have in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Click {
    /// Position in this node's sequence: unique, growing, not free of gaps.
    pub sequence: u64,
    /// When the request was answered.
    pub at: Timestamp,
    pub workspace: WorkspaceNo,
    pub domain: DomainNo,
    pub link: LinkNo,
    pub flags: ClickFlags,
    pub outcome: Outcome,
    /// The visitor; 0 = nobody (opted out, a bot, HEAD).
    pub visitor: u64,
    /// Number of the A/B variant that was chosen, from 1; 0 = none.
    pub variant: u8,
    /// ISO 3166-1 alpha-2; zeros = unknown.
    pub country: [u8; 2],
    /// Region and city, as in [`super::locality`]; empty = unknown.
    pub locality: Arc<str>,
    pub user_agent: UserAgent,
    /// First tag of Accept-Language, such as `de-DE`; empty = none.
    pub language: Arc<str>,
    /// Referrer without its query; empty = none.
    pub referrer: Arc<str>,
    /// UTM parameters as in [`UTM_NAMES`]; empty = none.
    pub utm: Arc<[Box<str>; 5]>,
    /// The links that the cookie showed, oldest first, without this click.
    pub journey: Vec<Touch>,
    /// There if and only if [`ClickFlags::TAP`] is set.
    pub tapped: Option<Tapped>,
}

/// Clicks whose details were lost because a queue or a disk was full: the count is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostDetail {
    /// When the last of them happened.
    pub at: Timestamp,
    pub workspace: WorkspaceNo,
    pub link: LinkNo,
    pub class: ClickClass,
    /// Whether they were uses of a link with a click limit.
    pub is_use: bool,
    /// How many.
    pub count: u32,
}

/// `text` cut to at most `max` bytes at a character boundary.
pub fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let end = (0..=max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_click_is_in_one_class() {
        type F = ClickFlags;
        for (flags, class) in [
            (F::default(), ClickClass::Human),
            (F::QR.with(F::USE), ClickClass::Human),
            (F::REPEAT, ClickClass::Repeat),
            (F::BOT.with(F::REPEAT), ClickClass::Bot),
            (F::PREFETCH.with(F::BOT), ClickClass::Bot),
            (F::PREFETCH, ClickClass::Prefetch),
            (F::HEAD.with(F::BOT), ClickClass::Head),
            (F::TEST.with(F::BOT), ClickClass::Test),
            (F::TAP.with(F::ID_SENT), ClickClass::Tap),
            (F::TAP.with(F::REPEAT), ClickClass::OtherTap),
            (F::TAP.with(F::TEST), ClickClass::OtherTap),
        ] {
            assert_eq!(flags.class(), class, "{flags:?}");
        }
    }

    #[test]
    fn reports_include_what_they_name() {
        let counts = [1000, 10, 20, 30, 40, 50, 60, 70];
        assert_eq!(ClassSet::default().sum(&counts), 1000);
        assert_eq!(
            ClassSet::parse("repeats, bots").expect("known words").sum(&counts),
            1030
        );
        assert_eq!(ClassSet::parse("people"), Err("people".to_owned()));
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("grün", 3), "gr");
        assert_eq!(cut("grün", 4), "grü");
        assert_eq!(cut("grün", 40), "grün");
    }
}
