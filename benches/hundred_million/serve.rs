//! The real server on the log: after the kill, how long until a follower is redirected and until reports are answered.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Plan;
use super::program::Program;
use super::wire::{Api, BROWSER, Connection};

const KEY: &str = "hundred-million-admin-key-0123456789";
/// Far more than opening may take.
const PATIENCE: Duration = Duration::from_secs(300);

fn program(plan: &Plan) -> Program {
    let config = plan.dir.join("hopcart.toml");
    // The rings' directory goes with the rest.
    let text = format!(
        "[clicks]\nring_dir = \"{}\"\n[destinations]\nallow_private = true\n",
        plan.dir.join("rings").display()
    );
    fs::write(&config, text).expect("there is room for it");
    Program {
        data: plan.data(),
        config,
        log: plan.dir.join("log"),
        click_ack: "async",
        admin_key: KEY,
    }
}

/// Makes the data directory, with a link in it.
pub fn prepare(plan: &Plan) {
    let server = program(plan).start();
    let mut api = Api::new(server.admin, KEY);
    api.post("/links", &json!({"url": "https://shop.example/p", "key": "bench"}));
    server.kill();
    // Its own clicks, of which there are none, would stand before those that are written.
    fs::remove_dir_all(plan.log()).expect("the server made it");
}

/// Starts the server on what the killed writer left.
pub fn first_redirect(plan: &Plan) {
    let started = Instant::now();
    let server = program(plan).start();
    let listening = started.elapsed();
    let status = until(|| {
        let mut followers = Connection::open(server.public).ok()?;
        let answer = followers.ask("GET", "/bench", &[("user-agent", BROWSER)], None).ok()?;
        Some(answer.status).filter(|status| *status == 302)
    });
    let redirected = started.elapsed();
    assert_eq!(status, 302);
    until(|| {
        let mut admin = Connection::open(server.admin).ok()?;
        let bearer = format!("Bearer {KEY}");
        let target = "/analytics?event=clicks&interval=all";
        let answer = admin
            .ask("GET", target, &[("authorization", bearer.as_str())], None)
            .ok()?;
        (answer.status == 200).then_some(())
    });
    println!(
        "server after SIGKILL: listens after {} ms, first redirect after {} ms, first report after {} ms",
        listening.as_millis(),
        redirected.as_millis(),
        started.elapsed().as_millis(),
    );
    server.kill();
}

fn until<T>(mut probe: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < give_up, "the server does not come up");
        std::thread::sleep(Duration::from_millis(1));
    }
}
