//! The API's reference, drawn from its description (OpenAPI 3.1): operations by area, what each takes and answers, and the
//! call as a shell writes it. Read by people; loads nothing from elsewhere and runs no script: its search is a form.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::layout;

/// Longest words that are searched for, in characters.
pub const SEARCH_MAX: usize = 100;
/// Deepest field of a body or an answer that is listed; what lies deeper is in the description itself.
const DEPTH_MAX: usize = 2;

/// One operation of the description.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    told: &'a Value,
}

impl Operation<'_> {
    fn tag(&self) -> &str {
        self.told["tags"][0].as_str().unwrap_or_default()
    }

    fn id(&self) -> &str {
        self.told["operationId"].as_str().unwrap_or_default()
    }

    fn text(&self, name: &str) -> &str {
        self.told[name].as_str().unwrap_or_default()
    }

    /// Whether each of `words` stands in what a reader would look for.
    fn has(&self, words: &[String]) -> bool {
        let parameters = self.told["parameters"].as_array().into_iter().flatten();
        let names = parameters.filter_map(|parameter| parameter["name"].as_str());
        let own = [
            self.method,
            self.path,
            self.tag(),
            self.id(),
            self.text("summary"),
            self.text("description"),
        ];
        let all: Vec<&str> = own.into_iter().chain(names).collect();
        let all = all.join(" ").to_lowercase();
        words.iter().all(|word| all.contains(word))
    }
}

/// The page: every operation of `document`, or those in which each word of `search` stands. `base` is where the API is
/// reached, for the calls that it shows.
pub fn reference_page(document: &Value, base: &str, search: &str) -> String {
    let search: String = search.chars().take(SEARCH_MAX).collect();
    let words: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
    let operations: Vec<Operation<'_>> = operations(document).into_iter().filter(|one| one.has(&words)).collect();
    let mut tags: Vec<&str> = Vec::new();
    for tag in document["tags"].as_array().into_iter().flatten() {
        let tag = tag["name"].as_str().unwrap_or_default();
        if operations.iter().any(|operation| operation.tag() == tag) {
            tags.push(tag);
        }
    }
    let content = html! {
        div.heading {
            div {
                h1 { "API reference" }
                p.help { (document["info"]["summary"].as_str().unwrap_or_default()) }
            }
            a.button href="openapi.json" { "openapi.json" }
        }
        (about(document, base))
        form.search role="search" method="get" action="docs" {
            label for="q" { "Search operations" }
            input #q type="search" name="q" value=(search) maxlength=(SEARCH_MAX) placeholder="links, cart, POST …";
            button type="submit" { "Search" }
            @if !words.is_empty() {
                span.help role="status" { (operations.len()) " found" }
                a.file href="docs" { "Show all" }
            }
        }
        @if operations.is_empty() {
            section.card { p { "Nothing is called so. Search for a path such as /links, or a word of what it does." } }
        } @else {
            nav aria-label="Areas" {
                ul.chips {
                    @for tag in &tags { li { a.chip href={ "#" (anchor(tag)) } { (tag) } } }
                }
            }
        }
        @for tag in &tags {
            section.card.area aria-labelledby=(anchor(tag)) {
                h2 id=(anchor(tag)) { (tag) }
                @for operation in operations.iter().filter(|operation| operation.tag() == *tag) {
                    (entry(document, operation, base, !words.is_empty() && operations.len() == 1))
                }
            }
        }
    };
    layout::shell("API reference", &content)
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let each = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, told)| Operation { method, path, told })
    });
    each.collect()
}

fn about(document: &Value, base: &str) -> Markup {
    let text = document["info"]["description"].as_str().unwrap_or_default();
    html! {
        section.card.stack {
            @for paragraph in text.split("\n\n") { p { (prose(paragraph)) } }
            p { "Every call carries a key:" }
            pre tabindex="0" { code { "curl -H \"Authorization: Bearer $HOPCART_KEY\" " (base) "/links" } }
        }
    }
}

