//! Sessions of the console: a signed cookie that names a key. Revoking the key ends its sessions at once. Forms that change
//! something carry a token of their session, so that no other site can send them.

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HeaderMap};
use axum::http::request::Parts;

use super::reply::{Refused, from_elsewhere, is_own_form, see_other};
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

/// Somebody who is signed in. As an argument of a handler it sends everybody else to sign in.
#[derive(Clone)]
pub(super) struct Session {
    pub caller: Caller,
    /// Goes into every form that changes something.
    pub form_token: String,
}

/// A form of a session that may change something: its fields without the token.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The value of the field `name`.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

impl Session {
    /// The fields of a form that this session's page sent.
    pub fn form(&self, headers: &HeaderMap, body: &[u8]) -> Result<Form, Refused> {
        let fields = Form(url::form_urlencoded::parse(body).into_owned().collect());
        // Compared as hashes, so that the time tells nothing about the token.
        let is_ours = blake3::hash(fields.get("token").as_bytes()) == blake3::hash(self.form_token.as_bytes());
        if is_ours && is_own_form(headers) {
            return Ok(fields);
        }
        Err(from_elsewhere().into())
    }
}

impl FromRequestParts<Api> for Session {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Refused> {
        // The gate has looked already.
        let session = parts.extensions.get::<Self>().cloned();
        session.ok_or_else(|| see_other("/sign-in", None).into())
    }
}

/// The cookie of a new session of `caller`.
pub(super) fn cookie(api: &Api, caller: &Caller, is_secure: bool) -> String {
    let ends = api.context.clock().now().seconds() + LIFETIME_SECONDS;
    let tag = mac(api, "session", &caller.key_id, ends);
    let secure = if is_secure { "; Secure" } else { "" };
    format!(
        "{NAME}={}.{ends}.{tag}; Path=/; Max-Age={LIFETIME_SECONDS}; HttpOnly; SameSite=Strict{secure}",
        caller.key_id
    )
}

/// The session that the request shows; `None` when there is none, it ended, or its key was revoked.
pub(super) async fn of(api: &Api, headers: &HeaderMap) -> Result<Option<Session>, Error> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let Some(value) = cookies.filter_map(|header| cookie_value(header, NAME)).next() else {
        return Ok(None);
    };
    let now = api.context.clock().now();
    let Some((key_id, ends)) = verify(api, value, now) else {
        return Ok(None);
    };
    if Timestamp::from_seconds(ends) < now {
        return Ok(None);
    }
    let form_token = mac(api, "form", &key_id, ends).to_hex().to_string();
    let caller = api.context.books().read(move |view| {
        let live = books::api_key::all_live(view)?;
        crate::web::api::caller_of(view, live.into_iter().find(|key| key.id == key_id), now)
    });
    Ok(caller.await?.map(|caller| Session { caller, form_token }))
}

fn verify(api: &Api, value: &str, now: Timestamp) -> Option<(String, i64)> {
    let (said, tag) = value.rsplit_once('.')?;
    let (key_id, ends) = said.split_once('.')?;
    let ends: i64 = ends
        .parse()
        .ok()
        .filter(|ends| *ends <= now.seconds() + LIFETIME_SECONDS)?;
    // `blake3::Hash` compares in constant time.
    let is_ours = blake3::Hash::from_hex(tag).ok()? == mac(api, "session", key_id, ends);
    is_ours.then(|| (key_id.to_owned(), ends))
}

fn mac(api: &Api, purpose: &str, key_id: &str, ends: i64) -> blake3::Hash {
    blake3::keyed_hash(
        &api.session_key,
        format!("hopcart {purpose} 1:{key_id}:{ends}").as_bytes(),
    )
}
