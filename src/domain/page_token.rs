//! What a landing page carries in its form: which click it was shown for and exactly what it showed, signed.
//!
//! Opaque to the follower and good for a day. Holds nothing that names a person. A token proves that this server drew
//! the page; what may be bought is looked up anew when it comes back.
//!
//! Layout, in base64url: version (1), flags (1), variant (1), node (2), click's instant (8), sequence (8), link (4),
//! domain (4), drawn at (8), cart (8), number of items (1), their codes, slug; then 16 bytes of MAC: BLAKE3, keyed,
//! over everything before it. Numbers are little endian.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::cart::ITEMS_MAX;
use super::click_id::ClickId;
use super::id::{DomainNo, LinkNo};
use super::keyring::Keyring;
use super::slug::SLUG_MAX;
use super::time::Timestamp;

/// How long a page can be sent, in milliseconds: a day. Prices and stock are older than anybody would trust by then.
pub const LIFE_MS: i64 = 24 * 60 * 60 * 1000;

/// Longest token that is looked at, in bytes: 50 items and a slug of 190 characters of 4 bytes, in base64.
pub const TOKEN_MAX: usize = (FIXED + ITEMS_MAX + SLUG_MAX * 4 + MAC).div_ceil(3) * 4;

const VERSION: u8 = 1;
const FIXED: usize = 46;
const MAC: usize = 16;
const CONTEXT: &str = "hopcart page token 1";

const MAY_SEND_ID: u8 = 1;

/// What a page's form says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken {
    /// The click that the page was the answer to.
    pub click: ClickId,
    /// Whether the click id may go along to the shop: not for those who opted out.
    pub may_send_id: bool,
    /// Number of the A/B variant, from 1; 0 = none.
    pub variant: u8,
    pub domain: DomainNo,
    pub drawn_at: Timestamp,
    /// [`super::cart::Cart::fingerprint`] of the cart that was shown.
    pub cart: u64,
    /// [`super::cart::Picked::code`] of each item.
    pub shown: Vec<u8>,
    /// Decoded, as it was asked for.
    pub slug: String,
}

impl PageToken {
    /// The signed text.
    pub fn sign(&self, keys: &Keyring) -> String {
        let shown = &self.shown[..self.shown.len().min(ITEMS_MAX)];
        let mut bytes = Vec::with_capacity(FIXED + shown.len() + self.slug.len() + MAC);
        bytes.extend([VERSION, if self.may_send_id { MAY_SEND_ID } else { 0 }, self.variant]);
        bytes.extend(self.click.node.to_le_bytes());
        bytes.extend(self.click.at.0.to_le_bytes());
        bytes.extend(self.click.sequence.to_le_bytes());
        bytes.extend(self.click.link.0.to_le_bytes());
        bytes.extend(self.domain.0.to_le_bytes());
        bytes.extend(self.drawn_at.0.to_le_bytes());
        bytes.extend(self.cart.to_le_bytes());
        bytes.push(shown.len() as u8);
        bytes.extend(shown);
        bytes.extend(self.slug.as_bytes());
        let tag = mac(&keys.newest().key, &bytes);
        bytes.extend(tag);
        URL_SAFE_NO_PAD.encode(&bytes)
    }

    /// Reads and verifies `text`; `None` when it is no token that one of `keys` signed. Whether it is too old is for
    /// the caller to say: an old page is shown again.
    pub fn verify(text: &str, keys: &Keyring) -> Option<Self> {
        if text.len() > TOKEN_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (signed, tag) = bytes.split_last_chunk::<MAC>()?;
        keys.all()
            .any(|secret| same(&mac(&secret.key, signed), tag))
            .then(|| Self::read(signed))?
    }

