//! The attribution cookie `hop_v`: an anonymous visitor number and the last links that visitor followed, signed.
//!
//! One cookie a workspace, so that brands that share a server share no visitor. Holds no address and no name.
//!
//! Layout before base64url: format 1, key version, visitor (8 bytes, big endian), then at most [`TOUCHES_MAX`]
//! touches oldest first (link 4 bytes, seconds 4 bytes), then 16 bytes of BLAKE3 MAC over a context string, the
//! workspace and all of the above.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use memchr::memchr;

use super::id::{LinkNo, WorkspaceNo};
use super::keyring::{Keyring, Secret};
use super::time::Timestamp;

/// Touches a cookie keeps: the journey that attribution can see.
pub const TOUCHES_MAX: usize = 8;

/// Bytes of the network that an address belongs to, with the kind of address before it.
pub const NETWORK: usize = 9;

const FORMAT: u8 = 1;
const HEAD: usize = 2 + 8;
const TOUCH: usize = 8;
const TAG: usize = 16;
const BYTES_MAX: usize = HEAD + TOUCHES_MAX * TOUCH + TAG;
const TEXT_MAX: usize = BYTES_MAX.div_ceil(3) * 4;
const CONTEXT: &[u8] = b"hopcart visitor cookie 1";

/// One follow of a link as attribution sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Touch {
    /// The link that was followed.
    pub link: LinkNo,
    /// When, in seconds since the Unix epoch.
    pub seconds: u32,
}

impl Touch {
    /// A touch of `link` at `at`.
    pub fn new(link: LinkNo, at: Timestamp) -> Self {
        Self {
            link,
            seconds: u32::try_from(at.seconds().max(0)).unwrap_or(u32::MAX),
        }
    }
}

/// What a visitor's cookie says. At most [`TOUCHES_MAX`] touches, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visitor {
    /// Random, never 0, the same for the cookie's whole life.
    pub id: u64,
    touches: [Touch; TOUCHES_MAX],
    count: usize,
}

impl Visitor {
    /// A visitor without a past. `id` 0 is reserved for "no visitor" and becomes 1.
    pub fn new(id: u64) -> Self {
        Self {
            id: id.max(1),
            touches: [Touch::default(); TOUCHES_MAX],
            count: 0,
        }
    }

    /// The journey so far, oldest first.
    pub fn touches(&self) -> &[Touch] {
        &self.touches[..self.count]
    }

    /// Adds `touch` as the latest; the oldest gives way. A second touch of the same link replaces the first, so that
    /// tapping one link over and over does not push the other creators out.
    pub fn add(&mut self, touch: Touch) {
        let kept = self.touches().iter().copied().filter(|old| old.link != touch.link);
        let mut next = [Touch::default(); TOUCHES_MAX];
        let mut count = 0;
        let skip = kept.clone().count().saturating_sub(TOUCHES_MAX - 1);
        for (place, old) in next.iter_mut().zip(kept.skip(skip)) {
            *place = old;
            count += 1;
        }
        next[count] = touch;
        self.touches = next;
        self.count = count + 1;
    }

    /// Appends the signed cookie value to `out`.
    pub fn sign(&self, workspace: WorkspaceNo, keys: &Keyring, out: &mut String) {
        let secret = keys.newest();
        let mut bytes = [0; BYTES_MAX];
        bytes[0] = FORMAT;
        bytes[1] = secret.version;
        bytes[2..HEAD].copy_from_slice(&self.id.to_be_bytes());
        let mut end = HEAD;
        for touch in self.touches() {
            bytes[end..end + 4].copy_from_slice(&touch.link.0.to_be_bytes());
            bytes[end + 4..end + 8].copy_from_slice(&touch.seconds.to_be_bytes());
            end += TOUCH;
        }
        let tag = mac(secret, workspace, &bytes[..end]);
        bytes[end..end + TAG].copy_from_slice(&tag.as_bytes()[..TAG]);
        let mut text = [0; TEXT_MAX];
        let length = URL_SAFE_NO_PAD.encode_slice(&bytes[..end + TAG], &mut text);
        let text = length.ok().and_then(|length| text.get(..length));
        out.push_str(text.and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default());
    }

