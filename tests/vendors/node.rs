//! Runs the scripts of this folder under Node: finds the programs, installs the packages once, hands over what they are
//! to do and reads the answers.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Two tests do not install at once. (cargo nextest runs each in a process of its own: `.config/nextest.toml`.)
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The answers to `tasks`, in the same order.
pub fn ask(tasks: &[Value]) -> Vec<Value> {
    let answers = run("sign.mjs", &Value::from(tasks));
    let answers = answers.as_array().expect("an array").clone();
    assert_eq!(answers.len(), tasks.len());
    answers
}

/// What `script` says to `task`.
pub fn run(script: &str, task: &Value) -> Value {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vendors");
    let node = program("node");
    install(&scripts);
    let mut child = Command::new(node)
        .arg(scripts.join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(task.to_string().as_bytes()).expect("node reads");
    drop(stdin);
    let output = child.wait_with_output().expect("node ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed: {said}");
    serde_json::from_slice(&output.stdout).expect("answers")
}

/// The path of `name` on PATH.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not on PATH, and these tests need it: apt-get install nodejs npm"))
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
        "npm ci in tests/vendors failed: {}",
        String::from_utf8_lossy(&npm.stderr)
    );
    fs::write(stamp, lock).expect("written");
}
