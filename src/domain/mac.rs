//! Tags of short messages that only this server makes and only this server checks: SipHash-2-4 (Aumasson and Bernstein,
//! "SipHash: a fast short-input PRF", 2012), made for just that.
//!
//! A redirect makes three of them. A hash of general use takes 65 ns for the shortest message, this takes 15 to 40. Not for
//! what is long, for passwords, or for what others check: there it is BLAKE3.

use std::fmt;

use siphasher::sip::SipHasher24;
use siphasher::sip128::SipHasher24 as SipHasher128;

/// Length of a key in bytes.
pub const KEY: usize = 16;

/// A key of tags: 128 bits that are as good as drawn.
#[derive(Clone, PartialEq, Eq)]
pub struct MacKey([u8; KEY]);

impl MacKey {
    /// The key that belongs to `secret`; says nothing of it, nor of what else it keys.
    pub fn of_secret(secret: &[u8; 32]) -> Self {
        Self::of_random(&blake3::derive_key("hopcart 2026-11 tags of short messages", secret))
    }

    /// The first half of `random`, which was drawn for this key alone.
    pub fn of_random(random: &[u8; 32]) -> Self {
        let mut key = [0; KEY];
        key.copy_from_slice(&random[..KEY]);
        Self(key)
    }

    /// The tag of `message` in 64 bits.
    pub fn tag_64(&self, message: &[u8]) -> u64 {
        SipHasher24::new_with_key(&self.0).hash(message)
    }

    /// The tag of `message` in 128 bits.
    pub fn tag_128(&self, message: &[u8]) -> u128 {
        SipHasher128::new_with_key(&self.0).hash(message).as_u128()
    }
}

/// Whether two tags are one: an exclusive or and no early exit, which takes the same time wherever they differ.
pub fn are_same(a: u128, b: u128) -> bool {
    std::hint::black_box(a ^ b) == 0
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key 00 01 … 0f and the message 00 01 … 0e of the paper's appendix A, and of the authors' table of 128-bit tags.
    #[test]
    fn tags_are_the_published_ones() {
        let bytes: [u8; 32] = std::array::from_fn(|place| place as u8);
        let key = MacKey::of_random(&bytes);
        assert_eq!(key.tag_64(&bytes[..15]), 0xa129_ca61_49be_45e5);
        assert_eq!(
            key.tag_128(&[]).to_le_bytes(),
            [
                0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93
            ]
        );
    }

    #[test]
    fn a_key_is_no_part_of_its_secret_and_is_not_printed() {
        let secret = [7; 32];
        let key = MacKey::of_secret(&secret);
        assert_ne!(key, MacKey::of_random(&secret));
        assert_ne!(key, MacKey::of_secret(&[8; 32]));
        assert_eq!(format!("{key:?}"), "MacKey(***)");
        assert!(are_same(5, 5) && !are_same(5, 5 | 1 << 127));
    }
}
