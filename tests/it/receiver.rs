//! Somebody who is told by webhooks: takes what is posted, remembers it, and answers as a test wants. Shares no code with
//! what sends.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::server::eventually;

/// One delivery as it came in.
#[derive(Debug, Clone)]
pub struct Post {
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub text: String,
}

impl Post {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// `link.created` and the like.
    pub fn event(&self) -> String {
        self.json()["event"].as_str().expect("an event").to_owned()
    }

    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    /// The id under which it was sent, which its body says as well.
    pub fn id(&self) -> String {
        let id = self.header("webhook-id");
        assert_eq!(self.json()["id"], id);
        id.to_owned()
    }

    /// Whether one of its signatures is one of Standard Webhooks' under `secret`.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64");
        let message = format!("{}.{}.{}", self.id(), self.header("webhook-timestamp"), self.text);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), message.as_bytes());
        let expected = format!("v1,{}", STANDARD.encode(tag));
        self.header("webhook-signature").split(' ').any(|one| one == expected)
    }

    /// Whether the dialect's signature is the one under `secret`.
    pub fn is_signed_in_the_dialect_with(&self, secret: &str) -> bool {
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            self.text.as_bytes(),
        );
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.header("dub-signature") == hex
    }
}

/// How a delivery is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    Status(u16),
    /// With this `Location`.
    Redirect(String),
    /// Not before [`Receiver::release`].
    Hold,
}

#[derive(Default)]
struct Shared {
    posts: Mutex<Vec<Post>>,
    /// By what the body contains, the first that fits; else 200.
    replies: Mutex<Vec<(String, Reply)>>,
    is_released: Mutex<bool>,
    released: Condvar,
}

/// A receiver on loopback.
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    pub fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    /// A receiver at an address that a test knows before.
    pub fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("an address");
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), shared) = (stream, Arc::clone(&of_thread)) else {
                    return;
                };
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// From now on deliveries whose body contains `text` are answered so.
    pub fn reply(&self, text: &str, reply: Reply) {
        let mut replies = self.shared.replies.lock().expect("replies");
        replies.retain(|(known, _)| known != text);
        replies.push((text.to_owned(), reply));
    }

    /// Answers what was held.
    pub fn release(&self) {
        *self.shared.is_released.lock().expect("a flag") = true;
        self.shared.released.notify_all();
    }

    /// All that came in.
    pub fn posts(&self) -> Vec<Post> {
        self.shared.posts.lock().expect("posts").clone()
    }

    /// Those of `event`.
    pub fn of(&self, event: &str) -> Vec<Post> {
        self.posts().into_iter().filter(|post| post.event() == event).collect()
    }

    /// Waits for `count` deliveries.
    pub fn wait(&self, count: usize) -> Vec<Post> {
        eventually(&format!("{count} deliveries"), || {
            Some(self.posts()).filter(|posts| posts.len() >= count)
        })
    }

    /// Waits for `count` deliveries of `event`.
    pub fn wait_for(&self, event: &str, count: usize) -> Vec<Post> {
        eventually(&format!("{count} deliveries of {event}"), || {
            Some(self.of(event)).filter(|posts| posts.len() >= count)
        })
    }
}

fn serve(stream: TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut stream = stream;
    while let Some(post) = read(&mut reader) {
        let replies = shared.replies.lock().expect("replies").clone();
        let reply = replies
            .into_iter()
            .rev()
            .find(|(text, _)| post.text.contains(text.as_str()));
        shared.posts.lock().expect("posts").push(post);
        let head = match reply.map(|(_, reply)| reply) {
            Some(Reply::Status(status)) => format!("HTTP/1.1 {status} X\r\n"),
            Some(Reply::Redirect(location)) => format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n"),
            Some(Reply::Hold) => {
                let held = shared.is_released.lock().expect("a flag");
                drop(shared.released.wait_while(held, |is_released| !*is_released));
                "HTTP/1.1 200 OK\r\n".to_owned()
            }
            None => "HTTP/1.1 200 OK\r\n".to_owned(),
        };
        if stream
            .write_all(format!("{head}Content-Length: 5\r\n\r\nnoted").as_bytes())
            .is_err()
        {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Post> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Post {
        path,
        headers,
        text: String::from_utf8(body).ok()?,
    })
}
