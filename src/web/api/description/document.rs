//! The document: OpenAPI 3.1, made of the operations that the router was made of.

use serde_json::{Map, Value, json};

use super::Described;

/// Refusals that the document names: status, name, when.
const REFUSALS: [(u16, &str, &str); 10] = [
    (
        400,
        "BadRequest",
        "Not even the form is right: no JSON, or a header that cannot be read.",
    ),
    (401, "Unauthorized", "No key, or none of this server's."),
    (
        403,
        "Forbidden",
        "A good key that may not do this: the message names the scope that it lacks.",
    ),
    (404, "NotFound", "There is no such thing in the key's workspace."),
    (
        409,
        "Conflict",
        "Not with what is there, or with a named call that is still under way.",
    ),
    (
        413,
        "TooLarge",
        "The body is larger than the server takes: send less at once.",
    ),
    (
        422,
        "Invalid",
        "A field or a parameter is wrong: the message begins with its name and says what to do.",
    ),
    (
        429,
        "TooMany",
        "The key called too often: `Retry-After` says for how many seconds to wait.",
    ),
    (500, "Failed", "The server failed; its log says why."),
    (
        503,
        "Unavailable",
        "Not now: try again after `Retry-After` seconds. Nothing was done.",
    ),
];

/// The dialect's codes of errors.
const CODES: [&str; 9] = [
    "bad_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "unprocessable_entity",
    "rate_limit_exceeded",
    "internal_server_error",
    "service_unavailable",
];

const ABOUT: &str = "The brand's API of a Hopcart server: links that lead to filled carts, and what they brought. \
    It speaks the dialect of Dub's API (same paths, fields, statuses, errors and paging), so that its official clients \
    work unmodified; what is ours is told as such. Every path is also served under `/api`.\n\n\
    Money is in integer minor units of an ISO 4217 currency; instants are RFC 3339 in UTC. An unknown field or query \
    parameter is refused and named, never ignored. `id` in a path may be the brand's own, written `ext_…`, where a thing \
    has an `externalId`.";

/// The document's name of the refusal with `status`.
pub(super) fn refusal_name(status: u16) -> &'static str {
    let found = REFUSALS.iter().find(|(own, ..)| *own == status);
    found.map_or("Failed", |(_, name, _)| name)
}

/// The whole document.
pub(in crate::web::api) fn document(described: &[Described]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut schemas = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    for Described {
        tag,
        method,
        path,
        operation,
    } in described
    {
        let entry = paths.entry((*path).to_owned()).or_insert_with(|| json!({}));
        entry[*method] = operation.object(tag, method, path);
        operation.collect(&mut schemas);
        if !tags.contains(tag) {
            tags.push(tag);
        }
    }
    schemas.insert("Error".to_owned(), error_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hopcart",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "One round trip from a creator's link to a filled cart.",
            "description": ABOUT,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }, { "url": "/api" }],
        "security": [{ "key": [] }],
        "tags": tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": { "key": {
                "type": "http", "scheme": "bearer",
                "description": "A secret key: `Authorization: Bearer KEY`. The workspace is the key's; a key with \
                    scopes opens what they say and no more.",
            } },
            "parameters": { "IdempotencyKey": {
                "name": "Idempotency-Key", "in": "header", "required": false,
                "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$" },
                "description": "A name for this call, such as a UUID: within 24 hours the same call under the same \
                    name is answered as the first was, and not carried out again.",
            } },
            "responses": refusals(),
            "schemas": schemas,
        },
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "properties": { "error": {
            "type": "object",
            "properties": {
                "code": { "type": "string", "enum": CODES },
                "message": { "type": "string", "description": "For people; of a 422 the field, a colon, and what to do." },
                "doc_url": { "type": "string" },
            },
            "required": ["code", "message", "doc_url"],
            "additionalProperties": false,
        } },
        "required": ["error"],
        "description": "Calls that take many rows tell beside `error` what they would tell of success.",
    })
}

fn refusals() -> Value {
    let named = REFUSALS.iter().map(|(status, name, when)| {
        let mut response = json!({
            "description": when,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
        });
        if matches!(status, 429 | 503) {
            response["headers"] =
                json!({ "Retry-After": { "schema": { "type": "integer" }, "description": "Seconds." } });
        }
        ((*name).to_owned(), response)
    });
    named.collect::<Map<_, _>>().into()
}
