//! Knows on which line of a source a byte stands, and stops a reader that takes too much for one row. The csv package
//! counts the line ends that it has read, which are one short after a carriage return and too many after blank lines.

use std::collections::VecDeque;
use std::io::{self, Read};

/// A source whose line ends are counted while it is read.
pub struct Lines<R> {
    source: R,
    /// Bytes that were read.
    offset: u64,
    /// Offset beyond which nothing is read.
    end: u64,
    /// Where the line ends stand that are read but not yet passed: as many as the reader buffers.
    ahead: VecDeque<u64>,
    passed: u64,
}

impl<R: Read> Lines<R> {
    pub fn of(source: R) -> Self {
        Self {
            source,
            offset: 0,
            end: u64::MAX,
            ahead: VecDeque::new(),
            passed: 0,
        }
    }

    /// From here on, reading beyond `end` is an error of kind [`io::ErrorKind::FileTooLarge`].
    pub fn stop_at(&mut self, end: u64) {
        self.end = end;
    }

    /// The line, from 1, of the byte at `offset`. Offsets may not go back.
    pub fn line_at(&mut self, offset: u64) -> u64 {
        while self.ahead.front().is_some_and(|end| *end < offset) {
            self.ahead.pop_front();
            self.passed += 1;
        }
        self.passed + 1
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.offset > self.end {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let length = self.source.read(buffer)?;
        for (byte, offset) in buffer[..length].iter().zip(self.offset..) {
            if *byte == b'\n' {
                self.ahead.push_back(offset);
            }
        }
        self.offset += length as u64;
        Ok(length)
    }
}
