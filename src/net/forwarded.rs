//! Who is at the other end: the socket's address, or what proxies in trusted networks say about it.
//!
//! Never believes a header of anybody else. The hop that a header is believed from is the socket's peer, or, behind a
//! PROXY header, the address in it: a proxy of that kind passes its client's bytes on untouched.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::network::TrustedProxies;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The client of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The client's address, IPv4 never in its IPv6 mapping.
    pub address: IpAddr,
    /// Whether the client spoke TLS, to this server or to a trusted proxy.
    pub is_secure: bool,
}

/// The nearest party of a connection, known before its first request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hop {
    pub peer: Peer,
    /// Whether its headers about others are believed.
    pub is_trusted: bool,
}

impl Hop {
    /// The hop at `address`.
    pub fn new(address: IpAddr, is_secure: bool, trusted: &TrustedProxies) -> Self {
        let address = address.to_canonical();
        Self {
            peer: Peer { address, is_secure },
            is_trusted: trusted.contains(address),
        }
    }

    /// The client of a request with `headers` that came through this hop.
    pub fn client(&self, headers: &HeaderMap, trusted: &TrustedProxies) -> Peer {
        let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
        self.told(values(X_FORWARDED_FOR), values(X_FORWARDED_PROTO), trusted)
    }

    /// The client of a request with these header lines that came through this hop.
    pub fn client_of_lines<'h>(
        &self,
        lines: impl DoubleEndedIterator<Item = (&'h str, &'h [u8])> + Clone,
        trusted: &TrustedProxies,
    ) -> Peer {
        let values = |name: HeaderName| {
            let lines = lines.clone();
            lines.filter_map(move |(line, value)| line.eq_ignore_ascii_case(name.as_str()).then_some(value))
        };
        self.told(values(X_FORWARDED_FOR), values(X_FORWARDED_PROTO), trusted)
    }

    /// The client whom the values of the two headers name, if they are believed.
    fn told<'h>(
        &self,
        addresses: impl DoubleEndedIterator<Item = &'h [u8]>,
        mut schemes: impl DoubleEndedIterator<Item = &'h [u8]>,
        trusted: &TrustedProxies,
    ) -> Peer {
        if !self.is_trusted {
            return self.peer;
        }
        let is_secure = match schemes.next_back() {
            // The nearest proxy appended last.
            Some(value) => {
                let last = value.rsplit(|b| *b == b',').next().unwrap_or_default();
                last.trim_ascii().eq_ignore_ascii_case(b"https")
            }
            None => self.peer.is_secure,
        };
        Peer {
            address: walk(self.peer.address, addresses, trusted),
            is_secure,
        }
    }
}

/// Walks X-Forwarded-For from the right: past every trusted proxy, to the first address that is none. Garbage ends the
/// walk at the last address that was believed, since what stands left of it was written by nobody we know.
fn walk<'h>(nearest: IpAddr, values: impl DoubleEndedIterator<Item = &'h [u8]>, trusted: &TrustedProxies) -> IpAddr {
    let mut believed = nearest;
    for value in values.rev() {
        for entry in value.rsplit(|b| *b == b',') {
            let Some(address) = entry_address(entry) else {
                return believed;
            };
            believed = address;
            if !trusted.contains(address) {
                return believed;
            }
        }
    }
    believed
}

/// The address in one entry: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn entry_address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let address = if let Ok(address) = text.parse::<IpAddr>() {
        address
    } else if let Ok(address) = text.parse::<SocketAddr>() {
        address.ip()
    } else {
        text.strip_prefix('[')?
            .strip_suffix(']')?
            .parse()
            .map(IpAddr::V6)
            .ok()?
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trusted() -> TrustedProxies {
        vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()].into()
    }

    fn client(socket: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, line.parse().unwrap());
        }
        let hop = Hop::new(socket.parse().unwrap(), false, &trusted());
        let client = hop.client(&headers, &trusted());
        let lines = lines.iter().map(|line| ("X-Forwarded-For", line.as_bytes()));
        assert_eq!(hop.client_of_lines(lines, &trusted()), client, "both read alike");
        client.address.to_string()
    }

    #[test]
    fn address_table() {
        let table: [(&str, &[&str], &str); 15] = [
            ("192.0.2.9", &["198.51.100.1"], "192.0.2.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.1, 198.51.100.1, 10.2.3.4"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.1", "198.51.100.1", "10.2.3.4"], "198.51.100.1"),
            ("10.0.0.1", &["10.9.9.9"], "10.9.9.9"),
            ("10.0.0.1", &["203.0.113.1, unknown, 10.2.3.4"], "10.2.3.4"),
            ("10.0.0.1", &["203.0.113.1, "], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("fd00::1", &["198.51.100.1,fd00::2"], "198.51.100.1"),
        ];
        for (socket, lines, expected) in table {
            assert_eq!(client(socket, lines), expected, "{socket} {lines:?}");
        }
    }

    #[test]
    fn scheme_table() {
        let table = [
            ("10.0.0.1", Some("https"), true),
            ("10.0.0.1", Some("HTTPS"), true),
            ("10.0.0.1", Some("http"), false),
            ("10.0.0.1", Some("https, http"), false),
            ("10.0.0.1", None, false),
            ("192.0.2.9", Some("https"), false),
        ];
        for (socket, proto, expected) in table {
            let mut headers = HeaderMap::new();
            if let Some(proto) = proto {
                headers.append(X_FORWARDED_PROTO, proto.parse().unwrap());
            }
            let hop = Hop::new(socket.parse().unwrap(), false, &trusted());
            assert_eq!(
                hop.client(&headers, &trusted()).is_secure,
                expected,
                "{socket} {proto:?}"
            );
        }
        let headers = HeaderMap::new();
        assert!(
            Hop::new("192.0.2.9".parse().unwrap(), true, &trusted())
                .client(&headers, &trusted())
                .is_secure
        );
    }

    proptest! {
        #[test]
        fn forged_entries_to_the_left_change_nothing(forged in "[0-9a-f:., \\[\\]x]{0,60}") {
            let honest = client("10.0.0.1", &["198.51.100.1, 10.2.3.4"]);
            prop_assert_eq!(client("10.0.0.1", &[&format!("{forged}, 198.51.100.1, 10.2.3.4")]), honest);
        }

        #[test]
        fn every_address_is_read_back(bits: u128, port: u16) {
            let address = std::net::Ipv6Addr::from(bits);
            let expected = Some(IpAddr::V6(address).to_canonical());
            for text in [format!("{address}"), format!("[{address}]"), format!(" [{address}]:{port}\t")] {
                prop_assert_eq!(entry_address(text.as_bytes()), expected);
            }
        }

        #[test]
        fn any_bytes_are_an_address_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            if let Some(address) = entry_address(&bytes) {
                prop_assert_eq!(address, address.to_canonical());
            }
        }
    }
}
