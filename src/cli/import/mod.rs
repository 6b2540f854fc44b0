//! `hopcart import`: brings links of a file in over the API, slice by slice, and says what became of each row.

mod cursor;
mod directory;
mod report;
mod row;
mod slice;

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::api::{Api, Connection};
use super::failure::Failure;
use super::product::progress::Progress;
use super::terminal::{note, say, wait_for};
use crate::integrations::link_file::{FileError, Format, LinkFile, Options};
use crate::net::ClientOptions;
use cursor::Cursor;
use directory::Directory;
use report::Report;
use row::Preparer;
use slice::Slice;

/// Longest wait for one slice. 120 s: a server waits 30 s for the body, and then writes up to 2,000 links, some of them
/// with passwords, whose hashes are slow on purpose.
const SLICE_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest answer to a slice, in bytes: some 200 a row.
const ANSWER_MAX: usize = 8 << 20;

/// `hopcart import`
#[derive(Debug, Args)]
#[command(
    long_about = "Bring links of a file in.\n\nThe file is our own export (CSV or JSON lines), any CSV with usual column \
    names, Bitly's CSV export, Dub's CSV export or JSON of GET /links, Shlink's CSV export or JSON of its REST list. Which \
    of them it is, it says itself; --from says it where it does not. It may have any length.\n\nColumns: url (or \
    destination, long_url, target), domain, key (or slug, short_code, back_half, alias), or the whole short_link; if wanted \
    title, description, comments, tags, folder, createdAt, expiresAt, expiredUrl, archived, disabled, password, maxClicks, \
    externalId, tenantId, partnerId, campaignId, utm_source ... utm_content, ref, ios, android, and as JSON geo, rules, \
    cart, stockPolicy, testVariants. Tags and folders that are missing are made.\n\nA link that is there already, with \
    all that the row says, is recognised: the same file can be sent again and nothing doubles. Cut off, it goes on where \
    it was when it is started again: FILE.hopcart-import remembers the place. A row without key and externalId gets an \
    externalId of its own for that. What a link is counted with (clicks, sales) stays where it was; when it was made \
    (createdAt) is kept.",
    after_help = "Examples:\n  hopcart import bitly.csv --domain go.brand.example --dry-run\n  \
    hopcart import links.csv --map url=Target --map key=Name --report done.csv\n  \
    curl -s 'https://s.brand.example/rest/v3/short-urls?itemsPerPage=-1' -H 'X-Api-Key: ...' | hopcart import -"
)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// The file; - reads standard input
    file: String,
    /// Whose file it is, where it does not say so itself
    #[arg(long, value_name = "FORMAT", value_parser = ["csv", "bitly", "dub", "shlink"])]
    from: Option<String>,
    /// Domain that all links go to, whatever the file says
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Links of domain OLD go to domain NEW; may be repeated
    #[arg(long = "move", value_name = "OLD=NEW", value_parser = pair, conflicts_with = "domain")]
    moves: Vec<(String, String)>,
    /// The column that tells a field, where its name is not a usual one; may be repeated
    #[arg(long = "map", value_name = "FIELD=COLUMN", value_parser = pair)]
    columns: Vec<(String, String)>,
    /// In keys letter case counts: abc and aBc are two links (as with Bitly and Shlink)
    #[arg(long)]
    case_sensitive: bool,
    /// Import links without the partner, campaign or code pool that this server does not know
    #[arg(long)]
    drop_unknown: bool,
    /// Say what would become of each row; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Begin with the first row, though an earlier run was cut off
    #[arg(long)]
    restart: bool,
    /// Write what became of each row to this file, as CSV
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print what became of each row as a line of JSON, and the sum as the last one
    #[arg(long)]
    json: bool,
}

/// Reads `A=B`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => Ok((left.to_owned(), right.to_owned())),
        _ => Err("must be two names with = between them".to_owned()),
    }
}

impl Arguments {
    fn options(&self) -> Options {
        let formats = [Format::Own, Format::Bitly, Format::Dub, Format::Shlink];
        let named = |word: &String| formats.into_iter().find(|format| format.as_str() == word);
        Options {
            format: self.from.as_ref().and_then(named),
            columns: self.columns.clone(),
            is_exact: self.case_sensitive.then_some(true),
        }
    }

    /// What, besides the file, decides what rows become: a place is kept for this alone.
    fn manner(&self, server: &str) -> String {
        format!(
            "{server} {:?} {:?} {:?} {:?} {} {}",
            self.from, self.domain, self.moves, self.columns, self.case_sensitive, self.drop_unknown
        )
    }
}

