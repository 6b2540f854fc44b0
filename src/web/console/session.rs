//! Sessions of the console: a signed cookie that names a key. Revoking the key ends its sessions at once.

use axum::http::header::{COOKIE, HeaderMap};

use crate::books;
use crate::domain::time::Timestamp;
use crate::domain::visitor::cookie_value;
use crate::flows::Error;
use crate::web::api::{Api, Caller};

const NAME: &str = "hopcart_session";
/// A session ends after this, however often it is used.
const LIFETIME_SECONDS: i64 = 7 * 24 * 60 * 60;
/// Ends the session.
pub(super) const FORGET: &str = "hopcart_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict";

/// The cookie of a new session of `caller`.
pub(super) fn cookie(api: &Api, caller: &Caller, is_secure: bool) -> String {
    let ends = api.context.clock().now().seconds() + LIFETIME_SECONDS;
    let tag = mac(api, &caller.key_id, ends);
    let secure = if is_secure { "; Secure" } else { "" };
    format!(
        "{NAME}={}.{ends}.{tag}; Path=/; Max-Age={LIFETIME_SECONDS}; HttpOnly; SameSite=Strict{secure}",
        caller.key_id
    )
}

/// The caller whose session the request shows; `None` when there is none, it ended, or its key was revoked.
pub(super) async fn caller(api: &Api, headers: &HeaderMap) -> Result<Option<Caller>, Error> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let Some(value) = cookies.filter_map(|header| cookie_value(header, NAME)).next() else {
        return Ok(None);
    };
    let Some((key_id, ends)) = verify(api, value, api.context.clock().now()) else {
        return Ok(None);
    };
    if Timestamp::from_seconds(ends) < api.context.clock().now() {
        return Ok(None);
    }
    api.context
        .books()
        .read(move |view| {
            let live = books::api_key::all_live(view)?;
            crate::web::api::caller_of(view, live.into_iter().find(|key| key.id == key_id))
        })
        .await
}

fn verify(api: &Api, value: &str, now: Timestamp) -> Option<(String, i64)> {
    let (said, tag) = value.rsplit_once('.')?;
    let (key_id, ends) = said.split_once('.')?;
    let ends: i64 = ends
        .parse()
        .ok()
        .filter(|ends| *ends <= now.seconds() + LIFETIME_SECONDS)?;
    // `blake3::Hash` compares in constant time.
    let is_ours = blake3::Hash::from_hex(tag).ok()? == mac(api, key_id, ends);
    is_ours.then(|| (key_id.to_owned(), ends))
}

fn mac(api: &Api, key_id: &str, ends: i64) -> blake3::Hash {
    blake3::keyed_hash(
        &api.session_key,
        format!("hopcart session 1:{key_id}:{ends}").as_bytes(),
    )
}
