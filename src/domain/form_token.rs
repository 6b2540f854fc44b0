//! Tokens of the waiting list's form: they say which link's page was shown, and when, and prove that we showed it.
//!
//! A token is no secret and binds nobody: it keeps forms of other sites and made-up links out, and lets the page be
//! drawn again. It ends after [`LIFE_MS`].
//!
//! Layout, in base64url without padding (RFC 4648 section 5): 16 bytes of MAC (BLAKE3, keyed), then big-endian the
//! numbers of workspace, store, link and domain (4 bytes each), the time of issue (8, milliseconds), the A/B variant (1),
//! the slug (UTF-8).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::id::{DomainNo, LinkNo, StoreNo, WorkspaceNo};
use super::keyring::{Keyring, Secret};
use super::slug::SLUG_MAX;
use super::time::{DAY_MS, Timestamp};

/// A page may lie open for a day before its form is asked for again.
pub const LIFE_MS: i64 = DAY_MS;

const CONTEXT: &str = "hopcart waiting list form 2";
const MAC_LENGTH: usize = 16;
const HEAD_LENGTH: usize = MAC_LENGTH + 4 * 4 + 8 + 1;
/// Longest text that is looked at: the longest slug has 4 bytes a character.
const TEXT_MAX: usize = (HEAD_LENGTH + SLUG_MAX * 4).div_ceil(3) * 4;

/// Which page the form stood on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormToken {
    pub workspace: WorkspaceNo,
    pub store: StoreNo,
    pub link: LinkNo,
    /// Number of the A/B variant that was sold out, from 1; 0 = the link's own cart.
    pub variant: u8,
    /// With `slug`, where the link is found again.
    pub domain: DomainNo,
    /// As it was followed, decoded.
    pub slug: String,
    pub issued_at: Timestamp,
}

impl FormToken {
    /// The signed text of this token: letters, digits, `-` and `_`.
    pub fn sign(&self, keys: &Keyring) -> String {
        let payload = self.payload();
        let mac = mac(keys.newest(), &payload);
        let mut bytes = Vec::with_capacity(MAC_LENGTH + payload.len());
        bytes.extend_from_slice(&mac.to_be_bytes());
        bytes.extend_from_slice(&payload);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads and verifies `text`, however old it is; `None` when none of `keys` signed it.
    pub fn verify(text: &str, keys: &Keyring) -> Option<Self> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (tag, payload) = bytes.split_first_chunk::<MAC_LENGTH>()?;
        let tag = u128::from_be_bytes(*tag);
        let is_ours = keys.all().any(|secret| same(mac(secret, payload), tag));
        is_ours.then(|| Self::of_payload(payload)).flatten()
    }

    /// Whether the form must be asked for again at `now`. A clock that was set back makes no token old.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.since(self.issued_at) >= LIFE_MS
    }

    fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(HEAD_LENGTH - MAC_LENGTH + self.slug.len());
        for number in [self.workspace.0, self.store.0, self.link.0, self.domain.0] {
            payload.extend_from_slice(&number.to_be_bytes());
        }
        payload.extend_from_slice(&self.issued_at.0.to_be_bytes());
        payload.push(self.variant);
        payload.extend_from_slice(self.slug.as_bytes());
        payload
    }

    fn of_payload(payload: &[u8]) -> Option<Self> {
        let mut rest = payload;
        let mut number = || {
            let (bytes, after) = rest.split_first_chunk::<4>()?;
            rest = after;
            Some(u32::from_be_bytes(*bytes))
        };
        let [workspace, store, link, domain] = [number()?, number()?, number()?, number()?];
        let (issued_at, rest) = rest.split_first_chunk::<8>()?;
        let ([variant], slug) = rest.split_first_chunk::<1>()?;
        Some(Self {
            workspace: WorkspaceNo(workspace),
            store: StoreNo(store),
            link: LinkNo(link),
            variant: *variant,
            domain: DomainNo(domain),
            slug: std::str::from_utf8(slug).ok()?.to_owned(),
            issued_at: Timestamp(i64::from_be_bytes(*issued_at)),
        })
    }
}

/// The key is derived, so that nothing that another use of the secret signs is ever a token.
fn mac(secret: &Secret, payload: &[u8]) -> u128 {
    let key = blake3::derive_key(CONTEXT, &secret.key);
    let digest = blake3::keyed_hash(&key, payload);
    let mut tag = [0; MAC_LENGTH];
    tag.copy_from_slice(&digest.as_bytes()[..MAC_LENGTH]);
    u128::from_be_bytes(tag)
}

/// One subtraction and no early exit: takes the same time wherever two tags differ.
fn same(a: u128, b: u128) -> bool {
    std::hint::black_box(a ^ b) == 0
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

    fn token(slug: &str) -> FormToken {
        FormToken {
            workspace: WorkspaceNo(1),
            store: StoreNo(2),
            link: LinkNo(3),
            variant: 2,
            domain: DomainNo(4),
            slug: slug.to_owned(),
            issued_at: Timestamp(1_795_254_780_123),
        }
    }

    #[test]
    fn a_token_lives_for_a_day() {
        let token = token("mia");
        for (ms, expected) in [(-60_000, false), (0, false), (LIFE_MS - 1, false), (LIFE_MS, true)] {
            assert_eq!(token.is_expired(token.issued_at.plus_ms(ms)), expected, "{ms}");
        }
    }

    #[test]
    fn the_key_is_no_other_ones() {
        let text = token("mia").sign(&ring(&[1]));
        let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64");
        let plain = blake3::keyed_hash(&[1; 32], &bytes[MAC_LENGTH..]);
        assert_ne!(bytes[..MAC_LENGTH], plain.as_bytes()[..MAC_LENGTH]);
    }

    proptest! {
        #[test]
        fn tokens_round_trip_and_outlive_rotation(numbers in any::<[u32; 4]>(), slug in "\\PC{1,190}", ms in any::<i64>()) {
            let [workspace, store, link, domain] = numbers;
            let token = FormToken {
                workspace: WorkspaceNo(workspace),
                store: StoreNo(store),
                link: LinkNo(link),
                variant: ms as u8,
                domain: DomainNo(domain),
                slug,
                issued_at: Timestamp(ms),
            };
            let text = token.sign(&ring(&[1]));
            prop_assert!(text.len() <= TEXT_MAX && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(FormToken::verify(&text, &ring(&[1, 2])), Some(token));
            prop_assert_eq!(FormToken::verify(&text, &ring(&[2])), None);
        }

        #[test]
        fn one_changed_character_breaks_a_token(place in 0usize..67, with in "[0-9A-Za-z_-]") {
            let good = token("mia-summer").sign(&ring(&[1]));
            let mut bad = good.clone();
            bad.replace_range(place..=place, &with);
            prop_assert_eq!(FormToken::verify(&bad, &ring(&[1])).is_some(), bad == good);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,200}|[0-9A-Za-z_-]{0,200}") {
            prop_assert_eq!(FormToken::verify(&text, &ring(&[1])), None);
        }
    }
}
