//! What the server knows by name: tags and folders, which are made when they are missing, and the partners, stores,
//! campaigns and code pools that ids of another server stand for.

use std::collections::{BTreeSet, HashMap};

use hyper::Method;
use serde_json::{Map, Value, json};

use crate::cli::api::{Api, CallError, query, segment};
use crate::cli::failure::Failure;
use crate::integrations::link_file::{Draft, FileTag};

/// Rows of one call for a list; the API allows 100.
const PAGE_SIZE: usize = 100;
/// Most lists' pages that are read for a name: 100,000 things.
const PAGES_MAX: usize = 1_000;
/// Ids that are remembered: some 20 MB; beyond it they are asked for again.
const REMEMBERED_MAX: usize = 100_000;
/// Names that a dry run says it would make.
const SAID_MAX: usize = 10;

/// What is wrong with a row: field and message.
type Problem = (String, String);

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Partner,
    Campaign,
    Pool,
    Store,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Partner, Self::Campaign, Self::Pool, Self::Store];

    /// As exports name it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Campaign => "campaign",
            Self::Pool => "codePool",
            Self::Store => "store",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Partner => "/partners",
            Self::Campaign => "/campaigns",
            Self::Pool => "/discount-codes/pools",
            Self::Store => "/stores",
        }
    }

    /// The field of a link that holds such an id, in carts too.
    fn field(self) -> &'static str {
        match self {
            Self::Partner => "partnerId",
            Self::Campaign => "campaignId",
            Self::Pool => "codePoolId",
            Self::Store => "storeId",
        }
    }

    /// By what another server's is recognised.
    fn name(self) -> &'static str {
        match self {
            Self::Partner => "tenantId or email",
            Self::Campaign | Self::Pool => "name",
            Self::Store => "baseUrl",
        }
    }
}

/// What is known of the server.
pub struct Directory<'a> {
    api: &'a Api,
    is_dry_run: bool,
    /// By name in small letters; `Err` = why it cannot be made.
    tags: Option<HashMap<String, Result<(), String>>>,
    /// The ids; an empty one would be made.
    folders: Option<HashMap<String, Result<String, String>>>,
    /// This server's id of what is called so elsewhere.
    things: HashMap<String, Option<String>>,
    would_make: BTreeSet<String>,
}

impl<'a> Directory<'a> {
    pub fn new(api: &'a Api, is_dry_run: bool) -> Self {
        Self {
            api,
            is_dry_run,
            tags: None,
            folders: None,
            things: HashMap::new(),
            would_make: BTreeSet::new(),
        }
    }

