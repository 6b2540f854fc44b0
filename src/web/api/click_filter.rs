//! What `/analytics` and `/events` read from a query: which clicks, by their links and by what they carry.
//!
//! As in the dialect, a filter takes one value, several separated by commas (any of them), and with a leading `-` those
//! that are left out. A comma or a leading `-` that belongs to the value is written after a backslash.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::ApiError;
use super::link_query::Named;
use super::params::Params;
use super::{Api, Caller, Period};
use crate::books::link::{LinkFilter, TagsWanted};
use crate::books::{self, View};
use crate::clicklog::{Condition, Dimension, Filter, Query};
use crate::domain::click::ClassSet;
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::locality;
use crate::flows::publish_link::{self, domain_for};
use crate::flows::{Error, keep_folders, keep_tags};

/// Most values of one filter.
const VALUES_MAX: usize = 100;

/// Filters by what a click carries.
const BY_CLICK: [(&str, Dimension); 16] = [
    ("country", Dimension::Country),
    ("city", Dimension::City),
    ("region", Dimension::Region),
    ("continent", Dimension::Continent),
    ("device", Dimension::Device),
    ("browser", Dimension::Browser),
    ("os", Dimension::Os),
    ("trigger", Dimension::Trigger),
    ("referer", Dimension::Referrer),
    ("refererUrl", Dimension::ReferrerUrl),
    ("utm_source", Dimension::UtmSource),
    ("utm_medium", Dimension::UtmMedium),
    ("utm_campaign", Dimension::UtmCampaign),
    ("utm_term", Dimension::UtmTerm),
    ("utm_content", Dimension::UtmContent),
    ("language", Dimension::Language),
];
/// Filters by link that take several values.
const BY_LINK: [&str; 9] = [
    "linkId",
    "externalId",
    "domain",
    PARTNER,
    "tenantId",
    "url",
    "tagId",
    "tagIds",
    "folderId",
];
/// The one of them that leads and sales are asked about by themselves: a code credits without a link.
const PARTNER: &str = "partnerId";
/// Filters by what links do not have here: refused when set.
const NOT_YET: [&str; 3] = ["partnerTagId", "groupId", "programId"];

/// The values of one filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Values {
    pub texts: Vec<String>,
    pub is_excluded: bool,
}

impl Values {
    fn read(name: &str, text: &str) -> Result<Self, ApiError> {
        let (is_excluded, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut texts = vec![String::new()];
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match (character, texts.last_mut()) {
                (',', _) => texts.push(String::new()),
                ('\\', Some(last)) => last.extend(characters.next()),
                (other, Some(last)) => last.push(other),
                (_, None) => {}
            }
        }
        if texts.iter().any(String::is_empty) {
            return Err(ApiError::invalid(name, "has an empty value between its commas"));
        }
        if texts.len() > VALUES_MAX {
            return Err(ApiError::invalid(name, &format!("takes at most {VALUES_MAX} values")));
        }
        Ok(Self { texts, is_excluded })
    }
}

/// The clicks that a call is about.
pub(super) struct Clicks {
    by_link: Vec<(&'static str, Values)>,
    key: Option<String>,
    is_root: bool,
    pub filter: Filter,
    /// The first parameter behind `filter`.
    pub filter_name: Option<&'static str>,
    classes: ClassSet,
    pub period: Period,
}

impl Clicks {
    pub fn take(api: &Api, params: &mut Params) -> Result<Self, ApiError> {
        params.not_yet(&NOT_YET)?;
        let include = params.text("include").unwrap_or_default();
        let classes = ClassSet::parse(&include).map_err(|word| {
            ApiError::invalid(
                "include",
                &format!("{word} is none of repeats, bots, prefetch, head, test"),
            )
        })?;
        let names = BY_CLICK.iter().map(|(name, _)| *name).chain(["qr"]);
        let filter_name = names.into_iter().find(|name| params.has(name));
        let mut by_link = Vec::new();
        for name in BY_LINK {
            if let Some(text) = params.text(name) {
                by_link.push((name, Values::read(name, &text)?));
            }
        }
        Ok(Self {
            by_link,
            key: params.text("key"),
            is_root: params.flag("root")?.unwrap_or(false),
            filter: conditions(params)?,
            filter_name,
            classes,
            period: Period::take(params, api.context.clock().now(), "24h")?
                .in_steps(params)?
                .reaching(api.clicks.newest_at()),
        })
    }

