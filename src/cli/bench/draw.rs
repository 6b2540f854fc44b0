//! Which link is asked for next: always the same, evenly drawn, or by Zipf's law, as links that people share are.
//!
//! The same seed draws the same links again.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::cli::failure::Failure;

/// Most slugs of a file: ten million take 150 MB here.
const SLUGS_MAX: usize = 10_000_000;
/// Longest slug, in bytes: the server's own bound of 190 characters, percent-encoded.
const SLUG_MAX: usize = 2_280;
/// Draws of a skewed order that are made ahead, so that drawing costs a look while it is measured. They come again after
/// about a million requests.
const DRAWN: usize = 1 << 20;

/// The slugs of a file, one behind the other.
#[derive(Debug, PartialEq, Eq)]
pub struct Slugs {
    text: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Slugs {
    /// Reads one slug a line; empty lines are passed over.
    ///
    /// # Errors
    /// [`Failure::Usage`] names the line that cannot stand in a path.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let unreadable = |error: std::io::Error| Failure::Usage(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(unreadable)?;
        let of_line = |(line, why): (usize, &str)| Failure::Usage(format!("{}, line {line}: {why}", path.display()));
        Self::of(BufReader::new(file)).map_err(unreadable)?.map_err(of_line)
    }

    fn of(mut lines: impl BufRead) -> std::io::Result<Result<Self, (usize, &'static str)>> {
        let mut slugs = Self {
            text: Vec::new(),
            ends: Vec::new(),
        };
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let more = (&mut lines).take(SLUG_MAX as u64 + 2).read_until(b'\n', &mut line)?;
            if more == 0 {
                break;
            }
            let slug = line.trim_ascii();
            let slug = slug.strip_prefix(b"/").unwrap_or(slug);
            if slug.is_empty() {
                continue;
            }
            if let Some(why) = problem(slug) {
                return Ok(Err((number, why)));
            }
            if slugs.ends.len() == SLUGS_MAX {
                return Ok(Err((number, "more than 10 million slugs: take fewer")));
            }
            slugs.text.extend_from_slice(slug);
            slugs.ends.push(slugs.text.len());
        }
        if slugs.ends.is_empty() {
            return Ok(Err((1, "there is no slug: write one a line")));
        }
        Ok(Ok(slugs))
    }

    /// How many there are; never 0.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// The slug at `place`, from 0.
    pub fn get(&self, place: usize) -> &[u8] {
        let from = place
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied()
            .unwrap_or(0);
        let to = self.ends.get(place).copied().unwrap_or(from);
        self.text.get(from..to).unwrap_or_default()
    }
}

fn problem(slug: &[u8]) -> Option<&'static str> {
    if slug.len() > SLUG_MAX {
        return Some("longer than any slug");
    }
    let is_path = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'?' | b'"' | b'<' | b'>' | b'\\');
    let is_good = slug.iter().all(is_path);
    (!is_good).then_some("a slug stands in a path: percent-encode what is not ASCII, blanks, ? and #")
}

/// In which order slugs are asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Every slug as likely as every other: the worst case for caches.
    Uniform,
    /// The first slug of the file most often, the n-th with a weight of 1/n to the power of this exponent.
    Zipf(f64),
}

/// An order, made ready for as many slugs as there are.
#[derive(Debug)]
pub enum Drawing {
    Uniform(u64),
    Drawn(Vec<u32>),
}

impl Drawing {
    /// `order` over `count` slugs.
    pub fn new(order: &Order, count: usize, seed: u64) -> Self {
        match order {
            Order::Uniform => Self::Uniform(count as u64),
            Order::Zipf(exponent) => Self::Drawn(zipf(count, *exponent, &mut Chance::new(seed))),
        }
    }

    /// The next place, of one of several `Dice` that do not draw the same.
    pub fn next(&self, dice: &mut Dice) -> usize {
        let place = match self {
            Self::Uniform(count) => dice.chance.below(*count),
            Self::Drawn(drawn) => {
                dice.at = (dice.at + 1) % drawn.len().max(1);
                u64::from(drawn.get(dice.at).copied().unwrap_or(0))
            }
        };
        usize::try_from(place).unwrap_or(0)
    }
}

/// Where one thread is in drawing.
#[derive(Debug)]
pub struct Dice {
    chance: Chance,
    at: usize,
}

impl Dice {
    /// Dice of the thread `number`.
    pub fn new(seed: u64, number: usize) -> Self {
        let mut chance = Chance::new(seed ^ (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let at = usize::try_from(chance.below(DRAWN as u64)).unwrap_or(0);
        Self { chance, at }
    }
}

fn zipf(count: usize, exponent: f64, chance: &mut Chance) -> Vec<u32> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=count)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect();
    let draw = |_| {
        let mark = chance.part() * sum;
        let place = sums.partition_point(|below| *below <= mark).min(count - 1);
        u32::try_from(place).unwrap_or(u32::MAX)
    };
    (0..DRAWN).map(draw).collect()
}

/// Numbers by splitmix64: even enough for load, never for secrets.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `bound` without it; uneven by less than 2^-40 for any file of slugs.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// 0 to 1 without it.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slugs(text: &str) -> Result<Slugs, (usize, &'static str)> {
        Slugs::of(text.as_bytes()).expect("memory reads")
    }

    #[test]
    fn files_have_a_slug_a_line() {
        let slugs_read = slugs("abc\n\n/def\r\n%C3%A4").expect("good");
        let read: Vec<&[u8]> = (0..slugs_read.count()).map(|place| slugs_read.get(place)).collect();
        assert_eq!(read, [&b"abc"[..], b"def", b"%C3%A4"]);
        let long = format!("a\n{}\n", "x".repeat(SLUG_MAX + 1));
        for (text, line) in [
            ("", 1),
            ("\n\n", 1),
            ("a\nb c\n", 2),
            ("a\nä\n", 2),
            ("x?y", 1),
            (&long, 2),
        ] {
            assert_eq!(slugs(text).map_err(|(line, _)| line), Err(line), "{text:.20}");
        }
    }

    #[test]
    fn uniform_reaches_every_slug_evenly() {
        let drawing = Drawing::new(&Order::Uniform, 10, 1);
        let mut dice = Dice::new(1, 0);
        let mut seen = [0u32; 10];
        (0..10_000).for_each(|_| seen[drawing.next(&mut dice)] += 1);
        assert!(seen.iter().all(|count| (850..1_150).contains(count)), "{seen:?}");
    }

    #[test]
    fn zipf_follows_its_law() {
        let drawing = Drawing::new(&Order::Zipf(1.0), 1_000, 1);
        let mut dice = Dice::new(1, 3);
        let mut seen = vec![0f64; 1_000];
        (0..200_000).for_each(|_| seen[drawing.next(&mut dice)] += 1.0);
        // 1 / H(1000) = 13.36 % go to the first, half of that to the second, a tenth to the tenth.
        for (place, part) in [(0, 0.1336), (1, 0.0668), (9, 0.01336)] {
            let found = seen[place] / 200_000.0;
            assert!((found / part - 1.0).abs() < 0.1, "{place}: {found}");
        }
    }

    #[test]
    fn dice_differ_by_thread_and_repeat_by_seed() {
        let drawing = Drawing::new(&Order::Uniform, 1 << 30, 7);
        let draw = |seed, number| {
            let mut dice = Dice::new(seed, number);
            [0; 4].map(|_| drawing.next(&mut dice))
        };
        assert_eq!(draw(7, 0), draw(7, 0));
        assert_ne!(draw(7, 0), draw(7, 1));
        assert_ne!(draw(7, 0), draw(8, 0));
    }
}
