//! Workspaces and API keys are made and revoked; a key is shown once, its hash alone is kept.

use super::context::Context;
use super::error::Error;
use crate::books::api_key::ApiKey;
use crate::books::workspace::Workspace;
use crate::books::{self, Tx};
use crate::domain::api_key::{self, CHOSEN_MIN, HINT_LENGTH, KEY_MAX, PUBLISHABLE_PREFIX};
use crate::domain::creator::NAME_MAX;
use crate::domain::id::WorkspaceNo;
use crate::domain::origin::{self, ORIGINS_MAX};

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

/// What a key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Owner,
    Secret,
    /// Tell of conversions, from these origins.
    Publishable(Vec<String>),
}

/// Issues a further secret key for the workspace called `workspace_id`.
pub async fn issue(context: &Context, workspace_id: String, name: String) -> Result<IssuedKey, Error> {
    issue_kind(context, workspace_id, name, Kind::Secret).await
}

/// Issues a publishable key for the workspace called `workspace_id`, good on pages of `origins` alone.
///
/// # Errors
/// [`Error::Invalid`] on `origins`, which are as [`origin::parse`] takes them, 1 to [`ORIGINS_MAX`].
pub async fn issue_publishable(
    context: &Context,
    workspace_id: String,
    name: String,
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
    issue_kind(context, workspace_id, name, Kind::Publishable(kept)).await
}

async fn issue_kind(context: &Context, workspace_id: String, name: String, kind: Kind) -> Result<IssuedKey, Error> {
    check_name(&name)?;
    let inner = context.clone();
    let issued = context.inner.books.commit(move |tx| {
        let missing = || Error::invalid("workspaceId", "is not a workspace of this server");
        let workspace = books::workspace::by_id(tx, &workspace_id)?.ok_or_else(missing)?;
        let secret = match &kind {
            Kind::Publishable(_) => api_key::generate_publishable(&*inner.inner.entropy),
            Kind::Owner | Kind::Secret => api_key::generate(&*inner.inner.entropy),
        };
        let key = insert(&inner, tx, workspace.no, &name, kind, &secret)?;
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
    // A chosen key may be short: its hint shows no more than a quarter of it. A publishable key is no secret, and its
    // first characters say only that it is one.
    let shown = match kind {
        Kind::Publishable(_) => PUBLISHABLE_PREFIX.len() + HINT_LENGTH,
        Kind::Owner | Kind::Secret => HINT_LENGTH.min(secret.chars().count() / 4),
    };
    let hint = secret.chars().take(shown).collect();
    let key = ApiKey {
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
        created_at: context.inner.clock.now(),
        revoked_at: None,
    };
    books::api_key::insert(tx, &key)?;
    Ok(key)
}

fn publish(context: &Context) -> Result<(), Error> {
    let live = context
        .inner
        .books
        .read_blocking(|view| books::api_key::all_live(view).map_err(Error::from))?;
    context
        .inner
        .table
        .put_keys(live.into_iter().map(|key| (key.hash, key.workspace)));
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
        .put_keys(live.into_iter().map(|key| (key.hash, key.workspace)));
    Ok(())
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_good = !name.trim().is_empty() && name.chars().count() <= NAME_MAX;
    is_good
        .then_some(())
        .ok_or_else(|| Error::invalid("name", "must have 1 to 190 characters"))
}