    /// The log's query: the workspace's links, narrowed.
    pub async fn query(&self, api: &Api, caller: &Caller) -> Result<Query, ApiError> {
        Ok(Query {
            workspace: caller.workspace,
            links: self.links(api, caller, None).await?.map(Arc::new),
            start: self.period.start,
            end: self.period.end,
            classes: self.classes,
            filter: self.filter.clone(),
            ..Query::default()
        })
    }

    /// The partners that are asked about.
    pub fn partners(&self) -> Option<&Values> {
        let (_, values) = self.by_link.iter().find(|(name, _)| *name == PARTNER)?;
        Some(values)
    }

    /// The links that are asked about, whosever they are.
    pub async fn links_of_anybody(&self, api: &Api, caller: &Caller) -> Result<Option<HashSet<LinkNo>>, ApiError> {
        self.links(api, caller, Some(PARTNER)).await
    }

    async fn links(&self, api: &Api, caller: &Caller, but: Option<&str>) -> Result<Option<HashSet<LinkNo>>, ApiError> {
        if self.is_root {
            // No link stands at the root of a domain here.
            return Ok(Some(HashSet::new()));
        }
        let (mut by_link, key) = (self.by_link.clone(), self.key.clone());
        by_link.retain(|(name, _)| Some(*name) != but);
        if by_link.is_empty() && key.is_none() {
            return Ok(None);
        }
        let (inner, workspace) = (api.clone(), caller.workspace);
        let narrowed = api.context.books().read(move |view: &View<'_>| {
            let mut sets = Vec::new();
            for (name, values) in &by_link {
                // With a key the domain says where that key is looked up.
                if *name == "domain" && key.is_some() {
                    continue;
                }
                sets.push(of_values(&inner, view, workspace, name, values)?);
            }
            if let Some(key) = &key {
                let domain = by_link.iter().find(|(name, _)| *name == "domain");
                let domain = domain.and_then(|(_, values)| values.texts.first().cloned());
                let named = Named::by_key(domain, key.clone());
                sets.extend(
                    named
                        .find(&inner, view, workspace)?
                        .map(|link| HashSet::from([link.no])),
                );
            }
            let together = sets.into_iter().reduce(|one, other| &one & &other);
            Ok::<_, Error>(together)
        });
        Ok(narrowed.await?)
    }
}

/// The links that have, or that do not have, one of `values` in `name`.
fn of_values(
    api: &Api,
    view: &View<'_>,
    workspace: WorkspaceNo,
    name: &str,
    values: &Values,
) -> Result<HashSet<LinkNo>, Error> {
    let mut links = HashSet::new();
    for text in &values.texts {
        links.extend(of_value(api, view, workspace, name, text)?);
    }
    if !values.is_excluded {
        return Ok(links);
    }
    let all = books::link::numbers_of(view, workspace, &everything())?;
    Ok(all.into_iter().filter(|link| !links.contains(link)).collect())
}

fn everything() -> LinkFilter {
    LinkFilter {
        shows_archived: true,
        ..LinkFilter::default()
    }
}

fn of_value(api: &Api, view: &View<'_>, workspace: WorkspaceNo, name: &str, text: &str) -> Result<Vec<LinkNo>, Error> {
    let mut filter = everything();
    match name {
        "linkId" => return Ok(vec![publish_link::find(view, workspace, text)?.no]),
        "externalId" => {
            let id = text.strip_prefix("ext_").unwrap_or(text);
            let found = books::link::by_external_id(view, workspace, id)?;
            return Ok(vec![found.ok_or(Error::NotFound { what: "link" })?.no]);
        }
        "url" => return Ok(books::link::leading_to(view, workspace, text)?),
        "domain" => filter.domain = Some(domain_for(&api.context, view, workspace, Some(text))?.no),
        "tenantId" => filter.tenant_id = Some(text.to_owned()),
        "tagId" | "tagIds" => {
            filter.tags = Some(TagsWanted::OneOf(vec![keep_tags::find(view, workspace, text)?.no]));
        }
        "folderId" => filter.folder = Some(keep_folders::find(view, workspace, text)?.no),
        _ => {
            let creator = books::creator::by_id(view, workspace, text)?;
            let creator = creator.ok_or_else(|| Error::invalid("partnerId", "is not a partner of this workspace"))?;
            filter.creator = Some(creator.no);
        }
    }
    Ok(books::link::numbers_of(view, workspace, &filter)?)
}

