//! Whether a follower may be recognised: signals in, one verdict out.
//!
//! Decides nothing about counting: an opted-out click still counts (it is just nobody's).

use serde::{Deserialize, Serialize};

/// How a domain asks for consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum ConsentMode {
    /// Signals opt out: `Sec-GPC: 1`, `DNT: 1`, `gdpr=1` without a consent string.
    #[default]
    Gpc,
    /// As `gpc`, and strict for addresses in the EEA, the UK, Switzerland or an unknown country.
    Eea,
    /// Opted out unless a consent string came with the request.
    Strict,
    /// Signals are not read.
    Off,
}

/// What a request says about consent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signals {
    /// `Sec-GPC: 1` (Global Privacy Control).
    pub gpc: bool,
    /// `DNT: 1`.
    pub dnt: bool,
    /// `gdpr=1` in the query (IAB TCF).
    pub gdpr_applies: bool,
    /// A `gdpr_consent` string that is not empty.
    pub has_consent_string: bool,
    /// Country of the address, when known.
    pub country: Option<[u8; 2]>,
}

impl ConsentMode {
    /// Whether the follower is opted out of being recognised.
    pub fn is_opted_out(self, signals: &Signals) -> bool {
        let by_signal = signals.gpc || signals.dnt || (signals.gdpr_applies && !signals.has_consent_string);
        match self {
            Self::Off => false,
            Self::Gpc => by_signal,
            Self::Eea => by_signal || (!signals.has_consent_string && signals.country.is_none_or(is_strict_country)),
            Self::Strict => by_signal || !signals.has_consent_string,
        }
    }
}

/// EEA members, the United Kingdom and Switzerland.
fn is_strict_country(country: [u8; 2]) -> bool {
    const STRICT: [&[u8; 2]; 32] = [
        b"AT", b"BE", b"BG", b"CH", b"CY", b"CZ", b"DE", b"DK", b"EE", b"ES", b"FI", b"FR", b"GB", b"GR", b"HR", b"HU",
        b"IE", b"IS", b"IT", b"LI", b"LT", b"LU", b"LV", b"MT", b"NL", b"NO", b"PL", b"PT", b"RO", b"SE", b"SI", b"SK",
    ];
    STRICT.contains(&&country)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_reads_its_signals() {
        let none = Signals::default();
        let gpc = Signals { gpc: true, ..none };
        let gdpr = Signals {
            gdpr_applies: true,
            ..none
        };
        let agreed = Signals {
            gdpr_applies: true,
            has_consent_string: true,
            ..none
        };
        let german = Signals {
            country: Some(*b"DE"),
            ..none
        };
        let american = Signals {
            country: Some(*b"US"),
            ..none
        };
        for (mode, signals, opted_out) in [
            (ConsentMode::Gpc, none, false),
            (ConsentMode::Gpc, gpc, true),
            (ConsentMode::Gpc, Signals { dnt: true, ..none }, true),
            (ConsentMode::Gpc, gdpr, true),
            (ConsentMode::Gpc, agreed, false),
            (ConsentMode::Gpc, german, false),
            (ConsentMode::Eea, none, true),
            (ConsentMode::Eea, german, true),
            (ConsentMode::Eea, american, false),
            (ConsentMode::Eea, Signals { gpc: true, ..american }, true),
            (
                ConsentMode::Eea,
                Signals {
                    has_consent_string: true,
                    ..german
                },
                false,
            ),
            (ConsentMode::Strict, american, true),
            (ConsentMode::Strict, agreed, false),
            (ConsentMode::Off, gpc, false),
        ] {
            assert_eq!(mode.is_opted_out(&signals), opted_out, "{mode:?} {signals:?}");
        }
    }
}
