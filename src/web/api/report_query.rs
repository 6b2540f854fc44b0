//! What a caller asks `/reports/performance`: read once, for the API and for the console alike, so that an address of the
//! one means the same in the other.

use super::Period;
use super::error::ApiError;
use super::params::Params;
use super::report::FIGURES;
use crate::domain::attribution::Model;
use crate::domain::creator::Tier;
use crate::domain::id::WorkspaceNo;
use crate::domain::time::Timestamp;
use crate::web::report::{GroupBy, NOBODY, Request};

/// What `groupBy` may be.
pub(in crate::web) const GROUPS: [(&str, GroupBy); 11] = [
    ("creator", GroupBy::Creator),
    ("niche", GroupBy::Niche),
    ("tier", GroupBy::Tier),
    ("platform", GroupBy::Platform),
    ("campaign", GroupBy::Campaign),
    ("content", GroupBy::Content),
    ("link", GroupBy::Link),
    ("variant", GroupBy::Variant),
    ("code", GroupBy::Code),
    ("country", GroupBy::Country),
    ("store", GroupBy::Store),
];

/// Parameters that leave out everything but one row of a report, and whose report that is.
pub(in crate::web) const FILTERS: [(&str, GroupBy); 8] = [
    ("partnerId", GroupBy::Creator),
    ("niche", GroupBy::Niche),
    ("tier", GroupBy::Tier),
    ("platform", GroupBy::Platform),
    ("campaignId", GroupBy::Campaign),
    ("contentId", GroupBy::Content),
    ("linkId", GroupBy::Link),
    ("storeId", GroupBy::Store),
];

/// A report as it was asked for.
#[derive(Debug, Clone)]
pub(in crate::web) struct Asked {
    pub request: Request,
    pub period: Period,
    /// One of [`FIGURES`]; `None` = net revenue, then clicks.
    pub sort_by: Option<&'static str>,
    pub is_csv: bool,
}

impl Asked {
    /// Reads a raw query; `interval` is the period when none is named.
    pub fn of(
        query: Option<&str>,
        workspace: WorkspaceNo,
        now: Timestamp,
        interval: &'static str,
    ) -> Result<Self, ApiError> {
        let mut params = Params::of(query)?;
        let named = params.word("groupBy", &GROUPS.map(|(name, _)| name))?;
        let by = GROUPS.iter().find(|(name, _)| Some(*name) == named);
        let by = by.map_or(GroupBy::Creator, |(_, by)| *by);
        let sort_by = params.word("sortBy", &FIGURES)?;
        let compares = params.word("compare", &["previous"])?.is_some();
        let is_csv = params.word("format", &["json", "csv"])? == Some("csv");
        let currency = params.text("currency");
        let model = params.word("model", &Model::ALL.map(Model::as_str))?;
        let mut only = Vec::new();
        for (name, filter) in FILTERS {
            if let Some(key) = params.text(name) {
                only.push((filter, key));
            }
        }
        let country = country(&mut params, by)?;
        let period = Period::take(&mut params, now, interval)?;
        params.end()?;
        check_tier(&only)?;
        if compares && period.start == Timestamp(0) {
            return Err(ApiError::invalid(
                "compare",
                "needs a period that begins: interval=30d, or start and end",
            ));
        }
        let request = Request {
            workspace,
            group_by: by,
            start: period.start,
            end: period.end,
            currency,
            model: model.and_then(Model::parse),
            compares,
            only,
            country,
        };
        Ok(Self {
            request,
            period,
            sort_by,
            is_csv,
        })
    }
}

fn country(params: &mut Params, by: GroupBy) -> Result<Option<String>, ApiError> {
    let Some(code) = params.text("country") else {
        return Ok(None);
    };
    if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        let advice = "must be an ISO 3166-1 code of two letters, such as DE";
        return Err(ApiError::invalid("country", advice));
    }
    if by == GroupBy::Variant {
        let advice = "does not go with groupBy=variant: leave one of them out";
        return Err(ApiError::invalid("country", advice));
    }
    Ok(Some(code.to_ascii_uppercase()))
}

fn check_tier(only: &[(GroupBy, String)]) -> Result<(), ApiError> {
    let words = Tier::ALL.map(Tier::as_str);
    let is_known = |key: &str| key == NOBODY || words.contains(&key);
    match only.iter().find(|(by, _)| *by == GroupBy::Tier) {
        Some((_, key)) if !is_known(key) => {
            let advice = format!("must be one of {}", words.join(", "));
            Err(ApiError::invalid("tier", &advice))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, String> {
        let now = Timestamp::parse("2026-11-21T10:30:00Z").expect("an instant");
        Asked::of(Some(query), WorkspaceNo(1), now, "30d").map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_query_is_read_whole() {
        let read =
            asked("groupBy=code&partnerId=pn_1&niche=&tier=nano&country=de&sortBy=roi&format=csv").expect("good");
        assert_eq!(
            (read.request.group_by, read.sort_by, read.is_csv),
            (GroupBy::Code, Some("roi"), true)
        );
        let only = [
            (GroupBy::Creator, "pn_1".to_owned()),
            (GroupBy::Tier, "nano".to_owned()),
        ];
        assert_eq!(read.request.only, only);
        assert_eq!(read.request.country.as_deref(), Some("DE"));
    }

    #[test]
    fn what_cannot_be_asked_is_named() {
        for (query, field) in [
            ("tier=huge", "tier"),
            ("country=Germany", "country"),
            ("country=D1", "country"),
            ("groupBy=variant&country=DE", "country"),
            ("interval=all&compare=previous", "compare"),
            ("partner=pn_1", "partner"),
        ] {
            let refused = asked(query).expect_err(query);
            assert!(refused.starts_with(&format!("{field}: ")), "{refused}");
        }
    }
}
