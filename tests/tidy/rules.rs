//! The rules, one function each: a file or the tree in, what breaks the rule out.

use std::collections::BTreeSet;
use std::fmt;

use crate::scan::{Path, Source, closing};
use crate::tables::{ARROWS, EMPTY_NAMES, EVERY_ROOM, IMPURE, LOCKS, PACKAGES, SLEEPS, UNSAFE, WRITERS};

/// One broken rule: where, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.advice)
    }
}

fn found(source: &Source, line: usize, advice: String) -> Finding {
    Finding {
        path: source.path.clone(),
        line,
        advice,
    }
}

/// The rules of a single file.
pub const OF_A_FILE: &[fn(&Source) -> Vec<Finding>] = &[
    arrows,
    writers,
    packages,
    opening,
    unfinished,
    floats,
    purity,
    waiting,
    unsafe_code,
    idle_matches,
    empty_names,
    sleeps,
];

/// A room imports only what the arrows allow.
pub fn arrows(source: &Source) -> Vec<Finding> {
    if !source.path.starts_with("src/") {
        return Vec::new();
    }
    let room = source.room();
    let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == room) else {
        let advice = format!("the room `{room}` has no arrows: say what it may import, in tests/tidy/tables.rs");
        return vec![found(source, 1, advice)];
    };
    let ours = source
        .paths
        .iter()
        .filter(|path| matches!(path.segments[0].as_str(), "crate" | "hopcart"));
    ours.filter_map(|path| {
        let to = path.segments.get(1).map_or("", String::as_str);
        let advice = if to == room || allowed.contains(&to) {
            return None;
        } else if EVERY_ROOM.contains(&to) {
            format!("`{room}` may not import `{to}`: move the code, or hand in what it needs through a trait of domain")
        } else {
            format!(
                "`{}` is in no room: name the room that it comes from",
                path.segments.join("::")
            )
        };
        Some(found(source, path.line, advice))
    })
    .collect()
}

/// Only flows write; app makes the writers, and the rooms that own them are theirs.
pub fn writers(source: &Source) -> Vec<Finding> {
    if !matches!(source.room(), "web" | "cli" | "config" | "integrations") {
        return Vec::new();
    }
    let named = paths_to(source, WRITERS).map(|path| (path.line, path.segments.join("::")));
    let committed = (0..source.tokens.len())
        .filter(|&at| source.has(at, &[".", "commit", "("]))
        .map(|at| (source.tokens[at].line, ".commit(".to_owned()));
    named
        .chain(committed)
        .map(|(line, what)| {
            found(
                source,
                line,
                format!("`{what}` writes: make it a verb of flows, and call that"),
            )
        })
        .collect()
}

/// A package is named in its rooms only.
pub fn packages(source: &Source) -> Vec<Finding> {
    if !source.path.starts_with("src/") {
        return Vec::new();
    }
    let room = source.room();
    let of_others = packages_named(source).filter(|(package, path)| {
        let is_for_tests = path.is_test && package.rooms_in_tests.contains(&room);
        !is_for_tests && !package.rooms.contains(&room)
    });
    of_others
        .map(|(package, path)| {
            let rooms = package.rooms.join(", ");
            let advice = match rooms.is_empty() {
                true => format!("`{}` is for tests and benches", package.name),
                false => format!(
                    "`{}` stays in {rooms}: ask that room, or change tests/tidy/tables.rs",
                    package.name
                ),
            };
            found(source, path.line, advice)
        })
        .collect()
}

fn packages_named(source: &Source) -> impl Iterator<Item = (&'static crate::tables::Package, &Path)> {
    let own = source.own_names();
    source.paths.iter().filter_map(move |path| {
        let package = PACKAGES.iter().find(|package| package.name == path.segments[0])?;
        (!own.contains(package.name)).then_some((package, path))
    })
}

