//! TLS on a socket that does not block, spoken within the pool's turns: no task and no reactor while a client does what
//! clients do. Its hello is there when it is accepted; its last word of the handshake and its request come together; then
//! ticket, answer and the alert that ends the session go out with one send. With whatever else a client does (HTTP/2, more
//! than is read at a turn, not taking what it is told) the session goes on as it stands, as a task.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use crate::net::tls::is_http2;
use crate::net::wire::{After, receive, send, send_end, send_held_back};

/// Reads of a secure connection at a turn before the others have theirs. 4: a handshake takes two, a full head one more.
const READS_AT_A_TURN: usize = 4;
/// Records up to so many bytes in all are put side by side and sent as one piece, which costs less than having the kernel
/// gather them. 4 KiB: a flight with a chain of two, or an answer.
const JOINED_BYTES: usize = 4 * 1024;

/// A TLS session on a socket.
pub(in crate::net) struct Secure {
    pub socket: TcpStream,
    pub session: ServerConnection,
    /// Whether there may be more to read than was read.
    has_more: bool,
}

impl Secure {
    /// A session on `socket`, whose client has the first word.
    ///
    /// # Errors
    /// When the settings fit no session.
    pub fn new(socket: TcpStream, config: &Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            socket,
            session: ServerConnection::new(Arc::clone(config))?,
            has_more: false,
        })
    }

    /// Whether there may be more to read, of which no event will tell.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// Whether nothing was heard because the pool is not enough for this client.
    pub fn is_for_a_task(&self) -> bool {
        self.has_more || self.is_http2() || self.session.wants_write()
    }

    fn is_http2(&self) -> bool {
        !self.session.is_handshaking() && is_http2(&self.session)
    }

    /// Reads in clear text what the client said, and goes on with the handshake; 0 when it has said that this was all.
    ///
    /// # Errors
    /// As `read` on a socket that does not block. Those of TLS are [`ErrorKind::InvalidData`]; the client was told.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for _ in 0..READS_AT_A_TURN {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            let mut source = Source {
                socket: &self.socket,
                is_drained: true,
            };
            self.has_more = false;
            let is_ended = self.session.read_tls(&mut source)? == 0;
            let is_drained = source.is_drained;
            let state = match self.session.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // The alert that tells the client why, if it goes out.
                    let _ = self.flush();
                    return Err(io::Error::new(ErrorKind::InvalidData, error));
                }
            };
            self.has_more = !is_drained || state.peer_has_closed();
            if self.is_http2() {
                return Err(ErrorKind::WouldBlock.into());
            }
            // With something to answer, what is to be said waits for the answer.
            if state.plaintext_bytes_to_read() == 0 {
                self.flush()?;
                if !self.has_more && !is_ended {
                    return Err(ErrorKind::WouldBlock.into());
                }
            }
        }
        self.has_more = true;
        Err(ErrorKind::WouldBlock.into())
    }

    /// As [`super::exchange::Say::say`].
    pub fn say(&mut self, bytes: &[u8], after: After) -> io::Result<usize> {
        let taken = self.session.writer().write(bytes)?;
        let is_last = after != After::More && taken == bytes.len();
        if is_last {
            self.session.send_close_notify();
        }
        self.send(is_last)?;
        if is_last && !self.session.wants_write() {
            // Never left to the close: behind its request a client may have sent the alert that ends its own side.
            send_end(&self.socket);
        }
        Ok(taken)
    }

    /// Sends the alert that ends the session. Whoever does not take it now is not waited for.
    pub fn say_goodbye(&mut self) {
        self.session.send_close_notify();
        let _ = self.flush();
    }

    /// Sends what the client takes now.
    fn flush(&mut self) -> io::Result<()> {
        self.send(false)
    }

    fn send(&mut self, is_last: bool) -> io::Result<()> {
        let mut sink = Sink {
            socket: &self.socket,
            is_last,
        };
        while self.session.wants_write() {
            match self.session.write_tls(&mut sink) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Reads once, and knows whether that was all.
struct Source<'s> {
    socket: &'s TcpStream,
    is_drained: bool,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = receive(self.socket, buffer)?;
        self.is_drained = length < buffer.len();
        Ok(length)
    }
}

