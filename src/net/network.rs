//! Networks of addresses, as they are written in settings: `10.0.0.0/8`, `::1/128`, `127.0.0.1`.
//!
//! An IPv4 address that arrives mapped into IPv6 (`::ffff:10.0.0.1`) is treated as the IPv4 address that it is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// An address prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpNetwork {
    address: IpAddr,
    prefix_bits: u32,
}

/// The text is not `ADDRESS` or `ADDRESS/BITS`, or has more bits than the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkError(String);

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a network; write 10.0.0.0/8, ::1/128 or 127.0.0.1",
            self.0
        )
    }
}

impl std::error::Error for NetworkError {}

/// The bits of an address, left-aligned in 128, after unmapping.
fn left_aligned(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl IpNetwork {
    /// Whether `address` is in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if address.is_ipv4() != self.address.is_ipv4() {
            return false;
        }
        let differing = left_aligned(address) ^ left_aligned(self.address);
        differing.leading_zeros() >= self.prefix_bits
    }
}

impl FromStr for IpNetwork {
    type Err = NetworkError;

    /// Parses `ADDRESS[/BITS]`; host bits beyond the prefix are ignored.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let refuse = || NetworkError(text.chars().take(64).collect());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| refuse())?;
        let written_max = if written.is_ipv4() { 32 } else { 128 };
        let mut prefix_bits: u32 = written_max;
        if let Some(bits) = bits {
            if bits.is_empty() || bits.len() > 3 || !bits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(refuse());
            }
            prefix_bits = bits.parse().map_err(|_| refuse())?;
        }
        if prefix_bits > written_max {
            return Err(refuse());
        }
        let address = written.to_canonical();
        if address.is_ipv4() && written.is_ipv6() {
            // A prefix that ends inside the mapping's own 96 bits would cover more than IPv4.
            prefix_bits = prefix_bits.checked_sub(96).ok_or_else(refuse)?;
        }
        Ok(Self { address, prefix_bits })
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

/// The networks whose word about the client's address is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNetwork>);

impl TrustedProxies {
    /// Whether a proxy at `address` is believed.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl From<Vec<IpNetwork>> for TrustedProxies {
    fn from(networks: Vec<IpNetwork>) -> Self {
        Self(networks)
    }
}

/// IPv4 networks that the Internet does not route to a host (IANA's registry of special-purpose addresses, multicast
/// and the reserved class E), with their prefix lengths.
const SPECIAL_V4: [([u8; 4], u32); 14] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 3),
];

/// Whether `address` is one of a host on the Internet: not of this machine, its network, a tunnel, a group or a book.
/// An IPv4 address inside an IPv6 one (mapped, or NAT64's 64:ff9b::/96) is judged as itself.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4((u32::from(high) << 16 | u32::from(low)).into()),
            // IETF's protocols with Teredo, documentation, 6to4, documentation again.
            [0x2001, second, ..] => second > 0x1ff && second != 0xdb8,
            [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
            // All that is given out as global unicast (RFC 4291 section 2.4).
            [first, ..] => first >> 13 == 1,
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let number = u32::from(address);
    let is_in = |(network, bits): &([u8; 4], u32)| (number ^ u32::from_be_bytes(*network)) >> (32 - bits) == 0;
    !SPECIAL_V4.iter().any(is_in)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<IpNetwork>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn membership_table() {
        let table = [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("::1/128", "::1", true),
            ("::1", "::2", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "8.8.8.8", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("::ffff:10.0.0.0/104", "10.1.1.1", true),
        ];
        for (network, address, expected) in table {
            assert_eq!(contains(network, address), expected, "{network} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::1/129",
            "10.0.0/8",
            "10.0.0.0/+8",
            "a",
            "::ffff:10.0.0.0/8",
            " ::1",
        ] {
            assert!(text.parse::<IpNetwork>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_hosts_of_the_internet_are_public() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2001:4860:4860::8888",
            "2606:4700::1111",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.19.255.255",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }

    proptest! {
        #[test]
        fn membership_is_equality_of_prefixes(a: u32, b: u32, bits in 0u32..=32) {
            let network: IpNetwork = format!("{}/{bits}", Ipv4Addr::from(a)).parse().unwrap();
            let same = bits == 0 || a >> (32 - bits) == b >> (32 - bits);
            prop_assert_eq!(network.contains(IpAddr::V4(b.into())), same);
            prop_assert_eq!(network.contains(IpAddr::V6(Ipv4Addr::from(b).to_ipv6_mapped())), same);
        }

        #[test]
        fn what_is_shown_parses_to_the_same(a: u128, bits in 0u32..=128) {
            let text = format!("{}/{bits}", std::net::Ipv6Addr::from(a));
            if let Ok(network) = text.parse::<IpNetwork>() {
                prop_assert_eq!(network.to_string().parse::<IpNetwork>().unwrap(), network);
            }
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,40}") {
            let _ = text.parse::<IpNetwork>().map(|network| network.to_string());
        }
    }
}
