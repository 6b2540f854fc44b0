//! The verdict: which evidence decides, by the brand's precedence and windows, and why the rest does not.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::evidence::{CodeEvidence, Evidence, EvidenceKind};
use super::leak::LeakSignal;
use crate::domain::id::{CreatorNo, LinkNo};
use crate::domain::program::Program;
use crate::domain::time::Timestamp;

/// How the credit for an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditState {
    /// A creator has it.
    Credited,
    /// Nobody has it before the brand has decided: the only evidence is a code that may have leaked.
    Held,
    /// Nobody has it.
    #[default]
    None,
}

impl CreditState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Credited, Self::Held, Self::None];

    /// The word in the books and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credited => "credited",
            Self::Held => "held",
            Self::None => "none",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What the brand decided about a code that may have leaked, for one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The code counts all the same.
    Release,
    /// The code does not count on this order; other evidence still does.
    Refuse,
}

impl Ruling {
    /// The word in the books and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Refuse => "refuse",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Release, Self::Refuse]
            .into_iter()
            .find(|ruling| ruling.as_str() == word)
    }
}

/// Why a piece of evidence decided, or did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It decided.
    Used,
    /// It decided that the credit is held: the code may have leaked, and no click stands behind it.
    Held,
    /// It would have decided, but the buyer is the creator.
    SelfPurchase,
    /// It decided, but the link belongs to no creator.
    NobodysLink,
    /// Evidence that goes before it decided.
    ComesAfter,
    /// An earlier code of the order decided.
    SecondCode,
    /// Too long before the order.
    OutsideWindow,
    /// The code may have leaked, and a click id came back.
    YieldsToClick,
    /// The brand refused the code for this order.
    Refused,
    /// The program does not use this kind of evidence.
    NotInProgram,
}

impl Why {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Held => "held",
            Self::SelfPurchase => "self_purchase",
            Self::NobodysLink => "nobodys_link",
            Self::ComesAfter => "comes_after",
            Self::SecondCode => "second_code",
            Self::OutsideWindow => "outside_window",
            Self::YieldsToClick => "yields_to_click",
            Self::Refused => "refused",
            Self::NotInProgram => "not_in_program",
        }
    }

    /// Whether this evidence made the verdict.
    pub fn is_decisive(self) -> bool {
        matches!(self, Self::Used | Self::Held | Self::SelfPurchase | Self::NobodysLink)
    }
}

impl fmt::Display for Why {
    /// A sentence for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Used => "This decided who is credited.",
            Self::Held => "The code may have leaked and no click stands behind it: the credit waits for your decision.",
            Self::SelfPurchase => "The buyer is the creator: nobody is credited.",
            Self::NobodysLink => "The order came through a link that belongs to no creator: nobody is credited.",
            Self::ComesAfter => "Evidence that goes before it in your program decided.",
            Self::SecondCode => "Another code, earlier on the order, decided.",
            Self::OutsideWindow => "It is longer before the order than your program's window.",
            Self::YieldsToClick => "The code may have leaked, so that the click id goes before it.",
            Self::Refused => "You refused the code for this order.",
            Self::NotInProgram => "Your program does not use this kind of evidence.",
        })
    }
}

/// One piece of evidence and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    pub kind: EvidenceKind,
    /// For codes the place on the order among the codes of ours, from 0; else 0.
    pub place: usize,
    pub why: Why,
}

/// Who is credited.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    pub state: CreditState,
    /// What decided, also when that left nobody with the credit.
    pub by: Option<EvidenceKind>,
    /// Set if and only if `state` is [`CreditState::Credited`].
    pub creator: Option<CreatorNo>,
    pub link: Option<LinkNo>,
    /// Whom a held credit waits for.
    pub held_for: Option<CreatorNo>,
    /// Every piece of evidence, codes first.
    pub findings: Vec<Finding>,
}

/// Decides who is credited with an order placed at `ordered_at`.
///
/// The kinds of evidence are tried in the program's order, and the first that stands decides. A click stands when it is
/// within the window; one after the order is of that very moment, for shops date orders as they like. A code stands
/// unless it carries a leak signal that the program heeds; then it gives way to a click that stands and did not itself
/// come from a coupon site, and where there is none the credit is held. Where the click is of the creator whom something
/// else credits, its link is credited.
pub fn decide(found: &Evidence, program: &Program, ordered_at: Timestamp, ruling: Option<Ruling>) -> Verdict {
    let case = Case {
        found,
        program,
        ordered_at,
        ruling,
    };
    let mut verdict = Verdict::default();
    for (place, code) in found.codes.iter().enumerate() {
        verdict.findings.push(Finding {
            kind: code.evidence_kind(),
            place,
            why: Why::NotInProgram,
        });
    }
    let has = [
        (found.click.is_some(), EvidenceKind::Click),
        (found.customer.is_some(), EvidenceKind::Customer),
    ];
    for (_, kind) in has.into_iter().filter(|(has, _)| *has) {
        let (place, why) = (0, Why::NotInProgram);
        verdict.findings.push(Finding { kind, place, why });
    }
    for kind in &program.evidence_order {
        case.weigh(*kind, &mut verdict);
    }
    verdict
}

