//! A brand says who is told of what: makes, changes and deletes webhooks, gives them new secrets, sends again.

use serde_json::Value;

use super::audit_facts::of_webhook;
use super::context::Context;
use super::error::Error;
use super::publish_link;
use super::tell;
use crate::books::webhook_delivery::NewEvent;
use crate::books::{self, View};
use crate::clicklog;
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::webhook::{
    Because, CLICKS_PER_EVENT, CLICKS_PER_EVENT_MAX, Disabled, Health, LINKS_MAX, NAME_MAX, OLD_SECRET_MS,
    PER_WORKSPACE_MAX, SECRET_BYTES, Trigger, TriggerSet, Webhook, check_url,
};
use crate::integrations::receiver::{self, Poster};

/// Deliveries that become due at once when a webhook is enabled again; the rest follow at their own times.
const HURRIED_MAX: u32 = 5_000;

/// What a caller says of a webhook. `None` = not said; `Some(None)` = taken away.
#[derive(Debug, Clone, Default)]
pub struct WebhookDraft {
    pub name: Option<String>,
    pub url: Option<String>,
    /// Words of the dialect.
    pub triggers: Option<Vec<String>>,
    /// The brand's own; only for a new one.
    pub secret: Option<String>,
    /// Public ids of the links whose clicks are told; without any, all.
    pub link_ids: Option<Option<Vec<String>>>,
    pub clicks_per_event: Option<u32>,
    pub is_disabled: Option<bool>,
}

/// Makes a webhook. Its secret is told this once. Of clicks it is told from now on.
///
/// # Errors
/// [`Error::Invalid`] on a field; [`Error::Conflict`] when the workspace has as many as it may have.
pub async fn create(
    context: &Context,
    poster: &Poster,
    clicks: &clicklog::Reader,
    workspace: WorkspaceNo,
    draft: WebhookDraft,
) -> Result<Webhook, Error> {
    let required = |field: &str| Error::invalid(field, "is required");
    let name = check_name(draft.name.as_deref().ok_or_else(|| required("name"))?)?;
    let url = check_receiver(poster, draft.url.as_deref().ok_or_else(|| required("url"))?).await?;
    let triggers = check_triggers(draft.triggers.as_deref().ok_or_else(|| required("triggers"))?)?;
    let clicks_per_event = check_clicks(draft.clicks_per_event)?.unwrap_or(CLICKS_PER_EVENT);
    let secret = match draft.secret {
        Some(own) if !receiver::is_secret(&own) => {
            let message = "must be whsec_ and the base64 of 24 to 64 random bytes; leave it out to get one";
            return Err(Error::invalid("secret", message));
        }
        Some(own) => own,
        None => new_secret(context),
    };
    let now = context.inner.clock.now();
    let disabled = draft.is_disabled.unwrap_or(false).then_some(Disabled {
        at: now,
        because: Because::Asked,
    });
    let link_ids = draft.link_ids.flatten();
    let webhook = Webhook {
        no: 0,
        id: context.new_id("wh_"),
        workspace,
        name,
        url,
        triggers,
        is_narrow: link_ids.is_some(),
        clicks_per_event,
        secret,
        old_secret: None,
        created_at: now,
        updated_at: now,
        disabled,
        health: Health::default(),
    };
    let newest = clicks.newest_frame();
    let made = context.inner.books.commit(move |tx| {
        if books::webhook::count(tx, workspace)? >= PER_WORKSPACE_MAX {
            return Err(Error::Conflict {
                field: "url",
                message: format!("would be webhook number {}: delete one first", PER_WORKSPACE_MAX + 1),
            });
        }
        let links = link_numbers(tx, workspace, link_ids.unwrap_or_default())?;
        let webhook = books::webhook::insert(tx, webhook)?;
        books::webhook::update(tx, &webhook)?;
        books::webhook::set_links(tx, webhook.no, &links)?;
        tell::begin_clicks(tx, &webhook, newest)?;
        books::audit::note(tx, Some(&webhook.id), None, Some(of_webhook(&webhook, false)))?;
        Ok(webhook)
    });
    made.await
}

