//! Holds JSON against the schemas of the API's description: as much of JSON Schema as it uses, and an error for the rest.

use serde_json::{Map, Value};

/// Words of JSON Schema that say nothing about a value.
const SILENT: [&str; 5] = ["description", "deprecated", "format", "pattern", "example"];

/// What is wrong with `value`, seen from `place`; empty when it fits.
pub fn problems(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let schema = schema.as_object().unwrap_or_else(|| panic!("no schema at {place}"));
    let mut found = Vec::new();
    for (word, said) in schema {
        match word.as_str() {
            "$ref" => found.extend(problems(document, resolve(document, said), value, place)),
            "anyOf" => {
                let branches = said.as_array().expect("branches");
                let mut each = branches.iter().map(|branch| problems(document, branch, value, place));
                if each.all(|problems| !problems.is_empty()) {
                    let closest = branches.iter().map(|branch| problems(document, branch, value, place));
                    found.extend(closest.min_by_key(Vec::len).unwrap_or_default());
                }
            }
            "type" if !is_of(said, value) => found.push(format!("{place}: {value} is no {said}")),
            "enum" if !said.as_array().expect("words").contains(value) => {
                found.push(format!("{place}: {value} is none of {said}"));
            }
            "minimum" if value.as_f64() < said.as_f64() && value.is_number() => {
                found.push(format!("{place}: {value} is below {said}"));
            }
            "maximum" if value.as_f64() > said.as_f64() => found.push(format!("{place}: {value} is above {said}")),
            "required" => {
                for name in said.as_array().expect("names") {
                    let name = name.as_str().expect("a name");
                    if value.is_object() && value.get(name).is_none() {
                        found.push(format!("{place}.{name}: is missing"));
                    }
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(problems(document, said, item, &format!("{place}[{index}]")));
                }
            }
            "properties" | "additionalProperties" => {}
            "type" | "enum" | "minimum" | "maximum" => {}
            word if SILENT.contains(&word) => {}
            word => panic!("{place}: the word {word} is not understood"),
        }
    }
    if let Some(fields) = value.as_object() {
        found.extend(fields_of(document, schema, fields, place));
    }
    found
}

fn fields_of(document: &Value, schema: &Map<String, Value>, fields: &Map<String, Value>, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in fields {
        let at = format!("{place}.{name}");
        let own = schema.get("properties").and_then(|properties| properties.get(name));
        match (own, schema.get("additionalProperties")) {
            (Some(own), _) => found.extend(problems(document, own, value, &at)),
            (None, Some(Value::Bool(false))) => found.push(format!("{at}: is not described")),
            (None, Some(others)) if others.is_object() => found.extend(problems(document, others, value, &at)),
            _ => {}
        }
    }
    found
}

/// What `reference` (`#/…`) points at.
pub fn resolve<'a>(document: &'a Value, reference: &Value) -> &'a Value {
    let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
    let found = pointer.and_then(|pointer| document.pointer(pointer));
    found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

fn is_of(kinds: &Value, value: &Value) -> bool {
    match kinds {
        Value::Array(kinds) => kinds.iter().any(|kind| is_of(kind, value)),
        Value::String(kind) => match kind.as_str() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{other} is no type"),
        },
        other => panic!("{other} is no type"),
    }
}

#[test]
fn what_does_not_fit_is_found() {
    use serde_json::json;
    let document = json!({ "components": { "schemas": { "Tag": {
        "type": "object", "required": ["id"], "additionalProperties": false,
        "properties": { "id": { "type": "string" }, "color": { "anyOf": [{ "enum": ["red"] }, { "type": "null" }] } },
    } } } });
    let schema = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Tag" } });
    for (value, count) in [
        (json!([]), 0),
        (json!([{ "id": "a", "color": null }, { "id": "b", "color": "red" }]), 0),
        (json!({}), 1),
        (json!([{}]), 1),
        (json!([{ "id": 5 }]), 1),
        (json!([{ "id": "a", "color": "blue" }]), 1),
        (json!([{ "id": "a", "shade": "red" }]), 1),
    ] {
        let found = problems(&document, &schema, &value, "answer");
        assert_eq!(found.len(), count, "{value}: {found:?}");
    }
}
