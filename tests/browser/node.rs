//! Runs the scripts of this folder under Node: finds the programs, installs the packages once, hands over a description
//! and reads what was seen.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::seen::Seen;
use crate::visit::Visit;

/// Browsers share the cores: while one is timed there is no other. (cargo nextest: `.config/nextest.toml`.)
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where screenshots are left for people.
pub fn screenshots() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("it lies in the target directory");
    target.join("browser")
}

/// Visits `visits` in a fresh Chromium, which finds names by `host_rules`; what was seen, in the same order.
pub fn browse(host_rules: &str, visits: &[Visit]) -> Vec<Seen> {
    let screenshots = screenshots();
    fs::create_dir_all(&screenshots).expect("a folder for screenshots");
    let description = json!({ "hostRules": host_rules, "screenshots": screenshots, "visits": visits });
    let seen: Vec<Seen> = serde_json::from_value(run("visit.mjs", &description)).expect("what was seen");
    assert_eq!(seen.len(), visits.len());
    seen
}

/// What `script` saw.
pub fn run(script: &str, description: &Value) -> Value {
    // A panic of another test is its own affair.
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let node = program("node");
    let chromium = match std::env::var_os("HOPCART_CHROMIUM") {
        Some(path) => PathBuf::from(path),
        None => program("chromium"),
    };
    install(&scripts);
    let mut child = Command::new(node)
        .arg(scripts.join(script))
        .env("HOPCART_CHROMIUM", chromium)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(description.to_string().as_bytes()).expect("node reads");
    drop(stdin);
    let output = child.wait_with_output().expect("node ends");
    assert!(
        output.status.success(),
        "{script} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("what was seen")
}

/// The path of `name` on PATH.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is not on PATH, and the browser tests need it: apt-get install chromium nodejs npm")
    })
}

/// `npm ci`, unless what the lock file says is there already.
fn install(scripts: &Path) {
    let lock = fs::read(scripts.join("package-lock.json")).expect("a lock file");
    // Written last, so that what was cut short is done again.
    let stamp = scripts.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return;
    }
    let npm = Command::new(program("npm")).arg("ci").current_dir(scripts).output();
    let npm = npm.expect("npm starts");
    assert!(
        npm.status.success(),
        "npm ci in tests/browser failed: {}",
        String::from_utf8_lossy(&npm.stderr)
    );
    fs::write(stamp, lock).expect("written");
}
