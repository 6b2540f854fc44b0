//! How a click, or a count of clicks, lies in a record of a ring. Never judges what it carries.
//!
//! Kind 3, a click since version 3 of the ring; numbers are little endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 1, 1, 1, 1 | kind, variant, outcome, number of touches |
//! | 4 | 2, 2 | flags, country |
//! | 8 | 8, 8 | sequence; signed ms since 1970 |
//! | 24 | 8, 8, 8 | visitor that came, visitor that was newly set, identity |
//! | 48 | 4, 4, 4 | workspace, domain, link |
//! | 60 | 2 × 10 | lengths of the texts: user agent, language, referrer, five UTM parameters, region, city |
//! | 80 | 8 a touch | link, seconds |
//! | … | 8, 8 | sequence and instant of the tapped click, if the flags say that it is a tap |
//! | … | … | the texts, one behind the other |
//!
//! Kind 2, a count: signed ms since 1970 (8), workspace, link (4 each), class, whether it is a use (1 each), count (4).
//!
//! Kind 1 is a click of versions 1 and 2, which is read and not written: sequence, ms (8 each), workspace, domain, link
//! (4 each), flags (2), outcome, variant (1 each), country (2), the three visitors (8 each), user agent, language,
//! referrer and UTM parameters (each a text with its length before it, 2), number of touches (1), the touches, what was
//! tapped, and, in version 2, region and city, both or, when neither is known, none.
//!
//! A change of any of it raises the version of the ring.

use super::lane::{LaneRecord, NewClick};
use super::ring::RECORD_HEAD;
use crate::domain::click::{ClickClass, ClickFlags, LostDetail, Outcome, Tapped, cut};
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;
use crate::domain::visitor::{TOUCHES_MAX, Touch};

const OLD_CLICK: u8 = 1;
const LOST: u8 = 2;
const CLICK: u8 = 3;
const TEXTS: usize = 10;
/// Bytes of a click before its touches.
const FIXED: usize = 60 + 2 * TEXTS;
/// Longest text; those of a click are shorter by far.
const TEXT_MAX: usize = u16::MAX as usize;

/// Writes the record of `click` into `out`, its head left free; of a longer journey the first touches stay.
pub(super) fn write_click(click: &NewClick<'_>, out: &mut Vec<u8>) {
    let texts = texts_of(click);
    let journey = &click.journey[..click.journey.len().min(TOUCHES_MAX)];
    let mut fixed = [0; RECORD_HEAD + FIXED];
    let mut put = |at: usize, bytes: &[u8]| fixed[RECORD_HEAD + at..][..bytes.len()].copy_from_slice(bytes);
    put(0, &[CLICK, click.variant, click.outcome as u8, journey.len() as u8]);
    put(4, &click.flags.0.to_le_bytes());
    put(6, &click.country);
    put(8, &click.sequence.to_le_bytes());
    put(16, &click.at.0.to_le_bytes());
    put(24, &click.visitor_known.to_le_bytes());
    put(32, &click.visitor_new.to_le_bytes());
    put(40, &click.identity.to_le_bytes());
    put(48, &click.workspace.0.to_le_bytes());
    put(52, &click.domain.0.to_le_bytes());
    put(56, &click.link.0.to_le_bytes());
    for (place, text) in texts.iter().enumerate() {
        put(60 + 2 * place, &(text.len() as u16).to_le_bytes());
    }
    out.clear();
    out.extend_from_slice(&fixed);
    for touch in journey {
        out.extend_from_slice(&touch.link.0.to_le_bytes());
        out.extend_from_slice(&touch.seconds.to_le_bytes());
    }
    if let Some(tapped) = click.tapped.filter(|_| click.flags.has(ClickFlags::TAP)) {
        out.extend_from_slice(&tapped.sequence.to_le_bytes());
        out.extend_from_slice(&tapped.at.0.to_le_bytes());
    }
    for text in texts.iter().filter(|text| !text.is_empty()) {
        out.extend_from_slice(text.as_bytes());
    }
}

