//! Rounds: every target has one slice in each, and another one begins each round.

use std::thread;
use std::time::Instant;

use super::cpu::{CpuTime, Processes};
use super::draw::Dice;
use super::generator::{self, Moment, Task};
use super::plan::{Asked, Plan};
use super::stats::Stats;
use super::view::View;
use super::watch::{Ended, Watch};
use crate::cli::failure::Failure;

/// One slice's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// Answers a second.
    pub rate: f64,
    pub answered: u64,
    /// Latencies in µs.
    pub p50: f64,
    pub p99: f64,
    /// Answers before and after the measured time too.
    pub answered_in_all: u64,
    /// The server's processor time for each answer, in µs; nothing when nobody's was asked for. With what slices left to do
    /// afterwards, which each has its part of.
    pub cpu_total: Option<f64>,
    /// Of the measured time alone, and of the serving threads in it.
    pub cpu_slice: Option<f64>,
    pub cpu_serving: Option<f64>,
}

/// All of one target.
#[derive(Debug)]
pub struct Outcome {
    pub name: String,
    pub url: String,
    pub rounds: Vec<Round>,
    pub all: Stats,
    /// The server's processor time from the begin of its first slice until it had nothing left to do, in ns.
    pub cpu_ns: u64,
}

/// Measures everything.
///
/// # Errors
/// When a process that is watched has ended, or the system has no thread or event queue left.
pub fn measure(plan: &Plan) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for asked in &plan.asked {
        outcomes.push(Outcome {
            name: asked.target.name.clone(),
            url: asked.target.url.to_string(),
            rounds: Vec::new(),
            all: Stats::new()?,
            cpu_ns: 0,
        });
    }
    let mut view = View::new(plan);
    let mut watch = Watch::new(plan.asked.len());
    let mut dice: Vec<Dice> = (0..plan.threads).map(|number| Dice::new(plan.seed, number)).collect();
    for round in 0..plan.rounds {
        for place in order(round, plan.asked.len()) {
            let Some(asked) = plan.asked.get(place) else { continue };
            view.begin(round);
            book(&mut outcomes, watch.begin(place, &asked.roots)?);
            let going = &mut |stats: &Stats, now| view.going(place, stats, now);
            let (stats, cpu) = run_slice(plan, asked, watch.processes(place), &mut dice, going)?;
            if let Some(outcome) = outcomes.get_mut(place) {
                outcome.rounds.push(Round::of(&stats, cpu));
                outcome.all.add(&stats, true);
                view.done(place, outcome);
            }
        }
    }
    watch.settle(plan.settle);
    view.finish();
    book(&mut outcomes, watch.finish());
    outcomes.iter_mut().for_each(Outcome::share_out);
    Ok(outcomes)
}

fn book(outcomes: &mut [Outcome], ended: Vec<Ended>) {
    for (place, ns) in ended {
        if let Some(outcome) = outcomes.get_mut(place) {
            outcome.cpu_ns += ns;
        }
    }
}

impl Outcome {
    /// Gives every round its part of what was done outside of the slices: as much more as all of the time, for all answers,
    /// is than that of the slices. What is done later, and in gulps, falls on the rounds evenly so.
    fn share_out(&mut self) {
        let in_slices: f64 = self
            .rounds
            .iter()
            .filter_map(|round| Some(round.cpu_slice? * round.answered as f64))
            .sum();
        let answered: u64 = self.rounds.iter().map(|round| round.answered).sum();
        let Some(of_all) = each(self.cpu_ns, self.rounds.iter().map(|round| round.answered_in_all).sum()) else {
            return;
        };
        if answered > 0 && in_slices > 0.0 {
            let more = of_all / (in_slices / answered as f64);
            for round in &mut self.rounds {
                round.cpu_total = round.cpu_slice.map(|slice| slice * more);
            }
        }
    }
}

/// µs for each of so many answers.
fn each(ns: u64, answers: u64) -> Option<f64> {
    (answers > 0).then(|| ns as f64 / 1e3 / answers as f64)
}

/// The places of `count` targets, another one first in each round.
fn order(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |place| (place + round) % count)
}

