//! The web origins that a publishable key may be used from, as a brand writes them and as browsers tell them
//! (RFC 6454, section 6.2).
//!
//! An entry is an origin (`https://shop.example:8443`), which means exactly itself, or a host name alone
//! (`shop.example`), which means that host over HTTPS or HTTP and on any port. Never a pattern: who may tell of sales is
//! written out.

use url::{Host, Url};

/// Most origins of one key: a brand has a handful of shops, and each request is held against all of them.
pub const ORIGINS_MAX: usize = 20;
/// Longest entry, in bytes: the longest host name with scheme and port.
pub const ORIGIN_MAX: usize = 270;

/// `entry` as it is kept and compared.
///
/// # Errors
/// What it must look like.
pub fn parse(entry: &str) -> Result<String, &'static str> {
    const ADVICE: &str =
        "must be an origin such as https://shop.example, or a host name such as shop.example, without path or wildcard";
    let entry = entry.trim();
    if entry.is_empty() || entry.len() > ORIGIN_MAX {
        return Err(ADVICE);
    }
    let kept = if entry.contains("://") {
        origin_of(entry)
    } else {
        Host::parse(entry).ok().map(|host| host.to_string())
    };
    // Looked at as it is kept: other asterisks, such as the one of full width, become this one (UTS 46).
    kept.filter(|kept| !kept.contains('*')).ok_or(ADVICE)
}

/// The origin that `entry` is, written as browsers do.
fn origin_of(entry: &str) -> Option<String> {
    let url = Url::parse(entry).ok()?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !entry.ends_with('/');
    let has_person = !url.username().is_empty() || url.password().is_some();
    let is_web = matches!(url.scheme(), "https" | "http");
    (is_web && is_bare && !has_person).then(|| url.origin().ascii_serialization())
}

/// Whether `origin`, as the `Origin` header tells it, is one of `allowed`. `null`, which is what sandboxed pages and files
/// say, never is.
pub fn is_allowed(origin: &str, allowed: &[String]) -> bool {
    if origin.len() > ORIGIN_MAX {
        return false;
    }
    let Some(host) = host_of(origin) else { return false };
    allowed.iter().any(|entry| {
        if entry.contains("://") {
            entry.eq_ignore_ascii_case(origin)
        } else {
            *entry == host
        }
    })
}

/// The host of a serialised origin; `None` when it is none, such as one with a path.
fn host_of(origin: &str) -> Option<String> {
    let url = Url::parse(origin)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http"))?;
    let is_origin = url.origin().ascii_serialization().eq_ignore_ascii_case(origin);
    url.host_str().filter(|_| is_origin).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_are_origins_or_hosts() {
        for (entry, kept) in [
            ("https://Shop.Example", Some("https://shop.example")),
            ("https://shop.example:443", Some("https://shop.example")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            (" shop.example ", Some("shop.example")),
            ("münchen.example", Some("xn--mnchen-3ya.example")),
            ("https://shop.example/", None),
            ("https://shop.example/path", None),
            ("https://me@shop.example", None),
            ("ftp://shop.example", None),
            ("*.shop.example", None),
            ("\u{ff0a}.shop.example", None),
            ("https://\u{ff0a}", None),
            ("\u{ff0a}", None),
            ("shop.example/x", None),
            ("shop.example:8443", None),
            ("", None),
        ] {
            assert_eq!(parse(entry).ok().as_deref(), kept, "{entry}");
        }
    }

    #[test]
    fn only_what_is_written_out_is_allowed() {
        let allowed = ["https://shop.example".to_owned(), "other.example".to_owned()];
        for (origin, is_good) in [
            ("https://shop.example", true),
            ("HTTPS://shop.example", true),
            ("http://shop.example", false),
            ("https://shop.example:8443", false),
            ("https://other.example", true),
            ("http://other.example:81", true),
            ("https://www.other.example", false),
            ("https://other.example.evil.test", false),
            ("https://evilother.example", false),
            ("https://other.example/", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(origin, &allowed), is_good, "{origin}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_allows_itself_and_reads_as_itself(entry in "(https?://)?[a-z]{1,9}(\\.[a-z]{2,5}){0,2}(:[1-9][0-9]{0,3})?|\\PC{0,40}") {
            if let Ok(kept) = parse(&entry) {
                prop_assert_eq!(parse(&kept), Ok(kept.clone()));
                let told = if kept.contains("://") { kept.clone() } else { format!("https://{kept}") };
                prop_assert!(is_allowed(&told, &[kept]));
            }
        }
    }
}
