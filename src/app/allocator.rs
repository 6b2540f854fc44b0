//! What everybody allocates through, and how long it keeps what was freed. In tests it counts, so that one of them can say
//! that a plain follow allocates nothing, from the bytes of its request to the bytes of its answer.

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set, mi_option_t};

/// The click log's writer takes a quarter less of the processor than with glibc's; redirects take the same.
#[cfg(not(test))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long freed memory stays for the next who asks, in ms, before it goes back to the system. A checkpoint, each few
/// seconds, needs what the one before it freed; with the allocator's own second it gets pages that the system clears first.
/// That was a sixth and a twelfth of its work in two runs, and nothing that could be told in later ones.
const KEPT_MS: c_long = 60_000;
/// `mi_option_purge_delay` (mimalloc.h), which the crate does not name.
const PURGE_DELAY: mi_option_t = 15;

/// Has the allocator keep freed memory for a minute. For servers: who ends soon need not care.
#[expect(
    unsafe_code,
    reason = "one call into the allocator, whose crate has no safe way to its options"
)]
pub fn keep_freed_memory() {
    // SAFETY: stores a number into a static of the allocator, which reads it as any thread may; out of range numbers of
    // options are ignored.
    unsafe { mi_option_set(PURGE_DELAY, KEPT_MS) };
}

#[cfg(test)]
mod tests {
    use std::alloc::{GlobalAlloc, Layout};
    use std::cell::Cell;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use arc_swap::ArcSwap;
    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::body::Incoming;
    use hyper::{Request, Response};
    use mimalloc::MiMalloc;

    use super::*;
    use crate::domain::consent::ConsentMode;
    use crate::domain::id::{CreatorNo, DomainNo, LinkNo, WorkspaceNo};
    use crate::domain::keyring::{Keyring, Secret};
    use crate::domain::link::{Link, LinkTerms};
    use crate::domain::link_domain::LinkDomain;
    use crate::domain::outside::{FixedClock, NoPlaces};
    use crate::domain::time::Timestamp;
    use crate::net::{AnswerLines, AtOnce, Handler, Head, Peer, Rehearsal};
    use crate::redirect::{Counters, Keys, Lane, LaneReader, Options, Shared, Table, Throttle, Worker};
    use crate::web::public::answer_at_once;

    thread_local! {
        static ASKED: Cell<u64> = const { Cell::new(0) };
    }

    /// The allocator of the program, counted by thread.
    struct Counting;

