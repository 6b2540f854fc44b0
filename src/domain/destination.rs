//! The one policy for where a link may lead.
//!
//! Every entry (create, update, bulk, fallback, store front) passes [`Policy::check`]; the stored form is the WHATWG
//! serialisation, so that what was checked is what is sent. Syntactic only: no DNS.

use url::{Host, Url};

use super::host::is_inside_name;

/// Longest destination in characters, before and after serialising.
pub const DESTINATION_MAX: usize = 2048;

/// What the server's owner allows.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Addresses and names inside a network are allowed (demo and tests).
    pub private_allowed: bool,
    /// When not empty: only these hosts and what lies below them.
    pub allowed_hosts: Vec<String>,
}

/// Why a destination was refused. The text is what the brand reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationError {
    TooLong,
    ControlCharacter,
    Scheme,
    Malformed,
    Userinfo,
    PrivateHost,
    OwnHost,
    HostNotAllowed,
}

impl DestinationError {
    /// What is wrong and what to do, for the brand.
    pub fn message(self) -> &'static str {
        match self {
            Self::TooLong => "must have at most 2048 characters",
            Self::ControlCharacter => "must not contain control characters, spaces or backslashes: percent-encode them",
            Self::Scheme => "must start with http:// or https://",
            Self::Malformed => "is not a valid URL",
            Self::Userinfo => "must not contain a user name or password",
            Self::PrivateHost => "must not lead to a private or numeric host",
            Self::OwnHost => "must not lead back to a link domain of this server",
            Self::HostNotAllowed => "leads to a host that is not on this server's allow-list",
        }
    }
}

impl Policy {
    /// Checks `input` and returns the form to store. `is_own` says whether a host and port are this server's.
    ///
    /// # Errors
    /// The first rule that `input` breaks.
    pub fn check(&self, input: &str, is_own: impl Fn(&str, u16) -> bool) -> Result<Url, DestinationError> {
        if input.chars().count() > DESTINATION_MAX {
            return Err(DestinationError::TooLong);
        }
        // The URL standard drops or turns these silently; what the brand sees would not be what is sent.
        if input
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == '\\' || is_invisible(c))
        {
            return Err(DestinationError::ControlCharacter);
        }
        let after_scheme = ["http://", "https://"]
            .iter()
            .find_map(|scheme| {
                input
                    .get(..scheme.len())
                    .filter(|head| head.eq_ignore_ascii_case(scheme))
                    .map(|_| &input[scheme.len()..])
            })
            .ok_or(DestinationError::Scheme)?;
        if after_scheme.starts_with('/') {
            return Err(DestinationError::Malformed);
        }
        let url = Url::parse(input).map_err(|_| DestinationError::Malformed)?;
        let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
            return Err(DestinationError::Userinfo);
        }
        if url.as_str().len() > DESTINATION_MAX {
            return Err(DestinationError::TooLong);
        }
        self.check_host(&url)?;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        if is_own(host.trim_end_matches('.').trim_matches(['[', ']']), port) {
            return Err(DestinationError::OwnHost);
        }
        Ok(url)
    }

    fn check_host(&self, url: &Url) -> Result<(), DestinationError> {
        let name = match url.host().ok_or(DestinationError::Malformed)? {
            Host::Domain(name) => name.trim_end_matches('.'),
            Host::Ipv4(_) | Host::Ipv6(_) if self.private_allowed => return Ok(()),
            Host::Ipv4(_) | Host::Ipv6(_) => return Err(DestinationError::PrivateHost),
        };
        if name.is_empty() || name.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return Err(DestinationError::Malformed);
        }
        if !self.private_allowed && (!name.contains('.') || is_inside_name(name) || ends_in_number(name)) {
            return Err(DestinationError::PrivateHost);
        }
        let below = |allowed: &String| {
            name == allowed.as_str()
                || name
                    .strip_suffix(allowed.as_str())
                    .is_some_and(|head| head.ends_with('.'))
        };
        if !self.allowed_hosts.is_empty() && !self.allowed_hosts.iter().any(below) {
            return Err(DestinationError::HostNotAllowed);
        }
        Ok(())
    }
}

/// The host of a serialised URL, without its port; empty = none.
pub fn host_of(url: &str) -> &str {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Whether `text` is printable ASCII without blanks: what a header and an attribute can carry as it is.
pub fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Characters that change how a URL reads without being seen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Names such as `example.0x7f` that some resolver could take for a number.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str) -> Result<String, DestinationError> {
        Policy::default()
            .check(input, |host, _| host == "go.brand.example")
            .map(String::from)
    }

    #[test]
    fn good_destinations_are_stored_serialised() {
        for (input, stored) in [
            ("https://shop.example", "https://shop.example/"),
            ("HTTPS://Shop.Example/a?b=c#d", "https://shop.example/a?b=c#d"),
            ("http://shop.example:8080/x", "http://shop.example:8080/x"),
            ("https://grün.example/ü", "https://xn--grn-ioa.example/%C3%BC"),
            (
                "https://shop.example/cart/1:2?attributes[a]=b",
                "https://shop.example/cart/1:2?attributes[a]=b",
            ),
            ("https://shop.example/@creator", "https://shop.example/@creator"),
        ] {
            assert_eq!(check(input).as_deref(), Ok(stored));
        }
    }

    #[test]
    fn bad_destinations_say_why() {
        use DestinationError as E;
        for (input, error) in [
            ("shop.example", E::Scheme),
            ("//shop.example", E::Scheme),
            ("javascript:alert(1)", E::Scheme),
            ("data:text/html,x", E::Scheme),
            (" https://shop.example", E::ControlCharacter),
            ("https://shop.example/\r\nSet-Cookie:a=b", E::ControlCharacter),
            ("https:\\\\shop.example", E::ControlCharacter),
            ("java\nscript://x", E::ControlCharacter),
            ("https://shop\u{200b}.example", E::ControlCharacter),
            ("https:///shop.example", E::Malformed),
            ("https://", E::Malformed),
            ("https://user@shop.example", E::Userinfo),
            ("https://@shop.example", E::Userinfo),
            ("https://shop.example:pw@evil.example", E::Userinfo),
            ("https://127.0.0.1/", E::PrivateHost),
            ("https://2130706433/", E::PrivateHost),
            ("https://0x7f.1/", E::PrivateHost),
            ("https://0177.0.0.1/", E::PrivateHost),
            ("https://8.8.8.8/", E::PrivateHost),
            ("https://[::1]/", E::PrivateHost),
            ("https://[::ffff:127.0.0.1]/", E::PrivateHost),
            ("https://localhost/", E::PrivateHost),
            ("https://localhost./", E::PrivateHost),
            ("https://intranet/", E::PrivateHost),
            ("https://db.internal/", E::PrivateHost),
            ("https://1。1。1。1/", E::PrivateHost),
            ("https://go.brand.example/abc", E::OwnHost),
            ("https://GO.brand.example./abc", E::OwnHost),
        ] {
            assert_eq!(check(input), Err(error), "{input:?}");
        }
        assert_eq!(
            check(&format!("https://shop.example/{}", "a".repeat(2048))),
            Err(E::TooLong)
        );
    }

    #[test]
    fn an_allow_list_covers_what_lies_below() {
        let policy = Policy {
            allowed_hosts: vec!["shop.example".into()],
            ..Policy::default()
        };
        assert!(policy.check("https://eu.shop.example/", |_, _| false).is_ok());
        assert_eq!(
            policy.check("https://notshop.example/", |_, _| false),
            Err(DestinationError::HostNotAllowed)
        );
    }
}
