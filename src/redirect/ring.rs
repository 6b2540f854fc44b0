//! A worker's ring: a bounded queue of records between one writer and one reader, in a file that outlives the process.
//!
//! Layout of a ring file, version 3. Numbers are little endian in a file's home machine; a ring is never read elsewhere.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `hopring` and a zero byte |
//! | 8 | 2 | version, 3; 1 and 2 are read as well: their records of clicks say less, see `lane` |
//! | 10 | 2 | node |
//! | 12 | 4 | number of slots for lost details, [`SLOTS`] |
//! | 16 | 8 | capacity: bytes of the record area, a multiple of 8 |
//! | 24 | 8 | the ring's id, drawn when it was made; never 0 |
//! | 32 | 8 | when it was made, signed ms since 1970 |
//! | 40 | 4 | CRC32C of the bytes before; then 4 zero bytes |
//! | 128 | 8 | written: position after the last record |
//! | 256 | 8 | acknowledged: position up to which everything is in the journal, synced |
//! | 4096 | 64 × slots | lost details, laid out in `lost` |
//! | … | capacity | records |
//!
//! *Positions* count bytes from the ring's beginning and only grow; position p lies at p modulo the capacity in the
//! record area. A *record* is a word, its length (lower 32 bits) and checksum (upper 32), then the payload, filled up to
//! a multiple of 8 with zeros. The checksum is the CRC32C of the payload begun with its position in words (lower 32
//! bits), so that a record of an earlier lap is none.
//!
//! **Protocol.** The writer stores payload words, then the record's first word, then `written` (release); the reader
//! loads `written` (acquire) and thereby sees whole records. The reader moves `acknowledged` (release) only when the
//! journal has been synced; the writer loads it (acquire) before it stores where those records lay. So a record stays
//! until it is durable elsewhere, and nobody stores where somebody may read. Each position has one thread that stores
//! it, and each thread sees its own stores, so neither can go back.
//!
//! **After a kill** the page cache has every store that the processor finished. A record counts by its checksum, from the
//! acknowledged position on; `written` only says how far to look behind a damaged one. What the kill cut short has a
//! wrong checksum and nobody was answered for it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::words::Words;
use crate::domain::time::Timestamp;

/// Different links whose counts are kept while a ring is full: more than a server has that are followed within one
/// outage and quarter hour; what is beyond is counted by workspace.
pub(super) const SLOTS: usize = 4096;
/// Words of a slot: a cache line.
pub(super) const SLOT_WORDS: usize = 8;

const MAGIC: [u8; 8] = *b"hopring\0";
const VERSION: u16 = 3;
const HEADER: usize = 4096;
const CHECKED: usize = 40;
/// On cache lines of their own (two, for processors fetch pairs): each is stored by another thread.
const WRITTEN: usize = 128 / 8;
const ACKNOWLEDGED: usize = 256 / 8;
const RECORDS: usize = HEADER / 8 + SLOTS * SLOT_WORDS;
/// Zeros are written by so many bytes at a time.
const PIECE: usize = 1 << 20;
/// Longest payload that is looked for: longer than any click with all of its texts at their longest (64 KiB each). It
/// bounds the work of looking for the next good record.
const PAYLOAD_MAX: u64 = 1 << 20;
/// Positions beyond this are damage: no server writes an exabyte.
const POSITION_END: u64 = 1 << 60;
/// Bytes of a record's first word.
pub(super) const RECORD_HEAD: usize = 8;

/// How to make a ring.
#[derive(Debug, Clone, Copy)]
pub struct RingOptions {
    /// Number of this server.
    pub node: u16,
    /// Drawn at random.
    pub id: u64,
    /// Room for records, in bytes; rounded up to a multiple of 8.
    pub capacity: usize,
    pub made_at: Timestamp,
}

/// A ring, shared by its two ends.
#[derive(Debug)]
pub struct Ring {
    words: Words,
    capacity: u64,
    id: u64,
    made_at: Timestamp,
    file: Option<Owned>,
}

/// A ring's file: locked as long as somebody uses it.
#[derive(Debug)]
struct Owned {
    path: PathBuf,
    _lock: File,
}

