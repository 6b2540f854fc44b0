//! The tables that the rules hold the tree against. A line changes here when the house changes, and not before.

/// What a room may import of ours, besides itself. (README, "The house".)
pub const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("net", &[]),
    ("redirect", &["domain"]),
    ("clicklog", &["domain"]),
    ("books", &["domain"]),
    ("integrations", &["domain", "net"]),
    ("flows", &["domain", "redirect", "clicklog", "books", "integrations"]),
    // Readers of the stores, and net's handler trait. That it writes nothing is a rule of its own: `writers`.
    (
        "web",
        &[
            "flows",
            "domain",
            "net",
            "redirect",
            "clicklog",
            "books",
            "integrations",
        ],
    ),
    // These know everybody, and nobody but they knows them.
    ("config", EVERY_ROOM),
    ("cli", EVERY_ROOM),
    ("app", EVERY_ROOM),
    ("main", &["cli"]),
    ("lib", &[]),
];

pub const EVERY_ROOM: &[&str] = &[
    "app",
    "books",
    "cli",
    "clicklog",
    "config",
    "domain",
    "flows",
    "integrations",
    "net",
    "redirect",
    "web",
];

/// Where a package of Cargo.toml may be named.
pub struct Package {
    /// As code spells it: `arc_swap`.
    pub name: &'static str,
    pub rooms: &'static [&'static str],
    /// Rooms whose tests may name it too. What lies under tests/ and benches/ may name any package.
    pub rooms_in_tests: &'static [&'static str],
}

