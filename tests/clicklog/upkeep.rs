//! Verifying, rebuilding, and bringing back from a backup what the journal no longer has.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use hopcart::clicklog::{self, BackupFiles, BackupSource, Batch, Cause, Options, Reader, Writer};
use hopcart::domain::outside::FixedClock;
use hopcart::domain::time::Timestamp;
use serde_json::Value;

use crate::answers;
use crate::stream::{self, START};

const DAY: i64 = 86_400_000;

/// Small segments, so that old ones go.
fn options(dir: &Path) -> Options {
    Options {
        segment_bytes: 3_000,
        ..Options::at(dir)
    }
}

struct Log {
    clock: Arc<FixedClock>,
    writer: Writer,
    reader: Reader,
}

impl Log {
    fn open(options: Options, now: Timestamp) -> Self {
        let clock = Arc::new(FixedClock::at(now));
        let (writer, reader, _) = clicklog::open(options, clock.clone()).expect("it opens");
        Self { clock, writer, reader }
    }

    fn append(&mut self, batches: &[Batch]) {
        for batch in batches {
            self.writer
                .append(batch.clone())
                .map_err(|(_, error)| error)
                .expect("durable");
        }
    }

    fn checkpoint(&mut self) {
        let before = self.reader.stats().checkpoints;
        self.clock.advance(10_000);
        self.writer.tick();
        while self.reader.stats().checkpoints == before {
            std::thread::yield_now();
        }
    }

    fn answers(&self) -> Value {
        answers::of_log(&self.reader).expect("answered")
    }

    /// A backup as files in `dir`.
    fn back_up(&self, dir: &Path) -> BackupFiles {
        let export = self.reader.export().expect("exported");
        let names = export.parts.keys().cloned().collect();
        let written = self.reader.write_parts(&export, &names, |name| {
            let file: Box<dyn Write> = Box::new(fs::File::create(dir.join(name))?);
            Ok(file)
        });
        written.expect("written");
        for (name, hash) in &export.parts {
            let found = blake3::hash(&fs::read(dir.join(name)).expect("read"));
            assert_eq!(found.as_bytes(), hash, "{name}");
        }
        let journal = self.reader.journal_after(&export).expect("listed");
        let journal = journal.into_iter().map(|file| {
            let to = dir.join(&file.name);
            let mut copy = fs::File::create(&to).expect("made");
            std::io::copy(&mut file.file.take(file.bytes), &mut copy).expect("copied");
            (file.name, to)
        });
        BackupFiles {
            from: dir.to_owned(),
            parts: names_in(dir, &names),
            journal: journal.collect(),
        }
    }
}

fn names_in(dir: &Path, names: &std::collections::BTreeSet<String>) -> Vec<std::path::PathBuf> {
    names.iter().map(|name| dir.join(name)).collect()
}

#[derive(Debug)]
struct Fixed(BackupFiles);

impl BackupSource for Fixed {
    fn newest(&self) -> Result<BackupFiles, String> {
        Ok(self.0.clone())
    }
}

/// A log whose oldest segments are gone, with a backup from before that, and what it answers.
fn aged(dir: &Path, backup: &Path) -> (BackupFiles, Value) {
    let batches = stream::batches(5, 30, 20);
    let mut log = Log::open(options(dir), START);
    log.append(&batches[..12]);
    log.checkpoint();
    // The backup's journal has what its parts have not.
    log.append(&batches[12..15]);
    let files = log.back_up_behind(backup, &batches[15..24]);
    log.clock.advance(8 * DAY);
    log.append(&batches[24..]);
    log.checkpoint();
    let told = log.answers();
    answers::assert_covers(&told, &answers::of_batches(&batches), "log");
    log.writer.close().expect("closed");
    (files, told)
}

impl Log {
    /// A backup that goes on while clicks are appended and checkpointed.
    fn back_up_behind(&mut self, dir: &Path, batches: &[Batch]) -> BackupFiles {
        let export = self.reader.export().expect("exported");
        self.append(batches);
        self.checkpoint();
        let names = export.parts.keys().cloned().collect();
        let written = self.reader.write_parts(&export, &names, |name| {
            let file: Box<dyn Write> = Box::new(fs::File::create(dir.join(name))?);
            Ok(file)
        });
        written.expect("written");
        let journal = self
            .reader
            .journal_after(&export)
            .expect("listed")
            .into_iter()
            .map(|mut file| {
                let to = dir.join(&file.name);
                let mut copy = fs::File::create(&to).expect("made");
                std::io::copy(&mut file.file, &mut copy).expect("copied");
                (file.name, to)
            });
        BackupFiles {
            from: dir.to_owned(),
            journal: journal.collect(),
            parts: names_in(dir, &names),
        }
    }
}

#[test]
fn a_log_that_is_loaded_from_a_backup_answers_the_same() {
    let homes = [(); 3].map(|()| tempfile::tempdir().expect("a directory"));
    let [dir, backup, copy] = [0, 1, 2].map(|n| homes[n].path());
    let batches = stream::batches(6, 12, 30);
    let mut log = Log::open(options(dir), START);
    log.append(&batches[..5]);
    log.checkpoint();
    log.append(&batches[5..]);
    let files = log.back_up(backup);
    clicklog::load(&options(copy), &files).expect("loaded");
    let loaded = Log::open(options(copy), START);
    assert_eq!(loaded.answers(), log.answers());
    assert!(
        loaded.writer.next_sequence() > log.writer.next_sequence(),
        "no number is handed out twice"
    );
    loaded.writer.close().expect("closed");
    let told = clicklog::verify(&options(copy), |_| ()).expect("verified");
    assert_eq!((told.findings, told.gaps), (vec![], vec![]));
}

