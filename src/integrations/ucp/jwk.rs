//! Public keys as JSON Web Keys (RFC 7517): Ed25519 (RFC 8037) and ECDSA on P-256 (RFC 7518). Keys of other kinds are
//! left alone, as the protocol wants: they verify nothing here. Pure.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// A key that can verify.
pub enum Key {
    Ed25519([u8; 32]),
    /// The uncompressed point.
    P256([u8; 65]),
}

#[derive(Deserialize)]
struct Jwk {
    kid: Option<String>,
    kty: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
}

/// The key called `kid` among `keys` (a JSON array). `None` when there is none that can verify.
pub fn find(keys: &str, kid: &str) -> Option<Key> {
    let keys: Vec<serde_json::Value> = serde_json::from_str(keys).ok()?;
    let of = |key: serde_json::Value| serde_json::from_value::<Jwk>(key).ok();
    let mut named = keys
        .into_iter()
        .filter_map(of)
        .filter(|key| key.kid.as_deref() == Some(kid));
    named.find_map(|key| key.key())
}

impl Jwk {
    fn key(&self) -> Option<Key> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let is_for = |algorithms: &[&str]| self.alg.as_deref().is_none_or(|alg| algorithms.contains(&alg));
        let coordinate = |text: &Option<String>| -> Option<[u8; 32]> {
            URL_SAFE_NO_PAD.decode(text.as_deref()?).ok()?.try_into().ok()
        };
        match (self.kty.as_deref()?, self.crv.as_deref()?) {
            ("OKP", "Ed25519") if is_for(&["EdDSA", "Ed25519"]) => Some(Key::Ed25519(coordinate(&self.x)?)),
            ("EC", "P-256") if is_for(&["ES256"]) => {
                let mut point = [4; 65];
                point[1..33].copy_from_slice(&coordinate(&self.x)?);
                point[33..].copy_from_slice(&coordinate(&self.y)?);
                Some(Key::P256(point))
            }
            _ => None,
        }
    }
}

impl Key {
    /// The algorithm's name in a signature's `alg` (RFC 9421 section 6.2.2).
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519",
            Self::P256(_) => "ecdsa-p256-sha256",
        }
    }

    /// Whether `signature` is this key's over `message`. ECDSA's is `r` and `s` of 32 bytes each, not DER.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point)
                .verify(message, signature)
                .is_ok(),
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// `test-key-ecc-p256` and `test-key-ed25519` of RFC 9421 appendix B.1, after two keys that nobody can use.
    pub const KEYS: &str = r#"[
        {"kid": "test-key-ed25519", "kty": "OKP", "crv": "X25519", "x": "AAAA"}, {"kty": "RSA", "kid": "r"},
        {"kid": "test-key-ed25519", "kty": "OKP", "crv": "Ed25519", "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"},
        {"kid": "enc", "use": "enc", "kty": "OKP", "crv": "Ed25519", "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"},
        {"kid": "test-key-ecc-p256", "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
         "x": "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA", "y": "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"}]"#;

    #[test]
    fn p256_verifies_the_rfcs_response() {
        // RFC 9421 section B.2.4.
        let base = concat!(
            "\"@status\": 200\n\"content-type\": application/json\n",
            "\"content-digest\": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41Q",
            "JgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:\n\"content-length\": 23\n",
            "\"@signature-params\": (\"@status\" \"content-type\" \"content-digest\" \"content-length\")",
            ";created=1618884473;keyid=\"test-key-ecc-p256\"",
        );
        let signature = STANDARD
            .decode("wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==")
            .expect("base64");
        let key = find(KEYS, "test-key-ecc-p256").expect("a key");
        assert!(key.verifies(base.as_bytes(), &signature));
        assert!(!key.verifies(&base.as_bytes()[1..], &signature));
        assert!(!key.verifies(base.as_bytes(), &signature[..63]));
    }

    #[test]
    fn keys_of_other_kinds_verify_nothing() {
        assert_eq!(
            find(KEYS, "test-key-ed25519").map(|key| key.algorithm()),
            Some("ed25519")
        );
        for kid in ["r", "enc", "nobody", ""] {
            assert!(find(KEYS, kid).is_none(), "{kid}");
        }
        assert!(find("{}", "r").is_none() && find("[1, null]", "r").is_none());
    }
}
