//! Arbitrary bytes as a value of the click store; see `clicklog::fuzzing`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| hopcart::clicklog::fuzzing::value(bytes));
