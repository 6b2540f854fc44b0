//! What answers and query parameters are made of, as data: from it come the JSON schema and an example.
//!
//! A shape is closed: an answer with a field that its shape does not have is a fault, which the tests that read answers
//! find.

use serde_json::{Map, Value, json};

/// An instant as answers write it.
const INSTANT: &str = "2026-11-21T10:30:00.000Z";

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub(in crate::web::api) enum Kind {
    /// Text, with an example.
    Text(&'static str),
    /// RFC 3339, in UTC.
    Instant,
    /// One of these.
    Words(&'static [&'static str]),
    /// A whole number, with an example.
    Whole(i64),
    /// A whole number between two, inclusive.
    Range(u32, u32),
    Number,
    Flag,
    /// A JSON object with keys that nobody lists.
    Object,
    Anything,
    /// Always `null`: the dialect's word for what there is not here.
    Null,
    Shape(&'static Shape),
    List(&'static Kind),
    /// An object whose values are all of this kind.
    Map(&'static Kind),
    OrNull(&'static Kind),
    OneOf(&'static [Kind]),
}

/// An object with known fields.
#[derive(Debug)]
pub(in crate::web::api) struct Shape {
    /// Its name among the document's schemas.
    pub name: &'static str,
    pub fields: &'static [Field],
}

/// One field of a shape, or one query parameter.
#[derive(Debug, Clone, Copy)]
pub(in crate::web::api) struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub note: &'static str,
    /// A field that is always there; a parameter that must be given.
    pub is_required: bool,
}

/// A field that is always there.
pub(in crate::web::api) const fn has(name: &'static str, kind: Kind, note: &'static str) -> Field {
    Field {
        name,
        kind,
        note,
        is_required: true,
    }
}

/// A field that is there at times; a parameter that may be left out.
pub(in crate::web::api) const fn may(name: &'static str, kind: Kind, note: &'static str) -> Field {
    Field {
        name,
        kind,
        note,
        is_required: false,
    }
}

impl Kind {
    /// The JSON schema (draft 2020-12, as OpenAPI 3.1 has it). Shapes are referred to by name.
    pub fn schema(self) -> Value {
        match self {
            Self::Text(_) => json!({ "type": "string" }),
            Self::Instant => json!({ "type": "string", "format": "date-time" }),
            Self::Words(words) => json!({ "type": "string", "enum": words }),
            Self::Whole(_) => json!({ "type": "integer" }),
            Self::Range(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
            Self::Number => json!({ "type": "number" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Object => json!({ "type": "object" }),
            Self::Anything => json!({}),
            Self::Null => json!({ "type": "null" }),
            Self::Shape(shape) => json!({ "$ref": format!("#/components/schemas/{}", shape.name) }),
            Self::List(kind) => json!({ "type": "array", "items": kind.schema() }),
            Self::Map(kind) => json!({ "type": "object", "additionalProperties": kind.schema() }),
            Self::OrNull(kind) => json!({ "anyOf": [kind.schema(), { "type": "null" }] }),
            Self::OneOf(kinds) => json!({ "anyOf": kinds.iter().map(|kind| kind.schema()).collect::<Vec<_>>() }),
        }
    }

    /// A value of this kind.
    pub fn example(self) -> Value {
        match self {
            Self::Text(example) => json!(example),
            Self::Instant => json!(INSTANT),
            Self::Words(words) => json!(words.first()),
            Self::Whole(example) => json!(example),
            Self::Range(min, _) => json!(min.max(1)),
            Self::Number => json!(0.5),
            Self::Flag => json!(false),
            Self::Object | Self::Anything => json!({}),
            Self::Null => Value::Null,
            Self::Shape(shape) => shape.example(),
            Self::List(kind) => json!([kind.example()]),
            Self::Map(kind) => json!({ "EUR": kind.example() }),
            // The fields that are mostly null in practice say more with a value.
            Self::OrNull(kind) => kind.example(),
            Self::OneOf(kinds) => kinds.first().map(|kind| kind.example()).unwrap_or_default(),
        }
    }

    /// Puts every shape that this kind is made of into `schemas`.
    pub fn collect(self, schemas: &mut Map<String, Value>) {
        match self {
            Self::Shape(shape) => shape.collect(schemas),
            Self::List(kind) | Self::Map(kind) | Self::OrNull(kind) => kind.collect(schemas),
            Self::OneOf(kinds) => kinds.iter().for_each(|kind| kind.collect(schemas)),
            _ => {}
        }
    }
}

impl Shape {
    fn collect(&self, schemas: &mut Map<String, Value>) {
        if schemas.contains_key(self.name) {
            return;
        }
        schemas.insert(self.name.to_owned(), self.schema());
        self.fields.iter().for_each(|field| field.kind.collect(schemas));
    }

    fn schema(&self) -> Value {
        let properties: Map<String, Value> = self
            .fields
            .iter()
            .map(|field| (field.name.to_owned(), noted(field.kind.schema(), field.note)))
            .collect();
        let required: Vec<&str> = self
            .fields
            .iter()
            .filter(|field| field.is_required)
            .map(|field| field.name)
            .collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    fn example(&self) -> Value {
        let shown = self.fields.iter().filter(|field| field.is_required);
        shown
            .map(|field| (field.name.to_owned(), field.kind.example()))
            .collect::<Map<_, _>>()
            .into()
    }
}

/// `schema` with a description, if there is something to say.
pub(super) fn noted(mut schema: Value, note: &str) -> Value {
    if !note.is_empty() {
        schema["description"] = json!(note);
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    const INNER: Shape = Shape {
        name: "Inner",
        fields: &[has("id", Kind::Text("in_1"), "")],
    };
    const OUTER: Shape = Shape {
        name: "Outer",
        fields: &[
            has("inner", Kind::OrNull(&Kind::Shape(&INNER)), "What is inside."),
            may("many", Kind::List(&Kind::Shape(&INNER)), ""),
            has("color", Kind::Words(&["red", "blue"]), ""),
        ],
    };

    #[test]
    fn shapes_become_closed_schemas_that_refer_to_each_other() {
        let mut schemas = Map::new();
        Kind::List(&Kind::Shape(&OUTER)).collect(&mut schemas);
        assert_eq!(schemas.keys().collect::<Vec<_>>(), ["Inner", "Outer"]);
        let outer = &schemas["Outer"];
        assert_eq!(outer["required"], json!(["inner", "color"]));
        assert_eq!(outer["additionalProperties"], false);
        assert_eq!(
            outer["properties"]["inner"],
            json!({ "anyOf": [{ "$ref": "#/components/schemas/Inner" }, { "type": "null" }],
                "description": "What is inside." })
        );
    }

    #[test]
    fn examples_show_what_is_always_there() {
        assert_eq!(
            Kind::Shape(&OUTER).example(),
            json!({ "inner": { "id": "in_1" }, "color": "red" })
        );
    }
}
