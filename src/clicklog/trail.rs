//! Which clicks the frames before a frame held: what makes a damaged frame's loss known to the sequence.
//!
//! Each frame (from version 3 on) carries a [`Past`]: running sums over the whole journal, and the sequences of the
//! frames just before it as runs. Numbers:
//!
//! | what | how |
//! |---|---|
//! | clicks with details in all frames before | number |
//! | clicks without details in all frames before | number |
//! | window: how many frames just before this one the runs cover, at most [`WINDOW`] | number |
//! | runs, at most [`RUNS_MAX`] | count, then for each: distance from the end of the one before, length less one |

use std::collections::VecDeque;

use super::bytes::{Damaged, Source, put_number};
use super::frame::Content;

/// First and last of consecutive sequence numbers.
pub(super) type Run = (u64, u64);

/// Most frames that the runs of a past cover: a damaged 4 KiB page or a few never hide more.
pub(super) const WINDOW: usize = 64;
/// Most runs in a past: a server's workers leave a few holes, each a lease that is not used up yet.
pub(super) const RUNS_MAX: usize = 64;

/// What a frame says of those before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Past {
    pub(super) clicks: u64,
    pub(super) lost: u64,
    pub(super) window: u64,
    pub(super) runs: Vec<Run>,
}

impl Past {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_number(out, self.clicks);
        put_number(out, self.lost);
        put_number(out, self.window);
        put_runs(out, &self.runs);
    }

    pub(super) fn read(source: &mut Source<'_>) -> Result<Self, Damaged> {
        Ok(Self {
            clicks: source.number()?,
            lost: source.number()?,
            window: source.number()?,
            runs: read_runs(source, RUNS_MAX)?,
        })
    }
}

/// Appends runs, which ascend and do not touch.
pub(super) fn put_runs(out: &mut Vec<u8>, runs: &[Run]) {
    put_number(out, runs.len() as u64);
    let mut from = 0u64;
    for (first, last) in runs {
        put_number(out, first.wrapping_sub(from));
        put_number(out, last - first);
        from = *last;
    }
}

/// Reads at most `max` runs.
pub(super) fn read_runs(source: &mut Source<'_>, max: usize) -> Result<Vec<Run>, Damaged> {
    let count = source.count(max)?;
    let mut from = 0u64;
    let mut runs = Vec::with_capacity(count);
    for _ in 0..count {
        let does_not_fit = Damaged("a run of sequences does not fit 64 bits");
        let first = from.checked_add(source.number()?).ok_or(does_not_fit)?;
        from = first.checked_add(source.number()?).ok_or(does_not_fit)?;
        runs.push((first, from));
    }
    Ok(runs)
}

/// The sequences of `content` as runs.
pub(super) fn runs_of(content: &Content) -> Vec<Run> {
    match content {
        Content::Clicks(columns) | Content::Drained { columns, .. } => runs_in(&columns.sequence),
        _ => Vec::new(),
    }
}

/// `sequences` as runs. Those of a worker follow one another: few are left to be put in order.
pub(super) fn runs_in(sequences: &[u64]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for sequence in sequences {
        match runs.last_mut() {
            Some(run) if run.1.checked_add(1) == Some(*sequence) => run.1 = *sequence,
            _ => runs.push((*sequence, *sequence)),
        }
    }
    united(runs)
}

/// Clicks with and without details in `content`.
pub(super) fn counts_of(content: &Content) -> (u64, u64) {
    match content {
        Content::Clicks(columns) => (columns.at.len() as u64, 0),
        Content::Lost(lost) => (0, lost.iter().map(|lost| u64::from(lost.count)).sum()),
        Content::Drained { columns, lost, .. } => (
            columns.at.len() as u64,
            lost.iter().map(|lost| u64::from(lost.count)).sum(),
        ),
        Content::Reserved(_) => (0, 0),
    }
}

/// `runs` in order, those that touch or overlap as one.
pub(super) fn united(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_unstable();
    let mut out: Vec<Run> = Vec::with_capacity(runs.len().min(RUNS_MAX));
    for (first, last) in runs {
        match out.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => out.push((first, last)),
        }
    }
    out
}

