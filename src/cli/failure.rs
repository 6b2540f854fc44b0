//! How a command fails, and what the shell is told of it.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::app::StartError;
use crate::config::ConfigError;

/// Why a command did not do what it was asked for. Each is told in one line.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was asked or configured wrongly: nothing was tried. Exit code 2.
    Usage(String),
    /// It was tried and refused, or something differs. Exit code 1.
    Failed(String),
    /// The server cannot be reached, or cannot start because something else is in the way. Exit code 69
    /// (`EX_UNAVAILABLE` of sysexits.h).
    Unavailable(String),
    /// Whoever read our output closed it (`hopcart link list | head -1`): nothing to say. Exit code 0.
    NobodyReads,
}

impl Failure {
    /// The number that the shell sees.
    pub fn code(&self) -> u8 {
        match self {
            Self::NobodyReads => 0,
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unavailable(_) => 69,
        }
    }

    /// Tells the failure on standard error and returns its exit code.
    pub fn report(self) -> ExitCode {
        if self != Self::NobodyReads {
            super::terminal::note(&format!("error: {self}"));
        }
        ExitCode::from(self.code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) | Self::Unavailable(text) => f.write_str(text),
            Self::NobodyReads => f.write_str("the reader closed the output"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(text) => Self::Usage(text),
            StartError::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::Failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_tell_whose_fault_it_is() {
        let taken = Failure::from(StartError::Unavailable("port taken".to_owned()));
        let config = Failure::from(StartError::Config("bad".to_owned()));
        let pipe = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!([taken.code(), config.code(), pipe.code()], [69, 2, 0]);
        assert_eq!(Failure::Failed("no".to_owned()).code(), 1);
    }
}