/// What a verdict is made of.
struct Case<'a> {
    found: &'a Evidence,
    program: &'a Program,
    ordered_at: Timestamp,
    ruling: Option<Ruling>,
}

impl Case<'_> {
    /// Gives every piece of `kind` its reason; the first that stands makes the verdict unless it is made.
    fn weigh(&self, kind: EvidenceKind, verdict: &mut Verdict) {
        let mut findings = std::mem::take(&mut verdict.findings);
        for finding in findings.iter_mut().filter(|finding| finding.kind == kind) {
            finding.why = match (self.objection(*finding), verdict.by) {
                (Some(Why::Held), None) => {
                    verdict.by = Some(kind);
                    verdict.state = CreditState::Held;
                    verdict.held_for = self.found.codes.get(finding.place).map(|code| code.creator);
                    Why::Held
                }
                (None, None) => self.credit(*finding, verdict),
                // What would be held is only that where it decides.
                (None | Some(Why::Held), Some(by)) if by == kind => Why::SecondCode,
                (None | Some(Why::Held), Some(_)) => Why::ComesAfter,
                (Some(why), _) => why,
            };
        }
        verdict.findings = findings;
    }

    /// Why a piece of evidence does not stand, if it does not.
    fn objection(&self, finding: Finding) -> Option<Why> {
        match finding.kind {
            EvidenceKind::SingleUseCode | EvidenceKind::CreatorCode => self.objection_to_code(finding.place),
            EvidenceKind::Click => (!self.has_click_in_window()).then_some(Why::OutsideWindow),
            EvidenceKind::Customer => {
                let customer = self.found.customer.as_ref();
                let is_in_window = customer.is_some_and(|customer| {
                    self.program
                        .is_in_customer_window(Timestamp(customer.ordered_at_ms), self.ordered_at)
                });
                (!is_in_window).then_some(Why::OutsideWindow)
            }
        }
    }

    fn objection_to_code(&self, place: usize) -> Option<Why> {
        if self.ruling == Some(Ruling::Refuse) && self.is_suspect(self.found.codes.get(place)?) {
            return Some(Why::Refused);
        }
        if self.ruling == Some(Ruling::Release) || !self.is_suspect(self.found.codes.get(place)?) {
            return None;
        }
        let click = self.found.click.as_ref();
        let is_backed = self.program.uses(EvidenceKind::Click)
            && self.has_click_in_window()
            && click.is_some_and(|click| !click.is_from_coupon_site);
        Some(if is_backed { Why::YieldsToClick } else { Why::Held })
    }

    fn has_click_in_window(&self) -> bool {
        let click = self.found.click.as_ref();
        click.is_some_and(|click| self.program.is_in_window(click.at(), self.ordered_at))
    }

    /// Whether a signal that the program heeds speaks against the code.
    fn is_suspect(&self, code: &CodeEvidence) -> bool {
        leaks(self.found, code).iter().any(|signal| self.program.heeds(*signal))
    }

    /// Makes the verdict of evidence that stands.
    fn credit(&self, finding: Finding, verdict: &mut Verdict) -> Why {
        let found = self.found;
        let click = found.click.as_ref().filter(|_| self.has_click_in_window());
        let clicked_of = |creator| {
            click
                .filter(|click| click.creator == Some(creator))
                .map(|click| click.link)
        };
        let (creator, link) = match finding.kind {
            EvidenceKind::SingleUseCode | EvidenceKind::CreatorCode => {
                let Some(code) = found.codes.get(finding.place) else {
                    return Why::NotInProgram;
                };
                (Some(code.creator), clicked_of(code.creator).or(code.link))
            }
            EvidenceKind::Click => (click.and_then(|click| click.creator), click.map(|click| click.link)),
            EvidenceKind::Customer => {
                let customer = found.customer.as_ref();
                let creator = customer.map(|customer| customer.creator);
                let of_lead = customer.and_then(|customer| customer.link);
                (creator, creator.and_then(clicked_of).or(of_lead))
            }
        };
        verdict.by = Some(finding.kind);
        if creator.is_some_and(|creator| found.buyers.contains(&creator)) {
            return Why::SelfPurchase;
        }
        verdict.creator = creator;
        verdict.link = link;
        if creator.is_none() {
            return Why::NobodysLink;
        }
        verdict.state = CreditState::Credited;
        Why::Used
    }
}

/// Every signal that speaks against `code` on this order.
pub fn leaks(found: &Evidence, code: &CodeEvidence) -> Vec<LeakSignal> {
    let mut leaks = code.leaks.clone();
    let clicks = found.click.iter().chain(code.given_on.as_deref());
    let is_from_coupon_site = clicks.into_iter().any(|click| click.is_from_coupon_site);
    if is_from_coupon_site && !leaks.contains(&LeakSignal::CouponSite) {
        leaks.push(LeakSignal::CouponSite);
    }
    leaks
}

#[cfg(test)]
mod tests;
