//! One question to a server that answers over UDP, or over TCP with the length before each message, as name servers do.
//!
//! Knows no message: who asks says what belongs to the question. Waits no longer than it was told to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Longest answer that is read in one datagram, in bytes: what fits an Ethernet frame.
const DATAGRAM_MAX: usize = 1500;

/// What `read` makes of the first datagram for which it returns something; it passes over others.
///
/// # Errors
/// What the sockets say; [`io::ErrorKind::TimedOut`] after `patience`.
pub async fn ask_by_datagram<T>(
    server: SocketAddr,
    question: &[u8],
    patience: Duration,
    mut read: impl FnMut(&[u8]) -> Option<T>,
) -> io::Result<T> {
    let asked = async {
        let own: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((own, 0)).await?;
        // Connected: what others send is never seen.
        socket.connect(server).await?;
        socket.send(question).await?;
        let mut buffer = [0; DATAGRAM_MAX];
        loop {
            let length = socket.recv(&mut buffer).await?;
            if let Some(answer) = read(&buffer[..length]) {
                return Ok(answer);
            }
        }
    };
    within(patience, asked).await
}

/// The answer on a connection of its own, at most 64 KiB.
///
/// # Errors
/// What the sockets say; [`io::ErrorKind::TimedOut`] after `patience`; [`io::ErrorKind::InvalidInput`] for a question of
/// more than 65,535 bytes.
pub async fn ask_by_stream(server: SocketAddr, question: &[u8], patience: Duration) -> io::Result<Vec<u8>> {
    let asked = async {
        let length = u16::try_from(question.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut stream = TcpStream::connect(server).await?;
        stream
            .write_all(&[&length.to_be_bytes()[..], question].concat())
            .await?;
        let length = stream.read_u16().await?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    };
    within(patience, asked).await
}

async fn within<T>(patience: Duration, asked: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    timeout(patience, asked).await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket as StdSocket;

    const SOON: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn what_answers_another_question_is_passed_over() {
        let server = StdSocket::bind(("127.0.0.1", 0)).expect("a socket");
        let address = server.local_addr().expect("an address");
        std::thread::spawn(move || {
            let mut buffer = [0; 16];
            let (length, from) = server.recv_from(&mut buffer).expect("a question");
            assert_eq!(&buffer[..length], b"who?");
            for answer in [&b"late"[..], b"me"] {
                server.send_to(answer, from).expect("sent");
            }
        });
        let read = |answer: &[u8]| (answer == b"me").then_some(answer.len());
        assert_eq!(
            ask_by_datagram(address, b"who?", LONG, read).await.expect("an answer"),
            2
        );
    }

    #[tokio::test]
    async fn nobody_is_waited_for_for_ever() {
        let silent = StdSocket::bind(("127.0.0.1", 0)).expect("a socket");
        let address = silent.local_addr().expect("an address");
        let asked = ask_by_datagram(address, b"who?", SOON, |_| Some(())).await;
        assert_eq!(asked.expect_err("silence").kind(), io::ErrorKind::TimedOut);
        let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a listener");
        let address = silent.local_addr().expect("an address");
        let asked = ask_by_stream(address, b"who?", SOON).await;
        assert_eq!(asked.expect_err("silence").kind(), io::ErrorKind::TimedOut);
        let asked = ask_by_stream(address, &[0; 1 << 16], SOON).await;
        assert_eq!(asked.expect_err("too long").kind(), io::ErrorKind::InvalidInput);
    }
}
