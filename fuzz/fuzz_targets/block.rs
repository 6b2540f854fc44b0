//! Arbitrary bytes as a click block; see `clicklog::fuzzing`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| hopcart::clicklog::fuzzing::block(bytes));