fn run_slice(
    plan: &Plan,
    asked: &Asked,
    processes: Option<&Processes>,
    dice: &mut [Dice],
    going: &mut dyn FnMut(&Stats, Instant),
) -> Result<(Stats, Option<CpuTime>), Failure> {
    let measured_from = Instant::now() + plan.warm_up();
    let task = |thread: usize| Task {
        address: asked.target.address,
        tls: asked.tls.as_ref(),
        requests: &asked.requests,
        is_head: plan.is_head,
        is_closing: plan.is_closing,
        // The first threads have one more where they cannot be shared evenly.
        connections: (plan.connections + plan.threads - 1 - thread) / plan.threads,
        rate: plan.rate,
        thread,
        threads: plan.threads,
        measured_from,
        until: measured_from + plan.slice,
        timeout: plan.timeout,
    };
    let mut readings = Vec::new();
    let read = || processes.map(Processes::read);
    let mut tell = |moment: Moment<'_>| match moment {
        Moment::Going(stats, now) => going(stats, now),
        Moment::MeasureBegins | Moment::MeasureEnds => readings.extend(read()),
    };
    let Some((first, others)) = dice.split_first_mut() else {
        return Err(Failure::Usage("--threads must be 1 or more".to_owned()));
    };
    let mut stats = thread::scope(|scope| {
        let mut running = Vec::new();
        for (before, dice) in others.iter_mut().enumerate() {
            let task = task(before + 1);
            running.push(scope.spawn(move || generator::run(&task, dice, &mut |_| {})));
        }
        let mut stats = generator::run(&task(0), first, &mut tell)?;
        for other in running {
            let broken = |_| Failure::Failed("a thread of the generator broke off".to_owned());
            stats.add(&other.join().map_err(broken)??, false);
        }
        Ok::<_, Failure>(stats)
    })?;
    stats.seconds = plan.slice.as_secs_f64();
    let cpu = match readings.as_slice() {
        [before, after] => Some(after.since(before, plan.serving.as_deref())),
        _ => None,
    };
    Ok((stats, cpu))
}

impl Round {
    fn of(stats: &Stats, cpu: Option<CpuTime>) -> Self {
        Self {
            rate: stats.rate(),
            answered: stats.answered,
            p50: stats.at(0.5),
            p99: stats.at(0.99),
            answered_in_all: stats.statuses.values().sum(),
            cpu_total: None,
            cpu_slice: cpu.and_then(|cpu| each(cpu.total_ns, stats.answered)),
            cpu_serving: cpu.and_then(|cpu| each(cpu.serving_ns, stats.answered)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_first_in_turn() {
        let rounds: Vec<Vec<usize>> = (0..4).map(|round| order(round, 3).collect()).collect();
        assert_eq!(rounds, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
    }

    #[test]
    fn processor_time_is_shared_among_answers() {
        let mut stats = Stats::new().expect("room");
        (stats.answered, stats.seconds) = (1_000, 0.5);
        let cpu = CpuTime {
            total_ns: 9_000_000,
            serving_ns: 7_000_000,
        };
        let round = Round::of(&stats, Some(cpu));
        assert_eq!((round.cpu_slice, round.cpu_serving), (Some(9.0), Some(7.0)));
        assert!((round.rate - 2_000.0).abs() < 1e-9);
        let other = Round {
            cpu_slice: Some(18.0),
            ..round.clone()
        };
        let mut outcome = Outcome {
            name: String::new(),
            url: String::new(),
            rounds: vec![round, other],
            all: stats,
            cpu_ns: 0,
        };
        outcome
            .rounds
            .iter_mut()
            .for_each(|round| round.answered_in_all = 1_100);
        // 9 and 18 µs in the slices, 13.5 on average; 27 µs an answer in all: twice as much.
        book(
            std::slice::from_mut(&mut outcome),
            vec![(0, 29_700_000), (0, 29_700_000), (1, 5)],
        );
        outcome.share_out();
        let totals: Vec<Option<f64>> = outcome.rounds.iter().map(|round| round.cpu_total).collect();
        assert_eq!(totals, [Some(18.0), Some(36.0)]);
        assert_eq!(Round::of(&Stats::new().expect("room"), Some(cpu)).cpu_slice, None);
    }
}
