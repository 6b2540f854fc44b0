//! The domain name system, asked for TXT records alone (RFC 1035). Recursive name servers do the work; what they answer is
//! not remembered: who has just written a record wants it read now.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

use crate::domain::outside::{Asking, Entropy, TextRecords};
use crate::net::{ask_by_datagram, ask_by_stream};

/// The port of name servers.
const PORT: u16 = 53;
/// How long one question waits. 2 s: a resolver that must ask around takes a few hundred milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// Questions to each server: one datagram may be lost.
const TRIES: usize = 2;
/// Servers that are asked, as in resolv.conf(5).
const SERVERS_MAX: usize = 3;
/// Texts that are read of one name. 100: names with more than a dozen are rare.
const TEXTS_MAX: usize = 100;
/// What names the system's own name servers.
const SYSTEM_FILE: &str = "/etc/resolv.conf";

/// Asks one or a few recursive name servers, in their order.
pub struct NameServers {
    servers: Vec<SocketAddr>,
    entropy: Arc<dyn Entropy>,
}

impl NameServers {
    /// Asks `server`, else the system's own.
    ///
    /// # Errors
    /// When the system names none.
    pub fn new(server: Option<SocketAddr>, entropy: Arc<dyn Entropy>) -> Result<Self, String> {
        let servers = match server {
            Some(server) => vec![server],
            None => system_servers(&fs::read(SYSTEM_FILE).map_err(|error| format!("{SYSTEM_FILE}: {error}"))?)?,
        };
        Ok(Self { servers, entropy })
    }

    async fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let mut why = "nobody was asked".to_owned();
        for server in &self.servers {
            for _ in 0..TRIES {
                let question = Query::new(name, self.entropy.number() as u16)?;
                match question.ask(*server).await {
                    Ok(texts) => return Ok(texts),
                    Err(told) => why = format!("name server {server}: {told}"),
                }
            }
        }
        Err(why)
    }
}

/// A question as it is sent.
struct Query<'a> {
    id: u16,
    question: Question<'a>,
    bytes: Vec<u8>,
}

/// What an answer says.
enum Told {
    Texts(Vec<String>),
    /// More than fits a datagram.
    Truncated,
    /// It answers another question: a late one, or a stranger's.
    Other,
}

