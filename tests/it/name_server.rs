//! A stand-in for the name server that the world asks: answers TXT questions from a table, over UDP and over TCP.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use simple_dns::rdata::{RData, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord};

/// Free UDP ports whose TCP port is looked at; other tests hold some.
const PORTS_TRIED: usize = 100;

/// What is known of one name.
#[derive(Clone)]
pub enum Known {
    Texts(Vec<String>),
    /// As [`Self::Texts`], but too long for a datagram.
    Long(Vec<String>),
    Refused,
}

/// Runs until the test ends.
pub struct NameServer {
    pub address: SocketAddr,
    zone: Arc<Mutex<HashMap<String, Known>>>,
}

impl NameServer {
    pub fn start() -> Self {
        let (socket, listener) = (0..PORTS_TRIED).find_map(|_| both()).expect("a port for both");
        let address = socket.local_addr().expect("an address");
        let zone = Arc::new(Mutex::new(HashMap::new()));
        let known = Arc::clone(&zone);
        thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let answer = answer(&buffer[..length], &known, false);
                socket.send_to(&answer, from).expect("sent");
            }
        });
        let known = Arc::clone(&zone);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut length = [0; 2];
                stream.read_exact(&mut length).expect("a length");
                let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut question).expect("a question");
                let answer = answer(&question, &known, true);
                let length = u16::try_from(answer.len()).expect("short");
                stream.write_all(&length.to_be_bytes()).expect("sent");
                stream.write_all(&answer).expect("sent");
            }
        });
        Self { address, zone }
    }

    /// From now on `name` is known so.
    pub fn set(&self, name: &str, known: Known) {
        self.zone.lock().expect("no panic").insert(name.to_owned(), known);
    }
}

/// One port over UDP and TCP; `None` when somebody has the TCP one.
fn both() -> Option<(UdpSocket, TcpListener)> {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let address = socket.local_addr().expect("an address");
    Some((socket, TcpListener::bind(address).ok()?))
}

fn answer(question: &[u8], zone: &Mutex<HashMap<String, Known>>, is_long: bool) -> Vec<u8> {
    let asked = Packet::parse(question).expect("a question");
    let name = asked.questions[0].qname.to_string();
    let known = zone.lock().expect("no panic").get(&name).cloned();
    let mut packet = asked.into_reply();
    let texts = match &known {
        None => {
            *packet.rcode_mut() = RCODE::NameError;
            &[][..]
        }
        Some(Known::Refused) => {
            *packet.rcode_mut() = RCODE::Refused;
            &[]
        }
        Some(Known::Long(_)) if !is_long => {
            packet.set_flags(PacketFlag::TRUNCATION);
            &[]
        }
        Some(Known::Texts(texts) | Known::Long(texts)) => texts,
    };
    for text in texts {
        let text = TXT::new().with_string(text).expect("a short text");
        let name = Name::new(&name).expect("a name");
        packet
            .answers
            .push(ResourceRecord::new(name, CLASS::IN, 60, RData::TXT(text)));
    }
    packet.build_bytes_vec().expect("an answer")
}
