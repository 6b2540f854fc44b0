//! What the ids in a link stand for, so that another server finds its own partner, store, campaign or code pool.

use std::collections::HashMap;

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::cli::api::{Api, CallError, segment};
use crate::cli::failure::Failure;

/// Things that are remembered: some 30 MB; beyond it they are asked for again.
const REMEMBERED_MAX: usize = 100_000;

/// Fields that hold ids, wherever they stand: how the thing is called, its path, and by what it is recognised.
const FIELDS: [(&str, &str, &str, &[&str]); 4] = [
    ("partnerId", "partner", "/partners", &["name", "tenantId", "email"]),
    ("campaignId", "campaign", "/campaigns", &["name"]),
    ("storeId", "store", "/stores", &["name", "baseUrl"]),
    ("codePoolId", "codePool", "/discount-codes/pools", &["name"]),
];

/// What was asked for so far.
pub struct Refs<'a> {
    api: &'a Api,
    /// By path; `Null` = it is gone.
    known: HashMap<String, Value>,
}

impl<'a> Refs<'a> {
    pub fn new(api: &'a Api) -> Self {
        Self {
            api,
            known: HashMap::new(),
        }
    }

    /// By id, what `link` names.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn of(&mut self, link: &Value) -> Result<Map<String, Value>, Failure> {
        let mut ids = Vec::new();
        gather(link, &mut ids);
        let mut refs = Map::new();
        for (field, id) in ids {
            let Some((_, kind, path, names)) = FIELDS.iter().find(|(name, ..)| *name == field) else {
                continue;
            };
            let thing = self.ask(format!("{path}/{}", segment(&id))).await?;
            if thing.is_null() {
                continue;
            }
            let mut about = json!({ "kind": kind });
            for name in names.iter().filter(|name| thing[**name].is_string()) {
                about[*name] = thing[*name].clone();
            }
            refs.insert(id, about);
        }
        Ok(refs)
    }

    /// The name of a folder.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn folder(&mut self, id: &str) -> Result<Option<String>, Failure> {
        let place = "/folders".to_owned();
        if !self.known.contains_key(&place) {
            let mut names = Map::new();
            for page in 1.. {
                let path = format!("{place}?page={page}&pageSize=100");
                let reply = self.api.call(Method::GET, &path, None).await?;
                let folders = reply.value.as_array().map_or(&[][..], Vec::as_slice);
                names.extend(
                    folders
                        .iter()
                        .filter_map(|it| Some((it["id"].as_str()?.to_owned(), it["name"].clone()))),
                );
                if folders.len() < 100 {
                    break;
                }
            }
            self.known.insert(place.clone(), Value::Object(names));
        }
        Ok(self.known[&place][id].as_str().map(str::to_owned))
    }

    async fn ask(&mut self, path: String) -> Result<Value, Failure> {
        if let Some(known) = self.known.get(&path) {
            return Ok(known.clone());
        }
        let thing = match self.api.try_call(Method::GET, &path, None).await {
            Ok(reply) => reply.value,
            Err(CallError::Refused { status: 404, .. }) => Value::Null,
            Err(error) => return Err(self.api.explain(&Method::GET, &path, error)),
        };
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        let told = ["name", "tenantId", "email", "baseUrl"].map(|name| (name.to_owned(), thing[name].clone()));
        let kept = if thing.is_null() {
            thing
        } else {
            Value::Object(told.into_iter().collect())
        };
        self.known.insert(path, kept.clone());
        Ok(kept)
    }
}

/// The ids in `value`, each with the field that it stands in.
fn gather(value: &Value, ids: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(id) if FIELDS.iter().any(|(field, ..)| field == name) && !id.is_empty() => {
                        ids.push((name.clone(), id.to_owned()));
                    }
                    _ => gather(value, ids),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, ids)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_wherever_they_stand() {
        let mut ids = Vec::new();
        gather(
            &json!({
                "partnerId": "pn_1", "campaignId": null, "id": "link_1",
                "rules": [{ "cart": { "storeId": "store_1", "codePoolId": "" } }],
            }),
            &mut ids,
        );
        let ids: Vec<(&str, &str)> = ids.iter().map(|(field, id)| (field.as_str(), id.as_str())).collect();
        assert_eq!(ids, [("partnerId", "pn_1"), ("storeId", "store_1")]);
    }
}
