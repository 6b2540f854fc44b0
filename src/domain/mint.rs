//! Patterns from which the slugs and codes of a campaign's links are made, one a creator: `{username}-{campaign}`.
//!
//! Pure: which of the names made are taken is for the caller to say, who asks for the next one then.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest pattern, in characters.
pub const PATTERN_MAX: usize = 190;
/// Names that are tried for one creator before minting gives up: 1,000 creators of one name still get one each.
pub const TRIES_MAX: u32 = 1_001;

/// What placeholders stand for, each as it comes out of [`word`]. In capitals, a placeholder gives capitals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    pub username: String,
    pub campaign: String,
    pub platform: String,
    pub niche: String,
    pub content: String,
    /// The code that was made before; as it is.
    pub code: String,
}

/// Why a pattern cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternError {
    /// Longer than [`PATTERN_MAX`].
    TooLong,
    /// A brace that is never closed, or never opened.
    Brace,
    /// No such placeholder.
    Unknown(String),
}

impl PatternError {
    /// What is wrong and what to do.
    pub fn message(&self) -> String {
        match self {
            Self::TooLong => format!("must have at most {PATTERN_MAX} characters"),
            Self::Brace => "has a brace without its other half".to_owned(),
            Self::Unknown(name) => format!(
                "has an unknown placeholder {{{name}}}: use username, campaign, platform, niche, content or code, in \
                 capitals for capitals"
            ),
        }
    }
}

impl Words {
    fn of(&self, name: &str) -> Option<&str> {
        Some(match name {
            "username" => &self.username,
            "campaign" => &self.campaign,
            "platform" => &self.platform,
            "niche" => &self.niche,
            "content" => &self.content,
            "code" => &self.code,
            _ => return None,
        })
    }
}

/// `pattern` with every placeholder replaced; `escape` is applied to what replaces it.
///
/// # Errors
/// [`PatternError`].
pub fn fill(pattern: &str, words: &Words, escape: impl Fn(&str) -> String) -> Result<String, PatternError> {
    if pattern.chars().count() > PATTERN_MAX {
        return Err(PatternError::TooLong);
    }
    fill_text(pattern, words, escape)
}

/// As [`fill`], for texts that have a bound of their own.
///
/// # Errors
/// [`PatternError`].
pub fn fill_text(pattern: &str, words: &Words, escape: impl Fn(&str) -> String) -> Result<String, PatternError> {
    let mut filled = String::new();
    let mut rest = pattern;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(open);
        filled.push_str(before);
        let inside = from.strip_prefix('{').ok_or(PatternError::Brace)?;
        let (name, after) = inside.split_once('}').ok_or(PatternError::Brace)?;
        let small = name.to_ascii_lowercase();
        let is_known_case = name == small || name == name.to_ascii_uppercase();
        let word = words.of(&small).filter(|_| is_known_case);
        let word = word.ok_or_else(|| PatternError::Unknown(name.chars().take(40).collect()))?;
        // A code is told as it is made.
        let is_loud = name != small && small != "code";
        filled.push_str(&escape(&if is_loud { word.to_uppercase() } else { word.to_owned() }));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// A name as a word of a slug or code: small letters without accents, digits and underscores, with single hyphens
/// between what is left. Empty when nothing is.
pub fn word(name: &str) -> String {
    let mut word = String::new();
    for c in name
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
    {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else if !word.is_empty() && !word.ends_with('-') {
            word.push('-');
        }
    }
    word.nfc().collect::<String>().trim_end_matches('-').to_owned()
}

/// The name to try when `before` earlier ones were taken: `base`, then `base-2`, `base-3`, …, of at most `max`
/// characters.
pub fn numbered(base: &str, before: u32, max: usize) -> String {
    if before == 0 {
        return base.chars().take(max).collect();
    }
    let suffix = format!("-{}", before.saturating_add(1));
    let head: String = base.chars().take(max.saturating_sub(suffix.len())).collect();
    head + &suffix
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words() -> Words {
        Words {
            username: "mia_grows".to_owned(),
            campaign: "spring-sale".to_owned(),
            code: "Mia10".to_owned(),
            ..Words::default()
        }
    }

    #[test]
    fn patterns_are_filled() {
        for (pattern, expected) in [
            ("{username}-{campaign}", Ok("mia_grows-spring-sale")),
            ("{USERNAME}10", Ok("MIA_GROWS10")),
            ("go/{username}/{platform}", Ok("go/mia_grows/")),
            ("?discount={code}&c={CODE}", Ok("?discount=Mia10&c=Mia10")),
            ("plain", Ok("plain")),
            ("{user}", Err(PatternError::Unknown("user".to_owned()))),
            ("{Username}", Err(PatternError::Unknown("Username".to_owned()))),
            ("{username", Err(PatternError::Brace)),
            ("username}", Err(PatternError::Brace)),
            ("{a{username}}", Err(PatternError::Unknown("a{username".to_owned()))),
        ] {
            let filled = fill(pattern, &words(), str::to_owned);
            assert_eq!(filled, expected.map(str::to_owned), "{pattern}");
        }
        let long = "x".repeat(PATTERN_MAX + 1);
        assert_eq!(fill(&long, &words(), str::to_owned), Err(PatternError::TooLong));
        assert_eq!(
            fill("{username}!", &words(), |word| format!("<{word}>")),
            Ok("<mia_grows>!".to_owned())
        );
    }

    #[test]
    fn names_become_words() {
        for (name, expected) in [
            ("Mia Grün & Co.", "mia-grun-co"),
            ("@mia_grows", "mia_grows"),
            ("  --  ", ""),
            ("Ａｂｃ", "abc"),
            ("美咲", "美咲"),
        ] {
            assert_eq!(word(name), expected, "{name}");
        }
    }

    #[test]
    fn taken_names_are_numbered_and_stay_short() {
        assert_eq!(numbered("mia", 0, 5), "mia");
        assert_eq!(numbered("mia", 1, 5), "mia-2");
        assert_eq!(numbered("mia", 99, 5), "m-100");
        assert_eq!(numbered("miamia", 0, 5), "miami");
    }

    proptest! {
        #[test]
        fn words_are_words_of_themselves(name in "(?s).{0,30}") {
            let once = word(&name);
            prop_assert_eq!(word(&once), once.clone());
            prop_assert!(!once.contains("--") && !once.contains(' '));
        }

        #[test]
        fn names_of_one_base_differ(base in "[a-z]{1,20}", a in 0u32..2_000, b in 0u32..2_000, max in 8usize..30) {
            let (x, y) = (numbered(&base, a, max), numbered(&base, b, max));
            prop_assert!(x.chars().count() <= max);
            prop_assert_eq!(x == y, a == b);
        }
    }
}
