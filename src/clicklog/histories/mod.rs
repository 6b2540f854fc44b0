//! Random histories of a click log: batches, checkpoints, faults at any operation of the disk, kills and power cuts at
//! any moment, restarts, retention and questions, played to a real log in a directory and to plain lists of clicks.
//!
//! Every answer must be the lists'. What was acknowledged counts, whatever happens afterwards; what was not counts once
//! or not at all, and after the next opening for ever so. A history that fails is made shorter and printed. Environment:
//! `HOPCART_CLICKLOG_HISTORIES` (how many, [`HISTORIES`] by default; ten thousand take some minutes),
//! `HOPCART_CLICKLOG_SEED` (which).

mod chance;
mod compare;
mod lossy_disk;
mod naive;
mod power;
mod stage;
mod step;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use stage::{Stage, Tally};
use step::{History, Step};

/// Histories by default: well below a minute on two cores.
const HISTORIES: u64 = 200;
/// Histories that are played at the same time.
const STAGES: usize = 2;

#[test]
fn every_count_is_that_of_plain_lists() {
    let histories = variable("HOPCART_CLICKLOG_HISTORIES", HISTORIES);
    let seed = variable("HOPCART_CLICKLOG_SEED", 20_261_121);
    let next = AtomicU64::new(0);
    let (failed, tally) = (Mutex::new(None), Mutex::new(Tally::default()));
    let play_some = || {
        while failed.lock().expect("no panic while it is held").is_none() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= histories {
                break;
            }
            let history = history(seed + number);
            match play(&history) {
                Ok(played) => tally.lock().expect("no panic while it is held").add(&played),
                Err(why) => *failed.lock().expect("no panic while it is held") = Some((seed + number, why, history)),
            }
        }
    };
    thread::scope(|scope| {
        (0..STAGES).for_each(|_| drop(scope.spawn(play_some)));
    });
    let Some((seed, why, history)) = failed.into_inner().expect("no panic while it was held") else {
        let tally = tally.into_inner().expect("no panic while it was held");
        println!("{histories} histories, seeds from {seed}: {tally}");
        // A harness that plays nothing proves nothing.
        assert!(histories < HISTORIES || tally.has_everything(), "{tally}");
        return;
    };
    let (why, history) = shorter(why, history);
    let steps: Vec<String> = history.steps.iter().map(|step| format!("  {step:?}")).collect();
    panic!(
        "HOPCART_CLICKLOG_HISTORIES=1 HOPCART_CLICKLOG_SEED={seed}: {why}\nafter, with {:?}\n{}",
        history.traits,
        steps.join("\n")
    );
}

/// The history that belongs to `seed`.
fn history(seed: u64) -> History {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Default::default(), random);
    let drawn = step::history().new_tree(&mut runner);
    drawn.expect("nothing is filtered").current()
}

/// Plays `history`; the message of the first assertion that fails.
fn play(history: &History) -> Result<Tally, String> {
    let played = catch_unwind(AssertUnwindSafe(|| Stage::new(history.traits).play(&history.steps)));
    played.map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic
            .downcast_ref::<&str>()
            .unwrap_or(&"a panic without words")
            .to_string(),
    })
}

/// Leaves steps out as long as the history still fails.
fn shorter(mut why: String, mut history: History) -> (String, History) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut length = history.steps.len().div_ceil(2);
    while length > 0 {
        let mut start = 0;
        while start < history.steps.len() {
            let end = (start + length).min(history.steps.len());
            let steps: Vec<Step> = [&history.steps[..start], &history.steps[end..]].concat();
            let fewer = History { steps, ..history };
            match play(&fewer) {
                Err(still) => (why, history) = (still, fewer),
                Ok(_) => start = end,
            }
        }
        length /= 2;
    }
    std::panic::set_hook(hook);
    (why, history)
}

fn variable(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number")),
        Err(_) => default,
    }
}
