//! Origins of destinations (`https://shop.example`) by number: a brand's ten thousand links lead to a few hosts.
//!
//! A number is never given to another origin, and an origin stays when its last link goes; past the most, links keep
//! theirs in full. Reading writes nothing.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use foldhash::fast::RandomState;

/// Most origins that get a number. 65,536: some 6 MB, and no number needs more than three bytes.
const ORIGINS_MAX: u32 = 1 << 16;
/// Numbers a page.
const PAGE: u32 = 256;

type Page = Box<[OnceLock<Box<str>>]>;

/// See the file's head.
#[derive(Debug)]
pub(super) struct Origins {
    numbers: DashMap<Box<str>, u32, RandomState>,
    pages: Box<[OnceLock<Page>]>,
    /// From 1: 0 is no origin.
    next: AtomicU32,
}

impl Origins {
    /// No origin yet.
    pub fn new() -> Self {
        Self {
            numbers: DashMap::with_hasher(RandomState::default()),
            pages: (0..ORIGINS_MAX / PAGE).map(|_| OnceLock::new()).collect(),
            next: AtomicU32::new(1),
        }
    }

    /// The number of the origin of `url`, with what follows it; 0 and all of `url` where it has none.
    pub fn split<'a>(&self, url: &'a str) -> (u32, &'a str) {
        let (origin, rest) = url.split_at(length(url));
        match self.number(origin) {
            Some(number) => (number, rest),
            None => (0, url),
        }
    }

    /// The origin with `number`; empty for 0.
    pub fn get(&self, number: u32) -> &str {
        let page = self.pages.get((number / PAGE) as usize).and_then(OnceLock::get);
        let origin = page.and_then(|page| page[(number % PAGE) as usize].get());
        origin.map_or("", |origin| origin)
    }

    fn number(&self, origin: &str) -> Option<u32> {
        if origin.is_empty() {
            return None;
        }
        if let Some(number) = self.numbers.get(origin) {
            return Some(*number);
        }
        match self.numbers.entry(origin.into()) {
            Entry::Occupied(found) => Some(*found.get()),
            Entry::Vacant(vacant) => {
                let step = |next| (next < ORIGINS_MAX).then_some(next + 1);
                let number = self
                    .next
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
                    .ok()?;
                let page =
                    self.pages[(number / PAGE) as usize].get_or_init(|| (0..PAGE).map(|_| OnceLock::new()).collect());
                page[(number % PAGE) as usize].get_or_init(|| origin.into());
                vacant.insert(number);
                Some(number)
            }
        }
    }
}

/// Bytes of the origin that `url` begins with; 0 when it has no authority.
fn length(url: &str) -> usize {
    let Some(scheme) = url.find("://") else { return 0 };
    let host = scheme + 3;
    url[host..].find(['/', '?', '#']).map_or(url.len(), |end| host + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_split_behind_their_host() {
        let origins = Origins::new();
        for (url, expected) in [
            (
                "https://shop.example/a?b=https://x.example/",
                (1, "/a?b=https://x.example/"),
            ),
            ("https://shop.example:8443/", (2, "/")),
            ("http://shop.example/", (3, "/")),
            ("https://shop.example/b", (1, "/b")),
            ("myapp://open?id=1", (4, "?id=1")),
            ("https://shop.example", (1, "")),
            ("mailto:a@shop.example", (0, "mailto:a@shop.example")),
            ("", (0, "")),
        ] {
            assert_eq!(origins.split(url), expected, "{url}");
            assert_eq!(format!("{}{}", origins.get(expected.0), expected.1), url);
        }
        assert_eq!(origins.get(u32::MAX), "");
    }

    #[test]
    fn past_the_most_urls_stay_whole() {
        let origins = Origins::new();
        let url = |number: u32| format!("https://{number}.example/");
        for number in 1..ORIGINS_MAX {
            assert_eq!(origins.split(&url(number)), (number, "/"));
        }
        assert_eq!(origins.split(&url(ORIGINS_MAX)), (0, url(ORIGINS_MAX).as_str()));
        assert_eq!(origins.split(&url(7)), (7, "/"));
        assert_eq!(origins.get(ORIGINS_MAX - 1), "https://65535.example");
    }

    #[test]
    fn threads_agree_on_numbers() {
        let origins = Origins::new();
        let number = || {
            (0..500)
                .map(|host| origins.split(&format!("https://{host}.example/")).0)
                .collect::<Vec<_>>()
        };
        let all: Vec<Vec<u32>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(number)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect()
        });
        assert!(all.iter().all(|numbers| *numbers == all[0]));
        for (host, number) in all[0].iter().enumerate() {
            assert_eq!(origins.get(*number), format!("https://{host}.example"));
        }
    }
}