    /// Reads and verifies a cookie value; `None` when it was not signed by one of `keys` for `workspace`.
    pub fn verify(text: &str, workspace: WorkspaceNo, keys: &Keyring) -> Option<Self> {
        let mut bytes = [0; TEXT_MAX];
        if text.len() > TEXT_MAX {
            return None;
        }
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let touches_length = length.checked_sub(HEAD + TAG)?;
        if touches_length % TOUCH != 0 || touches_length / TOUCH > TOUCHES_MAX || bytes[0] != FORMAT {
            return None;
        }
        let (said, tag) = bytes[..length].split_at(length - TAG);
        let mut expected_tag = [0; 32];
        expected_tag[..TAG].copy_from_slice(tag);
        let mut actual = [0; 32];
        actual[..TAG].copy_from_slice(&mac(keys.version(said[1])?, workspace, said).as_bytes()[..TAG]);
        // `blake3::Hash` compares in constant time.
        if blake3::Hash::from_bytes(actual) != blake3::Hash::from_bytes(expected_tag) {
            return None;
        }
        let mut visitor = Self::new(be_u64(&said[2..HEAD]));
        for pair in said[HEAD..].chunks_exact(TOUCH) {
            visitor.touches[visitor.count] = Touch {
                link: LinkNo(be_u32(&pair[..4])),
                seconds: be_u32(&pair[4..]),
            };
            visitor.count += 1;
        }
        Some(visitor)
    }
}

/// Name of a workspace's cookie, kept on the stack.
#[derive(Debug, Clone, Copy)]
pub struct CookieName {
    text: [u8; CookieName::MAX],
    length: usize,
}

impl CookieName {
    const STEM: &str = "hop_v";
    /// With the ten digits of the highest number.
    const MAX: usize = Self::STEM.len() + 10;

    /// The cookie of `workspace`: `hop_v12`; the first workspace's has no number.
    pub fn of(workspace: WorkspaceNo) -> Self {
        let mut text = [0; Self::MAX];
        text[..Self::STEM.len()].copy_from_slice(Self::STEM.as_bytes());
        let mut name = Self {
            text,
            length: Self::STEM.len(),
        };
        if workspace.0 != 1 {
            let mut rest = workspace.0;
            name.length += rest.checked_ilog10().unwrap_or(0) as usize + 1;
            for digit in name.text[Self::STEM.len()..name.length].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        name
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }
}

/// The value of cookie `name` in a `Cookie` header.
pub fn cookie_value<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = header;
    while !rest.is_empty() {
        let end = memchr(b';', rest.as_bytes()).unwrap_or(rest.len());
        let pair = rest[..end].trim();
        rest = rest.get(end + 1..).unwrap_or_default();
        let value = pair.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        if let Some(value) = value {
            return Some(value.trim_matches('"'));
        }
    }
    None
}

/// What [`hash_identity`] takes of a user agent: the same for each follower who has it, so that it can be kept.
pub fn agent_digest(user_agent: &str) -> [u8; 32] {
    *blake3::hash(user_agent.as_bytes()).as_bytes()
}

/// A number for visitors without a cookie: keyed by a salt that changes each day, so that it cannot be traced back
/// to an address or joined across days. Never 0.
///
/// `network` is the address as far as it counts, `agent` the [`agent_digest`] of the user agent: all of it is one block of
/// the hash function.
pub fn hash_identity(
    salt: &[u8; 32],
    day: u32,
    workspace: WorkspaceNo,
    network: &[u8; NETWORK],
    agent: &[u8; 32],
) -> u64 {
    let mut message = [0; 8 + NETWORK + 32];
    message[..4].copy_from_slice(&day.to_be_bytes());
    message[4..8].copy_from_slice(&workspace.0.to_be_bytes());
    message[8..8 + NETWORK].copy_from_slice(network);
    message[8 + NETWORK..].copy_from_slice(agent);
    let mut head = [0; 8];
    head.copy_from_slice(&blake3::keyed_hash(salt, &message).as_bytes()[..8]);
    u64::from_be_bytes(head).max(1)
}

