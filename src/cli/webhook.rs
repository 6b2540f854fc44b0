//! `hopcart webhooks`: makes, lists, tries and deletes webhooks, shows what was sent and sends it again, over the API.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::api::{Api, Connection, query, segment};
use super::failure::Failure;
use super::terminal::{align_right, cell, minute, note, say, say_raw, table, wait_for};

/// Deliveries that are asked for at once: the API's largest page.
const PAGE: usize = 100;

/// `hopcart webhooks`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Print what the API answers; of several calls their answers in a list
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a webhook; its secret is shown this once
    Create {
        /// What it is called, such as "warehouse"
        #[arg(long)]
        name: String,
        /// Where events are posted, such as https://api.example.com/hooks
        #[arg(long)]
        url: String,
        /// What it is told of, such as link.created; several times
        #[arg(long = "trigger", value_name = "TRIGGER", required = true)]
        triggers: Vec<String>,
    },
    /// List webhooks with how their receivers are doing
    List,
    /// Show what was sent, the newest first
    Log {
        /// The webhook (wh_...)
        webhook: String,
        /// Only what is waiting, delivered or failed
        #[arg(long, value_name = "STATE", value_parser = ["waiting", "delivered", "failed"])]
        state: Option<String>,
    },
    /// Send again what was sent before, under the same id
    Replay {
        /// The webhook (wh_...)
        webhook: String,
        /// Ids of events (evt_...), as the log shows them
        #[arg(required_unless_present = "failed", conflicts_with = "failed")]
        events: Vec<String>,
        /// All that have failed
        #[arg(long)]
        failed: bool,
    },
    /// Send an event that never happened
    Test {
        /// The webhook (wh_...)
        webhook: String,
        /// Of what kind; without it, the first that the webhook is told of
        #[arg(long)]
        trigger: Option<String>,
    },
    /// Send to a webhook again that was disabled
    Enable {
        /// The webhook (wh_...)
        webhook: String,
    },
    /// Give a webhook a new secret; the one before signs beside it for a day
    RotateSecret {
        /// The webhook (wh_...)
        webhook: String,
    },
    /// Delete a webhook with its log
    Delete {
        /// The webhook (wh_...)
        webhook: String,
    },
}

/// Does what was asked for.
///
/// # Errors
/// What the API refused, or that it cannot be reached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let api = arguments.connection.open()?;
    wait_for(async {
        if let Command::Replay {
            webhook,
            events,
            failed,
        } = &arguments.command
        {
            let ids = match failed {
                true => failed_ids(&api, webhook).await?,
                false => events.clone(),
            };
            return replay(&api, webhook, &ids, arguments.json).await;
        }
        let (method, path, body) = call_of(&arguments.command);
        let reply = api.call(method, &path, body.as_ref()).await?;
        if arguments.json {
            return say_raw(&reply.body);
        }
        match &arguments.command {
            Command::Create { .. } | Command::RotateSecret { .. } => {
                note(&format!(
                    "the secret of {} is shown this once: receivers verify with it",
                    cell(&reply.value["id"])
                ));
                say(&cell(&reply.value["secret"]))
            }
            Command::Test { .. } => say(&format!(
                "sent {} ({})",
                cell(&reply.value["id"]),
                cell(&reply.value["event"])
            )),
            Command::Delete { .. } => say(&format!("deleted {}", cell(&reply.value["id"]))),
            Command::Log { .. } => say(&log(&reply.value)),
            _ => say(&webhooks(&reply.value)),
        }
    })
}

fn call_of(command: &Command) -> (Method, String, Option<Value>) {
    let one = |webhook: &str| format!("/webhooks/{}", segment(webhook));
    match command {
        Command::Create { name, url, triggers } => {
            let body = json!({ "name": name, "url": url, "triggers": triggers });
            (Method::POST, "/webhooks".to_owned(), Some(body))
        }
        Command::List => (Method::GET, "/webhooks".to_owned(), None),
        Command::Log { webhook, state } => {
            let asked = query(&[("pageSize", Some("100")), ("state", state.as_deref())]);
            (Method::GET, format!("{}/deliveries{asked}", one(webhook)), None)
        }
        Command::Replay { webhook, .. } => (Method::GET, one(webhook), None),
        Command::Test { webhook, trigger } => {
            let body = trigger
                .as_ref()
                .map_or_else(|| json!({}), |trigger| json!({ "trigger": trigger }));
            (Method::POST, format!("{}/test", one(webhook)), Some(body))
        }
        Command::Enable { webhook } => (Method::PATCH, one(webhook), Some(json!({ "disabled": false }))),
        Command::RotateSecret { webhook } => (Method::POST, format!("{}/rotate-secret", one(webhook)), Some(json!({}))),
        Command::Delete { webhook } => (Method::DELETE, one(webhook), None),
    }
}