/// What a file with a ring's name turned out to be.
#[derive(Debug)]
pub enum Found {
    /// A ring that a process left behind.
    Left(Ring),
    /// Another process uses it.
    InUse,
    /// Never used: its maker was killed before its header was written.
    Blank,
    /// Damaged, or of a version that this program does not know: for people to look at. Says which.
    Unknown(String),
}

impl Ring {
    /// A ring in the process's own memory, which a kill takes away.
    pub fn in_memory(capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(8);
        Self {
            words: Words::zeroed(RECORDS + capacity / 8),
            capacity: capacity as u64,
            id: 0,
            made_at: Timestamp(0),
            file: None,
        }
    }

    /// Makes the file `path`, which must not be there, and a ring in it.
    ///
    /// Every byte is written, so that no store into it can find the disk full later.
    ///
    /// # Errors
    /// The file cannot be made, filled or mapped; nothing of it is left.
    pub fn create(path: &Path, options: RingOptions) -> io::Result<Self> {
        let made = Self::fill(path, options);
        if made.is_err() {
            // Half a ring is of no use; what cannot be removed is met as blank at the next start.
            std::fs::remove_file(path).ok();
        }
        made
    }

    fn fill(path: &Path, options: RingOptions) -> io::Result<Self> {
        let capacity = options.capacity.next_multiple_of(8);
        let bytes = RECORDS * 8 + capacity;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.try_lock().map_err(io::Error::from)?;
        let zeros = vec![0; PIECE];
        let mut left = bytes;
        while left > 0 {
            let piece = left.min(PIECE);
            file.write_all(&zeros[..piece])?;
            left -= piece;
        }
        // The header last: a file without one was never used.
        file.write_all_at(&header(options, capacity as u64), 0)?;
        Ok(Self {
            words: Words::map(&file, bytes)?,
            capacity: capacity as u64,
            id: options.id,
            made_at: options.made_at,
            file: Some(Owned {
                path: path.to_owned(),
                _lock: file,
            }),
        })
    }

    /// Reads what a process left behind in the file `path`. The file stays until [`Ring::remove`].
    ///
    /// # Errors
    /// It cannot be read.
    pub fn left_behind(path: &Path) -> io::Result<Found> {
        let mut file = File::open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Found::InUse),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(match read_header(&bytes) {
            Ok(Some((id, capacity, made_at))) => Found::Left(Self {
                words: Words::of_bytes(&bytes),
                capacity,
                id,
                made_at,
                file: Some(Owned {
                    path: path.to_owned(),
                    _lock: file,
                }),
            }),
            Ok(None) => Found::Blank,
            Err(why) => Found::Unknown(why),
        })
    }

    /// What the journal knows it by; 0 for one in memory.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// When it was made.
    pub fn made_at(&self) -> Timestamp {
        self.made_at
    }

    /// Deletes its file, once everything in it is in the journal.
    pub(super) fn remove(&self) {
        if let Some(owned) = &self.file {
            // One that stays is found empty at the next start: the journal knows its last position.
            std::fs::remove_file(&owned.path).ok();
        }
    }

    fn records(&self) -> &[AtomicU64] {
        &self.words[RECORDS..]
    }

    fn written(&self) -> &AtomicU64 {
        &self.words[WRITTEN]
    }

    fn acknowledged(&self) -> &AtomicU64 {
        &self.words[ACKNOWLEDGED]
    }

    /// The words of lost-detail slot `slot`, below [`SLOTS`].
    pub(super) fn slot(&self, slot: usize) -> &[AtomicU64] {
        let start = HEADER / 8 + slot * SLOT_WORDS;
        &self.words[start..start + SLOT_WORDS]
    }

    /// Copies the record at `position` to `payload`; where it ends. `None` when there is no whole, undamaged one
    /// before `end`.
    fn read(&self, position: u64, end: u64, payload: &mut Vec<u8>) -> Option<u64> {
        let (next, crc) = self.copy(position, end, payload)?;
        (checksum(position, payload) == crc).then_some(next)
    }

    /// Copies the record at `position` to `payload`; where it ends and its checksum. `None` when what lies there cannot
    /// be the head of one that ends by `end`.
    fn copy(&self, position: u64, end: u64, payload: &mut Vec<u8>) -> Option<(u64, u32)> {
        let records = self.records();
        let count = records.len();
        let start = (position % self.capacity / 8) as usize;
        let head = u64::from_le(records.get(start)?.load(Ordering::Relaxed));
        let (length, crc) = (head & u64::from(u32::MAX), (head >> 32) as u32);
        let next = position + RECORD_HEAD as u64 + length.next_multiple_of(8);
        if length == 0 || length > PAYLOAD_MAX || next > end || next - position > self.capacity {
            return None;
        }
        let words = (length as usize).div_ceil(8);
        let first = (start + 1).min(count);
        let straight = words.min(count - first);
        // Of what the last record left only what this one is longer is filled with zeros first.
        payload.resize(words * 8, 0);
        let (room, _) = payload.as_chunks_mut::<8>();
        load(&records[first..first + straight], &mut room[..straight]);
        load(records, &mut room[straight..]);
        payload.truncate(length as usize);
        Some((next, crc))
    }
}

