//! Ninety days of followers: creators post, links are hot for some days, evenings are busy, and now and then one video
//! goes viral. Made up, and the same for the same number of clicks.

use std::collections::VecDeque;

use hopcart::domain::click::{ClickFlags, Outcome};
use hopcart::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use hopcart::domain::time::{DAY_MS, Timestamp};
use hopcart::domain::visitor::Touch;
use hopcart::redirect::lane::{Agent, NewClick};

use super::agents;

pub const DAYS: u64 = 90;
pub const WORKSPACES: u32 = 20;
/// Each workspace has some forty creators with a few links each.
pub const LINKS: u32 = 2_400;
/// The workspace that questions are about: an average one.
pub const ASKED: WorkspaceNo = WorkspaceNo(7);
/// 2025-08-23T00:00:00Z: what the real server adds lies long after.
pub const START: Timestamp = Timestamp(1_755_907_200_000);
const HOUR_MS: u64 = 3_600_000;
/// How busy an hour of the day is, UTC.
const HOURS: [u64; 24] = [
    30, 22, 16, 12, 10, 12, 18, 28, 38, 44, 48, 52, 58, 60, 60, 62, 68, 78, 92, 100, 98, 84, 62, 44,
];
/// One day in six a video goes viral: so many times the usual from 18 to 21 h, on one link.
const VIRAL_EVERY: u64 = 6;
const VIRAL_TIMES: u64 = 5;
/// Visitors who may come back: those of the last days.
const REMEMBERED: usize = 1 << 20;

const COUNTRIES: [[u8; 2]; 16] = [
    *b"US", *b"US", *b"US", *b"DE", *b"DE", *b"GB", *b"FR", *b"BR", *b"US", *b"ES", *b"IT", *b"NL", *b"PL", *b"CA",
    *b"MX", *b"AT",
];
const LANGUAGES: [&str; 8] = ["en-US", "en-US", "de-DE", "en-GB", "fr-FR", "pt-BR", "es-ES", ""];
const REFERRERS: [&str; 8] = [
    "https://l.instagram.com/",
    "https://l.instagram.com/",
    "https://www.tiktok.com/",
    "",
    "",
    "https://m.youtube.com/",
    "https://l.facebook.com/",
    "https://t.co/",
];
const SOURCES: [&str; 4] = ["instagram", "tiktok", "youtube", "newsletter"];

/// The clicks one after the other.
pub struct Traffic {
    random: u64,
    agents: Vec<String>,
    campaigns: Vec<String>,
    contents: Vec<String>,
    /// Clicks of each hour.
    hours: Vec<u64>,
    hour: usize,
    /// Of the present hour: how many clicks, and how many of them were made.
    made: u64,
    visitors: VecDeque<u64>,
    journey: Vec<Touch>,
    /// How many links are drawn evenly; `None` = as links live.
    even: Option<u32>,
}

impl Traffic {
    /// `clicks` clicks, but for a few that rounding takes.
    pub fn new(clicks: u64) -> Self {
        let weights: Vec<u64> = (0..DAYS * 24).map(weight).collect();
        let all: u64 = weights.iter().sum();
        Self {
            random: 0x9e37_79b9_7f4a_7c15,
            agents: agents::list(),
            campaigns: (0..WORKSPACES).map(|n| format!("autumn-{n}")).collect(),
            contents: (0..50).map(|n| format!("creator-{n}")).collect(),
            hours: weights.iter().map(|weight| clicks * weight / all).collect(),
            hour: 0,
            made: 0,
            visitors: VecDeque::with_capacity(REMEMBERED),
            journey: Vec::new(),
            even: None,
        }
    }

    /// `clicks` clicks within an hour on `links` links, drawn evenly: every click meets sums of its own.
    pub fn even(clicks: u64, links: u32) -> Self {
        Self {
            hours: vec![clicks],
            even: Some(links),
            ..Self::new(clicks)
        }
    }

    /// How many there will be.
    pub fn len(&self) -> u64 {
        self.hours.iter().sum()
    }

