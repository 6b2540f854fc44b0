//! Which links a call is about, read from its query: one by name, or many by filter.

use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books::link::{LinkFilter, TagsWanted};
use crate::books::{self, View};
use crate::domain::id::{DomainNo, WorkspaceNo};
use crate::domain::link::Link;
use crate::flows::publish_link::{self, domain_for};
use crate::flows::{Context, Error, link_filing};

/// How a domain is called in answers.
pub(super) fn domain_name(api: &Api, view: &View<'_>, domain: DomainNo) -> Result<String, Error> {
    domain_name_in(&api.context, view, domain)
}

/// As [`domain_name`], where there is no API.
pub(super) fn domain_name_in(context: &Context, view: &View<'_>, domain: DomainNo) -> Result<String, Error> {
    if domain == DomainNo::DEFAULT {
        return Ok(context.public().authority.clone());
    }
    Ok(books::link_domain::by_no(view, domain)?
        .map(|domain| domain.slug)
        .unwrap_or_default())
}

/// A link as query parameters name it.
#[derive(Clone)]
pub(super) struct Named {
    link_id: Option<String>,
    external_id: Option<String>,
    domain: Option<String>,
    key: Option<String>,
}

impl Named {
    pub fn take(params: &mut Params) -> Self {
        Self {
            link_id: params.text("linkId"),
            external_id: params.text("externalId"),
            domain: params.text("domain"),
            key: params.text("key"),
        }
    }

    /// The link with `key` on `domain`, or on the domain that links get without one.
    pub fn by_key(domain: Option<String>, key: String) -> Self {
        Self {
            link_id: None,
            external_id: None,
            domain,
            key: Some(key),
        }
    }

    /// The link; `None` when none is named.
    pub fn find(&self, api: &Api, view: &View<'_>, workspace: WorkspaceNo) -> Result<Option<Link>, Error> {
        if let Some(id) = &self.link_id {
            return publish_link::find(view, workspace, id).map(Some);
        }
        if let Some(id) = &self.external_id {
            let id = id.strip_prefix("ext_").unwrap_or(id);
            let found = books::link::by_external_id(view, workspace, id)?;
            return found.map(Some).ok_or(Error::NotFound { what: "link" });
        }
        let Some(key) = &self.key else { return Ok(None) };
        let domain = domain_for(&api.context, view, workspace, self.domain.as_deref())?;
        let found = books::link::by_slug(view, domain.no, key)?.filter(|link| link.workspace == workspace);
        found.map(Some).ok_or(Error::NotFound { what: "link" })
    }
}

/// Which links a list or count is about.
pub(super) struct Wanted {
    domain: Option<String>,
    search: Option<String>,
    tenant_id: Option<String>,
    partner_id: Option<String>,
    campaign_id: Option<String>,
    content_id: Option<String>,
    tag_ids: Option<Vec<String>>,
    tag_names: Option<Vec<String>>,
    with_tags: bool,
    folder_id: Option<String>,
    shows_archived: bool,
}

impl Wanted {
    pub fn take(params: &mut Params) -> Result<Self, ApiError> {
        params.not_yet(&["userId"])?;
        // The dialect's older name for one of them.
        let tag_id = params.text("tagId").map(|id| vec![id]);
        Ok(Self {
            tag_ids: params.texts("tagIds").or(tag_id),
            tag_names: params.texts("tagNames"),
            with_tags: params.flag("withTags")?.unwrap_or(false),
            folder_id: params.text("folderId"),
            domain: params.text("domain"),
            search: params.text("search"),
            tenant_id: params.text("tenantId"),
            partner_id: params.text("partnerId"),
            campaign_id: params.text("campaignId"),
            content_id: params.text("contentId"),
            shows_archived: params.flag("showArchived")?.unwrap_or(false),
        })
    }

    pub fn filter(self, api: &Api, view: &View<'_>, caller: &Caller) -> Result<LinkFilter, Error> {
        let domain = match &self.domain {
            Some(name) => Some(domain_for(&api.context, view, caller.workspace, Some(name))?.no),
            None => None,
        };
        let creator = match &self.partner_id {
            Some(id) => {
                let creator = books::creator::by_id(view, caller.workspace, id)?;
                Some(
                    creator
                        .ok_or_else(|| Error::invalid("partnerId", "is not a partner of this workspace"))?
                        .no,
                )
            }
            None => None,
        };
        let campaign = match &self.campaign_id {
            Some(id) => {
                let found = books::campaign::by_id(view, caller.workspace, id)?;
                let missing = || Error::invalid("campaignId", "is not a campaign of this workspace");
                Some(found.ok_or_else(missing)?.no)
            }
            None => None,
        };
        let (ids, names) = (self.tag_ids.as_deref(), self.tag_names.as_deref());
        let tags = link_filing::tags_named(view, caller.workspace, ids, names)?;
        let folder = match &self.folder_id {
            Some(id) => {
                let found = books::folder::by_id(view, caller.workspace, id)?;
                let missing = || Error::invalid("folderId", "is not a folder of this workspace");
                Some(found.ok_or_else(missing)?.no)
            }
            None => None,
        };
        Ok(LinkFilter {
            tags: match tags {
                Some(tags) => Some(TagsWanted::OneOf(tags)),
                None => self.with_tags.then_some(TagsWanted::Any),
            },
            folder,
            campaign,
            content_id: self.content_id,
            domain,
            search: self.search,
            tenant_id: self.tenant_id,
            creator,
            shows_archived: self.shows_archived,
            ..LinkFilter::default()
        })
    }
}
