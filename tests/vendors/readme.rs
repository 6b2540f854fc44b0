//! The five lines of the README, as they stand there, in each language: a creator's cart link is minted, followed, and its
//! click is read.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::server::{self, TestServer};
use super::{node, python, script};

const README: &str = include_str!("../../README.md");

/// The block of `language` below the heading that tells of the five lines.
fn block(language: &str) -> &'static str {
    let section = README.split_once("### The same in TypeScript").expect("the section").1;
    let block = section.split_once(&format!("```{language}\n")).expect("a block").1;
    block.split("```").next().expect("its end")
}

/// Runs `program` with the README's lines against a server, as the creator who is there; then the link counts a click.
fn try_out(language: &str, program: &Path, arguments: &[&str]) {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    api.products(&store, &[("MUG", "44017", Some(12))]);
    let partner = api.partner("Mia", "ceramics");
    let lines = block(language)
        .replace("http://127.0.0.1:8081", &format!("http://{}", server.running().admin))
        .replace("pn_...", &partner)
        .replace("moss.example", "shop.example");
    assert_eq!(lines.lines().filter(|line| !line.is_empty()).count(), 5, "{lines}");
    let output = Command::new(program)
        .args(arguments)
        .arg(&lines)
        .env("HOPCART_API_KEY", server::KEY)
        .current_dir(script::folder())
        .output()
        .expect("it starts");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{language}: {said}");
    let links = api.get("/links");
    assert_eq!(links.as_array().map(Vec::len), Some(1), "{links}");
    assert_eq!(links[0]["cart"]["items"][0]["variantId"], json!("44017"), "{links}");
    assert_eq!(links[0]["partnerId"], json!(partner));
    let link = links[0]["id"].as_str().expect("an id");
    server::eventually("the click counts", || {
        (api.clicks(&format!("linkId={link}")) == 1).then_some(())
    });
    assert!(said.contains("clicks"), "{language} read: {said}");
}

#[test]
fn the_readmes_lines_work_in_typescript() {
    try_out("ts", &node::installed(), &["--input-type=module", "--eval"]);
}

#[test]
fn the_readmes_lines_work_in_python() {
    try_out(
        "python",
        &python::environment("requirements.txt", "vendors-python"),
        &["-c"],
    );
}

#[test]
fn the_readmes_lines_work_with_curl() {
    try_out("sh", &script::program("bash", "bash curl jq"), &["-ec"]);
}
