//! Campaigns are planned and changed. They are archived rather than deleted: links and spend stand on them.

use super::audit_facts;
use super::context::Context;
use super::error::Error;
use crate::books::{self, View};
use crate::domain::campaign::{CREATORS_MAX, Campaign, CampaignTerms};
use crate::domain::id::{CampaignNo, CreatorNo, WorkspaceNo};
use crate::domain::time::Timestamp;

/// What a caller says of a campaign. `None` = not said; `Some(None)` = taken away.
#[derive(Debug, Clone, Default)]
pub struct CampaignChange {
    pub name: Option<String>,
    pub starts_at: Option<Option<Timestamp>>,
    pub ends_at: Option<Option<Timestamp>>,
    /// Minor units.
    pub budget: Option<Option<i64>>,
    /// ISO 4217.
    pub currency: Option<String>,
    pub note: Option<Option<String>>,
    pub is_archived: Option<bool>,
    /// Public ids of all creators who take part.
    pub creator_ids: Option<Vec<String>>,
}

/// Plans a campaign.
pub async fn plan(context: &Context, workspace: WorkspaceNo, change: CampaignChange) -> Result<Campaign, Error> {
    let now = context.inner.clock.now();
    let campaign = Campaign {
        no: CampaignNo(0),
        id: context.new_id("cmp_"),
        workspace,
        terms: CampaignTerms::default(),
        created_at: now,
        updated_at: now,
    };
    let planned = context.inner.books.commit(move |tx| {
        let creators = creators_of(tx, workspace, change.creator_ids.as_deref())?;
        let terms = apply(campaign.terms.clone(), change)?;
        let campaign = books::campaign::insert(tx, Campaign { terms, ..campaign })?;
        books::campaign::add_creators(tx, campaign.no, &creators.unwrap_or_default())?;
        books::audit::note(tx, Some(&campaign.id), None, Some(audit_facts::of_campaign(&campaign)))?;
        Ok::<_, Error>(campaign)
    });
    planned.await
}

/// Changes a campaign.
pub async fn change(
    context: &Context,
    workspace: WorkspaceNo,
    id: String,
    change: CampaignChange,
) -> Result<Campaign, Error> {
    let now = context.inner.clock.now();
    let changed = context.inner.books.commit(move |tx| {
        let mut campaign = find(tx, workspace, &id)?;
        let before = audit_facts::of_campaign(&campaign);
        let creators = creators_of(tx, workspace, change.creator_ids.as_deref())?;
        campaign.terms = apply(campaign.terms, change)?;
        campaign.updated_at = now;
        books::campaign::update(tx, &campaign)?;
        if let Some(creators) = creators {
            books::campaign::set_creators(tx, campaign.no, &creators)?;
        }
        let after = audit_facts::of_campaign(&campaign);
        books::audit::note(tx, Some(&campaign.id), Some(before), Some(after))?;
        Ok::<_, Error>(campaign)
    });
    changed.await
}

/// The workspace's campaign called `id`.
pub fn find(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Campaign, Error> {
    books::campaign::by_id(view, workspace, id)?.ok_or(Error::NotFound { what: "campaign" })
}

fn apply(mut terms: CampaignTerms, change: CampaignChange) -> Result<CampaignTerms, Error> {
    terms.name = change.name.unwrap_or(terms.name);
    terms.starts_at = change.starts_at.unwrap_or(terms.starts_at);
    terms.ends_at = change.ends_at.unwrap_or(terms.ends_at);
    terms.note = change.note.unwrap_or(terms.note).filter(|note| !note.is_empty());
    terms.is_archived = change.is_archived.unwrap_or(terms.is_archived);
    let (known_amount, known_code) = terms.budget.clone().unzip();
    let code = change.currency.map(|code| code.to_ascii_uppercase()).or(known_code);
    terms.budget = match change.budget.unwrap_or(known_amount) {
        Some(amount) => Some((
            amount,
            code.ok_or_else(|| Error::invalid("currency", "is required with budget"))?,
        )),
        None => None,
    };
    match terms.problem() {
        Some((field, message)) => Err(Error::invalid(field, message)),
        None => Ok(terms),
    }
}

fn creators_of(
    view: &View<'_>,
    workspace: WorkspaceNo,
    ids: Option<&[String]>,
) -> Result<Option<Vec<CreatorNo>>, Error> {
    let Some(ids) = ids else { return Ok(None) };
    if ids.len() > CREATORS_MAX {
        return Err(Error::invalid("partnerIds", "must have at most 1000 entries"));
    }
    let mut creators = Vec::with_capacity(ids.len());
    for (place, id) in ids.iter().enumerate() {
        let creator = books::creator::by_id(view, workspace, id)?;
        let missing = || Error::invalid(format!("partnerIds[{place}]"), "is not a partner of this workspace");
        creators.push(creator.ok_or_else(missing)?.no);
    }
    Ok(Some(creators))
}
