//! Gaps: frames of the journal that are gone before they reached the store, and the clicks that were in them.
//!
//! A gap is kept in the store under the index of its first frame, in the same batch as the watermark that passes it, so
//! that no restart forgets it. Its body: last frame, cause byte, 0 or 1 + clicks, 0 or 1 + clicks without details,
//! whether the runs are exact (a byte), runs as in `trail`.

use std::fmt;

use super::bytes::{Damaged, Source, put_number};
use super::trail::{self, Run, put_runs, read_runs};

/// Most runs that a gap lists: what a person can still look through.
const RUNS_LISTED: usize = 1024;

/// Why frames are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// Damaged inside a segment, or a segment file is missing.
    Damaged = 0,
    /// Older than the journal reaches, and no backup has them.
    Before = 1,
    /// The journal's end is damaged or its newest segment missing: frames from here on may have been acknowledged.
    End = 2,
}

impl Cause {
    fn of_code(code: u8) -> Result<Self, Damaged> {
        Ok(match code {
            0 => Self::Damaged,
            1 => Self::Before,
            2 => Self::End,
            _ => return Err(Damaged("a gap has an unknown cause")),
        })
    }
}

/// Frames that are gone, and which clicks went with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub first_frame: u64,
    /// Of [`Cause::End`]: the first frame again, for nobody knows how many there were.
    pub last_frame: u64,
    pub cause: Cause,
    /// Clicks with details that were in them; `None` = not known.
    pub clicks: Option<u64>,
    /// Clicks without details that were in them; `None` = not known.
    pub without_details: Option<u64>,
    /// First and last sequence number of each run of them.
    pub sequences: Vec<(u64, u64)>,
    /// Whether exactly these sequences are gone; otherwise they are among them, or nothing is known.
    pub is_exact: bool,
}

impl Gap {
    /// A gap of which only the frames are known.
    pub(super) fn unknown(first_frame: u64, last_frame: u64, cause: Cause) -> Self {
        Self {
            first_frame,
            last_frame,
            cause,
            clicks: None,
            without_details: None,
            sequences: Vec::new(),
            is_exact: false,
        }
    }

    pub(super) fn with_sequences(self, mut sequences: Vec<Run>, is_exact: bool) -> Self {
        let is_exact = is_exact && sequences.len() <= RUNS_LISTED;
        sequences.truncate(RUNS_LISTED);
        Self {
            sequences,
            is_exact,
            ..self
        }
    }

    /// How many frames.
    pub fn frames(&self) -> u64 {
        self.last_frame.saturating_sub(self.first_frame).saturating_add(1)
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.last_frame);
        out.push(self.cause as u8);
        for count in [self.clicks, self.without_details] {
            out.push(u8::from(count.is_some()));
            if let Some(count) = count {
                put_number(&mut out, count);
            }
        }
        out.push(u8::from(self.is_exact));
        put_runs(&mut out, &self.sequences);
        out
    }

    pub(super) fn read(first_frame: u64, body: &[u8]) -> Result<Self, Damaged> {
        let mut source = Source(body);
        let last_frame = source.number()?;
        let cause = Cause::of_code(source.byte()?)?;
        let mut count = || match source.byte()? {
            0 => Ok(None),
            _ => source.number().map(Some),
        };
        let (clicks, without_details) = (count()?, count()?);
        let gap = Self {
            first_frame,
            last_frame,
            cause,
            clicks,
            without_details,
            is_exact: source.byte()? == 1,
            sequences: read_runs(&mut source, RUNS_LISTED)?,
        };
        source.end()?;
        Ok(gap)
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.cause {
            Cause::Damaged => "damaged or missing",
            Cause::Before => "older than the journal and in no backup",
            Cause::End => "possibly missing: the journal's end is damaged",
        };
        write!(f, "frames {} to {} are {what}", self.first_frame, self.last_frame)?;
        match (self.clicks, self.without_details) {
            (Some(clicks), Some(0)) => write!(f, "; {clicks} clicks")?,
            (Some(clicks), Some(lost)) => write!(f, "; {clicks} clicks and {lost} without details")?,
            (Some(clicks), None) => write!(f, "; at least {clicks} clicks")?,
            (None, _) => f.write_str("; how many clicks is not known")?,
        }
        if self.sequences.is_empty() {
            return Ok(());
        }
        f.write_str(if self.is_exact {
            "; sequences "
        } else {
            "; among sequences "
        })?;
        /// Runs shown in a line of the log; all are in the API's and the commands' JSON.
        const SHOWN: usize = 8;
        for (n, (first, last)) in self.sequences.iter().take(SHOWN).enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first} to {last}")?,
            }
        }
        match self.sequences.len() > SHOWN {
            true => write!(f, " and {} runs more", self.sequences.len() - SHOWN),
            false => Ok(()),
        }
    }
}

/// The gap between the good frames before `first_frame` and the one at `next`, which says `past`. `before` = the sums
/// after the last good frame, if it told; `good` = runs of good frames before the gap as far as `good_from`.
pub(super) fn between(
    first_frame: u64,
    next: u64,
    past: Option<&trail::Past>,
    before: Option<(u64, u64)>,
    (good, good_from): (&[Run], u64),
) -> Gap {
    let gap = Gap::unknown(first_frame, next - 1, Cause::Damaged);
    let Some(past) = past else { return gap };
    let sums = before.and_then(|(clicks, lost)| Some((past.clicks.checked_sub(clicks)?, past.lost.checked_sub(lost)?)));
    let gap = Gap {
        clicks: sums.map(|(clicks, _)| clicks),
        without_details: sums.map(|(_, lost)| lost),
        ..gap
    };
    let covers = past.window >= next - first_frame;
    if !covers {
        let among = trail::without(&past.runs, good);
        return gap.with_sequences(among, false);
    }
    let missing = trail::without(&past.runs, good);
    // A window longer than the journal is damage that its checksum did not see.
    let covered_from = next.saturating_sub(past.window);
    let count = trail::length(&missing);
    // Exact when every good frame that the window covers was taken away, or when the sums say the same.
    let is_exact = covered_from >= good_from || gap.clicks == Some(count);
    let clicks = gap.clicks.or(is_exact.then_some(count));
    Gap { clicks, ..gap }.with_sequences(missing, is_exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_round_trip_and_read_well() {
        let gap = Gap {
            clicks: Some(3),
            without_details: Some(0),
            ..Gap::unknown(7, 8, Cause::Damaged)
        };
        let gap = gap.with_sequences(vec![(5, 6), (9, 9)], true);
        assert_eq!(Gap::read(7, &gap.body()), Ok(gap.clone()));
        assert_eq!(
            gap.to_string(),
            "frames 7 to 8 are damaged or missing; 3 clicks; sequences 5 to 6, 9"
        );
        let unknown = Gap::unknown(1, 40, Cause::Before);
        assert_eq!(Gap::read(1, &unknown.body()), Ok(unknown.clone()));
        assert!(unknown.to_string().contains("how many clicks is not known"));
        assert!(Gap::read(1, &[1, 9]).is_err());
    }
}
