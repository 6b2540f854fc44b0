//! Runs the scripts of this folder that are for Node, and installs their packages once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::PoisonError;

use serde_json::Value;

use super::script::{self, ONE_AT_A_TIME, program};

/// What brings Node and npm.
const PACKAGES: &str = "nodejs npm";

/// The answers to `tasks`, in the same order.
pub fn ask(tasks: &[Value]) -> Vec<Value> {
    let answers = run("sign.mjs", &Value::from(tasks));
    let answers = answers.as_array().expect("an array").clone();
    assert_eq!(answers.len(), tasks.len());
    answers
}

/// What `script` says to `task`.
pub fn run(script: &str, task: &Value) -> Value {
    script::run(&installed(), script, task)
}

/// Node, with its packages beside the scripts.
pub fn installed() -> PathBuf {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let node = program("node", PACKAGES);
    install(&script::folder());
    node
}

/// `npm ci`, unless what the lock file says is there already.
fn install(scripts: &Path) {
    let lock = fs::read(scripts.join("package-lock.json")).expect("a lock file");
    // Written last, so that what was cut short is done again.
    let stamp = scripts.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return;
    }
    let mut npm = Command::new(program("npm", PACKAGES));
    script::install("npm ci in tests/vendors", npm.arg("ci").current_dir(scripts));
    fs::write(stamp, lock).expect("written");
}
