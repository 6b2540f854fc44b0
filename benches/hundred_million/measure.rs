//! What the system knows of this process: its processor time and the most memory that it held.

use std::collections::BTreeMap;
use std::fs;

/// A tick of the times in `/proc`: on Linux a hundredth of a second, whatever the kernel counts with.
const TICK_US: u64 = 10_000;

/// Processor time of the whole process, ended threads too, user and system, in µs.
pub fn process_us() -> u64 {
    times("/proc/self/stat")
}

/// Processor time of the thread that asks, in µs.
pub fn thread_us() -> u64 {
    times("/proc/thread-self/stat")
}

/// Processor time of the threads that live now, in ns, by name.
pub fn threads_ns() -> BTreeMap<String, u64> {
    let mut times = BTreeMap::new();
    for thread in fs::read_dir("/proc/self/task").expect("Linux tells it").flatten() {
        let read = |name| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
        let ns = read("schedstat")
            .split(' ')
            .next()
            .and_then(|text| text.parse::<u64>().ok());
        *times.entry(read("comm").trim().to_owned()).or_default() += ns.unwrap_or(0);
    }
    times
}

fn times(path: &str) -> u64 {
    let stat = fs::read_to_string(path).expect("Linux tells it");
    // The name in parentheses may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| {
        fields
            .get(place)
            .and_then(|text| text.parse::<u64>().ok())
            .expect("a number")
    };
    (ticks(11) + ticks(12)) * TICK_US
}

/// Lets the peak begin again at what is held now. (Not everywhere permitted: then the peak is that of all.)
pub fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").ok();
}

/// The most memory that was resident since the process began or the peak was reset, in MiB.
pub fn peak_mib() -> u64 {
    kib("VmHWM:") / 1024
}

/// The memory that is resident now, in MiB.
pub fn resident_mib() -> u64 {
    kib("VmRSS:") / 1024
}

fn kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.expect("a number")
}

/// Empties the page cache, where that is permitted; whether it was.
pub fn forget_cache() -> bool {
    fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}