/// What is in `from` and not in `taken`; both united.
pub(super) fn without(from: &[Run], taken: &[Run]) -> Vec<Run> {
    let mut out = Vec::new();
    for (first, last) in from {
        let mut next = Some(*first);
        for (taken_first, taken_last) in taken.iter().filter(|taken| taken.1 >= *first && taken.0 <= *last) {
            let Some(start) = next else { break };
            if start < *taken_first {
                out.push((start, taken_first - 1));
            }
            next = taken_last.checked_add(1).map(|after| after.max(start));
        }
        out.extend(next.filter(|start| start <= last).map(|start| (start, *last)));
    }
    out
}

/// How many sequences are in `runs`.
pub(super) fn length(runs: &[Run]) -> u64 {
    runs.iter().fold(0u64, |sum, (first, last)| {
        sum.saturating_add((last - first).saturating_add(1))
    })
}

/// What the writer remembers of the frames that it wrote: the next frame's past.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail {
    clicks: u64,
    lost: u64,
    /// Runs of the newest frames, oldest first; after a frame with too many of them it begins anew.
    recent: VecDeque<Vec<Run>>,
}

impl Trail {
    /// As after frames that held so many clicks with and without details.
    pub(super) fn after(clicks: u64, lost: u64) -> Self {
        Self {
            clicks,
            lost,
            recent: VecDeque::new(),
        }
    }

    /// A frame with `content` follows.
    pub(super) fn push(&mut self, content: &Content) {
        let (clicks, lost) = counts_of(content);
        self.count(clicks, lost, runs_of(content));
    }

    /// A frame follows with so many clicks with and without details, the former with these sequences.
    pub(super) fn count(&mut self, clicks: u64, lost: u64, runs: Vec<Run>) {
        self.clicks = self.clicks.saturating_add(clicks);
        self.lost = self.lost.saturating_add(lost);
        if runs.len() > RUNS_MAX {
            self.recent.clear();
            return;
        }
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(runs);
    }

    /// What the next frame is to say.
    pub(super) fn past(&self) -> Past {
        let mut window = self.recent.len();
        loop {
            let newest = self.recent.iter().rev().take(window).flatten();
            let runs = united(newest.copied().collect());
            if runs.len() <= RUNS_MAX {
                return Past {
                    clicks: self.clicks,
                    lost: self.lost,
                    window: window as u64,
                    runs,
                };
            }
            window /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_unite_and_are_taken_away() {
        assert_eq!(
            united(vec![(5, 6), (1, 2), (3, 3), (9, 9), (6, 7)]),
            [(1, 3), (5, 7), (9, 9)]
        );
        assert_eq!(united(vec![(u64::MAX, u64::MAX), (0, u64::MAX)]), [(0, u64::MAX)]);
        for (from, taken, left) in [
            (vec![(1, 9)], vec![(3, 4)], vec![(1, 2), (5, 9)]),
            (vec![(1, 9)], vec![(0, 1), (9, 12)], vec![(2, 8)]),
            (vec![(1, 9)], vec![(1, 9)], vec![]),
            (vec![(1, 2), (5, u64::MAX)], vec![(6, u64::MAX)], vec![(1, 2), (5, 5)]),
            (vec![(4, 4)], vec![], vec![(4, 4)]),
        ] {
            assert_eq!(without(&from, &taken), left);
        }
    }

    #[test]
    fn too_many_runs_shorten_the_window_and_never_the_sums() {
        let mut trail = Trail::after(7, 1);
        trail.count(200, 0, (0..200).map(|n| (n * 2, n * 2)).collect());
        assert_eq!(
            trail.past(),
            Past {
                clicks: 207,
                lost: 1,
                ..Past::default()
            }
        );
        for n in 0..10u64 {
            trail.count(20, 0, (0..20).map(|m| (n * 1000 + m * 2, n * 1000 + m * 2)).collect());
        }
        let past = trail.past();
        assert_eq!((past.clicks, past.window, length(&past.runs)), (407, 2, 40));
    }

    proptest! {
        #[test]
        fn pasts_round_trip(runs in proptest::collection::vec(any::<(u64, u8)>(), 0..40), clicks: u64, window in 0u64..65) {
            let runs = runs.into_iter().map(|(first, more)| (first, first.saturating_add(u64::from(more)))).collect();
            let past = Past { clicks, lost: 3, window, runs: united(runs) };
            let mut out = Vec::new();
            past.put(&mut out);
            let mut source = Source(&out);
            prop_assert_eq!(Past::read(&mut source), Ok(past));
            prop_assert_eq!(source.end(), Ok(()));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            if let Ok(past) = Past::read(&mut Source(&bytes)) {
                prop_assert!(past.runs.len() <= RUNS_MAX);
            }
        }
    }
}