/// Ids of all that has failed, the oldest first: in the order in which it happened.
async fn failed_ids(api: &Api, webhook: &str) -> Result<Vec<String>, Failure> {
    let (mut ids, mut page) = (Vec::new(), 1);
    loop {
        let number = page.to_string();
        let asked = query(&[
            ("state", Some("failed")),
            ("pageSize", Some("100")),
            ("page", Some(&number)),
        ]);
        let path = format!("/webhooks/{}/deliveries{asked}", segment(webhook));
        let listed = api.call(Method::GET, &path, None).await?.value;
        let found = listed.as_array().map_or(&[][..], Vec::as_slice);
        ids.extend(found.iter().map(|line| cell(&line["id"])));
        if found.len() < PAGE {
            ids.reverse();
            return Ok(ids);
        }
        page += 1;
    }
}

async fn replay(api: &Api, webhook: &str, ids: &[String], is_json: bool) -> Result<(), Failure> {
    let mut answers = Vec::with_capacity(ids.len());
    for id in ids {
        let path = format!("/webhooks/{}/deliveries/{}/replay", segment(webhook), segment(id));
        let reply = api.call(Method::POST, &path, Some(&json!({}))).await?;
        if !is_json {
            say(&format!(
                "sending {} ({}) again",
                cell(&reply.value["id"]),
                cell(&reply.value["event"])
            ))?;
        }
        answers.push(reply.value);
    }
    match is_json {
        true => say(&Value::Array(answers).to_string()),
        false if ids.is_empty() => say("nothing has failed"),
        false => Ok(()),
    }
}

/// One webhook or a list of them as a table, and what should be done about some below it.
fn webhooks(answer: &Value) -> String {
    let mut rows = table(&["id", "name", "url", "triggers", "state", "failures", "last success"]);
    align_right(&mut rows, [5]);
    let one = std::slice::from_ref(answer);
    let hooks = answer.as_array().map_or(one, Vec::as_slice);
    for hook in hooks {
        let triggers = hook["triggers"].as_array().map_or(&[][..], Vec::as_slice);
        let state = match (&hook["disabledAt"], &hook["failingSince"]) {
            (Value::Null, Value::Null) => "ok",
            (Value::Null, _) => "failing",
            _ => "disabled",
        };
        rows.add_row([
            cell(&hook["id"]),
            cell(&hook["name"]),
            cell(&hook["url"]),
            triggers.iter().map(cell).collect::<Vec<_>>().join(" "),
            state.to_owned(),
            cell(&hook["failures"]),
            minute(&hook["lastSuccessAt"]),
        ]);
    }
    let mut text = rows.to_string();
    for hook in hooks.iter().filter(|hook| !hook["notice"].is_null()) {
        text.push_str(&format!("\n{}: {}", cell(&hook["id"]), cell(&hook["notice"])));
    }
    text
}

fn log(answer: &Value) -> String {
    let mut rows = table(&[
        "id", "event", "created", "state", "attempts", "status", "next try", "error",
    ]);
    align_right(&mut rows, 4..6);
    for line in answer.as_array().map_or(&[][..], Vec::as_slice) {
        rows.add_row([
            cell(&line["id"]),
            cell(&line["event"]),
            minute(&line["createdAt"]),
            cell(&line["state"]),
            cell(&line["attempts"]),
            cell(&line["status"]),
            minute(&line["nextAttemptAt"]),
            cell(&line["error"]),
        ]);
    }
    rows.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_say_what_is_wrong_below_the_table() {
        let hook = |id: &str, disabled: Value, failing: Value, notice: Value| {
            json!({ "id": id, "name": "till", "url": "https://a.example/", "triggers": ["link.created", "sale.created"],
                "disabledAt": disabled, "failingSince": failing, "failures": 12,
                "lastSuccessAt": "2026-11-21T09:53:00.123Z", "notice": notice })
        };
        let text = webhooks(&json!([
            hook("wh_1", json!(null), json!(null), json!(null)),
            hook("wh_2", json!(null), json!("2026-11-21T09:53:00.123Z"), json!(null)),
            hook(
                "wh_3",
                json!("2026-11-21T09:53:00.123Z"),
                json!("2026-11-21T09:53:00.123Z"),
                json!("Mend it.")
            ),
        ]));
        for part in [
            "wh_1",
            "ok",
            "failing",
            "disabled",
            "2026-11-21 09:53",
            "wh_3: Mend it.",
            "sale.created",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let line = json!([{ "id": "evt_1", "event": "link.created", "createdAt": "2026-11-21T09:53:00.123Z",
            "state": "waiting", "attempts": 2, "status": 503, "nextAttemptAt": "2026-11-21T09:58:00.123Z",
            "error": "the receiver answered 503" }]);
        let text = log(&line);
        for part in ["evt_1", "waiting", "503", "2026-11-21 09:58"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn calls_name_what_they_are_about() {
        let webhook = "a/b".to_owned();
        let log = Command::Log {
            webhook: webhook.clone(),
            state: Some("failed".to_owned()),
        };
        assert_eq!(call_of(&log).1, "/webhooks/a%2Fb/deliveries?pageSize=100&state=failed");
        let test = Command::Test { webhook, trigger: None };
        assert_eq!(
            call_of(&test),
            (Method::POST, "/webhooks/a%2Fb/test".to_owned(), Some(json!({})))
        );
    }
}
