//! Spend is recorded, once an external id, and voided; an entry is never edited.

use super::context::Context;
use super::error::Error;
use super::{plan_campaign, publish_link};
use crate::books;
use crate::domain::id::WorkspaceNo;
use crate::domain::money;
use crate::domain::spend::{AMOUNT_MAX, EXTERNAL_ID_MAX, NOTE_MAX, Spend, SpendTold};
use crate::domain::time::Timestamp;

/// Spend as a caller tells it, by public ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendDraft {
    pub external_id: Option<String>,
    pub creator_id: Option<String>,
    pub campaign_id: Option<String>,
    pub link_id: Option<String>,
    /// Minor units.
    pub amount: i64,
    pub currency: String,
    /// `None` = now.
    pub at: Option<Timestamp>,
    pub note: Option<String>,
}

/// Records spend. What is known under its external id is answered as it is.
///
/// # Errors
/// [`Error::Conflict`] when the external id is of another amount, time or creator.
pub async fn record(context: &Context, workspace: WorkspaceNo, draft: SpendDraft) -> Result<Spend, Error> {
    check(&draft)?;
    let currency = money::currency(&draft.currency)
        .ok_or_else(|| Error::invalid("currency", "must be an ISO 4217 code such as EUR"))?;
    let (id, now) = (context.new_id("spend_"), context.inner.clock.now());
    let recorded = context.inner.books.commit(move |tx| {
        let creator = match &draft.creator_id {
            Some(id) => {
                let missing = || Error::invalid("partnerId", "is not a partner of this workspace");
                Some(books::creator::by_id(tx, workspace, id)?.ok_or_else(missing)?.no)
            }
            None => None,
        };
        let unknown = |field: &'static str, message: &'static str| {
            move |error| match error {
                Error::NotFound { .. } => Error::invalid(field, message),
                other => other,
            }
        };
        let campaign = draft.campaign_id.as_deref().map(|id| {
            let found = plan_campaign::find(tx, workspace, id);
            found.map_err(unknown("campaignId", "is not a campaign of this workspace"))
        });
        let link = draft.link_id.as_deref().map(|id| {
            let found = publish_link::find(tx, workspace, id);
            found.map_err(unknown("linkId", "is not a link of this workspace"))
        });
        let link = link.transpose()?;
        let owner = link.as_ref().and_then(|link| link.terms.creator);
        if creator.is_some() && owner.is_some() && creator != owner {
            return Err(Error::invalid("linkId", "is not a link of this partner"));
        }
        let told = SpendTold {
            external_id: draft.external_id,
            creator,
            campaign: campaign.transpose()?.map(|campaign| campaign.no),
            link: link.map(|link| link.no),
            amount: draft.amount,
            currency: currency.code().to_owned(),
            at: draft.at.unwrap_or(now),
            note: draft.note,
        };
        if let Some(external_id) = &told.external_id
            && let Some(known) = books::spend::by_external_id(tx, workspace, external_id)?
        {
            return same(known, told, draft.at.is_some());
        }
        let spend = Spend {
            id,
            workspace,
            told,
            created_at: now,
            voided_at: None,
            void_note: None,
        };
        books::spend::insert(tx, &spend)?;
        Ok(spend)
    });
    recorded.await
}

/// The known entry, when it was told alike. Without a time, any is meant.
fn same(known: Spend, told: SpendTold, has_time: bool) -> Result<Spend, Error> {
    let at = if has_time { told.at } else { known.told.at };
    if known.told == (SpendTold { at, ..told }) {
        return Ok(known);
    }
    Err(Error::Conflict {
        field: "externalId",
        message: "is known with other values: entries are not edited, so void it and record a new one".to_owned(),
    })
}

/// Takes an entry back; voiding it again changes nothing.
pub async fn void(context: &Context, workspace: WorkspaceNo, id: String, note: Option<String>) -> Result<Spend, Error> {
    check_note(note.as_deref())?;
    let now = context.inner.clock.now();
    let voided = context.inner.books.commit(move |tx| {
        let missing = || Error::NotFound { what: "spend entry" };
        books::spend::by_id(tx, workspace, &id)?.ok_or_else(missing)?;
        books::spend::void(tx, &id, now, note.as_deref())?;
        books::spend::by_id(tx, workspace, &id)?.ok_or_else(missing)
    });
    voided.await
}

fn check(draft: &SpendDraft) -> Result<(), Error> {
    if draft.creator_id.is_none() && draft.campaign_id.is_none() && draft.link_id.is_none() {
        return Err(Error::invalid(
            "partnerId",
            "or campaignId or linkId is required: say what it was spent on",
        ));
    }
    if !(1..=AMOUNT_MAX).contains(&draft.amount) {
        return Err(Error::invalid(
            "amount",
            "must be from 1 to 100000000000000 minor units: to take spend back, void its entry",
        ));
    }
    if draft
        .external_id
        .as_ref()
        .is_some_and(|id| id.chars().count() > EXTERNAL_ID_MAX)
    {
        return Err(Error::invalid("externalId", "must have at most 255 characters"));
    }
    check_note(draft.note.as_deref())
}

fn check_note(note: Option<&str>) -> Result<(), Error> {
    match note {
        Some(note) if note.chars().count() > NOTE_MAX => {
            Err(Error::invalid("note", "must have at most 4096 characters"))
        }
        _ => Ok(()),
    }
}