fn mac(secret: &Secret, workspace: WorkspaceNo, said: &[u8]) -> blake3::Hash {
    let mut message = [0; CONTEXT.len() + 4 + BYTES_MAX];
    message[..CONTEXT.len()].copy_from_slice(CONTEXT);
    message[CONTEXT.len()..CONTEXT.len() + 4].copy_from_slice(&workspace.0.to_be_bytes());
    let end = CONTEXT.len() + 4 + said.len();
    message[CONTEXT.len() + 4..end].copy_from_slice(said);
    blake3::keyed_hash(&secret.key, &message[..end])
}

fn be_u64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn be_u32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
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

    fn signed(visitor: &Visitor, workspace: u32, keys: &Keyring) -> String {
        let mut text = String::new();
        visitor.sign(WorkspaceNo(workspace), keys, &mut text);
        text
    }

    proptest! {
        #[test]
        fn cookies_round_trip_within_their_workspace(id in 1u64.., links in proptest::collection::vec((any::<u32>(), any::<u32>()), 0..20)) {
            let mut visitor = Visitor::new(id);
            for (link, seconds) in &links {
                visitor.add(Touch { link: LinkNo(*link), seconds: *seconds });
            }
            prop_assert!(visitor.touches().len() <= TOUCHES_MAX);
            let text = signed(&visitor, 7, &ring(&[1]));
            prop_assert!(text.len() <= TEXT_MAX);
            prop_assert_eq!(Visitor::verify(&text, WorkspaceNo(7), &ring(&[1, 2])), Some(visitor));
            prop_assert_eq!(Visitor::verify(&text, WorkspaceNo(8), &ring(&[1, 2])), None);
            prop_assert_eq!(Visitor::verify(&text, WorkspaceNo(7), &ring(&[2])), None);
        }

        #[test]
        fn one_changed_character_breaks_a_cookie(place in 0usize..50, with in "[0-9A-Za-z_-]") {
            let mut visitor = Visitor::new(5);
            visitor.add(Touch { link: LinkNo(1), seconds: 2 });
            let good = signed(&visitor, 7, &ring(&[1]));
            let mut bad = good.clone();
            bad.replace_range(place % good.len()..=place % good.len(), &with);
            if bad != good {
                prop_assert_eq!(Visitor::verify(&bad, WorkspaceNo(7), &ring(&[1])), None);
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            prop_assert_eq!(Visitor::verify(&text, WorkspaceNo(1), &ring(&[1])), None);
        }
    }

    #[test]
    fn the_journey_keeps_the_last_eight_links() {
        let mut visitor = Visitor::new(1);
        for link in 1..=10 {
            visitor.add(Touch {
                link: LinkNo(link),
                seconds: link,
            });
        }
        assert_eq!(
            visitor.touches().iter().map(|touch| touch.link.0).collect::<Vec<_>>(),
            [3, 4, 5, 6, 7, 8, 9, 10]
        );
        visitor.add(Touch {
            link: LinkNo(5),
            seconds: 99,
        });
        assert_eq!(
            visitor.touches().iter().map(|touch| touch.link.0).collect::<Vec<_>>(),
            [3, 4, 6, 7, 8, 9, 10, 5]
        );
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        assert_eq!(cookie_value("a=1; hop_v2=x; hop_v=y", "hop_v"), Some("y"));
        assert_eq!(cookie_value("xhop_v=1", "hop_v"), None);
        assert_eq!(cookie_value("hop_v=;; hop_v2 =\"x\"", "hop_v2"), None);
        assert_eq!(cookie_value("hop_v2=\"x=y\" ;", "hop_v2"), Some("x=y"));
        for (workspace, name) in [
            (1, "hop_v"),
            (0, "hop_v0"),
            (12, "hop_v12"),
            (u32::MAX, "hop_v4294967295"),
        ] {
            assert_eq!(CookieName::of(WorkspaceNo(workspace)).as_str(), name);
        }
    }
}
