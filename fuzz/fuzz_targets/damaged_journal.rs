//! Arbitrary damage done to a journal of known clicks; see `clicklog::fuzzing`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static DIR: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));

fuzz_target!(|bytes: &[u8]| hopcart::clicklog::fuzzing::damaged_journal(&DIR.path().join("journal"), bytes));
