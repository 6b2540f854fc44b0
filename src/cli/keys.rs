//! `hopcart keys`: makes, lists and revokes API keys over the API.

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
    },
    /// List keys: their heads, never the keys
    List,
    /// Revoke a key: from then on it opens nothing
    Revoke {
        /// Its id, as `keys list` shows it
        id: String,
    },
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
            Command::Create { name, workspace } => {
                let body = create_body(name, workspace.as_deref());
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
    let mut rows = table(&["id", "name", "begins with", "workspace", "owner", "created"]);
    for key in keys.as_array().map_or(&[][..], Vec::as_slice) {
        let owner = if key["isOwner"] == true { "yes" } else { "" };
        rows.add_row([
            cell(&key["id"]),
            cell(&key["name"]),
            cell(&key["hint"]),
            cell(&key["workspaceId"]),
            owner.to_owned(),
            minute(&key["createdAt"]),
        ]);
    }
    rows.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_show_heads_only() {
        let text = list(
            &json!([{"id": "key_1", "name": "team", "hint": "hop_1234", "workspaceId": "ws_1",
            "isOwner": true, "createdAt": "2026-11-21T09:53:00.123Z"}]),
        );
        for part in ["key_1", "team", "hop_1234", "ws_1", "yes", "2026-11-21 09:53"] {
            assert!(text.contains(part), "{part}: {text}");
        }
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
