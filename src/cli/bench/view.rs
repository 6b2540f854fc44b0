//! What is seen while it is measured: a few lines that are redrawn, or on what is no terminal a few plain lines.
//! On standard error.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plan::Plan;
use super::ratio::Spread;
use super::report::{count, micros};
use super::rounds::Outcome;
use super::stats::Stats;
use crate::cli::terminal::{is_watched, note};

/// Lines that a log gets instead of a view that moves.
const LINES: usize = 4;

/// The view.
pub struct View {
    lines: Option<(MultiProgress, ProgressBar, Vec<ProgressBar>)>,
    names: Vec<String>,
    headline: String,
    rounds: usize,
    round: usize,
    began: Instant,
    /// How long the slices and what comes before them take.
    whole: Duration,
    warm_up: Duration,
    /// When the measured part of this slice begins.
    measured_from: Instant,
    expected: Vec<u16>,
}

impl View {
    /// Nothing is measured yet.
    pub fn new(plan: &Plan) -> Self {
        let names: Vec<String> = plan.asked.iter().map(|asked| asked.target.name.clone()).collect();
        let slices = u32::try_from(plan.rounds * names.len()).unwrap_or(u32::MAX);
        let lines = is_watched().then(|| {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
            let line = |template: &str| {
                let bar = all.add(ProgressBar::new(1_000));
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style.progress_chars("=> "));
                }
                bar
            };
            let head = line("  {bar:24} {msg}");
            let targets = names.iter().map(|_| line("  {msg}")).collect();
            (all, head, targets)
        });
        if lines.is_none() {
            note(&plan.headline());
        }
        let now = Instant::now();
        Self {
            lines,
            names,
            headline: plan.headline(),
            rounds: plan.rounds,
            round: 0,
            began: now,
            whole: (plan.slice + plan.warm_up()).saturating_mul(slices),
            warm_up: plan.warm_up(),
            measured_from: now,
            expected: plan.expected.clone(),
        }
    }

    /// A slice of this round begins.
    pub fn begin(&mut self, round: usize) {
        (self.round, self.measured_from) = (round, Instant::now() + self.warm_up);
        if let Some((_, head, targets)) = &self.lines {
            head.set_message(format!("round {} of {}: {}", round + 1, self.rounds, self.headline));
            for (at, line) in targets.iter().enumerate().filter(|_| round == 0) {
                let name = self.names.get(at).map_or("", String::as_str);
                if line.message().is_empty() {
                    line.set_message(format!("{name:<16} waits"));
                }
            }
        }
        self.advance();
    }

    /// So far this slice has come.
    pub fn going(&self, place: usize, stats: &Stats, now: Instant) {
        self.advance();
        let Some((_, _, targets)) = &self.lines else { return };
        let (Some(line), Some(name)) = (targets.get(place), self.names.get(place)) else {
            return;
        };
        if stats.latency.is_empty() {
            return;
        }
        let seconds = now.saturating_duration_since(self.measured_from).as_secs_f64();
        let rate = stats.answered as f64 / seconds.max(0.001);
        line.set_message(format!("{name:<16} {}", figures(rate, stats, &self.expected)));
    }

    /// A slice is over.
    pub fn done(&self, place: usize, outcome: &Outcome) {
        self.advance();
        let rate = Spread::of(outcome.rounds.iter().map(|round| round.rate)).map_or(0.0, |spread| spread.median);
        let mut text = format!("{:<16} {}", outcome.name, figures(rate, &outcome.all, &self.expected));
        if let Some(cpu) = Spread::of(outcome.rounds.iter().filter_map(|round| round.cpu_slice)) {
            text.push_str(&format!("  cpu {} a request", micros(cpu.median)));
        }
        let is_told = (self.round + 1) * LINES / self.rounds != self.round * LINES / self.rounds;
        match &self.lines {
            Some((_, _, targets)) => {
                if let Some(line) = targets.get(place) {
                    line.set_message(text);
                }
            }
            None if is_told => note(&format!("  {} of {}  {text}", self.round + 1, self.rounds)),
            None => {}
        }
    }

    fn advance(&self) {
        if let Some((_, head, _)) = &self.lines {
            let part = self.began.elapsed().as_secs_f64() / self.whole.as_secs_f64().max(0.001);
            head.set_position((part.min(1.0) * 1e3) as u64);
        }
    }

    /// Takes the lines away.
    pub fn finish(&self) {
        if let Some((all, head, targets)) = &self.lines {
            head.finish_and_clear();
            targets.iter().for_each(ProgressBar::finish_and_clear);
            // A line that cannot be taken away stays.
            let _ = all.clear();
        }
    }
}

fn figures(rate: f64, stats: &Stats, expected: &[u16]) -> String {
    let mut text = format!(
        "{:>9}/s  p50 {:>8}  p99 {:>8}  max {:>8}",
        count(rate as u64),
        micros(stats.at(0.5)),
        micros(stats.at(0.99)),
        micros(stats.longest()),
    );
    let (wrong, failed) = (stats.wrong(expected), stats.failed());
    if wrong + failed > 0 {
        text.push_str(&format!("  WRONG {}", count(wrong + failed)));
    }
    text
}
