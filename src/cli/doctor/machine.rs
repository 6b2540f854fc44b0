//! What this machine gives the server: open files and disk. Reads `/proc` and asks `df`; changes nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use url::{Host, Url};

use super::finding::Finding;

/// Fewer than this and a spike runs out of sockets before it runs out of machine.
const OPEN_FILES_MIN: u64 = 4_096;
/// Below this a busy day of clicks may fill the disk, in kilobytes.
const FREE_KB_LOW: u64 = 2 << 20;
/// Below this writes are about to fail, in kilobytes.
const FREE_KB_MIN: u64 = 200 << 10;

/// The limit of open files as this shell passes it on.
pub fn open_files() -> Finding {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    match soft_limit(&limits) {
        None => Finding::ok("open files", "the limit is not known here"),
        Some(limit) if limit >= OPEN_FILES_MIN => Finding::ok("open files", format!("{limit} from this shell")),
        Some(limit) => Finding::warn(
            "open files",
            format!("{limit} from this shell"),
            "start the server with more: ulimit -n 65536, or LimitNOFILE= in its unit",
        ),
    }
}

fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// The free space below `data`; nothing when the server runs elsewhere or the directory is not here.
pub fn disk(data: &Path, server: &str) -> Option<Finding> {
    if !is_local(server) || !data.is_dir() {
        return None;
    }
    let said = Command::new("df").args(["-Pk", "--"]).arg(data).output().ok()?;
    let free = free_kb(&String::from_utf8_lossy(&said.stdout))?;
    let seen = format!("{} MB free for {}", free / 1024, data.display());
    Some(if free < FREE_KB_MIN {
        Finding::fail(
            "space",
            seen,
            "make room now: clicks and orders are about to be refused",
        )
    } else if free < FREE_KB_LOW {
        Finding::warn("space", seen, "make room soon")
    } else {
        Finding::ok("space", seen)
    })
}

fn is_local(server: &str) -> bool {
    match Url::parse(server).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The fourth column of the second line: what POSIX calls available.
fn free_kb(df: &str) -> Option<u64> {
    df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
            Max open files            1024                 1048576              files\n";
        assert_eq!(soft_limit(limits), Some(1024));
        assert_eq!(soft_limit(""), None);
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 100 40 60 40% /\n";
        assert_eq!(free_kb(df), Some(60));
        assert_eq!(free_kb("df: no such file"), None);
    }

    #[test]
    fn only_this_machine_is_looked_at() {
        assert!(is_local("http://127.0.0.1:8081") && is_local("http://[::1]:8081") && is_local("http://localhost"));
        assert!(!is_local("https://admin.brand.example"));
        assert_eq!(disk(Path::new("/"), "https://admin.brand.example"), None);
        assert!(disk(Path::new("/"), "http://127.0.0.1:1").is_some());
    }
}
