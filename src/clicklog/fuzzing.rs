//! Entrances for fuzzers: arbitrary bytes to the readers of the journal and of the store. Each returns when all is well
//! and panics when a count is wrong; `fuzz/` calls them, and so do the tests at the foot, on any compiler.
//!
//! What is wrong: a frame that is handed on twice, out of order or with clicks that were never written; frames that are
//! neither handed on nor told as a gap; a gap that says wrong clicks; clicks that do not survive being encoded again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::domain::click::{Click, ClickClass, LostDetail};
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::outside::FixedClock;
use crate::domain::time::Timestamp;

use super::bytes::Source;
use super::columns::Columns;
use super::encoder::Encoder;
use super::frame::Content;
use super::gap::Gap;
use super::key::BlockKey;
use super::replay::{Met, replay};
use super::segment::{self, Header};
use super::sheet::Sheet;
use super::sketch::{Sketch, Visitors};
use super::total_page::TotalPage;
use super::value::{Meta, Rollup, Totals, seal, unseal};
use super::writer::{Batch, Writer};
use super::{Options, open};

/// Bytes of a frame before its payload, and where what its checksum covers begins; see `frame`.
const FRAME_HEAD: usize = 22;
const FRAME_MARKER: [u8; 4] = [0xc1, 0x1c, 0x4b, 0x0f];

/// `bytes` as the body of a click block, which is the payload of a frame of clicks.
pub fn block(bytes: &[u8]) {
    let Ok(columns) = Columns::decode(bytes) else { return };
    let clicks = columns.clicks();
    assert_eq!(clicks.len(), columns.header.count);
    let again = Columns::decode(&Encoder::new().encode(&Columns::of(&clicks))).expect("own bytes");
    assert_eq!(again.clicks(), clicks);
}

/// `bytes` as values of the store: the first says of what kind.
pub fn value(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else {
        return;
    };
    match kind % 8 {
        0 => drop(Meta::read(body)),
        1 => {
            if let Ok(rollup) = Rollup::read(body) {
                assert_eq!(
                    Rollup::read(&rollup.body()).map(|again| again.counts),
                    Ok(rollup.counts)
                );
            }
        }
        2 => {
            if let Ok((totals, through)) = Totals::read(body) {
                assert_eq!(Totals::read(&totals.body(through)), Ok((totals, through)));
            }
        }
        3 => drop(BlockKey::read(body)),
        6 => {
            if let Ok(page) = TotalPage::read(body) {
                assert_eq!(TotalPage::read(&page.body()), Ok(page));
            }
        }
        7 => {
            if let Ok(sheet) = Sheet::read(body, LinkNo(u32::from(*kind))) {
                let again = sheet.body();
                assert_eq!(
                    Sheet::read(&again, sheet.links.first().map_or(LinkNo(0), |part| part.link)),
                    Ok(sheet)
                );
            }
        }
        4 => {
            if let (Ok(sketch), Ok(mut visitors)) = (Sketch::read(body), Visitors::new()) {
                visitors.add_all(&sketch);
                visitors.count();
            }
        }
        _ => {
            let (key, value) = body.split_at(body.len().min(usize::from(*kind) / 16));
            if let Ok(body) = unseal(key, value) {
                let again = seal(key, body);
                assert_eq!(unseal(key, &again).ok(), Some(body));
                assert!(again == value || value[0] < again[0]);
            }
        }
    }
}

/// `bytes` as the journal in `dir`, which this empties first: segments of arbitrary bytes, and of frames whose checksums
/// are right whatever they say.
pub fn journal(dir: &Path, bytes: &[u8]) {
    let mut source = Source(bytes);
    let mut files = Files::new();
    while let Ok(kind) = source.byte() {
        let mut file = Vec::new();
        if kind & 1 == 0 {
            file.extend(header(source.number().unwrap_or_default()));
        }
        let length = usize::from(source.byte().unwrap_or_default());
        let rest = source.take(length.min(source.0.len())).unwrap_or_default();
        if kind & 2 == 0 {
            sealed_frames(&mut file, rest);
        } else {
            file.extend(rest);
        }
        files.insert(files.len() as u64 + 1 + u64::from(kind >> 4), file);
    }
    put_files(dir, &files);
    walk_through(dir);
}

