//! A shop's UCP profile, the JSON at `/.well-known/ucp` (Universal Commerce Protocol, "Discovery" of the permalink
//! capability): where its permalinks start, and the keys that it signs with. Pure; asks nobody.
//!
//! Liberal in where things stand, for the document's shape has changed between versions; strict in what they are.

use std::fmt;

use serde_json::Value;
use url::Url;

use crate::domain::cart::is_loopback;
use crate::domain::outside::Fetched;
use crate::domain::ucp_profile::{Look, fresh_ms};

/// Largest profile, in bytes: real ones have a few thousand. How deep it may nest is serde_json's own bound (128).
pub const BODY_MAX: usize = 256 * 1024;
/// Longest endpoint, in bytes: carts are checked against the budget of a URL when they are written, and an endpoint may
/// be learnt later.
pub const ENDPOINT_MAX: usize = 200;
/// Most signing keys: the present one, the next, and what is being phased out, for a few algorithms.
const KEYS_MAX: usize = 20;
/// Largest signing keys, in bytes of JSON: 20 RSA keys of 4,096 bits fit.
const KEYS_BYTES_MAX: usize = 32 * 1024;

const PERMALINK: &str = "dev.ucp.shopping.permalink";

/// Why a profile cannot be used. The text is what the brand reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileError {
    Redirect(u16),
    Status(u16),
    ContentType,
    TooLarge,
    Json,
    NoObject,
    EndpointForm,
    EndpointScheme,
    EndpointTail,
    EndpointLength,
    SigningKeys,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redirect(status) => {
                return write!(
                    f,
                    "the shop answered {status} at /.well-known/ucp: redirects are not followed, use the host that has \
                     the profile as baseUrl"
                );
            }
            Self::Status(status) => return write!(f, "the shop answered {status} at /.well-known/ucp"),
            Self::ContentType => "the profile is not application/json",
            Self::TooLarge => "the profile has more than 256 KiB",
            Self::Json => "the profile is not valid JSON, or nests too deep",
            Self::NoObject => "the profile is not a JSON object",
            Self::EndpointForm => "the permalink endpoint is not an absolute URL in clean form",
            Self::EndpointScheme => "the permalink endpoint must start with https://",
            Self::EndpointTail => "the permalink endpoint must have no user name, query, fragment or final slash",
            Self::EndpointLength => "the permalink endpoint must have at most 200 characters",
            Self::SigningKeys => "signing_keys must be at most 20 JWKs of together 32 KiB",
        })
    }
}

impl std::error::Error for ProfileError {}

/// Where the profile of the shop at `base_url` is: at the root of its host. `None` for a URL that is neither https nor
/// on this machine: whoever sits on the way could name an endpoint of their own.
pub fn address(base_url: &str) -> Option<String> {
    let url = Url::parse(base_url).ok()?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    is_safe.then(|| format!("{}/.well-known/ucp", url.origin().ascii_serialization()))
}

/// Reads the answer to a GET of a profile. Whether followers may be sent to the endpoint is the destination policy's to
/// say afterwards.
///
/// # Errors
/// The first rule that it breaks.
pub fn read(answer: &Fetched) -> Result<Look, ProfileError> {
    match answer.status {
        200 => {}
        status @ 300..=399 => return Err(ProfileError::Redirect(status)),
        status => return Err(ProfileError::Status(status)),
    }
    if !is_json(answer.content_type.as_deref().unwrap_or_default()) {
        return Err(ProfileError::ContentType);
    }
    let (endpoint, signing_keys) = parse(&answer.body)?;
    Ok(Look {
        endpoint,
        signing_keys,
        fresh_ms: fresh_ms(answer.cache_control.as_deref()),
    })
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Endpoint and signing keys of a profile.
///
/// # Errors
/// The first rule that it breaks.
pub fn parse(body: &[u8]) -> Result<(Option<String>, Option<String>), ProfileError> {
    if body.len() > BODY_MAX {
        return Err(ProfileError::TooLarge);
    }
    let document: Value = serde_json::from_slice(body).map_err(|_| ProfileError::Json)?;
    if !document.is_object() {
        return Err(ProfileError::NoObject);
    }
    let endpoint = match endpoint_of(&document) {
        None => None,
        Some(Value::String(endpoint)) => Some(check_endpoint(endpoint)?),
        Some(_) => return Err(ProfileError::EndpointForm),
    };
    Ok((endpoint, signing_keys(&document)?))
}

/// A member of the document or of its `ucp` object.
fn member<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
    let inner = document.get("ucp").and_then(|ucp| ucp.get(name));
    inner.or_else(|| document.get(name)).filter(|value| !value.is_null())
}

