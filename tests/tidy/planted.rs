//! Every rule is shown to fail on a planted snippet, and to let the like of it pass where it is allowed.

use std::collections::BTreeSet;

use crate::rules::{self, Finding};
use crate::scan::Source;

/// A file, its text, and the line on which the rule must speak; 0 for never.
type Row = (&'static str, &'static str, usize);

fn check(rule: fn(&Source) -> Vec<Finding>, rows: &[Row]) {
    for (path, text, line) in rows {
        let findings = rule(&Source::new(path, text, path.starts_with("tests/")));
        let lines: Vec<usize> = findings.iter().map(|finding| finding.line).collect();
        let expected: Vec<usize> = (*line > 0).then_some(*line).into_iter().collect();
        assert_eq!(lines, expected, "{path}: {text}\n{findings:?}");
    }
}

#[test]
fn an_import_against_the_arrows_is_found() {
    check(
        rules::arrows,
        &[
            ("src/domain/link.rs", "\nuse crate::books;", 2),
            ("src/domain/link.rs", "use crate::domain::money;", 0),
            (
                "src/domain/link.rs",
                "// use crate::books;\nlet a = \"crate::books\";",
                0,
            ),
            ("src/books/link.rs", "use crate::{domain::id,\n flows::Context};", 2),
            ("src/books/link.rs", "use super::super::web::api;", 1),
            ("src/books/link.rs", "use super::order;", 0),
            (
                "src/books/link.rs",
                "#[cfg(test)] mod tests { use super::super::super::web; }",
                1,
            ),
            (
                "src/books/link.rs",
                "#[cfg(test)] mod tests { use super::super::order; }",
                0,
            ),
            ("src/redirect/follow.rs", "fn a() {\n crate::clicklog::open() }", 2),
            ("src/flows/a.rs", "fn a(client: crate::net::Client) {}", 1),
            ("src/web/api/link.rs", "use crate::flows::publish_link;", 0),
            ("src/web/api/link.rs", "use crate::config::Config;", 1),
            ("src/web/api/link.rs", "use crate as all;", 1),
            ("src/web/api/link.rs", "use crate::*;", 1),
            ("src/app.rs", "use crate::cli;", 0),
            ("src/main.rs", "fn main() { hopcart::cli::run() }", 0),
            ("src/main.rs", "fn main() { hopcart::app::start() }", 1),
            (
                "src/cluster/mod.rs",
                "//! A room of which nobody said what it may import.",
                1,
            ),
            ("tests/it/main.rs", "use hopcart::app;", 0),
        ],
    );
}

#[test]
fn a_write_outside_the_flows_is_found() {
    check(
        rules::writers,
        &[
            ("src/web/api/link.rs", "use crate::redirect::{Table,\n TableWriter};", 2),
            ("src/web/api/link.rs", "use crate::books::{Books, View};", 0),
            ("src/web/api/link.rs", "books.commit(|tx| tx)", 1),
            (
                "src/flows/publish_link.rs",
                "use crate::books::Tx; books.commit(|tx| tx)",
                0,
            ),
        ],
    );
}

#[test]
fn a_package_outside_its_rooms_is_found() {
    check(
        rules::packages,
        &[
            ("src/web/api/link.rs", "use rusqlite::Connection;", 1),
            ("src/books/link.rs", "use rusqlite::Connection;", 0),
            ("src/books/link.rs", "fn a() {\n ::sled::open(b) }", 2),
            (
                "src/books/link.rs",
                "use {crate::domain::id, dashmap::DashMap as Map};",
                1,
            ),
            ("src/domain/link.rs", "#[derive(Debug, serde::Serialize)] struct A;", 0),
            ("src/domain/link.rs", "tracing::info!(a);", 1),
            ("src/domain/link.rs", "#[tokio::main] fn a() {}", 1),
            ("src/net/api.rs", "use axum::Router;", 1),
            ("src/net/api.rs", "#[cfg(test)] mod tests { use axum::Router; }", 0),
            ("src/net/api.rs", "use proptest::prelude;", 1),
            ("src/clicklog/frame.rs", "use super::bytes; fn a() { bytes::put(b) }", 0),
            ("src/clicklog/mod.rs", "mod bytes; use bytes::Reader;", 0),
            ("src/clicklog/frame.rs", "use bytes::Bytes;", 1),
            ("src/clicklog/frame.rs", "a.bytes::<u8>(); let url = bytes;", 0),
            ("tests/it/books.rs", "use rusqlite::Connection;", 0),
        ],
    );
}

