//! The hash of a link's password, and the signed word that its holder has said it.
//!
//! The word is a cookie of the link's own: format 1, key version, end (8 bytes, milliseconds since the Unix epoch, big
//! endian), then 16 bytes of BLAKE3 MAC over a context string, the link, its hash and all of the above, in base64url. A
//! new password ends it. Computes no hash itself: that takes time on purpose.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::id::LinkNo;
use super::keyring::{Keyring, Secret};
use super::time::Timestamp;

/// Longest password, in characters: a sentence.
pub const PASSWORD_MAX: usize = 128;
/// How long one password is good for, in seconds: an hour, as long as somebody looks around.
pub const UNLOCKED_SECONDS: i64 = 60 * 60;

const FORMAT: u8 = 1;
const HEAD: usize = 2 + 8;
const TAG: usize = 16;
const LENGTH: usize = HEAD + TAG;
const CONTEXT: &[u8] = b"hopcart unlocked link 1";

/// An argon2id hash in PHC form. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Name of the cookie of `link`.
pub fn cookie_name(link: LinkNo) -> String {
    format!("hop_p{}", link.0)
}

/// The cookie's value: `link` may be followed until `end` while its hash is `hash`.
pub fn sign(link: LinkNo, hash: &PasswordHash, end: Timestamp, keys: &Keyring) -> String {
    let secret = keys.newest();
    let mut bytes = [0; LENGTH];
    bytes[0] = FORMAT;
    bytes[1] = secret.version;
    bytes[2..HEAD].copy_from_slice(&end.0.to_be_bytes());
    let tag = mac(secret, link, hash, &bytes[..HEAD]);
    bytes[HEAD..].copy_from_slice(&tag.as_bytes()[..TAG]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether a cookie's value lets its bearer follow `link` at `now`.
pub fn verify(text: &str, link: LinkNo, hash: &PasswordHash, now: Timestamp, keys: &Keyring) -> bool {
    let mut bytes = [0; LENGTH];
    // The longest text that fits; longer ones are somebody else's.
    if text.len() != LENGTH.div_ceil(3) * 4 - 1 || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(LENGTH) {
        return false;
    }
    let Some(secret) = keys.version(bytes[1]).filter(|_| bytes[0] == FORMAT) else {
        return false;
    };
    let tag = mac(secret, link, hash, &bytes[..HEAD]);
    let Ok(sent) = <[u8; TAG]>::try_from(&bytes[HEAD..]) else {
        return false;
    };
    // Compares in constant time.
    let mut both = [[0; 32]; 2];
    both[0][..TAG].copy_from_slice(&tag.as_bytes()[..TAG]);
    both[1][..TAG].copy_from_slice(&sent);
    let is_ours = blake3::Hash::from_bytes(both[0]) == blake3::Hash::from_bytes(both[1]);
    let end = bytes[2..HEAD].try_into().map(i64::from_be_bytes).unwrap_or(i64::MIN);
    is_ours && now.0 < end
}

fn mac(secret: &Secret, link: LinkNo, hash: &PasswordHash, bytes: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(&secret.key);
    hasher.update(CONTEXT);
    hasher.update(&link.0.to_be_bytes());
    hasher.update(blake3::hash(hash.0.as_bytes()).as_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ring(versions: &[u8]) -> Keyring {
        let secret = |version: &u8| Secret {
            version: *version,
            key: [*version; 32],
        };
        Keyring::new(versions.iter().map(secret).collect()).expect("keys")
    }

    fn hash(text: &str) -> PasswordHash {
        PasswordHash(text.to_owned())
    }

    #[test]
    fn a_word_is_good_for_its_link_its_password_and_its_time() {
        let text = sign(LinkNo(7), &hash("a"), Timestamp(1_000), &ring(&[1]));
        let good = |link, password, now, keys: &[u8]| {
            verify(&text, LinkNo(link), &hash(password), Timestamp(now), &ring(keys))
        };
        assert!(good(7, "a", 999, &[1]) && good(7, "a", 999, &[1, 2]), "keys rotate");
        assert!(!good(7, "a", 1_000, &[1]), "over");
        assert!(!good(8, "a", 999, &[1]), "another link");
        assert!(!good(7, "b", 999, &[1]), "a new password");
        assert!(!good(7, "a", 999, &[2]), "another server");
    }

    #[test]
    fn a_hash_is_not_printed() {
        assert_eq!(format!("{:?}", hash("$argon2id$")), "***");
    }

    proptest! {
        #[test]
        fn one_changed_character_breaks_a_word(place in 0usize..34, with in "[0-9A-Za-z_-]") {
            let good = sign(LinkNo(7), &hash("a"), Timestamp(1_000), &ring(&[1]));
            let mut bad = good.clone();
            bad.replace_range(place..=place, &with);
            prop_assert_eq!(verify(&bad, LinkNo(7), &hash("a"), Timestamp(0), &ring(&[1])), bad == good);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}|[0-9A-Za-z_-]{35}") {
            prop_assert!(!verify(&text, LinkNo(7), &hash("a"), Timestamp(0), &ring(&[1])));
        }
    }
}
