//! A row of a file becomes a link of a call: on its domain, under a name by which it is recognised, with ids of this server.

use std::collections::HashMap;

use serde_json::Value;

use super::directory::Directory;
use super::slice::Prepared;
use crate::cli::failure::Failure;
use crate::integrations::link_file::{Draft, Entry};

/// Characters of the hash in the external ids of rows that have no name: 80 bits, so that two of a billion rows hardly
/// ever share one.
const HASH_LENGTH: usize = 20;

/// What every row of a file is done with.
#[derive(Debug)]
pub struct Preparer {
    /// Where all links go.
    domain: Option<String>,
    /// Where the links of a domain go.
    moves: HashMap<String, String>,
    drops_unknown: bool,
}

impl Preparer {
    pub fn new(domain: Option<String>, moves: Vec<(String, String)>, drops_unknown: bool) -> Self {
        let moves = moves.into_iter().map(|(old, new)| (old.to_ascii_lowercase(), new));
        Self {
            domain,
            moves: moves.collect(),
            drops_unknown,
        }
    }

    /// The link of `entry`.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn prepare(&self, entry: Entry, directory: &mut Directory<'_>) -> Result<Prepared, Failure> {
        let (row, line) = (entry.row, entry.line);
        let mut draft = match entry.told {
            Ok(draft) => draft,
            Err(error) => {
                return Ok(Prepared {
                    row,
                    line,
                    link: String::new(),
                    body: Err((error.field, error.message)),
                    notes: Vec::new(),
                });
            }
        };
        self.place(&mut draft);
        name(row, &mut draft);
        let link = draft.address();
        let settled = directory.settle(&mut draft, self.drops_unknown).await?;
        Ok(Prepared {
            row,
            line,
            link,
            body: settled.map(|()| Value::Object(draft.fields)),
            notes: draft.notes,
        })
    }

    fn place(&self, draft: &mut Draft) {
        let told = draft.text("domain").map(str::to_ascii_lowercase);
        let domain = match (&self.domain, told) {
            (Some(domain), _) => Some(domain),
            (None, Some(told)) => self.moves.get(&told),
            (None, None) => None,
        };
        if let Some(domain) = domain {
            draft.fields.insert("domain".to_owned(), domain.as_str().into());
        }
    }
}

/// Gives a row that has no name of its own one by which it is recognised when the file is sent again.
fn name(row: u64, draft: &mut Draft) {
    if draft.fields.contains_key("key") || draft.fields.contains_key("externalId") {
        return;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&row.to_le_bytes());
    for (field, value) in &draft.fields {
        hasher.update(field.as_bytes());
        hasher.update(value.to_string().as_bytes());
    }
    let hash = hasher.finalize().to_hex();
    let name = format!("import-{}", &hash[..HASH_LENGTH]);
    draft.fields.insert("externalId".to_owned(), name.into());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn draft(fields: Value) -> Draft {
        Draft {
            fields: fields.as_object().cloned().expect("an object"),
            ..Draft::default()
        }
    }

    #[test]
    fn links_go_where_they_are_sent() {
        let moves = vec![("Bit.ly".to_owned(), "go.brand.example".to_owned())];
        for (domain, told, expected) in [
            (None, json!({ "domain": "bit.ly" }), Some("go.brand.example")),
            (None, json!({ "domain": "other.example" }), Some("other.example")),
            (None, json!({}), None),
            (Some("all.example"), json!({}), Some("all.example")),
            (Some("all.example"), json!({ "domain": "bit.ly" }), Some("all.example")),
        ] {
            let preparer = Preparer::new(domain.map(str::to_owned), moves.clone(), false);
            let mut draft = draft(told);
            preparer.place(&mut draft);
            assert_eq!(draft.text("domain"), expected);
        }
    }

    #[test]
    fn rows_without_a_name_get_one_that_stays() {
        let named = |row, fields| {
            let mut draft = draft(fields);
            name(row, &mut draft);
            draft.text("externalId").map(str::to_owned)
        };
        let url = || json!({ "url": "https://a.example/" });
        let first = named(1, url()).expect("a name");
        assert_eq!((named(1, url()), first.len()), (Some(first.clone()), 27));
        assert_ne!(named(2, url()), Some(first));
        assert_eq!(named(1, json!({ "key": "a" })), None);
        assert_eq!(named(1, json!({ "externalId": "a" })), Some("a".to_owned()));
    }
}
