//! Schemathesis reads the API's description and calls every operation with what it allows and with what it does not: the
//! server never fails, and answers nothing that is not described.

use std::process::Command;

use super::python;
use super::server::TestServer;

/// Seconds for all calls together; installing comes on top, once.
const SECONDS: &str = "45";
/// What every answer is held against.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

#[test]
fn whatever_is_sent_the_server_answers_as_described() {
    let server = TestServer::start();
    let key = server.api().post("/workspaces", &serde_json::json!({ "name": "Sand" }))["key"].clone();
    let header = format!("Authorization: Bearer {}", key.as_str().expect("a key"));
    let python = python::environment("schemathesis.txt", "vendors-schemathesis");
    let output = Command::new(python.with_file_name("schemathesis"))
        .args(["run", &format!("http://{}/openapi.json", server.running().admin)])
        .args(["--header", &header, "--checks", CHECKS])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "10",
            "--max-time",
            SECONDS,
        ])
        .args([
            "--seed",
            "6",
            "--no-shrink",
            "--generation-database",
            "none",
            "--no-color",
            "--warnings",
            "off",
        ])
        .current_dir(server.data())
        .output()
        .expect("schemathesis starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // A run that reached nothing would pass as well.
    let sent = said
        .split_once(" generated")
        .and_then(|(before, _)| before.split_whitespace().last()?.parse().ok());
    assert!(sent.is_some_and(|sent: u32| sent > 100), "{said}");
    println!("{said}");
}
