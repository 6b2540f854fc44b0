//! Our own export as a table: the columns that an import reads, and some for people. A cell that a spreadsheet would take
//! for a formula begins with an apostrophe, which an import takes away again.

use serde_json::{Map, Value};

use super::cell::quoted;
use super::column::{self, Kind};
use crate::integrations::formula::harmless;

/// Columns that tell people how a link fared; an import passes them over.
const FOR_PEOPLE: [&str; 9] = [
    "id",
    "shortLink",
    "clicks",
    "leads",
    "sales",
    "saleAmounts",
    "lastClicked",
    "updatedAt",
    "notExported",
];

/// The columns' names.
pub fn header() -> Vec<&'static str> {
    columns().collect()
}

fn columns() -> impl Iterator<Item = &'static str> {
    let told = column::names().filter(|(_, kind)| !matches!(kind, Kind::Address | Kind::Addresses));
    let told = told.map(|(field, _)| field).filter(|field| *field != "disabled");
    told.chain(FOR_PEOPLE)
}

/// The cells of a link, as the API answers it with `folder` and `refs` beside.
pub fn row(link: &Map<String, Value>) -> Vec<String> {
    columns().map(|name| cell(link.get(name))).collect()
}

/// A line of cells, such as [`row`] has them, with its end.
pub fn line<I: IntoIterator<Item = T>, T: AsRef<[u8]>>(cells: I) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Memory takes everything.
    let _ = writer.write_record(cells);
    writer.into_inner().unwrap_or_default()
}

/// A value as a cell: texts as they are, lists and objects as JSON, nothing as nothing.
pub fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => harmless(&quoted(text)),
        Some(Value::Array(items)) if items.is_empty() => String::new(),
        Some(Value::Object(fields)) if fields.is_empty() => String::new(),
        Some(other) => other.to_string(),
    }
}