/// The texts of `click` in their order, each within [`TEXT_MAX`].
fn texts_of<'a>(click: &NewClick<'a>) -> [&'a str; TEXTS] {
    let [source, medium, campaign, term, content] = click.utm;
    let (agent, language, referrer) = (click.user_agent, click.language, click.referrer);
    let texts = [
        agent,
        language,
        referrer,
        source,
        medium,
        campaign,
        term,
        content,
        click.region,
        click.city,
    ];
    texts.map(|text| cut(text, TEXT_MAX))
}

/// Writes the record of `lost` into `out`, its head left free.
pub(super) fn write_lost(lost: &LostDetail, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[0; RECORD_HEAD]);
    out.push(LOST);
    out.extend_from_slice(&lost.at.0.to_le_bytes());
    out.extend_from_slice(&lost.workspace.0.to_le_bytes());
    out.extend_from_slice(&lost.link.0.to_le_bytes());
    out.extend_from_slice(&[lost.class as u8, u8::from(lost.is_use)]);
    out.extend_from_slice(&lost.count.to_le_bytes());
}

/// What `record`, without its head, says; `None` when it says nothing. `journey` is room for a click's touches.
#[inline]
pub(super) fn read<'a>(record: &'a [u8], journey: &'a mut Vec<Touch>) -> Option<LaneRecord<'a>> {
    match *record.first()? {
        CLICK => read_click(record, journey).map(LaneRecord::Click),
        OLD_CLICK => read_old_click(&mut Fields(&record[1..]), journey).map(LaneRecord::Click),
        LOST => read_lost(&mut Fields(&record[1..])).map(LaneRecord::Lost),
        _ => None,
    }
}

#[inline]
fn read_click<'a>(record: &'a [u8], journey: &'a mut Vec<Touch>) -> Option<NewClick<'a>> {
    let (fixed, rest) = record.split_first_chunk::<FIXED>()?;
    let mut fields = Fields(rest);
    let flags = ClickFlags(u16::from_le_bytes(part(fixed, 4)));
    journey.clear();
    for _ in 0..fixed[3] {
        journey.push(fields.touch()?);
    }
    let tapped = match flags.has(ClickFlags::TAP) {
        true => Some(fields.tapped()?),
        false => None,
    };
    // Checked once for all of them, and each for its ends.
    let mut texts = std::str::from_utf8(fields.0).ok()?;
    let mut text = |place: usize| {
        let length = u16::from_le_bytes(part(fixed, 60 + 2 * place));
        let (text, rest) = texts.split_at_checked(usize::from(length))?;
        texts = rest;
        Some(text)
    };
    Some(NewClick {
        sequence: u64::from_le_bytes(part(fixed, 8)),
        at: Timestamp(i64::from_le_bytes(part(fixed, 16))),
        workspace: WorkspaceNo(u32::from_le_bytes(part(fixed, 48))),
        domain: DomainNo(u32::from_le_bytes(part(fixed, 52))),
        link: LinkNo(u32::from_le_bytes(part(fixed, 56))),
        flags,
        outcome: Outcome::of_code(fixed[2]),
        variant: fixed[1],
        country: part(fixed, 6),
        visitor_known: u64::from_le_bytes(part(fixed, 24)),
        visitor_new: u64::from_le_bytes(part(fixed, 32)),
        identity: u64::from_le_bytes(part(fixed, 40)),
        // In the order in which the texts lie.
        user_agent: text(0)?,
        language: text(1)?,
        referrer: text(2)?,
        utm: [text(3)?, text(4)?, text(5)?, text(6)?, text(7)?],
        region: text(8)?,
        city: text(9)?,
        journey,
        tapped,
    })
}

/// The bytes of `fixed` from `at` on, which lie within it.
#[inline]
fn part<const N: usize>(fixed: &[u8; FIXED], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&fixed[at..at + N]);
    part
}

