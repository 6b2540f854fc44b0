//! Followers who come at a fixed rate, whatever is answered, over connections that stay open.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::times::Times;
use super::wire::{BROWSER, Connection};

/// Connections, each with a thread: one late answer holds up a sixteenth of the followers, who then count as waiting.
const LANES: u64 = 16;
/// Click ids that orders show; more orders than that share them.
const CLICK_IDS: usize = 2_000;

pub struct Followers {
    address: SocketAddr,
    slugs: Vec<String>,
    rate: u64,
}

/// Follows links, and tells the click ids that were given.
pub fn click_ids(address: SocketAddr, slugs: &[String]) -> Vec<String> {
    let mut connection = Connection::open(address).expect("the server accepts");
    let mut follow = |number: usize| {
        let target = format!("/{}", slugs[number % slugs.len()]);
        let from = forwarded(number as u64);
        let headers = [("user-agent", BROWSER), ("x-forwarded-for", from.as_str())];
        let answer = connection.ask("GET", &target, &headers, None).expect("an answer");
        answer.hop_id().expect("a click id")
    };
    (0..CLICK_IDS).map(&mut follow).collect()
}

/// The address of follower `number`: two come from the same one only after millions.
fn forwarded(number: u64) -> String {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    format!("11.{}.{}.{}", mixed >> 16, mixed >> 8 & 255, mixed & 255)
}

impl Followers {
    pub fn new(address: SocketAddr, slugs: Vec<String>, rate: u64) -> Self {
        Self { address, slugs, rate }
    }

    /// The times of everybody who came for that long.
    pub fn follow_for(&self, span: Duration) -> Times {
        let began = Instant::now();
        let mut times = Times::default();
        thread::scope(|scope| {
            let lanes: Vec<_> = (0..LANES)
                .map(|lane| scope.spawn(move || self.lane(lane, began, span)))
                .collect();
            lanes
                .into_iter()
                .for_each(|lane| times.join(lane.join().expect("a lane ends")));
        });
        times
    }

    fn lane(&self, lane: u64, began: Instant, span: Duration) -> Times {
        let mut stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket");
        let mut times = Times::default();
        let mut read = vec![0; 16 * 1024];
        for number in 0.. {
            // The lanes' followers come one after the other.
            let place = number * LANES + lane;
            let due = began + Duration::from_nanos(place * 1_000_000_000 / self.rate);
            if due >= began + span {
                break;
            }
            let slug = &self.slugs[(place % self.slugs.len() as u64) as usize];
            let request = format!(
                "GET /{slug} HTTP/1.1\r\nhost: hop.example\r\nuser-agent: {BROWSER}\r\nx-forwarded-for: {}\r\n\r\n",
                forwarded(place)
            );
            // Who is on time starts when the timer lets them; who is late has been waiting since they were due.
            let wait = due.saturating_duration_since(Instant::now());
            let started = if wait.is_zero() {
                due
            } else {
                thread::sleep(wait);
                Instant::now()
            };
            stream.write_all(request.as_bytes()).expect("the server reads");
            read_redirect(&mut stream, &mut read);
            times.add(started.elapsed());
        }
        times
    }
}

/// Reads one redirect, which has no body.
fn read_redirect(stream: &mut TcpStream, read: &mut [u8]) {
    let mut length = 0;
    while !read[..length].ends_with(b"\r\n\r\n") {
        let more = stream.read(&mut read[length..]).expect("an answer");
        assert!(more > 0, "the server hung up");
        length += more;
    }
    let text = || String::from_utf8_lossy(&read[..length]).into_owned();
    assert!(read.starts_with(b"HTTP/1.1 302 "), "{}", text());
}
