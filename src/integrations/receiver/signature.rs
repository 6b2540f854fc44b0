//! How a receiver knows that a delivery is ours: Standard Webhooks' signature and the dialect's. Pure.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::domain::webhook::SECRET_BYTES;
use crate::integrations::standard;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes that a brand's own secret may stand for, as Standard Webhooks has it.
const OWN_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secret of these random bytes.
pub fn secret_of(bytes: &[u8; SECRET_BYTES]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(bytes))
}

/// Whether `text` is a secret: `whsec_` and the base64 of 24 to 64 bytes.
pub fn is_secret(text: &str) -> bool {
    let bytes = text
        .strip_prefix(PREFIX)
        .and_then(|encoded| STANDARD.decode(encoded).ok());
    bytes.is_some_and(|bytes| OWN_BYTES.contains(&bytes.len()))
}

/// The values of the two headers.
pub(super) struct Signatures {
    /// `webhook-signature`.
    pub standard: String,
    /// `Dub-Signature`: HMAC-SHA256 in hex digits of the body alone, under the newest secret as it is written.
    pub dialect: String,
}

/// Signs `body` with `secrets`, the newest first.
pub(super) fn of(secrets: &[&str], id: &str, timestamp: &str, body: &[u8]) -> Signatures {
    let newest = secrets.first().copied().unwrap_or_default();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, newest.as_bytes()), body);
    Signatures {
        standard: standard::signature::sign(secrets.iter().copied(), id, timestamp, body),
        dialect: tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_base64_of_enough_bytes() {
        let secret = secret_of(&[7; SECRET_BYTES]);
        assert!(is_secret(&secret), "{secret}");
        for text in [
            "",
            "whsec_",
            "whsec_AAAA",
            "whsec_!",
            &secret[6..],
            &secret[..secret.len() - 1],
        ] {
            assert!(!is_secret(text), "{text}");
        }
        assert!(!is_secret(&format!("whsec_{}", STANDARD.encode([7; 65]))));
    }

    #[test]
    fn the_dialect_signs_the_body_under_the_secret_as_it_is_written() {
        // `printf '{"a":1}' | openssl dgst -sha256 -hmac whsec_AAAA`
        let expected = "ef82e76eb8c0d1829a4d6f057bfad4f928ceb78989ad2cb6f02928fbf37ef9f5";
        let signed = of(&["whsec_AAAA", "whsec_BBBB"], "evt_1", "1614265330", br#"{"a":1}"#);
        assert_eq!(signed.dialect, expected);
        assert_eq!(signed.standard.split(' ').count(), 2);
    }
}
