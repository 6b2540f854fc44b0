//! Runs the scripts of this folder that are for Python, in environments of their own below the build's directory, which
//! are made once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::PoisonError;

use serde_json::Value;

use super::script::{self, ONE_AT_A_TIME, program};

/// What `script` says to `task`.
pub fn run(script: &str, task: &Value) -> Value {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let python = install("requirements.txt", "vendors-python");
    script::run(&python, script, task)
}

/// The interpreter of the environment called `name`, with the packages that the file `list` names.
pub fn environment(list: &str, name: &str) -> PathBuf {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    install(list, name)
}

fn install(list: &str, name: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let python = home.join("bin/python");
    let list = script::folder().join(list);
    let wanted = fs::read(&list).expect("a list");
    // Written last, so that what was cut short is done again.
    let stamp = home.join("installed.txt");
    if python.is_file() && fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    let mut venv = Command::new(program("python3", "python3-venv"));
    let made = "python3 -m venv (apt-get install python3-venv)";
    script::install(made, venv.args(["-m", "venv", "--clear"]).arg(&home));
    let mut pip = Command::new(&python);
    let quiet = [
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "-r",
    ];
    script::install(
        &format!("pip install of {}", list.display()),
        pip.args(quiet).arg(&list),
    );
    fs::write(stamp, wanted).expect("written");
    python
}
