//! Follows the log: what was appended after a place in it, in the order of appending, for whoever tells others.
//!
//! Reads memory where the frames are, and else the journal, which keeps them for days. Never waits for anything, and
//! never asks the store.

use std::sync::Arc;

use crate::domain::click::Click;

use super::columns::Columns;
use super::error::{QueryError, StoreError};
use super::frame::Content;
use super::pending::{Frame, Frames};
use super::reader::Reader;
use super::replay::{self, Met};

/// Most frames of one answer: twenty seconds of a recorder that writes every 40 ms.
const FRAMES_MAX: u64 = 512;
/// Clicks after which an answer holds no further frame; the last one may hold as many again as fit one.
const CLICKS_ENOUGH: usize = 8_192;

/// A place in the log: behind this frame, and behind so many clicks of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub frame: u64,
    pub clicks: u32,
}

/// What came after a place.
#[derive(Debug, Default)]
pub struct Followed {
    /// The frames' numbers with their clicks, in order; of the first one those after the place.
    pub frames: Vec<(u64, Vec<Click>)>,
    /// Number of the last frame that was looked at: there may be nothing left of those up to it.
    pub through: u64,
    /// Number of the last frame in the log.
    pub newest: u64,
}

impl Reader {
    /// Number of the last frame in the log.
    pub fn newest_frame(&self) -> u64 {
        self.newest_and_frames().0
    }

    /// The next clicks after `place`. What the journal has lost, or no longer keeps, is passed over. A place beyond the
    /// log's end is one of another log: then there is nothing, and `through` is the end.
    ///
    /// # Errors
    /// [`QueryError::Damaged`] when the journal cannot be read.
    pub fn follow(&self, place: Place) -> Result<Followed, QueryError> {
        let (newest, frames) = self.newest_and_frames();
        let mut followed = Followed {
            frames: Vec::new(),
            through: newest.min(place.frame),
            newest,
        };
        if place.frame >= newest {
            followed.through = newest;
            return Ok(followed);
        }
        let first_in_memory = frames.front().map_or(newest + 1, |frame| frame.index);
        if first_in_memory <= place.frame + 1 {
            followed.take_frames(&frames, place);
        } else {
            followed.take_journal(self, place, first_in_memory)?;
        }
        if let Some((_, clicks)) = followed
            .frames
            .first_mut()
            .filter(|(index, _)| *index == place.frame + 1)
        {
            clicks.drain(..clicks.len().min(place.clicks as usize));
        }
        Ok(followed)
    }
}

fn clicks_of(columns: &Columns) -> Vec<Click> {
    (0..columns.header.count).map(|row| columns.click(row)).collect()
}

impl Followed {
    fn is_full(&self) -> bool {
        self.frames.iter().map(|(_, clicks)| clicks.len()).sum::<usize>() >= CLICKS_ENOUGH
    }

    fn take_frames(&mut self, frames: &Frames, place: Place) {
        let after = frames.iter().filter(|frame| frame.index > place.frame);
        for frame in after.take(FRAMES_MAX as usize) {
            let frame: &Arc<Frame> = frame;
            self.frames.push((frame.index, clicks_of(&frame.columns)));
            self.through = frame.index;
            if self.is_full() {
                break;
            }
        }
    }

    fn take_journal(&mut self, reader: &Reader, place: Place, before: u64) -> Result<(), QueryError> {
        let before = before.min(place.frame.saturating_add(FRAMES_MAX + 1));
        let dir = reader.journal_dir();
        let mut is_cut = false;
        replay::replay(&dir, place.frame, before, |met| {
            if let Met::Frame(index, content) = met
                && !is_cut
            {
                let clicks = match content {
                    Content::Clicks(columns) | Content::Drained { columns, .. } => clicks_of(&columns),
                    Content::Lost(_) | Content::Reserved(_) => Vec::new(),
                };
                self.frames.push((index, clicks));
                self.through = index;
                is_cut = self.is_full();
            }
            Ok::<_, StoreError>(())
        })
        .map_err(QueryError::from)?;
        if !is_cut {
            self.through = before - 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::samples::{NOON, click};
    use crate::clicklog::{Batch, Options, Writer, open};
    use crate::domain::outside::{Clock, FixedClock};

    fn append(writer: &mut Writer, sequences: std::ops::Range<u64>) -> u64 {
        let clicks = sequences.map(|sequence| click(sequence, NOON, 1, sequence)).collect();
        let batch = Batch { clicks, lost: vec![] };
        let appended = writer.append(batch);
        appended.map_err(|(_, error)| error).expect("appended").last_index
    }

    fn sequences(followed: &Followed) -> Vec<u64> {
        let clicks = followed.frames.iter().flat_map(|(_, clicks)| clicks);
        clicks.map(|click| click.sequence).collect()
    }

    fn at(frame: u64, clicks: u32) -> Place {
        Place { frame, clicks }
    }

    #[test]
    fn every_click_comes_once_and_in_order_from_memory_and_from_the_journal() {
        let dir = tempfile::tempdir().expect("a directory");
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(NOON));
        let (mut writer, reader, _) = open(Options::at(dir.path()), Arc::clone(&clock)).expect("a log");
        assert!(reader.follow(Place::default()).expect("read").frames.is_empty());
        let first = append(&mut writer, 0..3);
        let second = append(&mut writer, 3..5);
        let all = reader.follow(at(first - 1, 0)).expect("read");
        assert_eq!(sequences(&all), [0, 1, 2, 3, 4]);
        assert_eq!((all.through, all.newest), (second, second));
        assert_eq!(sequences(&reader.follow(at(first - 1, 2)).expect("read")), [2, 3, 4]);
        assert_eq!(sequences(&reader.follow(at(first, 0)).expect("read")), [3, 4]);
        assert_eq!(reader.newest_frame(), second);
        writer.close().expect("closed");

        // All of it is in the store now, none in memory.
        let (mut writer, reader, _) = open(Options::at(dir.path()), clock).expect("the log");
        assert_eq!(sequences(&reader.follow(at(first - 1, 1)).expect("read")), [1, 2, 3, 4]);
        let third = append(&mut writer, 5..6);
        let old = reader.follow(at(first, 1)).expect("read");
        assert_eq!(
            (sequences(&old), old.through),
            (vec![4], third - 1),
            "up to what memory has"
        );
        assert_eq!(sequences(&reader.follow(at(old.through, 0)).expect("read")), [5]);
        let end = reader.follow(at(third, 0)).expect("read");
        assert_eq!((end.frames.len(), end.through), (0, third));
        let beyond = reader.follow(at(third + 9, 3)).expect("read");
        assert_eq!((beyond.frames.len(), beyond.through), (0, third), "of another log");
    }

    #[test]
    fn an_answer_is_bounded() {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(FixedClock::at(NOON));
        let (mut writer, reader, _) = open(Options::at(dir.path()), clock.clone()).expect("a log");
        let first = append(&mut writer, 0..4_096);
        for frame in 1..4 {
            append(&mut writer, frame * 4_096..(frame + 1) * 4_096);
        }
        let part = reader.follow(at(first - 1, 0)).expect("read");
        assert_eq!((sequences(&part).len(), part.through), (8_192, first + 1));
        writer.close().expect("closed");
        let (_writer, reader, _) = open(Options::at(dir.path()), clock).expect("the log");
        let part = reader.follow(at(first - 1, 0)).expect("read");
        assert_eq!((sequences(&part).len(), part.through), (8_192, first + 1));
    }
}
