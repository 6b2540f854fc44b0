//! The languages that followers are addressed in, and how a browser asks for one.
//!
//! Never guesses from an address: only what the browser says counts.

/// A language that every follower's page exists in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    English,
    German,
    Spanish,
    French,
    Arabic,
}

/// Most language ranges that are looked at; browsers send fewer than ten.
const RANGES_MAX: usize = 20;

/// Quality of a range that names none, in thousandths (RFC 9110, 12.4.2).
const QUALITY_MAX: u16 = 1_000;

impl Language {
    pub const ALL: [Self; 5] = [Self::English, Self::German, Self::Spanish, Self::French, Self::Arabic];

    /// The tag for `lang` (BCP 47).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Spanish => "es",
            Self::French => "fr",
            Self::Arabic => "ar",
        }
    }

    /// The value for `dir`.
    pub const fn direction(self) -> &'static str {
        match self {
            Self::Arabic => "rtl",
            _ => "ltr",
        }
    }

    /// The language that an `Accept-Language` header (RFC 9110, 12.5.4) prefers: highest quality first, then the
    /// first named; regions are ignored. English where nothing fits; ranges that cannot be read are passed over.
    pub fn of_accept_language(header: &str) -> Self {
        let mut best = None;
        let mut any = None;
        let mut is_english_named = false;
        for range in header.split(',').take(RANGES_MAX) {
            let (range, parameters) = range.split_once(';').unwrap_or((range, ""));
            let Some(quality) = quality(parameters) else { continue };
            match Self::of_range(range.trim()) {
                Range::One(language) => {
                    is_english_named |= language == Self::English;
                    raise(&mut best, language, quality);
                }
                // "Any other" is the one that most pages are proof-read in.
                Range::Any => any = any.or(Some(quality)),
                Range::Unknown => {}
            }
        }
        if let (Some(quality), false) = (any, is_english_named) {
            raise(&mut best, Self::English, quality);
        }
        best.map_or(Self::English, |(language, _)| language)
    }

    fn of_range(range: &str) -> Range {
        if range == "*" {
            return Range::Any;
        }
        let primary = range.split(['-', '_']).next().unwrap_or_default();
        let named = |language: &Self| primary.eq_ignore_ascii_case(language.tag());
        Self::ALL.into_iter().find(named).map_or(Range::Unknown, Range::One)
    }
}

/// What a language range asks for.
enum Range {
    One(Language),
    Any,
    Unknown,
}

/// Takes `language` if it is wanted at all and more than `best`.
fn raise(best: &mut Option<(Language, u16)>, language: Language, quality: u16) {
    if quality > best.map_or(0, |(_, quality)| quality) {
        *best = Some((language, quality));
    }
}

/// The quality in `q=0.8`, in thousandths; `None` when it cannot be read.
fn quality(parameters: &str) -> Option<u16> {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return Some(QUALITY_MAX);
    }
    let value = parameters
        .strip_prefix("q=")
        .or_else(|| parameters.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths = fraction
        .bytes()
        .zip([100, 10, 1])
        .fold(0, |sum, (digit, weight)| sum + u16::from(digit - b'0') * weight);
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(QUALITY_MAX),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_browser_gets_what_it_prefers() {
        for (header, expected) in [
            ("", Language::English),
            ("de", Language::German),
            ("de-CH", Language::German),
            ("DE-ch", Language::German),
            ("es_MX", Language::Spanish),
            ("ar-EG,ar;q=0.9,en;q=0.8", Language::Arabic),
            ("nl-NL,nl;q=0.9,fr;q=0.7,en;q=0.8", Language::English),
            ("nl, fr;q=0.7 , en;q=0.699", Language::French),
            ("en;q=0.5,de;q=0.5", Language::English),
            ("de;q=0.5,en;q=0.5", Language::German),
            ("fr;q=0", Language::English),
            ("en;q=0,fr;q=0.1", Language::French),
            ("en;q=0, *;q=0.5", Language::English),
            ("*", Language::English),
            ("fr;q=0.2,*;q=0.9", Language::English),
            ("fr,*;q=0.1", Language::French),
            ("fr;q=1.0, de;q=1.001", Language::French),
            ("fr;q=2, de;q=0.1", Language::German),
            ("fr;q=, de;q=0.1", Language::German),
            ("fr;q=0.1234, de;q=.9, es;q=0.01", Language::Spanish),
            ("fr ; q=0.4, de; Q=0.3", Language::French),
            ("den, frr, arz, english", Language::English),
            ("zh-Hant-TW,zh;q=0.9", Language::English),
            (";;,,;q=1,=", Language::English),
        ] {
            assert_eq!(Language::of_accept_language(header), expected, "{header}");
        }
    }

    #[test]
    fn a_long_header_is_not_read_to_its_end() {
        let header = format!("{}de", "xx,".repeat(RANGES_MAX));
        assert_eq!(Language::of_accept_language(&header), Language::English);
    }

    proptest! {
        #[test]
        fn no_header_does_harm(header in "\\PC{0,200}") {
            Language::of_accept_language(&header);
        }

        #[test]
        fn the_higher_quality_wins(one in 1u16..1000, other in 1u16..1000) {
            prop_assume!(one != other);
            let header = format!("de-AT;q=0.{one:03},fr-CA;q=0.{other:03}");
            let expected = if one > other { Language::German } else { Language::French };
            prop_assert_eq!(Language::of_accept_language(&header), expected);
        }
    }
}
