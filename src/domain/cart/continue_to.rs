//! `continue_to`: the path in the shop that a follower goes to next, by the permalink's five steps (UCP permalink,
//! "Destination Preference"). Whatever passes stays on the origin that it is resolved against.

use percent_encoding::percent_decode_str;
use url::Url;

/// Stands for the shop while dots are resolved; only the path and the query are taken.
const ORIGIN: &str = "https://shop.invalid/";

/// The canonical path and query of a decoded value, re-encoded; `None` when it could lead elsewhere.
/// A fragment is left out.
pub fn canonical(decoded: &str) -> Option<String> {
    let has_traps = decoded
        .chars()
        .any(|c| c == '\\' || c.is_whitespace() || c.is_control());
    if !decoded.starts_with('/') || decoded.starts_with("//") || decoded.contains("://") || has_traps {
        return None;
    }
    let origin = Url::parse(ORIGIN).ok()?;
    let resolved = origin.join(decoded).ok()?;
    // `/..//evil.example` resolves to a path that a browser reads as another host.
    if resolved.origin() != origin.origin() || resolved.path().starts_with("//") {
        return None;
    }
    let mut path = resolved.path().to_owned();
    if let Some(query) = resolved.query() {
        path.push('?');
        path.push_str(query);
    }
    // Taking the dots out can put together what was refused above: `/.:/.//` is `/.://`.
    (!path.contains("://")).then_some(path)
}

/// [`canonical`] of a value as it stands in a query: decoded exactly once, `+` is a plus.
pub fn of_query_value(raw: &str) -> Option<String> {
    canonical(&percent_decode_str(raw).decode_utf8().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_paths_of_the_shop_pass() {
        for (raw, expected) in [
            ("/", Some("/")),
            ("/collections/spring", Some("/collections/spring")),
            ("%2Fcollections%2Fspring%3Fa%3D1", Some("/collections/spring?a=1")),
            ("/a/../b/./c", Some("/b/c")),
            ("/a+b", Some("/a+b")),
            ("/%C3%BC?q=%C3%BC#top", Some("/%C3%BC?q=%C3%BC")),
            ("/%252F%252Fevil.example", Some("/%2F%2Fevil.example")),
            ("", None),
            ("pages", None),
            ("//evil.example", None),
            ("/%2Fevil.example", None),
            ("%2F%2Fevil.example", None),
            ("/..//evil.example", None),
            ("/.//evil.example", None),
            ("/https:/.//evil.example", None),
            ("/%252e%252e//evil.example", None),
            ("/%5Cevil.example", None),
            ("/\\evil.example", None),
            ("https://evil.example/", None),
            ("/x?next=https://evil.example", None),
            ("/%09/evil.example", None),
            ("/a%20b", None),
            ("/a%0d%0aSet-Cookie:x", None),
            ("/%FF", None),
            ("javascript:alert(1)", None),
        ] {
            assert_eq!(of_query_value(raw).as_deref(), expected, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_canonical_and_stays(raw in "(/|%2[fF]|\\\\|\\.|%2e|[a-z:@?#%]|\\PC){0,20}") {
            if let Some(path) = of_query_value(&raw) {
                prop_assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{}", path);
                let shop = Url::parse("https://shop.example/buy").expect("a URL");
                prop_assert_eq!(shop.join(&path).expect("a URL").origin(), shop.origin());
                prop_assert_eq!(canonical(&path), Some(path));
            }
        }
    }
}
