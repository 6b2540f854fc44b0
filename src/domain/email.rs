//! E-mail addresses: whether one is written so that a letter can be sent to it, and its one spelling.
//!
//! Knows no DNS and asks no server: whether somebody reads the letter, only a letter can tell.

use unicode_normalization::UnicodeNormalization;

use super::host;

/// Longest address, in bytes (RFC 5321 section 4.5.3.1.3: a path of 256 with its angle brackets).
pub const EMAIL_MAX: usize = 254;
/// Longest part before the `@`, in bytes (RFC 5321 section 4.5.3.1.1).
pub const LOCAL_MAX: usize = 64;

/// What a local part may only hold inside quotes (RFC 5322 section 3.2.3). Nobody's address is quoted; left out, they
/// also cannot make two addresses of one in a letter's head.
const NEEDS_QUOTES: &[char] = &['(', ')', '<', '>', '[', ']', ':', ';', '\\', ',', '"'];

/// The one spelling of the address in `text`: without spaces around it, composed (Unicode form C), the host in the
/// lower-case ASCII form that mail servers are found by (`Mia@Grün.Example` → `Mia@xn--grn-ioa.example`). The part
/// before the `@` keeps its letter case, which only its own server understands (RFC 5321 section 2.4).
///
/// `None` when it is no address: not exactly one `@`, a space or control character, longer than [`EMAIL_MAX`] or
/// [`LOCAL_MAX`], or a host without a dot or that only exists inside a network.
pub fn parse(text: &str) -> Option<String> {
    let text = text.trim();
    // Composing never makes a text longer than three times its length, and what follows need not read a novel.
    if text.len() > EMAIL_MAX * 3 {
        return None;
    }
    let text: String = text.nfc().collect();
    let (local, host) = text.split_once('@')?;
    if local.is_empty() || local.len() > LOCAL_MAX || !text.chars().all(is_visible) || local.contains(NEEDS_QUOTES) {
        return None;
    }
    // A final dot is how DNS spells the root, not how an address ends.
    if host.ends_with('.') {
        return None;
    }
    let address = format!("{local}@{}", host::parse_domain(host, false).ok()?);
    (address.len() <= EMAIL_MAX).then_some(address)
}

/// Whether `text` is an address as [`parse`] takes it, with nothing around it.
pub fn is_address(text: &str) -> bool {
    text.trim() == text && parse(text).is_some()
}

/// Whether a character can be seen: no space, no control, nothing that only steers how its neighbours are shown.
fn is_visible(c: char) -> bool {
    let steers = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    !steers && !c.is_whitespace() && !c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_have_one_spelling() {
        for (text, expected) in [
            ("mia@shop.example", Some("mia@shop.example")),
            ("  Mia.K@Shop.EXAMPLE\t\n", Some("Mia.K@shop.example")),
            ("mia+list=1@shop.example", Some("mia+list=1@shop.example")),
            (
                "o'neill!#$%&*/?^_`{|}~-@a.b.example",
                Some("o'neill!#$%&*/?^_`{|}~-@a.b.example"),
            ),
            ("мия@shop.example", Some("мия@shop.example")),
            ("mia@Grün.example", Some("mia@xn--grn-ioa.example")),
            ("cafe\u{301}@shop.example", Some("café@shop.example")),
            ("用户@例子.example", Some("用户@xn--fsqu00a.example")),
            ("", None),
            ("mia", None),
            ("@shop.example", None),
            ("mia@", None),
            ("mia@shop", None),
            ("mia@localhost", None),
            ("mia@printer.local", None),
            ("mia@192.0.2.1", None),
            ("mia@[192.0.2.1]", None),
            ("mia@shop.example.", None),
            ("mia@shop..example", None),
            ("mia@-shop.example", None),
            ("mia@shop_.example", None),
            ("mia@shop.example/x", None),
            ("mia@@shop.example", None),
            ("mia@home@shop.example", None),
            ("mia k@shop.example", None),
            ("mia@shop .example", None),
            ("mia\u{a0}k@shop.example", None),
            ("mia\r\nBcc:eve@shop.example", None),
            ("mia\0@shop.example", None),
            ("mia\u{200b}@shop.example", None),
            ("mia\u{202e}@shop.example", None),
            ("mia@sh\u{ad}op.example", None),
            ("mia,eve@shop.example", None),
            ("\"mia k\"@shop.example", None),
            ("Mia <mia@shop.example>", None),
        ] {
            assert_eq!(parse(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn lengths_are_those_of_smtp() {
        let host = |length: usize| {
            // Labels of at most 63 bytes, the last one 7.
            let mut host = String::new();
            while host.len() + 64 + 7 <= length {
                host += &format!("{}.", "h".repeat(63));
            }
            let left = length - host.len() - 8;
            format!("{host}{}.example", "h".repeat(left))
        };
        for (local, host_length, good) in [
            (64, 189, true),
            (65, 20, false),
            (64, 190, false),
            (1, 252, true),
            (1, 253, false),
        ] {
            let address = format!("{}@{}", "l".repeat(local), host(host_length));
            assert_eq!(address.len(), local + 1 + host_length);
            assert_eq!(parse(&address).is_some(), good, "{local} {host_length}");
        }
        assert_eq!(
            parse(&format!("{}@shop.example", "ü".repeat(33))),
            None,
            "bytes, not characters"
        );
    }

    proptest! {
        #[test]
        fn a_spelling_is_its_own(text in "[ -~é\u{301}ß用]{1,70}@[a-zA-Z0-9ßü用。.-]{1,40}\\.example") {
            if let Some(address) = parse(&text) {
                prop_assert_eq!(parse(&address), Some(address));
            }
        }

        #[test]
        fn no_text_panics_and_no_address_is_out_of_bounds(text in "\\PC{0,300}|.{0,40}@.{0,40}") {
            if let Some(address) = parse(&text) {
                let (local, host) = address.split_once('@').expect("an @");
                prop_assert!(address.len() <= EMAIL_MAX && (1..=LOCAL_MAX).contains(&local.len()));
                prop_assert!(host.contains('.') && host.is_ascii() && !host.contains('@'));
                prop_assert!(!address.chars().any(|c| c.is_whitespace() || c.is_control()));
            }
        }

        #[test]
        fn plain_addresses_are_taken(local in "[a-zA-Z0-9._+-]{1,64}", label in "[a-z][a-z0-9]{0,20}") {
            let host = format!("{label}.example");
            prop_assert_eq!(parse(&format!("{local}@{host}")), Some(format!("{local}@{host}")));
        }
    }
}
