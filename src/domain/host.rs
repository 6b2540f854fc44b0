//! Host names of link domains: one spelling for each.
//!
//! Knows no DNS; says only whether a name is written properly and how it is compared.

/// Longest host name that DNS carries (RFC 1035 section 2.3.4).
pub const HOST_MAX: usize = 253;

/// Why a host name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostError {
    /// Empty, or not a host name at all.
    Malformed,
    /// An address, a single label or a name that only exists inside a network.
    NotPublic,
}

/// The host of a `Host` header or authority: lower case, without port, final dot or brackets.
/// Borrowed when it was already so.
pub fn of_authority(authority: &str) -> std::borrow::Cow<'_, str> {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        host.to_ascii_lowercase().into()
    } else {
        host.into()
    }
}

/// The registered spelling of a link domain (`Grün.Example` → `xn--grn-ioa.example`).
///
/// # Errors
/// When it is no host name, or cannot be reached from outside unless `private_allowed`.
pub fn parse_domain(slug: &str, private_allowed: bool) -> Result<String, HostError> {
    let bare = slug.trim().trim_end_matches('.');
    if bare.contains(['/', '@', ':', '?', '#', ' ', '\\', '%']) || !bare.contains(|c: char| c.is_alphanumeric()) {
        return Err(HostError::Malformed);
    }
    let url::Host::Domain(host) = url::Host::parse(bare).map_err(|_| HostError::Malformed)? else {
        return if private_allowed {
            Ok(bare.to_owned())
        } else {
            Err(HostError::NotPublic)
        };
    };
    let well_formed = host.len() <= HOST_MAX
        && host
            .split('.')
            .all(|label| !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-'))
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    if !well_formed {
        return Err(HostError::Malformed);
    }
    if !private_allowed && (!host.contains('.') || is_inside_name(&host)) {
        return Err(HostError::NotPublic);
    }
    Ok(host)
}

/// Whether `host` (lower case) is a name that never leaves a network: RFC 6761, RFC 6762, RFC 7686 and their kin.
pub fn is_inside_name(host: &str) -> bool {
    const INSIDE: [&str; 10] = [
        "localhost",
        "localdomain",
        "local",
        "internal",
        "intranet",
        "lan",
        "home",
        "corp",
        "onion",
        "home.arpa",
    ];
    let host = host.trim_end_matches('.');
    INSIDE
        .iter()
        .any(|suffix| host == *suffix || host.strip_suffix(suffix).is_some_and(|head| head.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_lose_port_case_and_dot() {
        for (authority, host) in [
            ("Go.Brand.Example:443", "go.brand.example"),
            ("go.brand.example.", "go.brand.example"),
            ("127.0.0.1:8080", "127.0.0.1"),
            ("[::1]:8080", "::1"),
            ("", ""),
        ] {
            assert_eq!(of_authority(authority), host);
        }
    }

    #[test]
    fn domains_are_stored_in_one_spelling() {
        for (slug, expected) in [
            ("Go.Brand.Example", Ok("go.brand.example")),
            ("grün.example", Ok("xn--grn-ioa.example")),
            ("brand.example.", Ok("brand.example")),
            ("https://brand.example", Err(HostError::Malformed)),
            ("brand.example/path", Err(HostError::Malformed)),
            ("brand example", Err(HostError::Malformed)),
            ("-brand.example", Err(HostError::Malformed)),
            ("", Err(HostError::Malformed)),
            ("...", Err(HostError::Malformed)),
            ("localhost", Err(HostError::NotPublic)),
            ("shop.local", Err(HostError::NotPublic)),
            ("127.0.0.1", Err(HostError::NotPublic)),
        ] {
            assert_eq!(parse_domain(slug, false), expected.map(str::to_owned), "{slug}");
        }
        assert_eq!(parse_domain("localhost", true), Ok("localhost".to_owned()));
    }
}