#[test]
fn cargo_toml_and_the_table_name_the_same_packages() {
    let advices = |cargo: &str, code: &str| -> Vec<String> {
        let findings = rules::dependencies(cargo, &[Source::new("src/books/a.rs", code, false)]);
        let of_cargo = findings.into_iter().filter(|finding| finding.path == "Cargo.toml");
        of_cargo
            .map(|finding| format!("{} {}", finding.line, finding.advice))
            .collect()
    };
    let named = "use rusqlite::A; use arc_swap::B;";
    assert_eq!(
        advices(
            "[dependencies]\n# b = 1\nrusqlite = \"1\"\narc-swap.version = \"2\"",
            named
        ),
        [""; 0]
    );
    assert_eq!(advices("[package]\nname = \"a\"\n[dependencies]", named), [""; 0]);
    assert!(advices("[dependencies]\nleft-pad = \"1\"", named)[0].starts_with("2 `left_pad` has no rooms"));
    assert!(advices("[dev-dependencies.left-pad]\nversion = \"1\"", named)[0].starts_with("1 `left_pad` has no rooms"));
    assert!(advices("[target.'cfg(unix)'.dependencies]\nsled = \"1\"", named)[0].starts_with("2 nothing names `sled`"));
    let gone = rules::dependencies("[dependencies]\n", &[]);
    assert!(
        gone.iter()
            .any(|finding| finding.advice.starts_with("`sled` is not in Cargo.toml"))
    );
}

#[test]
fn a_file_that_does_not_say_what_it_is_is_found() {
    check(
        rules::opening,
        &[
            ("src/books/link.rs", "use a::b;", 1),
            ("src/books/link.rs", "\n//! Late.", 1),
            ("src/books/link.rs", "//!\nuse a::b;", 1),
            ("src/books/link.rs", "/// Of an item.", 1),
            ("benches/follow.rs", "", 1),
            ("src/books/link.rs", "//! Links, stored.", 0),
        ],
    );
}

#[test]
fn unfinished_code_and_unwraps_outside_tests_are_found() {
    check(
        rules::unfinished,
        &[
            ("src/books/link.rs", "a\n .unwrap()", 2),
            ("src/books/link.rs", "a.unwrap_or(b); // c.unwrap()", 0),
            ("src/books/link.rs", "todo!()", 1),
            ("src/books/link.rs", "unimplemented!(\"later\")", 1),
            ("src/books/link.rs", "std::dbg!(a)", 1),
            ("src/books/link.rs", "let a = \"todo!()\";", 0),
            (
                "src/books/link.rs",
                "#[cfg(test)]\nmod tests { fn a() { b.unwrap() } }",
                0,
            ),
            (
                "src/books/link.rs",
                "#[cfg(test)]\nmod tests { }\nfn a() { b.unwrap() }",
                3,
            ),
            ("benches/follow.rs", "a.unwrap()", 1),
            ("tests/it/main.rs", "a.unwrap()", 0),
        ],
    );
}

#[test]
fn a_float_in_domain_is_found() {
    check(
        rules::floats,
        &[
            ("src/domain/money.rs", "fn a(b: f64) {}", 1),
            ("src/domain/money.rs", "let a =\n 1.5;", 2),
            ("src/domain/money.rs", "let a = 1e6;", 1),
            ("src/domain/money.rs", "let a = 1_f32;", 1),
            (
                "src/domain/money.rs",
                "let a = b.0.1 + 0xfe + 0..9 + 3usize + 1.max(2); // 1.5",
                0,
            ),
            ("src/domain/money.rs", "#[cfg(test)] mod tests { fn a(b: f64) {} }", 0),
            ("src/domain/stats.rs", "fn a(b: f64) -> f64 { b * 1.5 }", 0),
            ("src/domain/stats/special.rs", "fn a(b: f64) {}", 0),
            ("src/domain/statsby.rs", "fn a(b: f64) {}", 1),
            ("src/web/pages/format.rs", "fn a(b: f64) {}", 0),
        ],
    );
}

#[test]
fn what_touches_the_world_in_domain_is_found() {
    check(
        rules::purity,
        &[
            ("src/domain/time.rs", "use std::time::{Duration,\n SystemTime};", 2),
            ("src/domain/time.rs", "use std::time::Duration;", 0),
            ("src/domain/host.rs", "use std::net::IpAddr;", 0),
            ("src/domain/host.rs", "std::net::TcpStream::connect(a)", 1),
            ("src/domain/host.rs", "use std::fs;", 1),
            ("src/domain/host.rs", "async fn a() {}", 1),
            ("src/domain/host.rs", "#[cfg(test)] mod tests { use std::fs; }", 0),
            ("src/app/data_dir.rs", "use std::fs;", 0),
        ],
    );
}