/// Cargo.toml and the table of packages name the same ones, the table's rooms exist, and every package is used.
pub fn dependencies(cargo: &str, sources: &[Source]) -> Vec<Finding> {
    let in_cargo = dependencies_of(cargo);
    let used: BTreeSet<&str> = sources
        .iter()
        .flat_map(packages_named)
        .map(|(package, _)| package.name)
        .collect();
    let at = |path: &str, line: usize, advice: String| Finding {
        path: path.to_owned(),
        line,
        advice,
    };
    let mut findings = Vec::new();
    for (line, name) in &in_cargo {
        if !PACKAGES.iter().any(|package| package.name == name) {
            let advice = format!("`{name}` has no rooms: say where it may be named, in tests/tidy/tables.rs");
            findings.push(at("Cargo.toml", *line, advice));
        } else if !used.contains(name.as_str()) {
            findings.push(at("Cargo.toml", *line, format!("nothing names `{name}`: take it out")));
        }
    }
    for package in PACKAGES {
        if !in_cargo.iter().any(|(_, name)| name == package.name) {
            let advice = format!("`{}` is not in Cargo.toml: take it out of the table", package.name);
            findings.push(at("tests/tidy/tables.rs", 1, advice));
        }
        for room in package.rooms.iter().chain(package.rooms_in_tests) {
            if !EVERY_ROOM.contains(room) {
                let advice = format!("`{}` may be named in `{room}`, which is no room", package.name);
                findings.push(at("tests/tidy/tables.rs", 1, advice));
            }
        }
    }
    findings
}

/// The names, as code spells them, with their lines.
fn dependencies_of(cargo: &str) -> Vec<(usize, String)> {
    let mut is_inside = false;
    let mut names = Vec::new();
    for (n, line) in cargo.lines().enumerate() {
        let line = line.trim();
        let name = if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            is_inside = header.ends_with("dependencies");
            header.split_once("dependencies.").map(|(_, name)| name)
        } else if is_inside && !line.starts_with('#') {
            line.split_once('=')
                .map(|(name, _)| name.split('.').next().unwrap_or(name))
        } else {
            None
        };
        names.extend(name.map(|name| (n + 1, name.trim().replace('-', "_"))));
    }
    names
}

/// A file begins by saying what it is.
pub fn opening(source: &Source) -> Vec<Finding> {
    let first = source.text.lines().next().unwrap_or_default();
    match first.strip_prefix("//!") {
        Some(says) if !says.trim().is_empty() => Vec::new(),
        _ => vec![found(
            source,
            1,
            "begin with `//!` and say what this file is".to_owned(),
        )],
    }
}

/// Nothing is left unfinished, and nothing unwraps, outside tests.
pub fn unfinished(source: &Source) -> Vec<Finding> {
    const TABLE: &[(&[&str], &str)] = &[
        (
            &[".", "unwrap", "(", ")"],
            "return the error, or `expect` with the reason why it cannot be",
        ),
        (&["todo", "!"], "write it, or leave it out"),
        (&["unimplemented", "!"], "write it, or leave it out"),
        (&["dbg", "!"], "take it out"),
    ];
    let mut findings = Vec::new();
    for (at, token) in source.tokens.iter().enumerate().filter(|(_, token)| !token.is_test) {
        for (texts, advice) in TABLE.iter().filter(|(texts, _)| source.has(at, texts)) {
            findings.push(found(
                source,
                token.line,
                format!("`{}` outside tests: {advice}", texts.concat()),
            ));
        }
    }
    findings
}

/// Money and counts are whole numbers: no floats in domain, but for what is shown (stats.rs and what is below it).
pub fn floats(source: &Source) -> Vec<Finding> {
    let is_stats = source.path == "src/domain/stats.rs" || source.path.starts_with("src/domain/stats/");
    if source.room() != "domain" || is_stats {
        return Vec::new();
    }
    let floats = source
        .tokens
        .iter()
        .filter(|token| !token.is_test && is_float(&token.text));
    floats
        .map(|token| {
            let advice = format!(
                "`{}` is a float: count in whole units, or move it to domain/stats.rs",
                token.text
            );
            found(source, token.line, advice)
        })
        .collect()
}

