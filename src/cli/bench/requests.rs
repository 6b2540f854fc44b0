//! The bytes that are sent: a request line, headers, and a slug where each request has another.

use super::draw::{Dice, Drawing, Slugs};
use super::target::Target;
use crate::cli::failure::Failure;

/// Longest request, in bytes: servers take 8 KiB and more.
const REQUEST_MAX: usize = 8 * 1024;
/// Most headers of one request: servers take a hundred.
const HEADERS_MAX: usize = 64;

/// The header that flags a click as a test; its value is an API key.
const TEST_HEADER: &str = "X-Hopcart-Test";

/// What the browser inside a social app sends with a tap. With `GET /1234567?utm_source=instagram` and `Host:
/// 127.0.0.1:8080` that is a request of 552 bytes with 12 headers.
pub const BROWSER: &[(&str, &str)] = &[
    (
        "User-Agent",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 \
         Instagram 356.0.0.130.950",
    ),
    ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("Accept-Language", "de-DE,de;q=0.9,en;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Referer", "https://l.instagram.com/"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Priority", "u=0, i"),
    ("Cookie", "_ga=GA1.1.8305172640.1763714999"),
];
/// The query of a browser-like request that names none: creators tag their links.
const BROWSER_QUERY: &str = "utm_source=instagram";

/// What requests have besides their target.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    pub is_head: bool,
    pub is_browser: bool,
    /// Whether each request has a connection of its own.
    pub is_closing: bool,
    pub headers: Vec<(String, String)>,
    /// An API key of the server; the clicks are flagged as tests then.
    pub test_key: Option<String>,
}

/// One target's requests.
#[derive(Debug)]
pub struct Requests {
    before: Vec<u8>,
    after: Vec<u8>,
    slugs: Option<(Slugs, Drawing)>,
}

impl Requests {
    /// Requests of `target`: of its own path, or of its path with each of `slugs` behind.
    ///
    /// # Errors
    /// [`Failure::Usage`] when they would be too long, or a header cannot be sent.
    pub fn new(target: &Target, manner: &Manner, slugs: Option<(Slugs, Drawing)>) -> Result<Self, Failure> {
        let path = target.url.path();
        let path = match slugs {
            Some(_) => format!("{}/", path.trim_end_matches('/')),
            None => path.to_owned(),
        };
        let query = match target.url.query() {
            Some(query) => format!("?{query}"),
            None if manner.is_browser => format!("?{BROWSER_QUERY}"),
            None => String::new(),
        };
        let mut after = format!("{query} HTTP/1.1\r\n");
        for (name, value) in headers(&target.host, manner)? {
            after.push_str(&format!("{name}: {value}\r\n"));
        }
        after.push_str("\r\n");
        let method = if manner.is_head { "HEAD" } else { "GET" };
        let requests = Self {
            before: format!("{method} {path}").into_bytes(),
            after: after.into_bytes(),
            slugs,
        };
        if requests.before.len() + requests.after.len() > REQUEST_MAX {
            return Err(Failure::Usage(
                "the request would be longer than 8 KiB: send fewer headers".to_owned(),
            ));
        }
        Ok(requests)
    }

    /// The next request takes the place of what is in `bytes`.
    pub fn write_next(&self, dice: &mut Dice, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend_from_slice(&self.before);
        if let Some((slugs, drawing)) = &self.slugs {
            bytes.extend_from_slice(slugs.get(drawing.next(dice)));
        }
        bytes.extend_from_slice(&self.after);
    }
}

/// All headers; one that is given takes the place of ours of the same name.
fn headers(host: &str, manner: &Manner) -> Result<Vec<(String, String)>, Failure> {
    let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut all = vec![owned("Host", host)];
    if manner.is_browser {
        all.extend(BROWSER.iter().map(|(name, value)| owned(name, value)));
    }
    if manner.is_closing {
        all.push(owned("Connection", "close"));
    }
    if let Some(key) = &manner.test_key {
        all.push(owned(TEST_HEADER, key));
    }
    for (name, value) in &manner.headers {
        all.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        all.push(owned(name, value));
    }
    if all.len() > HEADERS_MAX {
        return Err(Failure::Usage(format!("at most {HEADERS_MAX} headers are sent")));
    }
    match all.iter().find(|(name, value)| !is_field(name, value)) {
        Some((name, _)) => Err(Failure::Usage(format!(
            "the header `{name}` has bytes that cannot be sent"
        ))),
        None => Ok(all),
    }
}

/// A field of RFC 9110 section 5, visible ASCII only.
fn is_field(name: &str, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token) && value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

/// Reads `Name: value`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("must be \"Name: value\"")?;
    let (name, value) = (name.trim(), value.trim());
    let framing = ["content-length", "transfer-encoding", "connection", "expect", "upgrade"];
    if framing.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!(
            "{name} is not for you to send: requests have no body, and --close asks for an end"
        ));
    }
    if !is_field(name, value) {
        return Err("name and value must be visible ASCII".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::draw::Order;
    use super::super::target;
    use super::*;

    fn request(url: &str, manner: &Manner) -> String {
        let target = target::parse(url).expect(url).resolve().expect("an address");
        let requests = Requests::new(&target, manner, None).expect("good");
        let mut bytes = b"old".to_vec();
        requests.write_next(&mut Dice::new(1, 0), &mut bytes);
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_browser_sends_552_bytes() {
        let manner = Manner {
            is_browser: true,
            ..Manner::default()
        };
        let sent = request("http://127.0.0.1:8080/1234567", &manner);
        assert!(
            sent.starts_with("GET /1234567?utm_source=instagram HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"),
            "{sent}"
        );
        let headers = sent.lines().skip(1).filter(|line| !line.is_empty()).count();
        assert_eq!((sent.len(), headers), (552, 12), "{sent}");
    }

    #[test]
    fn what_is_given_takes_the_place_of_ours() {
        let manner = Manner {
            is_head: true,
            is_closing: true,
            headers: vec![("host".to_owned(), "go.brand.example".to_owned())],
            test_key: Some("hop_x".to_owned()),
            ..Manner::default()
        };
        assert_eq!(
            request("http://127.0.0.1/a?b=c", &manner),
            "HEAD /a?b=c HTTP/1.1\r\nConnection: close\r\nX-Hopcart-Test: hop_x\r\nhost: go.brand.example\r\n\r\n"
        );
        for text in ["x", ": y", "Content-Length: 4", "X: a\r\nB: c", "X y: z"] {
            assert!(parse_header(text).is_err(), "{text}");
        }
        assert_eq!(parse_header("DNT: 1"), Ok(("DNT".to_owned(), "1".to_owned())));
    }

    #[test]
    fn slugs_stand_behind_the_path() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("slugs");
        std::fs::write(&file, "one\n").expect("written");
        for (url, line) in [
            ("http://127.0.0.1:1", "GET /one HTTP/1.1"),
            ("http://127.0.0.1:1/go/?x=1", "GET /go/one?x=1 HTTP/1.1"),
        ] {
            let target = target::parse(url).expect(url).resolve().expect("an address");
            let slugs = Slugs::read(&file).expect("slugs");
            let drawing = Drawing::new(&Order::Uniform, slugs.count(), 1);
            let requests = Requests::new(&target, &Manner::default(), Some((slugs, drawing))).expect("good");
            let mut bytes = Vec::new();
            requests.write_next(&mut Dice::new(1, 0), &mut bytes);
            assert!(
                bytes.starts_with(line.as_bytes()),
                "{}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}
