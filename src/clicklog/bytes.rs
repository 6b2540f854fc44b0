//! Variable-length numbers, and a cursor over bytes that may be anything.
//!
//! Numbers are LEB128: seven bits a byte, least significant first, the top bit says that more follow. Signed numbers
//! are zigzagged first (0, -1, 1, -2, …). Reading is total: bytes that mean nothing give [`Damaged`], never a panic.

/// Stored bytes that do not mean anything; says what was being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged(pub &'static str);

/// Appends `number`, 1 to 10 bytes.
#[inline]
pub(super) fn put_number(out: &mut Vec<u8>, number: u64) {
    // Most are short.
    if number < 0x80 {
        out.push(number as u8);
    } else if number < 0x4000 {
        out.extend_from_slice(&[number as u8 | 0x80, (number >> 7) as u8]);
    } else {
        put_long(out, number);
    }
}

fn put_long(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a signed number; small ones of either sign stay short.
pub(super) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, (number << 1 ^ number >> 63) as u64);
}

/// Appends a text: its length in bytes, then the bytes.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// What is left to read.
pub(super) struct Source<'a>(pub &'a [u8]);

impl<'a> Source<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.0.split_first().ok_or(Damaged("a byte is missing"))?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Damaged> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(Damaged("bytes are missing"))?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn number(&mut self) -> Result<u64, Damaged> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Damaged("a number does not fit 64 bits"));
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damaged("a number does not end"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, Damaged> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(super) fn small(&mut self) -> Result<u32, Damaged> {
        u32::try_from(self.number()?).map_err(|_| Damaged("a number does not fit 32 bits"))
    }

    /// A length or count of at most `max`.
    pub(super) fn count(&mut self, max: usize) -> Result<usize, Damaged> {
        usize::try_from(self.number()?)
            .ok()
            .filter(|count| *count <= max)
            .ok_or(Damaged("a count is too large"))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Damaged> {
        let length = self.count(self.0.len())?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Damaged("a text is not UTF-8"))
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), Damaged> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Damaged("bytes are left over"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_texts_round_trip(number: u64, signed: i64, text in ".{0,40}") {
            let mut out = Vec::new();
            put_number(&mut out, number);
            put_signed(&mut out, signed);
            put_text(&mut out, &text);
            let mut source = Source(&out);
            prop_assert_eq!(source.number(), Ok(number));
            prop_assert_eq!(source.signed(), Ok(signed));
            prop_assert_eq!(source.text(), Ok(text.as_str()));
            prop_assert_eq!(source.end(), Ok(()));
        }

        #[test]
        fn a_number_is_read_from_at_most_ten_bytes(bytes: Vec<u8>) {
            let mut source = Source(&bytes);
            if source.number().is_ok() {
                prop_assert!(bytes.len() - source.0.len() <= 10);
            }
        }
    }

    #[test]
    fn too_long_a_number_is_refused() {
        assert!(Source(&[0xff; 11]).number().is_err());
        assert!(
            Source(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2])
                .number()
                .is_err()
        );
    }
}
