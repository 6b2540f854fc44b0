//! Who is credited with an order, by what evidence, and why.
//!
//! Evidence in order of precedence: a creator's code on the order, then the click id that came back, then nobody.
//! Everything found is kept, also what was not used.

use serde::{Deserialize, Serialize};

use super::id::{CreatorNo, LinkNo};
use super::visitor::Touch;

/// A creator's code that was found on an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeEvidence {
    /// As written on the order.
    pub code: String,
    pub creator: CreatorNo,
    /// The link that the code belongs to, if any.
    pub link: Option<LinkNo>,
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
    /// The variant that the follower got, from 1; 0 = no experiment, or the click's record was gone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub variant: u8,
    /// Links followed before, as the click's record showed them: (link, seconds), oldest first.
    pub journey: Vec<(LinkNo, u32)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

impl ClickEvidence {
    /// Copies the journey of a click record.
    pub fn with_journey(mut self, touches: &[Touch]) -> Self {
        self.journey = touches.iter().map(|touch| (touch.link, touch.seconds)).collect();
        self
    }
}

/// Everything that was found about who brought an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// In the order in which the shop lists the codes.
    pub codes: Vec<CodeEvidence>,
    pub click: Option<ClickEvidence>,
}

/// Which evidence decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditedBy {
    DiscountCode,
    Click,
    Nothing,
}

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    pub creator: Option<CreatorNo>,
    pub link: Option<LinkNo>,
    pub by: CreditedBy,
}

/// Decides who is credited. A code's own link gives way to the clicked link when both belong to one creator.
pub fn decide(evidence: &Evidence) -> Credit {
    let click = evidence.click.as_ref();
    if let Some(code) = evidence.codes.first() {
        let clicked = click
            .filter(|click| click.creator == Some(code.creator))
            .map(|click| click.link);
        return Credit {
            creator: Some(code.creator),
            link: clicked.or(code.link),
            by: CreditedBy::DiscountCode,
        };
    }
    match click {
        Some(click) => Credit {
            creator: click.creator,
            link: Some(click.link),
            by: CreditedBy::Click,
        },
        None => Credit {
            creator: None,
            link: None,
            by: CreditedBy::Nothing,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_before_clicks() {
        let code = |creator| CodeEvidence {
            code: "X".into(),
            creator: CreatorNo(creator),
            link: Some(LinkNo(70)),
        };
        let click = |creator: Option<u32>| ClickEvidence {
            click_id: "id".into(),
            link: LinkNo(7),
            creator: creator.map(CreatorNo),
            clicked_at_ms: 5,
            variant: 0,
            journey: vec![],
        };
        for (codes, click, creator, link, by) in [
            (vec![], None, None, None, CreditedBy::Nothing),
            (vec![], Some(click(Some(1))), Some(1), Some(7), CreditedBy::Click),
            (vec![], Some(click(None)), None, Some(7), CreditedBy::Click),
            (vec![code(2)], None, Some(2), Some(70), CreditedBy::DiscountCode),
            (
                vec![code(2)],
                Some(click(Some(1))),
                Some(2),
                Some(70),
                CreditedBy::DiscountCode,
            ),
            (
                vec![code(1)],
                Some(click(Some(1))),
                Some(1),
                Some(7),
                CreditedBy::DiscountCode,
            ),
            (
                vec![code(3), code(2)],
                None,
                Some(3),
                Some(70),
                CreditedBy::DiscountCode,
            ),
        ] {
            let credit = decide(&Evidence { codes, click });
            assert_eq!(
                (credit.creator, credit.link, credit.by),
                (creator.map(CreatorNo), link.map(LinkNo), by)
            );
        }
    }
}