fn conditions(params: &mut Params) -> Result<Filter, ApiError> {
    let mut conditions = Vec::new();
    for (name, by) in BY_CLICK {
        let Some(text) = params.text(name) else { continue };
        let values = Values::read(name, &text)?;
        for value in &values.texts {
            check(name, value)?;
        }
        conditions.push(Condition {
            by,
            names: values.texts,
            is_excluded: values.is_excluded,
        });
    }
    if let Some(is_qr) = params.flag("qr")? {
        conditions.push(Condition {
            by: Dimension::Trigger,
            names: vec!["qr".to_owned()],
            is_excluded: !is_qr,
        });
    }
    Ok(Filter::of(conditions))
}

/// Refuses values that no click can have: a typing error must not look like no clicks.
fn check(name: &str, value: &str) -> Result<(), ApiError> {
    const UNKNOWN: &str = "Unknown";
    let one_of = |words: &[&str], told: &str| match words.iter().any(|word| word.eq_ignore_ascii_case(value)) {
        true => Ok(()),
        false => Err(ApiError::invalid(name, told)),
    };
    match name {
        "country" => {
            let is_code = value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic());
            match is_code || value.eq_ignore_ascii_case(UNKNOWN) {
                true => Ok(()),
                false => Err(ApiError::invalid(
                    name,
                    "must be a code of two letters such as DE, or Unknown",
                )),
            }
        }
        "region" => {
            let is_region = value.split_once('-').is_some_and(|(country, region)| {
                country.len() == 2
                    && country.bytes().all(|byte| byte.is_ascii_alphabetic())
                    && locality::is_region(region)
            });
            match is_region || value.eq_ignore_ascii_case(UNKNOWN) {
                true => Ok(()),
                false => Err(ApiError::invalid(
                    name,
                    "must be an ISO 3166-2 code with its country such as US-CA, or Unknown",
                )),
            }
        }
        "continent" => one_of(
            &["AF", "AN", "AS", "EU", "NA", "OC", "SA", UNKNOWN],
            "must be one of AF, AN, AS, EU, NA, OC, SA, Unknown",
        ),
        "trigger" => one_of(
            &["link", "qr", "deeplink", "pageview"],
            "must be one of link, qr, deeplink, pageview",
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_one_several_or_left_out() {
        for (text, texts, is_excluded) in [
            ("DE", vec!["DE"], false),
            ("DE,AT", vec!["DE", "AT"], false),
            ("-DE,AT", vec!["DE", "AT"], true),
            ("a\\,b,c", vec!["a,b", "c"], false),
            ("\\-5", vec!["-5"], false),
            ("back\\\\slash", vec!["back\\slash"], false),
        ] {
            let values = Values::read("x", text).expect(text);
            assert_eq!(
                (values.texts, values.is_excluded),
                (texts.iter().map(|t| (*t).to_owned()).collect(), is_excluded)
            );
        }
        for text in ["-", "DE,", ",", "a,,b"] {
            assert!(Values::read("x", text).is_err(), "{text}");
        }
        assert!(Values::read("x", &vec!["a"; VALUES_MAX + 1].join(",")).is_err());
    }

    #[test]
    fn what_no_click_can_have_is_refused() {
        for (name, value, is_good) in [
            ("country", "de", true),
            ("country", "Unknown", true),
            ("country", "Germany", false),
            ("region", "us-ca", true),
            ("region", "GB-ENG", true),
            ("region", "Unknown", true),
            ("region", "CA", false),
            ("region", "US-", false),
            ("region", "US-California", false),
            ("city", "São Paulo", true),
            ("continent", "EU", true),
            ("continent", "Europe", false),
            ("trigger", "pageview", true),
            ("trigger", "tap", false),
            ("device", "Toaster", true),
        ] {
            assert_eq!(check(name, value).is_ok(), is_good, "{name}={value}");
        }
    }
}
