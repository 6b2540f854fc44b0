//! Stores are added and changed; carts can name a store when this returns.

use std::sync::Arc;

use super::audit_facts;
use super::context::Context;
use super::error::Error;
use super::store_look::LookChange;
use crate::books;
use crate::domain::cart::{self, template};
use crate::domain::id::{StoreNo, WorkspaceNo};
use crate::domain::money;
use crate::domain::store::{NAME_MAX, Permalink, Provider, Shelf, Store, StoreLook};

/// Webhook secrets a store can have at once: the present one, the next, and room for a late rotation.
pub const SECRETS_MAX: usize = 5;
/// Longest webhook secret, in bytes.
pub const SECRET_MAX: usize = 255;

/// What a caller says of a store. `None` = not said.
#[derive(Clone, Default)]
pub struct StoreChange {
    pub name: Option<String>,
    pub provider: Option<Provider>,
    pub base_url: Option<String>,
    pub currency: Option<String>,
    pub webhook_secrets: Option<Vec<String>>,
    /// `Some(None)` = the default again.
    pub permalink: Option<Option<Permalink>>,
    pub look: LookChange,
}

/// Adds a store to a workspace.
pub async fn create(context: &Context, workspace: WorkspaceNo, change: StoreChange) -> Result<Store, Error> {
    let required = |field: &str| Error::invalid(field, "is required");
    let provider = change.provider.ok_or_else(|| required("provider"))?;
    if provider == Provider::Api {
        let message = "is made by the first /track/sale in a currency, not by hand: choose the shop's platform";
        return Err(Error::invalid("provider", message));
    }
    let mut look = StoreLook::default();
    change.look.apply(context, &mut look)?;
    let store = Store {
        no: StoreNo(0),
        id: context.new_id("store_"),
        workspace,
        name: check_name(change.name.ok_or_else(|| required("name"))?)?,
        provider,
        base_url: check_base_url(context, provider, &change.base_url.ok_or_else(|| required("baseUrl"))?)?,
        currency: check_currency(&change.currency.ok_or_else(|| required("currency"))?)?,
        permalink: check_permalink(provider, change.permalink)?.unwrap_or_default(),
        look,
        ucp_endpoint: None,
        returns_click_ids: false,
        created_at: context.inner.clock.now(),
    };
    let secrets = check_secrets(change.webhook_secrets.unwrap_or_default())?;
    let made = context.inner.books.commit(move |tx| {
        let store = books::store::insert(tx, store, &secrets)?;
        let facts = audit_facts::of_store(&store, !secrets.is_empty());
        books::audit::note(tx, Some(&store.id), None, Some(facts))?;
        Ok::<_, Error>(store)
    });
    let store = made.await?;
    context.inner.table.put_store(&store, Arc::new(Shelf::default()));
    look_soon(context, &store);
    Ok(store)
}

/// Changes a store; its provider stays what it is, for its carts are written for it. What was known of its UCP profile
/// goes with its former base URL.
pub async fn update(context: &Context, workspace: WorkspaceNo, id: &str, change: StoreChange) -> Result<Store, Error> {
    let _order = context.inner.locks.of(id).await;
    let (inner, id) = (context.clone(), id.to_owned());
    let changed = context.inner.books.commit(move |tx| {
        let mut store = books::store::by_id(tx, workspace, &id)?.ok_or(Error::NotFound { what: "store" })?;
        let before = audit_facts::of_store(&store, false);
        let has_new_secrets = change.webhook_secrets.is_some();
        if change.provider.is_some_and(|provider| provider != store.provider) {
            return Err(Error::invalid("provider", "cannot be changed: add another store"));
        }
        let mut is_moved = false;
        if let Some(name) = change.name {
            store.name = check_name(name)?;
        }
        if let Some(url) = change.base_url {
            let url = check_base_url(&inner, store.provider, &url)?;
            is_moved = url != store.base_url;
            store.base_url = url;
        }
        if is_moved {
            books::ucp_profile::remove(tx, store.no)?;
            store.ucp_endpoint = None;
        }
        if let Some(currency) = change.currency {
            store.currency = check_currency(&currency)?;
        }
        store.permalink = check_permalink(store.provider, change.permalink)?.unwrap_or(store.permalink);
        change.look.apply(&inner, &mut store.look)?;
        books::store::update(tx, &store)?;
        if let Some(secrets) = change.webhook_secrets {
            books::store::set_secrets(tx, store.no, &check_secrets(secrets)?)?;
        }
        let after = audit_facts::of_store(&store, has_new_secrets);
        books::audit::note(tx, Some(&store.id), Some(before), Some(after))?;
        let shelf = Shelf::new(&books::product::list(tx, store.no)?);
        Ok::<_, Error>((store, shelf, is_moved))
    });
    let (store, shelf, is_moved) = changed.await?;
    context.inner.table.put_store(&store, Arc::new(shelf));
    if is_moved {
        look_soon(context, &store);
    }
    Ok(store)
}

