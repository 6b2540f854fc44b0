//! How far the journal has what lay in rings: asked once at a start, for rings that a process left behind.

use std::collections::{HashMap, HashSet};
use std::fs;

use crate::domain::time::Timestamp;

use super::error::OpenError;
use super::options::Options;
use super::replay::walk;
use super::segment::{self, Found, Header};

/// The last position of each of `rings` that the journal speaks of; rings that it does not speak of are left out.
///
/// Reads segments from the newest back, until all are found or a segment began before `since`, when the oldest of the
/// rings was made. The journal must not be written to meanwhile.
///
/// # Errors
/// The journal cannot be read: then nobody knows, and reading a ring could count clicks twice.
pub fn marks(options: &Options, rings: &HashSet<u64>, since: Timestamp) -> Result<HashMap<u64, u64>, OpenError> {
    let mut found = HashMap::new();
    let dir = options.journal_dir();
    let segments = segment::list(&dir).map_err(OpenError::io(&dir))?;
    // First index of the segment after: frames from there on are unproven, see `segment`.
    let mut end = u64::MAX;
    for (_, path) in segments.into_iter().rev() {
        if found.len() == rings.len() {
            break;
        }
        let bytes = fs::read(&path).map_err(OpenError::io(&path))?;
        let mut here = HashMap::new();
        let mut first = u64::MAX;
        let walked = walk(&bytes, |_, frame| {
            first = first.min(frame.index);
            if frame.index < end {
                // A frame that is not understood was told of when the journal was applied.
                let marks = frame.marks().unwrap_or_default();
                here.extend(marks.into_iter().map(|mark| (mark.ring, mark.position)));
            }
            Ok(())
        });
        walked.map_err(|error| OpenError::Store(error.to_string()))?;
        for (ring, position) in here {
            if rings.contains(&ring) {
                found.entry(ring).or_insert(position);
            }
        }
        match Header::read(&bytes) {
            Found::Good(header) if header.made_at < since => break,
            Found::Good(header) => end = end.min(header.first_index),
            Found::Damaged | Found::Newer(_) => end = end.min(first),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::columns::Columns;
    use crate::clicklog::encoder::Encoder;
    use crate::clicklog::frame::{Mark, put_drained, put_reserved};
    use crate::clicklog::trail::Trail;

    fn segment(first_index: u64, made_at: i64, frames: &[(u64, &[(u64, u64)])]) -> Vec<u8> {
        let header = Header {
            node: 0,
            first_index,
            reserved: 0,
            made_at: Timestamp(made_at),
        };
        let mut bytes = header.bytes().to_vec();
        for (index, marks) in frames {
            let marks: Vec<Mark> = marks.iter().map(|&(ring, position)| Mark { ring, position }).collect();
            put_drained(
                &mut bytes,
                *index,
                (&Columns::default(), &[]),
                &marks,
                &mut Encoder::new(),
                &mut Trail::default(),
            );
        }
        bytes
    }

    #[test]
    fn the_last_proven_mark_of_each_ring_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options::at(dir.path());
        fs::create_dir(options.journal_dir()).expect("made");
        let write = |number, bytes: Vec<u8>| {
            fs::write(segment::path(&options.journal_dir(), number), bytes).expect("written");
        };
        write(1, segment(1, 10, &[(1, &[(1, 8), (9, 8)]), (2, &[(1, 16), (2, 8)])]));
        // The last frame of this one was not acknowledged: the next segment begins with its index.
        write(2, segment(3, 20, &[(3, &[(1, 24)]), (4, &[(1, 32)])]));
        let mut last = segment(4, 30, &[]);
        put_reserved(&mut last, 4, 7, &mut Trail::default());
        write(3, last);
        let ask = |rings: &[u64], since| {
            let rings = rings.iter().copied().collect();
            let found = marks(&options, &rings, Timestamp(since)).expect("readable");
            let mut found: Vec<(u64, u64)> = found.into_iter().collect();
            found.sort_unstable();
            found
        };
        assert_eq!(ask(&[1, 2, 3], 0), [(1, 24), (2, 8)]);
        assert_eq!(
            ask(&[1], 25),
            [(1, 24)],
            "the segment in which the ring was made is read"
        );
        assert_eq!(ask(&[2], 25), [], "older ones are not");
        assert_eq!(ask(&[], 0), []);
    }
}
