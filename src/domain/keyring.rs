//! Secret keys of the server by purpose and version: the newest signs, all verify.
//!
//! Keys are kept in the books and handed in by `app`; nothing here prints one.

use std::fmt;

use super::mac::MacKey;

/// One secret with the version that names it in what it signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Version, from 1 upwards; written into signed values.
    pub version: u8,
    /// 256 bits.
    pub key: [u8; 32],
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret {{ version: {}, key: *** }}", self.version)
    }
}

/// All secrets of one purpose, each with the key of tags that belongs to it.
#[derive(Debug, Clone)]
pub struct Keyring {
    newest: (Secret, MacKey),
    older: Vec<(Secret, MacKey)>,
}

impl Keyring {
    /// A ring of `secrets`; `None` when there are none.
    pub fn new(mut secrets: Vec<Secret>) -> Option<Self> {
        secrets.sort_by_key(|secret| secret.version);
        let with_mac = |secret: Secret| {
            let mac = MacKey::of_secret(&secret.key);
            (secret, mac)
        };
        let newest = secrets.pop().map(with_mac)?;
        let older = secrets.into_iter().map(with_mac).collect();
        Some(Self { newest, older })
    }

    /// The secret that signs.
    pub fn newest(&self) -> &Secret {
        &self.newest.0
    }

    /// The key that tags what is short.
    pub fn newest_mac(&self) -> &MacKey {
        &self.newest.1
    }

    /// The secret named `version`, for verifying.
    pub fn version(&self, version: u8) -> Option<&Secret> {
        self.named(version).map(|(secret, _)| secret)
    }

    /// The key of tags of the secret named `version`, for verifying.
    pub fn mac_version(&self, version: u8) -> Option<&MacKey> {
        self.named(version).map(|(_, mac)| mac)
    }

    fn named(&self, version: u8) -> Option<&(Secret, MacKey)> {
        self.with_macs().find(|(secret, _)| secret.version == version)
    }

    /// Every secret, newest first.
    pub fn all(&self) -> impl Iterator<Item = &Secret> {
        self.with_macs().map(|(secret, _)| secret)
    }

    /// Every secret with its key of tags, newest first.
    pub fn with_macs(&self) -> impl Iterator<Item = &(Secret, MacKey)> {
        std::iter::once(&self.newest).chain(self.older.iter().rev())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_signs_and_no_key_is_printed() {
        let secret = |version| Secret {
            version,
            key: [version; 32],
        };
        let ring = Keyring::new(vec![secret(2), secret(3), secret(1)]).expect("three keys");
        assert_eq!(ring.newest().version, 3);
        assert_eq!(ring.version(1), Some(&secret(1)));
        assert_eq!(ring.version(4), None);
        assert_eq!(ring.mac_version(2), Some(&MacKey::of_secret(&[2; 32])));
        assert_eq!(ring.newest_mac(), &MacKey::of_secret(&[3; 32]));
        assert_eq!(ring.all().map(|secret| secret.version).collect::<Vec<_>>(), [3, 2, 1]);
        assert!(!format!("{ring:?}").contains("[1"));
        assert!(Keyring::new(vec![]).is_none());
    }
}
