//! Standard Webhooks (standardwebhooks.com, specification 1.0): `webhook-id`, `webhook-timestamp` and
//! `webhook-signature`, a list of `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`. Pure.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::domain::time::Timestamp;
use crate::integrations::payload;

/// How far a signature's time may be from ours, in seconds: what the specification's libraries take.
pub const TOLERANCE_S: i64 = 5 * 60;
/// Most signatures of one header that are tried: one a secret during a rotation.
const SIGNATURES_MAX: usize = 10;

/// What a delivery's three headers say.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    pub id: &'a str,
    pub timestamp: &'a str,
    pub signature: &'a str,
}

/// Whether one of `secrets` made one of the signatures, not more than [`TOLERANCE_S`] before or after `now`. Asymmetric
/// ones (`v1a`) are not looked at. Compares in constant time.
pub fn verify(secrets: &[String], body: &[u8], headers: Headers<'_>, now: Timestamp) -> bool {
    let Headers {
        id,
        timestamp,
        signature,
    } = headers;
    let seconds = timestamp.parse::<i64>();
    let is_fresh = seconds.is_ok_and(|seconds| now.seconds().saturating_sub(seconds).saturating_abs() <= TOLERANCE_S);
    if id.is_empty() || !is_fresh {
        return false;
    }
    let keys: Vec<Vec<u8>> = secrets.iter().map(|secret| key_of(secret)).collect();
    let tags = signature.split(' ').filter_map(|part| part.strip_prefix("v1,"));
    let tags = tags.take(SIGNATURES_MAX).filter_map(|text| STANDARD.decode(text).ok());
    let parts: [&[u8]; 5] = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let fits = |tag: &Vec<u8>| payload::is_signed(keys.iter().map(Vec::as_slice), &parts, tag);
    tags.filter(fits).count() > 0
}

/// The value of `webhook-signature` for `body`: one signature a secret, the first one first, as during a rotation.
pub fn sign<'s>(secrets: impl IntoIterator<Item = &'s str>, id: &str, timestamp: &str, body: &[u8]) -> String {
    let signatures = secrets.into_iter().map(|secret| {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key_of(secret)));
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            context.update(part);
        }
        format!("v1,{}", STANDARD.encode(context.sign()))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

/// The key that `secret` stands for: the bytes behind `whsec_`, or of the same base64 without it; a secret that is no
/// base64 is the key itself.
fn key_of(secret: &str) -> Vec<u8> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    STANDARD.decode(encoded).unwrap_or_else(|_| secret.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's own example: its secret, message and signature.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: &str = "1614265330";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn check<'a>(secrets: &[&str], body: &[u8], change: impl FnOnce(&mut Headers<'a>), seconds: i64) -> bool {
        let mut headers = Headers {
            id: ID,
            timestamp: TIMESTAMP,
            signature: SIGNATURE,
        };
        change(&mut headers);
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        verify(&secrets, body, headers, Timestamp::from_seconds(seconds))
    }

    #[test]
    fn the_specifications_example_is_good_for_five_minutes() {
        let at = 1_614_265_330;
        for (seconds, expected) in [
            (at, true),
            (at + 300, true),
            (at - 300, true),
            (at + 301, false),
            (at - 301, false),
        ] {
            assert_eq!(check(&[SECRET], BODY, |_| {}, seconds), expected, "{seconds}");
        }
        assert!(check(&["whsec_AAAA", SECRET], BODY, |_| {}, at), "rotation");
        assert!(check(&[SECRET.trim_start_matches("whsec_")], BODY, |_| {}, at));
        let many = format!("v1,AAAA v1a,x {SIGNATURE}");
        assert!(check(&[SECRET], BODY, |headers| headers.signature = &many, at));
    }

    #[test]
    fn what_is_signed_is_the_specifications_example_and_verifies() {
        assert_eq!(sign([SECRET], ID, TIMESTAMP, BODY), SIGNATURE);
        let both = sign(["whsec_AAAA", SECRET], ID, TIMESTAMP, BODY);
        assert!(both.ends_with(SIGNATURE) && both.split(' ').count() == 2, "{both}");
        for secret in ["whsec_AAAA", SECRET] {
            assert!(check(
                &[secret],
                BODY,
                |headers| headers.signature = &both,
                1_614_265_330
            ));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let at = 1_614_265_330;
        assert!(!check(&[], BODY, |_| {}, at));
        assert!(!check(&["", "whsec_", "whsec_AAAA"], BODY, |_| {}, at));
        assert!(!check(&[SECRET], b"{}", |_| {}, at));
        assert!(!check(&[SECRET], BODY, |headers| headers.id = "msg_other", at));
        assert!(!check(&[SECRET], BODY, |headers| headers.id = "", at));
        assert!(!check(&[SECRET], BODY, |headers| headers.timestamp = "1614265331", at));
        assert!(!check(&[SECRET], BODY, |headers| headers.timestamp = "now", at));
        let bare = SIGNATURE.trim_start_matches("v1,");
        for signature in ["", "v1,", "v1", "v2,g0hM", bare] {
            assert!(
                !check(&[SECRET], BODY, |headers| headers.signature = signature, at),
                "{signature}"
            );
        }
    }
}
