//! Destinations that no link may lead to, however they come in: what people have written by hand, and what follows from
//! it by every way of writing a scheme, an address or a host.

/// One of each kind, as attackers and typing errors have them.
const LITERAL: [&str; 66] = [
    "",
    " ",
    "shop.example",
    "//shop.example/",
    "/relative",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,<script>",
    "file:///etc/passwd",
    "ftp://shop.example/",
    "vbscript:x",
    "about:blank",
    "blob:https://shop.example/x",
    "mailto:a@shop.example",
    "intent://x#Intent;end",
    "java\nscript:alert(1)",
    " https://shop.example/",
    "https://shop.example/ ",
    "https://shop.example/\r\nSet-Cookie: a=b",
    "https://shop.example/\t",
    "https://shop.example/\u{0}",
    "https://sh\u{200b}op.example/",
    "https://shop.example/\u{202e}gpj",
    "https:\\\\shop.example",
    "https:/\\shop.example",
    "https:///shop.example",
    "https:/shop.example",
    "https:shop.example",
    "https://",
    "https://?x",
    "https://#x",
    "https://.",
    "https://..",
    "https://shop..example/",
    "https://user@shop.example/",
    "https://user:pw@shop.example/",
    "https://@shop.example/",
    "https://shop.example@evil.example/",
    "https://shop.example:99999/",
    "https://shop.example:x/",
    "https://[::1/",
    "https://[zz]/",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://0.0.0.0/",
    "http://169.254.169.254/latest/meta-data",
    "http://10.0.0.1/",
    "http://8.8.8.8/",
    "http://1。1。1。1/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://a.localhost/",
    "http://intranet/",
    "http://db.internal/",
    "http://printer.local/",
    "http://router.lan/",
    "https://link.brand.example/a",
    "https://go.brand.example/a",
    "https://GO.Brand.Example./a",
];

/// Schemes that are not the web's.
const SCHEMES: [&str; 34] = [
    "javascript",
    "data",
    "vbscript",
    "file",
    "ftp",
    "ftps",
    "about",
    "blob",
    "filesystem",
    "view-source",
    "ws",
    "wss",
    "chrome",
    "chrome-extension",
    "moz-extension",
    "intent",
    "content",
    "jar",
    "mailto",
    "tel",
    "sms",
    "ssh",
    "ldap",
    "gopher",
    "dict",
    "res",
    "mk",
    "mhtml",
    "ms-settings",
    "ms-msdt",
    "search-ms",
    "shell",
    "market",
    "htttps",
];

/// Hosts inside a network, or with no name at all.
const HOSTS: [&str; 44] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "0",
    "0.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "192.168.1.254",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.51.100.7",
    "224.0.0.1",
    "255.255.255.255",
    "8.8.8.8",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:a00:1]",
    "[64:ff9b::a00:1]",
    "[2002:7f00:1::]",
    "localhost",
    "LocalHost",
    "localhost.localdomain",
    "x.localhost",
    "intranet",
    "db.internal",
    "printer.local",
    "router.lan",
    "nas.home.arpa",
];

/// Characters that no stored URL may have had, each of which some reader drops or turns.
const CHARACTERS: [char; 22] = [
    '\0', '\t', '\n', '\r', '\u{b}', '\u{c}', '\u{1f}', '\u{7f}', '\u{85}', ' ', '\u{a0}', '\u{ad}', '\u{200b}',
    '\u{200d}', '\u{200e}', '\u{202a}', '\u{202e}', '\u{2028}', '\u{2060}', '\u{2066}', '\u{3000}', '\u{feff}',
];

/// All of them: more than 300, each once.
pub fn destinations() -> Vec<String> {
    let mut all: Vec<String> = LITERAL.map(str::to_owned).into();
    for scheme in SCHEMES {
        all.push(format!("{scheme}:alert(1)"));
        all.push(format!("{scheme}://shop.example/%0aalert(1)"));
        all.push(format!("{}://shop.example/", scheme.to_uppercase()));
    }
    for host in HOSTS {
        all.push(format!("http://{host}/"));
        all.push(format!("https://{host}:8443/a?b=c"));
    }
    for character in CHARACTERS {
        all.push(format!("{character}https://shop.example/"));
        all.push(format!("ht{character}tps://shop.example/"));
        all.push(format!("https://sh{character}op.example/"));
        all.push(format!("https://shop.example/a{character}b"));
    }
    for name in ["user", "user:pw", "shop.example", "shop.example:443", "%75ser", ":", ""] {
        all.push(format!("https://{name}@evil.example/"));
    }
    for host in ["link.brand.example", "go.brand.example"] {
        for path in ["", "/", "/a", "/a?b=c", "/#a", "/_/go"] {
            all.push(format!("https://{}{path}", host.to_uppercase()));
        }
    }
    // Too long as it is written, and only once it is encoded.
    all.push(format!("https://shop.example/{}", "a".repeat(2048)));
    all.push(format!("https://shop.example/{}", "ü".repeat(400)));
    all.sort_unstable();
    all.dedup();
    all
}
