//! Who is credited with an order, by what evidence, and why.
//!
//! | file | what it tells |
//! |---|---|
//! | [`evidence`] | everything that was found about who brought an order, used or not |
//! | [`verdict`] | which of it decides, by the brand's precedence and windows, and why the rest does not |
//! | [`journey`] | the touches that led to the order, with what decided it as the last one |
//! | [`model`] | how a model shares an order out among its touches, to the last minor unit |
//! | [`credit`] | what the books keep of a verdict |
//! | [`sharing`] | when one click id was returned by too many |
//! | [`leak`] | what tells that a creator's code has got into strangers' hands |
//!
//! All of it is a function of what was found when the order was accepted and of the program in force then
//! ([`super::program`]); the model alone is chosen when somebody reads. Pure, and without floats.

pub mod credit;
pub mod evidence;
pub mod journey;
pub mod leak;
pub mod model;
pub mod sharing;
pub mod verdict;

pub use credit::{Credit, Share, credit, shares};
pub use evidence::{ClickEvidence, CodeEvidence, CodeKind, CustomerEvidence, Evidence, EvidenceKind, PastTouch};
pub use journey::{Touch, TouchKind, touches};
pub use leak::LeakSignal;
pub use model::{Model, share, weights};
pub use sharing::ClickUse;
pub use verdict::{CreditState, Finding, Ruling, Verdict, Why, decide};
