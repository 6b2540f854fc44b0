//! Keeps commit and publish of one thing in the same order when it is changed twice at once.
//!
//! Never held by the request path; a lock covers a commit and the publish after it, nothing else.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// Things that share a lock wait for each other; this many make that rare.
const SHARDS: usize = 64;

/// Locks by name.
#[derive(Debug)]
pub(super) struct Locks {
    shards: [Mutex<()>; SHARDS],
    hasher: RandomState,
}

impl Locks {
    pub fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(())),
            hasher: RandomState::new(),
        }
    }

    /// The lock of the thing called `name`.
    pub async fn of(&self, name: &str) -> MutexGuard<'_, ()> {
        let shard = self.hasher.hash_one(name) as usize % SHARDS;
        self.shards[shard].lock().await
    }

    /// Every lock, for work on many things at once. Taken in one order, so that two such workers never wait for each
    /// other; whoever holds a lock of [`Self::of`] must not ask.
    pub async fn all(&self) -> Vec<MutexGuard<'_, ()>> {
        let mut guards = Vec::with_capacity(SHARDS);
        for shard in &self.shards {
            guards.push(shard.lock().await);
        }
        guards
    }
}
