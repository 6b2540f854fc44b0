//! The touches that led to an order, oldest first: what models share an order out among.
//!
//! They are the links that the clicked one's cookie showed, then the click itself: the one that came back on the order,
//! else the one that a single-use code was handed out on, where that code decided. A code (or the customer's earlier
//! order) that decided is the last touch; where the touch before it is of the same creator, the two are one, for the
//! code then only confirms the click. A touch outside the window is shown and gets nothing. A touch of a link that
//! belongs to nobody, or to the buyer, keeps its share, and nobody gets it: what an advertisement brought is not a
//! creator's because the creator came later. Codes count as touches even where nobody's click came back.

use super::evidence::{CodeEvidence, Evidence, EvidenceKind};
use super::verdict::{CreditState, Verdict};
use crate::domain::id::{CreatorNo, LinkNo};
use crate::domain::program::Program;
use crate::domain::time::Timestamp;

/// What kind of touch it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TouchKind {
    /// A link that was followed before the click.
    Follow,
    /// The click that came back on the order.
    Click,
    /// The code that decided.
    Code,
    /// The customer's earlier order, which decided.
    Customer,
}

impl TouchKind {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Click => "click",
            Self::Code => "code",
            Self::Customer => "customer",
        }
    }
}

/// One touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    pub kind: TouchKind,
    pub link: Option<LinkNo>,
    /// Who owned the link then.
    pub creator: Option<CreatorNo>,
    pub at: Timestamp,
    /// Whether it is within the window, and so has a share.
    pub counts: bool,
    /// Whether its creator is the buyer: the share is nobody's.
    pub is_buyers_own: bool,
    /// Whether a code decided for it: it is the code, or the click that the code confirms.
    pub is_decided_by_code: bool,
}

impl Touch {
    /// Who and what gets its share.
    pub fn receiver(&self) -> (Option<CreatorNo>, Option<LinkNo>) {
        if self.is_buyers_own {
            (None, None)
        } else {
            (self.creator, self.link)
        }
    }
}

/// The touches of an order; none that counts when the credit is held or nothing was found.
pub fn touches(found: &Evidence, program: &Program, ordered_at: Timestamp, verdict: &Verdict) -> Vec<Touch> {
    let is_counted = verdict.state != CreditState::Held && program.uses(EvidenceKind::Click);
    let touch = |kind, link, creator: Option<CreatorNo>, at| Touch {
        kind,
        link,
        creator,
        at,
        counts: is_counted && program.is_in_window(at, ordered_at),
        is_buyers_own: creator.is_some_and(|creator| found.buyers.contains(&creator)),
        is_decided_by_code: false,
    };
    let mut touches = Vec::new();
    // A single-use code that decided came with a click, whose cookie showed the same.
    let handed_out = decisive_code(found, verdict).and_then(|code| code.given_on.as_deref());
    if let Some(click) = found.click.as_ref().or(handed_out) {
        let past = click.journey.iter();
        touches.extend(past.map(|past| {
            let at = Timestamp::from_seconds(i64::from(past.seconds));
            touch(TouchKind::Follow, Some(past.link), past.creator, at)
        }));
        touches.push(touch(TouchKind::Click, Some(click.link), click.creator, click.at()));
    }
    if let Some(last) = decisive(found, ordered_at, verdict) {
        match touches.last_mut() {
            Some(before) if before.counts && before.creator == last.creator => {
                before.is_decided_by_code = last.is_decided_by_code;
            }
            _ => touches.push(last),
        }
    }
    touches
}

/// The code that decided, if one did.
fn decisive_code<'a>(found: &'a Evidence, verdict: &Verdict) -> Option<&'a CodeEvidence> {
    let decisive = |finding: &&super::Finding| finding.kind.is_code() && finding.why.is_decisive();
    let place = verdict.findings.iter().find(decisive)?.place;
    found.codes.get(place)
}

