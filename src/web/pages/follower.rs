//! The pages that a follower may see instead of a destination: constant, tiny, self-contained.
//!
//! They name no brand, creator or link, fetch nothing and carry no script. Their one style element is allowed by its
//! hash, so they are sent under a policy of their own.

/// Content-Security-Policy of these pages: nothing but the style whose hash it names.
pub const CSP: &str = "default-src 'none'; style-src 'sha256-ZQiwpW0GsQ8t8/0YKfyAEsl+JtNQn4u/lIDK4t9jpWE='; \
                       form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Why a follower gets no destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowerPage {
    /// No such link.
    NotFound,
    /// The link has expired, was disabled, or is used up.
    Gone,
    /// Too many addresses that lead nowhere were tried.
    TooMany,
    /// The link cannot be looked up at the moment.
    Unavailable,
}

/// The text between `<style>` and `</style>`; its hash stands in [`CSP`].
macro_rules! style {
    () => {
        "body{font:1.125rem/1.5 system-ui,sans-serif;max-width:22rem;margin:22vh auto 0;padding:0 1.5rem;\
         text-align:center}svg{width:4rem;stroke:currentColor;opacity:.55}h1{font-size:1.5rem;line-height:1.25;\
         margin:1rem 0 .5rem}p{margin:0;opacity:.8}"
    };
}

/// A page with title and advice.
macro_rules! page {
    ($title:literal, $advice:literal) => {
        concat!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">",
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
            "<meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" content=\"noindex\">",
            "<title>",
            $title,
            "</title><style>",
            style!(),
            "</style></head><body><main>",
            "<svg viewBox=\"0 0 32 22\" fill=\"none\" stroke-width=\"3\" stroke-linecap=\"round\" ",
            "aria-hidden=\"true\"><path d=\"M3 18q6-26 13 0q6-26 13 0\"/></svg>",
            "<h1>",
            $title,
            "</h1><p>",
            $advice,
            "</p></main></body></html>",
        )
    };
}

impl FollowerPage {
    pub const ALL: [Self; 4] = [Self::NotFound, Self::Gone, Self::TooMany, Self::Unavailable];

    /// HTTP status that the page is sent with.
    pub const fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::Gone => 410,
            Self::TooMany => 429,
            Self::Unavailable => 503,
        }
    }

    /// The whole page, to be sent as `text/html; charset=utf-8`.
    pub const fn html(self) -> &'static str {
        match self {
            Self::NotFound => page!(
                "This link leads nowhere",
                "Check the spelling, or ask whoever shared it for a new one."
            ),
            Self::Gone => page!("This link has ended", "What it led to is no longer on offer."),
            Self::TooMany => page!("Too many tries", "Please wait a minute, then tap the link again."),
            Self::Unavailable => page!(
                "One moment, please",
                "The link is fine, we are not. Try again in a few seconds."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    /// Largest page, in bytes: with its headers it fits two packets.
    const PAGE_MAX: usize = 1500;

    #[test]
    fn the_policy_allows_exactly_this_style() {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style!().as_bytes());
        let hash = format!("style-src 'sha256-{}';", STANDARD.encode(digest));
        assert!(CSP.contains(&hash), "{hash}");
        for page in FollowerPage::ALL {
            let styles: Vec<_> = page.html().split("<style>").skip(1).collect();
            assert_eq!(styles.len(), 1);
            assert!(styles[0].starts_with(concat!(style!(), "</style>")));
        }
    }

    #[test]
    fn pages_are_small_and_fetch_nothing() {
        for page in FollowerPage::ALL {
            let html = page.html();
            assert!(html.len() < PAGE_MAX, "{page:?} has {} bytes", html.len());
            for word in ["http", "src=", "href=", "<script", "style=", "<link"] {
                assert!(!html.contains(word), "{page:?} has {word}");
            }
            for part in [
                "<html lang=\"en\">",
                "name=\"viewport\"",
                "name=\"color-scheme\"",
                "<h1>",
            ] {
                assert!(html.contains(part), "{page:?} lacks {part}");
            }
        }
    }

    #[test]
    fn tags_balance() {
        for page in FollowerPage::ALL {
            for tag in ["html", "head", "title", "style", "body", "main", "svg", "h1", "p"] {
                let opened = [format!("<{tag}>"), format!("<{tag} ")];
                let opened: usize = opened.iter().map(|start| page.html().matches(start).count()).sum();
                let closed = page.html().matches(&format!("</{tag}>")).count();
                assert_eq!((opened, closed), (1, 1), "{tag} of {page:?}");
            }
        }
    }

    #[test]
    fn every_reason_has_its_status() {
        assert_eq!(FollowerPage::ALL.map(FollowerPage::status), [404, 410, 429, 503]);
    }
}
