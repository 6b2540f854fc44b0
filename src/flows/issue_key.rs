//! Workspaces and API keys are made and revoked; a key is shown once, its hash alone is kept.

use serde_json::{Value, json};

use super::context::Context;
use super::error::Error;
use crate::books::api_key::ApiKey;
use crate::books::workspace::Workspace;
use crate::books::{self, Tx};
use crate::domain::api_key::{self, CHOSEN_MIN, HINT_LENGTH, KEY_MAX, PUBLISHABLE_PREFIX};
use crate::domain::creator::NAME_MAX;
use crate::domain::id::WorkspaceNo;
use crate::domain::origin::{self, ORIGINS_MAX};
use crate::domain::scope::{self, NOUNS, SCOPES_MAX};
use crate::domain::time::Timestamp;

/// Most calls a minute that a key may be bound to: more is no bound.
const CALLS_MAX: u32 = 1_000_000;

/// A key with its secret, which is not kept anywhere.
pub struct IssuedKey {
    pub key: ApiKey,
    pub secret: String,
}

/// On the first start: a workspace and the owner's key, `chosen` or generated. `None` when there is a key already.
pub fn first_start(context: &Context, chosen: Option<&str>) -> Result<Option<IssuedKey>, Error> {
    if let Some(chosen) = chosen
        && !(CHOSEN_MIN..=KEY_MAX).contains(&chosen.chars().count())
    {
        return Err(Error::invalid("HOPCART_ADMIN_KEY", "must have 16 to 256 characters"));
    }
    let secret = chosen.map_or_else(|| api_key::generate(&*context.inner.entropy), str::to_owned);
    let inner = context.clone();
    let issued = context.inner.books.commit_blocking(move |tx| {
        if books::api_key::any_exists(tx)? {
            return Ok(None);
        }
        let workspace = open(&inner, tx, "Default")?;
        let key = insert(&inner, tx, workspace.no, "Owner", Kind::Owner, &secret)?;
        Ok::<_, Error>(Some(IssuedKey { key, secret }))
    })?;
    publish(context)?;
    Ok(issued)
}

/// Opens a workspace with a key of its own.
pub async fn open_workspace(context: &Context, name: String) -> Result<(Workspace, IssuedKey), Error> {
    check_name(&name)?;
    let inner = context.clone();
    let opened = context.inner.books.commit(move |tx| {
        let workspace = open(&inner, tx, &name)?;
        let secret = api_key::generate(&*inner.inner.entropy);
        let key = insert(&inner, tx, workspace.no, &name, Kind::Secret, &secret)?;
        Ok::<_, Error>((workspace, IssuedKey { key, secret }))
    });
    let opened = opened.await?;
    publish_async(context).await?;
    Ok(opened)
}

/// What a caller says of a key's bounds. `None` = not said; `Some(None)` = none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyChange {
    pub name: Option<String>,
    /// What it may do; `Some(None)` = everything.
    pub scopes: Option<Option<Vec<String>>>,
    pub expires_at: Option<Option<Timestamp>>,
    /// `Some(None)` = as the server says; 0 = as many as it likes.
    pub calls_per_minute: Option<Option<u32>>,
}

impl KeyChange {
    /// # Errors
    /// [`Error::Invalid`] on the field that is wrong.
    fn apply(self, key: &mut ApiKey, now: Timestamp) -> Result<(), Error> {
        if let Some(name) = self.name {
            check_name(&name)?;
            key.name = name;
        }
        if let Some(scopes) = self.scopes {
            key.scopes = scopes.map(check_scopes).transpose()?;
        }
        if let Some(expires_at) = self.expires_at {
            if expires_at.is_some_and(|at| at <= now) {
                return Err(Error::invalid(
                    "expiresAt",
                    "must be in the future: revoke a key to end it now",
                ));
            }
            key.expires_at = expires_at;
        }
        key.calls_per_minute = self.calls_per_minute.unwrap_or(key.calls_per_minute);
        if key.calls_per_minute.is_some_and(|calls| calls > CALLS_MAX) {
            let message = format!("must be at most {CALLS_MAX}, or 0 for no bound");
            return Err(Error::invalid("callsPerMinute", message));
        }
        if key.origins.is_some() && key.scopes.is_some() {
            return Err(Error::invalid(
                "scopes",
                "goes with secret keys: a publishable key tells of conversions and no more",
            ));
        }
        if key.is_owner && (key.scopes.is_some() || key.expires_at.is_some()) {
            return Err(Error::invalid(
                "scopes",
                "and expiresAt cannot bind the owner's key: nobody could make another",
            ));
        }
        Ok(())
    }
}

