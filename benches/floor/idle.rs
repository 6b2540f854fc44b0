//! Many connections that were asked once and then stay silent: what they cost a server is its memory.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

/// Connections from one address of this machine: servers bound them.
const FROM_ONE: usize = 1_000;

/// Opens `number` connections, asks for `path` on each, says `ready`, and holds them until standard input ends.
pub fn hold(server: SocketAddr, number: usize, path: &str) {
    let held: Vec<TcpStream> = (0..number).map(|place| ask(server, place, path)).collect();
    println!("ready");
    io::stdin().read_to_end(&mut Vec::new()).expect("an end");
    drop(held);
}

fn ask(server: SocketAddr, place: usize, path: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket: raise ulimit -n");
    let last = u8::try_from(2 + place / FROM_ONE).expect("at most a quarter of a million");
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    socket.bind(&from.into()).expect("an address of this machine");
    socket.connect(&server.into()).expect("the server accepts");
    let mut stream = TcpStream::from(socket);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nUser-Agent: idle\r\n\r\n"
    )
    .expect("sent");
    let mut buffer = [0; 4096];
    let mut read = 0;
    // A body that some servers send along stays where it is.
    while memchr::memmem::find(&buffer[..read], b"\r\n\r\n").is_none() {
        match stream.read(&mut buffer[read..]).expect("an answer") {
            0 => panic!("closed before the answer was whole"),
            more => read += more,
        }
    }
    assert!(
        buffer.starts_with(b"HTTP/1.1 302"),
        "{}",
        String::from_utf8_lossy(&buffer[..read])
    );
    stream
}
