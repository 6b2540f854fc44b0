//! `hopcart keys`: makes, lists, changes and revokes API keys over the API.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::api::{Connection, segment};
use super::failure::Failure;
use super::terminal::{cell, minute, note, say, say_raw, table, wait_for};

/// `hopcart keys`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Print exactly what the API answers
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key; it is shown this once
    Create {
        /// What the key is for, such as "checkout team"
        #[arg(long)]
        name: String,
        /// Workspace that the key opens; without it, the caller's own
        #[arg(long, value_name = "ID")]
        workspace: Option<String>,
        /// Make a publishable key, which pages of --origin may show; it tells of conversions and no more
        #[arg(long, requires = "origin")]
        publishable: bool,
        /// Where a publishable key may be used, such as https://shop.example; may be given several times
        #[arg(long, value_name = "ORIGIN", requires = "publishable")]
        origin: Vec<String>,
        #[command(flatten)]
        bounds: Bounds,
    },
    /// Change what a key may do, until when and how often; it holds from the next call on
    Update {
        /// Its id, as `keys list` shows it
        id: String,
        /// A new name
        #[arg(long)]
        name: Option<String>,
        /// Let it do everything again
        #[arg(long, conflicts_with = "scope")]
        every_scope: bool,
        /// Let it never expire
        #[arg(long, conflicts_with = "expires")]
        never_expires: bool,
        #[command(flatten)]
        bounds: Bounds,
    },
    /// List keys: their heads, never the keys
    List,
    /// Revoke a key: from then on it opens nothing
    Revoke {
        /// Its id, as `keys list` shows it
        id: String,
    },
}

/// What a key may do, until when, and how often.
#[derive(Debug, Args, Default)]
struct Bounds {
    /// What it may do, such as links.read; may be given several times. Without one, everything
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// When it ends, such as 2027-01-01T00:00:00Z
    #[arg(long, value_name = "INSTANT")]
    expires: Option<String>,
    /// Calls a minute, 0 for no bound; without it, as the server is configured
    #[arg(long, value_name = "CALLS")]
    calls_per_minute: Option<u32>,
}

impl Bounds {
    fn write(&self, body: &mut Value) {
        if !self.scope.is_empty() {
            body["scopes"] = json!(self.scope);
        }
        if let Some(expires) = &self.expires {
            body["expiresAt"] = json!(expires);
        }
        if let Some(calls) = self.calls_per_minute {
            body["callsPerMinute"] = json!(calls);
        }
    }
}

/// Does what was asked for.
///
/// # Errors
/// What the API refused, or that it cannot be reached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let api = arguments.connection.open()?;
    let is_json = arguments.json;
    wait_for(async {
        match &arguments.command {
            Command::Create {
                name,
                workspace,
                origin,
                bounds,
                ..
            } => {
                let mut body = create_body(name, workspace.as_deref());
                if !origin.is_empty() {
                    body["kind"] = json!("publishable");
                    body["origins"] = json!(origin);
                }
                bounds.write(&mut body);
                let made = api.call(Method::POST, "/keys", Some(&body)).await?;
                if is_json {
                    return say_raw(&made.body);
                }
                note(&format!(
                    "key {} (\"{}\") is shown this once: keep it safe, only its hash is stored",
                    cell(&made.value["id"]),
                    cell(&made.value["name"])
                ));
                say(&cell(&made.value["key"]))
            }
            Command::Update {
                id,
                name,
                every_scope,
                never_expires,
                bounds,
            } => {
                let mut body = json!({});
                if let Some(name) = name {
                    body["name"] = json!(name);
                }
                for (field, is_lifted) in [("scopes", every_scope), ("expiresAt", never_expires)] {
                    if *is_lifted {
                        body[field] = Value::Null;
                    }
                }
                bounds.write(&mut body);
                let path = format!("/keys/{}", segment(id));
                let changed = api.call(Method::PATCH, &path, Some(&body)).await?;
                if is_json {
                    return say_raw(&changed.body);
                }
                say(&list(&json!([changed.value])))
            }
            Command::List => {
                let reply = api.call(Method::GET, "/keys", None).await?;
                if is_json {
                    return say_raw(&reply.body);
                }
                say(&list(&reply.value))
            }
            Command::Revoke { id } => {
                let path = format!("/keys/{}", segment(id));
                let revoked = api.call(Method::DELETE, &path, None).await?;
                if is_json {
                    return say_raw(&revoked.body);
                }
                say(&format!("revoked {}", cell(&revoked.value["id"])))
            }
        }
    })
}

fn create_body(name: &str, workspace: Option<&str>) -> Value {
    match workspace {
        Some(workspace) => json!({"name": name, "workspaceId": workspace}),
        None => json!({"name": name}),
    }
}

fn list(keys: &Value) -> String {
    let mut rows = table(&[
        "id",
        "name",
        "begins with",
        "workspace",
        "may",
        "expires",
        "last used",
        "created",
    ]);
    for key in keys.as_array().map_or(&[][..], Vec::as_slice) {
        rows.add_row([
            cell(&key["id"]),
            cell(&key["name"]),
            cell(&key["hint"]),
            cell(&key["workspaceId"]),
            may(key),
            minute(&key["expiresAt"]),
            minute(&key["lastUsed"]),
            minute(&key["createdAt"]),
        ]);
    }
    rows.to_string()
}

/// What a key may do, in a few words.
fn may(key: &Value) -> String {
    if key["isOwner"] == true {
        return "everything, owns the server".to_owned();
    }
    if key["kind"] == "publishable" {
        return "tell of conversions".to_owned();
    }
    match key["scopes"].as_array() {
        Some(scopes) => scopes.iter().map(cell).collect::<Vec<_>>().join(" "),
        None => "everything".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_show_heads_only() {
        let text = list(
            &json!([{"id": "key_1", "name": "team", "hint": "hop_1234", "workspaceId": "ws_1",
            "isOwner": false, "scopes": ["links.read", "tags.write"], "createdAt": "2026-11-21T09:53:00.123Z"}]),
        );
        for part in [
            "key_1",
            "team",
            "hop_1234",
            "ws_1",
            "links.read tags.write",
            "2026-11-21 09:53",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_a_key_may_do_is_told_and_sent() {
        for (key, told) in [
            (json!({ "isOwner": true }), "everything, owns the server"),
            (json!({ "kind": "publishable" }), "tell of conversions"),
            (json!({ "kind": "secret", "scopes": null }), "everything"),
        ] {
            assert_eq!(may(&key), told);
        }
        let mut body = json!({});
        Bounds::default().write(&mut body);
        assert_eq!(body, json!({}));
        let bounds = Bounds {
            scope: vec!["links.read".into()],
            expires: Some("2027-01-01".into()),
            calls_per_minute: Some(0),
        };
        bounds.write(&mut body);
        let expected = json!({ "scopes": ["links.read"], "expiresAt": "2027-01-01", "callsPerMinute": 0 });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_workspace_is_sent_only_when_given() {
        assert_eq!(create_body("a", None), json!({"name": "a"}));
        assert_eq!(
            create_body("a", Some("ws_1")),
            json!({"name": "a", "workspaceId": "ws_1"})
        );
    }
}