fn check_scopes(scopes: Vec<String>) -> Result<Vec<String>, Error> {
    if !(1..=SCOPES_MAX).contains(&scopes.len()) {
        let message = format!("must have 1 to {SCOPES_MAX} entries such as links.read, or be null for everything");
        return Err(Error::invalid("scopes", message));
    }
    let mut kept: Vec<String> = Vec::with_capacity(scopes.len());
    for (place, scope) in scopes.into_iter().enumerate() {
        if !scope::is_known(&scope) {
            let message = format!(
                "must be apis.all, apis.read, or .read or .write behind {}",
                NOUNS.join(", ")
            );
            return Err(Error::invalid(format!("scopes[{place}]"), message));
        }
        if !kept.contains(&scope) {
            kept.push(scope);
        }
    }
    Ok(kept)
}

/// Changes a key of any workspace; what it may do is so from the next call on.
pub async fn change(context: &Context, id: String, change: KeyChange) -> Result<(ApiKey, String), Error> {
    let now = context.inner.clock.now();
    let changed = context.inner.books.commit(move |tx| {
        let mut key = books::api_key::by_id(tx, &id)?.ok_or(Error::NotFound { what: "key" })?;
        let before = facts(&key);
        change.apply(&mut key, now)?;
        books::api_key::update(tx, &key)?;
        books::audit::note(tx, Some(&key.id), Some(before), Some(facts(&key)))?;
        let workspace = books::workspace::by_no(tx, key.workspace)?.ok_or(Error::NotFound { what: "workspace" })?;
        Ok::<_, Error>((key, workspace.id))
    });
    let changed = changed.await?;
    publish_async(context).await?;
    Ok(changed)
}

/// Notes that a key was used; the caller asks at most once a minute.
pub async fn touch(context: &Context, id: String) -> Result<(), Error> {
    let now = context.inner.clock.now();
    let noted = context
        .inner
        .books
        .commit(move |tx| books::api_key::touch(tx, &id, now).map_err(Error::from));
    noted.await
}

/// What the audit log says of a key: nothing of the key itself.
fn facts(key: &ApiKey) -> Value {
    json!({
        "name": key.name,
        "origins": key.origins,
        "scopes": key.scopes,
        "expiresAt": key.expires_at.map(|at| at.to_string()),
        "callsPerMinute": key.calls_per_minute,
    })
}

/// What a key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Owner,
    Secret,
    /// Tell of conversions, from these origins.
    Publishable(Vec<String>),
}

/// Issues a further secret key for the workspace called `workspace_id`.
pub async fn issue(context: &Context, workspace_id: String, terms: KeyChange) -> Result<IssuedKey, Error> {
    issue_kind(context, workspace_id, terms, Kind::Secret).await
}

/// Issues a publishable key for the workspace called `workspace_id`, good on pages of `origins` alone.
///
/// # Errors
/// [`Error::Invalid`] on `origins`, which are as [`origin::parse`] takes them, 1 to [`ORIGINS_MAX`].
pub async fn issue_publishable(
    context: &Context,
    workspace_id: String,
    terms: KeyChange,
    origins: Vec<String>,
) -> Result<IssuedKey, Error> {
    if !(1..=ORIGINS_MAX).contains(&origins.len()) {
        let message = format!("must have 1 to {ORIGINS_MAX} entries such as https://shop.example");
        return Err(Error::invalid("origins", message));
    }
    let mut kept: Vec<String> = Vec::with_capacity(origins.len());
    for (place, entry) in origins.iter().enumerate() {
        let entry = origin::parse(entry).map_err(|message| Error::invalid(format!("origins[{place}]"), message))?;
        if !kept.contains(&entry) {
            kept.push(entry);
        }
    }
    issue_kind(context, workspace_id, terms, Kind::Publishable(kept)).await
}