/// Changes a webhook. What waits for it goes on, to the new URL, and at once if the URL changed or it is enabled.
///
/// # Errors
/// [`Error::Invalid`] on a field; [`Error::NotFound`].
pub async fn update(
    context: &Context,
    poster: &Poster,
    clicks: &clicklog::Reader,
    workspace: WorkspaceNo,
    id: &str,
    draft: WebhookDraft,
) -> Result<Webhook, Error> {
    if draft.secret.is_some() {
        let message = "is not changed here: POST /webhooks/{id}/rotate-secret gives a new one";
        return Err(Error::invalid("secret", message));
    }
    let name = draft.name.as_deref().map(check_name).transpose()?;
    let url = match &draft.url {
        Some(url) => Some(check_receiver(poster, url).await?),
        None => None,
    };
    let triggers = draft.triggers.as_deref().map(check_triggers).transpose()?;
    let clicks_per_event = check_clicks(draft.clicks_per_event)?;
    let (id, now, newest) = (id.to_owned(), context.inner.clock.now(), clicks.newest_frame());
    let changed = context.inner.books.commit(move |tx| {
        let mut webhook = find(tx, workspace, &id)?;
        let before = of_webhook(&webhook, false);
        let is_moved = url.as_ref().is_some_and(|url| *url != webhook.url);
        let is_enabled = draft.is_disabled == Some(false) && webhook.disabled.is_some();
        webhook.name = name.unwrap_or(webhook.name);
        webhook.url = url.unwrap_or(webhook.url);
        webhook.triggers = triggers.unwrap_or(webhook.triggers);
        webhook.clicks_per_event = clicks_per_event.unwrap_or(webhook.clicks_per_event);
        webhook.updated_at = now;
        match draft.is_disabled {
            Some(true) if webhook.disabled.is_none() => {
                webhook.disabled = Some(Disabled {
                    at: now,
                    because: Because::Asked,
                });
            }
            Some(false) => webhook.disabled = None,
            _ => {}
        }
        if is_moved || is_enabled {
            let Health {
                last_success_at,
                untold,
                ..
            } = webhook.health;
            webhook.health = Health {
                last_success_at,
                untold,
                ..Health::default()
            };
            books::webhook_delivery::hurry(tx, webhook.no, now, HURRIED_MAX)?;
        }
        if let Some(link_ids) = draft.link_ids {
            webhook.is_narrow = link_ids.is_some();
            let links = link_numbers(tx, workspace, link_ids.unwrap_or_default())?;
            books::webhook::set_links(tx, webhook.no, &links)?;
        }
        books::webhook::update(tx, &webhook)?;
        tell::begin_clicks(tx, &webhook, newest)?;
        let after = of_webhook(&webhook, false);
        books::audit::note(tx, Some(&webhook.id), Some(before), Some(after))?;
        Ok::<_, Error>(webhook)
    });
    let changed = changed.await?;
    context.inner.telling.wake();
    Ok(changed)
}

/// Deletes a webhook: nothing more is sent, and its log goes.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(context: &Context, workspace: WorkspaceNo, id: &str) -> Result<Webhook, Error> {
    let (id, now) = (id.to_owned(), context.inner.clock.now());
    let deleted = context.inner.books.commit(move |tx| {
        let webhook = find(tx, workspace, &id)?;
        books::webhook::delete(tx, webhook.no, now)?;
        books::audit::note(tx, Some(&webhook.id), Some(of_webhook(&webhook, false)), None)?;
        Ok::<_, Error>(webhook)
    });
    deleted.await
}

/// Gives a webhook a new secret, which is told this once. The one before signs beside it for a day.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn rotate_secret(context: &Context, workspace: WorkspaceNo, id: &str) -> Result<Webhook, Error> {
    let (id, now, secret) = (id.to_owned(), context.inner.clock.now(), new_secret(context));
    let rotated = context.inner.books.commit(move |tx| {
        let mut webhook = find(tx, workspace, &id)?;
        let before = of_webhook(&webhook, false);
        let old = std::mem::replace(&mut webhook.secret, secret);
        webhook.old_secret = Some((old, now.plus_ms(OLD_SECRET_MS)));
        webhook.updated_at = now;
        books::webhook::update(tx, &webhook)?;
        let after = of_webhook(&webhook, true);
        books::audit::note(tx, Some(&webhook.id), Some(before), Some(after))?;
        Ok::<_, Error>(webhook)
    });
    rotated.await
}

/// Sends a delivery again, under its id and with its body, from now on for three days.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] while the webhook is disabled.
pub async fn replay(context: &Context, workspace: WorkspaceNo, id: &str, event_id: &str) -> Result<(), Error> {
    let (id, event_id, now) = (id.to_owned(), event_id.to_owned(), context.inner.clock.now());
    let replayed = context.inner.books.commit(move |tx| {
        let mut webhook = find_enabled(tx, workspace, &id)?;
        if !books::webhook_delivery::replay(tx, webhook.no, &event_id, now)? {
            return Err(Error::NotFound { what: "delivery" });
        }
        // Whoever asks for it has looked at the receiver.
        webhook.health.resting_until = None;
        books::webhook::update(tx, &webhook)?;
        Ok(())
    });
    replayed.await?;
    context.inner.telling.wake();
    Ok(())
}

