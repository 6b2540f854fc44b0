//! Who visits a page, and what for: the words in which `visit.mjs` is told.

use std::collections::BTreeMap;

use serde::Serialize;

/// A cookie.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    pub name: String,
    pub value: String,
}

/// One visit of somebody who was never here before.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Visit {
    /// Of the screenshots too.
    pub name: String,
    pub url: String,
    /// CSS pixels.
    pub width: u32,
    pub height: u32,
    /// A phone, which taps, instead of a mouse, which clicks.
    pub touch: bool,
    /// `light` or `dark`.
    pub scheme: &'static str,
    /// An Accept-Language.
    pub language: &'static str,
    /// Whether the browser runs scripts.
    pub script: bool,
    /// What the browser calls itself, where it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<&'static str>,
    /// How many times slower the page's processor is.
    pub cpu_slowdown: Option<u32>,
    /// Whether axe-core looks at it.
    pub axe: bool,
    /// A cookie of somebody who is signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// Fields and the values that they are set to before the button is pressed; nothing is pressed without.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub choose: BTreeMap<&'static str, &'static str>,
}

impl Visit {
    /// A phone, in English, by day.
    pub fn phone(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            width: 390,
            height: 844,
            touch: true,
            scheme: "light",
            language: "en",
            script: true,
            agent: None,
            cpu_slowdown: None,
            axe: false,
            session: None,
            choose: BTreeMap::new(),
        }
    }

    /// A screen on a desk, in English, by day.
    pub fn desk(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            width: 1280,
            height: 800,
            touch: false,
            ..Self::phone(name, url)
        }
    }
}

/// Every screen, by day and by night, from left to right and from right to left.
pub fn everybody(name: &str, url: &str) -> Vec<Visit> {
    let mut visits = Vec::new();
    for language in ["en", "ar"] {
        for scheme in ["light", "dark"] {
            for screen in [Visit::phone("", url), Visit::desk("", url)] {
                visits.push(Visit {
                    name: format!("{name}-{}-{scheme}-{language}", screen.width),
                    scheme,
                    language,
                    axe: true,
                    ..screen
                });
            }
        }
    }
    visits
}

/// Half of [`everybody`], so that every screen, light and direction comes twice.
pub fn half_of_everybody(name: &str, url: &str) -> Vec<Visit> {
    let mut visits = everybody(name, url);
    visits.retain(|visit| visit.touch ^ (visit.scheme == "dark") ^ (visit.language == "ar"));
    visits
}
