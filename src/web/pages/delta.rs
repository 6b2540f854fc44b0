//! How a figure changed against the period before: an arrow, a sign and a number, so that colour is never the only word.

use std::cmp::Ordering;

use maud::{Markup, html};

use super::format;

/// What became of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    /// There was nothing before.
    New,
    Same,
    /// By this part of what was before.
    Up(f64),
    Down(f64),
}

impl Change {
    /// `None` where nothing can be compared: a figure is missing on either side.
    fn of(now: Option<f64>, before: Option<f64>) -> Option<Self> {
        let (now, before) = (
            now.filter(|now| now.is_finite())?,
            before.filter(|before| before.is_finite())?,
        );
        Some(match now.partial_cmp(&before)? {
            Ordering::Equal => Self::Same,
            Ordering::Greater if before == 0.0 => Self::New,
            // From nothing to a loss: there is no ratio.
            Ordering::Less if before == 0.0 => return None,
            Ordering::Greater => Self::Up((now - before) / before.abs()),
            Ordering::Less => Self::Down((before - now) / before.abs()),
        })
    }

    fn class(self) -> &'static str {
        match self {
            Self::Up(_) | Self::New => "delta up",
            Self::Down(_) => "delta down",
            Self::Same => "delta",
        }
    }

    fn words(self) -> String {
        match self {
            Self::New => "▲ new".to_owned(),
            Self::Same => "= 0.0%".to_owned(),
            Self::Up(part) => format!("▲ +{}", format::percent(Some(part))),
            Self::Down(part) => format!("▼ −{}", format::percent(Some(part))),
        }
    }
}

/// The change alone; nothing where nothing can be compared.
pub fn delta(now: Option<f64>, before: Option<f64>) -> Markup {
    html! {
        @if let Some(change) = Change::of(now, before) { small class=(change.class()) { (change.words()) } }
    }
}

/// The change and what it was before, as a line of its own; nothing where nothing can be compared.
pub fn delta_line(now: Option<f64>, before: Option<f64>, was: &str) -> Markup {
    html! {
        @if let Some(change) = Change::of(now, before) {
            dd.help { span class=(change.class()) { (change.words()) } ", was " (was) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_has_a_sign_and_a_word() {
        for (now, before, expected) in [
            (Some(112.3), Some(100.0), Some("▲ +12.3%")),
            (Some(90.0), Some(100.0), Some("▼ −10.0%")),
            (Some(0.0), Some(4.0), Some("▼ −100.0%")),
            (Some(5.0), Some(5.0), Some("= 0.0%")),
            (Some(0.0), Some(0.0), Some("= 0.0%")),
            (Some(5.0), Some(0.0), Some("▲ new")),
            (Some(-5.0), Some(0.0), None),
            (Some(-50.0), Some(-100.0), Some("▲ +50.0%")),
            (Some(50.0), Some(-100.0), Some("▲ +150.0%")),
            (None, Some(1.0), None),
            (Some(1.0), None, None),
            (Some(f64::NAN), Some(1.0), None),
        ] {
            let words = Change::of(now, before).map(Change::words);
            assert_eq!(words.as_deref(), expected, "{now:?} {before:?}");
        }
    }
}
