//! The one style sheet, the path it is served under, and the header that the brand's pages are sent with.
//!
//! The path holds a hash of the content: browsers may keep it for ever, and a new binary is seen at once.

use std::sync::LazyLock;

/// Content-Security-Policy of every page in this room but the follower's: no script at all, no inline style.
pub const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
                       base-uri 'none'; frame-ancestors 'none'";

/// The style sheet's text, to be sent as `text/css; charset=utf-8`.
pub const STYLE: &str = include_str!("style.css");

/// Cache-Control of the style sheet: its path changes with its content.
pub const STYLE_CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// Hexadecimal digits of the content hash in the path: 64 bits tell every build's sheet from every other's.
const HASH_DIGITS: usize = 16;

/// Content-Security-Policy of pages on the public listener that use the style sheet: nothing is sent anywhere.
pub const PUBLIC_CSP: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'none'; \
                              base-uri 'none'; frame-ancestors 'none'";

/// Where the style sheet is served: `/assets/style-<hash>.css`.
pub fn style_path() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| format!("/assets/{}", style_name()));
    &PATH
}

/// Where the public listener serves it: `/_/style-<hash>.css`.
pub fn public_style_path() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| format!("/_/{}", style_name()));
    &PATH
}

fn style_name() -> String {
    let hash = blake3::hash(STYLE.as_bytes()).to_hex();
    format!("style-{}.css", &hash[..HASH_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::contrast;

    #[test]
    fn text_and_graphics_stand_out_in_both_themes() {
        let pairs = [
            ("ink", "ground", 7.0),
            ("ink", "surface", 7.0),
            ("muted", "ground", 4.5),
            ("muted", "surface", 4.5),
            ("accent", "ground", 4.5),
            ("accent", "surface", 4.5),
            ("accent-ink", "accent", 4.5),
            ("bad", "surface", 4.5),
            ("bad", "bad-ground", 4.5),
            ("note-ink", "note-ground", 4.5),
            ("bar", "surface", 3.0),
            ("peak", "surface", 3.0),
            ("edge", "surface", 3.0),
            ("accent", "hover", 4.5),
            ("good", "surface", 4.5),
            ("good", "ground", 4.5),
            ("bad", "ground", 4.5),
        ];
        contrast::assert_pairs(STYLE, &pairs);
    }

    #[test]
    fn the_path_follows_the_content() {
        let name = style_path()
            .strip_prefix("/assets/style-")
            .and_then(|rest| rest.strip_suffix(".css"));
        let hash = name.expect("a hash between prefix and suffix");
        assert_eq!(hash.len(), HASH_DIGITS);
        assert!(blake3::hash(STYLE.as_bytes()).to_hex().starts_with(hash));
    }

    #[test]
    fn the_sheet_fetches_nothing() {
        for word in ["url(", "@import", "@font-face", "http:", "https:"] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }

    #[test]
    fn the_policy_has_no_way_round() {
        for policy in [CSP, PUBLIC_CSP] {
            for word in ["unsafe", "script-src", "*", "http"] {
                assert!(!policy.contains(word), "{word}");
            }
            assert!(policy.starts_with("default-src 'none';"));
        }
    }
}
