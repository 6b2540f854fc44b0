//! What a history is made of, and how it is drawn.

use std::fmt;
use std::sync::Arc;

use proptest::prelude::*;

use crate::domain::click::{CLASSES, Click, ClickClass, ClickFlags, LostDetail, Outcome, Tapped};
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;
use crate::domain::user_agent::{App, Browser, Device, Os, UserAgent};
use crate::domain::visitor::Touch;

use super::super::samples::NOON;
use super::lossy_disk::Mishap;

/// Most steps of a history.
const STEPS: usize = 20;
const MINUTE_MS: i64 = 60_000;

/// A history and the log that it is played to.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) traits: Traits,
    pub(super) steps: Vec<Step>,
}

/// How the log is set up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    pub(super) pending_clicks_max: usize,
    pub(super) backlog_clicks_max: usize,
    pub(super) few_clicks_max: usize,
    pub(super) segment_bytes: u64,
    /// How long segments are kept that are in sled.
    pub(super) keep_minutes: u64,
}

/// Clicks, whose sequence numbers are given when they are appended.
#[derive(Clone, Default)]
pub(super) struct Drawn {
    pub(super) clicks: Vec<Click>,
    pub(super) lost: Vec<LostDetail>,
}

/// The seed gives the rest back.
impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} clicks and {} lost details", self.clicks.len(), self.lost.len())
    }
}

/// How a process ends that was not asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The system goes on: what was written is there.
    Kill,
    /// What was not synced may be gone.
    Power,
}

/// What the disk does while something is written; a process that dies of it ends so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    /// After so many operations this happens.
    pub(super) first: (u32, Mishap),
    /// And this when what was refused is tried again at once.
    pub(super) then: Option<(u32, Mishap)>,
    pub(super) cut: Cut,
    pub(super) seed: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Append(Drawn),
    /// The caller keeps what was refused for the next step.
    AppendWith {
        drawn: Drawn,
        trouble: Trouble,
    },
    /// Clicks are put into the ring, where a kill leaves them.
    Push(Drawn),
    /// The recorder writes what the ring holds, and how far that is; the disk may do something meanwhile.
    Drain {
        trouble: Option<Trouble>,
    },
    /// Sequence numbers are set aside, while the disk may fail.
    Reserve {
        after: u32,
        fails: bool,
    },
    Checkpoint,
    /// As after an error of sled's own.
    StoreFails,
    /// The clock goes on, or back.
    Wait {
        minutes: i64,
    },
    Close,
    End {
        cut: Cut,
        seed: u64,
    },
    /// The process ends while a checkpoint is being written.
    EndInCheckpoint {
        cut: Cut,
        seed: u64,
    },
    /// The process ends, and the next one while it opens the log.
    EndInOpening {
        cut: Cut,
        seed: u64,
    },
    Ask(Question),
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) workspace: u32,
    pub(super) links: Option<Vec<u32>>,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) classes: [bool; CLASSES],
}

pub(super) fn history() -> impl Strategy<Value = History> {
    let traits = (
        prop_oneof![Just(20usize), Just(100_000)],
        prop_oneof![Just(1usize), Just(60), Just(1 << 20)],
        prop_oneof![Just(1usize), Just(4), Just(64)],
        prop_oneof![Just(300u64), Just(2000), Just(1 << 20)],
        prop_oneof![Just(30u64), Just(7 * 24 * 60)],
    );
    let traits = traits.prop_map(|(pending, backlog, few, segment_bytes, keep_minutes)| Traits {
        pending_clicks_max: pending,
        backlog_clicks_max: backlog,
        few_clicks_max: few,
        segment_bytes,
        keep_minutes,
    });
    (traits, proptest::collection::vec(step(), 1..STEPS)).prop_map(|(traits, steps)| History { traits, steps })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => drawn().prop_map(Step::Append),
        4 => (drawn(), trouble()).prop_map(|(drawn, trouble)| Step::AppendWith { drawn, trouble }),
        4 => drawn().prop_map(Step::Push),
        4 => proptest::option::of(trouble()).prop_map(|trouble| Step::Drain { trouble }),
        1 => (0u32..7, any::<bool>()).prop_map(|(after, fails)| Step::Reserve { after, fails }),
        3 => Just(Step::Checkpoint),
        1 => Just(Step::StoreFails),
        1 => prop_oneof![-20_000i64..20_000, Just(-5 * 525_600), Just(5 * 525_600)]
            .prop_map(|minutes| Step::Wait { minutes }),
        1 => Just(Step::Close),
        1 => (cut(), any::<u64>()).prop_map(|(cut, seed)| Step::End { cut, seed }),
        1 => (cut(), any::<u64>()).prop_map(|(cut, seed)| Step::EndInCheckpoint { cut, seed }),
        1 => (cut(), any::<u64>()).prop_map(|(cut, seed)| Step::EndInOpening { cut, seed }),
        2 => question().prop_map(Step::Ask),
    ]
}

fn cut() -> impl Strategy<Value = Cut> {
    prop_oneof![Just(Cut::Kill), Just(Cut::Power)]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let at = || (0u32..7, mishap());
    (at(), proptest::option::of(at()), cut(), any::<u64>()).prop_map(|(first, then, cut, seed)| Trouble {
        first,
        then,
        cut,
        seed,
    })
}

