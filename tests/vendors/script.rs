//! Runs a script of this folder in its own language: finds programs, hands over what the script is to do, reads its answer.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

/// Two tests do not install at once. (cargo nextest runs each in a process of its own: `.config/nextest.toml`.)
pub static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where the scripts and the lists of their packages lie.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vendors")
}

/// What `script` says to `task` under `interpreter`.
pub fn run(interpreter: &Path, script: &str, task: &Value) -> Value {
    let mut child = Command::new(interpreter)
        .arg(folder().join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(task.to_string().as_bytes()).expect("the script reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the script ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed: {said}");
    serde_json::from_slice(&output.stdout).expect("an answer")
}

/// The path of `name` on PATH; without it the test fails and names the `packages` that bring it.
pub fn program(name: &str, packages: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not on PATH, and these tests need it: apt-get install {packages}"))
}

/// Runs a program that installs packages.
pub fn install(what: &str, command: &mut Command) {
    let output = command.output().expect("the installer starts");
    assert!(
        output.status.success(),
        "{what} failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
