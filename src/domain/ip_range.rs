//! Ranges of IP addresses as brands write them: one address, or a network in CIDR form (RFC 4632, RFC 4291 section 2.3).
//!
//! Compares bits; looks nothing up.

use std::net::IpAddr;

/// Addresses that share their first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    /// The first address; the bits after `length` are 0.
    first: IpAddr,
    /// Bits that count: at most 32 for IPv4, 128 for IPv6.
    length: u8,
}

impl IpRange {
    /// Reads `192.0.2.0/24`, `2001:db8::/32` or one address; bits after the prefix are dropped. `None` = neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().ok()?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
            None => most,
        };
        (length <= most).then(|| Self {
            first: masked(first, length),
            length,
        })
    }

    /// Whether `address` lies in the range; an IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.length) == self.first
    }
}

/// `address` with only its first `length` bits.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_hold_what_shares_their_bits() {
        for (range, address, expected) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.77/24", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::1", "2001:db8::1", true),
        ] {
            let range = IpRange::parse(range).expect(range);
            assert_eq!(
                range.contains(address.parse().expect(address)),
                expected,
                "{range:?} {address}"
            );
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "/",
            "192.0.2",
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2.0/+8",
            "2001:db8::/129",
            "x/8",
            "1.2.3.4/8/8",
        ] {
            assert_eq!(IpRange::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_range_holds_its_own_address(bits in any::<u128>(), length in 0u8..=128) {
            let address = IpAddr::V6(bits.into());
            prop_assume!(address.to_canonical().is_ipv6());
            let range = IpRange::parse(&format!("{address}/{length}")).expect("a range");
            prop_assert!(range.contains(address));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}|[0-9a-f:./]{0,60}") {
            let _ = IpRange::parse(&text);
        }
    }
}
