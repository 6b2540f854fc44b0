//! A link as the dialect's API answers it: Dub's, and our own with what stands behind its ids.

use serde_json::{Map, Value};

use super::cell::instant;
use super::column::{self, Kind};
use super::draft::{Draft, FileTag};
use super::error::FieldError;

/// What the dialect has and links here have not: named when it is switched on.
const NOT_HERE: [&str; 3] = ["rewrite", "doIndex", "publicStats"];

/// Reads an answer. What only tells how a link fared (clicks, sales) is passed over.
pub fn read(mut object: Map<String, Value>) -> Result<Draft, FieldError> {
    let mut draft = Draft::default();
    for (field, kind) in column::names() {
        let Some(value) = object.remove(field).filter(|value| !value.is_null()) else {
            continue;
        };
        match (kind, value) {
            (Kind::Address | Kind::Addresses, _) => {}
            (Kind::Off, _) => draft.set("disabled", true),
            (Kind::Tags, Value::Array(items)) => draft.tags = Some(tags(&items)),
            (Kind::Folder, Value::String(name)) => draft.folder = Some(name).filter(|name| !name.is_empty()),
            (Kind::Refs, Value::Object(refs)) => draft.refs = refs,
            (Kind::Instant, Value::String(text)) => draft.set(field, instant(field, &text)?),
            (Kind::Tags | Kind::Folder | Kind::Refs, _) => {
                return Err(FieldError::new(field, "is not as exports have it"));
            }
            (_, value) => draft.set(field, value),
        }
    }
    for name in NOT_HERE {
        if object.get(name) == Some(&Value::Bool(true)) {
            draft.note(format!("{name} is not taken over: links here have no such switch"));
        }
    }
    if let Some(Value::String(id)) = object.get("folderId")
        && draft.folder.is_none()
    {
        draft.note(format!("folder {id} is not taken over: the file does not say its name"));
    }
    if object
        .get("webhookIds")
        .and_then(Value::as_array)
        .is_some_and(|ids| !ids.is_empty())
    {
        draft.note("webhooks are not taken over: they are set for the workspace");
    }
    without_plain_defaults(&mut draft);
    Ok(draft)
}

/// Takes out what says what a new link is anyway.
pub fn without_plain_defaults(draft: &mut Draft) {
    draft.fields.retain(|name, value| match value {
        Value::Bool(false) => name == "caseSensitive",
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    });
}

/// Tags as answers have them, or by their names alone.
pub fn tags(items: &[Value]) -> Vec<FileTag> {
    let read = |item: &Value| {
        let name = item.as_str().or_else(|| item["name"].as_str())?;
        Some(FileTag {
            name: name.to_owned(),
            color: item["color"].as_str().map(str::to_owned),
        })
    };
    items.iter().filter_map(read).collect()
}
