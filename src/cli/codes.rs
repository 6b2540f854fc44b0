//! `hopcart codes`: makes, fills, lists and deletes pools of single-use discount codes over the API.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::api::{Connection, segment};
use super::failure::Failure;
use super::product::import::{self, Source, Target};
use super::terminal::{align_right, cell, minute, say, say_raw, table, wait_for};

/// `hopcart codes`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Print what the API answers; of an upload the sum of it
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an empty pool; links use it by their cart's codePoolId
    Create {
        /// What the pool is called, such as "Spring, 10 off"
        #[arg(long)]
        name: String,
        /// Store in which the codes exist (store_...)
        #[arg(long, value_name = "ID")]
        store: String,
        /// Whose links may use it (pn_...); without it, everybody's
        #[arg(long, value_name = "ID")]
        partner: Option<String>,
    },
    /// Put the codes of a file into a pool; they must exist in the shop
    #[command(
        long_about = "Put the codes of a file into a pool; they must exist in the shop, each for one use.\n\nThe file is CSV, \
        TSV or semicolon-separated UTF-8 text of any length, a row a code. Columns: code (8 to 64 letters, digits, -, _ and \
        .) and, if wanted, expiresAt. Codes that the pool has already are left as they are, so that running it again does \
        no harm.",
        after_help = "Example:\n  hopcart codes upload cpool_01J... codes.csv --dry-run"
    )]
    Upload {
        /// The pool (cpool_...)
        pool: String,
        /// The file; - reads standard input
        file: String,
        /// Say what would become of each row; change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List pools with what is left of them
    List,
    /// Show a pool
    Show {
        /// The pool (cpool_...)
        pool: String,
    },
    /// Delete a pool: nobody gets a code of it any more
    Delete {
        /// The pool (cpool_...)
        pool: String,
    },
}

/// Does what was asked for.
///
/// # Errors
/// What the API refused, or that it cannot be reached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Command::Upload { pool, file, dry_run } = &arguments.command {
        let api = arguments.connection.open_with(import::call_bounds())?;
        let source = Source {
            file,
            store: None,
            is_dry_run: *dry_run,
        };
        return import::run(source, &Target::codes(pool), &api, arguments.json);
    }
    let api = arguments.connection.open()?;
    let (method, path, body) = call_of(&arguments.command);
    wait_for(async {
        let reply = api.call(method, &path, body.as_ref()).await?;
        if arguments.json {
            return say_raw(&reply.body);
        }
        match &arguments.command {
            Command::Delete { .. } => say(&format!("deleted {}", cell(&reply.value["id"]))),
            _ => say(&pools(&reply.value)),
        }
    })
}

fn call_of(command: &Command) -> (Method, String, Option<Value>) {
    const POOLS: &str = "/discount-codes/pools";
    let one = |pool: &str| format!("{POOLS}/{}", segment(pool));
    match command {
        Command::Create { name, store, partner } => {
            let body = json!({ "name": name, "storeId": store, "partnerId": partner });
            (Method::POST, POOLS.to_owned(), Some(body))
        }
        Command::Upload { pool, .. } | Command::Show { pool } => (Method::GET, one(pool), None),
        Command::List => (Method::GET, POOLS.to_owned(), None),
        Command::Delete { pool } => (Method::DELETE, one(pool), None),
    }
}

/// One pool or a list of them as a table.
fn pools(answer: &Value) -> String {
    const COUNTS: [&str; 6] = ["total", "remaining", "leased", "given", "used", "expired"];
    let mut rows = table(&[
        "id",
        "name",
        "partner",
        "total",
        "remaining",
        "leased",
        "given",
        "used",
        "expired",
        "created",
    ]);
    align_right(&mut rows, 3..9);
    let one = std::slice::from_ref(answer);
    for pool in answer.as_array().map_or(one, Vec::as_slice) {
        let mut cells = vec![cell(&pool["id"]), cell(&pool["name"]), cell(&pool["partnerId"])];
        cells.extend(COUNTS.map(|count| cell(&pool[count])));
        cells.push(minute(&pool["createdAt"]));
        rows.add_row(cells);
    }
    rows.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_rows_and_calls_name_them() {
        let pool = json!({"id": "cpool_1", "name": "Spring", "partnerId": null, "total": 100, "remaining": 36,
            "leased": 32, "given": 32, "used": 7, "expired": 0, "createdAt": "2026-11-21T09:53:00.123Z"});
        for answer in [pool.clone(), json!([pool])] {
            let text = pools(&answer);
            for part in ["cpool_1", "Spring", "100", "36", "2026-11-21 09:53"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
        let delete = Command::Delete { pool: "a/b".to_owned() };
        assert_eq!(call_of(&delete).1, "/discount-codes/pools/a%2Fb");
    }
}