/// `damage` done to a journal of known clicks, in `dir`, which this empties first. Three bytes say what happens where, and
/// one with what.
pub fn damaged_journal(dir: &Path, damage: &[u8]) {
    let known = known();
    let mut files = known.files.clone();
    for strike in damage.chunks_exact(4) {
        let place = usize::from(u16::from_le_bytes([strike[1], strike[2]]));
        let numbers: Vec<u64> = files.keys().copied().collect();
        let Some(number) = numbers.get(place % numbers.len().max(1)) else {
            break;
        };
        let file = files.get_mut(number).expect("its number is from the list");
        let at = place.checked_rem(file.len()).unwrap_or_default();
        let end = file.len().min(at + usize::from(strike[3]));
        match strike[0] % 6 {
            0 | 1 if !file.is_empty() => file[at] ^= strike[3].max(1),
            2 => file[at..end].fill(strike[3]),
            3 => drop(file.drain(at..end)),
            4 => file.truncate(at),
            _ if strike[3] == 0 => drop(files.remove(&number.clone())),
            _ => {
                // A write that went astray: a piece of the file stands somewhere else as well.
                let piece = file[at..end].to_vec();
                let to = at.wrapping_mul(31) % (file.len() + 1);
                let room = (file.len() - to).min(piece.len());
                file[to..to + room].copy_from_slice(&piece[..room]);
            }
        }
    }
    put_files(dir, &files);
    let (frames, gaps) = walk_through(dir);
    for (index, content) in &frames {
        assert_eq!(
            known.frames.get(index),
            Some(content),
            "frame {index} says what was never written"
        );
    }
    for gap in &gaps {
        check_gap(known, gap);
    }
}

/// What a gap says of clicks must be so.
fn check_gap(known: &Known, gap: &Gap) {
    let missing: Vec<&Content> = known
        .frames
        .range(gap.first_frame..=gap.last_frame)
        .map(|(_, content)| content)
        .collect();
    let clicks: u64 = missing.iter().map(|content| clicks_of(content).len() as u64).sum();
    let lost: u64 = missing.iter().map(|content| lost_of(content)).sum();
    assert!(
        gap.clicks.is_none_or(|said| said == clicks),
        "{gap}: there were {clicks} clicks"
    );
    assert!(
        gap.without_details.is_none_or(|said| said == lost),
        "{gap}: there were {lost} without details"
    );
    if gap.is_exact {
        let of_runs: BTreeSet<u64> = gap.sequences.iter().flat_map(|(first, last)| *first..=*last).collect();
        let missing = missing.iter().flat_map(|content| clicks_of(content));
        assert_eq!(of_runs, missing.map(|click| click.sequence).collect(), "{gap}");
    }
}

/// Replays all of `dir`: every index once, in order, as a frame or inside a gap.
fn walk_through(dir: &Path) -> (BTreeMap<u64, Content>, Vec<Gap>) {
    let (mut frames, mut gaps) = (BTreeMap::new(), Vec::new());
    let mut next = 1;
    let replayed = replay(dir, 0, u64::MAX, |met| {
        match met {
            Met::Frame(index, content) => {
                assert_eq!(index, next, "a frame is missing or comes again");
                next = index.saturating_add(1);
                frames.insert(index, content);
            }
            Met::Gap(gap) => {
                assert!(
                    gap.first_frame == next && gap.last_frame >= next,
                    "{gap}: not after frame {next}"
                );
                next = gap.last_frame.saturating_add(1);
                gaps.push(gap);
            }
        }
        Ok(())
    });
    // A newer version is refused, with all that comes after it.
    drop(replayed);
    (frames, gaps)
}

/// Frames cut out of `bytes`: index, kind and version, length, payload; with checksums that are right.
fn sealed_frames(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut source = Source(bytes);
    while let (Ok(index), Ok(kinds), Ok(length)) = (source.number(), source.byte(), source.byte()) {
        let payload = source.take(usize::from(length).min(source.0.len())).unwrap_or_default();
        let start = out.len();
        out.extend(FRAME_MARKER);
        out.extend([0; 4]);
        out.extend((payload.len() as u32).to_le_bytes());
        // From the end backwards as well: where numbers overflow.
        let index = if kinds & 0x80 == 0 { index } else { u64::MAX - index };
        out.extend(index.to_le_bytes());
        out.extend([kinds >> 4 & 7, kinds & 7]);
        out.extend(payload);
        let crc = crc32c::crc32c(&out[start + 8..]);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
        debug_assert_eq!(out.len() - start, FRAME_HEAD + payload.len());
    }
}

fn header(first_index: u64) -> [u8; segment::HEADER] {
    let header = Header {
        node: 1,
        first_index,
        reserved: 7,
        made_at: Timestamp(first_index as i64),
    };
    header.bytes()
}

/// Segments by number.
type Files = BTreeMap<u64, Vec<u8>>;

fn put_files(dir: &Path, files: &Files) {
    fs::remove_dir_all(dir).ok();
    fs::create_dir_all(dir).expect("the directory can be made");
    for (number, bytes) in files {
        fs::write(segment::path(dir, *number), bytes).expect("there is room for a segment");
    }
}

/// A journal and what its frames say.
struct Known {
    files: Files,
    frames: BTreeMap<u64, Content>,
}