    /// Puts this server's ids and names into `draft`, or says what is wrong.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn settle(&mut self, draft: &mut Draft, drops_unknown: bool) -> Result<Result<(), Problem>, Failure> {
        for (kind, id, about) in things_of(draft) {
            let known = self.find(kind, &id, &about).await?;
            match known {
                Some(known) if known == id => {}
                Some(known) => replace(&mut draft.fields, &id, &known.into()),
                None if drops_unknown && kind != Kind::Store => {
                    let what = called(&id, &about);
                    let note = format!("{} {what} is not known here: the link has none", kind.as_str());
                    draft.notes.push(note);
                    draft.fields.retain(|_, value| value.as_str() != Some(id.as_str()));
                    replace(&mut draft.fields, &id, &Value::Null);
                }
                None => return Ok(Err(unknown(kind, &id, &about))),
            }
        }
        if let Some(tags) = draft.tags.take() {
            match self.tags(tags).await? {
                Ok(names) => draft.fields.insert("tagNames".to_owned(), names.into()),
                Err(message) => return Ok(Err(("tags".to_owned(), message))),
            };
        }
        if let Some(name) = draft.folder.take() {
            match self.folder(&name).await? {
                Ok(id) if id.is_empty() => None,
                Ok(id) => draft.fields.insert("folderId".to_owned(), id.into()),
                Err(message) => return Ok(Err(("folder".to_owned(), message))),
            };
        }
        Ok(Ok(()))
    }

    /// What a dry run found missing that would be made; `None` = nothing.
    pub fn would_make(&self) -> Option<String> {
        let names: Vec<&str> = self.would_make.iter().take(SAID_MAX).map(String::as_str).collect();
        let more = self.would_make.len().saturating_sub(SAID_MAX);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        (!names.is_empty()).then(|| format!("would also make: {}{more}", names.join(", ")))
    }

    /// The names of `tags`, which are there then; a dry run leaves out those that are not.
    async fn tags(&mut self, tags: Vec<FileTag>) -> Result<Result<Vec<String>, String>, Failure> {
        let mut known = match self.tags.take() {
            Some(known) => known,
            None => {
                let listed = self.all("/tags").await?;
                listed
                    .iter()
                    .filter_map(|tag| Some((small(&tag["name"])?, Ok(()))))
                    .collect()
            }
        };
        let mut names = Vec::new();
        let mut problem = None;
        for tag in tags {
            let made = match known.get(&tag.name.to_ascii_lowercase()) {
                Some(made) => made.clone(),
                None if self.is_dry_run => {
                    self.would_make.insert(format!("tag {}", tag.name));
                    continue;
                }
                None => {
                    let mut body = json!({ "name": tag.name });
                    if let Some(color) = &tag.color {
                        body["color"] = json!(color);
                    }
                    let made = self.make("/tags", &body).await?.map(|_| ());
                    known.insert(tag.name.to_ascii_lowercase(), made.clone());
                    made
                }
            };
            match made {
                Ok(()) => names.push(tag.name),
                Err(message) => problem = Some(format!("{}: {message}", tag.name)),
            }
        }
        self.tags = Some(known);
        Ok(problem.map_or(Ok(names), Err))
    }

    /// The id of the folder called `name`, which is there then.
    async fn folder(&mut self, name: &str) -> Result<Result<String, String>, Failure> {
        let mut known = match self.folders.take() {
            Some(known) => known,
            None => {
                let listed = self.all("/folders").await?;
                let pair = |folder: &Value| Some((small(&folder["name"])?, Ok(folder["id"].as_str()?.to_owned())));
                listed.iter().filter_map(pair).collect()
            }
        };
        let found = match known.get(&name.to_ascii_lowercase()) {
            Some(found) => found.clone(),
            None if self.is_dry_run => {
                self.would_make.insert(format!("folder {name}"));
                Ok(String::new())
            }
            None => {
                let made = self.make("/folders", &json!({ "name": name })).await?;
                let made = made.map(|made| made["id"].as_str().unwrap_or_default().to_owned());
                known.insert(name.to_ascii_lowercase(), made.clone());
                made
            }
        };
        self.folders = Some(known);
        Ok(found)
    }

    /// Makes a tag or a folder; `Err` = why the server will not have it.
    async fn make(&self, path: &str, body: &Value) -> Result<Result<Value, String>, Failure> {
        match self.api.try_call(Method::POST, path, Some(body)).await {
            Ok(reply) => Ok(Ok(reply.value)),
            // Somebody else made it.
            Err(CallError::Refused { status: 409, .. }) if path == "/tags" => Ok(Ok(Value::Null)),
            Err(CallError::Refused {
                status: 409 | 422,
                message,
                ..
            }) => Ok(Err(message)),
            Err(error) => Err(self.api.explain(&Method::POST, path, error)),
        }
    }

    /// This server's id of what is called `id` in the file.
    async fn find(&mut self, kind: Kind, id: &str, about: &Value) -> Result<Option<String>, Failure> {
        let place = format!("{} {id} {about}", kind.as_str());
        if let Some(found) = self.things.get(&place) {
            return Ok(found.clone());
        }
        let found = match self.by_id(kind, id).await? {
            Some(found) => Some(found),
            None => self.by_name(kind, id, about).await?,
        };
        if self.things.len() >= REMEMBERED_MAX {
            self.things.clear();
        }
        self.things.insert(place, found.clone());
        Ok(found)
    }

    async fn by_id(&self, kind: Kind, id: &str) -> Result<Option<String>, Failure> {
        let path = format!("{}/{}", kind.path(), segment(id));
        match self.api.try_call(Method::GET, &path, None).await {
            Ok(reply) => Ok(reply.value["id"].as_str().map(str::to_owned)),
            Err(CallError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(self.api.explain(&Method::GET, &path, error)),
        }
    }

    async fn by_name(&self, kind: Kind, id: &str, about: &Value) -> Result<Option<String>, Failure> {
        // Tables that people make name the thing where we have its id.
        let told = |name: &str| about[name].as_str().or(about.is_null().then_some(id));
        let is_same = |thing: &Value| match kind {
            Kind::Partner => false,
            Kind::Campaign | Kind::Pool => told("name").is_some_and(|name| thing["name"] == name),
            Kind::Store => told("baseUrl").is_some_and(|url| thing["baseUrl"] == url),
        };
        if kind != Kind::Partner {
            let found = self.all(kind.path()).await?.into_iter().find(is_same);
            return Ok(found.and_then(|thing| thing["id"].as_str().map(str::to_owned)));
        }
        for name in ["tenantId", "email"] {
            if let Some(text) = told(name) {
                let path = format!("/partners{}", query(&[(name, Some(text)), ("pageSize", Some("1"))]));
                let reply = self.api.call(Method::GET, &path, None).await?;
                if let Some(found) = reply.value[0]["id"].as_str() {
                    return Ok(Some(found.to_owned()));
                }
            }
        }
        Ok(None)
    }

    /// Every row of a list.
    async fn all(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let (mut all, size) = (Vec::new(), PAGE_SIZE.to_string());
        // Stores are few, and listed at once.
        let pages = if path == "/stores" { 1 } else { PAGES_MAX };
        for page in 1..=pages {
            let number = page.to_string();
            let pairs = [("page", Some(number.as_str())), ("pageSize", Some(size.as_str()))];
            let pairs = if path == "/stores" { &[][..] } else { &pairs[..] };
            let mut reply = self
                .api
                .call(Method::GET, &format!("{path}{}", query(pairs)), None)
                .await?;
            let Some(rows) = reply.value.as_array_mut() else { break };
            let is_last = rows.len() < PAGE_SIZE;
            all.append(rows);
            if is_last {
                break;
            }
        }
        Ok(all)
    }
}