/// Publishes what the books say of store number `no`, with the shelf that is published already.
pub(super) async fn publish_again(context: &Context, no: StoreNo) -> Result<(), Error> {
    let find = move |view: &books::View<'_>| books::store::by_no(view, no)?.ok_or(Error::NotFound { what: "store" });
    let id = context.inner.books.read(find).await?.id;
    let _order = context.inner.locks.of(&id).await;
    // Read again: under the lock nobody publishes an older state after it.
    let store = context.inner.books.read(find).await?;
    let record = context.inner.reader.store(no);
    let shelf = record.map(|record| record.shelf.load_full()).unwrap_or_default();
    context.inner.table.put_store(&store, shelf);
    Ok(())
}

fn look_soon(context: &Context, store: &Store) {
    if store.provider.has_ucp_profile() {
        context.inner.profile_due.notify_one();
    }
}

/// The permalink that `said` sets; `None` = it was not said.
fn check_permalink(provider: Provider, said: Option<Option<Permalink>>) -> Result<Option<Permalink>, Error> {
    match said {
        Some(Some(_)) if provider != Provider::Shopify => Err(Error::invalid(
            "permalink",
            "can be set for provider shopify only: other platforms have one form of cart link",
        )),
        said => Ok(said.map(Option::unwrap_or_default)),
    }
}

fn check_name(name: String) -> Result<String, Error> {
    let is_good = !name.trim().is_empty() && name.chars().count() <= NAME_MAX;
    is_good
        .then_some(name)
        .ok_or_else(|| Error::invalid("name", "must have 1 to 255 characters"))
}

fn check_base_url(context: &Context, provider: Provider, url: &str) -> Result<String, Error> {
    if provider == Provider::Template {
        let sample = template::sample(url).map_err(|message| Error::invalid("baseUrl", message))?;
        context.check_destination("baseUrl", &sample)?;
        return Ok(url.to_owned());
    }
    let checked = context.check_destination("baseUrl", url)?;
    cart::check_base_url(provider, checked.as_str()).map_err(|message| Error::invalid("baseUrl", message))?;
    Ok(checked.into())
}

fn check_currency(code: &str) -> Result<String, Error> {
    let known = money::currency(code).map(|currency| currency.code().to_owned());
    known.ok_or_else(|| Error::invalid("currency", "must be an ISO 4217 code such as EUR"))
}

fn check_secrets(secrets: Vec<String>) -> Result<Vec<String>, Error> {
    if secrets.len() > SECRETS_MAX {
        return Err(Error::invalid("webhookSecrets", "must have at most 5 entries"));
    }
    if secrets
        .iter()
        .any(|secret| secret.trim().is_empty() || secret.len() > SECRET_MAX)
    {
        return Err(Error::invalid(
            "webhookSecrets",
            "must have 1 to 255 bytes each: an empty secret would accept anything",
        ));
    }
    Ok(secrets)
}