const fn only(name: &'static str, rooms: &'static [&'static str]) -> Package {
    split(name, rooms, &[])
}

const fn tests_only(name: &'static str) -> Package {
    split(name, &[], EVERY_ROOM)
}

const fn split(name: &'static str, rooms: &'static [&'static str], rooms_in_tests: &'static [&'static str]) -> Package {
    Package {
        name,
        rooms,
        rooms_in_tests,
    }
}

/// Every package of Cargo.toml. `domain` is pure: what it names computes, and touches nothing.
pub const PACKAGES: &[Package] = &[
    // The stores' engines: one room each, so that each could be exchanged.
    only("rusqlite", &["books"]),
    only("sled", &["clicklog"]),
    only("zstd", &["clicklog"]),
    only("datasketches", &["clicklog"]),
    only("dashmap", &["redirect"]),
    // Rings of clicks lie in files that outlive the process, packed links on huge pages.
    only("memmap2", &["redirect"]),
    only("foldhash", &["clicklog", "domain", "flows", "redirect"]),
    // app: threads that stand behind those of the redirects. net: one system call to accept a connection.
    only("rustix", &["app", "net"]),
    // Every binary that uses the library allocates through it.
    only("mimalloc", &["app"]),
    only("libmimalloc_sys", &["app"]),
    // A checksum of frames and of records in rings, and the one inside an API key.
    only("crc32c", &["clicklog", "domain", "redirect"]),
    only("arc_swap", &["app", "flows", "net", "redirect", "web"]),
    // Sockets and TLS.
    only("socket2", &["net"]),
    only("nix", &["net"]),
    only("libc", &["net"]),
    only("ppp", &["net"]),
    // The load generator (cli) reads heads and shakes hands itself, as lightly as it can.
    only("memchr", &["net", "cli", "domain", "redirect"]),
    only("rustls", &["net", "cli"]),
    only("mio", &["cli"]),
    only("hdrhistogram", &["cli"]),
    // The fast path: hyper's own parser, one check that a head is text, and hyper's form of a date.
    only("httparse", &["net"]),
    only("simdutf8", &["net"]),
    only("httpdate", &["net"]),
    only("tokio_rustls", &["net"]),
    only("hyper_rustls", &["net"]),
    only("hyper_util", &["net"]),
    only("webpki", &["net"]),
    only("webpki_roots", &["net", "cli"]),
    // HTTP's own words: web implements net's handler trait, cli calls net's client.
    // app's test of what a follow allocates is such a handler.
    split("hyper", &["net", "web", "cli"], &["app"]),
    split("bytes", &["net", "web", "cli"], &["app"]),
    split("http_body_util", &["net", "web"], &["app"]),
    // net serves any tower service; what it serves is web's.
    only("tower", &["net", "web"]),
    split("axum", &["web", "app"], &["net"]),
    only("maud", &["web"]),
    only("fast_qr", &["web"]),
    // Packs the pages that followers get.
    only("flate2", &["web"]),
    only("png", &["web"]),
    // Links of a campaign, with pictures to print.
    only("zip", &["web"]),
    only("prometheus_client", &["web"]),
    only("serde_path_to_error", &["integrations", "web"]),
    // Who waits for others. domain, clicklog, integrations and config have nobody to wait for.
    only("tokio", &["app", "books", "cli", "flows", "net", "redirect", "web"]),
    only(
        "tracing",
        &["app", "books", "cli", "clicklog", "flows", "integrations", "net", "web"],
    ),
    // The terminal.
    only("clap", &["cli"]),
    only("clap_complete", &["cli"]),
    only("comfy_table", &["cli"]),
    only("indicatif", &["cli"]),
    only("tracing_subscriber", &["cli"]),
    // The operator's files, and the demo's.
    only("toml", &["config", "cli"]),
    only("maxminddb", &["integrations"]),
    // Names: whose a domain is.
    only("simple_dns", &["integrations"]),
    only("resolv_conf", &["integrations"]),
    // Brands' catalogues, and links from elsewhere.
    only("csv", &["integrations"]),
    // Signatures of shops: checked by integrations, made by the demo's shop; net chooses rustls's provider.
    only("aws_lc_rs", &["integrations", "net", "cli", "web"]),
    // Passwords of links.
    only("argon2", &["flows"]),
    // Randomness comes through domain's Entropy; app implements it, the demo makes its own.
    only("getrandom", &["app", "cli"]),
    // Words and numbers.
    only(
        "serde",
        &["books", "cli", "config", "domain", "flows", "integrations", "web"],
    ),
    // domain: one platform takes its cart as JSON in a URL.
    // flows: a backup's manifest.
    only(
        "serde_json",
        &["books", "cli", "domain", "flows", "integrations", "web"],
    ),
    only(
        "url",
        &[
            "app",
            "cli",
            "config",
            "domain",
            "flows",
            "integrations",
            "redirect",
            "web",
        ],
    ),
    // clicklog: names of a backup's parts. cli: which file an import was cut off in.
    only(
        "blake3",
        &["app", "cli", "clicklog", "domain", "flows", "redirect", "web"],
    ),
    only("base64", &["cli", "domain", "integrations", "web"]),
    only("percent_encoding", &["cli", "domain", "integrations", "web"]),
    only("jiff", &["cli", "domain", "web"]),
    only("base62", &["domain"]),
    // Tags of short messages.
    only("siphasher", &["domain"]),
    only("unicode_normalization", &["domain"]),
    only("caseless", &["domain"]),
    only("iso_currency", &["domain"]),
    only("aho_corasick", &["domain"]),
    // What tests and benches are made with.
    tests_only("proptest"),
    // Every interleaving of what is lock-free: tests/interleaved.rs.
    split("loom", &[], &[]),
    tests_only("tempfile"),
    tests_only("rcgen"),
    split("criterion", &[], &[]),
];

/// What `domain` may not name: it is given what it needs, through the traits of `domain::outside`.
pub const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// What changes a store, a table or the log: for flows alone, and for app, which makes them.
pub const WRITERS: &[&str] = &[
    "crate::books::Tx",
    "crate::clicklog::Writer",
    "crate::redirect::TableWriter",
];

/// What blocks, or is held while others wait.
pub const LOCKS: &[&str] = &["Condvar", "Mutex", "RwLock", "Semaphore"];

/// Names of rooms and modules that say nothing about what is inside.
pub const EMPTY_NAMES: &[&str] = &[
    "common", "helper", "helpers", "manager", "misc", "service", "services", "util", "utils",
];

/// Files that may say `unsafe`, each with its reason.
pub const UNSAFE: &[(&str, &str)] = &[
    (
        "src/redirect/words.rs",
        "looks at a mapped file as atomic numbers; no crate does so, the proof stands beside it",
    ),
    (
        "src/app/allocator.rs",
        "sets an option of the allocator, and in tests counts what it is asked for: an allocator is an unsafe trait, and each \
         call is passed on as it came",
    ),
];

/// Files under tests/ that may sleep, each with its reason.
pub const SLEEPS: &[(&str, &str)] = &[
    (
        "tests/browser/slow_link.rs",
        "is a slow radio link: being late is what it does, nothing is awaited",
    ),
    (
        "tests/crash.rs",
        "kills the server at drawn moments: the moment is the test, nothing is awaited",
    ),
    (
        "tests/faults.rs",
        "paces followers and keeps a disk full for seconds: the time is the test, what is awaited has a deadline",
    ),
    (
        "tests/power_loss.rs",
        "cuts the power at drawn moments and leaves the server without its disk for a while: nothing is awaited",
    ),
    (
        "tests/wire/mod.rs",
        "the pause between two looks of `eventually`, which has a deadline",
    ),
];
