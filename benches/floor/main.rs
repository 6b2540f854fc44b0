//! The floor that redirects are measured against: one thread, bare epoll, the same answer to everybody. No look-up, no
//! cookie of one's own, no record of anything: what is left is the kernel, and over TLS the handshake.
//!
//! `floor clear ADDR [--defer]` and `floor tls ADDR CERT KEY [--defer]` serve; `floor idle ADDR NUMBER PATH` opens that many
//! keep-alive connections, asks once on each, says `ready` and holds them until its standard input ends. Started by
//! `benches/peers/run`, with nothing else to measure here: without words it only says so.

mod answer;
mod idle;
mod serve;
mod tls;

use std::env;
use std::net::SocketAddr;

use serve::Clear;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_deferred = words.contains(&"--defer");
    words.retain(|word| *word != "--defer");
    match words.as_slice() {
        ["clear", address] => serve::run(parse(address), is_deferred, || Clear),
        ["tls", address, cert, key] => {
            let config = tls::config(cert, key);
            serve::run(parse(address), is_deferred, || tls::Session::new(&config));
        }
        ["idle", address, number, path] => idle::hold(parse(address), number.parse().expect("a number"), path),
        _ => println!("nothing to measure alone: benches/peers/run starts it as a peer"),
    }
}

fn parse(address: &str) -> SocketAddr {
    address.parse().expect("an address and a port")
}