#[test]
fn a_wait_in_redirect_is_found() {
    check(
        rules::waiting,
        &[
            ("src/redirect/follow.rs", "a()\n .await", 2),
            ("src/redirect/follow.rs", "a.lock()", 1),
            ("src/redirect/follow.rs", "a.read()", 1),
            ("src/redirect/follow.rs", "a.write().b = c", 1),
            ("src/redirect/follow.rs", "use std::sync::Mutex;", 1),
            ("src/redirect/follow.rs", "fn a(b: &tokio::sync::RwLock<u8>) {}", 1),
            ("src/redirect/follow.rs", "a.read(&mut b); a.load(c); // .await", 0),
            (
                "src/redirect/follow.rs",
                "#[cfg(test)] mod tests { fn a() { b.lock() } }",
                0,
            ),
            ("src/flows/record_clicks.rs", "a.lock()", 0),
        ],
    );
}

#[test]
fn unsafe_code_is_found() {
    check(
        rules::unsafe_code,
        &[
            ("src/net/listen.rs", "\nunsafe { a() }", 2),
            ("src/net/listen.rs", "#[cfg(test)] mod tests { unsafe fn a() {} }", 1),
            ("tests/crash.rs", "unsafe { a() }", 1),
            ("src/net/listen.rs", "// unsafe\nlet a = \"unsafe\"; unsafe_code();", 0),
            ("src/redirect/words.rs", "unsafe { a() }", 0),
            ("src/redirect/words.rs", "a();", 1),
        ],
    );
}

#[test]
fn a_map_that_is_not_the_house_is_found() {
    const README: &str =
        "# A\n\n```\nsrc/\n  main.rs        runs\n  app.rs, app/   makes\n  net/           serves\n```\n  web/ later\n";
    const LIB: &str = "//! A\n//! | room | what |\n//! | [`app`], [`net`] | makes [`web`] |\npub mod app;\n";
    let told = |rooms: &[&str], readme: Option<&str>, lib: &str| -> Vec<String> {
        let rooms: BTreeSet<String> = rooms.iter().map(ToString::to_string).collect();
        let findings = rules::maps(&rooms, readme, lib);
        findings
            .iter()
            .map(|finding| format!("{}:{}", finding.path, finding.line))
            .collect()
    };
    assert_eq!(told(&["app", "net"], Some(README), LIB), [""; 0]);
    assert_eq!(
        told(&["app", "net", "web"], Some(README), LIB),
        ["README.md:6", "src/lib.rs:3"]
    );
    assert_eq!(told(&["app"], Some(README), LIB), ["README.md:7", "src/lib.rs:3"]);
    assert_eq!(
        told(&["app", "net"], Some("no map"), LIB),
        ["README.md:1", "README.md:1"]
    );
    assert_eq!(told(&["app", "net"], None, LIB), ["README.md:1"]);
}

#[test]
fn a_matches_that_asserts_nothing_is_found() {
    check(
        rules::idle_matches,
        &[
            ("tests/it/a.rs", "fn a() {\n matches!(b, C { d: (1, _), .. });\n}", 2),
            ("tests/it/a.rs", "fn a() { b(); matches!(c, d); }", 1),
            ("tests/it/a.rs", "fn a() { let _ = matches!(c, d); }", 1),
            (
                "tests/it/a.rs",
                "fn a() { assert!(matches!(b, c)); let d = matches!(e, f); }",
                0,
            ),
            ("tests/it/a.rs", "fn a() -> bool { matches!(b, c) }", 0),
            (
                "src/net/a.rs",
                "#[cfg(test)] mod tests { fn a() { matches!(b, c); } }",
                1,
            ),
        ],
    );
}

#[test]
fn a_module_whose_name_says_nothing_is_found() {
    check(
        rules::empty_names,
        &[
            ("src/books/util.rs", "//! A", 1),
            ("src/services/link.rs", "//! A", 1),
            ("tests/common/mod.rs", "//! A", 1),
            ("src/books/link.rs", "\nmod helpers {}", 2),
            ("src/books/link.rs", "mod order { fn util() {} }", 0),
        ],
    );
}

#[test]
fn a_test_that_sleeps_is_found() {
    check(
        rules::sleeps,
        &[
            ("tests/it/a.rs", "\nstd::thread::sleep(a)", 2),
            (
                "tests/it/a.rs",
                "use std::{thread, time::Duration}; thread::sleep(a)",
                1,
            ),
            ("tests/it/a.rs", "tokio::time::sleep_until(a).await", 1),
            ("tests/it/a.rs", "use tokio::time::sleep;", 1),
            ("tests/it/a.rs", "use std::time::Duration; std::thread::spawn(a)", 0),
            ("src/net/accept.rs", "tokio::time::sleep(a).await", 0),
        ],
    );
}