/// The writing end.
#[derive(Debug)]
pub(super) struct RingWriter {
    pub(super) ring: Arc<Ring>,
    written: u64,
    /// What was acknowledged when last looked: at most what is.
    acknowledged: u64,
}

impl RingWriter {
    /// The end of a ring that nothing was written to yet.
    pub(super) fn new(ring: Arc<Ring>) -> Self {
        Self {
            ring,
            written: 0,
            acknowledged: 0,
        }
    }

    /// Position after the last record.
    pub(super) fn position(&self) -> u64 {
        self.written
    }

    /// Where a record that is `bytes` long, its head included, would end; `None` when there is no room for it.
    pub(super) fn room_for(&mut self, bytes: usize) -> Option<u64> {
        let end = self.written + bytes.next_multiple_of(8) as u64;
        if end - self.acknowledged > self.ring.capacity {
            self.acknowledged = self.ring.acknowledged().load(Ordering::Acquire);
        }
        (end - self.acknowledged <= self.ring.capacity).then_some(end)
    }

    /// Writes `record`, of which the first [`RECORD_HEAD`] bytes are free for the record's own; `false` when there is
    /// no room.
    pub(super) fn push(&mut self, record: &mut Vec<u8>) -> bool {
        let length = record.len() - RECORD_HEAD;
        let Some(end) = self.room_for(record.len()).filter(|_| length as u64 <= PAYLOAD_MAX) else {
            return false;
        };
        let crc = checksum(self.written, &record[RECORD_HEAD..]);
        record.resize(record.len().next_multiple_of(8), 0);
        let head = length as u64 | u64::from(crc) << 32;
        let records = self.ring.records();
        let start = (self.written % self.ring.capacity / 8) as usize;
        let (payload, _) = record[RECORD_HEAD..].as_chunks::<8>();
        let straight = payload.len().min(records.len() - start - 1);
        store(&records[start + 1..], &payload[..straight]);
        store(records, &payload[straight..]);
        records[start].store(head.to_le(), Ordering::Release);
        self.ring.written().store(end, Ordering::Release);
        self.written = end;
        true
    }
}

fn load(from: &[AtomicU64], words: &mut [[u8; 8]]) {
    for (word, place) in words.iter_mut().zip(from) {
        *word = place.load(Ordering::Relaxed).to_ne_bytes();
    }
}

fn store(to: &[AtomicU64], words: &[[u8; 8]]) {
    for (place, word) in to.iter().zip(words) {
        place.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
    }
}

/// The reading end.
#[derive(Debug)]
pub(super) struct RingReader {
    pub(super) ring: Arc<Ring>,
    read: u64,
    /// Where what was written ended when last looked.
    end: u64,
    /// Whether another process wrote it: then a record counts by its checksum. What this one's other end published is
    /// whole, and memory between two threads is trusted as all memory is.
    is_left: bool,
    /// Bytes that were skipped because nothing in them can be read.
    pub(super) damaged: u64,
}

impl RingReader {
    /// The end of a ring that nothing was read from yet.
    pub(super) fn new(ring: Arc<Ring>) -> Self {
        Self {
            ring,
            read: 0,
            end: 0,
            is_left: false,
            damaged: 0,
        }
    }