async fn issue_kind(context: &Context, workspace_id: String, terms: KeyChange, kind: Kind) -> Result<IssuedKey, Error> {
    let name = terms
        .name
        .clone()
        .ok_or_else(|| Error::invalid("name", "is required"))?;
    let now = context.inner.clock.now();
    let inner = context.clone();
    let issued = context.inner.books.commit(move |tx| {
        let missing = || Error::invalid("workspaceId", "is not a workspace of this server");
        let workspace = books::workspace::by_id(tx, &workspace_id)?.ok_or_else(missing)?;
        let secret = match &kind {
            Kind::Publishable(_) => api_key::generate_publishable(&*inner.inner.entropy),
            Kind::Owner | Kind::Secret => api_key::generate(&*inner.inner.entropy),
        };
        let mut key = new_key(&inner, workspace.no, &name, kind, &secret);
        terms.apply(&mut key, now)?;
        books::api_key::insert(tx, &key)?;
        books::audit::note(tx, Some(&key.id), None, Some(facts(&key)))?;
        Ok::<_, Error>(IssuedKey { key, secret })
    });
    let issued = issued.await?;
    publish_async(context).await?;
    Ok(issued)
}

/// Revokes a key of any workspace at once. The owner's own key cannot be revoked: nobody could make another.
pub async fn revoke(context: &Context, id: String) -> Result<(), Error> {
    let now = context.inner.clock.now();
    let revoked = context.inner.books.commit(move |tx| {
        for workspace in books::workspace::list(tx)? {
            let Some(key) = books::api_key::list(tx, workspace.no)?
                .into_iter()
                .find(|key| key.id == id)
            else {
                continue;
            };
            if key.is_owner {
                return Err(Error::Forbidden {
                    message: "the owner's key cannot be revoked",
                });
            }
            books::api_key::revoke(tx, workspace.no, &id, now)?;
            books::audit::note(tx, Some(&id), Some(facts(&key)), None)?;
            return Ok(());
        }
        Err(Error::NotFound { what: "key" })
    });
    revoked.await?;
    publish_async(context).await
}

fn open(context: &Context, tx: &Tx<'_>, name: &str) -> Result<Workspace, Error> {
    let (id, created_at) = (context.new_id("ws_"), context.inner.clock.now());
    let no = books::workspace::insert(tx, &id, name, created_at)?;
    Ok(Workspace {
        no,
        id,
        name: name.to_owned(),
        created_at,
    })
}

fn insert(
    context: &Context,
    tx: &Tx<'_>,
    workspace: WorkspaceNo,
    name: &str,
    kind: Kind,
    secret: &str,
) -> Result<ApiKey, Error> {
    let key = new_key(context, workspace, name, kind, secret);
    books::api_key::insert(tx, &key)?;
    Ok(key)
}

fn new_key(context: &Context, workspace: WorkspaceNo, name: &str, kind: Kind, secret: &str) -> ApiKey {
    // A chosen key may be short: its hint shows no more than a quarter of it. A publishable key is no secret, and its
    // first characters say only that it is one.
    let shown = match kind {
        Kind::Publishable(_) => PUBLISHABLE_PREFIX.len() + HINT_LENGTH,
        Kind::Owner | Kind::Secret => HINT_LENGTH.min(secret.chars().count() / 4),
    };
    let hint = secret.chars().take(shown).collect();
    ApiKey {
        id: context.new_id("key_"),
        workspace,
        name: name.to_owned(),
        hash: api_key::hash(secret),
        hint,
        is_owner: kind == Kind::Owner,
        origins: match kind {
            Kind::Publishable(origins) => Some(origins),
            Kind::Owner | Kind::Secret => None,
        },
        scopes: None,
        expires_at: None,
        calls_per_minute: None,
        last_used_at: None,
        created_at: context.inner.clock.now(),
        revoked_at: None,
    }
}

fn publish(context: &Context) -> Result<(), Error> {
    let live = context
        .inner
        .books
        .read_blocking(|view| books::api_key::all_live(view).map_err(Error::from))?;
    context
        .inner
        .table
        .put_keys(live.into_iter().map(|key| (key.hash, key.workspace, key.expires_at)));
    Ok(())
}

async fn publish_async(context: &Context) -> Result<(), Error> {
    let _order = context.inner.locks.of("keys").await;
    let live = context
        .inner
        .books
        .read(|view| books::api_key::all_live(view).map_err(Error::from))
        .await?;
    context
        .inner
        .table
        .put_keys(live.into_iter().map(|key| (key.hash, key.workspace, key.expires_at)));
    Ok(())
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_good = !name.trim().is_empty() && name.chars().count() <= NAME_MAX;
    is_good
        .then_some(())
        .ok_or_else(|| Error::invalid("name", "must have 1 to 190 characters"))
}
