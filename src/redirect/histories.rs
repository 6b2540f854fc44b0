//! The table against a plain map: whatever the history of links, every way of looking finds what the map says.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;

use super::record::LinkRecord;
use super::table::tests::{default_domain, link};
use super::{Table, TableReader, TableWriter, View};
use crate::domain::id::DomainNo;
use crate::domain::link::{Link, slugs_conflict};
use crate::domain::slug;

/// Slugs of every kind: of one key and of the other, alike but for their case, and one that is not ASCII.
const SLUGS: [&str; 9] = [
    "abc",
    "ABC",
    "Abc1234",
    "summer",
    "SUMMER",
    "a-much-longer-slug",
    "A-Much-Longer-Slug",
    "ÄPFEL",
    "äpfel",
];

/// What happens to the table.
#[derive(Debug, Clone)]
enum Step {
    /// A link is made, changed or renamed.
    Put {
        no: u32,
        slug: usize,
        is_exact: bool,
        kind: u8,
        length: usize,
    },
    Remove {
        no: u32,
    },
    /// The table is told what the books said before it began to fill.
    Load {
        no: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let no = 1..8u32;
    prop_oneof![
        6 => (no.clone(), 0..SLUGS.len(), any::<bool>(), 0..5u8, 0..90usize)
            .prop_map(|(no, slug, is_exact, kind, length)| Step::Put { no, slug, is_exact, kind, length }),
        2 => no.clone().prop_map(|no| Step::Remove { no }),
        3 => no.prop_map(|no| Step::Load { no }),
    ]
}

/// A link whose every part follows from the numbers; `version` makes it differ from all others.
fn made(no: u32, slug: &str, is_exact: bool, kind: u8, length: usize, version: usize) -> Link {
    let mut link = link(no, slug, is_exact);
    let text = "x".repeat(length);
    link.terms.destination = format!("https://host-{}.example/{version}/{text}", version % 3);
    match kind {
        1 => link.terms.expired_url = Some("https://over.example/".to_owned()),
        2 => link.terms.disabled_at = Some(crate::domain::time::Timestamp(1)),
        3 => link.terms.clicks_max = Some(1_000),
        4 => link.terms.reception.is_card = true,
        _ => {}
    }
    link
}

fn shown(record: &LinkRecord) -> (u32, String, Option<String>, [bool; 3]) {
    let extras = [record.is_disabled, record.limit.is_some(), record.card().is_some()];
    let expired = record.expired_url.as_deref().map(str::to_owned);
    (record.no.0, record.own.destination.clone(), expired, extras)
}

/// The link that the map has for `slug`.
fn expected<'a>(links: &'a HashMap<u32, Link>, slug: &str) -> Option<&'a Link> {
    let is_exactly = |link: &&Link| link.is_exact && link.slug == slug;
    let is_folded = |link: &&Link| !link.is_exact && slug::fold(&link.slug) == slug::fold(slug);
    links
        .values()
        .find(is_exactly)
        .or_else(|| links.values().find(is_folded))
}

/// A table, the map that it must agree with, and those who look.
struct Bench {
    reader: TableReader,
    writer: TableWriter,
    /// One looks at every slug after every step, so that it remembers all; one only now and then.
    eager: View,
    lazy: View,
    links: HashMap<u32, Link>,
    snapshot: HashMap<u32, Link>,
}

impl Bench {
    fn new() -> Self {
        let (reader, writer) = Table::new(&default_domain());
        Self {
            eager: reader.view(),
            lazy: reader.view(),
            reader,
            writer,
            links: HashMap::new(),
            snapshot: HashMap::new(),
        }
    }

    fn take(&mut self, step: &Step, version: usize) {
        match *step {
            Step::Put {
                no,
                slug,
                is_exact,
                kind,
                length,
            } => {
                let link = made(no, SLUGS[slug], is_exact, kind, length, version);
                let conflict = |other: &Link| {
                    other.no.0 != no && slugs_conflict((&link.slug, is_exact), (&other.slug, other.is_exact))
                };
                if !self.links.values().any(conflict) {
                    self.writer.put(&link, self.links.get(&no));
                    self.links.insert(no, link);
                }
            }
            Step::Remove { no } => {
                if let Some(gone) = self.links.remove(&no) {
                    self.writer.remove(&gone);
                }
            }
            Step::Load { no } => {
                if let Some(link) = self.snapshot.get(&no) {
                    self.writer.load(link);
                }
            }
        }
    }

