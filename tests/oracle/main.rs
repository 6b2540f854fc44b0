//! Random histories of links, clicks, codes, orders, refunds, leads, sales, exchange rates, rulings and restarts, judged by an oracle that was written
//! from the rules and shares no code with the program (`rules.rs`): every order's credit and every report's cents must be
//! equal, under every model, whatever the order of deliveries.
//!
//! The program's own flows are driven in this process, without sockets. A history that fails is made shorter and printed.
//! Environment: `HOPCART_ORACLE_HISTORIES` (300), `HOPCART_ORACLE_SEED`.

#[path = "../rooms/mod.rs"]
mod rooms;
mod rules;
mod stage;
mod step;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use stage::Stage;
use step::{Step, history};

const STEPS: usize = 50;
/// Histories that are played at the same time.
const STAGES: usize = 2;
/// What a run of some length must have seen, or it shows little.
const MUST_HAPPEN: [&str; 11] = [
    "credited by CreatorCode",
    "credited by Click",
    "credited by Customer",
    "held by CreatorCode",
    "none by Click",
    "none by nothing",
    "split",
    "leak: ClickShare",
    "converted",
    "without a rate",
    "told as a sale",
];
/// Histories on one stage: each has a workspace of its own in the same books.
const HISTORIES_PER_STAGE: usize = 100;

#[test]
fn credit_and_reports_follow_the_oracle() {
    let histories = variable("HOPCART_ORACLE_HISTORIES", 300);
    let seed = variable("HOPCART_ORACLE_SEED", 20_261_121);
    let next = AtomicU64::new(0);
    let failed = Mutex::new(None);
    let orders: Mutex<BTreeMap<String, u64>> = Mutex::default();
    let play_some = || {
        let mut stage = Stage::new();
        let mut played = 0;
        while failed.lock().expect("no panic while it is held").is_none() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= histories {
                break;
            }
            let steps = history(seed + number, STEPS);
            match play(&mut stage, &steps) {
                Ok(seen) => {
                    let mut orders = orders.lock().expect("no panic while it is held");
                    seen.into_iter().for_each(|what| *orders.entry(what).or_default() += 1);
                }
                Err(why) => {
                    *failed.lock().expect("no panic while it is held") = Some((seed + number, why, steps));
                    break;
                }
            }
            played += 1;
            if played % HISTORIES_PER_STAGE == 0 {
                stage = Stage::new();
            }
        }
    };
    thread::scope(|scope| {
        (0..STAGES).for_each(|_| drop(scope.spawn(play_some)));
    });
    let Some((seed, why, steps)) = failed.into_inner().expect("no panic while it was held") else {
        let orders = orders.into_inner().expect("no panic while it was held");
        let is_order = |what: &str| what.contains(" by ");
        let count: u64 = orders
            .iter()
            .filter(|(what, _)| is_order(what))
            .map(|(_, count)| count)
            .sum();
        println!(
            "{histories} histories of {STEPS} steps, seeds from {seed}: {count} orders, 0 differences\n{orders:#?}"
        );
        let is_seen = |what: &str| orders.keys().any(|seen| seen.contains(what));
        let missing: Vec<&str> = MUST_HAPPEN.into_iter().filter(|what| !is_seen(what)).collect();
        assert!(histories < 100 || missing.is_empty(), "never happened: {missing:?}");
        return;
    };
    let (why, steps) = shorter(why, steps);
    let steps: Vec<String> = steps.iter().map(|step| format!("  {step:?}")).collect();
    panic!(
        "HOPCART_ORACLE_HISTORIES=1 HOPCART_ORACLE_SEED={seed}: {why}\nafter\n{}",
        steps.join("\n")
    );
}

/// Plays `steps`; what orders came to, or the message of the first assertion that fails.
fn play(stage: &mut Stage, steps: &[Step]) -> Result<Vec<String>, String> {
    let played = catch_unwind(AssertUnwindSafe(|| stage.play(steps)));
    played.map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(_) => "a panic without words".to_owned(),
    })
}

/// Leaves steps out as long as the history still fails.
fn shorter(mut why: String, mut steps: Vec<Step>) -> (String, Vec<Step>) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut length = steps.len() / 2;
    while length > 0 {
        let mut start = 0;
        while start < steps.len() {
            let end = (start + length).min(steps.len());
            let fewer: Vec<Step> = [&steps[..start], &steps[end..]].concat();
            match play(&mut Stage::new(), &fewer) {
                Err(still) => (why, steps) = (still, fewer),
                Ok(_) => start = end,
            }
        }
        length /= 2;
    }
    std::panic::set_hook(hook);
    (why, steps)
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}
