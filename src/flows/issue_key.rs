//! Workspaces and API keys are made and revoked; a key is shown once, its hash alone is kept.

use super::context::Context;
use super::error::Error;
use crate::books::api_key::ApiKey;
use crate::books::workspace::Workspace;
use crate::books::{self, Tx};
use crate::domain::api_key::{self, CHOSEN_MIN, HINT_LENGTH, KEY_MAX};
use crate::domain::creator::NAME_MAX;
use crate::domain::id::WorkspaceNo;

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
        let key = insert(&inner, tx, workspace.no, "Owner", true, &secret)?;
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
        let key = insert(&inner, tx, workspace.no, &name, false, &secret)?;
        Ok::<_, Error>((workspace, IssuedKey { key, secret }))
    });
    let opened = opened.await?;
    publish_async(context).await?;
    Ok(opened)
}

/// Issues a further key for the workspace called `workspace_id`.
pub async fn issue(context: &Context, workspace_id: String, name: String) -> Result<IssuedKey, Error> {
    check_name(&name)?;
    let inner = context.clone();
    let issued = context.inner.books.commit(move |tx| {
        let missing = || Error::invalid("workspaceId", "is not a workspace of this server");
        let workspace = books::workspace::by_id(tx, &workspace_id)?.ok_or_else(missing)?;
        let secret = api_key::generate(&*inner.inner.entropy);
        let key = insert(&inner, tx, workspace.no, &name, false, &secret)?;
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
    is_owner: bool,
    secret: &str,
) -> Result<ApiKey, Error> {
    // A chosen key may be short: its hint shows no more than a quarter of it.
    let hint = secret
        .chars()
        .take(HINT_LENGTH.min(secret.chars().count() / 4))
        .collect();
    let key = ApiKey {
        id: context.new_id("key_"),
        workspace,
        name: name.to_owned(),
        hash: api_key::hash(secret),
        hint,
        is_owner,
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
