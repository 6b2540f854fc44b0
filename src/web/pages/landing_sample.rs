//! A creator's cart, made up for tests, and the knife that takes the styles out of a page.

use super::accent::Accent;
use super::landing::{ItemState, LandingItem, LandingPage};
use super::language::Language;
use super::storefront::{Storefront, landing_csp};
use super::waitlist::WaitlistPage;
use crate::domain::money::Currency;

pub const FRONT: &str = "https://glow.example/";

const ITEM: LandingItem<'static> = LandingItem {
    index: 0,
    title: "Dewy Barrier Serum with Niacinamide, 30 ml",
    image_url: Some("https://cdn.glow.example/serum.jpg"),
    quantity: 1,
    quantity_max: 99,
    price: Some(2_490),
    state: ItemState::Available,
};

const ITEMS: [LandingItem<'static>; 3] = [
    ITEM,
    LandingItem {
        index: 1,
        title: "Mineral Sunscreen SPF 50, tinted",
        image_url: Some("https://cdn.glow.example/spf.jpg"),
        quantity: 2,
        quantity_max: 4,
        price: Some(1_800),
        ..ITEM
    },
    LandingItem {
        index: 2,
        title: "Lip Oil, Rosehip",
        image_url: Some("https://cdn.glow.example/lip.jpg"),
        price: Some(1_250),
        ..ITEM
    },
];

pub fn storefront(language: Language) -> Storefront<'static> {
    Storefront {
        language,
        store_name: "Glow Botanics",
        logo_url: None,
        accent: Accent::parse("#c2255c"),
        creator_name: Some("Mia Fernández"),
        creator_image: Some("https://cdn.glow.example/mia.jpg"),
    }
}

pub fn three_items(language: Language) -> LandingPage<'static> {
    static CODES: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| vec!["MIA10".to_owned()]);
    LandingPage {
        shop: storefront(language),
        currency: Currency::EUR,
        items: &ITEMS,
        codes: &CODES,
        action: "/_/go",
        token: "tok.en-1",
        notice: None,
    }
}

/// The three items with the second one gone and the third one standing in for another.
pub fn one_out_one_replaced() -> [LandingItem<'static>; 3] {
    let mut items = ITEMS;
    items[1].state = ItemState::OutOfStock;
    items[2].state = ItemState::Replaced {
        instead_of: "Lip Oil, Cherry",
    };
    items
}

pub fn waitlist(language: Language) -> WaitlistPage<'static> {
    WaitlistPage {
        shop: storefront(language),
        items: &ITEMS[..1],
        action: "/_/waitlist",
        token: "tok.en-2",
        email: "",
        refused: None,
        front_url: FRONT,
    }
}

/// `page` without its style elements, each of which must be one that the policy allows.
pub fn without_styles(page: &str) -> String {
    let accents = [None, Accent::parse("#c2255c"), Accent::parse("#ffd400")];
    let policies = accents.map(|accent| landing_csp(accent, &[], ""));
    let mut bare = String::new();
    let mut rest = page;
    let mut styles = 0;
    while let Some((before, after)) = rest.split_once("<style>") {
        let (style, after) = after.split_once("</style>").expect("an end");
        let hash = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes()),
        );
        let source = format!("'sha256-{hash}'");
        assert!(policies.iter().any(|policy| policy.contains(&source)), "{style}");
        bare.push_str(before);
        rest = after;
        styles += 1;
    }
    assert!((1..=2).contains(&styles), "{styles} styles");
    bare + rest
}