/// Does what was asked for.
///
/// # Errors
/// What the API refused, or that it cannot be reached; [`Failure::Failed`] also when only some rows failed.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let api = arguments.connection.open_with(ClientOptions {
        timeout: SLICE_TIMEOUT,
        body_max: ANSWER_MAX,
        ..ClientOptions::default()
    })?;
    let (source, bytes) = open(&arguments.file)?;
    let file = LinkFile::open(source, &arguments.options()).map_err(|error| unreadable(&arguments.file, &error))?;
    if !file.ignored().is_empty() {
        note(&format!("columns that are not taken: {}", file.ignored().join(", ")));
    }
    let cursor = Cursor::open(
        &arguments.file,
        &arguments.manner(api.server()),
        arguments.restart,
        arguments.dry_run,
    )?;
    if cursor.place.rows > 0 {
        note(&format!("goes on after row {}", cursor.place.rows));
    }
    let report = Report::open(arguments.report.as_deref(), arguments.json, &cursor.place)?;
    let progress = Progress::new(bytes);
    let mut import = Import {
        preparer: Preparer::new(
            arguments.domain.clone(),
            arguments.moves.clone(),
            arguments.drop_unknown,
        ),
        directory: Directory::new(&api, arguments.dry_run),
        arguments,
        api: &api,
        cursor,
        report,
        progress,
    };
    let done = wait_for(import.send_all(file));
    import.progress.finish();
    import.finish(done)
}

/// An import under way.
struct Import<'a> {
    arguments: &'a Arguments,
    api: &'a Api,
    preparer: Preparer,
    directory: Directory<'a>,
    cursor: Cursor,
    report: Report,
    progress: Progress,
}

impl Import<'_> {
    async fn send_all(&mut self, mut file: LinkFile<Box<dyn Read>>) -> Result<Option<Format>, Failure> {
        let mut slice = Slice::default();
        loop {
            let entry = file
                .next_entry()
                .map_err(|error| unreadable(&self.arguments.file, &error))?;
            let Some(entry) = entry else { break };
            if entry.row <= self.cursor.place.rows {
                continue;
            }
            let prepared = self.preparer.prepare(entry, &mut self.directory).await?;
            slice.push(prepared);
            if slice.is_full() {
                self.send(std::mem::take(&mut slice), file.bytes_read()).await?;
            }
        }
        self.send(slice, file.bytes_read()).await?;
        Ok(file.format())
    }

    async fn send(&mut self, slice: Slice, bytes_read: u64) -> Result<(), Failure> {
        let Some(last) = slice.last_row() else { return Ok(()) };
        let results = slice.send(self.api, self.arguments.dry_run).await?;
        for result in &results {
            self.report.tell(result)?;
            self.cursor.place.tally.add(result);
        }
        self.cursor.place.rows = last;
        self.cursor.place.report_bytes = self.report.bytes()?;
        self.cursor.save()?;
        self.progress.done(bytes_read, last);
        Ok(())
    }

    /// The last word, to the shell too.
    fn finish(mut self, done: Result<Option<Format>, Failure>) -> Result<(), Failure> {
        let place = &self.cursor.place;
        let format = match done {
            Ok(format) => format,
            Err(failure) => {
                if place.rows > 0 && failure != Failure::NobodyReads {
                    note(&format!(
                        "stopped after row {}: {}; running it again goes on there",
                        place.rows,
                        place.tally.sentence(self.arguments.dry_run)
                    ));
                }
                return Err(failure);
            }
        };
        if place.tally.rows() == 0 {
            return Err(Failure::Failed(format!("{}: has no rows", self.arguments.file)));
        }
        if self.arguments.json {
            say(&place.tally.json(format, self.arguments.dry_run).to_string())?;
        } else {
            if let Some(table) = self.report.table() {
                say(&table)?;
            }
            let name = format.map_or("", Format::as_str);
            let rows = place.tally.rows();
            say(&format!(
                "{rows} rows ({name}): {}",
                place.tally.sentence(self.arguments.dry_run)
            ))?;
        }
        if let Some(would) = self.directory.would_make() {
            note(&would);
        }
        let (failed, rows) = (place.tally.failed, place.tally.rows());
        self.cursor.remove();
        match failed {
            0 => Ok(()),
            failed => Err(Failure::Failed(format!("{failed} of {rows} rows failed"))),
        }
    }
}

fn open(file: &str) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if file == "-" {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let cannot = |error: io::Error| Failure::Usage(format!("{file} cannot be read: {error}"));
    let opened = File::open(file).map_err(cannot)?;
    let about = opened.metadata().map_err(cannot)?;
    let bytes = about.is_file().then_some(about.len());
    Ok((Box::new(opened), bytes))
}

fn unreadable(file: &str, error: &FileError) -> Failure {
    Failure::Failed(format!("{file}: {error}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn what_is_asked_twice_is_refused() {
        for (words, good) in [
            (&["import", "a.csv"][..], true),
            (&["import", "-", "--from", "bitly", "--dry-run", "--json"], true),
            (&["import", "a.csv", "--map", "url=Target", "--move", "a=b"], true),
            (&["import"], false),
            (&["import", "a.csv", "--from", "yourls"], false),
            (&["import", "a.csv", "--map", "url"], false),
            (&["import", "a.csv", "--domain", "a", "--move", "a=b"], false),
        ] {
            assert_eq!(Program::try_parse_from(words).is_ok(), good, "{words:?}");
        }
    }

    #[test]
    fn a_place_is_kept_for_one_manner_of_import() {
        let manner = |words: &[&str]| {
            let program = Program::try_parse_from([&["import", "a.csv"], words].concat()).expect("good");
            program.arguments.manner("http://127.0.0.1:8081")
        };
        assert_eq!(manner(&[]), manner(&["--report", "r.csv", "--json"]));
        assert_ne!(manner(&[]), manner(&["--domain", "go.brand.example"]));
    }
}
