//! What people call the ids in an answer of the API.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::books;
use crate::domain::id::WorkspaceNo;
use crate::flows::{Error, publish_link};
use crate::web::api::Api;
use crate::web::pages::Names;

/// Ids of one kind that are looked up for one page: far more than a page shows.
const LOOKED_UP_MAX: usize = 1_000;

#[derive(Default)]
struct Ids {
    creators: BTreeSet<String>,
    links: BTreeSet<String>,
    stores: BTreeSet<String>,
}

impl Ids {
    /// Takes every id out of `answer`, however deep it is.
    fn learn(&mut self, answer: &Value) {
        match answer {
            Value::String(text) => {
                let kind = match text.split_once('_').map(|(prefix, _)| prefix) {
                    Some("pn") => &mut self.creators,
                    Some("link") => &mut self.links,
                    Some("store") => &mut self.stores,
                    _ => return,
                };
                if kind.len() < LOOKED_UP_MAX {
                    kind.insert(text.clone());
                }
            }
            Value::Array(parts) => parts.iter().for_each(|part| self.learn(part)),
            Value::Object(fields) => fields.values().for_each(|part| self.learn(part)),
            _ => {}
        }
    }
}

/// The names of all that `answer` mentions; what is gone has none.
pub(super) async fn of(api: &Api, workspace: WorkspaceNo, answer: &Value) -> Result<Names, Error> {
    let mut ids = Ids::default();
    ids.learn(answer);
    let named = api.context.books().read(move |view| {
        let mut names = Names::default();
        for id in ids.creators {
            if let Some(creator) = books::creator::by_id(view, workspace, &id)? {
                names.creators.insert(id, (creator.terms.name, creator.terms.niche));
            }
        }
        for id in ids.links {
            match publish_link::find(view, workspace, &id) {
                Ok(link) => {
                    names.links.insert(id, link.slug);
                }
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for id in ids.stores {
            if let Some(store) = books::store::by_id(view, workspace, &id)? {
                names.stores.insert(id, store.name);
            }
        }
        Ok(names)
    });
    named.await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_are_found_wherever_they_are() {
        let mut ids = Ids::default();
        ids.learn(&json!([{ "a": "pn_1", "b": [{ "c": "link_2" }, null, 7] }, "store_3", "pn_1", "ord_4", "plain"]));
        let found = [ids.creators, ids.links, ids.stores].map(|ids| ids.into_iter().collect::<Vec<_>>().join(" "));
        assert_eq!(found, ["pn_1", "link_2", "store_3"]);
    }
}
