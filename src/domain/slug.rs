//! Slugs: decoded once, normalised once, compared by one of two keys.
//!
//! A link is *exact* (its letter case counts) or *folded* (it matches in any letter case). Never touches a table.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::id::DomainNo;

/// Longest slug in characters, as in the dialect.
pub const SLUG_MAX: usize = 190;

/// Length of a generated slug when the brand names none: 62^7 is 3.5 trillion.
pub const GENERATED_LENGTH: usize = 7;

/// First path segments that the server keeps for itself.
const RESERVED: [&str; 5] = ["_", ".well-known", "robots.txt", "favicon.ico", "_root"];

/// Why a slug was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlugError {
    /// Nothing is left of it.
    Empty,
    /// More than [`SLUG_MAX`] characters.
    TooLong,
    /// A control character, a space at an end, or an empty, `.` or `..` segment.
    Malformed,
    /// Begins with a path that the server answers itself.
    Reserved,
}

/// Reads the slug of a request path (`/Summer%20Sale/` → `Summer Sale`); `None` when it can name no link.
pub fn of_path(path: &str) -> Option<Cow<'_, str>> {
    let raw = path.strip_prefix('/')?;
    let raw = raw.strip_suffix('/').unwrap_or(raw);
    if raw.is_empty() {
        return None;
    }
    if raw.len() <= SLUG_MAX && raw.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%') {
        return Some(Cow::Borrowed(raw));
    }
    let decoded = percent_decode_str(raw).decode_utf8().ok()?;
    normalise(&decoded).ok().map(|slug| Cow::Owned(slug.into_owned()))
}

/// Checks a slug that a brand chose and brings it into the stored form.
pub fn parse_custom(key: &str) -> Result<String, SlugError> {
    let trimmed = key.trim().trim_matches('/');
    let slug = normalise(trimmed)?;
    if slug
        .split('/')
        .any(|segment| segment.is_empty() || segment == "." || segment == "..")
    {
        return Err(SlugError::Malformed);
    }
    let first = slug.split('/').next().unwrap_or_default();
    if RESERVED.iter().any(|reserved| first.eq_ignore_ascii_case(reserved)) {
        return Err(SlugError::Reserved);
    }
    Ok(slug.into_owned())
}

/// Unicode form C (UAX #15), bounded, without control characters.
fn normalise(slug: &str) -> Result<Cow<'_, str>, SlugError> {
    if slug.is_empty() {
        return Err(SlugError::Empty);
    }
    // Composing at most divides the length by three; a longer input cannot become a slug.
    if slug.len() > SLUG_MAX * 12 {
        return Err(SlugError::TooLong);
    }
    let slug: Cow<'_, str> = match is_nfc_quick(slug.chars()) {
        IsNormalized::Yes => Cow::Borrowed(slug),
        _ => Cow::Owned(slug.nfc().collect()),
    };
    if slug.chars().count() > SLUG_MAX {
        return Err(SlugError::TooLong);
    }
    let shy = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if slug.chars().any(shy) || slug.starts_with(' ') || slug.ends_with(' ') {
        return Err(SlugError::Malformed);
    }
    Ok(slug)
}

/// Whether `slug` is certainly its own [`fold`]: ASCII without capitals.
pub fn is_own_fold(slug: &str) -> bool {
    slug.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

/// The form in which folded slugs are compared: case-folded and composed again.
pub fn fold(slug: &str) -> String {
    if slug.is_ascii() {
        return slug.to_ascii_lowercase();
    }
    caseless::default_case_fold_str(slug).nfc().collect()
}

/// Where a slug is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SlugKey<'a> {
    /// Up to 8 base62 characters on a domain with a 15-bit number: the whole key in 64 bits.
    Short(u64),
    /// Every other slug.
    Long(DomainNo, bool, Cow<'a, str>),
}

/// The bit of a [`SlugKey::Short`] that tells exact from folded.
pub const SHORT_EXACT: u64 = 1 << 48;

impl SlugKey<'_> {
    /// The key of `slug` on `domain`; for a folded key `slug` must already be [`fold`]ed.
    pub fn new(domain: DomainNo, exact: bool, slug: &str) -> SlugKey<'_> {
        match short_number(slug) {
            Some(number) if domain.0 < 1 << 15 => {
                let case = if exact { SHORT_EXACT } else { 0 };
                SlugKey::Short(u64::from(domain.0) << 49 | case | number)
            }
            _ => SlugKey::Long(domain, exact, Cow::Borrowed(slug)),
        }
    }
}

