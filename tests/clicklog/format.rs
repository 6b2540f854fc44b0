//! Click logs of every format that was ever written, under `fixtures/clicklog`: they open, and answer what they did.
//!
//! A new format gets a new fixture; those that are there never change. `HOPCART_WRITE_CLICKLOG_FIXTURE=5 cargo test
//! --test clicklog write_a_fixture` writes number 5 with the present version. Number 1 knows no regions and cities; up to
//! number 2 links' clicks were counted by quarter hours alone; up to number 3 each link had a total and days of its own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hopcart::clicklog::{self, Dimension, Options, Query, Reader, Writer};
use hopcart::domain::id::WorkspaceNo;
use hopcart::domain::outside::FixedClock;
use serde_json::Value;

use crate::answers;
use crate::stream::{self, START};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/clicklog")
}

/// Copies fixture `name` to `to`, unpacked.
fn unpack(name: &str, to: &Path) {
    for room in ["journal", "db"] {
        fs::create_dir_all(to.join(room)).expect("made");
        for entry in fs::read_dir(fixtures().join(name).join(room)).expect("the fixture") {
            let path = entry.expect("listed").path();
            let bytes = zstd::decode_all(fs::File::open(&path).expect("there")).expect("zstd");
            let stem = path.file_stem().expect("a name.zst");
            fs::write(to.join(room).join(stem), bytes).expect("written");
        }
    }
}

fn expected(name: &str) -> Value {
    let text = fs::read_to_string(fixtures().join(format!("{name}.json"))).expect("the fixture's numbers");
    serde_json::from_str(&text).expect("JSON")
}

fn open(dir: &Path) -> (Writer, Reader, clicklog::Recovery) {
    let clock = Arc::new(FixedClock::at(START.plus_ms(86_400_000)));
    clicklog::open(Options::at(dir), clock).expect("it opens")
}

/// Opens a copy of fixture `name` after `change`, and compares every number.
fn check(name: &str, change: impl FnOnce(&Path)) -> clicklog::Recovery {
    let dir = tempfile::tempdir().expect("a directory");
    unpack(name, dir.path());
    change(dir.path());
    let expected = expected(name);
    let (writer, reader, recovery) = open(dir.path());
    let found = answers::of_log(&reader).expect("answered");
    answers::assert_covers(&found, &expected, name);
    writer.close().expect("closed");
    // And once more, from what this version made of it.
    let (_writer, reader, _) = open(dir.path());
    answers::assert_covers(&answers::of_log(&reader).expect("answered"), &expected, name);
    recovery
}

#[test]
fn logs_of_every_format_answer_what_they_did() {
    for name in ["format_1", "format_2", "format_3", "format_4"] {
        let recovery = check(name, |_| {});
        assert!(recovery.replayed_clicks > 0, "some of {name} was never checkpointed");
        assert_eq!(recovery.torn_bytes, 37, "a torn end is cut");
        assert_eq!(recovery.quarantined, None);
    }
}

#[test]
fn journals_of_every_format_alone_answer_the_same() {
    for name in ["format_1", "format_2", "format_3", "format_4"] {
        let recovery = check(name, |dir| fs::remove_dir_all(dir.join("db")).expect("removed"));
        assert!(recovery.replayed_clicks > 2000, "all of {name} is replayed");
    }
}

/// Appends `batches` with a checkpoint in their midst.
fn append(writer: &mut Writer, reader: &Reader, clock: &FixedClock, batches: &[clicklog::Batch]) {
    for (n, batch) in batches.iter().enumerate() {
        let appended = writer.append(batch.clone());
        appended.map_err(|(_, error)| error).expect("durable");
        if n == batches.len() / 2 {
            let before = reader.stats().checkpoints;
            clock.advance(600_000);
            writer.tick();
            while reader.stats().checkpoints == before {
                std::thread::yield_now();
            }
        }
    }
}

#[test]
fn logs_of_every_format_that_go_on_count_old_and_new() {
    let mut more = stream::batches(2, 30, 40);
    let clicks = more.iter_mut().flat_map(|batch| &mut batch.clicks);
    clicks.for_each(|click| click.sequence += 1_000_000);
    for name in ["format_1", "format_2", "format_3", "format_4"] {
        let dir = tempfile::tempdir().expect("a directory");
        unpack(name, dir.path());
        let clock = Arc::new(FixedClock::at(START.plus_ms(86_400_000)));
        let (mut writer, reader, _) = clicklog::open(Options::at(dir.path()), clock.clone()).expect("it opens");
        reader.wait_opened(std::time::Duration::from_secs(60)).expect("opened");
        let old = expected(name);
        let covers = |reader: &Reader, more: &[clicklog::Batch], when: &str| {
            let sum = answers::sum(&old, &answers::of_batches(more));
            let found = answers::of_log(reader).expect("answered");
            answers::assert_covers(&found, &sum, &format!("{name} {when}"));
        };
        covers(&reader, &[], "as it was");
        append(&mut writer, &reader, &clock, &more[..20]);
        covers(&reader, &more[..20], "going on");
        // As if killed: some of it is in the journal alone, and sums of the rest nowhere.
        drop(writer);
        let (mut writer, reader, _) = clicklog::open(Options::at(dir.path()), clock.clone()).expect("it opens");
        reader.wait_opened(std::time::Duration::from_secs(60)).expect("opened");
        covers(&reader, &more[..20], "after a kill");
        append(&mut writer, &reader, &clock, &more[20..]);
        writer.close().expect("closed");
        let told = clicklog::verify(&Options::at(dir.path()), |_| ()).expect("verified");
        // Their torn ends may have been frames once: that is a gap, not a finding.
        assert_eq!(told.findings, Vec::<String>::new(), "{name}");
        let (_writer, reader, _) = open(dir.path());
        covers(&reader, &more, "closed");
    }
}

