//! From a creator's link over the landing page to the shop's checkout, with the quantities that the follower chose.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::brand::{Brand, CART};
use crate::node::browse;
use crate::seen::Seen;
use crate::shop::Shop;
use crate::visit::{Visit, everybody, half_of_everybody};

/// The page's ground in `src/web/pages/landing.css`, as browsers compute it.
const LIGHT: &str = "rgb(245, 245, 246)";
const DARK: &str = "rgb(12, 14, 17)";

/// Asserts that the page came in one answer: besides it only pictures were fetched, and the icon for which browsers ask
/// unasked.
fn assert_one_answer(seen: &Seen) {
    let (page, others) = seen.answers.split_first().expect("a first answer");
    assert_eq!(page.kind, "Document", "{}: {page:?}", seen.name);
    for other in others {
        let is_icon = other.kind == "Other" && other.url.ends_with("/favicon.ico");
        assert!(other.kind == "Image" || is_icon, "{}: fetches {other:?}", seen.name);
    }
}

/// Asserts that the visitor stands in the shop at `origin` before `cart`, with the creator's code; the click id that
/// went along.
fn click_id_of_checkout<'a>(seen: &'a Seen, origin: &str, cart: &str) -> &'a str {
    let name = &seen.name;
    let arrived = seen.arrived.as_ref().unwrap_or_else(|| panic!("{name}: went nowhere"));
    assert_eq!((arrived.status, &*arrived.method), (200, "GET"), "{name}: {arrived:?}");
    let expected = format!("{origin}/cart/{cart}?discount=MIA10&attributes%5Bhop_id%5D=");
    let click_id = arrived
        .url
        .strip_prefix(&expected)
        .unwrap_or_else(|| panic!("{name}: arrived at {}, not at {expected}…", arrived.url));
    let is_click_id = click_id.len() == 32 && click_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    assert!(is_click_id, "{name}: {click_id:?} is no click id");
    click_id
}

/// Asserts that `visits` end in the shop before `cart`, and that the shop was asked for exactly that.
fn assert_arrivals(brand: &Brand, visits: &[Visit], seen: &[Seen], origin: &str, cart: &str) {
    let mut click_ids = BTreeSet::new();
    for (visit, seen) in visits.iter().zip(seen) {
        seen.assert_sound(visit);
        seen.assert_cart(visit);
        let click_id = click_id_of_checkout(seen, origin, cart);
        assert!(click_ids.insert(click_id), "{}: somebody else's click id", seen.name);
    }
    let arrived: Vec<&str> = seen
        .iter()
        .filter_map(|seen| seen.arrived.as_ref()?.url.strip_prefix(origin))
        .collect();
    assert_eq!(brand.shop.asked(), arrived, "what the shop was asked for");
}

#[test]
fn everybody_checks_out_what_they_chose() {
    let brand = Brand::open();
    let url = brand.link("mia", &CART).url();
    let mut visits = everybody("landing", &url);
    for without in [Visit::phone("", &url), Visit::desk("", &url)] {
        visits.push(Visit {
            name: format!("landing-{}-without-scripts", without.width),
            script: false,
            ..without
        });
    }
    for visit in &mut visits {
        visit.choose = BTreeMap::from([("q1", "3")]);
    }
    let seen = browse(&Brand::host_rules(), &visits);
    let origin = brand.shop.origin();
    assert_arrivals(&brand, &visits, &seen, &origin, "44017:1,44018:3,44019:1");
    for (visit, seen) in visits.iter().zip(&seen) {
        assert_one_answer(seen);
        // Three products and the creator.
        assert_eq!(seen.measures.images.len(), 4, "{}: pictures", seen.name);
        let ground = if visit.scheme == "dark" { DARK } else { LIGHT };
        assert_eq!(seen.measures.ground, ground, "{}: by {}", seen.name, visit.scheme);
    }
}

#[test]
fn many_pieces_are_typed_and_what_is_not_wanted_is_left_out() {
    let brand = Brand::open();
    let link = brand.link("bulk", &[("serum", 12), ("sunscreen", 1), ("lip-oil", 2)]);
    let mut visits = half_of_everybody("bulk", &link.url());
    // One on a phone, one at a desk.
    visits.truncate(2);
    for visit in &mut visits {
        visit.choose = BTreeMap::from([("q0", "17"), ("q1", "0")]);
    }
    let seen = browse(&Brand::host_rules(), &visits);
    assert_arrivals(&brand, &visits, &seen, &brand.shop.origin(), "44017:17,44019:2");
}

#[test]
fn a_shop_without_tls_is_reached_from_a_page_without_tls() {
    let brand = Brand::with_store_at(Shop::plain_origin);
    let link = brand.link("one", &[("serum", 1)]);
    let visits = [
        Visit::phone("one", link.plain_url()),
        Visit::desk("one-1280", link.plain_url()),
    ];
    let visits = visits.map(|visit| Visit {
        choose: BTreeMap::from([("q0", "10")]),
        ..visit
    });
    let seen = browse(&Brand::host_rules(), &visits);
    assert_arrivals(&brand, &visits, &seen, &brand.shop.plain_origin(), "44017:10");
}

#[test]
fn what_is_sold_out_can_be_read_by_everybody() {
    let brand = Brand::open();
    brand.sell_out("sunscreen");
    let some = brand.link_with("some", &CART, &json!({ "onOut": "drop" }));
    let none = brand.link_with("none", &CART[1..2], &json!({ "onOut": "drop" }));
    let waitlist = brand.link_with("later", &CART[1..2], &json!({ "onOut": "waitlist" }));
    let visits: Vec<Visit> = [
        ("some-sold-out", &some),
        ("all-sold-out", &none),
        ("waitlist", &waitlist),
    ]
    .iter()
    .flat_map(|(name, link)| half_of_everybody(name, &link.url()))
    .collect();
    let seen = browse(&Brand::host_rules(), &visits);
    for (visit, seen) in visits.iter().zip(&seen) {
        seen.assert_sound(visit);
        assert_one_answer(seen);
        assert_eq!(seen.status, 200, "{}", seen.name);
    }
}
