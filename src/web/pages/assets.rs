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

/// Where the style sheet is served: `/assets/style-<hash>.css`.
pub fn style_path() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| {
        let hash = blake3::hash(STYLE.as_bytes()).to_hex();
        format!("/assets/style-{}.css", &hash[..HASH_DIGITS])
    });
    &PATH
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The colours of one theme: `--name: #rrggbb;` lines of a block of the sheet.
    fn colours(block: &str) -> Vec<(&str, [u8; 3])> {
        let mut found = Vec::new();
        for line in block.lines() {
            let Some((name, value)) = line.trim().strip_prefix("--").and_then(|line| line.split_once(": #")) else {
                continue;
            };
            let value = u32::from_str_radix(value.trim_end_matches(';'), 16).expect("a six-digit colour");
            let [_, red, green, blue] = value.to_be_bytes();
            found.push((name, [red, green, blue]));
        }
        found
    }

    /// WCAG 2.2 relative luminance.
    fn luminance(colour: [u8; 3]) -> f64 {
        let linear = colour.map(|channel| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 {
                channel / 12.92
            } else {
                ((channel + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_and_graphics_stand_out_in_both_themes() {
        let (light, dark) = STYLE
            .split_once("@media (prefers-color-scheme: dark)")
            .expect("two themes");
        let light = light.split_once('}').expect("a block").0;
        let dark = dark.split_once('}').expect("a block").0;
        for (theme, block) in [("light", light), ("dark", dark)] {
            let colours = colours(block);
            let named = |wanted: &str| {
                let found = colours.iter().find(|(name, _)| *name == wanted);
                found.unwrap_or_else(|| panic!("{theme} has no {wanted}")).1
            };
            for (front, back, least) in [
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
            ] {
                let actual = contrast(named(front), named(back));
                assert!(
                    actual >= least,
                    "{theme}: {front} on {back} is {actual:.2}, wanted {least}"
                );
            }
        }
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
        for word in ["unsafe", "script-src", "*", "http"] {
            assert!(!CSP.contains(word), "{word}");
        }
        assert!(CSP.starts_with("default-src 'none';"));
    }
}
