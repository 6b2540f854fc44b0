//! Random damage to copies of a log: a bit flipped, a file cut short, a file deleted; in the journal, in the store, in
//! both. Every number that is served afterwards is right, or what is missing is told; where the journal still has a
//! click, it is not lost.
//!
//! `HOPCART_CORRUPTIONS` sets how many (200), `HOPCART_CORRUPTION_SEED` what is drawn.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hopcart::clicklog::{self, Batch, Cause, Options, Reader, Recovery};
use hopcart::domain::outside::FixedClock;
use hopcart::domain::time::Timestamp;
use serde_json::Value;

use crate::answers;
use crate::stream::{self, Draw, START};

/// A log to do harm to.
struct Original {
    dir: tempfile::TempDir,
    /// What it answers, by how many of its last batches never reached the disk.
    answers: Vec<Value>,
    /// Batches after the last checkpoint.
    unchecked: usize,
    is_closed: bool,
}

fn options(dir: &Path) -> Options {
    Options {
        segment_bytes: 6_000,
        sled_cache_bytes: 1 << 20,
        ..Options::at(dir)
    }
}

fn clock(at: Timestamp) -> Arc<FixedClock> {
    Arc::new(FixedClock::at(at))
}

impl Original {
    /// Twelve batches; the last `unchecked` are in the journal alone, unless the log is closed.
    fn make(seed: u64, unchecked: usize, is_closed: bool) -> Self {
        let batches = stream::batches(seed, 12, 16);
        let dir = tempfile::tempdir().expect("a directory");
        let clock = clock(START);
        let (mut writer, reader, _) = clicklog::open(options(dir.path()), clock.clone()).expect("it opens");
        writer.reserve_sequences(1 << 20).expect("reserved");
        for (n, batch) in batches.iter().enumerate() {
            writer
                .append(batch.clone())
                .map_err(|(_, error)| error)
                .expect("durable");
            if n % 4 == 1 && n + unchecked < batches.len() || n + unchecked + 1 == batches.len() {
                let before = reader.stats().checkpoints;
                clock.advance(600_000);
                writer.tick();
                while reader.stats().checkpoints == before {
                    std::thread::yield_now();
                }
            }
        }
        match is_closed {
            true => writer.close().expect("closed"),
            false => drop(writer),
        }
        let answers = (0..=unchecked).map(|cut| answers::of_batches(&batches[..batches.len() - cut]));
        Self {
            dir,
            answers: answers.collect(),
            unchecked,
            is_closed,
        }
    }
}

/// What is done to a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Flip,
    Cut,
    Delete,
}

fn files(dir: &Path, rooms: &[&str]) -> Vec<PathBuf> {
    let listed = rooms
        .iter()
        .flat_map(|room| fs::read_dir(dir.join(room)).expect("listed"));
    let mut files: Vec<PathBuf> = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > 0))
        .collect();
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let path = entry.expect("listed").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(fs::copy(&path, &target).expect("copied")),
        }
    }
}

/// Does one harm to one file; says which.
fn harm(dir: &Path, rooms: &[&str], draw: &mut Draw) -> (Harm, PathBuf) {
    let files = files(dir, rooms);
    let path = files[draw.below(files.len() as u64) as usize].clone();
    let bytes = fs::read(&path).expect("read");
    let harm = match draw.below(8) {
        0 | 1 => Harm::Cut,
        2 => Harm::Delete,
        _ => Harm::Flip,
    };
    // sled's file is mostly empty at its end: harm goes where something is.
    let full = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1) as u64;
    match harm {
        Harm::Delete => fs::remove_file(&path).expect("removed"),
        Harm::Cut => {
            let file = fs::File::options().write(true).open(&path).expect("there");
            file.set_len(draw.below(full)).expect("cut");
        }
        Harm::Flip => {
            let mut bytes = bytes;
            for _ in 0..=draw.below(3) {
                bytes[draw.below(full) as usize] ^= 1 << draw.below(8);
            }
            fs::write(&path, bytes).expect("written");
        }
    }
    (harm, path)
}

/// What `reader` answers; a refusal is asked again after the log had a chance to heal.
fn asked(writer: &mut clicklog::Writer, reader: &Reader, clock: &FixedClock) -> Option<Value> {
    for _ in 0..4 {
        match answers::of_log(reader) {
            Ok(found) => return Some(found),
            Err(_) => {
                let failures = |reader: &Reader| {
                    let stats = reader.stats();
                    stats.checkpoints + stats.checkpoint_failures
                };
                let before = failures(reader);
                clock.advance(600_000);
                writer.tick();
                while failures(reader) == before {
                    std::thread::yield_now();
                }
            }
        }
    }
    None
}

fn is_told(recovery: &Recovery, reader: &Reader) -> bool {
    !recovery.gaps.is_empty() || reader.stats().gaps > 0
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().expect("a number"))
}

#[derive(Debug, Default)]
struct Tally {
    right: u32,
    told: u32,
    refused: u32,
    cut_short: u32,
}