#[test]
fn parts_that_are_newer_than_their_watermark_count_nothing_twice() {
    let homes = [(); 3].map(|()| tempfile::tempdir().expect("a directory"));
    let [dir, backup, copy] = [0, 1, 2].map(|n| homes[n].path());
    let batches = stream::batches(7, 12, 30);
    let mut log = Log::open(options(dir), START);
    log.append(&batches[..5]);
    log.checkpoint();
    let files = log.back_up_behind(backup, &batches[5..]);
    clicklog::load(&options(copy), &files).expect("loaded");
    let loaded = Log::open(options(copy), START);
    assert_eq!(loaded.answers(), log.answers());
    answers::assert_covers(&loaded.answers(), &answers::of_batches(&batches), "loaded");
}

#[test]
fn a_corrupt_store_is_rebuilt_from_journal_and_backup() {
    let (dir, backup) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let (files, told) = aged(dir.path(), backup.path());
    fs::write(dir.path().join("db/conf"), "nonsense that sled does not understand").expect("written");
    let with_backup = Options {
        backup: Some(Arc::new(Fixed(files))),
        ..options(dir.path())
    };
    let log = Log::open(with_backup, START.plus_ms(9 * DAY));
    let recovery = log.reader.recovery();
    assert!(
        recovery.quarantined.is_some() && recovery.restored_from.is_some(),
        "{recovery:?}"
    );
    assert_eq!(recovery.gaps, []);
    assert_eq!(log.answers(), told);
}

#[test]
fn what_no_backup_has_is_told_and_not_silent() {
    let (dir, backup) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    aged(dir.path(), backup.path());
    fs::write(dir.path().join("db/conf"), "nonsense that sled does not understand").expect("written");
    let log = Log::open(options(dir.path()), START.plus_ms(9 * DAY));
    let [gap] = &log.reader.recovery().gaps[..] else {
        panic!("{:?}", log.reader.recovery())
    };
    assert_eq!((gap.first_frame, gap.cause), (1, Cause::Before));
    assert_eq!(log.reader.gaps().expect("answered"), std::slice::from_ref(gap));
    drop(log);
    // A restart does not forget it.
    let log = Log::open(options(dir.path()), START.plus_ms(9 * DAY));
    assert_eq!(log.reader.stats().gaps, 1);
}

#[test]
fn rebuild_makes_a_store_that_verifies_and_keeps_the_old_one() {
    let (dir, backup) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let (files, told) = aged(dir.path(), backup.path());
    let before = clicklog::verify(&options(dir.path()), |_| ()).expect("verified");
    assert_eq!(before.findings, Vec::<String>::new());
    let rebuilt = clicklog::rebuild(&options(dir.path()), Some(&files), Timestamp(5), |_| ()).expect("rebuilt");
    assert_eq!(rebuilt.gaps, []);
    assert_eq!(rebuilt.replaced, Some(dir.path().join("db.replaced-5")));
    let after = clicklog::verify(&options(dir.path()), |_| ()).expect("verified");
    assert!(after.is_sound(), "{after:?}");
    assert_eq!(after.clicks, before.clicks);
    let log = Log::open(options(dir.path()), START.plus_ms(9 * DAY));
    assert_eq!(log.answers(), told);
    assert!(matches!(
        clicklog::verify(&options(dir.path()), |_| ()),
        Err(clicklog::OpenError::InUse(_))
    ));
    drop(log);
    // Without the backup the gap is told.
    let poor = clicklog::rebuild(&options(dir.path()), None, Timestamp(6), |_| ()).expect("rebuilt");
    assert_eq!(poor.gaps.len(), 1);
    let told = clicklog::verify(&options(dir.path()), |_| ()).expect("verified");
    assert_eq!(told.gaps, poor.gaps);
}

#[test]
fn verify_finds_a_damaged_frame() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut log = Log::open(options(dir.path()), START);
    log.append(&stream::batches(8, 4, 20));
    log.writer.close().expect("closed");
    let segment = dir.path().join("journal/0000000000000001.log");
    let mut bytes = fs::read(&segment).expect("read");
    bytes[100] ^= 1;
    fs::write(&segment, bytes).expect("written");
    let told = clicklog::verify(&options(dir.path()), |_| ()).expect("verified");
    assert_eq!(told.findings.len(), 1, "{told:?}");
    assert!(told.findings[0].contains("frames 1 to 1"), "{told:?}");
    assert_eq!(told.gaps, [], "the store has the frame");
}

#[test]
fn a_backup_that_is_overtaken_says_so_and_the_next_one_is_whole() {
    let homes = [(); 3].map(|()| tempfile::tempdir().expect("a directory"));
    let [dir, backup, copy] = [0, 1, 2].map(|n| homes[n].path());
    let few = Options {
        backlog_clicks_max: 1,
        ..options(dir)
    };
    let batches = stream::batches(7, 12, 30);
    let mut log = Log::open(few, START);
    log.append(&batches[..5]);
    log.checkpoint();
    let export = log.reader.export().expect("exported");
    // Far more than is put off for somebody who reads: sums are written over what the export has seen.
    log.append(&batches[5..]);
    log.checkpoint();
    let names = export.parts.keys().cloned().collect();
    let written = log
        .reader
        .write_parts(&export, &names, |_| Ok(Box::new(std::io::sink())));
    let error = written.expect_err("overtaken");
    assert_eq!(error.kind(), std::io::ErrorKind::Interrupted, "{error}");
    drop(export);
    let files = log.back_up(backup);
    clicklog::load(&options(copy), &files).expect("loaded");
    let loaded = Log::open(options(copy), START);
    assert_eq!(loaded.answers(), log.answers());
}