/// Text in which backquotes set code apart.
fn prose(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn anchor(tag: &str) -> String {
    tag.to_lowercase().replace(' ', "-")
}

fn entry(document: &Value, operation: &Operation<'_>, base: &str, is_open: bool) -> Markup {
    let method = operation.method.to_uppercase();
    let body = &operation.told["requestBody"]["content"]["application/json"];
    html! {
        details.operation id=(operation.id()) open[is_open] {
            summary {
                span class={ "method " (operation.method) } { (method) }
                code.path { (operation.path) }
                span.what { (prose(operation.text("summary"))) }
            }
            @if !operation.text("description").is_empty() { p { (prose(operation.text("description"))) } }
            (parameters(document, operation))
            @if !body.is_null() { (fields("Body", document, &body["schema"])) }
            h3 { "Call" }
            pre tabindex="0" { code { (curl(operation, base)) } }
            (answers(document, operation))
        }
    }
}

fn parameters(document: &Value, operation: &Operation<'_>) -> Markup {
    let all = operation.told["parameters"].as_array().into_iter().flatten();
    let all: Vec<&Value> = all.map(|parameter| resolved(document, parameter)).collect();
    html! {
        @if !all.is_empty() {
            h3 { "Parameters" }
            div.wide tabindex="0" {
                table.plain {
                    thead { tr { th scope="col" { "Name" } th scope="col" { "In" } th scope="col" { "What" } } }
                    tbody {
                        @for parameter in all {
                            tr {
                                th scope="row" {
                                    code { (parameter["name"].as_str().unwrap_or_default()) }
                                    @if parameter["required"] == true { " " b { "needed" } }
                                }
                                td { (parameter["in"].as_str().unwrap_or_default()) }
                                td { (kind(&parameter["schema"])) (note(parameter)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A body's or an answer's fields, as a table.
fn fields(title: &str, document: &Value, schema: &Value) -> Markup {
    let mut rows = Vec::new();
    list(document, schema, "", 0, &mut rows);
    html! {
        @if !rows.is_empty() {
            h3 { (title) }
            div.wide tabindex="0" {
                table.plain {
                    thead { tr { th scope="col" { "Field" } th scope="col" { "What" } } }
                    tbody {
                        @for (name, is_required, schema) in rows {
                            tr {
                                th scope="row" { code { (name) } @if is_required { " " b { "needed" } } }
                                td { (kind(schema)) (note(schema)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn list<'a>(
    document: &'a Value,
    schema: &'a Value,
    prefix: &str,
    depth: usize,
    rows: &mut Vec<(String, bool, &'a Value)>,
) {
    let schema = core(document, schema);
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let full = format!("{prefix}{name}");
        let is_list = core(document, field)["type"] == "array" || core(document, field)["items"].is_object();
        rows.push((full.clone(), required.contains(&name.as_str()), field));
        if depth < DEPTH_MAX {
            let step = if is_list { "[]." } else { "." };
            list(document, field, &format!("{full}{step}"), depth + 1, rows);
        }
    }
}

/// What a schema is about: behind references, lists, and what may be null.
fn core<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = resolved(document, schema);
    if let Some(branches) = schema["anyOf"].as_array()
        && let [one, other] = &branches[..]
        && other["type"] == "null"
    {
        return core(document, one);
    }
    match schema["items"].is_object() {
        true if schema["properties"].is_null() => core(document, &schema["items"]),
        _ => schema,
    }
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
    reference
        .and_then(|pointer| document.pointer(pointer))
        .unwrap_or(schema)
}

/// The kind of a value in few words.
fn kind(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words
            .iter()
            .map(|word| word.as_str().map_or("null".to_owned(), str::to_owned))
            .collect();
        return words.join(" | ");
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|text| text.rsplit('/').next()) {
        return name.to_owned();
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        let kinds: Vec<String> = branches.iter().map(kind).collect();
        return kinds.join(" or ");
    }
    if schema["items"].is_object() {
        return format!("list of {}", kind(&schema["items"]));
    }
    let plain = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    };
    match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
        (Some(min), Some(max)) if max < u32::MAX.into() => format!("{plain}, {min} to {max}"),
        _ => plain,
    }
}

fn note(told: &Value) -> Markup {
    html! {
        @if let Some(text) = told["description"].as_str() { br; span.help { (prose(text)) } }
    }
}

/// The call as a shell writes it. Examples hold no apostrophe, which a shell would end the text at.
fn curl(operation: &Operation<'_>, base: &str) -> String {
    let mut query: Vec<String> = Vec::new();
    for parameter in operation.told["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "query" && parameter["required"] == true {
            query.push(format!("{0}=…", parameter["name"].as_str().unwrap_or_default()));
        }
    }
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", query.join("&"))
    };
    let mut call = match operation.method {
        "get" => "curl".to_owned(),
        method => format!("curl -X {}", method.to_uppercase()),
    };
    if operation.told["security"] != Value::Array(Vec::new()) {
        call += " -H \"Authorization: Bearer $HOPCART_KEY\"";
    }
    let content = &operation.told["requestBody"]["content"];
    if let Some(example) = content["application/json"].get("example") {
        call += &format!(" \\\n  -H \"Content-Type: application/json\" -d '{example}'");
    } else if content["text/csv"].is_object() {
        call += " \\\n  -H \"Content-Type: text/csv\" --data-binary @file.csv";
    }
    format!("{call} \\\n  \"{base}{}{query}\"", operation.path)
}

fn answers(document: &Value, operation: &Operation<'_>) -> Markup {
    let none = Map::new();
    let responses = operation.told["responses"].as_object().unwrap_or(&none);
    let good = responses.iter().filter(|(status, _)| status.starts_with('2'));
    let refused: Vec<&String> = responses.keys().filter(|status| !status.starts_with('2')).collect();
    html! {
        @for (status, response) in good {
            @for (media, content) in response["content"].as_object().into_iter().flatten() {
                h3 { (status) " " span.help { (media) } }
                @if let Some(example) = content.get("example") {
                    pre.answer tabindex="0" { code { (serde_json::to_string_pretty(example).unwrap_or_default()) } }
                }
                @if media == "application/json" {
                    details.fields-of {
                        summary { "What its fields say" }
                        (fields("Fields", document, &content["schema"]))
                    }
                }
            }
        }
        h3 { "Refusals" }
        p.help {
            @for (place, status) in refused.iter().enumerate() {
                @if place > 0 { " · " }
                (status) " " (prose(resolved(document, &responses[*status])["description"].as_str().unwrap_or_default()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::web::pages::tags;

    fn document() -> Value {
        json!({
            "info": { "summary": "One trip.", "description": "First.\n\nSecond." },
            "tags": [{ "name": "Links" }, { "name": "Code pools" }],
            "paths": {
                "/links": {
                    "get": { "operationId": "listLinks", "tags": ["Links"], "summary": "List links", "parameters": [
                        { "name": "search", "in": "query", "required": false, "schema": { "type": "string" } }],
                        "responses": { "200": { "description": "Done.", "content": { "application/json": {
                            "schema": { "type": "array", "items": { "$ref": "#/components/schemas/Link" } },
                            "example": [{ "id": "<b>" }] } } },
                            "401": { "$ref": "#/components/responses/Unauthorized" } } },
                    "post": { "operationId": "createLink", "tags": ["Links"], "summary": "Make a link",
                        "parameters": [], "responses": {},
                        "requestBody": { "content": { "application/json": {
                            "schema": { "$ref": "#/components/schemas/Link" }, "example": { "id": "a" } } } } },
                },
                "/pools": { "get": { "operationId": "listPools", "tags": ["Code pools"], "summary": "List pools",
                    "parameters": [], "responses": {}, "security": [] } },
            },
            "components": {
                "schemas": { "Link": { "type": "object", "required": ["id"], "properties": {
                    "id": { "type": "string", "description": "Its <id>." } } } },
                "responses": { "Unauthorized": { "description": "No key." } },
            },
        })
    }

    #[test]
    fn every_operation_stands_under_its_area_with_its_call() {
        let page = reference_page(&document(), "http://127.0.0.1:8081", "");
        tags::assert_sound(&page);
        for part in [
            "id=\"listLinks\"",
            "id=\"createLink\"",
            "id=\"listPools\"",
            "href=\"#code-pools\"",
            "curl -X POST -H &quot;Authorization: Bearer $HOPCART_KEY&quot;",
            "Its &lt;id&gt;.",
            "401 No key.",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(
            !page.contains("<script") && !page.contains("style="),
            "it is sent under the strict policy"
        );
        let own = page.split("id=\"listPools\"").nth(1).expect("the last entry");
        assert!(!own.contains("Authorization: Bearer"), "what is open needs no key");
    }

    #[test]
    fn a_search_leaves_what_has_every_word() {
        for (search, ids) in [
            ("links", vec!["listLinks", "createLink"]),
            ("POST links", vec!["createLink"]),
            ("search", vec!["listLinks"]),
            ("pool", vec!["listPools"]),
            ("nothing at all", vec![]),
        ] {
            let page = reference_page(&document(), "http://h", search);
            tags::assert_sound(&page);
            for id in ["listLinks", "createLink", "listPools"] {
                assert_eq!(
                    page.contains(&format!("id=\"{id}\"")),
                    ids.contains(&id),
                    "{search}: {id}"
                );
            }
        }
        assert!(reference_page(&document(), "http://h", "\"><b>").contains("value=\"&quot;&gt;&lt;b&gt;\""));
    }
}