/// Reads fields off the front of a record; every step fails softly on a short one.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn instant(&mut self) -> Option<Timestamp> {
        self.bytes().map(|bytes| Timestamp(i64::from_le_bytes(bytes)))
    }

    fn touch(&mut self) -> Option<Touch> {
        Some(Touch {
            link: LinkNo(self.u32()?),
            seconds: self.u32()?,
        })
    }

    fn tapped(&mut self) -> Option<Tapped> {
        Some(Tapped {
            sequence: self.u64()?,
            at: self.instant()?,
        })
    }

    /// A text with its length before it.
    fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(u16::from_le_bytes(self.bytes()?));
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(std::str::from_utf8(head).unwrap_or_default())
    }
}

fn read_old_click<'a>(fields: &mut Fields<'a>, journey: &'a mut Vec<Touch>) -> Option<NewClick<'a>> {
    let (sequence, at) = (fields.u64()?, fields.instant()?);
    let (workspace, domain, link) = (
        WorkspaceNo(fields.u32()?),
        DomainNo(fields.u32()?),
        LinkNo(fields.u32()?),
    );
    let flags = ClickFlags(u16::from_le_bytes(fields.bytes()?));
    let [outcome, variant] = fields.bytes()?;
    let country = fields.bytes()?;
    let (visitor_known, visitor_new, identity) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let (user_agent, language, referrer) = (fields.text()?, fields.text()?, fields.text()?);
    let mut utm = [""; 5];
    for value in &mut utm {
        *value = fields.text()?;
    }
    journey.clear();
    for _ in 0..fields.bytes::<1>()?[0] {
        journey.push(fields.touch()?);
    }
    let tapped = match flags.has(ClickFlags::TAP) {
        true => Some(fields.tapped()?),
        false => None,
    };
    let (region, city) = match fields.0 {
        [] => ("", ""),
        _ => (fields.text()?, fields.text()?),
    };
    Some(NewClick {
        sequence,
        at,
        workspace,
        domain,
        link,
        flags,
        outcome: Outcome::of_code(outcome),
        variant,
        country,
        region,
        city,
        visitor_known,
        visitor_new,
        identity,
        user_agent,
        language,
        referrer,
        utm,
        journey,
        tapped,
    })
}

