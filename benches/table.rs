//! What the link table costs: bytes a link, and nanoseconds a look-up, beside the same links as one record each in a map.
//!
//! Links with slugs of 7 characters and URLs of 71 bytes, half of them with a creator: as shops' URLs are, and, as the
//! worst case, with paths of random letters. `packed` is the table as a worker looks into it; `records` is what it
//! replaced, a `DashMap` of `Arc<LinkRecord>`. Looked up are links drawn at random, one after the other, with every
//! byte of the destination read, and one viral link by one thread and by two at once.
//!
//! `cargo bench --bench table` measures a million links, `cargo bench --bench table -- 10000000` ten. Each layout is
//! measured in a process of its own: what one has freed would not be asked for by the next.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use dashmap::DashMap;
use foldhash::fast::RandomState;
use hopcart::domain::consent::ConsentMode;
use hopcart::domain::id::{CreatorNo, DomainNo, LinkNo, WorkspaceNo};
use hopcart::domain::link::{Link, LinkTerms};
use hopcart::domain::link_domain::LinkDomain;
use hopcart::domain::outside::{Entropy, SeededEntropy};
use hopcart::domain::slug::SlugKey;
use hopcart::domain::time::Timestamp;
use hopcart::redirect::{LinkRecord, Table, TableReader, View};

/// Look-ups a measurement; the best of [`ROUNDS`] counts, for a machine is only ever made slower by others.
const LOOKS: usize = 1_000_000;
const ROUNDS: usize = 5;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let number = words.iter().find_map(|word| word.parse().ok());
    let links: u32 = number.unwrap_or(1_000_000);
    let layout = words
        .iter()
        .find_map(|word| LAYOUTS.iter().find(|(name, _)| name == word));
    if let Some((name, measure)) = layout {
        let shop = !words.iter().any(|word| word == "random");
        println!(
            "{name:<8} {links:>9} links, {} paths: {}",
            if shop { "shop's" } else { "random" },
            measure(links, shop)
        );
        return;
    }
    let program = std::env::current_exe().expect("this program");
    for shop in ["shop", "random"] {
        for (name, _) in LAYOUTS {
            let mut one = std::process::Command::new(&program);
            let status = one.args([name, shop, &links.to_string()]).status().expect("starts");
            assert!(status.success(), "{name} {shop}: {status}");
        }
    }
}

type Measure = fn(u32, bool) -> String;
const LAYOUTS: [(&str, Measure); 2] = [("records", records), ("packed", packed)];

fn packed(count: u32, shop: bool) -> String {
    let before = resident_bytes();
    // As at a start; a table that grows link by link leaves some more behind.
    let (reader, writer) = Table::with_room(&domain(), count as usize);
    let began = Instant::now();
    (1..=count).for_each(|no| writer.put(&link(no, shop), None));
    let put = began.elapsed().as_nanos() as u64 / u64::from(count);
    writer.set_loaded();
    let bytes = (resident_bytes() - before) as f64 / f64::from(count);
    let looker = |reader: &TableReader| {
        let mut view: View = reader.view();
        move |slug: &str| {
            view.link(DomainNo::DEFAULT, slug)
                .map_or(0, |link| sum(&link.own.destination))
        }
    };
    report(bytes, put, count, || looker(&reader))
}

fn records(count: u32, shop: bool) -> String {
    let before = resident_bytes();
    let map: DashMap<u64, Arc<LinkRecord>, RandomState> = DashMap::with_hasher(RandomState::default());
    let began = Instant::now();
    for no in 1..=count {
        let link = link(no, shop);
        map.insert(key(&link.slug), Arc::new(LinkRecord::new(&link, None)));
    }
    let put = began.elapsed().as_nanos() as u64 / u64::from(count);
    let bytes = (resident_bytes() - before) as f64 / f64::from(count);
    let looker = || {
        let map = &map;
        move |slug: &str| {
            let found = map.get(&key(slug)).map(|found| Arc::clone(&found));
            found.map_or(0, |link| sum(&link.own.destination))
        }
    };
    report(bytes, put, count, looker)
}

