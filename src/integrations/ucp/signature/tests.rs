//! Message signatures: the RFC's own request, a shop that signs with both kinds of keys, and all that must not pass.

use std::collections::HashMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp(1_795_165_272_000);
const BODY: &[u8] = br#"{"id": "order_1"}"#;
const COVERED: &str = r#""@method" "@authority" "@path" "content-digest" "content-type""#;

/// A delivery that can be changed after it was signed.
#[derive(Clone)]
struct Sent {
    method: &'static str,
    path: String,
    query: Option<String>,
    authority: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Sent {
    fn new() -> Self {
        let digest = STANDARD.encode(digest::digest(&digest::SHA256, BODY));
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("content-digest", format!("sha-256=:{digest}:")),
        ];
        Self {
            method: "POST",
            path: "/_/hooks/store_1".into(),
            query: None,
            authority: "go.brand.example".into(),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            body: BODY.to_vec(),
        }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    fn with<T>(&self, look: impl FnOnce(&Message<'_>) -> T) -> T {
        let header = |name: &str| self.headers.get(name).cloned();
        look(&Message {
            method: self.method,
            path: &self.path,
            query: self.query.as_deref(),
            authority: &self.authority,
            header: &header,
            body: &self.body,
        })
    }

    /// Signs what `covered` names, with these parameters, under the label `sig1`.
    fn signed(self, shop: &Shop, covered: &str, parameters: &str) -> Self {
        let params = format!("({covered}){parameters}");
        let names: Vec<&str> = covered.split_whitespace().map(|name| name.trim_matches('"')).collect();
        let base = self
            .with(|message| base(message, &names, &params))
            .expect("all components are there");
        let signature = STANDARD.encode(shop.sign(parameters, base.as_bytes()));
        self.header("signature-input", &format!("sig1={params}"))
            .header("signature", &format!("sig1=:{signature}:"))
    }

    fn holds(&self, shop: &Shop) -> bool {
        self.with(|message| verify(message, &shop.keys, NOW)).is_some()
    }
}

/// A shop with two keys: `ed` and `ec`.
struct Shop {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    keys: String,
}

impl Shop {
    fn new() -> Self {
        let random = SystemRandom::new();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        let ed = Ed25519KeyPair::from_pkcs8(ed.as_ref()).expect("a key");
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref()).expect("a key");
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = ec.public_key().as_ref();
        let keys = json!([
            { "kid": "ed", "kty": "OKP", "crv": "Ed25519", "x": text(ed.public_key().as_ref()) },
            { "kid": "ec", "kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]) },
        ]);
        Self {
            ed,
            ec,
            keys: keys.to_string(),
        }
    }

    fn sign(&self, parameters: &str, base: &[u8]) -> Vec<u8> {
        if parameters.contains(r#"keyid="ec""#) {
            let signature = self.ec.sign(&SystemRandom::new(), base);
            return signature.expect("a signature").as_ref().to_vec();
        }
        self.ed.sign(base).as_ref().to_vec()
    }
}

#[test]
fn ed25519_verifies_the_rfcs_request() {
    // RFC 9421 section B.2.6; it covers no digest, so the parts are held against it one by one.
    let keys = r#"[{"kid": "test-key-ed25519", "kty": "OKP", "crv": "Ed25519",
        "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}]"#;
    let sent = Sent {
        path: "/foo".into(),
        query: Some("param=Value&Pet=dog".into()),
        authority: "example.com".into(),
        ..Sent::new()
    };
    let sent = sent
        .header("date", "Tue, 20 Apr 2021 02:07:55 GMT")
        .header("content-length", "18");
    let input = r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#;
    let members = structured::dictionary(input).expect("a dictionary");
    let Member::List(components, parameters) = &members[0].1 else {
        panic!("{members:?}")
    };
    let written = structured::write_list(components, parameters);
    let names = names(components).expect("plain names");
    let base = sent
        .with(|message| base(message, &names, &written))
        .expect("all are there");
    let signature = STANDARD
        .decode("wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==")
        .expect("base64");
    assert!(is_signed(parameters, keys, &base, &signature), "{base}");
    assert!(!is_signed(parameters, keys, &base.replace("/foo", "/bar"), &signature));
}

#[test]
fn deliveries_hold_under_either_kind_of_key() {
    let shop = Shop::new();
    let full = format!(r#"{COVERED} "webhook-id" "webhook-timestamp" "ucp-agent""#);
    let named = Sent::new()
        .header("webhook-id", "evt_1")
        .header("webhook-timestamp", "1795165272")
        .header("ucp-agent", r#"profile="https://moss.example/.well-known/ucp""#);
    for sent in [
        Sent::new().signed(&shop, COVERED, r#";keyid="ed""#),
        Sent::new().signed(&shop, COVERED, r#";keyid="ec""#),
        Sent::new().signed(
            &shop,
            COVERED,
            r#";created=1795165272;keyid="ec";alg="ecdsa-p256-sha256";nonce="x""#,
        ),
        Sent::new().signed(&shop, COVERED, r#";expires=1795165272;keyid="ed""#),
        named.signed(&shop, &full, r#";keyid="ed""#),
    ] {
        assert!(sent.holds(&shop), "{:?}", sent.headers);
    }
    // The second of two, after one of a key that nobody knows.
    let mut two = Sent::new().signed(&shop, COVERED, r#";keyid="ed""#);
    for (name, first) in [
        ("signature-input", format!(r#"sig0=({COVERED});keyid="x""#)),
        ("signature", "sig0=:AAAA:".into()),
    ] {
        let known = two.headers[name].clone();
        two = two.header(name, &format!("{first}, {known}"));
    }
    assert!(two.holds(&shop));
    let created = Sent::new().signed(&shop, COVERED, r#";created=1795165000;keyid="ed""#);
    let signed = created
        .with(|message| verify(message, &shop.keys, NOW))
        .expect("it holds");
    assert_eq!(signed.created, Some(Timestamp::from_seconds(1_795_165_000)));
}

#[test]
fn what_was_changed_after_signing_does_not_pass() {
    let shop = Shop::new();
    let full = format!(r#"{COVERED} "webhook-id""#);
    let good = Sent::new()
        .header("webhook-id", "evt_1")
        .signed(&shop, &full, r#";keyid="ec""#);
    assert!(good.holds(&shop));
    type Change = fn(Sent) -> Sent;
    let table: [(&str, Change); 12] = [
        ("body", |sent| Sent {
            body: b"{}".to_vec(),
            ..sent
        }),
        ("body and digest", |sent| {
            let digest = STANDARD.encode(digest::digest(&digest::SHA256, b"{}"));
            Sent {
                body: b"{}".to_vec(),
                ..sent
            }
            .header("content-digest", &format!("sha-256=:{digest}:"))
        }),
        ("method", |sent| Sent { method: "PUT", ..sent }),
        ("host", |sent| Sent {
            authority: "other.example".into(),
            ..sent
        }),
        ("path", |sent| Sent {
            path: "/_/hooks/store_2".into(),
            ..sent
        }),
        ("query", |sent| Sent {
            query: Some("a=1".into()),
            ..sent
        }),
        ("type", |sent| sent.header("content-type", "text/plain")),
        ("delivery", |sent| sent.header("webhook-id", "evt_2")),
        ("a header that says when", |sent| {
            sent.header("webhook-timestamp", "1795165272")
        }),
        ("a header that says who", |sent| {
            sent.header("ucp-agent", "profile=\"https://x.example\"")
        }),
        ("key", |sent| {
            let input = sent.headers["signature-input"].replace("\"ec\"", "\"ed\"");
            sent.header("signature-input", &input)
        }),
        ("no digest", |mut sent| {
            sent.headers.remove("content-digest");
            sent
        }),
    ];
    for (what, change) in table {
        assert!(!change(good.clone()).holds(&shop), "{what}");
    }
    for missing in ["signature", "signature-input", "webhook-id"] {
        let mut sent = good.clone();
        sent.headers.remove(missing);
        assert!(!sent.holds(&shop), "{missing}");
    }
    assert!(!good.holds(&Shop::new()), "another shop's keys");
    let no_keys = good.with(|message| verify(message, "[]", NOW));
    assert_eq!(no_keys, None);
}

#[test]
fn signatures_that_cover_too_little_or_live_at_another_time_do_not_pass() {
    let shop = Shop::new();
    for left_out in REQUIRED {
        let covered = COVERED.replace(&format!("\"{left_out}\""), "");
        let covered = covered.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            !Sent::new().signed(&shop, &covered, r#";keyid="ed""#).holds(&shop),
            "{left_out}"
        );
    }
    let in_10_minutes = 1_795_165_272 + 600;
    for parameters in [
        format!(r#";created={in_10_minutes};keyid="ed""#),
        r#";created="now";keyid="ed""#.to_owned(),
        r#";expires=1795165271;keyid="ed""#.to_owned(),
        r#";keyid="ed";alg="hmac-sha256""#.to_owned(),
        r#";keyid="ed";alg="ecdsa-p256-sha256""#.to_owned(),
        r#";keyid=ed"#.to_owned(),
        String::new(),
    ] {
        assert!(
            !Sent::new().signed(&shop, COVERED, &parameters).holds(&shop),
            "{parameters}"
        );
    }
    let twice = format!(r#"{COVERED} "content-type""#);
    assert!(!Sent::new().signed(&shop, &twice, r#";keyid="ed""#).holds(&shop));
}

proptest! {
    #[test]
    fn any_headers_are_refused_without_a_panic(
        input in "[ -~]{0,80}", signature in "[ -~]{0,80}", digest in "[ -~]{0,60}",
    ) {
        let sent = Sent::new().header("signature-input", &input).header("signature", &signature);
        let keys = r#"[{"kid": "ed", "kty": "OKP", "crv": "Ed25519", "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}]"#;
        for sent in [sent.clone().header("content-digest", &digest), sent] {
            let verified = sent.with(|message| verify(message, keys, NOW));
            prop_assert_eq!(verified, None);
        }
    }
}
