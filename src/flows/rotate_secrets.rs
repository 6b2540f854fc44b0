//! The server's own secrets: made at the first start, rotated when they are due, handed to the hot path.
//!
//! Click-id keys never go (their ids come back on orders years later); cookie keys stay while a cookie can live; the
//! identity salt of yesterday is overwritten, so that hashes of two days cannot be joined.

use std::sync::Arc;

use super::context::Context;
use super::error::Error;
use crate::books::{self, Tx};
use crate::domain::keyring::{Keyring, Secret};
use crate::domain::time::{DAY_MS, Timestamp};
use crate::redirect::Keys;

/// A cookie key signs for this long.
const COOKIE_KEY_DAYS: i64 = 30;

const CLICK_ID: &str = "click_id";
const COOKIE: &str = "cookie";
const SALT: &str = "identity_salt";

/// Rotates what is due and returns all secrets of the hot path.
pub fn rotate(context: &Context) -> Result<Keys, Error> {
    let (now, entropy) = (context.inner.clock.now(), Arc::clone(&context.inner.entropy));
    context.inner.books.commit_blocking(move |tx| {
        let fresh = || {
            let mut key = [0; 32];
            entropy.fill(&mut key);
            key
        };
        Ok(Keys {
            click_id: ring(tx, CLICK_ID, None, now, &fresh)?,
            cookie: ring(tx, COOKIE, Some(COOKIE_KEY_DAYS * DAY_MS), now, &fresh)?,
            salt: salt(tx, now, &fresh)?,
        })
    })
}

fn ring(
    tx: &Tx<'_>,
    purpose: &str,
    lifetime_ms: Option<i64>,
    now: Timestamp,
    fresh: &dyn Fn() -> [u8; 32],
) -> Result<Keyring, Error> {
    let mut secrets = books::secret::all(tx, purpose)?;
    let newest = secrets.iter().max_by_key(|(secret, _)| secret.version);
    let is_due = newest.is_none_or(|(_, made)| lifetime_ms.is_some_and(|lifetime| now.since(*made) >= lifetime));
    let version = newest.map_or(1, |(secret, _)| secret.version.saturating_add(1));
    // 255 versions of 30 days are 20 years; the last one then stays.
    if is_due && newest.is_none_or(|(secret, _)| secret.version < u8::MAX) {
        let secret = Secret { version, key: fresh() };
        books::secret::insert(tx, purpose, &secret, now)?;
        secrets.push((secret, now));
    }
    Keyring::new(secrets.into_iter().map(|(secret, _)| secret).collect())
        .ok_or_else(|| Error::Internal(format!("no secret for {purpose}")))
}

fn salt(tx: &Tx<'_>, now: Timestamp, fresh: &dyn Fn() -> [u8; 32]) -> Result<[u8; 32], Error> {
    let today = now.day();
    let known = books::meta::get(tx, SALT)?.and_then(|text| {
        let (day, hex) = text.split_once(':')?;
        (day.parse() == Ok(today))
            .then(|| blake3::Hash::from_hex(hex).ok())
            .flatten()
    });
    if let Some(known) = known {
        return Ok(*known.as_bytes());
    }
    let salt = fresh();
    books::meta::put(
        tx,
        SALT,
        &format!("{today}:{}", blake3::Hash::from_bytes(salt).to_hex()),
    )?;
    Ok(salt)
}
