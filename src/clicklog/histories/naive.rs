//! The log as plain lists, and every answer as a walk over all of them. Shares no code with the log; what a click is and
//! in which class it counts, both ask `domain`.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::click::{CLASSES, Click, ClickClass, ClickFlags, LostDetail};

use super::step::Question;

const QUARTER_MS: i64 = 15 * 60 * 1000;

/// All that counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Naive {
    pub(super) clicks: Vec<Click>,
    pub(super) lost: Vec<LostDetail>,
}

/// What a link was ever followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Total {
    pub(super) counts: [u64; CLASSES],
    pub(super) uses: u64,
    pub(super) last_human_ms: Option<i64>,
}

/// Something that counts: when, which link, its class, how many.
#[derive(Debug, Clone, Copy)]
struct Counted {
    at_ms: i64,
    workspace: u32,
    link: u32,
    class: ClickClass,
    is_use: bool,
    count: u64,
}

/// What clicks are counted by.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    Country,
    Region,
    City,
    Device,
    Os,
    Browser,
    App,
    Referrer,
    Language,
    Trigger,
    Source,
    Variant,
}

pub(super) const EVERY_BY: [By; 12] = [
    By::Country,
    By::Region,
    By::City,
    By::Device,
    By::Os,
    By::Browser,
    By::App,
    By::Referrer,
    By::Language,
    By::Trigger,
    By::Source,
    By::Variant,
];

impl Naive {
    pub(super) fn add(&mut self, clicks: &[Click], lost: &[LostDetail]) {
        self.clicks.extend_from_slice(clicks);
        self.lost.extend_from_slice(lost);
    }

    /// How many clicks with and without details.
    pub(super) fn len(&self) -> u64 {
        self.clicks.len() as u64 + self.lost.iter().map(|lost| u64::from(lost.count)).sum::<u64>()
    }

    pub(super) fn totals(&self) -> BTreeMap<u32, Total> {
        let mut totals: BTreeMap<u32, Total> = BTreeMap::new();
        for one in self.everything() {
            let total = totals.entry(one.link).or_default();
            total.counts[one.class as usize] += one.count;
            if one.is_use {
                total.uses += one.count;
            }
            if one.class == ClickClass::Human {
                total.last_human_ms = total.last_human_ms.max(Some(one.at_ms));
            }
        }
        totals
    }

    /// The clicks that `question` is about, oldest first.
    pub(super) fn events(&self, question: &Question) -> Vec<Click> {
        let asked = |click: &&Click| is_asked(question, &counted(click));
        let mut clicks: Vec<Click> = self.clicks.iter().filter(asked).cloned().collect();
        clicks.sort_by_key(|click| (click.at.0, click.sequence));
        clicks
    }

    /// Whether counts by quarter hour tell what `question` asks: it begins and ends with one, or no detail was lost.
    pub(super) fn is_countable(&self, question: &Question) -> bool {
        let is_edge = |ms: i64| ms == i64::MIN || ms == i64::MAX || ms % QUARTER_MS == 0;
        self.lost.is_empty() || is_edge(question.start_ms) && is_edge(question.end_ms)
    }

    pub(super) fn count(&self, question: &Question) -> u64 {
        self.asked(question).map(|one| one.count).sum()
    }

    pub(super) fn by_link(&self, question: &Question) -> BTreeMap<u32, u64> {
        let mut counts = BTreeMap::new();
        self.asked(question)
            .for_each(|one| *counts.entry(one.link).or_default() += one.count);
        counts
    }

    /// How many there are names of, most first, then by name.
    pub(super) fn top(&self, question: &Question, by: By) -> Vec<(String, u64)> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for click in self.events(question) {
            *counts.entry(name(&click, by)).or_default() += 1;
        }
        let mut names: Vec<(String, u64)> = counts.into_iter().collect();
        names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        names
    }

    /// People, or with prefetches and test traffic everybody who is known.
    pub(super) fn visitors(&self, question: &Question) -> u64 {
        let has_others = question.classes[ClickClass::Prefetch as usize] || question.classes[ClickClass::Test as usize];
        let mut classes = question.classes;
        if !has_others {
            classes = [false; CLASSES];
            classes[ClickClass::Human as usize] = true;
        }
        let question = Question {
            classes,
            ..question.clone()
        };
        let events = self.events(&question);
        let visitors: BTreeSet<u64> = events
            .iter()
            .map(|click| click.visitor)
            .filter(|visitor| *visitor != 0)
            .collect();
        visitors.len() as u64
    }

    fn everything(&self) -> impl Iterator<Item = Counted> {
        let lost = self.lost.iter().map(|lost| Counted {
            at_ms: lost.at.0,
            workspace: lost.workspace.0,
            link: lost.link.0,
            class: lost.class,
            is_use: lost.is_use,
            count: u64::from(lost.count),
        });
        self.clicks.iter().map(counted).chain(lost)
    }

    fn asked(&self, question: &Question) -> impl Iterator<Item = Counted> {
        self.everything().filter(|one| is_asked(question, one))
    }
}

fn counted(click: &Click) -> Counted {
    Counted {
        at_ms: click.at.0,
        workspace: click.workspace.0,
        link: click.link.0,
        class: click.flags.class(),
        is_use: click.flags.has(ClickFlags::USE),
        count: 1,
    }
}

fn is_asked(question: &Question, one: &Counted) -> bool {
    one.workspace == question.workspace
        && question.links.as_ref().is_none_or(|links| links.contains(&one.link))
        && question.start_ms <= one.at_ms
        && one.at_ms < question.end_ms
        && question.classes[one.class as usize]
}

fn name(click: &Click, by: By) -> String {
    let known = |text: &str| {
        if text.is_empty() {
            "Unknown".to_owned()
        } else {
            text.to_owned()
        }
    };
    match by {
        By::Country if click.country == [0; 2] => "Unknown".to_owned(),
        By::Country => String::from_utf8_lossy(&click.country).into_owned(),
        By::Region => match click.locality.split('/').next() {
            Some(area) if area.contains('-') => area.to_owned(),
            _ => "Unknown".to_owned(),
        },
        By::City => known(click.locality.split('/').nth(1).unwrap_or_default()),
        By::Device => click.user_agent.device.name().to_owned(),
        By::Os => click.user_agent.os.name().to_owned(),
        By::Browser => click.user_agent.browser.name().to_owned(),
        By::App => click.user_agent.app.name().to_owned(),
        By::Referrer => match &*click.referrer {
            "" => "(direct)".to_owned(),
            url => url
                .split('/')
                .nth(2)
                .and_then(|host| host.split(':').next())
                .unwrap_or(url)
                .to_owned(),
        },
        By::Language => known(&click.language),
        By::Trigger if click.flags.has(ClickFlags::QR) => "qr".to_owned(),
        By::Trigger => "link".to_owned(),
        By::Source => known(&click.utm[0]),
        By::Variant if click.variant == 0 => "Unknown".to_owned(),
        By::Variant => click.variant.to_string(),
    }
}
