//! One operation of the API: what it does, takes and answers.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::body_schema::schema_of;
use super::shape::{Field, Kind, noted};
use crate::domain::scope;

/// What an operation does, takes and answers.
#[derive(Debug, Clone)]
pub(in crate::web::api) struct Operation {
    id: &'static str,
    summary: &'static str,
    note: &'static str,
    query: Vec<Field>,
    body: Option<BodyForm>,
    takes_table: bool,
    answers: Vec<(u16, Answer)>,
    /// Refusals beside those that every call can meet.
    refusals: Vec<u16>,
    /// Whether it is for everybody, without a key.
    is_open: bool,
    /// Whether bodies may be as large as a catalogue.
    is_large: bool,
}

/// An answer's content.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Json(Kind),
    /// A file: its media type, and what is in it.
    File(&'static str, &'static str),
}

/// A JSON body: what it is read into, and an example.
#[derive(Debug, Clone)]
pub(in crate::web::api) struct BodyForm {
    name: &'static str,
    schema: Value,
    example: Value,
    is_list: bool,
    may_be_empty: bool,
}

impl BodyForm {
    /// A body that is read into `T`, under `name` among the document's schemas.
    pub fn of<T: DeserializeOwned>(name: &'static str, example: Value) -> Self {
        Self {
            name,
            schema: schema_of::<T>(),
            example,
            is_list: false,
            may_be_empty: false,
        }
    }

    /// A list of such bodies, each read by itself.
    pub fn list(mut self) -> Self {
        self.is_list = true;
        self
    }

    /// No body says the same as an empty object.
    pub fn or_nothing(mut self) -> Self {
        self.may_be_empty = true;
        self
    }

    /// Says what `field` is for. Fields within others: `cart/items`.
    pub fn note(mut self, field: &str, note: &str) -> Self {
        match self.schema.pointer_mut(&pointer(field)) {
            Some(place) => place["description"] = json!(note),
            None => self.schema["x-unread"] = json!(format!("{field} is no field")),
        }
        self
    }

    /// Takes `field` too, which is read before the rest.
    pub fn also(mut self, field: &str, kind: Kind, note: &str) -> Self {
        self.schema["properties"][field] = noted(kind.schema(), note);
        self
    }

    /// Says of which kinds `field` is, where its type alone does not.
    pub fn kinds(mut self, field: &str, kinds: &'static [Kind]) -> Self {
        match self.schema.pointer_mut(&pointer(field)) {
            Some(place) => *place = Kind::OneOf(kinds).schema(),
            None => self.schema["x-unread"] = json!(format!("{field} is no field")),
        }
        self
    }

    /// The rows of `field` are read one by one, each into `T`.
    pub fn rows<T: DeserializeOwned>(mut self, field: &str) -> Self {
        match self.schema.pointer_mut(&pointer(field)) {
            Some(place) => place["items"] = schema_of::<T>(),
            None => self.schema["x-unread"] = json!(format!("{field} is no field")),
        }
        self
    }

    /// `field` says the same as `other`, which is its proper name.
    pub fn alias(self, field: &str, other: &str) -> Self {
        let mut form = self.note(field, &format!("Another name of `{other}`."));
        if let Some(place) = form.schema.pointer_mut(&pointer(field)) {
            place["deprecated"] = json!(true);
        }
        if let Some(required) = form.schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| name != field);
        }
        form
    }

    fn content(&self) -> Value {
        let named = json!({ "$ref": format!("#/components/schemas/{}", self.name) });
        match self.is_list {
            true => json!({ "schema": { "type": "array", "items": named }, "example": [self.example] }),
            false => json!({ "schema": named, "example": self.example }),
        }
    }
}

fn pointer(field: &str) -> String {
    field
        .split('/')
        .map(|name| match name.strip_suffix("[]") {
            Some(list) => format!("/properties/{list}/items"),
            None => format!("/properties/{name}"),
        })
        .collect()
}

/// The operation called `id` in clients that are made from the document.
pub(in crate::web::api) fn op(id: &'static str, summary: &'static str) -> Operation {
    Operation {
        id,
        summary,
        note: "",
        query: Vec::new(),
        body: None,
        takes_table: false,
        answers: Vec::new(),
        refusals: Vec::new(),
        is_open: false,
        is_large: false,
    }
}