    /// Hands the next click, number `sequence`, to `take`; `None` when there are no more.
    pub fn next<T>(&mut self, sequence: u64, take: impl FnOnce(&NewClick<'_>) -> T) -> Option<(Timestamp, T)> {
        while self.made >= *self.hours.get(self.hour)? {
            (self.hour, self.made) = (self.hour + 1, 0);
        }
        let within = HOUR_MS * self.made / self.hours[self.hour];
        self.made += 1;
        let at = START.plus_ms((self.hour as u64 * HOUR_MS + within) as i64);
        let link = self.link();
        let (choice, more) = (self.number(), self.number());
        let pick = |shift: u32, of: u64| (choice >> shift) % of;
        let is_bot = pick(0, 100) < 4;
        let (known, new) = self.visitor(is_bot, pick(7, 100));
        self.look_back(at, known, more);
        let common = (more >> 40) as f64 / f64::from(1u32 << 24);
        let agent = match is_bot {
            true => agents::BOTS[pick(14, 3) as usize],
            // A few agents make most of the clicks.
            false => &self.agents[(common * common * common * agents::AGENTS as f64) as usize],
        };
        let workspace = (link.0 - 1) % WORKSPACES;
        let has_utm = !link.0.is_multiple_of(3);
        let utm = match has_utm {
            true => [
                SOURCES[link.0 as usize % 4],
                "social",
                &self.campaigns[workspace as usize],
                "",
                &self.contents[link.0 as usize % 50],
            ],
            false => [""; 5],
        };
        let click = NewClick {
            sequence,
            at,
            workspace: WorkspaceNo(1 + workspace),
            domain: DomainNo(1),
            link,
            flags: flags(is_bot, pick(17, 100)),
            outcome: Outcome::of_code(pick(24, 2) as u8),
            variant: 0,
            country: COUNTRIES[pick(28, 16) as usize],
            region: "",
            city: "",
            visitor_known: known,
            visitor_new: new,
            identity: if is_bot { 0 } else { (known | new).rotate_left(17) | 1 },
            user_agent: Agent::Text(agent),
            language: LANGUAGES[pick(32, 8) as usize],
            referrer: REFERRERS[pick(35, 8) as usize],
            utm,
            journey: &self.journey,
            tapped: None,
        };
        Some((at, take(&click)))
    }

    /// New links are hot, one may be viral, old ones are followed now and then.
    fn link(&mut self) -> LinkNo {
        if let Some(links) = self.even {
            return LinkNo(1 + (self.number() % u64::from(links)) as u32);
        }
        let hour = self.hour as u64;
        let posted = (u64::from(LINKS) * (hour + 1) / (DAYS * 24)).max(60);
        let (choice, number) = (self.number(), self.number());
        let share = choice % 100;
        let is_viral_hour = is_viral(hour);
        let no = if is_viral_hour && share < 75 {
            // The day's video.
            posted - posted % 20
        } else if share < 80 {
            // Those of the last days, the newest most.
            let back = (number % 60) * (number >> 32) % 60;
            posted - back.min(posted - 1)
        } else {
            1 + number % posted
        };
        LinkNo(no.clamp(1, u64::from(LINKS)) as u32)
    }

    /// The cookie's visitor, or the one that is newly set.
    fn visitor(&mut self, is_bot: bool, share: u64) -> (u64, u64) {
        if is_bot {
            return (0, 0);
        }
        if share < 35 && !self.visitors.is_empty() {
            let place = self.number() as usize % self.visitors.len();
            return (self.visitors[place], 0);
        }
        let new = self.number() | 1;
        if self.visitors.len() == REMEMBERED {
            self.visitors.pop_front();
        }
        self.visitors.push_back(new);
        (0, new)
    }

    /// What the cookie of somebody who came back shows.
    fn look_back(&mut self, at: Timestamp, known: u64, random: u64) {
        self.journey.clear();
        if known == 0 {
            return;
        }
        for n in 0..=random % 4 {
            let back = (random >> (8 * n)) % (14 * DAY_MS as u64 / 1000);
            self.journey.push(Touch {
                link: LinkNo(1 + (random >> (4 * n)) as u32 % LINKS),
                seconds: (at.seconds() as u64).saturating_sub(back) as u32,
            });
        }
        self.journey.sort_by_key(|touch| touch.seconds);
    }

    /// The next of a stream of numbers. (xorshift64*.)
    fn number(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

fn is_viral(hour: u64) -> bool {
    hour / 24 % VIRAL_EVERY == 3 && (18..21).contains(&(hour % 24))
}

fn weight(hour: u64) -> u64 {
    HOURS[hour as usize % 24] * if is_viral(hour) { VIRAL_TIMES } else { 1 }
}

fn flags(is_bot: bool, share: u64) -> ClickFlags {
    match (is_bot, share) {
        (true, 0..50) => ClickFlags::BOT,
        (true, _) => ClickFlags::BOT.with(ClickFlags::PREVIEW),
        (false, 0..3) => ClickFlags::QR.with(ClickFlags::ID_SENT),
        (false, 3..6) => ClickFlags::USE.with(ClickFlags::ID_SENT),
        (false, 6) => ClickFlags::PREFETCH,
        (false, _) => ClickFlags::ID_SENT,
    }
}
