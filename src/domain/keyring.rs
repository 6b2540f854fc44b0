//! Secret keys of the server by purpose and version: the newest signs, all verify.
//!
//! Keys are kept in the books and handed in by `app`; nothing here prints one.

use std::fmt;

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

/// All secrets of one purpose.
#[derive(Debug, Clone)]
pub struct Keyring {
    newest: Secret,
    older: Vec<Secret>,
}

impl Keyring {
    /// A ring of `secrets`; `None` when there are none.
    pub fn new(mut secrets: Vec<Secret>) -> Option<Self> {
        secrets.sort_by_key(|secret| secret.version);
        let newest = secrets.pop()?;
        Some(Self { newest, older: secrets })
    }

    /// The secret that signs.
    pub fn newest(&self) -> &Secret {
        &self.newest
    }

    /// The secret named `version`, for verifying.
    pub fn version(&self, version: u8) -> Option<&Secret> {
        if self.newest.version == version {
            return Some(&self.newest);
        }
        self.older.iter().find(|secret| secret.version == version)
    }

    /// Every secret, newest first.
    pub fn all(&self) -> impl Iterator<Item = &Secret> {
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
        assert_eq!(ring.all().map(|secret| secret.version).collect::<Vec<_>>(), [3, 2, 1]);
        assert!(!format!("{ring:?}").contains("[1"));
        assert!(Keyring::new(vec![]).is_none());
    }
}
