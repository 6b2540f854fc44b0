//! The atomics of what is lock-free in this room: the standard library's. tests/interleaved.rs puts loom's in
//! their place.

pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
