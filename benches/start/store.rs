//! Books with many links, made without the server.

use std::path::Path;

use rusqlite::{Connection, params};

/// Makes links 1 to `count` in the books at `path`, whose server is not running.
pub fn fill(path: &Path, count: u32) {
    let mut books = Connection::open(path).expect("the server has made them");
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
        for no in 1..=count {
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
    work.execute(&by_slug, []).expect("every slug is there once");
    work.commit().expect("there is room");
    books
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("nobody reads");
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
