//! A store's colour, and the text colour that can be read on it.
//!
//! Whole numbers only; a colour that is not exactly `#rrggbb` does not become one, so that no style text can be
//! smuggled in through it.

use std::fmt;

/// Luminance, in hundred-thousandths, above which black text stands out more than white.
/// WCAG 2.2 contrast 4.5 holds for black from 17,500 up and for white up to 18,333: the middle leaves room for rounding.
const BLACK_TEXT_FROM: u64 = 17_900;

/// The brightest value of a channel.
const FULL: u64 = 255;

/// A checked colour of a store, used as the ground of its buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent([u8; 3]);

impl Accent {
    /// Reads `#rrggbb`, digits in any letter case; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    /// Black or white, whichever stands out from this colour by 4.5 : 1 or more.
    pub fn text(self) -> &'static str {
        if self.luminance() > BLACK_TEXT_FROM {
            "#000"
        } else {
            "#fff"
        }
    }

    /// Relative luminance as WCAG 2.2 defines it, in hundred-thousandths, within 300 of the exact value.
    fn luminance(self) -> u64 {
        let [red, green, blue] = self.0.map(linear);
        (2_126 * red + 7_152 * green + 722 * blue) / 10_000
    }
}

impl fmt::Display for Accent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(out, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// Light of an sRGB channel in hundred-thousandths: a cubic fitted to the standard's curve, because powers with
/// fractions need floats.
fn linear(channel: u8) -> u64 {
    let channel = u64::from(channel);
    let cubic = 324 * channel + 656 * FULL;
    (cubic * channel + 20 * FULL * FULL) * channel * 100 / (FULL * FULL * FULL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::contrast::{contrast, luminance};
    use proptest::prelude::*;

    fn text_contrast(colour: [u8; 3]) -> f64 {
        let text = match Accent(colour).text() {
            "#000" => [0; 3],
            _ => [255; 3],
        };
        contrast(text, colour)
    }

    #[test]
    fn only_six_digits_are_a_colour() {
        for (text, expected) in [
            ("#0a6b4b", Some("#0a6b4b")),
            ("#FFAA00", Some("#ffaa00")),
            ("#000000", Some("#000000")),
            ("0a6b4b", None),
            ("#fff", None),
            ("#0a6b4b;", None),
            ("#+a6b4b", None),
            ("#0a6b4b}body{display:none", None),
            ("red", None),
            ("#ééé", None),
            ("", None),
        ] {
            let actual = Accent::parse(text).map(|accent| accent.to_string());
            assert_eq!(actual.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn familiar_colours_get_the_text_that_people_expect() {
        for (colour, expected) in [
            ("#000000", "#fff"),
            ("#0a6b4b", "#fff"),
            ("#d6336c", "#fff"),
            ("#1769ff", "#fff"),
            ("#ffd400", "#000"),
            ("#7fe6bd", "#000"),
            ("#ffffff", "#000"),
        ] {
            assert_eq!(Accent::parse(colour).map(Accent::text), Some(expected), "{colour}");
        }
    }

    #[test]
    fn text_stands_out_on_a_grid_of_all_colours() {
        for colour in (0..=0xff_ffff_u32).step_by(97) {
            let [_, red, green, blue] = colour.to_be_bytes();
            let actual = text_contrast([red, green, blue]);
            assert!(actual >= 4.5, "#{colour:06x} has {actual:.3}");
        }
    }

    proptest! {
        #[test]
        fn text_stands_out_on_any_colour(colour: [u8; 3]) {
            prop_assert!(text_contrast(colour) >= 4.5);
        }

        #[test]
        fn luminance_is_close_to_the_standard(colour: [u8; 3]) {
            let exact = luminance(colour) * 100_000.0;
            prop_assert!((Accent(colour).luminance() as f64 - exact).abs() <= 300.0);
        }
    }
}