    /// Whether the page was drawn more than a day before `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.since(self.drawn_at) > LIFE_MS
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED>()?;
        let (head, mut fields) = fixed.split_first_chunk::<3>()?;
        let [VERSION, flags, variant] = *head else { return None };
        let node = u16::from_le_bytes(take(&mut fields)?);
        let at = Timestamp(i64::from_le_bytes(take(&mut fields)?));
        let sequence = u64::from_le_bytes(take(&mut fields)?);
        let link = LinkNo(u32::from_le_bytes(take(&mut fields)?));
        let domain = DomainNo(u32::from_le_bytes(take(&mut fields)?));
        let drawn_at = Timestamp(i64::from_le_bytes(take(&mut fields)?));
        let cart = u64::from_le_bytes(take(&mut fields)?);
        let [count] = take(&mut fields)?;
        let (shown, slug) = rest.split_at_checked(usize::from(count))?;
        Some(Self {
            click: ClickId {
                at,
                node,
                sequence,
                link,
            },
            may_send_id: flags & MAY_SEND_ID != 0,
            variant,
            domain,
            drawn_at,
            cart,
            shown: shown.to_vec(),
            slug: std::str::from_utf8(slug).ok()?.to_owned(),
        })
    }
}

fn take<const N: usize>(fields: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = fields.split_first_chunk::<N>()?;
    *fields = rest;
    Some(*head)
}

fn mac(key: &[u8; 32], bytes: &[u8]) -> [u8; MAC] {
    let key = blake3::derive_key(CONTEXT, key);
    let digest = blake3::keyed_hash(&key, bytes);
    let mut tag = [0; MAC];
    tag.copy_from_slice(&digest.as_bytes()[..MAC]);
    tag
}

/// No early exit: takes the same time wherever two tags differ.
fn same(a: &[u8; MAC], b: &[u8; MAC]) -> bool {
    std::hint::black_box(a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keyring::Secret;
    use proptest::prelude::*;

    fn ring(versions: &[u8]) -> Keyring {
        let secret = |version: &u8| Secret {
            version: *version,
            key: [*version; 32],
        };
        Keyring::new(versions.iter().map(secret).collect()).expect("a key")
    }

    fn any_token() -> impl Strategy<Value = PageToken> {
        let numbers = (any::<i64>(), 0u16..1024, any::<u64>(), any::<u32>(), any::<u32>());
        let rest = (any::<bool>(), any::<u8>(), any::<i64>(), any::<u64>());
        let shown = proptest::collection::vec(any::<u8>(), 0..=ITEMS_MAX);
        (numbers, rest, shown, "\\PC{0,190}").prop_map(|(numbers, rest, shown, slug)| PageToken {
            click: ClickId {
                at: Timestamp(numbers.0),
                node: numbers.1,
                sequence: numbers.2,
                link: LinkNo(numbers.3),
            },
            may_send_id: rest.0,
            variant: rest.1,
            domain: DomainNo(numbers.4),
            drawn_at: Timestamp(rest.2),
            cart: rest.3,
            shown,
            slug,
        })
    }

    proptest! {
        #[test]
        fn tokens_come_back(token in any_token()) {
            let text = token.sign(&ring(&[1]));
            prop_assert!(text.len() <= TOKEN_MAX);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            prop_assert_eq!(PageToken::verify(&text, &ring(&[2])), None);
            prop_assert_eq!(PageToken::verify(&text, &ring(&[1, 2])), Some(token));
        }

        #[test]
        fn no_changed_token_passes(token in any_token(), place: prop::sample::Index, to in "[A-Za-z0-9_-]") {
            let text = token.sign(&ring(&[1]));
            let place = place.index(text.len());
            let mut changed = text.clone();
            changed.replace_range(place..=place, &to);
            prop_assume!(changed != text);
            prop_assert_eq!(PageToken::verify(&changed, &ring(&[1])), None);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            prop_assert_eq!(PageToken::verify(&text, &ring(&[1])), None);
        }
    }

    #[test]
    fn a_page_is_good_for_a_day() {
        let token = PageToken {
            click: ClickId {
                at: Timestamp(0),
                node: 0,
                sequence: 0,
                link: LinkNo(1),
            },
            may_send_id: true,
            variant: 0,
            domain: DomainNo(1),
            drawn_at: Timestamp(1_000),
            cart: 0,
            shown: vec![],
            slug: String::new(),
        };
        assert!(!token.is_expired(Timestamp(1_000 + LIFE_MS)));
        assert!(token.is_expired(Timestamp(1_001 + LIFE_MS)));
    }
}