/// The touch that what decided is, if it is no follow.
fn decisive(found: &Evidence, ordered_at: Timestamp, verdict: &Verdict) -> Option<Touch> {
    if verdict.state == CreditState::Held {
        return None;
    }
    let by = verdict.by?;
    let (kind, creator, at) = if by.is_code() {
        (TouchKind::Code, decisive_code(found, verdict)?.creator, ordered_at)
    } else if by == EvidenceKind::Customer {
        let customer = found.customer.as_ref()?;
        (TouchKind::Customer, customer.creator, Timestamp(customer.ordered_at_ms))
    } else {
        return None;
    };
    Some(Touch {
        kind,
        link: verdict.link,
        creator: Some(creator),
        at,
        counts: true,
        is_buyers_own: found.buyers.contains(&creator),
        is_decided_by_code: by.is_code(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::verdict::decide;
    use super::super::{ClickEvidence, CodeKind, CustomerEvidence, PastTouch};
    use super::*;
    use crate::domain::time::DAY_MS;

    const ORDERED: Timestamp = Timestamp(1_795_000_000_000);

    fn days_ago(days: i64) -> Timestamp {
        ORDERED.plus_ms(-days * DAY_MS)
    }

    fn evidence() -> Evidence {
        let past = |link, creator: Option<u32>, days| PastTouch {
            link: LinkNo(link),
            creator: creator.map(CreatorNo),
            seconds: u32::try_from(days_ago(days).seconds()).expect("a second"),
        };
        Evidence {
            click: Some(ClickEvidence {
                click_id: "x".into(),
                link: LinkNo(10),
                creator: Some(CreatorNo(1)),
                clicked_at_ms: days_ago(1).0,
                variant: 0,
                journey: vec![past(30, Some(3), 31), past(20, Some(2), 9), past(40, None, 2)],
                is_recorded: true,
                is_from_coupon_site: false,
                country: None,
            }),
            ..Evidence::default()
        }
    }

    fn code(creator: u32) -> CodeEvidence {
        CodeEvidence {
            code: "X".into(),
            creator: CreatorNo(creator),
            link: None,
            kind: CodeKind::Creator,
            given_on: None,
            leaks: vec![],
        }
    }

    /// Kind, link, creator and whether it counts, of each touch.
    fn told(found: &Evidence, program: &Program) -> Vec<(&'static str, u32, u32, bool)> {
        let verdict = decide(found, program, ORDERED, None);
        let touches = touches(found, program, ORDERED, &verdict);
        let number = |touch: &Touch| {
            (
                touch.link.map_or(0, |link| link.0),
                touch.creator.map_or(0, |creator| creator.0),
            )
        };
        let told = touches.iter().map(|touch| {
            let (link, creator) = number(touch);
            (touch.kind.as_str(), link, creator, touch.counts)
        });
        told.collect()
    }

    #[test]
    fn the_journey_ends_with_the_click_and_old_touches_do_not_count() {
        let program = Program::default();
        let clicked = [
            ("follow", 30, 3, false),
            ("follow", 20, 2, true),
            ("follow", 40, 0, true),
            ("click", 10, 1, true),
        ];
        assert_eq!(told(&evidence(), &program), clicked);
        let own_code = Evidence {
            codes: vec![code(1)],
            ..evidence()
        };
        assert_eq!(told(&own_code, &program), clicked, "the code confirms the click");
        let verdict = decide(&own_code, &program, ORDERED, None);
        let confirmed = touches(&own_code, &program, ORDERED, &verdict);
        assert!(confirmed.last().is_some_and(|touch| touch.is_decided_by_code));
        let other_code = Evidence {
            codes: vec![code(2)],
            ..evidence()
        };
        assert_eq!(told(&other_code, &program)[4], ("code", 0, 2, true));
        let only_code = Evidence {
            codes: vec![code(2)],
            ..Evidence::default()
        };
        assert_eq!(told(&only_code, &program), [("code", 0, 2, true)]);
        assert_eq!(told(&Evidence::default(), &program), []);
    }

    #[test]
    fn a_single_use_code_brings_the_journey_of_its_click() {
        let single = CodeEvidence {
            kind: CodeKind::SingleUse,
            link: Some(LinkNo(10)),
            given_on: evidence().click.map(Box::new),
            ..code(1)
        };
        let found = Evidence {
            codes: vec![single.clone()],
            ..Evidence::default()
        };
        let told_by_click = told(&evidence(), &Program::default());
        assert_eq!(
            told(&found, &Program::default()),
            told_by_click,
            "the code stands for its click"
        );
        let other = Evidence {
            codes: vec![code(2), single],
            ..Evidence::default()
        };
        let creators_code_first = Program {
            evidence_order: vec![
                EvidenceKind::CreatorCode,
                EvidenceKind::SingleUseCode,
                EvidenceKind::Click,
            ],
            ..Program::default()
        };
        assert_eq!(told(&other, &creators_code_first), [("code", 0, 2, true)]);
    }

    #[test]
    fn an_earlier_order_is_a_touch_where_it_decides() {
        let customer = CustomerEvidence {
            creator: CreatorNo(7),
            order: "ord_1".into(),
            ordered_at_ms: days_ago(20).0,
            link: None,
        };
        let found = Evidence {
            customer: Some(customer),
            ..Evidence::default()
        };
        assert_eq!(told(&found, &Program::default()), [("customer", 0, 7, true)]);
        let found = Evidence {
            click: evidence().click,
            ..found
        };
        assert_eq!(told(&found, &Program::default()).len(), 4, "the click goes before it");
    }

    #[test]
    fn what_the_program_does_not_use_gets_nothing() {
        let program = Program {
            evidence_order: vec![EvidenceKind::CreatorCode],
            ..Program::default()
        };
        assert!(told(&evidence(), &program).iter().all(|touch| !touch.3));
    }

    #[test]
    fn the_buyers_own_touch_is_nobodys() {
        let found = Evidence {
            buyers: vec![CreatorNo(2)],
            ..evidence()
        };
        let verdict = decide(&found, &Program::default(), ORDERED, None);
        let touches = touches(&found, &Program::default(), ORDERED, &verdict);
        assert_eq!(touches[1].receiver(), (None, None));
        assert_eq!(touches[3].receiver(), (Some(CreatorNo(1)), Some(LinkNo(10))));
    }
}
