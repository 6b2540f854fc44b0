//! Holds the tree to the rules of the house: arrows between rooms, packages in their rooms, files that say what they
//! are, no floats in `domain`, no waiting in `redirect`, and so on. Reads text and needs nothing but std.
//!
//! It guards the arrows, not the taste. `tidy/tables.rs` holds what is allowed, `tidy/rules.rs` a function a rule,
//! `tidy/planted.rs` shows that each rule can fail.

#[path = "tidy/planted.rs"]
mod planted;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/scan.rs"]
mod scan;
#[path = "tidy/tables.rs"]
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rules::Finding;
use scan::Source;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_tree_keeps_the_rules_of_the_house() {
    let sources = read_sources();
    let mut findings: Vec<Finding> = Vec::new();
    for rule in rules::OF_A_FILE {
        findings.extend(sources.iter().flat_map(rule));
    }
    findings.extend(rules::dependencies(&read("Cargo.toml"), &sources));
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).ok();
    findings.extend(rules::maps(&rooms(&sources), readme.as_deref(), &read("src/lib.rs")));
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} findings:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn what_the_tables_list_exists() {
    let sources = read_sources();
    let rooms = rooms(&sources);
    let of_table: BTreeSet<String> = tables::EVERY_ROOM.iter().map(ToString::to_string).collect();
    assert_eq!(of_table, rooms, "tests/tidy/tables.rs and src/ name other rooms");
    for (path, reason) in tables::UNSAFE.iter().chain(tables::SLEEPS) {
        assert!(
            sources.iter().any(|source| source.path == *path),
            "{path} is listed and gone"
        );
        assert!(reason.len() > 20, "{path}: {reason:?} is not a reason");
    }
}

/// Every `.rs` file of src, tests and benches.
fn read_sources() -> Vec<Source> {
    let mut texts = BTreeMap::new();
    for folder in ["src", "tests", "benches"] {
        collect(folder, &mut texts);
    }
    let is_under_tests = |path: &str| path.starts_with("tests/");
    let read = |(path, text): (&String, &String)| Source::new(path, text, is_under_tests(path));
    let mut sources: Vec<Source> = texts.iter().map(read).collect();
    assert!(sources.len() > 100, "only {} files: is this the tree?", sources.len());
    // A module that only tests declare is tests; so are those that it declares.
    let mut of_tests: BTreeSet<String> = sources.iter().flat_map(Source::test_modules).collect();
    while let Some(path) = of_tests.pop_first() {
        if let Some(source) = sources.iter_mut().find(|source| source.path == path) {
            *source = Source::new(&path, &texts[&path], true);
            of_tests.extend(source.test_modules());
        }
    }
    sources
}

fn collect(folder: &str, texts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(Path::new(ROOT).join(folder)).expect("a folder that can be listed") {
        let entry = entry.expect("an entry that can be read");
        let path = format!("{folder}/{}", entry.file_name().to_str().expect("a name in UTF-8"));
        // Other people's, which npm may be putting there at this moment.
        if path.ends_with("/node_modules") {
            continue;
        }
        if entry.file_type().expect("an entry with a type").is_dir() {
            collect(&path, texts);
        } else if path.ends_with(".rs") {
            let text = read(&path);
            texts.insert(path, text);
        }
    }
}

/// What src/ has, apart from lib.rs and main.rs.
fn rooms(sources: &[Source]) -> BTreeSet<String> {
    let of_src = sources.iter().filter(|source| source.path.starts_with("src/"));
    let names = of_src.map(|source| source.room().to_owned());
    names.filter(|room| !matches!(room.as_str(), "lib" | "main")).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}