#[test]
fn clicks_of_before_regions_are_counted_as_unknown() {
    let dir = tempfile::tempdir().expect("a directory");
    unpack("format_1", dir.path());
    let (_writer, reader, _) = open(dir.path());
    let query = Query {
        workspace: WorkspaceNo(1),
        end: START.plus_ms(7 * 86_400_000),
        ..Query::default()
    };
    let top = |by| reader.top(&query, by, 1000).expect("counted");
    let all = reader.top(&query, Dimension::Variant, 1000).expect("counted");
    let all: u64 = all.into_iter().map(|(_, clicks)| clicks).sum();
    for by in [Dimension::Region, Dimension::City] {
        assert_eq!(top(by), [("Unknown".to_owned(), all)], "{by:?}");
    }
    for by in [Dimension::Area, Dimension::Locality] {
        assert_eq!(top(by), top(Dimension::Country), "no more than the country is known");
    }
}

#[test]
fn write_a_fixture() {
    let Ok(number) = std::env::var("HOPCART_WRITE_CLICKLOG_FIXTURE") else {
        // What it would write is checked all the same: the stream and a fresh log of it agree.
        let dir = tempfile::tempdir().expect("a directory");
        let batches = write(dir.path());
        let (_writer, reader, _) = open(dir.path());
        let found = answers::of_log(&reader).expect("answered");
        answers::assert_covers(&found, &answers::of_batches(&batches), "fresh");
        return;
    };
    let name = format!("format_{number}");
    let target = fixtures().join(&name);
    assert!(!target.exists(), "{} is there: fixtures never change", target.display());
    let dir = tempfile::tempdir().expect("a directory");
    let batches = write(dir.path());
    for room in ["journal", "db"] {
        fs::create_dir_all(target.join(room)).expect("made");
        for entry in fs::read_dir(dir.path().join(room)).expect("listed") {
            let path = entry.expect("listed").path();
            if path.is_dir() {
                continue;
            }
            let file = path.file_name().and_then(|name| name.to_str()).expect("a name");
            let packed = zstd::encode_all(&*fs::read(&path).expect("read"), 19).expect("packed");
            fs::write(target.join(room).join(format!("{file}.zst")), packed).expect("written");
        }
    }
    // The numbers are told by a log that was never closed, checked against the stream where that can be counted.
    let (_writer, reader, _) = open(dir.path());
    let found = answers::of_log(&reader).expect("answered");
    answers::assert_covers(&found, &answers::of_batches(&batches), &name);
    let text = serde_json::to_string_pretty(&found).expect("JSON");
    fs::write(fixtures().join(format!("{name}.json")), text + "\n").expect("written");
}

/// A log in `dir` with two thirds checkpointed, the rest in the journal alone, and a torn end.
fn write(dir: &Path) -> Vec<clicklog::Batch> {
    let batches = stream::batches(1, 60, 40);
    let clock = Arc::new(FixedClock::at(START));
    let options = Options {
        segment_bytes: 20_000,
        // The first checkpoint's sums go into sled, the second's stay in memory.
        backlog_clicks_max: 800,
        ..Options::at(dir)
    };
    let (mut writer, reader, _) = clicklog::open(options, clock.clone()).expect("it opens");
    writer.reserve_sequences(100_000).expect("reserved");
    for (n, batch) in batches.iter().enumerate() {
        writer
            .append(batch.clone())
            .map_err(|(_, error)| error)
            .expect("durable");
        if n == 20 || n == 40 {
            let before = reader.stats().checkpoints;
            clock.advance(600_000);
            writer.tick();
            while reader.stats().checkpoints == before {
                std::thread::yield_now();
            }
        }
    }
    drop(writer);
    let newest = fs::read_dir(dir.join("journal"))
        .expect("listed")
        .filter_map(|entry| Some(entry.ok()?.path()));
    let newest = newest.max().expect("a segment");
    let mut file = fs::File::options().append(true).open(newest).expect("there");
    file.write_all(&[0xc1, 0x1c, 0x4b, 0x0f]).expect("written");
    file.write_all(&[7; 33]).expect("written");
    batches
}