    /// The end of a ring that was left behind, of which the journal has everything up to `journaled`.
    pub(super) fn of_left(ring: Ring, journaled: u64) -> Self {
        let acknowledged = ring.acknowledged().load(Ordering::Acquire);
        // A position that no record can have is damage: the journal's word is the better one.
        let is_sane = |position: &u64| position.is_multiple_of(8) && *position < POSITION_END;
        let known = [acknowledged, journaled].into_iter().filter(is_sane);
        let read = known.max().unwrap_or(0);
        let most = read + ring.capacity;
        let written = ring.written().load(Ordering::Acquire);
        let is_near = is_sane(&written) && (read..=most).contains(&written);
        let told = if is_near { written } else { read };
        let mut end = read;
        let mut payload = Vec::new();
        loop {
            match ring.read(end, most, &mut payload) {
                Some(next) => end = next,
                None if end < told => end += 8,
                None => break,
            }
        }
        ring.written().store(end, Ordering::Release);
        Self {
            ring: Arc::new(ring),
            read,
            end,
            is_left: true,
            damaged: 0,
        }
    }

    /// Position after the last record that was read.
    pub(super) fn position(&self) -> u64 {
        self.read
    }

    /// Whether everything that was written has been read.
    pub(super) fn is_empty(&mut self) -> bool {
        if self.read >= self.end {
            self.end = self.ring.written().load(Ordering::SeqCst);
        }
        self.read >= self.end
    }

    /// Copies the next record to `payload`; `false` when there is none.
    pub(super) fn next(&mut self, payload: &mut Vec<u8>) -> bool {
        while !self.is_empty() {
            let next = match self.is_left {
                true => self.ring.read(self.read, self.end, payload),
                false => self.ring.copy(self.read, self.end, payload).map(|(next, _)| next),
            };
            if let Some(next) = next {
                self.read = next;
                return true;
            }
            self.read += 8;
            self.damaged += 8;
        }
        false
    }

    /// Gives the room up to `position` back to the writer.
    pub(super) fn acknowledge(&self, position: u64) {
        self.ring.acknowledged().store(position, Ordering::Release);
    }
}

fn checksum(position: u64, payload: &[u8]) -> u32 {
    crc32c::crc32c_append((position / 8) as u32, payload)
}

fn header(options: RingOptions, capacity: u64) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[10..12].copy_from_slice(&options.node.to_le_bytes());
    bytes[12..16].copy_from_slice(&(SLOTS as u32).to_le_bytes());
    bytes[16..24].copy_from_slice(&capacity.to_le_bytes());
    bytes[24..32].copy_from_slice(&options.id.to_le_bytes());
    bytes[32..40].copy_from_slice(&options.made_at.0.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..CHECKED]);
    bytes[CHECKED..CHECKED + 4].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Id, capacity and time of making; `None` for a ring that was never used, an error for one that is not understood.