impl<'a> Query<'a> {
    fn new(name: &'a str, id: u16) -> Result<Self, String> {
        let bad = |error: simple_dns::SimpleDnsError| format!("{name} cannot be asked for: {error}");
        let question = Question::new(
            Name::new(name).map_err(bad)?,
            QTYPE::TYPE(TYPE::TXT),
            QCLASS::CLASS(CLASS::IN),
            false,
        );
        let mut packet = Packet::new_query(id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(question.clone());
        let bytes = packet.build_bytes_vec().map_err(bad)?;
        Ok(Self { id, question, bytes })
    }

    async fn ask(&self, server: SocketAddr) -> Result<Vec<String>, String> {
        let failed = |error: io::Error| error.to_string();
        let read = |answer: &[u8]| match self.read(answer) {
            Ok(Told::Other) => None,
            told => Some(told),
        };
        let told = ask_by_datagram(server, &self.bytes, PATIENCE, read)
            .await
            .map_err(failed)?;
        if let Told::Texts(texts) = told? {
            return Ok(texts);
        }
        // What is too long for a datagram is asked for on a connection (RFC 1035 section 4.2.2).
        let answer = ask_by_stream(server, &self.bytes, PATIENCE).await.map_err(failed)?;
        match self.read(&answer)? {
            Told::Texts(texts) => Ok(texts),
            Told::Truncated | Told::Other => Err("its answer does not fit the question".to_owned()),
        }
    }

    fn read(&self, answer: &[u8]) -> Result<Told, String> {
        let Ok(packet) = Packet::parse(answer) else {
            return Ok(Told::Other);
        };
        let asked = packet.questions.first();
        let is_ours = packet.id() == self.id
            && packet.has_flags(PacketFlag::RESPONSE)
            && asked.is_some_and(|asked| asked.qname == self.question.qname && asked.qtype == self.question.qtype);
        if !is_ours {
            return Ok(Told::Other);
        }
        if packet.has_flags(PacketFlag::TRUNCATION) {
            return Ok(Told::Truncated);
        }
        match packet.rcode() {
            // No such name: no such record.
            RCODE::NoError | RCODE::NameError => {}
            refused => return Err(format!("it answered {refused:?}")),
        }
        // Through aliases too: then the records belong to the name at their end, which the name server has found.
        let texts = packet.answers.into_iter().filter_map(|record| match record.rdata {
            // One record is a row of strings of at most 255 bytes each, to be read as one (RFC 7208 section 3.3).
            RData::TXT(text) => String::try_from(text).ok(),
            _ => None,
        });
        Ok(Told::Texts(texts.take(TEXTS_MAX).collect()))
    }
}

impl TextRecords for NameServers {
    fn find<'a>(&'a self, name: &'a str) -> Asking<'a> {
        Box::pin(self.texts(name))
    }
}

/// What runs where no name server could be found: says so.
pub struct NoNameServers(pub String);

impl TextRecords for NoNameServers {
    fn find<'a>(&'a self, _: &'a str) -> Asking<'a> {
        let why = format!("no name server is known ({}): set domains.resolver", self.0);
        Box::pin(async { Err(why) })
    }
}

/// The name servers of a resolv.conf(5).
fn system_servers(file: &[u8]) -> Result<Vec<SocketAddr>, String> {
    let read = resolv_conf::Config::parse(file).map_err(|error| format!("{SYSTEM_FILE}: {error}"))?;
    let servers = read.nameservers.iter().map(|server| IpAddr::from(server.clone()));
    let servers: Vec<SocketAddr> = servers.take(SERVERS_MAX).map(|ip| (ip, PORT).into()).collect();
    match servers.is_empty() {
        true => Err(format!("{SYSTEM_FILE} names none")),
        false => Ok(servers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::TXT;

    const NAME: &str = "_hopcart.go.brand.test";

    fn answered(change: impl FnOnce(&mut Packet<'_>)) -> Result<Told, String> {
        let query = Query::new(NAME, 7).expect("a question");
        let mut packet = Packet::parse(&query.bytes).expect("what was sent").into_reply();
        change(&mut packet);
        query.read(&packet.build_bytes_vec().expect("an answer"))
    }

    fn text(value: &str) -> ResourceRecord<'_> {
        let strings = value
            .as_bytes()
            .chunks(255)
            .map(|part| std::str::from_utf8(part).expect("ASCII"));
        let text = strings.fold(TXT::new(), |text, part| text.with_string(part).expect("short"));
        ResourceRecord::new(Name::new_unchecked(NAME), CLASS::IN, 60, RData::TXT(text))
    }

    #[test]
    fn records_are_read_whole() {
        let long: &str = "x".repeat(600).leak();
        let told = answered(|packet| packet.answers = vec![text("a=1"), text(long)]);
        match told.expect("an answer") {
            Told::Texts(texts) => assert_eq!(texts, ["a=1", long]),
            Told::Truncated | Told::Other => panic!("not the texts"),
        }
    }

    #[test]
    fn only_the_answer_to_the_question_counts() {
        let is_other = |change: fn(&mut Packet<'_>)| {
            let told = answered(|packet| {
                packet.answers = vec![text("a=1")];
                change(packet);
            });
            matches!(told, Ok(Told::Other))
        };
        assert!(!is_other(|_| {}), "the answer as it should be");
        assert!(is_other(|packet| packet.set_id(8)));
        assert!(is_other(|packet| packet.remove_flags(PacketFlag::RESPONSE)));
        assert!(is_other(|packet| packet.questions.clear()));
        assert!(is_other(
            |packet| packet.questions[0].qname = Name::new_unchecked("evil.test")
        ));
        assert!(is_other(|packet| packet.questions[0].qtype = QTYPE::TYPE(TYPE::A)));
        let query = Query::new(NAME, 7).expect("a question");
        assert!(matches!(query.read(b"no answer at all"), Ok(Told::Other)));
    }

    #[test]
    fn a_name_server_may_know_nothing_or_refuse() {
        let none = answered(|packet| *packet.rcode_mut() = RCODE::NameError);
        assert!(
            matches!(none, Ok(Told::Texts(texts)) if texts.is_empty()),
            "no such name"
        );
        let refused = answered(|packet| *packet.rcode_mut() = RCODE::Refused);
        assert_eq!(refused.err().as_deref(), Some("it answered Refused"));
        let long = answered(|packet| packet.set_flags(PacketFlag::TRUNCATION));
        assert!(matches!(long, Ok(Told::Truncated)), "asked again over TCP");
        assert!(Query::new(&"x".repeat(64), 1).is_err());
    }

    #[test]
    fn the_systems_file_names_its_servers() {
        let file =
            b"# made by hand\nsearch brand.test\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions ndots:5\n";
        let servers = system_servers(file).expect("servers");
        assert_eq!(
            servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["192.0.2.53:53", "[2001:db8::53]:53"]
        );
        for bad in [&b""[..], b"search brand.test\n", b"nameserver mars\n"] {
            let why = system_servers(bad).expect_err("none");
            assert!(why.starts_with(SYSTEM_FILE), "{why}");
        }
    }
}
