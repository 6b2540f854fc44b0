//! The rules of the verdict as tables, and what holds whatever was found.

use proptest::prelude::*;

use super::super::evidence::{ClickEvidence, CodeKind, CustomerEvidence};
use super::super::journey::touches;
use super::super::model::{Model, weights};
use super::*;
use crate::domain::time::DAY_MS;

const ORDERED: Timestamp = Timestamp(1_795_000_000_000);

fn code(creator: u32) -> CodeEvidence {
    CodeEvidence {
        code: format!("CODE{creator}"),
        creator: CreatorNo(creator),
        link: Some(LinkNo(70)),
        kind: CodeKind::Creator,
        given_on: None,
        leaks: vec![],
    }
}

fn leaked(creator: u32) -> CodeEvidence {
    CodeEvidence {
        leaks: vec![LeakSignal::NoClicks],
        ..code(creator)
    }
}

fn single_use(creator: u32) -> CodeEvidence {
    CodeEvidence {
        kind: CodeKind::SingleUse,
        ..code(creator)
    }
}

fn click(creator: Option<u32>, days: i64) -> Option<ClickEvidence> {
    Some(ClickEvidence {
        click_id: "id".into(),
        link: LinkNo(7),
        creator: creator.map(CreatorNo),
        clicked_at_ms: ORDERED.0 - days * DAY_MS,
        variant: 0,
        journey: vec![],
        is_recorded: true,
        is_from_coupon_site: false,
        country: None,
    })
}

fn customer(creator: u32, days: i64) -> Option<CustomerEvidence> {
    Some(CustomerEvidence {
        creator: CreatorNo(creator),
        order: "ord_1".into(),
        ordered_at_ms: ORDERED.0 - days * DAY_MS,
        link: None,
    })
}

fn found(codes: Vec<CodeEvidence>, click: Option<ClickEvidence>, customer: Option<CustomerEvidence>) -> Evidence {
    Evidence {
        codes,
        click,
        customer,
        buyers: vec![],
    }
}

/// State, creator, link and the reasons in the order of the findings.
fn told(found: &Evidence, program: &Program, ruling: Option<Ruling>) -> (CreditState, u32, u32, Vec<Why>) {
    let verdict = decide(found, program, ORDERED, ruling);
    let whys = verdict.findings.iter().map(|finding| finding.why).collect();
    let (creator, link) = (
        verdict.creator.map_or(0, |creator| creator.0),
        verdict.link.map_or(0, |link| link.0),
    );
    (verdict.state, creator, link, whys)
}

#[test]
fn evidence_decides_in_the_usual_precedence() {
    use CreditState::{Credited, None as Nobody};
    use Why as W;
    for (evidence, state, creator, link, whys) in [
        (found(vec![], None, None), Nobody, 0, 0, vec![]),
        (found(vec![], click(Some(1), 2), None), Credited, 1, 7, vec![W::Used]),
        (found(vec![], click(None, 2), None), Nobody, 0, 7, vec![W::NobodysLink]),
        (
            found(vec![], click(Some(1), 31), None),
            Nobody,
            0,
            0,
            vec![W::OutsideWindow],
        ),
        (found(vec![], click(Some(1), -3), None), Credited, 1, 7, vec![W::Used]),
        (found(vec![code(2)], None, None), Credited, 2, 70, vec![W::Used]),
        (
            found(vec![code(2)], click(Some(1), 2), None),
            Credited,
            2,
            70,
            vec![W::Used, W::ComesAfter],
        ),
        (
            found(vec![code(1)], click(Some(1), 2), None),
            Credited,
            1,
            7,
            vec![W::Used, W::ComesAfter],
        ),
        (
            found(vec![code(3), code(2)], None, customer(4, 3)),
            Credited,
            3,
            70,
            vec![W::Used, W::SecondCode, W::ComesAfter],
        ),
        (
            found(vec![code(3), single_use(2)], None, None),
            Credited,
            2,
            70,
            vec![W::ComesAfter, W::Used],
        ),
        (
            found(vec![], click(Some(1), 31), customer(4, 30)),
            Credited,
            4,
            0,
            vec![W::OutsideWindow, W::Used],
        ),
        (
            found(vec![], None, customer(4, 31)),
            Nobody,
            0,
            0,
            vec![W::OutsideWindow],
        ),
    ] {
        assert_eq!(
            told(&evidence, &Program::default(), None),
            (state, creator, link, whys),
            "{evidence:?}"
        );
    }
}

