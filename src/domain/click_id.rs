//! Click ids (`hop_id`): they prove themselves without a look-up and say where in the log their click lies.
//!
//! Layout, 190 bits in 32 base62 characters (two halves of 95 bits, 16 characters each, most significant first):
//!
//! | bits | what |
//! |---|---|
//! | 41 | milliseconds since [`EPOCH_MS`]: until 2093 |
//! | 10 | node |
//! | 43 | sequence on that node |
//! | 32 | link number |
//! | 64 | MAC: BLAKE3, keyed, over a context string and the 126 bits above |
//!
//! A MAC stops forging, not sharing: see `shared_click` in attribution.

use super::id::LinkNo;
use super::keyring::Keyring;
use super::time::Timestamp;

/// Time zero of click ids: 2024-01-01T00:00:00Z.
pub const EPOCH_MS: i64 = 1_704_067_200_000;

/// Characters of a click id.
pub const CLICK_ID_LENGTH: usize = 32;

const HALF: usize = CLICK_ID_LENGTH / 2;
const CONTEXT: &[u8] = b"hopcart click id 1";

/// What a click id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClickId {
    /// When the click happened, to the millisecond.
    pub at: Timestamp,
    /// Which server took it; below 1024.
    pub node: u16,
    /// Sequence of the click on its node; below 2^43.
    pub sequence: u64,
    /// The link that was followed.
    pub link: LinkNo,
}

/// A click id as text, kept on the stack.
#[derive(Clone, Copy)]
pub struct ClickIdText([u8; CLICK_ID_LENGTH]);

impl ClickIdText {
    /// The 32 base62 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Whether `text` is written as click ids are: 22 to 32 base62 characters. Says nothing about who wrote it.
pub fn is_shaped(text: &str) -> bool {
    (22..=CLICK_ID_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl ClickId {
    /// The signed text of this id.
    pub fn sign(&self, keys: &Keyring) -> ClickIdText {
        let payload = self.payload();
        let tag = mac(&keys.newest().key, payload);
        // 126 bits of payload above 64 bits of MAC, cut in two halves of 95.
        let high = payload >> 31;
        let low = (payload & 0x7fff_ffff) << 64 | u128::from(tag);
        let mut text = [b'0'; CLICK_ID_LENGTH];
        let (halves, _) = text.as_chunks_mut::<HALF>();
        for (half, value) in halves.iter_mut().zip([high, low]) {
            write_half(half, value);
        }
        ClickIdText(text)
    }

    /// Reads and verifies `text`; `None` when it is not an id that one of `keys` signed.
    pub fn verify(text: &str, keys: &Keyring) -> Option<Self> {
        let (head, tail) = text.is_ascii().then(|| text.split_at_checked(HALF)).flatten()?;
        if tail.len() != HALF {
            return None;
        }
        let high = base62::decode(head).ok().filter(|half| *half < 1 << 95)?;
        let low = base62::decode(tail).ok().filter(|half| *half < 1 << 95)?;
        let payload = high << 31 | low >> 64;
        let tag = low as u64;
        let signed = keys.all().any(|secret| same(mac(&secret.key, payload), tag));
        signed.then(|| Self::of_payload(payload))
    }

    fn payload(&self) -> u128 {
        let ms = self.at.since(Timestamp(EPOCH_MS)).clamp(0, (1 << 41) - 1) as u128;
        ms << 85
            | u128::from(self.node & 0x3ff) << 75
            | u128::from(self.sequence & ((1 << 43) - 1)) << 32
            | u128::from(self.link.0)
    }

    fn of_payload(payload: u128) -> Self {
        Self {
            at: Timestamp(EPOCH_MS + (payload >> 85) as i64),
            node: (payload >> 75) as u16 & 0x3ff,
            sequence: (payload >> 32) as u64 & ((1 << 43) - 1),
            link: LinkNo(payload as u32),
        }
    }
}

fn mac(key: &[u8; 32], payload: u128) -> u64 {
    let mut message = [0; CONTEXT.len() + 16];
    message[..CONTEXT.len()].copy_from_slice(CONTEXT);
    message[CONTEXT.len()..].copy_from_slice(&payload.to_be_bytes());
    let digest = blake3::keyed_hash(key, &message);
    let mut tag = [0; 8];
    tag.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_be_bytes(tag)
}

/// One subtraction and no early exit: takes the same time wherever two tags differ.
fn same(a: u64, b: u64) -> bool {
    std::hint::black_box(a ^ b) == 0
}

/// Writes `value`, below 62^16, with all [`HALF`] digits. What the `base62` package writes, without its general divisions.
fn write_half(out: &mut [u8; HALF], value: u128) {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    /// 62^8: so the digits come from two numbers that do not wait for each other.
    const MIDDLE: u64 = 62u64.pow(8);
    let middle = u128::from(MIDDLE);
    let (mut high, mut low) = ((value / middle) as u64, (value % middle) as u64);
    let (left, right) = out.split_at_mut(HALF / 2);
    for (left, right) in left.iter_mut().zip(right).rev() {
        *left = DIGITS[(high % 62) as usize];
        *right = DIGITS[(low % 62) as usize];
        (high, low) = (high / 62, low / 62);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keyring::Secret;
    use proptest::prelude::*;

    fn ring(versions: &[u8]) -> Keyring {
        Keyring::new(
            versions
                .iter()
                .map(|v| Secret {
                    version: *v,
                    key: [*v; 32],
                })
                .collect(),
        )
        .expect("keys")
    }

    proptest! {
        #[test]
        fn ids_round_trip_and_outlive_rotation(ms in EPOCH_MS..EPOCH_MS + (1 << 41), node in 0u16..1024, sequence in 0u64..1 << 43, link in any::<u32>()) {
            let id = ClickId { at: Timestamp(ms), node, sequence, link: LinkNo(link) };
            let text = id.sign(&ring(&[1]));
            prop_assert_eq!(text.as_str().len(), CLICK_ID_LENGTH);
            prop_assert!(text.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()));
            prop_assert_eq!(ClickId::verify(text.as_str(), &ring(&[1, 2])), Some(id));
            prop_assert_eq!(ClickId::verify(text.as_str(), &ring(&[2])), None);
        }

        #[test]
        fn one_changed_character_breaks_an_id(place in 0usize..32, with in "[0-9A-Za-z]") {
            let id = ClickId { at: Timestamp(EPOCH_MS + 5), node: 3, sequence: 9, link: LinkNo(7) };
            let good = id.sign(&ring(&[1])).as_str().to_owned();
            let mut bad = good.clone();
            bad.replace_range(place..=place, &with);
            prop_assert_eq!(ClickId::verify(&bad, &ring(&[1])).is_some(), bad == good);
        }

        #[test]
        fn halves_are_written_in_base62(value in 0u128..1 << 95) {
            let mut text = [0; HALF];
            write_half(&mut text, value);
            prop_assert_eq!(std::str::from_utf8(&text), Ok(&*format!("{:0>16}", base62::encode(value))));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            prop_assert_eq!(ClickId::verify(&text, &ring(&[1])), None);
        }
    }
}
