//! Books with many links, made without the server, once: later runs find them where they were kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Links after which it is looked whether it is time to tell.
const LOOK_EVERY: u32 = 50_000;
/// Pages that SQLite keeps while it sorts, in KiB: what ten million slugs take is sorted in few pieces.
const CACHE_KIB: u32 = 512 * 1024;

/// Puts links 1 to `count` into the books at `path`, whose server is not running: from `kept`, where an earlier run left
/// them, or newly made, and then kept there.
pub fn fill(path: &Path, kept: &Path, count: u32) {
    let kept = kept_at(path, kept, count);
    let began = Instant::now();
    if !kept.exists() {
        make(path, count);
        println!("{count} links made in {:.0} s", began.elapsed().as_secs_f64());
        // In two steps, so that half a copy is never taken for one.
        let copied = kept.with_extension("part");
        fs::copy(path, &copied).expect("there is room");
        fs::rename(&copied, &kept).expect("the same directory");
        return;
    }
    for rest in ["-wal", "-shm"] {
        // A server that was killed leaves them; they are not of these books.
        let _ = fs::remove_file(format!("{}{rest}", path.display()));
    }
    fs::copy(&kept, path).expect("there is room");
    let took = began.elapsed().as_secs_f64();
    println!(
        "{count} links of an earlier run, copied from {} in {took:.0} s",
        kept.display()
    );
}

/// Where books of this format with so many links are kept.
fn kept_at(path: &Path, kept: &Path, count: u32) -> PathBuf {
    let books = Connection::open(path).expect("the server has made them");
    let format: u32 = books
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .expect("a number");
    kept.join(format!("hopcart-start-{count}-format-{format}.sqlite"))
}

fn make(path: &Path, count: u32) {
    let mut books = Connection::open(path).expect("the server has made them");
    books
        .execute_batch(&format!(
            "PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = MEMORY"
        ))
        .expect("settings");
    // Without a log of its own: what is lost by a crash is made anew.
    books
        .query_row("PRAGMA journal_mode = OFF", [], |_| Ok(()))
        .expect("nobody else has them open");
    let indexes = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'links' AND sql IS NOT NULL";
    let by_slug: String = books
        .query_row(
            "SELECT sql FROM sqlite_master WHERE name = 'links_by_slug'",
            [],
            |row| row.get(0),
        )
        .expect("links are found by their slug");
    let names: Vec<String> = books
        .prepare(indexes)
        .and_then(|mut found| found.query_map([], |row| row.get(0))?.collect())
        .expect("a schema");
    let work = books.transaction().expect("nobody else writes");
    for name in names {
        work.execute(&format!("DROP INDEX {name}"), []).expect("it is there");
    }
    {
        let sql = "INSERT INTO links (no, id, workspace, domain, slug, slug_fold, is_exact, destination, \
                   tracks_conversions, is_archived, created_at, updated_at) VALUES (?, ?, 1, 1, ?, ?, 1, ?, 0, 0, ?, ?)";
        let mut insert = work.prepare(sql).expect("the table has these columns");
        let mut told = Instant::now();
        for no in 1..=count {
            if no % LOOK_EVERY == 0 && told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                println!("{no} of {count} links");
            }
            let slug = slug(no);
            let row = params![
                no,
                format!("link_{no:026}"),
                slug,
                slug.to_ascii_lowercase(),
                destination(no),
                no,
                no
            ];
            insert.execute(row).expect("there is room");
        }
    }
    println!("{count} links; the index of their slugs");
    work.execute(&by_slug, []).expect("every slug is there once");
    work.commit().expect("there is room");
    // As the server has them; one file then.
    books
        .query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
        .expect("nobody else has them open");
}

/// 71 bytes.
fn destination(no: u32) -> String {
    let drawn = mixed(no.into());
    let thing = ["tea-towel", "wool-sock", "clay-bowl", "oak-stool"][drawn as usize % 4];
    let variant = drawn % 100_000_000;
    let url = format!(
        "https://www.shop{:02}.example/products/{thing}-{no:08}?variant={variant:08}",
        no % 40
    );
    assert_eq!(url.len(), 71, "{url}");
    url
}

/// 7 characters: the number itself, and what is drawn for it, so that no two are alike.
pub fn slug(no: u32) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = u64::from(no) + mixed(no.into()) % 3_000 * (1 << 30);
    let digit = |_| {
        let digit = DIGITS[(number % 62) as usize];
        number /= 62;
        char::from(digit)
    };
    (0..7).map(digit).collect()
}

/// Numbers that look drawn, and each once: a bijection of 64 bits (the finaliser of SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
