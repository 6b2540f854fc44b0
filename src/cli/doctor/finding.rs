//! What a check found, and how it is shown.

use comfy_table::Table;

use crate::cli::terminal::table;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Works, but will not for long or not for everybody.
    Warn,
    /// Does not work.
    Fail,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do about it; empty when there is nothing to do.
    pub advice: String,
}

impl Finding {
    /// All is well.
    pub fn ok(what: &'static str, seen: impl Into<String>) -> Self {
        Self::new(what, Verdict::Ok, seen, "")
    }

    /// Something to look after.
    pub fn warn(what: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(what, Verdict::Warn, seen, advice)
    }

    /// Something to mend.
    pub fn fail(what: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(what, Verdict::Fail, seen, advice)
    }

    fn new(what: &'static str, verdict: Verdict, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what,
            verdict,
            seen: seen.into(),
            advice: advice.into(),
        }
    }
}

/// The findings as people read them.
pub fn table_of(findings: &[Finding]) -> Table {
    let mut rows = table(&["", "check", "seen", "what to do"]);
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        rows.add_row([word, finding.what, &finding.seen, &finding.advice]);
    }
    rows
}