/// `slug` as a bijective base-62 number (so that `0a` and `a` differ), when it has 1 to 8 base62 characters;
/// always below 2^48, for (62^9 − 62) / 61 is.
fn short_number(slug: &str) -> Option<u64> {
    if slug.len() > 8 {
        return None;
    }
    slug.bytes().try_fold(0u64, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return None,
        };
        Some(number * 62 + u64::from(digit) + 1)
    })
}

/// A generated slug of `length` base62 characters drawn from `random` (one character a byte; a byte that would favour
/// some characters is skipped). `None` when `random` ran dry.
pub fn generate(length: usize, random: &[u8]) -> Option<String> {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let fair = random.iter().filter(|byte| **byte < 248);
    let slug: String = fair
        .take(length)
        .map(|byte| ALPHABET[usize::from(*byte % 62)] as char)
        .collect();
    (slug.len() == length).then_some(slug)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn paths_become_slugs() {
        for (path, slug) in [
            ("/abc", Some("abc")),
            ("/abc/", Some("abc")),
            ("/Summer%20Sale", Some("Summer Sale")),
            ("/caf%C3%A9", Some("café")),
            ("/cafe%CC%81", Some("café")),
            ("/a%2Fb", Some("a/b")),
            ("/a%252Fb", Some("a%2Fb")),
            ("/", None),
            ("", None),
            ("/%00", None),
            ("/%0d%0aSet-Cookie", None),
            ("/%ff", None),
            ("/%E2%80%AEabc", None),
        ] {
            assert_eq!(of_path(path).as_deref(), slug, "{path}");
        }
        assert_eq!(of_path(&format!("/{}", "x".repeat(191))), None);
    }

    #[test]
    fn custom_slugs_are_checked() {
        for (key, expected) in [
            ("mia-summer", Ok("mia-summer")),
            (" /mia/summer/ ", Ok("mia/summer")),
            ("Größe", Ok("Größe")),
            ("", Err(SlugError::Empty)),
            ("///", Err(SlugError::Empty)),
            ("a//b", Err(SlugError::Malformed)),
            ("a/../b", Err(SlugError::Malformed)),
            ("a\nb", Err(SlugError::Malformed)),
            ("_/hooks", Err(SlugError::Reserved)),
            ("Robots.TXT", Err(SlugError::Reserved)),
        ] {
            assert_eq!(parse_custom(key), expected.map(str::to_owned), "{key:?}");
        }
    }

    #[test]
    fn folding_joins_what_people_take_for_the_same() {
        assert_eq!(fold("MIA-Summer"), "mia-summer");
        assert_eq!(fold("GRÜN"), fold("grün"));
        assert_eq!(fold("Straße"), fold("STRASSE"));
    }

    proptest! {
        #[test]
        fn short_keys_never_collide(slugs in proptest::collection::hash_set("[0-9A-Za-z]{1,8}", 1..200), domain in 1u32..40) {
            let mut seen = HashMap::new();
            for slug in &slugs {
                for exact in [false, true] {
                    let key = SlugKey::new(DomainNo(domain), exact, slug);
                    prop_assert!(matches!(key, SlugKey::Short(_)));
                    prop_assert_eq!(seen.insert(key, (slug.clone(), exact)), None);
                }
            }
        }

        #[test]
        fn no_path_panics(path in ".{0,400}") {
            if let Some(slug) = of_path(&path) {
                prop_assert!(slug.chars().count() <= SLUG_MAX && !slug.is_empty());
            }
        }
    }

    #[test]
    fn generated_slugs_have_their_length() {
        let random: Vec<u8> = (0..=255).collect();
        assert_eq!(generate(7, &random).as_deref(), Some("0123456"));
        assert_eq!(generate(7, &[255; 30]), None);
    }
}
