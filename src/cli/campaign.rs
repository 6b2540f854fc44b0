//! `hopcart campaigns`: mints a campaign's links and codes over the API, and brings them home as a ZIP.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Map, Value, json};

use super::api::{Api, Connection, segment};
use super::failure::Failure;
use super::progress::Progress;
use super::terminal::{cell, say, table, wait_for};
use crate::net::ClientOptions;

/// Creators of one call: a second or so, so that a bar moves.
const SLICE: usize = 100;
/// Largest ZIP, in bytes: a little more than a server makes (32 MiB).
const ZIP_BYTES_MAX: usize = 40 << 20;

/// `hopcart campaigns`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON: the sum of what the API answered
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a link for each creator of a campaign, and a code if wanted; minting again finds what is there
    #[command(
        after_help = "Patterns: {username}, {campaign}, {platform}, {niche}, {content}, {code}; in capitals for capitals.\n\n\
        Example:\n  hopcart campaigns mint cmp_01J... --template cart.json --code '{USERNAME}10' --out links.zip"
    )]
    Mint(Box<Mint>),
}

#[derive(Debug, Args)]
struct Mint {
    /// Campaign (cmp_...)
    #[arg(value_name = "ID")]
    campaign: String,
    /// Creator (pn_...), several times; without any, all of the campaign
    #[arg(long, value_name = "ID")]
    partner: Vec<String>,
    /// Pattern of the text after the slash
    #[arg(long, value_name = "PATTERN", default_value = "{username}-{campaign}")]
    slug: String,
    /// Pattern of a discount code for each creator; the codes must exist in the shop
    #[arg(long, value_name = "PATTERN")]
    code: Option<String>,
    /// Where the links lead; may hold patterns
    #[arg(long, required_unless_present = "template")]
    url: Option<String>,
    /// File with a link as JSON, as POST /links takes it: cart, UTM parameters, stock policy
    #[arg(long, value_name = "FILE")]
    template: Option<String>,
    /// Which video or post the links stand under
    #[arg(long, value_name = "TEXT")]
    content: Option<String>,
    /// Write a ZIP with a table and a QR picture a link
    #[arg(long, value_name = "FILE.zip")]
    out: Option<String>,
    /// What the pictures are
    #[arg(long, value_name = "svg|png", default_value = "svg", value_parser = ["svg", "png"])]
    qr: String,
}

impl Mint {
    fn template(&self) -> Result<Value, Failure> {
        let mut template = match &self.template {
            None => Value::Object(Map::new()),
            Some(file) => {
                let unreadable =
                    |error: &dyn std::fmt::Display| Failure::Usage(format!("{file} cannot be read: {error}"));
                let text = std::fs::read(file).map_err(|error| unreadable(&error))?;
                serde_json::from_slice(&text).map_err(|error| unreadable(&error))?
            }
        };
        for (field, said) in [("url", &self.url), ("contentId", &self.content)] {
            if let Some(said) = said {
                template[field] = json!(said);
            }
        }
        Ok(template)
    }

    fn body(&self, template: &Value, partners: &[String]) -> Value {
        json!({ "partnerIds": partners, "slugPattern": self.slug, "codePattern": self.code, "template": template })
    }
}

/// Does what was asked for.
///
/// # Errors
/// What the API refused, also of single creators, or that it cannot be reached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Command::Mint(mint) = &arguments.command;
    let api = arguments.connection.open_with(ClientOptions {
        body_max: ZIP_BYTES_MAX,
        timeout: std::time::Duration::from_secs(60),
        ..ClientOptions::default()
    })?;
    wait_for(run_mint(&api, mint, arguments.json))
}

async fn run_mint(api: &Api, mint: &Mint, is_json: bool) -> Result<(), Failure> {
    let template = mint.template()?;
    let path = format!("/campaigns/{}", segment(&mint.campaign));
    let mut partners = mint.partner.clone();
    if partners.is_empty() {
        let campaign = api.call(Method::GET, &path, None).await?.value;
        let ids = campaign["partnerIds"].as_array().into_iter().flatten();
        partners = ids.map(cell).collect();
    }
    let path = format!("{path}/mint");
    let progress = Progress::new(Some(partners.len() as u64));
    let mut tally = Tally::default();
    // Without partners the server says what to do.
    let slices: Vec<&[String]> = match partners.is_empty() {
        true => vec![&[]],
        false => partners.chunks(SLICE).collect(),
    };
    for slice in slices {
        let told = api.call(Method::POST, &path, Some(&mint.body(&template, slice))).await;
        if told.is_err() {
            progress.finish();
        }
        tally.add(&told?.value);
        progress.at(tally.rows.len() as u64, partners.len() as u64, "minted");
    }
    progress.finish();
    if let Some(out) = &mint.out {
        let path = format!("{path}?format=zip&qr={}", mint.qr);
        let zip = api
            .post_for_file(&path, &mint.body(&template, &partners), "application/zip")
            .await?;
        std::fs::write(out, &zip).map_err(|error| Failure::Failed(format!("{out} cannot be written: {error}")))?;
    }
    tally.say(is_json, mint.out.as_deref())
}

/// What became of all creators.
#[derive(Default)]
struct Tally {
    minted: u64,
    known: u64,
    failed: u64,
    rows: Vec<Value>,
}

impl Tally {
    fn add(&mut self, answer: &Value) {
        for (sum, name) in [
            (&mut self.minted, "minted"),
            (&mut self.known, "known"),
            (&mut self.failed, "failed"),
        ] {
            *sum += answer[name].as_u64().unwrap_or(0);
        }
        self.rows
            .extend(answer["links"].as_array().into_iter().flatten().cloned());
    }

    fn say(&self, is_json: bool, out: Option<&str>) -> Result<(), Failure> {
        if is_json {
            let sum = json!({ "minted": self.minted, "known": self.known, "failed": self.failed, "links": self.rows });
            say(&sum.to_string())?;
        } else {
            let columns = ["name", "shortLink", "discountCode", "error"];
            let mut rows = table(&["creator", "link", "code", "problem"]);
            for row in &self.rows {
                rows.add_row(columns.map(|name| cell(&row[name])));
            }
            say(&rows.to_string())?;
            let written = out.map_or_else(String::new, |out| format!(", written to {out}"));
            say(&format!(
                "{} minted, {} there already{written}",
                self.minted, self.known
            ))?;
        }
        match self.failed {
            0 => Ok(()),
            failed => Err(Failure::Failed(format!(
                "{failed} of {} partners failed",
                self.rows.len()
            ))),
        }
    }
}
