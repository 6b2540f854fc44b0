//! A file of links brought in by `hopcart import` while followers go on: how long it takes, what both programs hold in
//! memory, and whom it holds up.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::followers::Followers;
use super::program::Program;
use super::times::Times;
use super::wire::Api;
use super::{BULK, KEY};

/// Followers a second, of links that were there before.
const RATE: u64 = 2_000;
/// How often it is looked whether the import has ended.
const SLICE: Duration = Duration::from_secs(1);

/// Brings `links` in, and prints a table.
pub fn run(program: &Program, links: usize, dir: &Path) {
    let file = dir.join("links.csv");
    write_links(&file, links).expect("there is room for it");
    let server = program.start();
    let server_pid = only_child();
    let mut api = Api::new(server.admin, KEY);
    let before: Vec<_> = (0..BULK)
        .map(|number| serde_json::json!({"key": format!("b{number}"), "url": "https://moss.example/"}))
        .collect();
    api.post("/links/bulk", &before.into());
    let slugs = (0..BULK).map(|number| format!("b{number}")).collect();
    let followers = Followers::new(server.public, slugs, RATE);
    let quiet = followers.follow_for(Duration::from_secs(5));
    let began = Instant::now();
    let mut import = import(&file, server.admin.port());
    let (mut beside, mut import_kib) = (Times::default(), 0);
    let status = loop {
        if let Some(status) = import.try_wait().expect("it can be asked") {
            break status;
        }
        beside.join(followers.follow_for(SLICE));
        import_kib = import_kib.max(peak_kib(import.id()).unwrap_or_default());
    };
    let took = began.elapsed();
    assert!(status.success(), "the import ended with {status}");
    // The server has closed the connection that was idle all the while.
    let there = Api::new(server.admin, KEY).get("/links/count").as_u64();
    assert_eq!(there, Some((links + BULK) as u64), "links that are there");
    let server_mib = peak_kib(server_pid).expect("the server runs") / 1024;
    println!(
        "\n{links} links brought in from CSV in {:.1} minutes (to a second), {RATE} redirects/s beside them; most memory: \
         server {server_mib} MiB, import {} MiB",
        took.as_secs_f64() / 60.0,
        import_kib / 1024
    );
    println!("| redirects | number | {} |\n|---|---|---|---|---|---|", Times::HEAD);
    println!("| before | {} | {} |", quiet.count(), quiet.columns());
    println!("| beside the import | {} | {} |", beside.count(), beside.columns());
    server.kill();
}

fn write_links(file: &Path, links: usize) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    writeln!(out, "key,url,title,externalId,tenantId,tags")?;
    for number in 0..links {
        writeln!(
            out,
            "i{number:07},https://moss.example/products/{number}?variant={},Product {number} of the spring season,x{number},t{},{}",
            number * 7,
            number % 1_000,
            if number.is_multiple_of(2) { "many" } else { "" }
        )?;
    }
    out.flush()
}

fn import(file: &Path, admin_port: u16) -> Child {
    Command::new(env!("CARGO_BIN_EXE_hopcart"))
        .arg("import")
        .arg(file)
        .args(["--from", "csv", "--server", &format!("http://127.0.0.1:{admin_port}")])
        .env("HOPCART_API_KEY", KEY)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs")
}

/// The process that this one has started; there is no other.
fn only_child() -> u32 {
    let own = std::process::id();
    let children = fs::read_to_string(format!("/proc/self/task/{own}/children")).expect("Linux tells it");
    children.trim().parse().expect("one child")
}

/// Most memory that the process ever held, in KiB.
fn peak_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