/// Sends several pieces as one where they are short, and what is last with the end that follows.
struct Sink<'s> {
    socket: &'s TcpStream,
    is_last: bool,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.is_last {
            true => send_held_back(self.socket, bytes),
            false => send(self.socket, bytes, After::More),
        }
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if let [piece] = pieces {
            return self.write(piece);
        }
        let mut joined = [0; JOINED_BYTES];
        let mut length = 0;
        for piece in pieces {
            let Some(room) = joined.get_mut(length..length + piece.len()) else {
                return self.socket.write_vectored(pieces);
            };
            room.copy_from_slice(piece);
            length += piece.len();
        }
        self.write(&joined[..length])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Shutdown, TcpListener};
    use std::thread;
    use std::time::Duration;

    use rustls::version::{TLS12, TLS13};
    use rustls::{ClientConfig, DEFAULT_VERSIONS, HandshakeKind};

    use crate::net::testing::{
        Echo, TlsStream, begin_tls, client_config, edge_options, eventually, read_answer, read_to_close, shake_hands,
        write_pair,
    };
    use crate::net::{CertificatePair, Edge, EdgeOptions, Limits, TlsConfig};

    struct Stage {
        _folder: tempfile::TempDir,
        edge: Edge,
        pair: CertificatePair,
        client: Arc<ClientConfig>,
    }

    fn pair() -> (tempfile::TempDir, CertificatePair) {
        let folder = tempfile::tempdir().unwrap();
        let pair = write_pair(folder.path(), "a", &["a.test"]);
        (folder, pair)
    }

    fn stage(limits: Limits) -> Stage {
        let (folder, pair) = pair();
        let options = EdgeOptions {
            listen_tls: Some("127.0.0.1:0".parse().unwrap()),
            tls: Some(TlsConfig::load(std::slice::from_ref(&pair), true).unwrap()),
            limits,
            ..edge_options()
        };
        let edge = Edge::start(options, |_| Echo).unwrap();
        let client = client_config(DEFAULT_VERSIONS, &[&pair], &[]);
        Stage {
            _folder: folder,
            edge,
            pair,
            client,
        }
    }

    impl Stage {
        /// A client that has said nothing yet.
        fn begin(&self) -> TlsStream {
            begin_tls(self.edge.tls_address().unwrap(), "a.test", &self.client)
        }

        fn connect(&self) -> TlsStream {
            let mut client = self.begin();
            shake_hands(&mut client);
            client
        }

        fn failures(&self) -> u64 {
            self.edge.counters().totals().handshake_failures
        }

        fn ends_with_nobody(&self) {
            eventually("none open", || self.edge.counters().totals().open == 0);
        }
    }

    fn ask(client: &mut impl Write, path: &str, lines: &str) {
        write!(client, "GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n").unwrap();
    }

    /// Sends what the client's side has to say, in pieces of `length`.
    fn speak(client: &mut TlsStream, length: usize) {
        let mut words = Vec::new();
        while client.conn.wants_write() {
            client.conn.write_tls(&mut words).unwrap();
        }
        for piece in words.chunks(length) {
            client.sock.write_all(piece).unwrap();
        }
    }

    /// Shakes hands in pieces of `length`; what was written before goes with the last word.
    fn shake_hands_in_pieces(client: &mut TlsStream, length: usize) {
        loop {
            speak(client, length);
            if !client.conn.is_handshaking() {
                return;
            }
            client.conn.read_tls(&mut client.sock).unwrap();
            client.conn.process_new_packets().unwrap();
        }
    }

    /// All until the end of the session; without the alert that ends it this fails.
    fn read_to_alert(client: &mut TlsStream) -> String {
        let mut text = String::new();
        client.read_to_string(&mut text).expect("an end that was said");
        text
    }

    #[test]
    fn bytes_may_be_cut_anywhere() {
        let mut stage = stage(Limits::default());
        for version in [&TLS13, &TLS12] {
            stage.client = client_config(&[version], &[&stage.pair], &[b"http/1.1"]);
            for length in [1, 7, 300, usize::MAX] {
                let mut client = stage.begin();
                ask(&mut client.conn.writer(), "/first", "");
                shake_hands_in_pieces(&mut client, length);
                assert!(
                    read_answer(&mut client).ends_with("GET /first 127.0.0.1 tls "),
                    "{length}"
                );
                ask(&mut client.conn.writer(), "/last", "Connection: close\r\n");
                speak(&mut client, length);
                assert!(
                    read_to_alert(&mut client).ends_with("GET /last 127.0.0.1 tls "),
                    "{length}"
                );
            }
        }
        assert_eq!(stage.failures(), 0);
        stage.ends_with_nobody();
    }

    #[test]
    fn one_request_a_connection() {
        let mut stage = stage(Limits::default());
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let mut client = stage.begin();
            ask(&mut client.conn.writer(), "/x", "Connection: close\r\n");
            shake_hands_in_pieces(&mut client, usize::MAX);
            assert!(read_to_alert(&mut client).ends_with("GET /x 127.0.0.1 tls "));
            assert_eq!(client.conn.handshake_kind(), Some(kind), "a ticket came along");
        }
        stage.client = client_config(DEFAULT_VERSIONS, &[&stage.pair], &[]);
        // Several at once, so that some are heard before others are answered.
        let mut clients: Vec<_> = (0..40).map(|_| stage.begin()).collect();
        for client in &mut clients {
            ask(&mut client.conn.writer(), "/y", "Connection: close\r\n");
            speak(client, usize::MAX);
        }
        for client in &mut clients {
            shake_hands_in_pieces(client, usize::MAX);
        }
        for client in &mut clients {
            assert!(read_to_alert(client).ends_with("GET /y 127.0.0.1 tls "));
        }
        stage.ends_with_nobody();
        assert_eq!(stage.edge.counters().totals().accepted, 43);
    }

    #[test]
    fn who_does_not_rest_goes_on_alone() {
        let stage = stage(Limits::default());
        for round in 0..3 {
            let mut client = stage.connect();
            for _ in 0..round {
                ask(&mut client, "/rests", "");
                read_answer(&mut client);
            }
            match round {
                0 => ask(&mut client, "/x?long", ""),
                1 => {
                    client.write_all(b"GET /x?half HTTP/1.1\r\nHo").unwrap();
                    client.write_all(b"st: a\r\n\r\n").unwrap();
                }
                _ => {
                    ask(&mut client.conn.writer(), "/1", "");
                    ask(
                        &mut client.conn.writer(),
                        "/2",
                        &format!("X: {}\r\n", "x".repeat(9_000)),
                    );
                    ask(&mut client, "/x?3", "");
                    assert!(read_answer(&mut client).contains("GET /1 "));
                    assert!(read_answer(&mut client).contains("GET /2 "));
                }
            }
            assert!(read_answer(&mut client).contains("GET /x?"), "{round}");
            ask(&mut client, "/again", "Connection: close\r\n");
            assert!(read_to_alert(&mut client).contains("GET /again "), "{round}");
        }
        stage.ends_with_nobody();
    }

    #[test]
    fn a_client_may_say_that_it_ends() {
        let stage = stage(Limits::default());
        let mut client = stage.connect();
        ask(&mut client, "/x", "");
        read_answer(&mut client);
        client.conn.send_close_notify();
        speak(&mut client, usize::MAX);
        assert_eq!(read_to_alert(&mut client), "");
        // Together with its request, and with the end of the bytes.
        for shuts_down in [false, true] {
            let mut client = stage.connect();
            ask(&mut client.conn.writer(), "/last", "");
            client.conn.send_close_notify();
            speak(&mut client, usize::MAX);
            if shuts_down {
                client.sock.shutdown(Shutdown::Write).unwrap();
            }
            assert!(read_to_alert(&mut client).contains("GET /last "), "{shuts_down}");
        }
        // Without a word.
        drop(stage.connect());
        stage.ends_with_nobody();
        assert_eq!(stage.failures(), 0);
    }

    #[test]
    fn handshakes_that_do_not_end_are_counted() {
        let limits = Limits {
            handshake: Duration::from_millis(80),
            ..Limits::default()
        };
        let stage = stage(limits);
        let hello = |client: &mut TlsStream| {
            let mut words = Vec::new();
            client.conn.write_tls(&mut words).unwrap();
            words
        };
        // Who goes away, in his first word or behind it.
        for cut in [5, 100, usize::MAX] {
            let mut client = stage.begin();
            let words = hello(&mut client);
            client.sock.write_all(&words[..cut.min(words.len())]).unwrap();
            client.sock.shutdown(Shutdown::Write).unwrap();
            read_to_close(&mut client.sock);
        }
        eventually("three gone", || stage.failures() == 3);
        // Who says something else instead of his last word is told so.
        let mut client = stage.begin();
        speak(&mut client, usize::MAX);
        client.sock.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let told = read_to_close(&mut client.sock);
        assert!(!told.is_empty() && !told.contains("HTTP/1.1"));
        eventually("four", || stage.failures() == 4);
        // Who stays silent, in his first word or behind it.
        for cut in [5, usize::MAX] {
            let mut client = stage.begin();
            let words = hello(&mut client);
            client.sock.write_all(&words[..cut.min(words.len())]).unwrap();
            read_to_close(&mut client.sock);
        }
        eventually("six", || stage.failures() == 6);
        stage.ends_with_nobody();
        assert_eq!(stage.edge.counters().totals().timeouts, 0);
    }

    #[test]
    fn who_is_silent_after_the_handshake_is_let_go() {
        let short = Duration::from_millis(80);
        let silent = stage(Limits {
            first_byte: short,
            ..Limits::default()
        });
        let mut client = silent.connect();
        read_to_close(&mut client.sock);
        eventually("a timeout", || silent.edge.counters().totals().timeouts == 1);
        let idle = stage(Limits {
            idle: short,
            ..Limits::default()
        });
        let mut client = idle.connect();
        ask(&mut client, "/x", "");
        read_answer(&mut client);
        assert_eq!(read_to_alert(&mut client), "");
        let totals = idle.edge.counters().totals();
        assert_eq!((totals.timeouts, totals.handshake_failures), (0, 0));
    }

    #[test]
    fn a_panic_ends_its_own_connection_only() {
        let stage = stage(Limits::default());
        let mut other = stage.connect();
        let mut client = stage.begin();
        ask(&mut client.conn.writer(), "/panic", "");
        shake_hands_in_pieces(&mut client, usize::MAX);
        assert_eq!(read_to_close(&mut client), "");
        ask(&mut other, "/x", "");
        assert!(read_answer(&mut other).contains("GET /x "));
        assert_eq!(stage.edge.counters().totals().panics, 1);
        eventually("the other is left", || stage.edge.counters().totals().open == 1);
    }

    #[test]
    fn a_stop_waits_for_a_handshake() {
        let stage = stage(Limits::default());
        let mut client = stage.begin();
        ask(&mut client.conn.writer(), "/x", "");
        speak(&mut client, usize::MAX);
        client.conn.read_tls(&mut client.sock).unwrap();
        client.conn.process_new_packets().unwrap();
        let address = stage.edge.tls_address().unwrap();
        let stopping = thread::spawn(move || stage.edge.stop(Duration::from_secs(20)));
        eventually("nobody is let in", || TcpStream::connect(address).is_err());
        shake_hands_in_pieces(&mut client, usize::MAX);
        let answer = read_to_alert(&mut client);
        assert!(
            answer.contains("connection: close") && answer.contains("GET /x "),
            "{answer}"
        );
        stopping.join().unwrap();
    }

    /// Both sides of a connection, hands shaken.
    fn both_sides() -> (Secure, TlsStream) {
        let (_folder, pair) = pair();
        let config = TlsConfig::load(std::slice::from_ref(&pair), false).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = begin_tls(address, "a.test", &client_config(DEFAULT_VERSIONS, &[&pair], &[]));
        let (socket, _) = listener.accept().unwrap();
        let mut server = Secure::new(socket, config.acceptor().config()).unwrap();
        speak(&mut client, usize::MAX);
        // Blocking so far: each read has something to read.
        assert!(server.read(&mut [0; 9]).is_err() && server.session.is_handshaking());
        ask(&mut client.conn.writer(), "/", "");
        shake_hands_in_pieces(&mut client, usize::MAX);
        server.socket.set_nonblocking(true).unwrap();
        (server, client)
    }

    /// Waits for the client's request.
    fn hear(server: &mut Secure) {
        let mut buffer = [0; 64];
        let length = loop {
            match server.read(&mut buffer) {
                Ok(length) => break length,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        };
        assert!(buffer[..length].starts_with(b"GET / "));
    }

    #[test]
    fn last_words_reach_a_client_that_ended_its_side_meanwhile() {
        let (mut server, mut client) = both_sides();
        hear(&mut server);
        client.conn.send_close_notify();
        speak(&mut client, usize::MAX);
        server.socket.set_nonblocking(false).unwrap();
        server.socket.peek(&mut [0]).unwrap();
        server.say(b"last words", After::Close).unwrap();
        drop(server);
        assert_eq!(read_to_alert(&mut client), "last words");
    }

    #[test]
    fn what_is_not_taken_is_kept_and_told_of() {
        let (mut server, mut client) = both_sides();
        hear(&mut server);
        let (mut taken, text) = (0, [b'x'; 16 * 1024]);
        while !server.session.wants_write() {
            taken += server.say(&text, After::More).unwrap();
        }
        assert!(server.is_for_a_task());
        let reader = thread::spawn(move || {
            let mut read = 0;
            let mut buffer = [0; 16 * 1024];
            while read < taken {
                read += client.read(&mut buffer).unwrap();
            }
            read
        });
        while server.session.wants_write() {
            server.flush().unwrap();
        }
        assert_eq!(reader.join().unwrap(), taken);
    }
}
