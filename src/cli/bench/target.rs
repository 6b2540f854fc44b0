//! Who is asked: a name, an address, a host, a path.

use std::net::{SocketAddr, ToSocketAddrs};

use url::Url;

use crate::cli::failure::Failure;

/// Longest name: it stands in tables and in the plot.
const NAME_MAX: usize = 32;

/// A target as the command line names it: `NAME=URL` or the URL alone, which is its own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    pub url: Url,
}

/// A target that can be asked.
#[derive(Debug, Clone)]
pub struct Target {
    pub name: String,
    pub url: Url,
    pub address: SocketAddr,
    pub is_tls: bool,
    /// For the Host header: with the port where it is not the scheme's own.
    pub host: String,
}

/// Reads `NAME=URL` or `URL`.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<Named, String> {
    let (name, address) = match split_name(text) {
        Some((name, url)) => (Some(name), url),
        None => (None, text),
    };
    let url = Url::parse(address).map_err(|error| format!("{error}; a target is [NAME=]http://HOST[:PORT]/PATH"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("has a user, a password or a fragment, which are not sent: take it out".to_owned());
    }
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let name = name.map_or_else(|| format!("{host}{port}"), str::to_owned);
    Ok(Named {
        name: name.chars().take(NAME_MAX).collect(),
        url,
    })
}

/// Splits `NAME=VALUE` where NAME is letters, digits, `-`, `_`, `.`, so that no URL is split at its query.
pub fn split_name(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_good = (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(is_name);
    is_good.then_some((name, value))
}

impl Named {
    /// Looks the host's address up.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when it has none.
    pub fn resolve(&self) -> Result<Target, Failure> {
        let unknown = |why: &str| Failure::Unavailable(format!("{}: {why}", self.url));
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or(80);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let mut found = (bare, port)
            .to_socket_addrs()
            .map_err(|error| unknown(&error.to_string()))?;
        let address = found.next().ok_or_else(|| unknown("the host has no address"))?;
        Ok(Target {
            name: self.name.clone(),
            address,
            is_tls: self.url.scheme() == "https",
            host: self
                .url
                .port()
                .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            url: self.url.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_names() {
        for (text, name, url) in [
            (
                "http://127.0.0.1:8080/abc",
                "127.0.0.1:8080",
                "http://127.0.0.1:8080/abc",
            ),
            (
                "https://go.brand.example/a?b=c",
                "go.brand.example",
                "https://go.brand.example/a?b=c",
            ),
            ("nginx-map=http://[::1]:1/", "nginx-map", "http://[::1]:1/"),
        ] {
            let named = parse(text).expect(text);
            assert_eq!((named.name.as_str(), named.url.as_str()), (name, url));
        }
        for text in [
            "",
            "abc",
            "ftp://a/",
            "x=ftp://a/",
            "http://u:p@a/",
            "http://a/#x",
            "=http://a/",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_and_hosts_are_found() {
        let target = |text: &str| parse(text).expect(text).resolve();
        let own = target("http://[::1]:8080/x").expect("an address");
        assert_eq!(
            (own.address.to_string(), own.host, own.is_tls),
            ("[::1]:8080".to_owned(), "[::1]:8080".to_owned(), false)
        );
        let tls = target("https://127.0.0.1/").expect("an address");
        assert_eq!(
            (tls.address.port(), tls.host, tls.is_tls),
            (443, "127.0.0.1".to_owned(), true)
        );
        assert_eq!(
            target("http://no-such-host.invalid/")
                .map_err(|failure| failure.code())
                .err(),
            Some(69)
        );
    }
}
