//! What was found about who brought an order. Everything found is kept, also what is not used.
//!
//! Links and creators are resolved when the order is accepted, so that what is edited later changes no order. The serde
//! names are the format in the books.

use serde::{Deserialize, Serialize};

use super::leak::LeakSignal;
use crate::domain::id::{CreatorNo, LinkNo};
use crate::domain::time::Timestamp;

/// The kinds of evidence, in the usual precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// A code that was handed to one follower of one creator's link.
    SingleUseCode,
    /// A code that a creator tells everybody.
    CreatorCode,
    /// A click id that came back on the order.
    Click,
    /// The creator who was credited with the customer's earlier order.
    Customer,
}

impl EvidenceKind {
    /// Every kind, in the usual precedence.
    pub const ALL: [Self; 4] = [Self::SingleUseCode, Self::CreatorCode, Self::Click, Self::Customer];

    /// The word in the books and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SingleUseCode => "single_use_code",
            Self::CreatorCode => "creator_code",
            Self::Click => "click",
            Self::Customer => "customer",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether it is a code of either kind.
    pub fn is_code(self) -> bool {
        matches!(self, Self::SingleUseCode | Self::CreatorCode)
    }
}

/// Whose hands a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeKind {
    /// Everybody who hears the creator.
    #[default]
    Creator,
    /// One follower, once.
    SingleUse,
}

/// A code of ours that was found on an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeEvidence {
    /// As written on the order.
    pub code: String,
    pub creator: CreatorNo,
    /// The link that the code belongs to, if any.
    pub link: Option<LinkNo>,
    #[serde(default)]
    pub kind: CodeKind,
    /// The click that a single-use code was handed out on; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_on: Option<Box<ClickEvidence>>,
    /// What told that strangers have the code, when the order first showed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaks: Vec<LeakSignal>,
}

impl CodeEvidence {
    /// The kind of evidence that this code is.
    pub fn evidence_kind(&self) -> EvidenceKind {
        match self.kind {
            CodeKind::Creator => EvidenceKind::CreatorCode,
            CodeKind::SingleUse => EvidenceKind::SingleUseCode,
        }
    }
}

/// A link that was followed before the click that came back, as that click's cookie showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastTouch {
    pub link: LinkNo,
    /// Who owned the link when the order was accepted.
    pub creator: Option<CreatorNo>,
    /// When it was followed, in seconds since the Unix epoch.
    pub seconds: u32,
}

/// A verified click id that came back on an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClickEvidence {
    pub click_id: String,
    pub link: LinkNo,
    /// The creator who owned the link when the order was accepted.
    pub creator: Option<CreatorNo>,
    /// When the link was followed, in milliseconds since the Unix epoch.
    pub clicked_at_ms: i64,
    /// The variant that the follower got, from 1; 0 = no experiment, or the click's record was not found.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub variant: u8,
    /// Links followed before, oldest first.
    pub journey: Vec<PastTouch>,
    /// Whether the click's record was found: without it the journey is not known.
    #[serde(default)]
    pub is_recorded: bool,
    /// Whether the follower came from a site that collects coupons.
    #[serde(default)]
    pub is_from_coupon_site: bool,
    /// Where the click came from: ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

impl ClickEvidence {
    /// When the link was followed.
    pub fn at(&self) -> Timestamp {
        Timestamp(self.clicked_at_ms)
    }

    /// Of two clicks that came back on one order, the one that counts: the later one, whichever was told first.
    #[must_use]
    pub fn or_later(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if (other.clicked_at_ms, &other.click_id) > (self.clicked_at_ms, &self.click_id) => other,
            _ => self,
        }
    }
}

/// Who brought the customer: the latest earlier order that a code or a click had credited to somebody, or a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerEvidence {
    pub creator: CreatorNo,
    /// Public id of that order, or of the lead.
    pub order: String,
    /// When it was placed or told, in milliseconds since the Unix epoch.
    pub ordered_at_ms: i64,
    /// The link that the lead came of; orders tell none here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkNo>,
}

/// Everything that was found about who brought an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// In the order in which the shop lists the codes.
    pub codes: Vec<CodeEvidence>,
    pub click: Option<ClickEvidence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerEvidence>,
    /// Creators named above who are the buyer, by their e-mail address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buyers: Vec<CreatorNo>,
}

impl Evidence {
    /// The click that led to the order: the one that came back, else the one that a single-use code was handed out on
    /// against which nothing speaks.
    pub fn click_behind(&self) -> Option<&ClickEvidence> {
        let good = self.codes.iter().filter(|code| code.leaks.is_empty());
        self.click
            .as_ref()
            .or_else(|| good.filter_map(|code| code.given_on.as_deref()).next())
    }

    /// Every creator whom the evidence names, each once.
    pub fn creators(&self) -> Vec<CreatorNo> {
        let click = self.click.iter();
        let mut creators: Vec<CreatorNo> = self.codes.iter().map(|code| code.creator).collect();
        creators.extend(click.clone().filter_map(|click| click.creator));
        let clicks = click.chain(self.codes.iter().filter_map(|code| code.given_on.as_deref()));
        creators.extend(
            clicks
                .flat_map(|click| &click.journey)
                .filter_map(|touch| touch.creator),
        );
        creators.extend(self.customer.iter().map(|customer| customer.creator));
        creators.sort_unstable();
        creators.dedup();
        creators
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn click(at: i64, id: &str) -> ClickEvidence {
        ClickEvidence {
            click_id: id.to_owned(),
            link: LinkNo(1),
            creator: Some(CreatorNo(3)),
            clicked_at_ms: at,
            variant: 0,
            journey: vec![],
            is_recorded: true,
            is_from_coupon_site: false,
            country: None,
        }
    }

    #[test]
    fn the_later_click_counts_whichever_was_told_first() {
        for (a, b, later) in [
            (click(5, "a"), click(6, "b"), "b"),
            (click(6, "b"), click(5, "a"), "b"),
            (click(5, "a"), click(5, "b"), "b"),
            (click(5, "b"), click(5, "a"), "b"),
        ] {
            assert_eq!(a.or_later(Some(b)).click_id, later);
        }
        assert_eq!(click(5, "a").or_later(None).click_id, "a");
    }

    #[test]
    fn evidence_of_books_that_knew_less_is_read() {
        let old = r#"{"codes":[{"code":"MIA10","creator":3,"link":null}],"click":{"click_id":"x","link":1,"creator":3,
            "clicked_at_ms":5,"journey":[{"link":1,"creator":null,"seconds":2}]}}"#;
        let evidence: Evidence = serde_json::from_str(old).expect("evidence");
        assert_eq!(evidence.codes[0].kind, CodeKind::Creator);
        assert_eq!(evidence.creators(), [CreatorNo(3)]);
        assert!(evidence.customer.is_none() && evidence.click.is_some_and(|click| !click.is_recorded));
    }

    #[test]
    fn words_are_read_back() {
        for kind in EvidenceKind::ALL {
            assert_eq!(EvidenceKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).expect("a word"), kind.as_str());
        }
        assert_eq!(EvidenceKind::parse("coupon"), None);
    }
}