    fn check(&mut self, slugs: &[&str], by_lazy: bool) -> Result<(), TestCaseError> {
        for slug in slugs {
            let expected = expected(&self.links, slug);
            let expected = expected.map(|link| {
                let limit = link.terms.clicks_max.map(|_| super::Uses::in_lanes(1, 1).into());
                shown(&LinkRecord::new(link, limit))
            });
            let view = if by_lazy { &mut self.lazy } else { &mut self.eager };
            prop_assert_eq!(
                view.link(DomainNo::DEFAULT, slug).map(shown),
                expected.clone(),
                "{}",
                slug
            );
            let record = self.reader.link(DomainNo::DEFAULT, slug);
            prop_assert_eq!(record.as_deref().map(shown), expected, "{}", slug);
        }
        prop_assert_eq!(self.reader.links(), self.links.len());
        Ok(())
    }
}

proptest! {
    #[test]
    fn every_history_of_changes_ends_in_what_was_last(steps in proptest::collection::vec(step(), 1..60)) {
        let mut bench = Bench::new();
        for (version, step) in steps.iter().enumerate() {
            bench.take(step, version);
            bench.check(&SLUGS, false)?;
            if version.is_multiple_of(7) {
                bench.check(&SLUGS[version % 3..], true)?;
            }
        }
        bench.check(&SLUGS, true)?;
    }

    /// The books hold some links when the table begins to fill; links change while it does.
    #[test]
    fn filling_brings_every_link_and_no_old_one(
        before in proptest::collection::vec(step(), 1..20),
        during in proptest::collection::vec(step(), 1..40),
    ) {
        let mut books = Bench::new();
        for (version, step) in before.iter().enumerate() {
            books.take(step, version);
        }
        let mut bench = Bench::new();
        (bench.links, bench.snapshot) = (books.links.clone(), books.links);
        for (version, step) in during.iter().enumerate() {
            bench.take(step, 100 + version);
        }
        for no in 1..8 {
            bench.take(&Step::Load { no }, 0);
        }
        bench.writer.set_loaded();
        bench.check(&SLUGS, false)?;
        // What somebody has read before that, and brings now.
        for no in 1..8 {
            bench.take(&Step::Load { no }, 0);
        }
        bench.check(&SLUGS, false)?;
    }
}

/// A destination that says of itself whether it is whole.
fn whole(no: u32, slug: &str, version: u64) -> String {
    let text = format!(
        "https://host-{}.example/{slug}/{}",
        version % 5,
        "y".repeat((version % 120) as usize)
    );
    format!("{text}/{no}/{:08x}", crc32c::crc32c(text.as_bytes()))
}

fn is_whole(destination: &str, no: u32, slug: &str) -> bool {
    let mut parts = destination.rsplitn(3, '/');
    let (sum, said, text) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
    sum == Some(&format!("{:08x}", crc32c::crc32c(text.as_bytes())))
        && said == Some(&no.to_string())
        && text.contains(&format!("/{slug}/"))
}

#[test]
fn what_is_read_while_others_write_is_whole() {
    const ROUNDS: u64 = 4_000;
    const LINKS: u32 = 24;
    let (reader, writer) = Table::new(&default_domain());
    let slug_of = |no: u32, version: u64| format!("{}{no}", ["s", "renamed-to-a-long-one-"][version as usize % 2]);
    let version_of = |no: u32, version: u64| {
        let slug = slug_of(no, version / 8);
        let mut link = link(no, &slug, false);
        link.terms.destination = whole(no, &slug, version);
        link.terms.reception.is_card = version.is_multiple_of(11);
        link
    };
    // Writers own every second link each; what they share is the memory that links leave and take.
    let write = |first: u32| {
        for no in (first..LINKS).step_by(2) {
            writer.put(&version_of(no, 0), None);
        }
        for version in 1..ROUNDS {
            let no = first + 2 * (version * 7 % u64::from(LINKS / 2)) as u32;
            writer.put(&version_of(no, version), Some(&version_of(no, version + 8)));
            if version.is_multiple_of(5) {
                writer.remove(&version_of(no, version));
            }
        }
    };
    let (is_over, found) = (AtomicBool::new(false), AtomicU64::new(0));
    let read = || {
        let mut view = reader.view();
        while !is_over.load(Ordering::Acquire) {
            for no in 0..LINKS {
                for version in [0, 1] {
                    let slug = slug_of(no, version);
                    if let Some(record) = view.link(DomainNo::DEFAULT, &slug) {
                        assert_eq!(record.no.0, no);
                        assert!(
                            is_whole(&record.own.destination, no, &slug),
                            "{}",
                            record.own.destination
                        );
                        found.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        let writers = [scope.spawn(|| write(0)), scope.spawn(|| write(1))];
        writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
        is_over.store(true, Ordering::Release);
        readers
            .into_iter()
            .for_each(|reader| reader.join().expect("every link was whole"));
    });
    assert!(found.into_inner() > 0);
}