#[test]
fn no_damage_makes_a_number_wrong() {
    let seed = number("HOPCART_CORRUPTION_SEED", 7);
    let originals = [
        Original::make(1, 0, true),
        Original::make(2, 3, false),
        Original::make(3, 6, false),
    ];
    let mut tally = Tally::default();
    for round in 0..number("HOPCART_CORRUPTIONS", 200) {
        let mut draw = Draw::new(seed * 100_000 + round + 1);
        let original = &originals[(round % 3) as usize];
        let dir = tempfile::tempdir().expect("a directory");
        copy(original.dir.path(), dir.path());
        let kind = round % 4;
        let harms = match kind {
            0 | 1 => vec![harm(dir.path(), &["db"], &mut draw)],
            2 => vec![harm(dir.path(), &["journal"], &mut draw)],
            _ => vec![
                harm(dir.path(), &["db"], &mut draw),
                harm(dir.path(), &["journal", "."], &mut draw),
            ],
        };
        let what = format!("round {round} of seed {seed}: {harms:?}");
        if std::env::var("KEEP").is_ok_and(|keep| keep == round.to_string()) {
            copy(dir.path(), Path::new("/tmp/kept-b"));
            copy(original.dir.path(), Path::new("/tmp/kept-a"));
        }
        let clock = clock(START.plus_ms(86_400_000));
        let (mut writer, reader, recovery) = match clicklog::open(options(dir.path()), clock.clone()) {
            Ok(opened) => opened,
            Err(error) => panic!("{what}: {error}"),
        };
        let is_right = |found: &Value, expected: &Value| answers::difference(found, expected, "").is_none();
        let found = asked(&mut writer, &reader, &clock);
        let Some(found) = found else {
            tally.refused += 1;
            assert_ne!(
                kind, 0,
                "{what}: the journal has everything, and yet questions are refused"
            );
            continue;
        };
        if is_right(&found, &original.answers[0]) {
            tally.right += 1;
            continue;
        }
        let why = answers::difference(&found, &original.answers[0], "");
        assert!(
            kind > 1,
            "{what}: the journal has everything, and yet a number is wrong: {why:?}"
        );
        if is_told(&recovery, &reader) {
            tally.told += 1;
            check_gaps(&recovery, &found, &original.answers[0], &what);
            continue;
        }
        // The journal's end was cut between two frames: as if the last batches had never been written.
        let is_cut = harms.iter().any(|(harm, _)| *harm == Harm::Cut);
        let earlier = (1..=original.unchecked).any(|cut| is_right(&found, &original.answers[cut]));
        assert!(
            !original.is_closed && (is_cut || recovery.torn_bytes > 0) && earlier,
            "{what}: a wrong number is served, and nothing is said of it: {:?}; {recovery:?}",
            answers::difference(&found, &original.answers[0], "")
        );
        tally.cut_short += 1;
    }
    println!("{tally:?}");
    assert!(tally.right > tally.told, "{tally:?}");
}

fn events(answers: &Value) -> u64 {
    let workspaces = answers["workspaces"].as_array().expect("workspaces");
    workspaces
        .iter()
        .map(|one| one["events"]["count"].as_u64().expect("a count"))
        .sum()
}

/// Where a gap says how many clicks are gone, so many are.
fn check_gaps(recovery: &Recovery, found: &Value, expected: &Value, what: &str) {
    let is_all_known = recovery
        .gaps
        .iter()
        .all(|gap| gap.cause == Cause::Damaged && gap.clicks.is_some());
    if !is_all_known || recovery.gaps.is_empty() {
        return;
    }
    let missing: u64 = recovery.gaps.iter().filter_map(|gap| gap.clicks).sum();
    assert_eq!(events(found) + missing, events(expected), "{what}: {:?}", recovery.gaps);
    for gap in recovery.gaps.iter().filter(|gap| gap.is_exact) {
        let listed: u64 = gap.sequences.iter().map(|(first, last)| last - first + 1).sum();
        assert_eq!(Some(listed), gap.clicks, "{what}: {gap}");
    }
}

/// What a damaged frame held is told by sequence.
#[test]
fn a_damaged_frame_is_told_by_sequence() {
    let batches: Vec<Batch> = stream::batches(9, 10, 30);
    let dir = tempfile::tempdir().expect("a directory");
    let whole = Options::at(dir.path());
    let (mut writer, ..) = clicklog::open(whole.clone(), clock(START)).expect("it opens");
    let mut ends = Vec::new();
    let mut at = 40;
    for batch in &batches {
        let clicks = Batch {
            clicks: batch.clicks.clone(),
            lost: vec![],
        };
        at += writer
            .append(clicks)
            .map_err(|(_, error)| error)
            .expect("durable")
            .bytes as usize;
        ends.push(at);
    }
    drop(writer);
    let path = files(dir.path(), &["journal"]).remove(0);
    let mut bytes = fs::read(&path).expect("read");
    bytes[ends[4] - 9] ^= 0x10;
    fs::write(&path, bytes).expect("written");
    fs::remove_dir_all(dir.path().join("db")).expect("removed");
    let (_writer, reader, recovery) = clicklog::open(whole, clock(START)).expect("it opens");
    let [gap] = &recovery.gaps[..] else {
        panic!("{:?}", recovery.gaps)
    };
    assert_eq!((gap.first_frame, gap.last_frame, gap.is_exact), (5, 5, true));
    let told = gap.sequences.iter().flat_map(|(first, last)| *first..=*last);
    let lost: Vec<u64> = batches[4].clicks.iter().map(|click| click.sequence).collect();
    assert_eq!(told.collect::<Vec<_>>(), lost);
    assert_eq!(gap.clicks, Some(lost.len() as u64));
    assert_eq!(reader.gaps().expect("answered"), recovery.gaps);
    assert_eq!(reader.stats().missing_clicks, lost.len() as u64);
}
