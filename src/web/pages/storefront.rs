//! The frame of the follower's landing pages: head, style, the store's logo, the way out; and their policy.
//!
//! A page is one answer: its style stands in it, allowed by its hash, and nothing but images is fetched. No script.

use std::fmt::Write;
use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::accent::Accent;
use super::language::Language;
use super::words::Around;

/// What all pages of one store and creator have in common.
#[derive(Debug, Clone, Copy)]
pub struct Storefront<'a> {
    pub language: Language,
    pub store_name: &'a str,
    /// Checked: on a host that the store lists.
    pub logo_url: Option<&'a str>,
    pub accent: Option<Accent>,
    pub creator_name: Option<&'a str>,
    /// Checked: on a host that the store lists.
    pub creator_image: Option<&'a str>,
}

/// The sheet as it is sent, and its place in the policy.
struct Sheet {
    text: String,
    source: String,
}

/// Indentation, line ends and comments are for us, not for a phone.
static SHEET: LazyLock<Sheet> = LazyLock::new(|| {
    let lines = include_str!("landing.css").lines().map(str::trim);
    let text: String = lines.filter(|line| !line.starts_with("/*")).collect();
    let text = [(" { ", "{"), (" {", "{"), (" }", "}"), (": ", ":"), ("; ", ";")]
        .iter()
        .fold(text, |text, (long, short)| text.replace(long, short));
    let source = style_source(&text);
    Sheet { text, source }
});

/// A `style-src` entry that allows exactly `text` (CSP Level 3, 2.3.1).
pub(super) fn style_source(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(hash))
}

/// The store's colour as a sheet of its own, so that the large one is the same for everybody.
fn accent_style(accent: Accent) -> String {
    format!(":root{{--accent:{accent};--on:{}}}", accent.text())
}

/// Content-Security-Policy of every landing page of a store with this colour; the same for all its pages, so it may be
/// kept with the store.
///
/// `image_hosts` are the hosts that the store lists (`cdn.shop.com`, or with a scheme); what is no host is left out.
/// `checkout_url` is an address of the shop, of which only the origin counts. Browsers built on Chromium hold
/// `form-action` against every redirect that follows a form, also against the shop's own ones to its checkout and wallet
/// hosts, which nobody can list: any `https:` host is allowed, and the shop's origin where it speaks plain HTTP.
pub fn landing_csp(accent: Option<Accent>, image_hosts: &[String], checkout_url: &str) -> String {
    let mut csp = format!("default-src 'none'; style-src {}", SHEET.source);
    if let Some(accent) = accent {
        csp.push(' ');
        csp.push_str(&style_source(&accent_style(accent)));
    }
    csp.push_str("; img-src 'self'");
    for host in image_hosts.iter().filter(|host| is_host_source(host)) {
        let scheme = if host.contains("://") { "" } else { "https://" };
        // Writing to a string cannot fail.
        let _ = write!(csp, " {scheme}{host}");
    }
    csp.push_str("; form-action 'self' https:");
    let plain = checkout_url.strip_prefix("http://");
    let plain = plain.and_then(|rest| rest.split(['/', '?', '#']).next());
    if let Some(host) = plain.filter(|host| is_host_source(host)) {
        let _ = write!(csp, " http://{host}");
    }
    csp.push_str("; base-uri 'none'; frame-ancestors 'none'");
    csp
}

/// Whether `text` is a host with or without port, after an optional `http://` or `https://`: then it can end neither
/// its directive nor its entry.
fn is_host_source(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    host.starts_with(|first: char| first.is_ascii_alphanumeric()) && host.bytes().all(plain)
}

/// How a page's `main` is laid out on a wide screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// One column, always.
    Narrow,
    /// Items and summary side by side.
    TwoColumns,
}

/// What every page in `language` begins with, up to the end of the style sheet: the same for all stores, so that it
/// need be packed once.
pub fn opening(language: Language) -> &'static str {
    static OPENINGS: LazyLock<Vec<(Language, String)>> = LazyLock::new(|| {
        let opening = |language: Language| {
            let tag = language.tag();
            let markup = html! {
                (DOCTYPE)
                (PreEscaped(format!("<html lang=\"{tag}\" dir=\"{}\"><head>", language.direction())))
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                meta name="format-detection" content="telephone=no";
                style { (PreEscaped(&SHEET.text)) }
            };
            (language, markup.into_string())
        };
        Language::ALL.map(opening).into()
    });
    let found = OPENINGS.iter().find(|(other, _)| *other == language);
    found.map_or("", |(_, opening)| opening)
}

/// A whole page around `content`.
pub(super) fn frame(shop: &Storefront<'_>, title: &str, layout: Layout, content: &Markup) -> String {
    let accent = shop.accent.map(accent_style);
    html! {
        (PreEscaped(opening(shop.language)))
        @if let Some(accent) = shop.accent { meta name="theme-color" content=(accent); }
        title { (title) " · " (shop.store_name) }
        @if let Some(accent) = &accent { style { (PreEscaped(accent)) } }
        (PreEscaped("</head>"))
        body {
            header.top { (logo(shop)) }
            main.two[layout == Layout::TwoColumns] { (content) }
        }
        (PreEscaped("</html>"))
    }
    .into_string()
}