fn read_header(bytes: &[u8]) -> Result<Option<(u64, u64, Timestamp)>, String> {
    let head = &bytes[..bytes.len().min(48)];
    if head.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let number = |at: usize| -> u64 {
        let field = head.get(at..at + 8).and_then(|field| field.first_chunk());
        field.map_or(0, |field| u64::from_le_bytes(*field))
    };
    let crc = crc32c::crc32c(head.get(..CHECKED).unwrap_or_default());
    if head.get(..8) != Some(&MAGIC) || number(CHECKED) != u64::from(crc) {
        return Err("its header is damaged".to_owned());
    }
    let version = number(8) as u16;
    if !(1..=VERSION).contains(&version) {
        return Err(format!(
            "it has version {version}, this program knows {VERSION}: start the other version once"
        ));
    }
    let (slots, capacity, id) = (number(8) >> 32, number(16), number(24));
    let expected = (RECORDS as u64 * 8).checked_add(capacity);
    if slots != SLOTS as u64 || capacity == 0 || !capacity.is_multiple_of(8) || expected != Some(bytes.len() as u64) {
        return Err("its length is not what its header says".to_owned());
    }
    Ok(Some((id, capacity, Timestamp(number(32) as i64))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn options(capacity: usize) -> RingOptions {
        RingOptions {
            node: 3,
            id: 77,
            capacity,
            made_at: Timestamp(5),
        }
    }

    fn record(payload: &[u8]) -> Vec<u8> {
        let mut record = vec![0; RECORD_HEAD];
        record.extend_from_slice(payload);
        record
    }

    fn left(path: &Path) -> Ring {
        match Ring::left_behind(path).expect("readable") {
            Found::Left(ring) => ring,
            other => panic!("{other:?}"),
        }
    }

    /// What a start after a kill would read, beginning at the journal's `journaled`.
    fn survivors(path: &Path, journaled: u64) -> (Vec<Vec<u8>>, u64) {
        let mut reader = RingReader::of_left(left(path), journaled);
        let (mut all, mut payload) = (Vec::new(), Vec::new());
        while reader.next(&mut payload) {
            all.push(payload.clone());
        }
        (all, reader.damaged)
    }

    /// A copy of the file as it is now: what a kill at this moment would leave.
    fn snapshot(path: &Path) -> PathBuf {
        let copy = path.with_extension("killed");
        std::fs::copy(path, &copy).expect("copied");
        copy
    }

    #[test]
    fn a_kill_leaves_what_is_not_acknowledged() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("0.ring");
        let ring = Arc::new(Ring::create(&path, options(1000)).expect("made"));
        let mut writer = RingWriter::new(Arc::clone(&ring));
        let mut reader = RingReader::new(Arc::clone(&ring));
        let mut payload = Vec::new();
        // Several laps, so that old records lie behind the new ones.
        for round in 0u8..100 {
            for n in 0..3 {
                assert!(writer.push(&mut record(&[round, n, 7, 8, 9, 1, 2])), "{round}");
            }
            assert!(reader.next(&mut payload));
            reader.acknowledge(reader.position());
            let (all, damaged) = survivors(&snapshot(&path), 0);
            let expected: Vec<Vec<u8>> = (1..3).map(|n| vec![round, n, 7, 8, 9, 1, 2]).collect();
            assert_eq!((all, damaged), (expected, 0));
            let (all, _) = survivors(&snapshot(&path), writer.position() - 16);
            assert_eq!(all.len(), 1, "the journal knows more than the ring");
            assert!(reader.next(&mut payload) && reader.next(&mut payload));
            reader.acknowledge(reader.position());
        }
        assert!(matches!(Ring::left_behind(&path), Ok(Found::InUse)));
        drop((writer, reader));
        ring.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_record_counts_without_written_and_a_torn_one_does_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("0.ring");
        let ring = Arc::new(Ring::create(&path, options(4096)).expect("made"));
        let mut writer = RingWriter::new(Arc::clone(&ring));
        for n in 0u8..5 {
            assert!(writer.push(&mut record(&[n; 20])));
        }
        // Killed after the record's own words and before the position.
        ring.written().store(4 * 32, Ordering::Relaxed);
        assert_eq!(survivors(&snapshot(&path), 0).0.len(), 5);
        // Killed in the middle of the last record.
        ring.records()[4 * 4 + 3].store(0, Ordering::Relaxed);
        assert_eq!(
            survivors(&snapshot(&path), 0),
            ((0..4).map(|n| vec![n; 20]).collect(), 0)
        );
        // Damage inside: the good ones behind it still count, and it is told.
        ring.written().store(5 * 32, Ordering::Relaxed);
        ring.records()[4 + 1].fetch_xor(1 << 9, Ordering::Relaxed);
        let (all, damaged) = survivors(&snapshot(&path), 0);
        assert_eq!((all.len(), damaged), (3, 64));
    }

    #[test]
    fn a_full_ring_takes_nothing_until_something_is_acknowledged() {
        let ring = Arc::new(Ring::in_memory(64));
        let mut writer = RingWriter::new(Arc::clone(&ring));
        let mut reader = RingReader::new(ring);
        assert!(writer.push(&mut record(&[1; 24])) && writer.push(&mut record(&[2; 24])));
        let mut payload = Vec::new();
        assert!(reader.next(&mut payload));
        assert!(!writer.push(&mut record(&[3; 8])), "read, but not acknowledged");
        reader.acknowledge(reader.position());
        assert!(writer.push(&mut record(&[3; 17])));
        assert!(!writer.push(&mut record(&[3; 200])), "longer than the ring");
        assert!(reader.next(&mut payload) && payload == [2; 24]);
        assert!(reader.next(&mut payload) && payload == [3; 17]);
        assert!(!reader.next(&mut payload));
    }

    #[test]
    fn what_is_not_understood_is_told_apart() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("0.ring");
        drop(Ring::create(&path, options(64)).expect("made"));
        let good = std::fs::read(&path).expect("read");
        let look = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            Ring::left_behind(&path).expect("readable")
        };
        assert!(matches!(look(&good), Found::Left(ring) if ring.id() == 77 && ring.made_at() == Timestamp(5)));
        assert!(matches!(look(&[]), Found::Blank));
        assert!(matches!(look(&[0; 5000]), Found::Blank));
        assert!(matches!(look(&good[..5000]), Found::Unknown(why) if why.contains("length")));
        for bit in 0..44 * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(look(&bad), Found::Unknown(_)), "bit {bit}");
        }
        let of_version = |version: u16| {
            let mut ring = good.clone();
            ring[8..10].copy_from_slice(&version.to_le_bytes());
            let crc = crc32c::crc32c(&ring[..CHECKED]);
            ring[CHECKED..CHECKED + 4].copy_from_slice(&crc.to_le_bytes());
            ring
        };
        for version in [1, 2] {
            assert!(matches!(look(&of_version(version)), Found::Left(ring) if ring.id() == 77));
        }
        for version in [0, 4] {
            let told = format!("version {version},");
            assert!(matches!(look(&of_version(version)), Found::Unknown(why) if why.contains(&told)));
        }
    }

    #[test]
    fn two_threads_agree_on_every_byte() {
        const RECORDS_EACH: u64 = 200_000;
        let ring = Arc::new(Ring::in_memory(1 << 12));
        let mut writer = RingWriter::new(Arc::clone(&ring));
        let mut reader = RingReader::new(ring);
        let pushing = std::thread::spawn(move || {
            for n in 0..RECORDS_EACH {
                let bytes: Vec<u8> = n.to_le_bytes().into_iter().cycle().take(8 + n as usize % 90).collect();
                while !writer.push(&mut record(&bytes)) {
                    std::thread::yield_now();
                }
            }
        });
        let mut payload = Vec::new();
        let mut n = 0u64;
        while n < RECORDS_EACH {
            if !reader.next(&mut payload) {
                std::thread::yield_now();
                continue;
            }
            let expected: Vec<u8> = n.to_le_bytes().into_iter().cycle().take(8 + n as usize % 90).collect();
            assert_eq!(payload, expected);
            n += 1;
            if n.is_multiple_of(7) {
                reader.acknowledge(reader.position());
            }
            if reader.is_empty() {
                reader.acknowledge(reader.position());
            }
        }
        pushing.join().expect("pushed");
        assert_eq!(reader.damaged, 0);
    }

    proptest! {
        /// Whatever bytes a ring file holds behind its header: no panic, no endless loop, no record that was not there.
        #[test]
        fn no_bytes_panic(
            garbage in proptest::collection::vec(any::<u8>(), 0..400),
            at in 0usize..400,
            written: u64,
            acknowledged: u64,
            journaled: u64,
        ) {
            let words = Words::zeroed(RECORDS + 50);
            let ring = Ring { words, capacity: 400, id: 1, made_at: Timestamp(0), file: None };
            let (chunks, _) = garbage.as_chunks::<8>();
            store(&ring.records()[(at / 8).min(49)..], chunks);
            ring.written().store(written, Ordering::Relaxed);
            ring.acknowledged().store(acknowledged, Ordering::Relaxed);
            let mut reader = RingReader::of_left(ring, journaled);
            let mut payload = Vec::new();
            let mut count = 0;
            while reader.next(&mut payload) {
                count += 1;
                prop_assert!(count <= 50);
            }
        }
    }
}
