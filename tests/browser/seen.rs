//! What a visitor saw, and what must hold of every page: it fits, it can be tapped, nothing is missing, nobody complains.

use std::fmt;

use serde::Deserialize;

use crate::visit::Visit;

/// Least height of what is tapped, in CSS pixels (Apple's guideline; WCAG 2.2's 2.5.5 asks for the same).
const TAP_LEAST: f64 = 44.0;
/// What rounding to device pixels may take away.
const ROUNDING: f64 = 0.05;

/// As `visit.mjs` tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seen {
    pub name: String,
    pub status: u16,
    /// Not told where scripts may not run.
    pub timing: Option<Timing>,
    pub measures: Measures,
    /// Until the page stood there, in the order in which they began.
    pub answers: Vec<Answer>,
    /// `None`: axe-core did not look.
    pub violations: Option<Vec<Violation>>,
    pub arrived: Option<Arrived>,
    /// Errors and warnings of the console, the policy's among them, exceptions, and requests that failed.
    pub problems: Vec<String>,
}

/// Milliseconds since the link was tapped.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timing {
    /// The connection stands.
    pub request_start: f64,
    pub response_start: f64,
    pub response_end: f64,
    pub first_contentful_paint: f64,
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            request_start,
            response_start,
            response_end,
            first_contentful_paint,
        } = self;
        write!(
            f,
            "connected {request_start:.0}, first byte {response_start:.0}, last byte {response_end:.0}, \
             first contentful paint {first_contentful_paint:.0}"
        )
    }
}

/// Layout, in CSS pixels.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measures {
    pub language: String,
    pub direction: String,
    /// The computed colour behind everything.
    pub ground: String,
    /// Of all that the page holds, in sight or not.
    pub width: u32,
    pub buttons: usize,
    /// The checkout button's edges on a page that was not scrolled.
    pub go: Option<Edges>,
    pub taps: Vec<Tap>,
    pub images: Vec<Image>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edges {
    pub top: f64,
    pub bottom: f64,
}

/// A link, a button or a field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tap {
    pub what: String,
    pub height: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    pub url: String,
    /// Of the file; 0 when there is none.
    pub width: u32,
}

/// One answer of the network.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// `Document`, `Image`, …
    #[serde(rename = "type")]
    pub kind: String,
    pub url: String,
    pub encoding: Option<String>,
    /// Head and body on the wire, without TLS's own; `None` when it did not end.
    pub bytes: Option<u64>,
}

/// What axe-core found.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    pub id: String,
    /// `minor`, `moderate`, `serious` or `critical`.
    pub impact: Option<String>,
    pub help: String,
    pub elements: Vec<String>,
}

/// Where the button led.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrived {
    pub url: String,
    pub status: u16,
    pub method: String,
}

impl Seen {
    /// The page itself.
    pub fn document(&self) -> &Answer {
        let found = self.answers.iter().find(|answer| answer.kind == "Document");
        found.unwrap_or_else(|| panic!("{}: no document among {:?}", self.name, self.answers))
    }

    /// What must hold of every page and every visitor.
    pub fn assert_sound(&self, visit: &Visit) {
        let (name, measures) = (&self.name, &self.measures);
        assert_eq!(name, &visit.name);
        assert_eq!(self.problems, [""; 0], "{name}: the browser complains");
        assert_eq!(measures.language, visit.language, "{name}: language");
        let direction = if visit.language == "ar" { "rtl" } else { "ltr" };
        assert_eq!(measures.direction, direction, "{name}: direction");
        assert!(
            measures.width <= visit.width,
            "{name}: {} px wide: it scrolls sideways",
            measures.width
        );
        for tap in &measures.taps {
            let Tap { what, height } = tap;
            assert!(*height >= TAP_LEAST - ROUNDING, "{name}: only {height} px high: {what}");
        }
        for image in &measures.images {
            // Without scripts nobody scrolls, and what is far below may not have loaded.
            assert!(image.width > 0 || !visit.script, "{name}: no picture at {}", image.url);
        }
        self.assert_accessible(visit);
    }

    /// Nothing that axe-core calls serious or critical.
    fn assert_accessible(&self, visit: &Visit) {
        assert_eq!(self.violations.is_some(), visit.axe, "{}: axe-core", self.name);
        let violations = self.violations.as_deref().unwrap_or_default();
        let grave: Vec<&Violation> = violations
            .iter()
            .filter(|found| matches!(found.impact.as_deref(), Some("serious" | "critical")))
            .collect();
        assert!(grave.is_empty(), "{}: axe-core finds {grave:#?}", self.name);
        for Violation {
            id,
            impact,
            help,
            elements,
        } in violations
        {
            println!("{}: {impact:?} {id}: {help} {elements:?}", self.name);
        }
    }

    /// What must hold of a page with a cart: one button, in sight within two screens.
    pub fn assert_cart(&self, visit: &Visit) {
        let (name, measures) = (&self.name, &self.measures);
        assert_eq!(self.status, 200, "{name}");
        assert_eq!(measures.buttons, 1, "{name}: buttons");
        let go = measures.go.as_ref().unwrap_or_else(|| panic!("{name}: no button.go"));
        assert!(
            go.top >= 0.0 && go.bottom <= f64::from(2 * visit.height),
            "{name}: the button is at {go:?}"
        );
    }
}
