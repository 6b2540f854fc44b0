//! The click log as files: logs of earlier formats open for ever, and damaged ones never answer a wrong number.

mod answers;
mod corruption;
mod format;
mod stream;
mod upkeep;