fn small(name: &Value) -> Option<String> {
    name.as_str().map(str::to_ascii_lowercase)
}

/// The ids that `draft` holds and what they stand for: what the export says of them, or only where they stand.
fn things_of(draft: &Draft) -> Vec<(Kind, String, Value)> {
    let told = draft.refs.iter().filter_map(|(id, about)| {
        let kind = Kind::ALL.into_iter().find(|kind| about["kind"] == kind.as_str())?;
        Some((kind, id.clone(), about.clone()))
    });
    let mut things: Vec<_> = told.collect();
    things.sort_by_key(|(kind, ..)| *kind as u8);
    for kind in [Kind::Partner, Kind::Campaign] {
        if let Some(id) = draft.text(kind.field())
            && !things.iter().any(|(known, other, _)| *known == kind && other == id)
        {
            things.push((kind, id.to_owned(), Value::Null));
        }
    }
    things
}

/// How a person would say what `id` stands for.
fn called(id: &str, about: &Value) -> String {
    let names = ["tenantId", "email", "baseUrl", "name"];
    match names.iter().find_map(|name| about[*name].as_str()) {
        Some(name) => format!("{id} ({name})"),
        None => id.to_owned(),
    }
}

fn unknown(kind: Kind, id: &str, about: &Value) -> Problem {
    let field = match kind {
        Kind::Partner | Kind::Campaign => kind.field().to_owned(),
        Kind::Pool | Kind::Store => format!("cart.{}", kind.field()),
    };
    let other = if kind == Kind::Store {
        ""
    } else {
        ", or import with --drop-unknown"
    };
    let message = format!(
        "{} is not known here: make it first, with the same {} (POST {}){other}",
        called(id, about),
        kind.name(),
        kind.path()
    );
    (field, message)
}

/// Puts `new` where the text `old` stands as a whole value, however deep.
fn replace(fields: &mut Map<String, Value>, old: &str, new: &Value) {
    fn within(value: &mut Value, old: &str, new: &Value) {
        match value {
            Value::String(text) if text == old => *value = new.clone(),
            Value::Array(items) => items.iter_mut().for_each(|item| within(item, old, new)),
            Value::Object(fields) => replace(fields, old, new),
            _ => {}
        }
    }
    fields.values_mut().for_each(|value| within(value, old, new));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_wherever_they_stand() {
        let fields = json!({
            "partnerId": "pn_1", "title": "pn_1 of old", "cart": { "storeId": "store_1", "codePoolId": "pool_1" },
            "rules": [{ "cart": { "storeId": "store_1" } }],
        });
        let mut draft = Draft {
            fields: fields.as_object().cloned().expect("an object"),
            ..Draft::default()
        };
        assert_eq!(things_of(&draft), [(Kind::Partner, "pn_1".to_owned(), Value::Null)]);
        let about = json!({ "kind": "store", "baseUrl": "https://shop.example" });
        draft.refs.insert("store_1".to_owned(), about.clone());
        draft.refs.insert("x".to_owned(), json!({ "kind": "planet" }));
        assert_eq!(things_of(&draft).len(), 2);
        replace(&mut draft.fields, "store_1", &json!("store_9"));
        replace(&mut draft.fields, "pool_1", &Value::Null);
        assert_eq!(
            Value::Object(draft.fields),
            json!({
                "partnerId": "pn_1", "title": "pn_1 of old", "cart": { "storeId": "store_9", "codePoolId": null },
                "rules": [{ "cart": { "storeId": "store_9" } }],
            })
        );
        let (field, message) = unknown(Kind::Store, "store_1", &about);
        assert_eq!(field, "cart.storeId");
        assert!(
            message.starts_with("store_1 (https://shop.example) is not known here"),
            "{message}"
        );
        assert!(!message.contains("--drop-unknown"), "a cart without a shop is none");
    }
}