#[test]
fn a_code_that_may_have_leaked_yields_or_waits() {
    use CreditState::{Credited, Held, None as Nobody};
    use Why as W;
    let alone = found(vec![leaked(2)], None, customer(4, 3));
    let backed = found(vec![leaked(2)], click(Some(1), 2), None);
    let mut from_coupons = found(vec![code(2)], click(Some(1), 2), None);
    from_coupons.click.as_mut().expect("a click").is_from_coupon_site = true;
    for (evidence, ruling, expected) in [
        (&alone, None, (Held, 0, 0, vec![W::Held, W::ComesAfter])),
        (
            &alone,
            Some(Ruling::Release),
            (Credited, 2, 70, vec![W::Used, W::ComesAfter]),
        ),
        (
            &alone,
            Some(Ruling::Refuse),
            (Credited, 4, 0, vec![W::Refused, W::Used]),
        ),
        (&backed, None, (Credited, 1, 7, vec![W::YieldsToClick, W::Used])),
        (
            &found(vec![leaked(2)], click(Some(1), 40), None),
            None,
            (Held, 0, 0, vec![W::Held, W::OutsideWindow]),
        ),
        (
            &found(vec![leaked(2), code(3)], None, None),
            None,
            (Held, 0, 0, vec![W::Held, W::SecondCode]),
        ),
        (
            &found(vec![leaked(2)], None, None),
            Some(Ruling::Refuse),
            (Nobody, 0, 0, vec![W::Refused]),
        ),
        (&from_coupons, None, (Held, 0, 0, vec![W::Held, W::ComesAfter])),
    ] {
        assert_eq!(
            told(evidence, &Program::default(), ruling),
            expected,
            "{evidence:?} {ruling:?}"
        );
    }
    assert_eq!(
        decide(&alone, &Program::default(), ORDERED, None).held_for,
        Some(CreatorNo(2))
    );
    let heedless = Program {
        leak_signals: vec![LeakSignal::ClickShare],
        ..Program::default()
    };
    assert_eq!(told(&alone, &heedless, None).0, Credited);
}

#[test]
fn the_brand_orders_the_kinds_and_leaves_some_out() {
    use Why as W;
    let program = Program {
        evidence_order: vec![EvidenceKind::Customer, EvidenceKind::Click],
        ..Program::default()
    };
    let evidence = found(vec![code(2)], click(Some(1), 2), customer(4, 3));
    let (state, creator, link, whys) = told(&evidence, &program, None);
    assert_eq!((state, creator, link), (CreditState::Credited, 4, 0));
    assert_eq!(whys, [W::NotInProgram, W::ComesAfter, W::Used]);
    let same = found(vec![], click(Some(4), 2), customer(4, 3));
    assert_eq!(told(&same, &program, None).2, 7, "the clicked link of the same creator");
}

#[test]
fn nobody_is_credited_with_their_own_purchase() {
    let mut evidence = found(vec![code(2)], click(Some(1), 2), None);
    evidence.buyers = vec![CreatorNo(2)];
    let (state, creator, link, whys) = told(&evidence, &Program::default(), None);
    assert_eq!((state, creator, link), (CreditState::None, 0, 0));
    assert_eq!(whys, [Why::SelfPurchase, Why::ComesAfter]);
    evidence.buyers = vec![CreatorNo(1)];
    assert_eq!(told(&evidence, &Program::default(), None).1, 2, "another's click is");
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let code = (1u32..5, any::<bool>(), any::<bool>()).prop_map(|(creator, is_single, is_leaked)| CodeEvidence {
        kind: if is_single {
            CodeKind::SingleUse
        } else {
            CodeKind::Creator
        },
        leaks: is_leaked.then_some(LeakSignal::Reported).into_iter().collect(),
        ..code(creator)
    });
    let click = (proptest::option::of(1u32..5), -2i64..60, any::<bool>()).prop_map(|(creator, days, coupons)| {
        click(creator, days).map(|click| ClickEvidence {
            is_from_coupon_site: coupons,
            country: None,
            ..click
        })
    });
    (
        proptest::collection::vec(code, 0..4),
        prop_oneof![Just(None), click],
        prop_oneof![
            Just(None),
            (1u32..5, 0i64..60).prop_map(|(creator, days)| customer(creator, days))
        ],
        proptest::collection::vec((1u32..5).prop_map(CreatorNo), 0..2),
    )
        .prop_map(|(codes, click, customer, buyers)| Evidence {
            codes,
            click,
            customer,
            buyers,
        })
}

proptest! {
    #[test]
    fn a_verdict_fits_its_reasons_and_its_journey(
        evidence in evidence(),
        order in Just(EvidenceKind::ALL.to_vec()).prop_shuffle(),
        kinds in 1usize..5,
        ruling in prop_oneof![Just(None), Just(Some(Ruling::Release)), Just(Some(Ruling::Refuse))],
    ) {
        let program = Program { evidence_order: order[..kinds].to_vec(), ..Program::default() };
        let verdict = decide(&evidence, &program, ORDERED, ruling);
        prop_assert_eq!(verdict.creator.is_some(), verdict.state == CreditState::Credited);
        let decisive: Vec<&Finding> = verdict.findings.iter().filter(|finding| finding.why.is_decisive()).collect();
        prop_assert_eq!(decisive.len(), usize::from(verdict.by.is_some()));
        prop_assert_eq!(decisive.first().map(|finding| finding.kind), verdict.by);
        prop_assert_eq!(verdict.state == CreditState::Held, verdict.held_for.is_some());
        // The last touch gets what the verdict says.
        let touches = touches(&evidence, &program, ORDERED, &verdict);
        let last = weights(Model::Last, &touches);
        let receiver = touches.iter().zip(last).find(|(_, weight)| *weight > 0).map(|(touch, _)| touch.receiver());
        prop_assert_eq!(receiver.unwrap_or((None, None)), (verdict.creator, verdict.link));
    }
}