/// What looking up costs, by lookers that each thread makes for itself.
fn report<L: FnMut(&str) -> u64>(bytes: f64, put: u64, count: u32, looker: impl Fn() -> L + Sync) -> String {
    let entropy = SeededEntropy::new(3);
    let drawn: Vec<String> = (0..LOOKS)
        .map(|_| slug(1 + (entropy.number() % u64::from(count)) as u32))
        .collect();
    let random = best(|| looks(looker(), &drawn));
    let viral = [slug(count / 2)];
    let hot = || looks(looker(), &viral);
    let alone = best(hot);
    let together = best(|| {
        std::thread::scope(|scope| {
            let threads = [scope.spawn(hot), scope.spawn(hot)];
            threads
                .map(|thread| thread.join().expect("no panic"))
                .into_iter()
                .fold(0.0, f64::max)
        })
    });
    format!(
        "{bytes:.1} B a link; put {put} ns; random {random:.0} ns; viral {alone:.1} ns alone, {together:.1} ns with another ({:.2} x)",
        together / alone
    )
}

fn best(measure: impl Fn() -> f64) -> f64 {
    (0..ROUNDS).map(|_| measure()).fold(f64::INFINITY, f64::min)
}

/// Nanoseconds a look-up. Which slug is next hangs on what was found, as nothing of the next request is done before this
/// one is answered: a processor would else begin the next look-up while it waits for the memory of this one.
fn looks(mut looker: impl FnMut(&str) -> u64, slugs: &[String]) -> f64 {
    let began = Instant::now();
    let mut place = 0;
    for _ in 0..LOOKS {
        let found = black_box(looker(black_box(&slugs[place])));
        assert_ne!(found, 0, "{} is not there", slugs[place]);
        place = (place + 1 + (found as usize & 7)) % slugs.len();
    }
    began.elapsed().as_nanos() as f64 / LOOKS as f64
}

/// Touches the first, the middle and the last byte, as sending it does.
fn sum(text: &str) -> u64 {
    let bytes = text.as_bytes();
    u64::from(bytes[0]) + u64::from(bytes[bytes.len() / 2]) + u64::from(bytes[bytes.len() - 1])
}

fn key(slug: &str) -> u64 {
    match SlugKey::new(DomainNo::DEFAULT, true, slug) {
        SlugKey::Short(number) => number,
        SlugKey::Long(..) => panic!("{slug} is long"),
    }
}

/// Numbers that look drawn, and each once: a bijection of 64 bits (the finaliser of SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn letters(mut number: u64, length: usize) -> String {
    let digit = |_| {
        let digit = DIGITS[(number % 62) as usize];
        number /= 62;
        char::from(digit)
    };
    (0..length).map(digit).collect()
}

/// 7 characters; the first four and a half are the number itself, so that no two are alike.
fn slug(no: u32) -> String {
    letters(u64::from(no) + mixed(no.into()) % 3_000 * (1 << 30), 7)
}

fn link(no: u32, shop: bool) -> Link {
    let host = no % 40;
    let drawn = mixed(u64::from(no) << 20);
    let destination = if shop {
        let things = ["tea-towel", "wool-sock", "clay-bowl", "oak-stool"];
        let thing = things[drawn as usize % things.len()];
        format!(
            "https://www.shop{host:02}.example/products/{thing}-{no:08}?variant={:08}",
            drawn % 100_000_000
        )
    } else {
        let path: String = (0..5).map(|part| letters(mixed(drawn + part), 10)).collect();
        format!("https://brd{host:02}.example/{}", &path[..49])
    };
    assert_eq!(destination.len(), 71, "{destination}");
    Link {
        no: LinkNo(no),
        id: format!("link_{no}"),
        workspace: WorkspaceNo(1 + host),
        domain: DomainNo::DEFAULT,
        slug: slug(no),
        is_exact: true,
        terms: LinkTerms {
            destination,
            creator: no.is_multiple_of(2).then_some(CreatorNo(1 + no % 5_000)),
            ..LinkTerms::default()
        },
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}

fn domain() -> LinkDomain {
    LinkDomain {
        no: DomainNo::DEFAULT,
        id: "dom_default".to_owned(),
        workspace: None,
        slug: String::new(),
        is_primary: false,
        is_archived: false,
        is_case_sensitive: false,
        consent: ConsentMode::Gpc,
        has_legal_basis: false,
        cookie_domain: None,
        store: None,
        not_found_url: None,
        expired_url: None,
        redir_hosts: Vec::new(),
        proof: String::new(),
        verified_at: None,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}

/// Memory of this process that is in use (proc(5), `statm`).
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("a Linux system");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number of pages") * 4096
}