fn read_lost(fields: &mut Fields<'_>) -> Option<LostDetail> {
    let at = fields.instant()?;
    let (workspace, link) = (WorkspaceNo(fields.u32()?), LinkNo(fields.u32()?));
    let [class, is_use] = fields.bytes()?;
    Some(LostDetail {
        at,
        workspace,
        link,
        class: ClickClass::of_code(class)?,
        is_use: is_use != 0,
        count: fields.u32()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const JOURNEY: &[Touch] = &[
        Touch {
            link: LinkNo(3),
            seconds: 5,
        },
        Touch {
            link: LinkNo(u32::MAX),
            seconds: 6,
        },
    ];

    fn click() -> NewClick<'static> {
        NewClick {
            sequence: 7,
            at: Timestamp(1_700_000_000_123),
            workspace: WorkspaceNo(1),
            domain: DomainNo(2),
            link: LinkNo(3),
            flags: ClickFlags::QR,
            outcome: Outcome::CartWithFallback,
            variant: 2,
            country: *b"DE",
            region: "BE",
            city: "Neukölln",
            visitor_known: 8,
            visitor_new: 9,
            identity: 11,
            user_agent: "Mozilla/5.0",
            language: "de-DE",
            referrer: "https://www.instagram.com/",
            utm: ["insta", "", "sommer", "", "grün"],
            journey: JOURNEY,
            tapped: None,
        }
    }

    fn tap() -> NewClick<'static> {
        NewClick {
            flags: ClickFlags::TAP,
            tapped: Some(Tapped {
                sequence: 6,
                at: Timestamp(-1),
            }),
            ..click()
        }
    }

    fn bare() -> NewClick<'static> {
        NewClick {
            region: "",
            city: "",
            user_agent: "",
            language: "",
            referrer: "",
            utm: [""; 5],
            journey: &[],
            ..click()
        }
    }

    fn record_of(click: &NewClick<'_>) -> Vec<u8> {
        let mut record = vec![0xff; 3];
        write_click(click, &mut record);
        record.split_off(RECORD_HEAD)
    }

    /// As versions 1 and 2 of the ring had it.
    fn old_record_of(click: &NewClick<'_>) -> Vec<u8> {
        let mut out = vec![OLD_CLICK];
        out.extend(click.sequence.to_le_bytes());
        out.extend(click.at.0.to_le_bytes());
        for number in [click.workspace.0, click.domain.0, click.link.0] {
            out.extend(number.to_le_bytes());
        }
        out.extend(click.flags.0.to_le_bytes());
        out.extend([click.outcome as u8, click.variant]);
        out.extend(click.country);
        for number in [click.visitor_known, click.visitor_new, click.identity] {
            out.extend(number.to_le_bytes());
        }
        let text = |text: &str, out: &mut Vec<u8>| {
            out.extend((text.len() as u16).to_le_bytes());
            out.extend(text.as_bytes());
        };
        for one in [click.user_agent, click.language, click.referrer]
            .iter()
            .chain(&click.utm)
        {
            text(one, &mut out);
        }
        out.push(click.journey.len() as u8);
        for touch in click.journey {
            out.extend(touch.link.0.to_le_bytes());
            out.extend(touch.seconds.to_le_bytes());
        }
        if let Some(tapped) = click.tapped {
            out.extend(tapped.sequence.to_le_bytes());
            out.extend(tapped.at.0.to_le_bytes());
        }
        if !click.region.is_empty() || !click.city.is_empty() {
            text(click.region, &mut out);
            text(click.city, &mut out);
        }
        out
    }

    #[test]
    fn what_is_written_is_read_and_so_is_what_older_versions_wrote() {
        let no_region = NewClick { region: "", ..click() };
        for click in [click(), tap(), bare(), no_region] {
            for record in [record_of(&click), old_record_of(&click)] {
                let mut journey = Vec::new();
                assert_eq!(read(&record, &mut journey), Some(LaneRecord::Click(click.clone())));
                let mut journey = Vec::new();
                assert_ne!(
                    read(&record[..record.len() - 1], &mut journey),
                    Some(LaneRecord::Click(click.clone())),
                    "cut short"
                );
            }
        }
    }

    #[test]
    fn longest_texts_and_journeys_are_cut() {
        let (agent, journey) = ("ü".repeat(40_000), [JOURNEY[0]; TOUCHES_MAX + 3]);
        let long = NewClick {
            user_agent: &agent,
            journey: &journey,
            ..click()
        };
        let record = record_of(&long);
        let mut room = Vec::new();
        let Some(LaneRecord::Click(read)) = read(&record, &mut room) else {
            panic!("a click")
        };
        assert_eq!((read.user_agent.len(), read.journey.len()), (TEXT_MAX - 1, TOUCHES_MAX));
        assert_eq!((read.city, read.utm), (long.city, long.utm));
    }

    #[test]
    fn counts_come_out_as_they_went_in() {
        let lost = LostDetail {
            at: Timestamp(-5),
            workspace: WorkspaceNo(1),
            link: LinkNo(2),
            class: ClickClass::Bot,
            is_use: true,
            count: 70_000,
        };
        let (mut record, mut journey) = (Vec::new(), Vec::new());
        write_lost(&lost, &mut record);
        assert_eq!(read(&record[RECORD_HEAD..], &mut journey), Some(LaneRecord::Lost(lost)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_reader(kind in 0u8..5, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let record = [&[kind][..], &bytes].concat();
            let mut journey = Vec::new();
            if let Some(LaneRecord::Click(click)) = read(&record, &mut journey) {
                prop_assert!(click.user_agent.len() < record.len());
            }
        }

        #[test]
        fn no_changed_byte_panics_the_reader(place: prop::sample::Index, byte: u8) {
            let mut record = record_of(&tap());
            let place = place.index(record.len());
            record[place] = byte;
            let mut journey = Vec::new();
            if let Some(LaneRecord::Click(click)) = read(&record, &mut journey) {
                prop_assert!(click.user_agent.len() < record.len());
            }
        }
    }
}