/// The endpoint of the newest declaration that has one. Capabilities are an object of lists by name; in earlier
/// versions a list whose entries have a name.
fn endpoint_of(document: &Value) -> Option<&Value> {
    let capabilities = member(document, "capabilities")?;
    let declarations: Vec<&Value> = match capabilities {
        Value::Object(by_name) => match by_name.get(PERMALINK)? {
            Value::Array(versions) => versions.iter().collect(),
            single => vec![single],
        },
        Value::Array(list) => list
            .iter()
            .filter(|entry| entry.get("name").and_then(Value::as_str) == Some(PERMALINK))
            .collect(),
        _ => return None,
    };
    let with_endpoint = declarations.into_iter().filter_map(|declaration| {
        let endpoint = declaration.get("config")?.get("endpoint")?;
        // Versions are dates, which compare as text.
        Some((
            declaration.get("version").and_then(Value::as_str).unwrap_or_default(),
            endpoint,
        ))
    });
    with_endpoint
        .max_by_key(|(version, _)| *version)
        .map(|(_, endpoint)| endpoint)
}

/// An absolute https URL without userinfo, query, fragment, whitespace, backslash or final slash, as the capability
/// says; http on this machine alone, for tests and demos.
fn check_endpoint(endpoint: &str) -> Result<String, ProfileError> {
    if endpoint.len() > ENDPOINT_MAX {
        return Err(ProfileError::EndpointLength);
    }
    if !endpoint.bytes().all(|byte| byte.is_ascii_graphic()) || endpoint.contains('\\') {
        return Err(ProfileError::EndpointForm);
    }
    let url = Url::parse(endpoint).map_err(|_| ProfileError::EndpointForm)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => return Err(ProfileError::EndpointScheme),
    }
    if endpoint.contains(['@', '?', '#']) || endpoint.ends_with('/') {
        return Err(ProfileError::EndpointTail);
    }
    // What is written must be what is sent: no dot segments, no default port, no capitals in the host.
    let serialised = url.as_str();
    if serialised.trim_end_matches('/') != endpoint {
        return Err(ProfileError::EndpointForm);
    }
    Ok(endpoint.to_owned())
}