/// A journal that the writer wrote: three segments or more, every kind of frame.
fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let dir = std::env::temp_dir().join(format!("hopcart-fuzzing-{}", std::process::id()));
        fs::remove_dir_all(&dir).ok();
        let options = Options {
            segment_bytes: 500,
            sled_cache_bytes: 1 << 20,
            ..Options::at(&dir)
        };
        let (mut writer, ..) = open(options, Arc::new(FixedClock::at(AT))).expect("a new log opens");
        let frames = write_known(&mut writer);
        drop(writer);
        let journal = segment::list(&dir.join("journal")).expect("its segments can be listed");
        let read = |(number, path): (u64, std::path::PathBuf)| (number, fs::read(path).expect("it can be read"));
        let files = journal.into_iter().map(read).collect();
        fs::remove_dir_all(&dir).expect("it can be removed");
        Known { files, frames }
    })
}

const AT: Timestamp = Timestamp(1_795_254_780_000);

fn write_known(writer: &mut Writer) -> BTreeMap<u64, Content> {
    let mut frames = BTreeMap::new();
    for turn in 0..20u64 {
        if turn % 6 == 5 {
            let up_to = writer.next_sequence() + 10;
            writer.reserve_sequences(up_to).expect("the disk works");
            frames.insert(frames.len() as u64 + 1, Content::Reserved(up_to));
            continue;
        }
        // With holes, as other workers leave them.
        let clicks: Vec<Click> = (0..1 + turn % 4).map(|n| click(turn * 10 + n * 2)).collect();
        let lost = if turn % 3 == 2 {
            vec![lost(turn as u32 + 1)]
        } else {
            Vec::new()
        };
        frames.insert(frames.len() as u64 + 1, Content::Clicks(Columns::of(&clicks)));
        if !lost.is_empty() {
            frames.insert(frames.len() as u64 + 1, Content::Lost(lost.clone()));
        }
        let written = writer.append(Batch { clicks, lost });
        assert!(written.is_ok(), "the disk works");
    }
    frames
}

fn click(sequence: u64) -> Click {
    Click {
        sequence,
        at: AT.plus_ms(sequence as i64),
        workspace: WorkspaceNo(1),
        domain: DomainNo(1),
        link: LinkNo(sequence as u32 % 5),
        visitor: sequence * 7,
        country: *b"DE",
        // Of some frames none has one.
        locality: ["", "DE-BE/Berlin", "DE-BY"][sequence as usize / 10 % 3].into(),
        ..Click::default()
    }
}

fn lost(count: u32) -> LostDetail {
    LostDetail {
        at: AT,
        workspace: WorkspaceNo(1),
        link: LinkNo(2),
        class: ClickClass::Human,
        is_use: false,
        count,
    }
}

fn clicks_of(content: &Content) -> Vec<Click> {
    match content {
        Content::Clicks(columns) | Content::Drained { columns, .. } => columns.clicks(),
        Content::Lost(_) | Content::Reserved(_) => Vec::new(),
    }
}

fn lost_of(content: &Content) -> u64 {
    match content {
        Content::Lost(lost) | Content::Drained { lost, .. } => lost.iter().map(|lost| u64::from(lost.count)).sum(),
        Content::Clicks(_) | Content::Reserved(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::samples::any_click;
    use proptest::prelude::*;

    /// `HOPCART_FUZZ_CASES`, for each entrance.
    fn cases() -> ProptestConfig {
        let cases = std::env::var("HOPCART_FUZZ_CASES").map_or(1000, |text| text.parse().expect("a number"));
        ProptestConfig::with_cases(cases)
    }

    #[test]
    fn the_known_journal_is_whole_and_has_every_kind() {
        let dir = tempfile::tempdir().expect("a directory");
        put_files(dir.path(), &known().files);
        let (frames, gaps) = walk_through(dir.path());
        assert_eq!((&frames, gaps), (&known().frames, vec![]));
        assert!(known().files.len() >= 3 && frames.len() > 20);
    }

    #[test]
    #[should_panic(expected = "never written")]
    fn a_wrong_count_is_noticed() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut files = Files::new();
        files.insert(1, header(1).to_vec());
        // A reservation where clicks were, with a checksum that is right.
        sealed_frames(files.get_mut(&1).expect("it is there"), &[1, 0x13, 1, 9]);
        put_files(dir.path(), &files);
        for (index, content) in walk_through(dir.path()).0 {
            assert_eq!(
                known().frames.get(&index),
                Some(&content),
                "frame {index} says what was never written"
            );
        }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn blocks(bytes: Vec<u8>) {
            block(&bytes);
        }

        #[test]
        fn blocks_that_were_good(
            clicks in proptest::collection::vec(any_click(), 1..20),
            changes in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 1..5),
        ) {
            let mut bytes = Encoder::new().encode(&Columns::of(&clicks));
            for (place, value) in changes {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            block(&bytes);
        }

        #[test]
        fn values(bytes: Vec<u8>) {
            value(&bytes);
        }

        #[test]
        fn journals(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0u8..4], 0..400)) {
            let dir = tempfile::tempdir().expect("a directory");
            journal(dir.path(), &bytes);
        }

        #[test]
        fn damaged_journals(damage in proptest::collection::vec(any::<u8>(), 4..40)) {
            let dir = tempfile::tempdir().expect("a directory");
            damaged_journal(dir.path(), &damage);
        }
    }
}
