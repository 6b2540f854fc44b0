//! Odd bytes: requests put together from what clients, broken clients and attackers send, then damaged.

#![cfg(test)]

/// Small random numbers (xorshift64*), the same for the same seed.
pub struct Chance(u64);

impl Chance {
    /// Numbers that start at `seed`.
    pub fn new(seed: u64) -> Self {
        // Seeds that follow each other shall have nothing in common.
        Self((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end.max(1)
    }

    /// True in `percent` of all cases.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a>(&mut self, of: &[&'a [u8]]) -> &'a [u8] {
        of[self.below(of.len())]
    }

    /// `usual` in `percent` of all cases, else one of `odd`.
    fn usually<'a>(&mut self, percent: usize, usual: &'a [u8], odd: &[&'a [u8]]) -> &'a [u8] {
        if self.percent(percent) { usual } else { self.pick(odd) }
    }
}

/// What one connection brings.
#[derive(Debug, Clone)]
pub struct Input {
    pub bytes: Vec<u8>,
    /// Where the bytes are cut into pieces that come one after the other; ascending.
    pub cuts: Vec<usize>,
    /// Most bytes that the client takes at once.
    pub takes_max: usize,
}

impl Input {
    /// The next input that `chance` brings.
    pub fn draw(chance: &mut Chance) -> Self {
        let mut bytes = Vec::new();
        for _ in 0..1 + chance.below(3) {
            request(chance, &mut bytes);
        }
        if chance.percent(20) {
            for _ in 0..1 + chance.below(3) {
                damage(chance, &mut bytes);
            }
        }
        let cuts = cuts(chance, &bytes);
        let takes_max = if chance.percent(10) {
            1 + chance.below(90)
        } else {
            usize::MAX
        };
        Self { bytes, cuts, takes_max }
    }
}

/// Longest odd target or value, and most odd lines: above the sides' bounds on heads. Three requests with both fit into
/// what hyper reads at once (8 KiB), so that where its own buffer ends does not matter.
const LONG: usize = 1_500;
const LINES: usize = 110;

const METHODS: [&[u8]; 13] = [
    b"HEAD", b"HEAD", b"POST", b"get", b"Get", b"PUT", b"OPTIONS", b"CONNECT", b"G\0T", b"", b" GET", b"PRI", b"GET\t",
];
const TARGETS: [&[u8]; 32] = [
    b"/r2?x=1",
    b"/e",
    b"/n",
    b"/",
    b"//w",
    b"/w?a[]=1",
    b"/w#part",
    b"/w?#",
    b"*",
    b"http://other/w",
    b"HTTPS://o:1/w?x",
    b"o:80",
    b"/w%zz",
    b"/w\xc3\xa4",
    b"/w\x7f",
    b"/w\0",
    b"/w\"",
    b"/w<",
    b"",
    b"/w|",
    b"/w{}",
    b"/w\\",
    b"/w?",
    b"/w??",
    b"/w^`",
    b"/w\xff",
    b"w",
    b"http://",
    b"http:///w",
    b"/w?\xe2\x82\xac",
    b"/w;a=b",
    b"/../w",
];
const VERSIONS: [&[u8]; 9] = [
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"HTTP/2.0",
    b"http/1.1",
    b"HTTP/1.1 ",
    b"",
    b"HTTP/0.9",
    b"HTTP/1.10",
    b"HTTP /1.1",
];
const ENDS: [&[u8]; 5] = [b"\n", b"\n", b"\r", b"\r\r\n", b"\n\r"];
const HOSTS: [&[u8]; 10] = [
    b"",
    b" ",
    b"a.test:80",
    b"[::1]:8",
    b"a b",
    b"a/b",
    b"a@b",
    b"\xc3\xa4.test",
    b"a,b",
    b"a\tb",
];
/// Lines as browsers send them.
const USUAL_LINES: [&[u8]; 9] = [
    b"User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)",
    b"Accept: text/html,application/xhtml+xml",
    b"accept-encoding: gzip, deflate, br",
    b"Cookie: hop_v=abc; b=c",
    b"Referer: https://l.instagram.com/",
    b"Connection: keep-alive",
    b"Sec-Purpose: prefetch",
    b"X-Forwarded-For: 203.0.113.9, 10.2.3.4",
    b"X-Forwarded-Proto: https",
];
/// Lines that change what a request is, that two servers read in two ways, or that are none.
const ODD_LINES: [&[u8]; 56] = [
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"content-length:5",
    b"Content-Length: +5",
    b"Content-Length: 5,5",
    b"Content-Length: -1",
    b"Content-Length:",
    b"Content-Length: 99999999999999999999",
    b"Content-Length : 5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked",
    b"transfer-encoding: identity",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding:",
    b"Connection: close",
    b"Connection: Close",
    b"connection:close ",
    b"Connection: keep-alive, close",
    b"Connection: close, x",
    b"Connection: upgrade",
    b"Connection:",
    b"Connection: x",
    b"Connection: \x80",
    b"Expect: 100-continue",
    b"expect: x",
    b"Upgrade: h2c",
    b"Upgrade: websocket",
    b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    b"TE: trailers",
    b"Trailer: X",
    b"Keep-Alive: timeout=5",
    b"Proxy-Connection: close",
    b"Host: other",
    b"Host",
    b" folded",
    b"\tfolded",
    b"Name : v",
    b"Name\t: v",
    b": v",
    b"noname",
    b"N\xc3\xa4me: v",
    b"X: \0",
    b"X: \x80\xff",
    b"X: \x01",
    b"X: a\rb",
    b"X:\t v \t ",
    b"X:",
    b"X:: v",
    b"Cookie: second=1",
    b"Cookie: \xc3\xa4",
    b"X-Forwarded-For: garbage",
    b"X-Forwarded-For: [2001:db8::1]:80",
    b"X-Forwarded-Proto: https, http",
];

fn request(chance: &mut Chance, out: &mut Vec<u8>) {
    // Half of all requests are plain, or nothing would ever be answered at once.
    let odd = if chance.percent(50) { 0 } else { 1 };
    let odd_end = if chance.percent(100 - 20 * odd) { 100 } else { 60 };
    let prelude = chance.usually(100 - 8 * odd, b"", &[b"\r\n", b"\n", b"\r", b" ", b"\r\n\r\n", b"\0"]);
    out.extend_from_slice(prelude);
    out.extend_from_slice(chance.usually(100 - 20 * odd, b"GET", &METHODS));
    out.extend_from_slice(chance.usually(100 - 4 * odd, b" ", &[b"  ", b"\t", b""]));
    let usual = chance.pick(&[b"/w1?utm_source=a", b"/r", b"/w", b"/e", b"/n"]);
    out.extend_from_slice(chance.usually(100 - 40 * odd, usual, &TARGETS));
    if chance.percent(odd) {
        out.resize(out.len() + chance.below(LONG), b'a');
    }
    out.extend_from_slice(chance.usually(100 - 4 * odd, b" ", &[b"  ", b"\t", b""]));
    out.extend_from_slice(chance.usually(100 - 10 * odd, b"HTTP/1.1", &VERSIONS));
    out.extend_from_slice(chance.usually(odd_end, b"\r\n", &ENDS));
    let lines = chance.below(6);
    let host_at = chance.below(lines + 1);
    for line in 0..=lines {
        if line == host_at && chance.percent(100 - 8 * odd) {
            out.extend_from_slice(chance.usually(95, b"Host: ", &[b"host:", b"HOST: ", b"Host:\t"]));
            out.extend_from_slice(chance.usually(100 - 10 * odd, b"a.test", &HOSTS));
        } else if chance.percent(100 - 25 * odd) {
            out.extend_from_slice(chance.pick(&USUAL_LINES));
        } else {
            out.extend_from_slice(chance.pick(&ODD_LINES));
        }
        out.extend_from_slice(chance.usually(odd_end, b"\r\n", &ENDS));
    }
    match chance.below(100) {
        0 => (0..chance.below(LINES)).for_each(|_| out.extend_from_slice(b"X: a\r\n")),
        1 => {
            out.extend_from_slice(b"X: ");
            out.resize(out.len() + chance.below(LONG), b'a');
            out.extend_from_slice(b"\r\n");
        }
        _ => {}
    }
    out.extend_from_slice(chance.usually(100 - 5 * odd, b"\r\n", &[b"\n", b"", b"\r", b"x\r\n\r\n"]));
    if chance.percent(12 * odd) {
        out.extend_from_slice(chance.pick(&[
            b"hello",
            b"5\r\nhello\r\n0\r\n\r\n",
            b"0\r\n\r\n",
            b"5;x=y\r\nhello\r\n0\r\nX: a\r\n\r\n",
            b"SM\r\n\r\n",
            b"hel",
        ]));
    }
}

fn damage(chance: &mut Chance, bytes: &mut Vec<u8>) {
    let at = chance.below(bytes.len());
    let byte = match chance.below(2) {
        0 => b"\r\n\0 :,\t/\x7f\x80\xff?#"[chance.below(13)],
        _ => chance.below(256) as u8,
    };
    match chance.below(5) {
        _ if bytes.is_empty() => bytes.push(byte),
        0 => bytes[at] = byte,
        1 => bytes.insert(at, byte),
        2 => drop(bytes.remove(at)),
        3 => bytes.truncate(at),
        _ => {
            let end = (at + chance.below(40)).min(bytes.len());
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
    }
}

fn cuts(chance: &mut Chance, bytes: &[u8]) -> Vec<usize> {
    let mut cuts: Vec<usize> = match chance.below(20) {
        0..9 => Vec::new(),
        9..16 => (0..1 + chance.below(3)).map(|_| chance.below(bytes.len())).collect(),
        16..19 => (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect(),
        _ if bytes.len() < 400 => (1..bytes.len()).collect(),
        _ => vec![bytes.len() / 2],
    };
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}
