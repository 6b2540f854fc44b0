//! Verifies UCP's signed deliveries: HTTP Message Signatures (RFC 9421) with a key of the shop's profile, and the digest
//! of the body (RFC 9530).
//!
//! Source: ucp.dev, "Message Signatures" and "Order", "Webhook Signature Verification". Strict: what is required must
//! be covered, and a header that says who sent it, when, or which delivery it is counts only when it is covered too.
//! Component parameters (`;sf`, `;key`, …) are not known, so a signature that uses them does not verify. Pure.

use aws_lc_rs::digest;

use super::jwk;
use super::structured::{self, Bare, Member, Parameters};
use crate::domain::time::Timestamp;

/// How far a shop's clock may be ahead of ours, in seconds.
const AHEAD_MAX_S: i64 = 300;
/// What every delivery must sign.
const REQUIRED: [&str; 5] = ["@method", "@authority", "@path", "content-digest", "content-type"];
/// What it must sign when it is there.
const REQUIRED_IF_SENT: [&str; 5] = [
    "webhook-id",
    "webhook-timestamp",
    "ucp-agent",
    "signature-agent",
    "idempotency-key",
];

/// A request as it came.
pub struct Message<'a> {
    pub method: &'a str,
    /// As sent, without the query.
    pub path: &'a str,
    /// Without its question mark.
    pub query: Option<&'a str>,
    /// Host, and port where it is not the scheme's own, lower case: what the webhook's URL may have said.
    pub authority: &'a str,
    /// A header by its lower-case name; several of one name joined by `, `.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    pub body: &'a [u8],
}

/// When a verified delivery says that it was signed; `None` when its signature does not say.
#[derive(Debug, PartialEq, Eq)]
pub struct Signed {
    pub created: Option<Timestamp>,
}

/// Verifies `message` with one of `keys` (a JSON array of JWKs) at `now`. `None` when no signature of it holds.
pub fn verify(message: &Message<'_>, keys: &str, now: Timestamp) -> Option<Signed> {
    if !has_digest(message) {
        return None;
    }
    let inputs = structured::dictionary(&(message.header)("signature-input")?)?;
    let signatures = structured::dictionary(&(message.header)("signature")?)?;
    inputs.iter().find_map(|(label, input)| {
        let Member::List(components, parameters) = input else {
            return None;
        };
        let found = signatures.iter().find(|(known, _)| known == label)?;
        let Member::Item(Bare::Bytes(signature), _) = &found.1 else {
            return None;
        };
        let names = names(components)?;
        if !covers_enough(message, &names) {
            return None;
        }
        let created = check_times(parameters, now).ok()?;
        let base = base(message, &names, &structured::write_list(components, parameters))?;
        is_signed(parameters, keys, &base, signature).then_some(Signed { created })
    })
}

/// Whether `Content-Digest` names the SHA-256 of the body.
fn has_digest(message: &Message<'_>) -> bool {
    let told = (message.header)("content-digest").and_then(|text| structured::dictionary(&text));
    let told = told.unwrap_or_default().into_iter().find(|(name, _)| name == "sha-256");
    let is = digest::digest(&digest::SHA256, message.body);
    told.is_some_and(|(_, member)| member == Member::Item(Bare::Bytes(is.as_ref().to_vec()), Vec::new()))
}

/// The covered components, none twice and none with parameters.
fn names(components: &[(Bare, Parameters)]) -> Option<Vec<&str>> {
    let mut names = Vec::with_capacity(components.len());
    for component in components {
        match component {
            (Bare::Text(name), parameters) if parameters.is_empty() && !names.contains(&name.as_str()) => {
                names.push(name.as_str());
            }
            _ => return None,
        }
    }
    Some(names)
}

fn covers_enough(message: &Message<'_>, names: &[&str]) -> bool {
    let covers = |name: &&str| names.contains(name);
    let is_absent = |name: &&str| (message.header)(name).is_none();
    REQUIRED.iter().all(covers)
        && REQUIRED_IF_SENT.iter().all(|name| covers(name) || is_absent(name))
        && (message.query.is_none() || covers(&"@query"))
}

fn integer(parameters: &Parameters, name: &str) -> Result<Option<i64>, ()> {
    match parameters.iter().find(|(known, _)| known == name) {
        None => Ok(None),
        Some((_, Bare::Integer(number))) => Ok(Some(*number)),
        Some(_) => Err(()),
    }
}

/// `created` is not in the future and `expires` not in the past.
fn check_times(parameters: &Parameters, now: Timestamp) -> Result<Option<Timestamp>, ()> {
    let (created, expires) = (integer(parameters, "created")?, integer(parameters, "expires")?);
    let latest = now.seconds().saturating_add(AHEAD_MAX_S);
    if created.is_some_and(|created| created > latest) || expires.is_some_and(|expires| expires < now.seconds()) {
        return Err(());
    }
    Ok(created.map(Timestamp::from_seconds))
}

/// The signature base (RFC 9421 section 2.5).
fn base(message: &Message<'_>, names: &[&str], signature_params: &str) -> Option<String> {
    let mut base = String::new();
    for name in names {
        let value = match *name {
            "@method" => message.method.to_owned(),
            "@authority" => message.authority.to_owned(),
            "@path" => message.path.to_owned(),
            "@query" => format!("?{}", message.query?),
            derived if derived.starts_with('@') => return None,
            field if field.bytes().any(|byte| byte.is_ascii_uppercase()) => return None,
            field => (message.header)(field)?.trim().to_owned(),
        };
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    base.push_str(&format!("\"@signature-params\": {signature_params}"));
    Some(base)
}

fn is_signed(parameters: &Parameters, keys: &str, base: &str, signature: &[u8]) -> bool {
    let text = |name: &str| {
        let found = parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| match value {
            Bare::Text(text) => text.as_str(),
            _ => "",
        })
    };
    let Some(key) = text("keyid").and_then(|keyid| jwk::find(keys, keyid)) else {
        return false;
    };
    text("alg").is_none_or(|alg| alg == key.algorithm()) && key.verifies(base.as_bytes(), signature)
}

#[cfg(test)]
mod tests;
