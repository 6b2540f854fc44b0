//! A price as the reader's language writes it.
//!
//! Exact to the minor unit: nothing is rounded, converted or added up. Digits are Western in every language.

use std::fmt::Write;

use maud::Render;

use super::language::Language;
use crate::domain::money::{self, Currency};

/// An amount, to be put into a page.
#[derive(Debug, Clone, Copy)]
pub struct Price {
    /// Minor units of `currency`.
    pub minor: i64,
    pub currency: Currency,
    pub language: Language,
}

/// How a language writes numbers.
struct Style {
    group: &'static str,
    point: char,
    /// The smallest whole number that is grouped at all.
    grouped_from: u64,
    is_symbol_first: bool,
}

const fn style(language: Language) -> Style {
    match language {
        Language::English => Style {
            group: ",",
            point: '.',
            grouped_from: 1_000,
            is_symbol_first: true,
        },
        Language::German => Style {
            group: ".",
            point: ',',
            grouped_from: 1_000,
            is_symbol_first: false,
        },
        // Spanish leaves four digits together.
        Language::Spanish => Style {
            group: ".",
            point: ',',
            grouped_from: 10_000,
            is_symbol_first: false,
        },
        Language::French => Style {
            group: "\u{a0}",
            point: ',',
            grouped_from: 1_000,
            is_symbol_first: false,
        },
        Language::Arabic => Style {
            group: ",",
            point: '.',
            grouped_from: 1_000,
            is_symbol_first: false,
        },
    }
}

/// The sign of the currencies whose sign can be mistaken for no other's; the rest are told by their ISO code.
fn symbol(currency: Currency) -> Option<&'static str> {
    match currency {
        Currency::EUR => Some("€"),
        Currency::USD => Some("$"),
        Currency::GBP => Some("£"),
        Currency::JPY => Some("¥"),
        _ => None,
    }
}

impl Render for Price {
    /// Digits, signs and letters of a code: nothing that needs escaping.
    fn render_to(&self, out: &mut String) {
        let style = style(self.language);
        if self.minor < 0 {
            out.push('−');
        }
        if style.is_symbol_first {
            match symbol(self.currency) {
                Some(symbol) => out.push_str(symbol),
                None => {
                    out.push_str(self.currency.code());
                    out.push('\u{a0}');
                }
            }
        }
        self.push_number(&style, out);
        if !style.is_symbol_first {
            out.push('\u{a0}');
            out.push_str(symbol(self.currency).unwrap_or(self.currency.code()));
        }
    }
}

impl Price {
    fn push_number(self, style: &Style, out: &mut String) {
        let digits = money::digits(self.currency);
        let unit = 10u64.pow(digits);
        let amount = self.minor.unsigned_abs();
        let group = if amount / unit < style.grouped_from {
            ""
        } else {
            style.group
        };
        push_groups(amount / unit, group, out);
        if digits > 0 {
            out.push(style.point);
            let (fraction, width) = (amount % unit, digits as usize);
            // Writing to a string cannot fail.
            let _ = write!(out, "{fraction:0width$}");
        }
    }
}

/// `number` in groups of three digits.
fn push_groups(number: u64, separator: &str, out: &mut String) {
    let _ = if number < 1_000 {
        write!(out, "{number}")
    } else {
        push_groups(number / 1_000, separator, out);
        write!(out, "{separator}{:03}", number % 1_000)
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(minor: i64, currency: Currency, language: Language) -> String {
        let price = Price {
            minor,
            currency,
            language,
        };
        price.render().into_string()
    }

    #[test]
    fn every_language_writes_prices_its_own_way() {
        use Currency::{CHF, EUR, JPY, KWD, USD};
        use Language::{Arabic, English, French, German, Spanish};
        for (minor, currency, language, expected) in [
            (2_490, EUR, English, "€24.90"),
            (2_490, EUR, German, "24,90\u{a0}€"),
            (2_490, EUR, Spanish, "24,90\u{a0}€"),
            (2_490, EUR, French, "24,90\u{a0}€"),
            (2_490, EUR, Arabic, "24.90\u{a0}€"),
            (123_456, USD, English, "$1,234.56"),
            (123_456, USD, German, "1.234,56\u{a0}$"),
            (123_456, USD, Spanish, "1234,56\u{a0}$"),
            (1_234_567, USD, Spanish, "12.345,67\u{a0}$"),
            (123_456, USD, French, "1\u{a0}234,56\u{a0}$"),
            (5, CHF, English, "CHF\u{a0}0.05"),
            (5, CHF, German, "0,05\u{a0}CHF"),
            (1_000_007, JPY, English, "¥1,000,007"),
            (1_500, KWD, Arabic, "1.500\u{a0}KWD"),
            (0, EUR, English, "€0.00"),
            (-305, EUR, German, "−3,05\u{a0}€"),
            (i64::MIN, JPY, English, "−¥9,223,372,036,854,775,808"),
        ] {
            assert_eq!(
                written(minor, currency, language),
                expected,
                "{minor} {currency:?} {language:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_digit_is_lost(minor in 0i64..) {
            for language in Language::ALL {
                for currency in [Currency::EUR, Currency::JPY, Currency::KWD] {
                    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
                    let actual = digits(&written(minor, currency, language));
                    prop_assert_eq!(actual, digits(&money::decimal(minor, currency)));
                }
            }
        }
    }
}
