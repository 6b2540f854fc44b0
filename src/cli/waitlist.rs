//! `hopcart waitlist`: exports waiting lists as CSV and erases addresses from them, over the API.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use super::api::{Api, Connection, query, segment};
use super::failure::Failure;
use super::terminal::{cell, note, say, say_raw, wait_for};

/// Rows of one call: well below the megabyte that an answer may have, unless carts name dozens of items.
const PART: usize = 1_000;

/// `hopcart waitlist`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print addresses with the sentence that each agreed to, as CSV, the newest first
    #[command(after_help = "Example:\n  hopcart waitlist export --link link_01J... > waitlist.csv")]
    Export {
        /// Only those of this link (link_...)
        #[arg(long, value_name = "ID")]
        link: Option<String>,
        /// Only those of this store (store_...)
        #[arg(long, value_name = "ID")]
        store: Option<String>,
        /// Only this address
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
    },
    /// Erase an address from every list of the workspace, or one entry
    Erase {
        /// The address, or an entry's id (wl_...)
        #[arg(value_name = "ADDRESS|ID")]
        who: String,
        /// Print exactly what the API answers
        #[arg(long)]
        json: bool,
    },
}

/// Does what was asked for.
///
/// # Errors
/// What the API refused, or that it cannot be reached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let api = arguments.connection.open()?;
    wait_for(async {
        match &arguments.command {
            Command::Export { link, store, email } => {
                let wanted = [
                    ("linkId", link.as_deref()),
                    ("storeId", store.as_deref()),
                    ("email", email.as_deref()),
                ];
                export(&api, &wanted).await
            }
            Command::Erase { who, json } => {
                let erased = api.call(Method::DELETE, &erase_path(who), None).await?;
                if *json {
                    return say_raw(&erased.body);
                }
                say(&told(&erased.value))
            }
        }
    })
}

/// Prints the export part by part, so that no list is too long for one answer.
async fn export(api: &Api, wanted: &[(&str, Option<&str>)]) -> Result<(), Failure> {
    let (size, mut after, mut rows) = (PART.to_string(), None::<String>, 0);
    loop {
        let mut pairs = wanted.to_vec();
        pairs.extend([("pageSize", Some(size.as_str())), ("startingAfter", after.as_deref())]);
        let path = format!("/waitlist/export{}", query(&pairs));
        let part = api.download(&path, "text/csv").await?;
        let part = Part::of(std::str::from_utf8(&part).unwrap_or_default())
            .ok_or_else(|| Failure::Failed(format!("{}{path} answered something that is no export", api.server())))?;
        if after.is_none() {
            say(part.head)?;
        }
        for row in &part.rows {
            say(row)?;
        }
        rows += part.rows.len();
        match part.last_id() {
            Some(id) if part.rows.len() == PART => after = Some(id.to_owned()),
            _ => break,
        }
    }
    note(&format!("{rows} on the list"));
    Ok(())
}

/// One answer of the export: a row is always one line, and its first cell is the id.
struct Part<'a> {
    head: &'a str,
    rows: Vec<&'a str>,
}

impl<'a> Part<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut lines = text.lines();
        let head = lines.next().filter(|head| head.starts_with("id,"))?;
        Some(Self {
            head,
            rows: lines.collect(),
        })
    }

    fn last_id(&self) -> Option<&'a str> {
        self.rows.last()?.split(',').next()
    }
}

fn erase_path(who: &str) -> String {
    match who.contains('@') {
        true => format!("/waitlist{}", query(&[("email", Some(who))])),
        false => format!("/waitlist/{}", segment(who)),
    }
}

fn told(answer: &Value) -> String {
    match answer["erased"].as_u64() {
        Some(1) => "erased 1 entry".to_owned(),
        _ => format!("erased {} entries", cell(&answer["erased"])),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn an_address_is_told_from_an_id() {
        for (who, path) in [
            ("mia+a@shop.example", "/waitlist?email=mia%2Ba%40shop.example"),
            ("wl_01J", "/waitlist/wl_01J"),
            ("wl/../x", "/waitlist/wl%2F..%2Fx"),
        ] {
            assert_eq!(erase_path(who), path);
        }
        assert_eq!(told(&json!({"erased": 1})), "erased 1 entry");
        assert_eq!(told(&json!({"erased": 0})), "erased 0 entries");
    }

    #[test]
    fn parts_are_read_line_by_line() {
        let part = Part::of("id,email\r\nwl_2,b@x.example\r\nwl_1,\"'=a@x.example\"\r\n").expect("a part");
        assert_eq!(
            (part.head, part.rows.len(), part.last_id()),
            ("id,email", 2, Some("wl_1"))
        );
        assert_eq!(Part::of("id,email\r\n").and_then(|part| part.last_id()), None);
        assert!(Part::of("<html>").is_none() && Part::of("").is_none());
    }

    #[test]
    fn nothing_is_erased_without_a_name() {
        for (words, good) in [
            (&["waitlist", "erase"][..], false),
            (&["waitlist", "erase", "a@x.example"], true),
            (&["waitlist", "export", "--link", "link_1"], true),
            (&["waitlist"], false),
        ] {
            assert_eq!(Program::try_parse_from(words).is_ok(), good, "{words:?}");
        }
    }
}