fn mishap() -> impl Strategy<Value = Mishap> {
    // EIO, ENOSPC, EROFS.
    let number = prop_oneof![Just(5), Just(28), Just(30)];
    prop_oneof![
        (number, 1u32..9).prop_map(|(number, times)| Mishap::Fails { number, times }),
        Just(Mishap::Dies),
    ]
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let clicks = proptest::collection::vec(click(), 0..30);
    (clicks, proptest::collection::vec(lost(), 0..3)).prop_map(|(clicks, lost)| Drawn { clicks, lost })
}

/// Instants of two days; a few of a machine that thinks it is 1970, and from far ahead.
fn instant() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        60 => (-3000i64..200, 0..MINUTE_MS).prop_map(|(minutes, ms)| NOON.plus_ms(minutes * MINUTE_MS + ms)),
        1 => (0..3 * MINUTE_MS).prop_map(Timestamp),
        1 => (0..3 * MINUTE_MS).prop_map(|ms| NOON.plus_ms(20 * 525_600 * MINUTE_MS + ms)),
    ]
}

/// By country: what else is known of the place.
const LOCALITIES: [[&str; 3]; 4] = [
    [""; 3],
    ["", "DE-BE/Berlin", "DE-BY"],
    ["US-OR/Portland", "US-ME/Portland", "US/Portland"],
    ["", "", "BR-SP/São Paulo"],
];

fn click() -> impl Strategy<Value = Click> {
    type F = ClickFlags;
    let tap = F::TAP.with(F::REPEAT);
    let person = F::default();
    let flags = vec![
        person,
        person,
        person,
        F::BOT,
        F::REPEAT,
        F::QR,
        F::USE,
        F::HEAD,
        F::QR.with(F::USE),
        F::PREFETCH,
        F::TEST,
        F::TAP,
        tap,
    ];
    let who = (1u32..3, 1u32..5, 0u64..40, proptest::sample::select(flags));
    let from = (0usize..4, 0usize..4, 0u8..4, 0u8..3, 0u8..3);
    let journey = proptest::collection::vec((1u32..5, any::<u32>()), 0..3);
    (instant(), who, from, journey, 0u8..3, 0usize..3).prop_map(|(at, who, from, journey, variant, campaign)| {
        let (workspace, link, visitor, flags) = who;
        Click {
            at,
            workspace: WorkspaceNo(workspace),
            domain: DomainNo(1),
            // A link belongs to one workspace.
            link: LinkNo(link + 10 * workspace - 10),
            flags,
            outcome: Outcome::of_code(variant),
            visitor,
            variant,
            country: [[0; 2], *b"DE", *b"US", *b"BR"][from.0],
            locality: LOCALITIES[from.0][from.3 as usize].into(),
            user_agent: UserAgent {
                device: Device::of_code(from.2),
                os: Os::of_code(from.3),
                browser: Browser::of_code(from.4),
                app: App::of_code(from.3),
            },
            language: ["", "de-DE", "en", "pt-BR"][from.1].into(),
            referrer: ["", "https://l.instagram.com/", "https://t.co/a", "https://t.co:443/b"][from.1].into(),
            utm: Arc::new([
                ["", "mail", "social"][campaign].into(),
                "".into(),
                "autumn".into(),
                "".into(),
                "".into(),
            ]),
            journey: journey
                .into_iter()
                .map(|(link, seconds)| Touch {
                    link: LinkNo(link),
                    seconds,
                })
                .collect(),
            tapped: flags.has(F::TAP).then_some(Tapped {
                sequence: visitor,
                at: NOON,
            }),
            ..Click::default()
        }
    })
}

fn lost() -> impl Strategy<Value = LostDetail> {
    (instant(), 1u32..3, 1u32..5, any::<bool>(), 1u32..9).prop_map(|(at, workspace, link, is_use, count)| LostDetail {
        at,
        workspace: WorkspaceNo(workspace),
        link: LinkNo(link + 10 * workspace - 10),
        class: if is_use { ClickClass::Human } else { ClickClass::Bot },
        is_use,
        count,
    })
}

fn question() -> impl Strategy<Value = Question> {
    let links = proptest::option::of(proptest::collection::vec(0u32..5, 0..4));
    let span = (-3100i64..300, 0i64..3000, any::<bool>());
    (1u32..3, links, span, any::<[bool; CLASSES]>()).prop_map(|(workspace, links, span, mut classes)| {
        let (from, length, is_whole) = span;
        let instant = |number: i64| {
            let ms = NOON.0 + number * (MINUTE_MS + 1001);
            if is_whole {
                ms - ms.rem_euclid(15 * MINUTE_MS)
            } else {
                ms
            }
        };
        // People are always asked about.
        classes[0] = true;
        Question {
            workspace,
            links: links.map(|links| links.into_iter().map(|link| link + 10 * workspace - 10).collect()),
            start_ms: instant(from),
            end_ms: instant(from + length),
            classes,
        }
    })
}

impl Question {
    /// All of `workspace`.
    pub(super) fn everything(workspace: u32) -> Self {
        Self {
            workspace,
            links: None,
            start_ms: i64::MIN,
            end_ms: i64::MAX,
            classes: [true; CLASSES],
        }
    }
}
