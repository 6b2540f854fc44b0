//! Clicks for tests: any that the domain allows, and a realistic stream.

use proptest::prelude::*;

use std::sync::Arc;

use crate::domain::click::{Click, ClickFlags, Outcome, Tapped};
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::locality;
use crate::domain::time::Timestamp;
use crate::domain::user_agent::{App, Browser, Device, Os, UserAgent};
use crate::domain::visitor::Touch;

/// A moment of the day on which most tests play: 2026-11-21T09:53:00Z.
pub(super) const NOON: Timestamp = Timestamp(1_795_254_780_000);

/// Any click, also from before 1970 and with every field at its ends.
pub(super) fn any_click() -> impl Strategy<Value = Click> {
    let numbers = (any::<u64>(), any::<i64>(), any::<(u32, u32, u32)>(), 0u16..4096, 0u8..5);
    let who = (any::<u64>(), any::<u8>(), (0u8..7, 0u8..10, 0u8..16, 0u8..17));
    let texts = ("[a-z]{0,3}", "\\PC{0,30}", "\\PC{0,9}", any_locality());
    let journey = proptest::collection::vec((any::<u32>(), any::<u32>()), 0..=8);
    (numbers, who, texts, journey).prop_map(|(numbers, who, texts, journey)| Click {
        sequence: numbers.0,
        at: Timestamp(numbers.1),
        workspace: WorkspaceNo(numbers.2.0),
        domain: DomainNo(numbers.2.1),
        link: LinkNo(numbers.2.2),
        flags: ClickFlags(numbers.3),
        outcome: Outcome::of_code(numbers.4),
        visitor: who.0,
        variant: who.1,
        country: texts.3.0,
        locality: texts.3.1,
        user_agent: UserAgent {
            device: Device::of_code(who.2.0),
            os: Os::of_code(who.2.1),
            browser: Browser::of_code(who.2.2),
            app: App::of_code(who.2.3),
        },
        language: texts.0.into(),
        referrer: texts.1.into(),
        utm: Arc::new([texts.2.into(), "".into(), "".into(), "".into(), "x".into()]),
        journey: journey
            .into_iter()
            .map(|(link, seconds)| Touch {
                link: LinkNo(link),
                seconds,
            })
            .collect(),
        tapped: ClickFlags(numbers.3).has(ClickFlags::TAP).then_some(Tapped {
            sequence: who.0,
            at: Timestamp(numbers.1.wrapping_sub(i64::from(numbers.2.0))),
        }),
    })
}

/// A country that may be any two bytes, and what the domain makes of it with a region and a city.
fn any_locality() -> impl Strategy<Value = ([u8; 2], Arc<str>)> {
    let country = prop_oneof![Just([0; 2]), Just(*b"US"), any::<[u8; 2]>()];
    (country, "[A-Z0-9]{0,4}", "\\PC{0,9}").prop_map(|(country, region, city)| {
        let locality = locality::of(country, &region, &city).into();
        (country, locality)
    })
}

/// A person's click of `link` in workspace 1 by `visitor`.
pub(super) fn click(sequence: u64, at: Timestamp, link: u32, visitor: u64) -> Click {
    Click {
        sequence,
        at,
        workspace: WorkspaceNo(1),
        domain: DomainNo(1),
        link: LinkNo(link),
        visitor,
        ..Click::default()
    }
}
