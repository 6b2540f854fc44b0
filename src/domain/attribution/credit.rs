//! What the books keep of a verdict, so that reports and lists need not decide again.

use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, EvidenceKind};
use super::journey::{Touch, touches};
use super::model::{Model, weights};
use super::verdict::{CreditState, Ruling, decide};
use crate::domain::id::{CreatorNo, LinkNo};
use crate::domain::program::Program;
use crate::domain::time::Timestamp;

/// Who is credited with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Credit {
    pub state: CreditState,
    /// The evidence that decided.
    pub by: Option<EvidenceKind>,
    pub creator: Option<CreatorNo>,
    /// The link that is credited.
    pub link: Option<LinkNo>,
    /// Who is credited by what the order itself shows, without the customer's past: what the customer's later orders go
    /// by. They do not go by each other, so that one click does not last for ever.
    pub owner: Option<CreatorNo>,
    /// Whether a model other than the last touch may share it out otherwise.
    pub is_split: bool,
}

/// Decides who is credited with an order placed at `ordered_at`; see [`decide`].
pub fn credit(found: &Evidence, program: &Program, ordered_at: Timestamp, ruling: Option<Ruling>) -> Credit {
    let verdict = decide(found, program, ordered_at, ruling);
    let owner = match &found.customer {
        None => verdict.creator,
        Some(_) => {
            let of_itself = Evidence {
                customer: None,
                ..found.clone()
            };
            decide(&of_itself, program, ordered_at, ruling).creator
        }
    };
    let touches = touches(found, program, ordered_at, &verdict);
    let mut receivers = touches.iter().filter(|touch| touch.counts).map(Touch::receiver);
    let first = receivers.next();
    Credit {
        state: verdict.state,
        by: verdict.by,
        creator: verdict.creator,
        link: verdict.link,
        owner,
        is_split: receivers.any(|receiver| Some(receiver) != first),
    }
}

/// A part of an order under each model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// `None` = nobody.
    pub creator: Option<CreatorNo>,
    pub link: Option<LinkNo>,
    /// In the order of [`Model::ALL`], which the books keep.
    weights: [u64; Model::ALL.len()],
}

impl Share {
    /// What the part weighs under `model`; 0 = there is none.
    pub fn weight(&self, model: Model) -> u64 {
        self.weights[model as usize]
    }
}

/// Who and what receives parts of the order, the oldest touch first; nothing when it is nobody's.
pub fn shares(found: &Evidence, program: &Program, ordered_at: Timestamp, ruling: Option<Ruling>) -> Vec<Share> {
    let verdict = decide(found, program, ordered_at, ruling);
    let touches = touches(found, program, ordered_at, &verdict);
    let by_model = Model::ALL.map(|model| weights(model, &touches));
    let counted = touches.iter().enumerate().filter(|(_, touch)| touch.counts);
    let share = |(place, touch): (usize, &Touch)| {
        let (creator, link) = touch.receiver();
        Share {
            creator,
            link,
            weights: by_model.each_ref().map(|weights| weights[place]),
        }
    };
    counted.map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{ClickEvidence, CustomerEvidence, PastTouch};
    use super::*;

    fn followed(before: Option<u32>) -> Evidence {
        let past = before.map(|creator| PastTouch {
            link: LinkNo(20),
            creator: Some(CreatorNo(creator)),
            seconds: 1_795_000_000,
        });
        Evidence {
            click: Some(ClickEvidence {
                click_id: "x".into(),
                link: LinkNo(10),
                creator: Some(CreatorNo(1)),
                clicked_at_ms: 1_795_000_500_000,
                variant: 0,
                journey: past.into_iter().collect(),
                is_recorded: true,
                is_from_coupon_site: false,
                country: None,
            }),
            ..Evidence::default()
        }
    }

    #[test]
    fn only_journeys_of_several_receivers_are_split() {
        let at = Timestamp(1_795_001_000_000);
        let program = Program::default();
        assert!(!credit(&followed(None), &program, at, None).is_split);
        let split = credit(&followed(Some(2)), &program, at, None);
        assert!(split.is_split && split.creator == Some(CreatorNo(1)));
        let parts = shares(&followed(Some(2)), &program, at, None);
        let told = |model| {
            let part = |share: &Share| (share.creator, share.link, share.weight(model));
            parts.iter().map(part).collect::<Vec<_>>()
        };
        let (before, clicked) = (
            (Some(CreatorNo(2)), Some(LinkNo(20))),
            (Some(CreatorNo(1)), Some(LinkNo(10))),
        );
        for (model, weights) in [
            (Model::Last, [0, 1]),
            (Model::First, [1, 0]),
            (Model::Linear, [1, 1]),
            (Model::Position, [1, 1]),
        ] {
            let expected = [(before.0, before.1, weights[0]), (clicked.0, clicked.1, weights[1])];
            assert_eq!(told(model), expected, "{model:?}");
        }
    }

    #[test]
    fn a_customers_past_makes_no_owner() {
        let at = Timestamp(1_795_001_000_000);
        let customer = CustomerEvidence {
            creator: CreatorNo(7),
            order: "ord_1".into(),
            ordered_at_ms: at.0 - 1,
            link: None,
        };
        let found = Evidence {
            customer: Some(customer),
            ..Evidence::default()
        };
        let by_past = credit(&found, &Program::default(), at, None);
        assert_eq!((by_past.creator, by_past.owner), (Some(CreatorNo(7)), None));
        let past_first = Program {
            evidence_order: vec![EvidenceKind::Customer, EvidenceKind::Click],
            ..Program::default()
        };
        let found = Evidence {
            click: followed(None).click,
            ..found
        };
        let both = credit(&found, &past_first, at, None);
        assert_eq!((both.creator, both.owner), (Some(CreatorNo(7)), Some(CreatorNo(1))));
    }
}
