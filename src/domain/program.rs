//! A brand's program: how it credits orders. One a workspace; each change makes a new version, and an order keeps the
//! version under which it was first accepted, so that a change is no second verdict on the past.

use super::attribution::{EvidenceKind, LeakSignal, Model};
use super::time::{DAY_MS, Timestamp};

/// Longest window, in days.
pub const WINDOW_DAYS_MAX: u32 = 365;

/// How orders are credited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Days before the order within which a follow of a link counts; 1 to [`WINDOW_DAYS_MAX`]. Codes have no window:
    /// they stand on the order itself.
    pub window_days: u32,
    /// Days before the order within which the customer's earlier order counts; 1 to [`WINDOW_DAYS_MAX`].
    pub customer_window_days: u32,
    /// The kinds of evidence that are used, what goes first first; each at most once, and at least one.
    pub evidence_order: Vec<EvidenceKind>,
    /// The leak signals that are heeded.
    pub leak_signals: Vec<LeakSignal>,
    /// The model of reports that name none.
    pub model: Model,
}

impl Default for Program {
    fn default() -> Self {
        Self {
            window_days: 30,
            customer_window_days: 30,
            evidence_order: EvidenceKind::ALL.to_vec(),
            leak_signals: LeakSignal::ALL.to_vec(),
            model: Model::Last,
        }
    }
}

impl Program {
    /// Whether a follow at `at` is within the window of an order placed at `ordered_at`. One that came after is.
    pub fn is_in_window(&self, at: Timestamp, ordered_at: Timestamp) -> bool {
        ordered_at.since(at) <= self.window_ms()
    }

    /// Whether an earlier order at `at` is within the window of one placed at `ordered_at`.
    pub fn is_in_customer_window(&self, at: Timestamp, ordered_at: Timestamp) -> bool {
        ordered_at.since(at) <= i64::from(self.customer_window_days) * DAY_MS
    }

    /// The window of follows in milliseconds.
    pub fn window_ms(&self) -> i64 {
        i64::from(self.window_days) * DAY_MS
    }

    /// Whether this kind of evidence is used at all.
    pub fn uses(&self, kind: EvidenceKind) -> bool {
        self.evidence_order.contains(&kind)
    }

    /// Whether this signal is heeded.
    pub fn heeds(&self, signal: LeakSignal) -> bool {
        self.leak_signals.contains(&signal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_with_its_last_day() {
        let program = Program {
            window_days: 2,
            customer_window_days: 1,
            ..Program::default()
        };
        let order = Timestamp(10 * DAY_MS);
        for (at, follow, earlier) in [
            (Timestamp(8 * DAY_MS - 1), false, false),
            (Timestamp(8 * DAY_MS), true, false),
            (Timestamp(9 * DAY_MS), true, true),
            (Timestamp(11 * DAY_MS), true, true),
        ] {
            assert_eq!(
                (
                    program.is_in_window(at, order),
                    program.is_in_customer_window(at, order)
                ),
                (follow, earlier),
                "{at:?}"
            );
        }
    }
}
