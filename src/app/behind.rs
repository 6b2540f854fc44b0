//! Redirects come first: threads of everything else get the processor when followers leave it to them.
//!
//! Needs no right: a thread may always lower its own priority, and those that it starts inherit it.

use std::panic::resume_unwind;
use std::thread;

/// Steps below the threads that serve followers. Ten steps are a tenth of the share where both want the processor: an
/// order still gets its millisecond within some ten, and a follower never waits for one that is being written.
const STEPS: i32 = 10;

/// Puts the calling thread behind. Where the system refuses, everything works as before, only less evenly.
pub fn stand() {
    if let Err(error) = rustix::process::nice(STEPS) {
        tracing::warn!(%error, "background threads compete with redirects: their priority cannot be lowered");
    }
}

/// What `work` answers; the threads that it starts stand behind for as long as they live.
pub fn start<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = thread::scope(|scope| {
        let started = scope.spawn(|| {
            stand();
            work()
        });
        started.join()
    });
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> i32 {
        rustix::process::getpriority_process(None).expect("a priority")
    }

    #[test]
    fn threads_that_are_started_behind_stay_behind() {
        let before = own();
        let inherited = start(|| thread::spawn(own));
        let told = inherited.join().expect("it ends");
        assert_eq!(told, (before + STEPS).min(19));
        assert_eq!(own(), before, "who starts them does not");
    }
}
