//! The follower's pages as a whole: sound in every language, closed to hostile names, and small.
//!
//! With `HOPCART_PAGES_DIR` set the pages are written there, with the policy they are sent under beside them, to be
//! looked at in a browser.

use super::accent::Accent;
use super::landing::{ItemState, LandingItem, LandingPage, Notice, landing_page};
use super::landing_sample::{self as sample, without_styles};
use super::language::Language;
use super::look::{BODIES, OPENINGS};
use super::sold_out::sold_out_page;
use super::storefront::{Storefront, landing_csp};
use super::tags;
use super::waitlist::{Refused, WaitlistPage, thanks_page, waitlist_page};
use crate::domain::money::Currency;

/// Largest page with three items, in bytes before compression: even so it fits the first flight of a connection
/// (ten segments, RFC 6928).
const THREE_ITEMS_MAX: usize = 12 * 1024;

/// Every page that exists in `language`, by name.
fn pages(language: Language) -> Vec<(&'static str, String)> {
    let view = sample::three_items(language);
    let waitlist = sample::waitlist(language);
    let one_code = ["MIA10".to_owned(), "SHIPFREE".to_owned()];
    let mixed = sample::one_out_one_replaced();
    let bare_items = [
        LandingItem {
            image_url: None,
            price: None,
            ..view.items[0]
        },
        LandingItem {
            quantity: 12,
            ..view.items[1]
        },
    ];
    let bare = Storefront {
        accent: None,
        creator_name: None,
        creator_image: None,
        ..view.shop
    };
    let yellow = Storefront {
        accent: Accent::parse("#ffd400"),
        logo_url: Some("https://cdn.glow.example/logo.png"),
        ..view.shop
    };
    let long = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch".repeat(4);
    let long_items = [LandingItem {
        title: &long,
        ..mixed[2]
    }; 2];
    let long_shop = Storefront {
        store_name: &long[..80],
        creator_name: Some(&long[..100]),
        ..view.shop
    };
    let with = |items, shop, notice| {
        landing_page(&LandingPage {
            items,
            shop,
            notice,
            ..view
        })
    };
    vec![
        ("three", landing_page(&view)),
        ("one", with(&view.items[..1], yellow, None)),
        ("mixed", with(&mixed, view.shop, Some(Notice::StockChanged))),
        (
            "bare",
            landing_page(&LandingPage {
                codes: &one_code,
                items: &bare_items,
                shop: bare,
                ..view
            }),
        ),
        ("long", with(&long_items[..1], long_shop, None)),
        ("long-thanks", thanks_page(&long_shop, sample::FRONT)),
        ("waitlist", waitlist_page(&waitlist)),
        (
            "waitlist-three",
            waitlist_page(&WaitlistPage {
                items: view.items,
                ..waitlist
            }),
        ),
        (
            "refused",
            waitlist_page(&WaitlistPage {
                email: "mia@glow",
                refused: Some(Refused::BadEmail),
                ..waitlist
            }),
        ),
        ("thanks", thanks_page(&view.shop, sample::FRONT)),
        ("sold-out", sold_out_page(&bare, sample::FRONT)),
    ]
}

#[test]
fn every_language_has_every_page() {
    let directory = std::env::var_os("HOPCART_PAGES_DIR").map(std::path::PathBuf::from);
    for language in Language::ALL {
        for (name, page) in pages(language) {
            let bare = without_styles(&page);
            let tags = tags::assert_sound(&bare);
            let (html, tag) = (&tags[0], language.tag());
            assert_eq!(html.value("lang"), Some(tag));
            assert_eq!(html.value("dir"), Some(language.direction()));
            assert_eq!(tags.iter().filter(|tag| tag.name == "h1").count(), 1, "{name}");
            for field in tags.iter().filter(|tag| matches!(tag.name, "select" | "input")) {
                let is_labelled = tags.iter().any(|tag| tag.value("for") == field.value("id"));
                assert!(
                    field.value("type") == Some("hidden") || is_labelled,
                    "{field:?} of {name}"
                );
            }
            for element in ["bdi", "b", "button", "h1", "h2", "label", "p", "small", "span", "title"] {
                let empty = format!("<{element}></{element}>");
                assert!(!page.contains(&empty), "{empty} in {name} of {tag}");
            }
            if let Some(directory) = &directory {
                let file = directory.join(format!("landing-{name}-{tag}.html"));
                std::fs::write(file, &page).expect("a directory to write to");
            }
        }
    }
    if let Some(directory) = &directory {
        for accent in ["", "#c2255c", "#ffd400"] {
            let hosts = ["cdn.glow.example".to_owned()];
            let csp = landing_csp(Accent::parse(accent), &hosts, "https://glow.example");
            let file = directory.join(format!("csp{}.txt", accent.replace('#', "-")));
            std::fs::write(file, csp).expect("a directory to write to");
        }
    }
}

#[test]
fn pages_stay_small() {
    for language in Language::ALL {
        let three = landing_page(&sample::three_items(language)).len();
        assert!(three <= THREE_ITEMS_MAX, "{three} bytes in {language:?}");
    }
}

/// The pages with every text replaced by `text`.
fn filled_with(text: &str) -> [String; 4] {
    let shop = Storefront {
        store_name: text,
        logo_url: Some(text),
        creator_name: Some(text),
        creator_image: Some(text),
        ..sample::storefront(Language::English)
    };
    let item = LandingItem {
        title: text,
        image_url: Some(text),
        ..sample::three_items(Language::English).items[0]
    };
    let replaced = LandingItem {
        index: 1,
        state: ItemState::Replaced { instead_of: text },
        ..item
    };
    let codes = [text.to_owned(), text.to_owned()];
    let landing = LandingPage {
        shop,
        currency: Currency::EUR,
        items: &[item, replaced],
        codes: &codes,
        action: text,
        token: text,
        notice: None,
    };
    let waitlist = WaitlistPage {
        shop,
        items: landing.items,
        action: text,
        token: text,
        email: text,
        refused: Some(Refused::BadEmail),
        front_url: text,
    };
    let named = Storefront { logo_url: None, ..shop };
    [
        landing_page(&landing),
        waitlist_page(&waitlist),
        thanks_page(&named, text),
        sold_out_page(&named, text),
    ]
}

#[test]
fn no_text_breaks_out_of_its_place() {
    let harmless = filled_with("plain");
    for opening in OPENINGS {
        for body in BODIES {
            for payload in [format!("{opening}{body}"), format!("</style>{opening}{body}")] {
                for (page, harmless) in filled_with(&payload).iter().zip(&harmless) {
                    assert!(!page.contains(&payload), "{payload}");
                    assert!(!page.to_ascii_lowercase().contains("<script"), "{payload}");
                    let (bare, harmless) = (without_styles(page), without_styles(harmless));
                    let tags = tags::assert_sound(&bare);
                    assert_eq!(tags.len(), tags::assert_sound(&harmless).len(), "{payload}");
                    assert!(!tags.iter().any(|tag| tag.value("href").is_some()), "{payload}");
                }
            }
        }
    }
}
