//! Memory of rings and of packed links: 64-bit words, either in a file that outlives the process or in the process alone.
//!
//! The one file with `unsafe` in it: a mapped file is looked at as atomic numbers. Never hands out a plain reference
//! into a mapping.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::atomic::AtomicU64;

use memmap2::{MmapOptions, MmapRaw};

/// A fixed number of words.
#[derive(Debug)]
pub(super) enum Words {
    /// Gone with the process.
    Memory(Box<[AtomicU64]>),
    /// Of a file: whatever is stored is in the page cache at once, and a kill takes nothing of it away. Or of no file: then
    /// it is gone with the process.
    Mapped(MmapRaw),
}

impl Words {
    /// `count` words, all 0, of the process alone.
    pub(super) fn zeroed(count: usize) -> Self {
        Self::Memory((0..count).map(|_| AtomicU64::new(0)).collect())
    }

    /// `count` words, all 0, of the process alone, that take memory once they are written. Many of them are put on huge
    /// pages where the system does that: a look-up among millions then misses one address translation less.
    pub(super) fn untouched(count: usize) -> Self {
        /// Below two huge pages there is nothing to win.
        const HUGE_MIN: usize = 4 << 20;
        let bytes = count * 8;
        let Ok(map) = MmapOptions::new().len(bytes).map_anon() else {
            return Self::zeroed(count);
        };
        #[cfg(target_os = "linux")]
        if bytes >= HUGE_MIN {
            // Without it everything works, a little slower.
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Self::Mapped(map.into())
    }

    /// The words that `bytes` hold; bytes after the last whole word are left out.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        Self::Memory(
            words
                .iter()
                .map(|word| AtomicU64::new(u64::from_ne_bytes(*word)))
                .collect(),
        )
    }

    /// The first `bytes` bytes of `file`, which must have them, for as long as this lives.
    pub(super) fn map(file: &File, bytes: usize) -> io::Result<Self> {
        if file.metadata()?.len() < bytes as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        MmapOptions::new().len(bytes).map_raw(file).map(Self::Mapped)
    }
}

impl Deref for Words {
    type Target = [AtomicU64];

    #[expect(unsafe_code, reason = "a mapping is reached by a pointer; the proof is below")]
    fn deref(&self) -> &[AtomicU64] {
        match self {
            Self::Memory(words) => words,
            // SAFETY: what `slice::from_raw_parts` asks for holds, one by one.
            // *Valid and aligned*: `MmapRaw` maps `len()` bytes, readable and writable, from `as_mut_ptr()` on; a
            // mapping begins at a page, and a page at a multiple of 8. `len() / 8` words do not reach past its end, and
            // no mapping is longer than `isize::MAX`.
            // *Initialised*: the kernel gives every byte a value, and every value of 8 bytes is an `AtomicU64`, which
            // has the size and, on the 64-bit targets that this program is built for, the alignment of a `u64`.
            // *Lifetime*: the slice borrows `self`, and only dropping `self` unmaps.
            // *Aliasing*: the slice is shared and its elements may change behind it, for they are atomics; nobody else
            // in the process has a pointer into this mapping, and whatever another process writes is one more write to
            // an atomic: it can be a wrong value, which checksums notice, but no data race of ours.
            // *Files that get shorter* (where there is one) end the process by SIGBUS, which is no undefined behaviour; ring files are
            // written to their full length before they are mapped, locked, and never made shorter.
            Self::Mapped(map) => unsafe {
                std::slice::from_raw_parts(map.as_mut_ptr().cast::<AtomicU64>(), map.len() / 8)
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn what_is_stored_is_in_the_file_without_a_sync() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&[0; 64]).expect("written");
        assert!(Words::map(file.as_file(), 72).is_err(), "shorter than asked for");
        let words = Words::map(file.as_file(), 64).expect("mapped");
        assert_eq!(words.len(), 8);
        words[7].store(u64::from_le_bytes(*b"hopclick").to_le(), Relaxed);
        let read = std::fs::read(file.path()).expect("read");
        assert_eq!(&read[56..], b"hopclick");
        let copy = Words::of_bytes(&read[..61]);
        assert_eq!((copy.len(), copy[0].load(Relaxed)), (7, 0));
        words[0].store(9, Relaxed);
        drop(words);
        assert_eq!(std::fs::read(file.path()).expect("read")[..8], 9u64.to_ne_bytes());
    }
}
