//! Links that show a creator their own report, read-only: which creator, until when, and the token in the address that
//! proves that the brand made it.
//!
//! A token is the whole right to look: whoever has it may read that page until it ends or is revoked. It names no person
//! and cannot be made up.
//!
//! Layout, in base64url without padding (RFC 4648 section 5), numbers big-endian: version (1), number of the link (4), of
//! the workspace (4), of the creator (4), end in seconds (8); then 16 bytes of MAC: BLAKE3, keyed, over all before it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::id::{CreatorNo, WorkspaceNo};
use super::keyring::{Keyring, Secret};
use super::time::{DAY_MS, Timestamp};

/// How long a link lasts unless the brand says otherwise: a campaign and the weeks after it.
pub const DAYS_DEFAULT: u32 = 90;
/// Longest that a link lasts: nobody remembers an older one.
pub const DAYS_MAX: u32 = 366;
/// Links of one creator that may be open at a time: more than one for each place where one is posted.
pub const OPEN_MAX: usize = 20;

const VERSION: u8 = 1;
const CONTEXT: &str = "hopcart creator report 1";
const PAYLOAD: usize = 1 + 3 * 4 + 8;
const MAC: usize = 16;
/// Length of a token in characters.
pub const TOKEN_LENGTH: usize = ((PAYLOAD + MAC) * 8).div_ceil(6);

/// A link as the books keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLink {
    /// From 1, never used twice.
    pub no: u32,
    /// Public id, `rl_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub creator: CreatorNo,
    pub created_at: Timestamp,
    /// Whole seconds.
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

impl ReportLink {
    /// When a link made at `now` ends that is to last for `days`.
    pub fn end(now: Timestamp, days: u32) -> Timestamp {
        Timestamp::from_seconds(now.plus_ms(i64::from(days) * DAY_MS).seconds())
    }

    /// Whether it may be read at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }

    /// The token of this link. As long as the newest key is the same, so is the token.
    pub fn token(&self, keys: &Keyring) -> String {
        let mut bytes = Vec::with_capacity(PAYLOAD + MAC);
        bytes.push(VERSION);
        for number in [self.no, self.workspace.0, self.creator.0] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.expires_at.seconds().to_be_bytes());
        let tag = mac(keys.newest(), &bytes);
        bytes.extend_from_slice(&tag.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whether `token` was made for this very link.
    pub fn is_named_by(&self, token: &ReportToken) -> bool {
        let ReportToken {
            link,
            workspace,
            creator,
            expires_at,
        } = *token;
        (self.no, self.workspace, self.creator, self.expires_at) == (link, workspace, creator, expires_at)
    }
}

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportToken {
    /// Number of the link.
    pub link: u32,
    pub workspace: WorkspaceNo,
    pub creator: CreatorNo,
    pub expires_at: Timestamp,
}

impl ReportToken {
    /// Reads and verifies `text`, however old it is; `None` when none of `keys` signed it.
    pub fn verify(text: &str, keys: &Keyring) -> Option<Self> {
        if text.len() != TOKEN_LENGTH {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (payload, tag) = bytes.split_last_chunk::<MAC>()?;
        let tag = u128::from_be_bytes(*tag);
        let is_ours = keys.all().any(|secret| same(mac(secret, payload), tag));
        is_ours.then(|| Self::read(payload)).flatten()
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let ([VERSION], mut rest) = payload.split_first_chunk::<1>()? else {
            return None;
        };
        let mut number = || {
            let (bytes, after) = rest.split_first_chunk::<4>()?;
            rest = after;
            Some(u32::from_be_bytes(*bytes))
        };
        let (link, workspace, creator) = (number()?, number()?, number()?);
        let seconds = i64::from_be_bytes(rest.try_into().ok()?);
        Some(Self {
            link,
            workspace: WorkspaceNo(workspace),
            creator: CreatorNo(creator),
            expires_at: Timestamp::from_seconds(seconds),
        })
    }
}

/// The key is derived, so that nothing that another use of the secret signs is ever a token.
fn mac(secret: &Secret, payload: &[u8]) -> u128 {
    let key = blake3::derive_key(CONTEXT, &secret.key);
    let digest = blake3::keyed_hash(&key, payload);
    let mut tag = [0; MAC];
    tag.copy_from_slice(&digest.as_bytes()[..MAC]);
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

    fn link(no: u32, creator: u32, seconds: i64) -> ReportLink {
        ReportLink {
            no,
            id: "rl_1".to_owned(),
            workspace: WorkspaceNo(7),
            creator: CreatorNo(creator),
            created_at: Timestamp(1),
            expires_at: Timestamp::from_seconds(seconds),
            revoked_at: None,
        }
    }

    #[test]
    fn a_link_is_open_until_it_ends_or_is_revoked() {
        let mut open = link(1, 2, 1_000);
        assert_eq!(
            [999_999, 1_000_000].map(|ms| open.is_open(Timestamp(ms))),
            [true, false]
        );
        open.revoked_at = Some(Timestamp(5));
        assert!(!open.is_open(Timestamp(6)));
        let now = Timestamp(1_795_254_780_123);
        assert_eq!(ReportLink::end(now, 2), Timestamp(1_795_254_780_000 + 2 * DAY_MS));
    }

    proptest! {
        #[test]
        fn tokens_round_trip_and_outlive_rotation(no: u32, creator: u32, seconds in 0i64..1 << 40) {
            let link = link(no, creator, seconds);
            let text = link.token(&ring(&[1]));
            prop_assert_eq!(text.len(), TOKEN_LENGTH);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            let read = ReportToken::verify(&text, &ring(&[1, 2])).expect("ours");
            prop_assert!(link.is_named_by(&read));
            let other = ReportLink { creator: CreatorNo(creator.wrapping_add(1)), ..link };
            prop_assert!(!other.is_named_by(&read));
            prop_assert_eq!(ReportToken::verify(&text, &ring(&[2])), None);
        }

        #[test]
        fn one_changed_character_breaks_a_token(place in 0usize..TOKEN_LENGTH, with in "[0-9A-Za-z_-]") {
            let good = link(3, 4, 1_795_254_780).token(&ring(&[1]));
            let mut bad = good.clone();
            bad.replace_range(place..=place, &with);
            prop_assert_eq!(ReportToken::verify(&bad, &ring(&[1])).is_some(), bad == good);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}|[0-9A-Za-z_-]{50}") {
            prop_assert_eq!(ReportToken::verify(&text, &ring(&[1])), None);
        }
    }
}
