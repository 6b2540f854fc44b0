//! API keys: `hop_`, 32 random base62 characters (190 bits), 6 of checksum. Publishable keys begin with `hop_pk_`: they
//! stand in pages for everybody to read, and can only tell of conversions.
//!
//! The checksum lets scanners and people tell a key from a typo offline. Only [`hash`] is ever stored.

use super::outside::Entropy;
use super::slug;

/// What every generated key begins with.
pub const PREFIX: &str = "hop_";
/// What every publishable key begins with. (A secret key that was drawn to begin so, once in 10^7, is still a secret one:
/// what a key may do is in the books.)
pub const PUBLISHABLE_PREFIX: &str = "hop_pk_";
/// Shortest key that an operator may choose for the first start.
pub const CHOSEN_MIN: usize = 16;
/// Longest bearer token that is looked at.
pub const KEY_MAX: usize = 256;
/// Leading characters of a key that lists show, so that people can tell keys apart.
pub const HINT_LENGTH: usize = 8;

const RANDOM_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 6;

/// A new secret key.
pub fn generate(entropy: &dyn Entropy) -> String {
    generate_with(PREFIX, entropy)
}

/// A new publishable key.
pub fn generate_publishable(entropy: &dyn Entropy) -> String {
    generate_with(PUBLISHABLE_PREFIX, entropy)
}

fn generate_with(prefix: &str, entropy: &dyn Entropy) -> String {
    let mut random = [0; RANDOM_LENGTH * 3];
    let body = loop {
        entropy.fill(&mut random);
        if let Some(body) = slug::generate(RANDOM_LENGTH, &random) {
            break body;
        }
    };
    let mut key = format!("{prefix}{body}");
    key.push_str(&checksum(&key));
    key
}

/// Whether `key` has the form of a generated key and its checksum fits.
pub fn is_well_formed(key: &str) -> bool {
    let is_whole = |prefix: &str| {
        let head = prefix.len() + RANDOM_LENGTH;
        key.starts_with(prefix) && key.len() == head + CHECKSUM_LENGTH && key.ends_with(&checksum(&key[..head]))
    };
    key.is_ascii() && (is_whole(PREFIX) || is_whole(PUBLISHABLE_PREFIX))
}

/// What is stored of a key and looked up: 190 bits need no salt and no slow hash (OWASP ASVS 5.0, 6.5.2).
pub fn hash(key: &str) -> [u8; 32] {
    blake3::derive_key("hopcart api key 1", key.as_bytes())
}

/// CRC-32C in base62, padded to its full width.
fn checksum(head: &str) -> String {
    format!(
        "{:0>width$}",
        base62::encode(crc32c::crc32c(head.as_bytes())),
        width = CHECKSUM_LENGTH
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outside::SeededEntropy;

    #[test]
    fn keys_check_themselves() {
        let entropy = SeededEntropy::new(3);
        for round in 0..200 {
            let publishable = generate_publishable(&entropy);
            assert!(publishable.starts_with("hop_pk_") && is_well_formed(&publishable));
            let key = if round % 2 == 0 {
                publishable
            } else {
                generate(&entropy)
            };
            assert!(is_well_formed(&key), "{key}");
            let mut typo = key.clone().into_bytes();
            typo[10] = if typo[10] == b'a' { b'b' } else { b'a' };
            assert!(!is_well_formed(std::str::from_utf8(&typo).expect("ascii")));
        }
        assert_ne!(hash("a"), hash("b"));
        assert!(!is_well_formed("hop_ü"));
    }
}
