//! What rows of the report are about, which row something falls into, and what the row is called.

use super::load::Loaded;
use crate::books::{self, View};
use crate::domain::id::{CampaignNo, CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use crate::flows::{Error, publish_link};

/// What rows are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    Creator,
    Niche,
    Tier,
    Platform,
    Campaign,
    /// Which video or post: the links' content ids.
    Content,
    Link,
    /// What each variant of each experiment brought, by what its visitors got, whoever is credited.
    Variant,
    /// The code on the order. Clicks show none.
    Code,
    /// Where the click came from, and the order by its click.
    Country,
    Store,
}

/// The key of rows that nobody is behind, or of whom nothing is known.
pub const NOBODY: &str = "(none)";

/// A group before it has a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Group {
    Nobody,
    Creator(CreatorNo),
    Campaign(CampaignNo),
    Link(LinkNo),
    /// By its number from 1.
    Variant(LinkNo, u8),
    Store(StoreNo),
    /// In the form in which codes are compared.
    Code(String),
    Word(String),
}

/// Who did something, where it is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Doer {
    pub creator: Option<CreatorNo>,
    /// Named beside the link, as spend does; else the link's own counts.
    pub campaign: Option<CampaignNo>,
    pub link: Option<LinkNo>,
    pub store: Option<StoreNo>,
}

impl Loaded {
    /// The group of what `doer` did. A link that was deleted is nobody's any more.
    pub(super) fn group(&self, by: GroupBy, doer: Doer) -> Group {
        let creator = doer.creator.and_then(|no| self.creators.get(&no));
        let link = doer.link.and_then(|no| self.links.get(&no));
        let word = |word: Option<&str>| word.map_or(Group::Nobody, |word| Group::Word(word.to_owned()));
        let found = match by {
            GroupBy::Creator => creator.map(|creator| Group::Creator(creator.no)),
            GroupBy::Niche => return word(creator.and_then(|creator| creator.terms.niche.as_deref())),
            GroupBy::Platform => return word(creator.and_then(|creator| creator.terms.platform.as_deref())),
            GroupBy::Tier => {
                let followers = creator.and_then(|creator| creator.terms.followers);
                return word(followers.map(|followers| self.tiers.tier(followers).as_str()));
            }
            GroupBy::Campaign => doer
                .campaign
                .or(link.and_then(|link| link.campaign))
                .map(Group::Campaign),
            GroupBy::Content => return word(link.and_then(|link| link.content.as_deref())),
            GroupBy::Link => link.map(|link| Group::Link(link.no)),
            GroupBy::Store => doer.store.filter(|no| self.stores.contains_key(no)).map(Group::Store),
            // These are marks of orders and clicks, not of who did something.
            GroupBy::Variant | GroupBy::Code | GroupBy::Country => None,
        };
        found.unwrap_or(Group::Nobody)
    }

    /// The group of what followers of `link` did.
    pub(super) fn group_of_link(&self, by: GroupBy, link: LinkNo) -> Group {
        self.group(by, self.follower_of(link))
    }

    /// Whom what followers of `link` did is put down to.
    pub(super) fn follower_of(&self, link: LinkNo) -> Doer {
        let owner = self.links.get(&link);
        Doer {
            creator: owner.and_then(|owner| owner.creator),
            campaign: None,
            link: Some(link),
            store: owner.and_then(|owner| owner.store),
        }
    }

    /// Whether what `doer` did is in the report: in a report by what is filtered for, it would stand in that row.
    pub(super) fn keeps(&self, doer: Doer) -> bool {
        self.only.iter().all(|(by, group)| self.group(*by, doer) == *group)
    }

    /// The group that a filter on `by` names with `key`.
    pub(super) fn wanted_group(
        &self,
        view: &View<'_>,
        workspace: WorkspaceNo,
        by: GroupBy,
        key: &str,
    ) -> Result<Group, Error> {
        if key == NOBODY {
            return Ok(Group::Nobody);
        }
        match by {
            GroupBy::Creator => {
                let found = self.creators.values().find(|creator| creator.id == key);
                found
                    .map(|creator| Group::Creator(creator.no))
                    .ok_or_else(|| not_ours("partnerId", "partner"))
            }
            GroupBy::Campaign => {
                let found = self.campaigns.iter().find(|(_, (id, _))| id == key);
                found
                    .map(|(no, _)| Group::Campaign(*no))
                    .ok_or_else(|| not_ours("campaignId", "campaign"))
            }
            GroupBy::Store => {
                let found = self.stores.values().find(|store| store.id == key);
                found
                    .map(|store| Group::Store(store.no))
                    .ok_or_else(|| not_ours("storeId", "store"))
            }
            GroupBy::Link => match publish_link::find(view, workspace, key) {
                Err(Error::NotFound { .. }) => Err(not_ours("linkId", "link")),
                found => Ok(Group::Link(found?.no)),
            },
            GroupBy::Niche | GroupBy::Tier | GroupBy::Platform | GroupBy::Content => Ok(Group::Word(key.to_owned())),
            GroupBy::Variant | GroupBy::Code | GroupBy::Country => {
                Err(Error::Internal("a report was filtered by a mark".to_owned()))
            }
        }
    }
}

fn not_ours(field: &'static str, what: &str) -> Error {
    Error::invalid(field, format!("is not a {what} of this workspace"))
}

/// The group's key and name.
pub(super) fn named(
    view: &View<'_>,
    workspace: WorkspaceNo,
    group: &Group,
    loaded: &Loaded,
) -> Result<(String, String), Error> {
    let found = match group {
        Group::Nobody => None,
        Group::Creator(no) => loaded
            .creators
            .get(no)
            .map(|creator| (creator.id.clone(), creator.terms.name.clone())),
        Group::Campaign(no) => loaded.campaigns.get(no).cloned(),
        Group::Link(no) => books::link::by_no(view, *no)?.map(|link| (link.id, link.slug)),
        // Of a deleted link the number alone would say nothing.
        Group::Variant(no, number) => books::link::by_no(view, *no)?.map(|link| {
            let (id, slug) = (link.id, link.slug);
            (format!("{id}/{number}"), format!("{slug}, variant {number}"))
        }),
        Group::Store(no) => loaded
            .stores
            .get(no)
            .map(|store| (store.id.clone(), store.name.clone())),
        Group::Code(code) => {
            if let Some(name) = books::code_pool::name_of(view, workspace, code)? {
                return Ok((code.clone(), name));
            }
            let known = books::discount_code::by_code(view, workspace, code)?;
            let spelt = known.map_or_else(|| code.clone(), |known| known.code);
            Some((spelt.clone(), spelt))
        }
        Group::Word(word) => Some((word.clone(), word.clone())),
    };
    Ok(found.unwrap_or_else(|| (NOBODY.to_owned(), NOBODY.to_owned())))
}
