//! Links are locked with a password, and opened by whoever says it. Only its argon2id hash is kept; computing one takes
//! tens of milliseconds and 19 MiB on purpose, so it happens on threads of its own, a few at a time, before any commit.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::context::Context;
use super::error::Error;
use super::publish_link::LinkChange;
use crate::domain::password::{PASSWORD_MAX, PasswordHash};

/// Hashes computed at once: each takes a core and 19 MiB, and followers need cores too.
pub(super) const HASHES_AT_ONCE_MAX: usize = 2;
/// Different passwords in one call. 20: their hashes take half a second; a season of links shares a handful.
const PASSWORDS_MAX: usize = 20;
/// Cost: 19 MiB, 2 passes, 1 lane (OWASP, Password Storage Cheat Sheet, argon2id).
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// What answers show of a password, and what says "as it is" when it is sent back.
pub const PASSWORD_SHOWN: &str = "********";

/// What a caller says of a link's password. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordChange {
    /// [`PASSWORD_SHOWN`]: it stays as it is.
    Kept,
    Removed,
    /// As it was said; [`seal`] makes it [`Self::Sealed`].
    Plain(String),
    Sealed(PasswordHash),
}

impl fmt::Debug for PasswordChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl PasswordChange {
    /// Of the text that was sent; an empty one means "none", as in the dialect.
    pub fn of(said: Option<String>) -> Self {
        match said {
            None => Self::Removed,
            Some(text) if text.is_empty() => Self::Removed,
            Some(text) if text == PASSWORD_SHOWN => Self::Kept,
            Some(text) => Self::Plain(text),
        }
    }

    /// Writes it into `place`.
    pub(super) fn apply(self, place: &mut Option<PasswordHash>) -> Result<(), Error> {
        match self {
            Self::Kept if place.is_none() => Err(Error::invalid(
                "password",
                "is what answers show in place of one: choose another",
            )),
            Self::Kept => Ok(()),
            Self::Removed => {
                *place = None;
                Ok(())
            }
            Self::Sealed(hash) => {
                *place = Some(hash);
                Ok(())
            }
            Self::Plain(text) => Err(Error::invalid(
                "password",
                match is_long(&text) {
                    true => format!("must have at most {PASSWORD_MAX} characters"),
                    false => format!("must be one of at most {PASSWORDS_MAX} different ones a call"),
                },
            )),
        }
    }
}

/// Replaces the passwords of `changes` by their hashes, equal ones by one hash. What is too long, or one too many, stays as
/// it was said: its own link refuses it.
///
/// # Errors
/// When the server stops.
pub(super) async fn seal(context: &Context, changes: &mut [LinkChange]) -> Result<(), Error> {
    let mut sealed: HashMap<String, PasswordHash> = HashMap::new();
    for change in changes {
        let Some(PasswordChange::Plain(text)) = &change.reception.password else {
            continue;
        };
        if is_long(text) {
            continue;
        }
        let hash = match sealed.get(text) {
            Some(hash) => hash.clone(),
            None if sealed.len() == PASSWORDS_MAX => continue,
            None => {
                let (mut salt, said) = ([0; 16], text.clone());
                context.inner.entropy.fill(&mut salt);
                let made = work(context, move || hash(&said, &salt)).await??;
                sealed.insert(text.clone(), made.clone());
                made
            }
        };
        change.reception.password = Some(PasswordChange::Sealed(hash));
    }
    Ok(())
}

fn is_long(text: &str) -> bool {
    text.chars().count() > PASSWORD_MAX
}

/// Whether `said` is the password whose hash is `hash`.
///
/// # Errors
/// When the server stops.
pub async fn opens(context: &Context, hash: PasswordHash, said: String) -> Result<bool, Error> {
    if is_long(&said) {
        return Ok(false);
    }
    work(context, move || {
        PasswordVerifier::<str>::verify_password(&hasher()?, said.as_bytes(), &hash.0).map_or(Ok(false), |()| Ok(true))
    })
    .await?
}

async fn work<T: Send + 'static>(context: &Context, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let place = Arc::clone(&context.inner.hashes).acquire_owned().await;
    let place = place.map_err(|_| Error::Unavailable)?;
    let done = tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    });
    done.await.map_err(|_| Error::Unavailable)
}

/// Room for hashes.
pub(super) fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(HASHES_AT_ONCE_MAX))
}

fn hash(text: &str, salt: &[u8]) -> Result<PasswordHash, Error> {
    let made = hasher()?.hash_password_with_salt(text.as_bytes(), salt);
    let made = made.map_err(|_| Error::Internal("a password could not be hashed".to_owned()))?;
    Ok(PasswordHash(made.to_string()))
}

fn hasher() -> Result<Argon2<'static>, Error> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None);
    let params = params.map_err(|_| Error::Internal("the cost of a hash is none".to_owned()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_opens_for_its_password_alone() {
        let made = hash("open sesame", &[7; 16]).expect("a hash");
        assert!(made.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", made.0);
        let opens = |said: &str| {
            PasswordVerifier::<str>::verify_password(&hasher().expect("one"), said.as_bytes(), &made.0).is_ok()
        };
        assert!(opens("open sesame") && !opens("open sesam") && !opens(""));
        assert_ne!(made, hash("open sesame", &[8; 16]).expect("a hash"), "salted");
    }

    #[test]
    fn what_is_shown_changes_nothing_and_nothing_is_printed() {
        let hash = PasswordHash("$argon2id$x".to_owned());
        let apply = |said: Option<&str>, before: Option<PasswordHash>| {
            let mut place = before;
            let said = PasswordChange::of(said.map(str::to_owned));
            assert_eq!(format!("{said:?}"), "***");
            said.apply(&mut place).map(|()| place).ok()
        };
        assert_eq!(
            apply(Some(PASSWORD_SHOWN), Some(hash.clone())),
            Some(Some(hash.clone()))
        );
        assert_eq!(apply(Some(PASSWORD_SHOWN), None), None);
        assert_eq!(apply(None, Some(hash.clone())), Some(None));
        assert_eq!(apply(Some(""), Some(hash.clone())), Some(None));
        assert_eq!(apply(Some("plain"), Some(hash)), None, "never kept as it was said");
    }
}
