//! Processor time of the servers: every thread of the processes named and of their children, to the nanosecond, user and
//! system (`/proc/PID/task/TID/schedstat`). Reads; never touches a process.
//!
//! It holds where req/s do not: when the generator is the slower side, or other programs take the processors too.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use crate::cli::failure::Failure;

/// Most processes of one target: a worker a core on a large machine, and their parent.
const PROCESSES_MAX: usize = 512;

/// The processes of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Processes(Vec<u32>);

/// What each thread has computed up to a moment, in ns, by process and thread.
#[derive(Debug, Default)]
pub struct Reading(HashMap<(u32, u32), u64>);

/// Processor time between two readings, in ns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    pub total_ns: u64,
    /// Of the threads whose name begins as asked for; the total where no thread's does.
    pub serving_ns: u64,
}

impl Processes {
    /// `roots`, and whatever they have started that runs.
    ///
    /// # Errors
    /// [`Failure::Usage`] when one of `roots` does not run, or the system does not tell.
    pub fn of(roots: &[u32]) -> Result<Self, Failure> {
        let children = children();
        let mut all: Vec<u32> = roots.to_vec();
        let mut at = 0;
        while let Some(process) = all.get(at).copied() {
            let more = children.get(&process).into_iter().flatten();
            let new: Vec<u32> = more.copied().filter(|child| !all.contains(child)).collect();
            all.extend(new);
            all.truncate(PROCESSES_MAX);
            at += 1;
        }
        let processes = Self(all);
        let reading = processes.read();
        for root in roots {
            if !reading.0.keys().any(|(process, _)| process == root) {
                return Err(Failure::Usage(format!(
                    "--server-pid: no process {root} runs here, or the system keeps no /proc/{root}/task/*/schedstat"
                )));
            }
        }
        Ok(processes)
    }

    /// What every thread has computed up to now.
    pub fn read(&self) -> Reading {
        let mut reading = Reading::default();
        for process in &self.0 {
            for thread in numbers_in(&format!("/proc/{process}/task")) {
                let line = fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat")).ok();
                let ran = line.as_deref().and_then(run_time);
                reading.0.extend(ran.map(|ran| ((*process, thread), ran)));
            }
        }
        reading
    }
}

impl Reading {
    /// What was computed since `before`. Threads that ended in between are not seen.
    pub fn since(&self, before: &Self, serving: Option<&str>) -> CpuTime {
        let name = |process: u32, thread: u32| {
            fs::read_to_string(format!("/proc/{process}/task/{thread}/comm")).unwrap_or_default()
        };
        self.split(before, |process, thread| {
            serving.is_some_and(|prefix| name(process, thread).starts_with(prefix))
        })
    }

    fn split(&self, before: &Self, is_serving: impl Fn(u32, u32) -> bool) -> CpuTime {
        let mut time = CpuTime::default();
        let mut is_split = false;
        for ((process, thread), ran) in &self.0 {
            let ran = ran.saturating_sub(before.0.get(&(*process, *thread)).copied().unwrap_or(0));
            time.total_ns += ran;
            if is_serving(*process, *thread) {
                is_split = true;
                time.serving_ns += ran;
            }
        }
        if !is_split {
            time.serving_ns = time.total_ns;
        }
        time
    }
}

/// The calling thread's own time so far, in ns; 0 where the system does not tell.
pub fn own_thread() -> u64 {
    let line = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    run_time(&line).unwrap_or(0)
}

/// The first of schedstat's three numbers (Documentation/scheduler/sched-stats.rst of the kernel).
fn run_time(line: &str) -> Option<u64> {
    line.split_whitespace().next()?.parse().ok()
}

/// Every process's children.
fn children() -> BTreeMap<u32, Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for process in numbers_in("/proc") {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        if let Some(parent) = parent_in(&stat) {
            children.entry(parent).or_default().push(process);
        }
    }
    children
}

/// The parent in a line of `/proc/PID/stat`; the name in parentheses may hold anything.
fn parent_in(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

fn numbers_in(directory: &str) -> Vec<u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_read() {
        assert_eq!(parent_in("12 (a) b) S 7 12 12 0"), Some(7));
        assert_eq!(parent_in("12 (a"), None);
        assert_eq!(run_time("4711 20 3\n"), Some(4711));
        assert_eq!(run_time(""), None);
    }

    #[test]
    fn serving_threads_are_told_apart() {
        let before = Reading(HashMap::from([((1, 1), 100), ((1, 2), 50)]));
        let after = Reading(HashMap::from([((1, 1), 160), ((1, 2), 90), ((1, 3), 5)]));
        let split = after.split(&before, |_, thread| thread == 2);
        assert_eq!(
            split,
            CpuTime {
                total_ns: 105,
                serving_ns: 40
            }
        );
        let whole = after.split(&before, |_, _| false);
        assert_eq!(
            whole,
            CpuTime {
                total_ns: 105,
                serving_ns: 105
            }
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_computes() {
        let own = Processes::of(&[std::process::id()]).expect("it runs");
        let before = own.read();
        let mut sum = 0u64;
        while own.read().since(&before, None).total_ns < 2_000_000 {
            sum = (0..10_000u64).fold(sum, |sum, number| sum ^ number.wrapping_mul(sum | 1));
        }
        assert!(own_thread() > 0, "{sum}");
        // Larger than any process number (the kernel's bound is 2^22).
        assert_eq!(Processes::of(&[1 << 30]).map_err(|failure| failure.code()), Err(2));
    }
}
