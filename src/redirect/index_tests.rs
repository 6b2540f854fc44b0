//! The index alone: what it may forget and what it must not say. (Not at its foot, for loom compiles that file too.)

use super::atomic::Ordering;
use super::index::*;
use proptest::prelude::*;
use std::collections::HashMap;

const EXACT_BIT: u64 = 1 << 48;

fn trace(number: u64) -> Trace {
    Trace::new(number, EXACT_BIT)
}

/// What an odd number must be multiplied with to become 1, of 64 bits: each step doubles the bits that are right.
fn inverse(odd: u64) -> u64 {
    let step = |it: u64, _| it.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(it)));
    (0..6).fold(odd, step)
}

proptest! {
    #[test]
    fn a_trace_tells_its_key(number in any::<u64>()) {
        let Trace(mixed) = trace(number);
        prop_assert!(mixed <= KEY_MASK);
        let back = |mixed: u64, odd: u64| (mixed ^ mixed >> 32).wrapping_mul(inverse(odd)) & KEY_MASK;
        let plain = back(back(mixed, 0xbf58_476d_1ce4_e5b9), 0x9e37_79b9_7f4a_7c15);
        let low = EXACT_BIT - 1;
        prop_assert_eq!((plain & !low) << 1 | plain & low, number & !EXACT_BIT);
        prop_assert_eq!(trace(number ^ EXACT_BIT), trace(number));
    }

    #[test]
    fn word_link_and_bucket_say_every_bit(number in any::<u64>(), larger in 0..=10u32) {
        let it = trace(number);
        let bucket = it.bucket(BUCKETS_LOG_MIN + larger) as u64 >> larger;
        let said = bucket << (KEY_BITS - BUCKETS_LOG_MIN) | u64::from(it.check()) << 32 | it.tag() >> 32;
        prop_assert_eq!(said, it.0);
    }

    /// Keys of a domain, in an index so small that buckets overflow.
    #[test]
    fn what_is_found_is_what_was_said_last(steps in proptest::collection::vec((0..60u64, any::<bool>(), 0..4u32), 1..400)) {
        let index = Index::with_buckets(2);
        let mut said: HashMap<(u64, bool), u32> = HashMap::new();
        for (version, (number, is_exact, kind)) in steps.into_iter().enumerate() {
            let place = version as u32;
            if kind == 0 {
                index.clear(trace(number), is_exact);
                said.remove(&(number, is_exact));
            } else {
                let was_in = index.find(trace(number), Some(is_exact)).is_some();
                let is_in = index.set(trace(number), is_exact, place);
                prop_assert!(is_in || !was_in, "what has a word keeps it");
                said.insert((number, is_exact), place);
            }
            let mut held = 0;
            for number in 0..60 {
                for is_exact in [false, true] {
                    let found = index.find(trace(number), Some(is_exact));
                    held += usize::from(found.is_some());
                    prop_assert!(found.is_none() || found == said.get(&(number, is_exact)).copied());
                }
                let of_any_case = index.find(trace(number), None);
                let either = [false, true].map(|is_exact| index.find(trace(number), Some(is_exact)));
                prop_assert!(either.contains(&of_any_case));
            }
            prop_assert_eq!(held, index.held.load(Ordering::Relaxed));
        }
    }
}

#[test]
fn links_that_were_given_room_have_it() {
    for (links, megabytes) in [
        (0, 2),
        (150_000, 2),
        (1_000_000, 16),
        (10_000_000, 128),
        (usize::MAX, 2_048),
    ] {
        assert_eq!((BUCKET * 8) << buckets_log_for(links), megabytes << 20, "{links}");
    }
    let index = Index::new(150_000);
    let fits = (0..150_000u32).filter(|no| index.set(trace(u64::from(*no)), true, *no));
    let fits = fits.count();
    assert!(fits > 145_000, "{fits} have a word");
    assert!(index.grown().is_none());
}

#[test]
fn a_full_index_grows() {
    let index = Index::with_buckets(6);
    let words = BUCKET << 6;
    let mut number = 0;
    while index.grown().is_none() {
        assert!(index.held.load(Ordering::Relaxed) <= words * 3 / 4);
        index.set(trace(number), true, 1);
        number += 1;
    }
    let lost = number as usize - index.held.load(Ordering::Relaxed);
    assert!(lost < words / 10, "{lost} of {number} found no room");
    assert_eq!(index.grown().map(|grown| grown.words.len()), Some(2 * words));
}
