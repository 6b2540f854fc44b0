//! An experiment: several destinations of one link, each for a share of its visitors, and the rule that names a winner.
//!
//! Says who gets which variant ([`Split`]) and what the numbers must look like before one wins ([`judge`]). Counts
//! nothing itself and computes no probability: see [`super::stats`].

mod split;
mod verdict;

pub use split::Split;
pub use verdict::{Arm, ORDERS_MIN, RUN_MIN_MS, Standing, Winner, judge};

use serde::{Deserialize, Serialize};

use super::cart::Cart;
use super::time::Timestamp;

/// Fewest variants: with one there is nothing to compare.
pub const VARIANTS_MIN: usize = 2;
/// Most variants. 8: each needs a hundred orders before any of them can win.
pub const VARIANTS_MAX: usize = 8;
/// Longest name of a variant, in characters.
pub const NAME_MAX: usize = 100;
/// Bounds of a variant's percentage, as in the dialect: a variant without visitors could never win, one with all could
/// not lose.
pub const PERCENTAGES: std::ops::RangeInclusive<u8> = 1..=99;

/// Variants of a link, from 2 to 8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experiment {
    /// Number 1 is the first. Their percentages add up to 100.
    pub variants: Vec<Variant>,
    /// From when on followers are split up.
    pub started_at: Timestamp,
    /// From when on the link leads to its own destination again.
    pub completed_at: Option<Timestamp>,
    /// When the variants became what they are: who gets which hangs on it.
    pub changed_at: Timestamp,
}

/// One of the destinations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    pub name: Option<String>,
    /// See [`PERCENTAGES`].
    pub percentage: u8,
    /// Serialised URL; for a cart the cart's own URL without a click id.
    pub destination: String,
    pub cart: Option<Cart>,
    /// UTM parameters of the cart that stood in its URL; the link's own fill the gaps.
    #[serde(default)]
    pub utm: [Option<String>; 5],
    /// Whether it is the link's own cart with other codes, and follows that when it is changed.
    #[serde(default)]
    pub is_own_cart: bool,
}

/// Where an experiment stands in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has not begun.
    Scheduled,
    Running,
    Completed,
}

impl Phase {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Completed => "completed",
        }
    }

    /// Where `now` lies between a start and an end.
    pub fn of(started_at: Timestamp, completed_at: Option<Timestamp>, now: Timestamp) -> Self {
        if completed_at.is_some_and(|end| end <= now) {
            Self::Completed
        } else if now < started_at {
            Self::Scheduled
        } else {
            Self::Running
        }
    }
}

impl Experiment {
    /// Where it stands at `now`.
    pub fn phase(&self, now: Timestamp) -> Phase {
        Phase::of(self.started_at, self.completed_at, now)
    }

    /// From when on its clicks count: those from before the variants were changed are another experiment's.
    pub fn since(&self) -> Timestamp {
        self.started_at.max(self.changed_at)
    }

    /// For how long it has run at `now`, in milliseconds.
    pub fn run_ms(&self, now: Timestamp) -> i64 {
        let end = self.completed_at.map_or(now, |end| end.min(now));
        end.since(self.since()).max(0)
    }
}

/// Whether two lists of variants split followers up in the same way between the same things. Names may differ.
pub fn is_same_split(a: &[Variant], b: &[Variant]) -> bool {
    let is_same = |(a, b): (&Variant, &Variant)| {
        let leads_alike = match (&a.cart, &b.cart) {
            (Some(a), Some(b)) => a == b,
            (None, None) => a.destination == b.destination,
            _ => false,
        };
        a.percentage == b.percentage && leads_alike
    };
    a.len() == b.len() && a.iter().zip(b).all(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(percentage: u8, destination: &str) -> Variant {
        Variant {
            name: None,
            percentage,
            destination: destination.to_owned(),
            cart: None,
            utm: Default::default(),
            is_own_cart: false,
        }
    }

    #[test]
    fn names_alone_change_nothing() {
        let before = [variant(40, "https://a.test/"), variant(60, "https://b.test/")];
        let mut named = before.clone();
        named[0].name = Some("blue".to_owned());
        assert!(is_same_split(&before, &named));
        for after in [
            vec![variant(50, "https://a.test/"), variant(50, "https://b.test/")],
            vec![variant(40, "https://a.test/"), variant(60, "https://c.test/")],
            vec![variant(60, "https://b.test/"), variant(40, "https://a.test/")],
            vec![variant(40, "https://a.test/")],
        ] {
            assert!(!is_same_split(&before, &after), "{after:?}");
        }
    }

    #[test]
    fn an_experiment_runs_from_its_start_to_before_its_end() {
        let experiment = Experiment {
            variants: vec![],
            started_at: Timestamp(100),
            completed_at: Some(Timestamp(200)),
            changed_at: Timestamp(120),
        };
        for (now, phase, run_ms) in [
            (99, Phase::Scheduled, 0),
            (100, Phase::Running, 0),
            (199, Phase::Running, 79),
            (200, Phase::Completed, 80),
            (900, Phase::Completed, 80),
        ] {
            let now = Timestamp(now);
            assert_eq!(
                (experiment.phase(now), experiment.run_ms(now)),
                (phase, run_ms),
                "{now:?}"
            );
        }
    }
}
