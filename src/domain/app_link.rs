//! Addresses that open an app: `myshop://product/7`. Only under schemes that the brand has listed, and never under one
//! that a browser or a system acts on by itself.

use super::destination::{DESTINATION_MAX, is_printable};

/// Schemes that a brand may list. 20: a brand has one app, an agency some; each is compared on every write.
pub const SCHEMES_MAX: usize = 20;
/// Longest scheme, in characters.
pub const SCHEME_MAX: usize = 40;

/// Schemes that no brand may list: the web's own, those that run or read something where the link is opened, and those
/// that only wrap another address, which no policy would have seen.
const NEVER: [&str; 49] = [
    "about",
    "acrobat",
    "androidamap",
    "blob",
    "callto",
    "chrome",
    "chrome-extension",
    "content",
    "data",
    "dict",
    "edge",
    "facetime",
    "feed",
    "file",
    "filesystem",
    "firefox",
    "ftp",
    "ftps",
    "gopher",
    "help",
    "hcp",
    "http",
    "https",
    "intent",
    "jar",
    "javascript",
    "ldap",
    "ldaps",
    "livescript",
    "mailto",
    "mhtml",
    "mk",
    "mocha",
    "moz-extension",
    "news",
    "nntp",
    "opera",
    "res",
    "resource",
    "search-ms",
    "shell",
    "sms",
    "smsto",
    "ssh",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// The form in which a scheme is kept (RFC 3986 section 3.1, lower case); `None` when no brand may list it.
pub fn parse_scheme(text: &str) -> Option<String> {
    let scheme = text.trim_end_matches("://").trim_end_matches(':').to_ascii_lowercase();
    let is_scheme = (2..=SCHEME_MAX).contains(&scheme.len())
        && scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.'));
    // Systems keep whole families of schemes that begin so for themselves.
    let is_systems = [
        "ms-",
        "x-apple",
        "prefs",
        "app-prefs",
        "x-safari",
        "googlechrome",
        "view-",
        "android-",
    ]
    .iter()
    .any(|family| scheme.starts_with(family));
    (is_scheme && !is_systems && !NEVER.contains(&scheme.as_str())).then_some(scheme)
}

/// Why an app's address was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppLinkError {
    TooLong,
    /// A character that is neither a printable ASCII one nor percent-encoded.
    Character,
    /// A scheme that is not on the brand's list.
    Scheme,
}

impl AppLinkError {
    /// What is wrong and what to do, for the brand.
    pub fn message(self) -> &'static str {
        match self {
            Self::TooLong => "must have at most 2048 characters",
            Self::Character => {
                "must not contain spaces, quotes, backslashes, control or non-ASCII characters: \
                                percent-encode them"
            }
            Self::Scheme => "must start with http:// or https://, or with a scheme of appSchemes in /settings",
        }
    }
}

/// Checks the address of an app against the brand's `schemes`.
///
/// # Errors
/// The first rule that `input` breaks.
pub fn check(input: &str, schemes: &[String]) -> Result<String, AppLinkError> {
    if input.len() > DESTINATION_MAX {
        return Err(AppLinkError::TooLong);
    }
    if !is_printable(input) || input.contains(['"', '\'', '<', '>', '`', '\\', '{', '}', '|', '^']) {
        return Err(AppLinkError::Character);
    }
    let (scheme, rest) = input.split_once("://").ok_or(AppLinkError::Scheme)?;
    let scheme = parse_scheme(scheme).ok_or(AppLinkError::Scheme)?;
    if rest.is_empty() || !schemes.contains(&scheme) {
        return Err(AppLinkError::Scheme);
    }
    Ok(format!("{scheme}://{rest}"))
}

/// Whether a stored destination opens an app and not a page of the web.
pub fn is_app_link(destination: &str) -> bool {
    !destination.starts_with("https://") && !destination.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brands_list_their_own_schemes_and_no_others() {
        for (text, kept) in [
            ("MyShop", Some("myshop")),
            ("myshop://", Some("myshop")),
            ("com.brand.app", Some("com.brand.app")),
            ("fb123", Some("fb123")),
        ] {
            assert_eq!(parse_scheme(text).as_deref(), kept, "{text}");
        }
        for text in NEVER {
            assert_eq!(parse_scheme(&text.to_uppercase()), None, "{text}");
        }
        for text in [
            "",
            "a",
            "1shop",
            "my shop",
            "my_shop",
            "shöp",
            "ms-settings",
            "x-apple-shortcuts",
            "java\nscript",
        ] {
            assert_eq!(parse_scheme(text), None, "{text}");
        }
    }

    #[test]
    fn an_app_is_opened_only_under_a_listed_scheme() {
        use AppLinkError as E;
        let listed = ["myshop".to_owned()];
        assert_eq!(
            check("MyShop://p/7?a=%20", &listed).as_deref(),
            Ok("myshop://p/7?a=%20")
        );
        for (input, error) in [
            ("javascript://%0aalert(1)", E::Scheme),
            ("myshop:p", E::Scheme),
            ("myshop://", E::Scheme),
            ("other://p", E::Scheme),
            ("//p", E::Scheme),
            ("myshop://\"onclick", E::Character),
            ("myshop://a b", E::Character),
            ("my\nshop://a", E::Character),
            ("myshop://ü", E::Character),
        ] {
            assert_eq!(check(input, &listed), Err(error), "{input}");
        }
        let javascript = ["javascript".to_owned()];
        assert_eq!(
            check("javascript://x", &javascript),
            Err(E::Scheme),
            "even if it were listed"
        );
    }
}
