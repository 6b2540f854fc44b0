//! The first visit on a cheap phone with a bad connection: how much has to come, and how soon there is something to read.

use crate::brand::{Brand, CART};
use crate::node::browse;
use crate::seen::{Seen, Timing};
use crate::slow_link::SlowLink;
use crate::visit::Visit;

/// Longest wait for the first text, in milliseconds: name, TCP, TLS and the page, 400 ms a round trip.
const PAINT_MAX: f64 = 3_000.0;
/// Most bytes of the page on the wire, head and compressed body. TCP sends 14,600 before it waits (RFC 6928), and TLS
/// needs some of them.
const PAGE_MAX: u64 = 10_000;

#[test]
fn a_slow_phone_shows_the_page_within_three_seconds() {
    let brand = Brand::open();
    let radio = SlowLink::up();
    let link = brand.link("mia", &CART);
    let rules = brand.host_rules_by(|server| radio.to(server));
    let visits = ["first", "second", "third"].map(|time| Visit {
        cpu_slowdown: Some(4),
        ..Visit::phone(format!("slow-phone-{time}"), link.url())
    });
    let seen = browse(&rules, &visits);
    for (visit, seen) in visits.iter().zip(&seen) {
        seen.assert_sound(visit);
        seen.assert_cart(visit);
        println!("{}, in ms since the tap: {}", seen.name, timing(seen));
    }
    // Other work on this machine can only make it late.
    let paints = seen.iter().map(|seen| timing(seen).first_contentful_paint);
    let paint = paints.reduce(f64::min).expect("three of them");
    assert!(paint <= PAINT_MAX, "first contentful paint after {paint:.0} ms");
    // Name, TCP, TLS, request: sooner than that, nothing was slowed down.
    assert!(
        paint >= 4.0 * 400.0,
        "first contentful paint after {paint:.0} ms already"
    );
}

fn timing(seen: &Seen) -> &Timing {
    seen.timing.as_ref().expect("scripts ran")
}

#[test]
fn the_page_is_small() {
    let brand = Brand::open();
    let link = brand.link("mia", &CART);
    let seen = browse(&Brand::host_rules(), &[Visit::phone("small", link.url())]);
    let page = seen[0].document();
    println!("{page:?}");
    let bytes = page.bytes.expect("the page's end");
    assert!(bytes <= PAGE_MAX, "the page takes {bytes} bytes: {page:?}");
    assert!(page.encoding.is_some(), "sent as it is, not compressed: {page:?}");
}