/// Sends an event that never happened, to see whether a receiver takes such a one; its id. `data` is what it tells.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] while the webhook is disabled.
pub async fn send_test(
    context: &Context,
    workspace: WorkspaceNo,
    id: &str,
    trigger: Trigger,
    data: &Value,
) -> Result<String, Error> {
    let (id, now) = (id.to_owned(), context.inner.clock.now());
    let event_id = context.new_id("evt_");
    let event = NewEvent {
        body: tell::body(&event_id, trigger, now, data)?,
        id: event_id.clone(),
        workspace,
        trigger,
        link: None,
        created_at: now,
    };
    let queued = context.inner.books.commit(move |tx| {
        let mut webhook = find_enabled(tx, workspace, &id)?;
        let most = u32::try_from(tell::WAITING_MAX).unwrap_or(u32::MAX);
        if books::webhook_delivery::count_waiting(tx, webhook.no, most)? >= tell::WAITING_MAX {
            return Err(Error::Unavailable);
        }
        let no = books::webhook_delivery::insert_event(tx, &event)?;
        books::webhook_delivery::queue(tx, webhook.no, no, None, now)?;
        webhook.health.resting_until = None;
        books::webhook::update(tx, &webhook)?;
        Ok(())
    });
    queued.await?;
    context.inner.telling.wake();
    Ok(event_id)
}

/// The workspace's webhook that a caller names.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Webhook, Error> {
    let found = books::webhook::by_id(view, workspace, id)?;
    found.ok_or(Error::NotFound { what: "webhook" })
}

fn find_enabled(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Webhook, Error> {
    let webhook = find(view, workspace, id)?;
    match webhook.disabled {
        Some(_) => Err(Error::Conflict {
            field: "disabled",
            message: "nothing is sent: enable the webhook first (PATCH /webhooks/{id} with disabled false)".to_owned(),
        }),
        None => Ok(webhook),
    }
}

fn new_secret(context: &Context) -> String {
    let mut bytes = [0; SECRET_BYTES];
    context.inner.entropy.fill(&mut bytes);
    receiver::secret_of(&bytes)
}

fn check_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        let message = format!("must have 1 to {NAME_MAX} characters and no control characters");
        return Err(Error::invalid("name", message));
    }
    Ok(name.to_owned())
}

/// The URL as it is stored, once its host was looked up: a name that leads inside is refused here already, and again with
/// every delivery.
async fn check_receiver(poster: &Poster, url: &str) -> Result<String, Error> {
    let url = check_url(url, poster.is_local_allowed()).map_err(|error| Error::invalid("url", error.0))?;
    let host = url.host_str().unwrap_or_default();
    if !poster.allows(host).await {
        let message = "must lead to a public address: deliveries never go into a private network";
        return Err(Error::invalid("url", message));
    }
    Ok(url.into())
}

fn check_triggers(words: &[String]) -> Result<TriggerSet, Error> {
    let known = || Trigger::ALL.map(Trigger::word).join(", ");
    let triggers = words.iter().map(|word| {
        Trigger::parse(word).ok_or_else(|| Error::invalid("triggers", format!("must be some of {}", known())))
    });
    let triggers: TriggerSet = triggers.collect::<Result<_, _>>()?;
    match triggers {
        TriggerSet(0) => Err(Error::invalid(
            "triggers",
            format!("must hold at least one of {}", known()),
        )),
        triggers => Ok(triggers),
    }
}

fn check_clicks(clicks: Option<u32>) -> Result<Option<u32>, Error> {
    match clicks {
        Some(count) if !(1..=CLICKS_PER_EVENT_MAX).contains(&count) => {
            let message = format!("must be a whole number from 1 to {CLICKS_PER_EVENT_MAX}");
            Err(Error::invalid("clicksPerEvent", message))
        }
        clicks => Ok(clicks),
    }
}

fn link_numbers(view: &View<'_>, workspace: WorkspaceNo, ids: Vec<String>) -> Result<Vec<LinkNo>, Error> {
    if ids.len() > LINKS_MAX {
        return Err(Error::invalid(
            "linkIds",
            format!("must have at most {LINKS_MAX} entries"),
        ));
    }
    let numbers = ids.iter().map(|id| match publish_link::find(view, workspace, id) {
        Ok(link) => Ok(link.no),
        Err(Error::NotFound { .. }) => Err(Error::invalid(
            "linkIds",
            format!("holds {id}, which is no link of yours"),
        )),
        Err(error) => Err(error),
    });
    numbers.collect()
}