impl Operation {
    /// What else there is to know.
    pub fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }

    /// Takes these query parameters, beside others.
    pub fn query(mut self, fields: &[Field]) -> Self {
        self.query.extend_from_slice(fields);
        self
    }

    /// Takes this body.
    pub fn body(mut self, body: BodyForm) -> Self {
        self.body = Some(body);
        self
    }

    /// Takes a table too: CSV or TSV.
    pub fn table(mut self) -> Self {
        self.takes_table = true;
        self
    }

    /// Answers `status` with `kind` as JSON.
    pub fn gives(mut self, status: u16, kind: Kind) -> Self {
        self.answers.push((status, Answer::Json(kind)));
        self
    }

    /// Answers 200 with a file of type `media`.
    pub fn gives_file(mut self, media: &'static str, note: &'static str) -> Self {
        self.answers.push((200, Answer::File(media, note)));
        self
    }

    /// Can refuse with `status` too.
    pub fn refuses(mut self, status: u16) -> Self {
        self.refusals.push(status);
        self
    }

    /// For everybody, without a key.
    pub fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// Bodies may be as large as a catalogue.
    pub fn large(mut self) -> Self {
        self.is_large = true;
        self
    }

    /// Whether bodies may be as large as a catalogue.
    pub fn is_large(&self) -> bool {
        self.is_large
    }

    /// Puts what this operation is made of into `schemas`.
    pub fn collect(&self, schemas: &mut Map<String, Value>) {
        for (_, answer) in &self.answers {
            if let Answer::Json(kind) = answer {
                kind.collect(schemas);
            }
        }
        if let Some(body) = &self.body {
            schemas.insert(body.name.to_owned(), body.schema.clone());
        }
    }

    /// The operation object of OpenAPI 3.1 for `method` on `path`.
    pub fn object(&self, tag: &str, method: &str, path: &str) -> Value {
        let is_write = method != "get";
        let mut object = json!({
            "operationId": self.id,
            "tags": [tag],
            "summary": self.summary,
            "parameters": self.parameters(path, is_write),
            "responses": self.responses(path, is_write),
        });
        let scope = scope::noun_of(path.split('/').nth(1).unwrap_or_default());
        let scope = scope.map(|noun| format!("{noun}.{}", if is_write { "write" } else { "read" }));
        let note = match (&scope, self.is_open) {
            (Some(scope), false) => format!("{} Scope: `{scope}`.", self.note).trim().to_owned(),
            _ => self.note.to_owned(),
        };
        if !note.is_empty() {
            object["description"] = json!(note);
        }
        if self.is_open {
            object["security"] = json!([]);
        }
        if let Some(body) = self.request_body() {
            object["requestBody"] = body;
        }
        object
    }

    fn parameters(&self, path: &str, is_write: bool) -> Value {
        let mut parameters: Vec<Value> = path
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| {
                json!({ "name": name, "in": "path", "required": true,
                    "schema": { "type": "string", "minLength": 1 } })
            })
            .collect();
        parameters.extend(self.query.iter().map(|field| {
            let parameter = json!({
                "name": field.name, "in": "query", "required": field.is_required,
                "schema": field.kind.schema(),
            });
            noted(parameter, field.note)
        }));
        if is_write && !self.is_open {
            parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
        }
        parameters.into()
    }

    fn request_body(&self) -> Option<Value> {
        let mut content = Map::new();
        if let Some(body) = &self.body {
            content.insert("application/json".to_owned(), body.content());
        }
        if self.takes_table {
            for media in ["text/csv", "text/tab-separated-values"] {
                let table = json!({ "schema": { "type": "string" } });
                content.insert(media.to_owned(), table);
            }
        }
        let must = !self.body.as_ref().is_some_and(|body| body.may_be_empty);
        (!content.is_empty()).then(|| json!({ "required": must, "content": content }))
    }

    fn responses(&self, path: &str, is_write: bool) -> Value {
        let mut responses = Map::new();
        for (status, answer) in &self.answers {
            let response = responses
                .entry(status.to_string())
                .or_insert_with(|| json!({ "description": "Done.", "content": {} }));
            match answer {
                Answer::Json(kind) => {
                    response["content"]["application/json"] =
                        json!({ "schema": kind.schema(), "example": kind.example() });
                }
                Answer::File(media, note) => {
                    response["content"][*media] = noted(json!({ "schema": { "type": "string" } }), "");
                    response["description"] = json!(note);
                }
            }
        }
        let mut refusals = vec![400, 422, 500, 503];
        if !self.is_open {
            refusals.extend([401, 403, 429]);
        }
        // A page goes on from an entry that must be there.
        let goes_on = self.query.iter().any(|field| field.name == "startingAfter");
        if path.contains('{') || goes_on {
            refusals.push(404);
        }
        if is_write {
            refusals.extend([409, 413]);
        }
        for status in refusals.iter().chain(&self.refusals) {
            let named = json!({ "$ref": format!("#/components/responses/{}", super::document::refusal_name(*status)) });
            responses.insert(status.to_string(), named);
        }
        responses.into()
    }
}