/// The store's logo, or its name.
fn logo(shop: &Storefront<'_>) -> Markup {
    html! {
        @match shop.logo_url {
            Some(url) => img src=(url) alt=(shop.store_name) width="160" height="32";,
            None => bdi { (shop.store_name) },
        }
    }
}

/// Title and subtitle of a page, next to the creator's face where there is one.
pub(super) fn intro(shop: &Storefront<'_>, title: &str, subtitle: &Markup) -> Markup {
    html! {
        div.intro {
            // The name stands right beside it: a second telling would only cost listeners time.
            @if let Some(image) = shop.creator_image {
                img.face src=(image) alt="" width="52" height="52" decoding="async";
            }
            div {
                h1 { (title) }
                p.muted { (subtitle) }
            }
        }
    }
}

/// A sentence around somebody else's words, which may run in the other direction.
pub(super) fn around(sentence: Around, name: &str) -> Markup {
    html! { (sentence.0) bdi { (name) } (sentence.1) }
}

/// A last word: a sign, a title, a sentence, and the way to the store's front where it is an address of the web.
pub(super) fn farewell(shop: &Storefront<'_>, sign: &str, title: &str, advice: &Markup, front_url: &str) -> String {
    let content = html! {
        div.end {
            svg viewBox="0 0 24 24" aria-hidden="true" { path d=(sign) {} }
            h1 { (title) }
            p.muted { (advice) }
            @if let Some(front_url) = web_address(front_url) {
                a.go href=(front_url) rel="noopener" { span { (around(shop.language.words().visit, shop.store_name)) } }
            }
        }
    };
    frame(shop, title, Layout::Narrow, &content)
}

/// `url` if it leads to the web and not, say, into a script.
pub(super) fn web_address(url: &str) -> Option<&str> {
    (url.starts_with("https://") || url.starts_with("http://")).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::contrast;
    use proptest::prelude::*;

    #[test]
    fn the_policy_names_styles_and_hosts() {
        let hosts = ["cdn.glow.example".to_owned(), "http://127.0.0.1:9000".to_owned()];
        let csp = landing_csp(None, &hosts, "https://glow.example");
        let expected = format!(
            "default-src 'none'; style-src {}; img-src 'self' https://cdn.glow.example http://127.0.0.1:9000; \
             form-action 'self' https:; base-uri 'none'; frame-ancestors 'none'",
            SHEET.source
        );
        assert_eq!(csp, expected);
        for address in ["", "/", "/shop?x='self'", "?x", "#x"].map(|rest| format!("http://127.0.0.1:9000{rest}")) {
            let local = landing_csp(None, &[], &address);
            let expected = "form-action 'self' https: http://127.0.0.1:9000;";
            assert!(local.contains(expected), "{local}");
        }
        let local = landing_csp(Accent::parse("#ff0000"), &[], "");
        assert_eq!(local.matches("'sha256-").count(), 2);
    }

    #[test]
    fn what_is_no_host_cannot_widen_the_policy() {
        for host in [
            "*",
            "",
            "https://",
            "cdn.example; script-src *",
            "cdn.example 'unsafe-inline'",
            "'self'",
            "data:",
            "javascript://x",
            "cdn.example/path,x",
            "cdn.example\r\nx: y",
            "*.example",
        ] {
            let csp = landing_csp(None, &[host.to_owned()], host);
            // A lone scheme such as `data:` is read as a host with an empty port, which matches nothing.
            let plain = csp.replace(" https://data:", "");
            assert_eq!(plain, landing_csp(None, &[], ""), "{host}");
        }
    }

    proptest! {
        #[test]
        fn no_host_ends_its_directive(host in "\\PC{0,40}") {
            let csp = landing_csp(None, std::slice::from_ref(&host), &host);
            prop_assert_eq!(csp.matches(';').count(), 5);
            prop_assert!(!csp.contains("unsafe") || !host.is_ascii());
            prop_assert!(csp.is_ascii());
        }
    }

    #[test]
    fn both_themes_can_be_read() {
        let pairs = [
            ("ink", "ground", 7.0),
            ("ink", "surface", 7.0),
            ("ink", "soft", 7.0),
            ("muted", "ground", 4.5),
            ("muted", "surface", 4.5),
            ("bad", "surface", 4.5),
            ("note-ink", "note", 4.5),
            ("on", "accent", 4.5),
            ("edge", "surface", 3.0),
        ];
        contrast::assert_pairs(include_str!("landing.css"), &pairs);
    }

    #[test]
    fn the_sheet_fetches_nothing_and_stays_small() {
        // Squeezing must leave the blanks that arithmetic needs.
        assert!(SHEET.text.contains("calc(.75rem + env("));
        for word in ["url(", "@import", "@font-face", "http", "<", ":has", "/*"] {
            assert!(!SHEET.text.contains(word), "{word}");
        }
        assert!(SHEET.text.len() <= 7_000, "{} bytes", SHEET.text.len());
        let (opened, closed) = (SHEET.text.matches('{').count(), SHEET.text.matches('}').count());
        assert_eq!(opened, closed);
    }
}