fn is_float(text: &str) -> bool {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return matches!(text, "f32" | "f64");
    }
    let is_radix = ["0x", "0b", "0o"].iter().any(|radix| text.starts_with(radix));
    // The `e` of `usize` is no exponent.
    let digits = text.trim_end_matches("usize").trim_end_matches("isize");
    !is_radix && (text.ends_with("f32") || text.ends_with("f64") || digits.contains(['.', 'e', 'E']))
}

/// domain computes: it waits for nothing, and asks neither clock nor disk nor net.
pub fn purity(source: &Source) -> Vec<Finding> {
    if source.room() != "domain" {
        return Vec::new();
    }
    let named = paths_to(source, IMPURE).map(|path| (path.line, path.segments.join("::")));
    let waits = source
        .tokens
        .iter()
        .filter(|token| matches!(token.text.as_str(), "async" | "await"));
    let waits = waits
        .filter(|token| !token.is_test)
        .map(|token| (token.line, token.text.clone()));
    named
        .chain(waits)
        .map(|(line, what)| {
            let advice = format!(
                "`{what}` in domain, which is pure: take the answer as an argument, or a trait of domain::outside"
            );
            found(source, line, advice)
        })
        .collect()
}

/// A follow waits for nobody.
pub fn waiting(source: &Source) -> Vec<Finding> {
    const CALLS: &[&[&str]] = &[
        &[".", "await"],
        &[".", "lock", "("],
        &[".", "read", "(", ")"],
        &[".", "write", "(", ")"],
        &[".", "blocking_lock", "("],
        &[".", "blocking_recv", "("],
        &[".", "recv", "(", ")"],
    ];
    if source.room() != "redirect" {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, token) in source.tokens.iter().enumerate().filter(|(_, token)| !token.is_test) {
        let call = CALLS
            .iter()
            .find(|texts| source.has(at, texts))
            .map(|texts| texts.concat());
        let lock = LOCKS.iter().find(|lock| token.text == **lock).map(ToString::to_string);
        if let Some(what) = call.or(lock) {
            let advice =
                format!("`{what}` in redirect, where nothing waits: hand it to the writer's lane, or read a snapshot");
            findings.push(found(source, token.line, advice));
        }
    }
    findings
}

/// No `unsafe` but in the files listed with a reason.
pub fn unsafe_code(source: &Source) -> Vec<Finding> {
    let is_listed = UNSAFE.iter().any(|(path, _)| *path == source.path);
    let mut uses = source.tokens.iter().filter(|token| token.text == "unsafe").peekable();
    if is_listed && uses.peek().is_none() {
        let advice = "says no `unsafe` any more: take it off the list in tests/tidy/tables.rs".to_owned();
        return vec![found(source, 1, advice)];
    }
    if is_listed {
        return Vec::new();
    }
    uses.map(|token| {
        let advice = "`unsafe`: find a crate that does it, or list the file with its reason in tests/tidy/tables.rs";
        found(source, token.line, advice.to_owned())
    })
    .collect()
}

/// The rooms on disk, the README's map and the map in src/lib.rs are the same.
pub fn maps(rooms: &BTreeSet<String>, readme: Option<&str>, lib: &str) -> Vec<Finding> {
    let Some(readme) = readme else {
        return vec![Finding {
            path: "README.md".to_owned(),
            line: 1,
            advice: "write it, with the map of src/ in a code block".to_owned(),
        }];
    };
    let mut findings = differences("README.md", rooms, &map_of_readme(readme));
    findings.extend(differences("src/lib.rs", rooms, &map_of_lib(lib)));
    findings
}

fn differences(path: &str, rooms: &BTreeSet<String>, map: &[(usize, String)]) -> Vec<Finding> {
    let at = |line: usize, advice: String| Finding {
        path: path.to_owned(),
        line,
        advice,
    };
    let missing = rooms.iter().filter(|room| !map.iter().any(|(_, name)| name == *room));
    let missing = missing.map(|room| {
        at(
            map.first().map_or(1, |(line, _)| *line),
            format!("the map does not name `{room}`: add its line"),
        )
    });
    let gone = map.iter().filter(|(_, name)| !rooms.contains(name));
    let gone = gone.map(|(line, name)| at(*line, format!("the map names `{name}`, which src/ does not have")));
    missing.chain(gone).collect()
}