    #[expect(
        unsafe_code,
        reason = "an allocator is an unsafe trait; each call is passed on as it came"
    )]
    // SAFETY: every method passes its arguments on to `MiMalloc`, whose contract is the same, and returns what it returned. The
    // count is a thread-local `Cell` without a destructor: reaching it allocates nothing and cannot unwind.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            ASKED.with(|asked| asked.set(asked.get() + 1));
            // SAFETY: the caller's promise about `layout` is the one that is asked for.
            unsafe { MiMalloc.alloc(layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            ASKED.with(|asked| asked.set(asked.get() + 1));
            // SAFETY: the caller's promises are those that are asked for; `pointer` came from `MiMalloc`.
            unsafe { MiMalloc.realloc(pointer, layout, size) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: the caller's promises are those that are asked for; `pointer` came from `MiMalloc`.
            unsafe { MiMalloc.dealloc(pointer, layout) }
        }
    }

    #[global_allocator]
    static COUNTING: Counting = Counting;

    /// Answers from memory what needs not wait; the rest is not asked for here.
    struct AtOnceOnly(Worker);

    impl Handler for AtOnceOnly {
        async fn handle(&self, _: Peer, _: Request<Incoming>) -> Response<Full<Bytes>> {
            Response::default()
        }

        fn answer_at_once(&self, peer: Peer, head: &Head<'_>, answer: &mut AnswerLines<'_>) -> AtOnce {
            answer_at_once(&self.0, peer, head, answer)
        }
    }

    #[test]
    #[expect(unsafe_code, reason = "asks the allocator for a number of its own")]
    fn freed_memory_is_kept_longer_than_the_allocator_would() {
        // SAFETY: reads a number.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        // Another number here is another option: look it up in mimalloc.h.
        assert_eq!(delay(), 1_000, "the allocator's own");
        keep_freed_memory();
        assert_eq!(delay(), KEPT_MS);
    }

    #[test]
    fn a_plain_follow_allocates_nothing() {
        let (mut edge, _reader) = edge();
        let first = "utm_source=instagram&utm_medium=social&fbclid=PAZXh0bgNhZW0CMTEAAadq";
        for (query, line, allocates) in [
            (first, "Cookie: _ga=GA1.1.8305172640.1763714999", false),
            ("", "Accept: */*", false),
            ("utm_source=instagram", "Sec-GPC: 1", false),
            ("utm_source=instagram", "Cookie: hop_v=", false),
            ("utm_source=insta+gram", "Accept: */*", true),
            ("utm_source=%C3%BC", "Accept: */*", true),
        ] {
            // Who followed before has his cookie.
            let cookie = cookie_of(edge.answer(&request("mia0001", "", "Accept: */*")).0);
            let line = line.replace("hop_v=", &cookie);
            let requests: Vec<_> = (1..=9)
                .map(|no| request(&format!("mia000{no}"), query, &line))
                .collect();
            // What is kept for the next one was made by those before: buffers, remembered links and user agents.
            follow(&mut edge, &requests);
            let asked = follow(&mut edge, &requests);
            assert_eq!(asked > 0, allocates, "{query}, {line}: {asked}");
        }
    }

    /// How often the allocator was asked for something while all of `requests` were redirected.
    fn follow(edge: &mut Rehearsal<AtOnceOnly>, requests: &[Vec<u8>]) -> u64 {
        let before = ASKED.get();
        for request in requests {
            let (answer, used) = edge.answer(request);
            assert!(answer.starts_with(b"HTTP/1.1 302 Found\r\nlocation: https://shop.example/"));
            assert_eq!(used, request.len());
        }
        ASKED.get() - before
    }

    fn request(slug: &str, query: &str, line: &str) -> Vec<u8> {
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{query}")
        };
        format!(
            "GET /{slug}{query} HTTP/1.1\r\nHost: go.brand.example\r\nUser-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_1_1 like Mac \
             OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 356.0.0.130.950\r\nAccept-Language: \
             de-DE,de;q=0.9\r\nReferer: https://l.instagram.com/\r\n{line}\r\n\r\n"
        )
        .into_bytes()
    }

    /// `hop_v=…` of an answer.
    fn cookie_of(answer: &[u8]) -> String {
        let text = std::str::from_utf8(answer).expect("text");
        let (_, rest) = text.split_once("set-cookie: ").expect("a cookie");
        rest.split(';').next().expect("its value").to_owned()
    }

    /// A worker that knows nine links.
    fn edge() -> (Rehearsal<AtOnceOnly>, LaneReader) {
        let (table, writer) = Table::new(&domain());
        for no in 1..=9 {
            writer.put(&link(no), None);
        }
        writer.set_loaded();
        let ring = |key| {
            let secret = Secret {
                version: 1,
                key: [key; 32],
            };
            Keyring::new(vec![secret]).expect("a key")
        };
        let keys = Keys {
            click_id: ring(1),
            cookie: ring(2),
            salt: [3; 32],
        };
        let shared = Arc::new(Shared {
            table,
            keys: Arc::new(ArcSwap::from_pointee(keys)),
            options: Options {
                node: 0,
                cookie_max_age_seconds: 365 * 24 * 60 * 60,
                is_durable: false,
            },
            places: Arc::new(NoPlaces),
            clock: Arc::new(FixedClock::at(Timestamp(1_790_000_000_000))),
            throttle: Throttle::new(u32::MAX, [4; 32]),
            sequence: AtomicU64::new(1),
        });
        // Room for every click: nobody reads them.
        let (lane, reader) = Lane::new(1 << 20);
        let worker = Worker::new(shared, lane, Arc::new(Counters::default()), [5; 32]);
        let client = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
        (Rehearsal::new(AtOnceOnly(worker), client), reader)
    }

    fn link(no: u32) -> Link {
        Link {
            no: LinkNo(no),
            id: format!("link_{no}"),
            workspace: WorkspaceNo(12),
            domain: DomainNo::DEFAULT,
            slug: format!("mia000{no}"),
            is_exact: true,
            terms: LinkTerms {
                destination: format!("https://shop.example/products/{no}?variant=440170&utm_content=story"),
                creator: Some(CreatorNo(1)),
                ..LinkTerms::default()
            },
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    fn domain() -> LinkDomain {
        LinkDomain {
            no: DomainNo::DEFAULT,
            id: "dom_default".to_owned(),
            workspace: None,
            slug: String::new(),
            is_primary: false,
            is_archived: false,
            is_case_sensitive: false,
            consent: ConsentMode::Gpc,
            has_legal_basis: true,
            cookie_domain: None,
            store: None,
            not_found_url: None,
            expired_url: None,
            redir_hosts: Vec::new(),
            proof: String::new(),
            verified_at: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }
}