/// The keys as JSON text: an array of objects with a key type, or such an array as `keys` (a JWK set, RFC 7517).
fn signing_keys(document: &Value) -> Result<Option<String>, ProfileError> {
    let Some(found) = member(document, "signing_keys") else {
        return Ok(None);
    };
    let keys = found
        .get("keys")
        .unwrap_or(found)
        .as_array()
        .ok_or(ProfileError::SigningKeys)?;
    let is_key = |key: &Value| key.get("kty").is_some_and(Value::is_string);
    if keys.len() > KEYS_MAX || !keys.iter().all(is_key) {
        return Err(ProfileError::SigningKeys);
    }
    let text = Value::from(keys.as_slice()).to_string();
    if text.len() > KEYS_BYTES_MAX {
        return Err(ProfileError::SigningKeys);
    }
    Ok((!keys.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn endpoint(document: &Value) -> Result<Option<String>, ProfileError> {
        parse(document.to_string().as_bytes()).map(|(endpoint, _)| endpoint)
    }

    fn profile(endpoint: &Value) -> Value {
        json!({ "ucp": { "version": "2026-08-25", "capabilities": {
            "dev.ucp.shopping.checkout": [{ "version": "2026-08-25" }],
            PERMALINK: [{ "version": "2026-08-25", "config": { "endpoint": endpoint } }],
        } } })
    }

    #[test]
    fn the_endpoint_is_found_wherever_it_stands() {
        let buy = |version: &str, path: &str| json!({ "version": version, "config": { "endpoint": format!("https://shop.example{path}") } });
        for (document, expected) in [
            (profile(&json!("https://shop.example/buy")), Some("/buy")),
            (
                json!({ "capabilities": { PERMALINK: [buy("1", "/top")] } }),
                Some("/top"),
            ),
            (
                json!({ "ucp": { "capabilities": { PERMALINK: buy("1", "/single") } } }),
                Some("/single"),
            ),
            (
                json!({ "ucp": { "capabilities": { PERMALINK: [
                    buy("2026-01-11", "/old"), buy("2026-08-25", "/new"), { "version": "2026-10-01" },
                ] } } }),
                Some("/new"),
            ),
            (
                json!({ "ucp": { "capabilities": [
                    { "name": "dev.ucp.shopping.cart", "config": { "endpoint": "https://evil.example" } },
                    { "name": PERMALINK, "config": { "endpoint": "https://shop.example/list" } },
                ] } }),
                Some("/list"),
            ),
            (profile(&json!("https://shop.example")), Some("")),
            (json!({}), None),
            (json!({ "ucp": null }), None),
            (json!({ "ucp": { "capabilities": {} } }), None),
            (json!({ "ucp": { "capabilities": { PERMALINK: [] } } }), None),
            (
                json!({ "ucp": { "capabilities": { PERMALINK: [{ "config": {} }] } } }),
                None,
            ),
            (json!({ "ucp": { "capabilities": "all" } }), None),
        ] {
            let expected = expected.map(|path| format!("https://shop.example{path}"));
            assert_eq!(endpoint(&document), Ok(expected), "{document}");
        }
    }

    #[test]
    fn endpoints_that_are_not_clean_are_refused() {
        use ProfileError::{EndpointForm, EndpointLength, EndpointScheme, EndpointTail};
        for (written, expected) in [
            (json!("http://shop.example/buy"), EndpointScheme),
            (json!("http://169.254.169.254/latest"), EndpointScheme),
            (json!("javascript:alert(1)"), EndpointScheme),
            (json!("data:text/html,x"), EndpointScheme),
            (json!("ftp://shop.example/buy"), EndpointScheme),
            (json!("//shop.example/buy"), EndpointForm),
            (json!("/buy"), EndpointForm),
            (json!(""), EndpointForm),
            (json!(5), EndpointForm),
            (json!(null), EndpointForm),
            (json!("https://shop.example/b uy"), EndpointForm),
            (json!("https://shop.example/buy\r\nX: y"), EndpointForm),
            (json!("https:\\\\shop.example\\buy"), EndpointForm),
            (json!("https://shop.example/a/../buy"), EndpointForm),
            (json!("https://SHOP.example/buy"), EndpointForm),
            (json!("https://shop.example:443/buy"), EndpointForm),
            (json!("https:shop.example/buy"), EndpointForm),
            (json!("https://shop.example/ü"), EndpointForm),
            (json!("https://me@shop.example/buy"), EndpointTail),
            (json!("https://shop.example/buy?a=1"), EndpointTail),
            (json!("https://shop.example/buy#a"), EndpointTail),
            (json!("https://shop.example/buy/"), EndpointTail),
            (
                json!(format!("https://shop.example/{}", "b".repeat(200))),
                EndpointLength,
            ),
        ] {
            assert_eq!(endpoint(&profile(&written)), Err(expected), "{written}");
        }
        let local = "http://127.0.0.1:8080/buy";
        assert_eq!(endpoint(&profile(&json!(local))), Ok(Some(local.into())));
    }

    #[test]
    fn keys_are_kept_and_bounded() {
        let keys = |keys: &Value| parse(json!({ "signing_keys": keys }).to_string().as_bytes()).map(|(_, keys)| keys);
        let key = json!({ "kid": "k1", "kty": "EC", "crv": "P-256", "x": "a", "y": "b" });
        for good in [json!([key]), json!({ "keys": [key] })] {
            let kept = keys(&good).expect("good keys").expect("a key");
            assert_eq!(serde_json::from_str::<Value>(&kept).expect("JSON"), json!([key]));
        }
        assert_eq!((keys(&json!([])), keys(&json!(null))), (Ok(None), Ok(None)));
        let inner = json!({ "ucp": { "signing_keys": [key] } }).to_string();
        assert!(parse(inner.as_bytes()).is_ok_and(|(_, keys)| keys.is_some()));
        for bad in [
            json!("k"),
            json!({}),
            json!([{ "kid": "k1" }]),
            json!(["k"]),
            json!(vec![key.clone(); 21]),
            json!([{ "kty": "EC", "x": "a".repeat(33_000) }]),
        ] {
            assert_eq!(keys(&bad), Err(ProfileError::SigningKeys));
        }
    }

    #[test]
    fn answers_that_are_no_profile_say_why() {
        let body = profile(&json!("https://shop.example/buy")).to_string().into_bytes();
        let answer = |status, content_type: &str, body: &[u8]| Fetched {
            status,
            content_type: Some(content_type.into()),
            cache_control: Some("max-age=600".into()),
            body: body.to_vec(),
        };
        for content_type in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/ucp+json",
        ] {
            let look = read(&answer(200, content_type, &body)).expect("a profile");
            assert_eq!(
                (look.endpoint.as_deref(), look.fresh_ms),
                (Some("https://shop.example/buy"), 600_000)
            );
        }
        let deep = "[".repeat(200_000);
        for (status, content_type, body, expected) in [
            (404, "application/json", &body[..], ProfileError::Status(404)),
            (204, "application/json", &body, ProfileError::Status(204)),
            (301, "application/json", &body, ProfileError::Redirect(301)),
            (200, "text/html", &body, ProfileError::ContentType),
            (200, "", &body, ProfileError::ContentType),
            (200, "application/json", b"<html>", ProfileError::Json),
            (200, "application/json", deep.as_bytes(), ProfileError::Json),
            (200, "application/json", b"[]", ProfileError::NoObject),
            (200, "application/json", &[b' '; BODY_MAX + 1], ProfileError::TooLarge),
        ] {
            assert_eq!(read(&answer(status, content_type, body)), Err(expected));
        }
    }

    #[test]
    fn profiles_are_at_the_root_of_the_host() {
        for (base_url, expected) in [
            (
                "https://shop.example/de/buy",
                Some("https://shop.example/.well-known/ucp"),
            ),
            (
                "https://shop.example:8443/",
                Some("https://shop.example:8443/.well-known/ucp"),
            ),
            ("http://127.0.0.1:9/buy", Some("http://127.0.0.1:9/.well-known/ucp")),
            ("http://shop.example/", None),
            ("nonsense", None),
        ] {
            assert_eq!(address(base_url).as_deref(), expected);
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            Just("ucp".to_owned()),
            Just("capabilities".to_owned()),
            Just(PERMALINK.to_owned()),
            Just("config".to_owned()),
            Just("endpoint".to_owned()),
            Just("name".to_owned()),
            Just("signing_keys".to_owned()),
            "https://[a-z./:@?#]{0,12}",
            "\\PC{0,8}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            word.clone().prop_map(Value::from)
        ];
        leaf.prop_recursive(6, 48, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((word.clone(), inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok((endpoint, keys)) = parse(&body) {
                prop_assert_eq!((endpoint, keys), (None, None));
            }
        }

        #[test]
        fn every_endpoint_that_is_taken_is_clean(text in "(https?|HTTPS|javascript)?[:/@?#.a-zA-Z0-9%\\\\ \u{e4}-]{0,24}") {
            if let Ok(Some(endpoint)) = endpoint(&profile(&json!(text))) {
                let url = Url::parse(&endpoint).expect("a URL");
                prop_assert!(url.scheme() == "https" || is_loopback(&url));
                prop_assert!(url.query().is_none() && url.fragment().is_none() && url.username().is_empty());
                prop_assert_eq!(url.as_str().trim_end_matches('/'), endpoint);
            }
        }

        #[test]
        fn any_json_is_read_or_refused(document in json_value()) {
            if let Ok((Some(endpoint), _)) = parse(document.to_string().as_bytes()) {
                prop_assert!(endpoint.starts_with("http"));
            }
        }
    }
}
