//! A plain link as bytes: what an answer needs of it, and nothing else.
//!
//! The length in words, flags, a check of the key, numbers of seven bits a byte, and the text of the destination behind
//! its origin. Links
//! with a cart, an experiment, a reception or a click limit are not packed: they keep a record of their own.

use super::arena::RUN_MAX;
use super::origins::Origins;
use super::record::LinkRecord;
use super::shorthand;
use crate::domain::id::{CreatorNo, LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

/// Longest packed link, in bytes: the longest run of the arena.
pub(super) const PACKED_MAX: usize = RUN_MAX * 8;

const SENDS_CLICK_ID: u8 = 1;
const DISABLED: u8 = 2;
const CREATOR: u8 = 4;
const EXPIRES: u8 = 8;
const EXPIRED_URL: u8 = 16;

/// Where the flags stand; the length stands before them, the check and the link's number behind.
const FLAGS: usize = 1;
/// Where the numbers begin.
const NUMBERS: usize = FLAGS + 1 + size_of::<u16>();

/// Packs `record` with the `check` of its key; `None` when it is not a plain link, or too long.
pub(super) fn pack(record: &LinkRecord, check: u16, origins: &Origins) -> Option<Vec<u8>> {
    if !is_plain(record) {
        return None;
    }
    let flags = [
        (record.sends_click_id, SENDS_CLICK_ID),
        (record.is_disabled, DISABLED),
        (record.creator.is_some(), CREATOR),
        (record.expires_at.is_some(), EXPIRES),
        (record.expired_url.is_some(), EXPIRED_URL),
    ];
    let flags = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum();
    let mut out = Vec::with_capacity(record.own.destination.len() + 32);
    out.extend([0, flags]);
    out.extend(check.to_le_bytes());
    let (origin, rest) = origins.split(&record.own.destination);
    let numbers = [
        Some(record.no.0.into()),
        Some(record.workspace.0.into()),
        Some(origin.into()),
        record.creator.map(|creator| creator.0.into()),
        // Before 1970 is over, too.
        record.expires_at.map(|end| end.0.max(0) as u64),
    ];
    numbers
        .into_iter()
        .flatten()
        .for_each(|number| put_number(&mut out, number));
    if !shorthand::write(&mut out, rest) {
        return None;
    }
    if let Some(url) = record.expired_url.as_deref() {
        out.push(shorthand::NEXT);
        if !shorthand::write(&mut out, url) {
            return None;
        }
    }
    out[0] = u8::try_from(out.len().div_ceil(8)).ok()?;
    Some(out)
}

/// Whether all that an answer needs of `record` is what is packed.
fn is_plain(record: &LinkRecord) -> bool {
    let extras = [
        record.own.cart.is_some(),
        record.experiment.is_some(),
        record.reception.is_some(),
        record.limit.is_some(),
    ];
    !extras.contains(&true)
}

/// Makes `record` what [`pack`] was given; its memory is used again.
pub(super) fn unpack(bytes: &[u8], origins: &Origins, record: &mut LinkRecord) {
    let flags = bytes.get(FLAGS).copied().unwrap_or_default();
    let has = |flag| flags & flag != 0;
    let mut left = bytes.get(NUMBERS..).unwrap_or_default();
    let mut number = || take_number(&mut left);
    record.no = LinkNo(number() as u32);
    record.workspace = WorkspaceNo(number() as u32);
    let origin = number() as u32;
    record.creator = has(CREATOR).then(|| CreatorNo(number() as u32));
    record.expires_at = has(EXPIRES).then(|| Timestamp(number() as i64));
    record.sends_click_id = has(SENDS_CLICK_ID);
    record.is_disabled = has(DISABLED);
    let destination = &mut record.own.destination;
    destination.clear();
    destination.push_str(origins.get(origin));
    let left = shorthand::read(destination, left);
    record.expired_url = has(EXPIRED_URL).then(|| {
        let mut url = String::new();
        shorthand::read(&mut url, left.get(1..).unwrap_or_default());
        url.into()
    });
    record.own.cart = None;
    record.experiment = None;
    record.reception = None;
    record.limit = None;
}

/// The number of the packed link.
pub(super) fn link_no(bytes: &[u8]) -> LinkNo {
    let mut left = bytes.get(NUMBERS..).unwrap_or_default();
    LinkNo(take_number(&mut left) as u32)
}

/// The check of its key.
pub(super) fn check(bytes: &[u8]) -> Option<u16> {
    bytes.get(FLAGS + 1..NUMBERS)?.try_into().ok().map(u16::from_le_bytes)
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(left: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let Some((byte, rest)) = left.split_first() else { break };
        *left = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::link;
    use super::*;
    use proptest::prelude::*;

    fn shown(record: &LinkRecord) -> String {
        format!("{record:?}")
    }

    #[test]
    fn a_usual_link_takes_less_than_half_of_its_text() {
        let mut link = link(9_999_999, "abcdefg", true);
        let rest = "/products/linen-shirt-00481516?variant=44017000";
        link.terms.destination = format!("https://www.shop.example{rest}");
        assert_eq!(link.terms.destination.len(), 71);
        let bytes = pack(&LinkRecord::new(&link, None), 0, &Origins::new()).expect("packed");
        assert!(bytes.len() <= 36, "{} bytes", bytes.len());
        assert_eq!(usize::from(bytes[0]), bytes.len().div_ceil(8));
    }

    #[test]
    fn what_is_not_plain_is_not_packed() {
        let origins = Origins::new();
        let packs = |destination: String| {
            let mut link = link(1, "a", true);
            link.terms.destination = destination;
            pack(&LinkRecord::new(&link, None), 0, &origins).is_some()
        };
        assert!(packs("https://shop.example/".to_owned()));
        assert!(
            !packs("https://shop.example/\u{e4}".to_owned()),
            "no URL has such a character; kept all the same"
        );
        assert!(packs(format!("https://shop.example/{}", "x".repeat(2_000))));
        assert!(!packs(format!("https://shop.example/{}", "x".repeat(2_040))));
        let limited = LinkRecord::new(
            &link(1, "a", true),
            Some(std::sync::Arc::new(super::super::uses::Uses::in_lanes(1, 1))),
        );
        assert!(pack(&limited, 0, &origins).is_none());
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            numbers in (any::<u32>(), any::<u32>(), any::<Option<u32>>(), proptest::option::of(0..i64::MAX)),
            flags in any::<(bool, bool)>(),
            urls in ("https?://[a-z.]{1,30}/[!-~]{0,300}", proptest::option::of("[!-~]{1,80}")),
            other in "[!-~]{0,200}",
        ) {
            let record = |destination: &str| {
                let mut record = LinkRecord::new(&link(numbers.0, "a", true), None);
                record.own.destination = destination.to_owned();
                record
            };
            let mut before = record(&urls.0);
            before.workspace = WorkspaceNo(numbers.1);
            before.creator = numbers.2.map(CreatorNo);
            before.expires_at = numbers.3.map(Timestamp);
            before.expired_url = urls.1.map(Into::into);
            (before.sends_click_id, before.is_disabled) = flags;
            let origins = Origins::new();
            let mut bytes = pack(&before, numbers.0 as u16, &origins).expect("packed");
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            prop_assert_eq!(link_no(&bytes), before.no);
            prop_assert_eq!(check(&bytes), Some(numbers.0 as u16));
            let mut after = record(&other);
            unpack(&bytes, &origins, &mut after);
            prop_assert_eq!(shown(&after), shown(&before));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut record = LinkRecord::new(&link(1, "a", true), None);
            unpack(&bytes, &Origins::new(), &mut record);
            prop_assert_eq!(record.no, link_no(&bytes));
        }
    }
}