/// Lines such as `  net/           sockets…` and `  app.rs, app/   …` of the code block that begins with `src/`.
fn map_of_readme(readme: &str) -> Vec<(usize, String)> {
    let lines = readme.lines().enumerate();
    let map = lines
        .skip_while(|(_, line)| *line != "src/")
        .skip(1)
        .take_while(|(_, line)| !line.starts_with("```"));
    let entries = map.filter_map(|(n, line)| {
        let name = line.strip_prefix("  ")?;
        let first = name.split([' ', ',']).next()?;
        Some((n + 1, first.trim_end_matches('/').trim_end_matches(".rs").to_owned()))
    });
    entries
        .filter(|(_, name)| !name.is_empty() && !matches!(name.as_str(), "lib" | "main"))
        .collect()
}

/// Names such as ``[`net`]`` in the table at the head of src/lib.rs.
fn map_of_lib(lib: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for (n, line) in lib.lines().enumerate().filter(|(_, line)| line.starts_with("//! |")) {
        let cell = line.split('|').nth(1).unwrap_or_default();
        let linked = cell.split("[`").skip(1).filter_map(|rest| rest.split_once("`]"));
        names.extend(linked.map(|(name, _)| (n + 1, name.to_owned())));
    }
    names
}

/// A `matches!` whose answer nobody looks at proves nothing.
pub fn idle_matches(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for at in (0..source.tokens.len()).filter(|&at| source.has(at, &["matches", "!", "("])) {
        let is_dropped = source.has(closing(&source.tokens, at + 2) + 1, &[";"]);
        let before = |n: usize| {
            at.checked_sub(n)
                .map_or("{", |before| source.tokens[before].text.as_str())
        };
        let is_statement = matches!(before(1), ";" | "{" | "}") || (before(1) == "=" && before(2) == "_");
        if source.tokens[at].is_test && is_dropped && is_statement {
            findings.push(found(
                source,
                source.tokens[at].line,
                "put it in `assert!`: as it stands it proves nothing".to_owned(),
            ));
        }
    }
    findings
}

/// A module is named for what is in it.
pub fn empty_names(source: &Source) -> Vec<Finding> {
    let of_path = source.path.split('/').map(|part| (1, part.trim_end_matches(".rs")));
    let inline = (0..source.tokens.len())
        .filter(|&at| source.has(at, &["mod"]) && source.has(at + 2, &["{"]))
        .map(|at| (source.tokens[at].line, source.tokens[at + 1].text.as_str()));
    let empty = of_path.chain(inline).filter(|(_, name)| EMPTY_NAMES.contains(name));
    empty
        .map(|(line, name)| {
            found(
                source,
                line,
                format!("`{name}` says nothing: name the module for the noun or verb inside"),
            )
        })
        .collect()
}

/// A test polls for what it waits for, with a deadline; it does not guess how long that takes.
pub fn sleeps(source: &Source) -> Vec<Finding> {
    if source.room() != "tests" || SLEEPS.iter().any(|(path, _)| *path == source.path) {
        return Vec::new();
    }
    let sleeps = source.paths.iter().filter(|path| {
        let is_sleep = path
            .segments
            .last()
            .is_some_and(|last| last.starts_with("sleep") || last == "park_timeout");
        is_sleep && path.segments.iter().any(|part| part == "thread" || part == "time")
    });
    sleeps
        .map(|path| {
            let advice = "a sleep: poll for what is awaited, with a deadline, or list the file with its reason in tests/tidy/tables.rs";
            found(source, path.line, advice.to_owned())
        })
        .collect()
}

/// Paths outside tests that are, or lie under, one of `prefixes`.
fn paths_to<'a>(source: &'a Source, prefixes: &'a [&str]) -> impl Iterator<Item = &'a Path> {
    source.paths.iter().filter(move |path| {
        let name = path.segments.join("::");
        let is_under = |prefix: &&str| {
            name.strip_prefix(*prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        !path.is_test && prefixes.iter().any(is_under)
    })
}
