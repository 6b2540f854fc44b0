//! Whole pages as people get them: every one sound, none of them able to be broken by a name, and small.
//!
//! With `HOPCART_PAGES_DIR` set the pages and their style sheet are written there, to be looked at in a browser.

use super::address::Asked;
use super::filters::{Choices, Narrowed};
use super::performance::{PerformancePage, RowView, performance_page};
use super::{
    Names, OrderPage, OrderView, OrdersPage, assets, campaign_page, campaigns, creator_page, creator_report, creators,
    error_page, experiment_page, experiments, follower::FollowerPage, order, order_page, orders_page, sample,
    sign_in_page, tags,
};

/// Largest page with 200 rows, compared, and 400 points, in bytes before compression: each row has an interval drawn, four
/// changes and a way on.
const LARGE_PAGE_MAX: usize = 300 * 1024;

/// Largest page of a usual brand: 40 creators, 30 days.
const USUAL_PAGE_MAX: usize = 72 * 1024;

fn empty() -> PerformancePage {
    PerformancePage {
        totals: RowView::default(),
        rows: Vec::new(),
        series: Vec::new(),
        top_links: Vec::new(),
        notes: Vec::new(),
        ..sample::page(1, 1)
    }
}

#[test]
fn every_page_is_sound_and_links_the_sheet() {
    let pages = [
        ("usual", performance_page(&sample::page(40, 30))),
        ("niches", performance_page(&sample::niches())),
        ("large", performance_page(&sample::page(200, 400))),
        ("single", performance_page(&sample::page(1, 1))),
        ("empty", performance_page(&empty())),
        ("order", order_page(&order_named("Mia"))),
        ("orders", orders_page(&orders_named("Mia"))),
        ("campaign", campaign_page(&campaigns::samples::page("Autumn"))),
        (
            "experiment",
            experiment_page("Glow", &experiments::samples::experiment("tour")),
        ),
        ("creator", creator_page(&creators::samples::page("Mia"))),
        (
            "creator-report",
            creator_report::creator_report(&creator_report::samples::report("Mia")),
        ),
        ("sign-in", sign_in_page(None)),
        ("refused", sign_in_page(Some("This key is unknown or was revoked."))),
        ("error-401", error_page(401, None)),
        ("error-403", error_page(403, None)),
        ("error-404", error_page(404, None)),
        ("error-500", error_page(500, None)),
    ];
    let directory = std::env::var_os("HOPCART_PAGES_DIR").map(std::path::PathBuf::from);
    for (name, page) in &pages {
        tags::assert_sound(page);
        let sheets = page.matches(assets::style_path()).count() + page.matches(assets::public_style_path()).count();
        assert_eq!(sheets, 1, "{name}");
        if let Some(directory) = &directory {
            let relative = page.replace(assets::style_path(), &assets::style_path()[1..]);
            std::fs::write(directory.join(format!("{name}.html")), relative).expect("a directory to write to");
        }
    }
    if let Some(directory) = &directory {
        let sheet = directory.join(&assets::style_path()[1..]);
        std::fs::create_dir_all(sheet.parent().expect("assets")).expect("a directory to write to");
        std::fs::write(sheet, assets::STYLE).expect("a directory to write to");
        for page in FollowerPage::ALL {
            let file = directory.join(format!("follower-{}.html", page.status()));
            std::fs::write(file, page.html()).expect("a directory to write to");
        }
    }
}

#[test]
fn pages_stay_small() {
    let usual = performance_page(&sample::page(40, 30)).len();
    assert!(usual <= USUAL_PAGE_MAX, "{usual} bytes with 40 rows and 30 points");
    let mut large = sample::page(200, 400);
    for row in &mut large.rows {
        row.previous = Some(Box::new(RowView {
            clicks: row.clicks / 2,
            orders_milli: row.orders_milli / 2,
            conversion_rate: Some(0.01),
            net_revenue: 1,
            ..RowView::default()
        }));
    }
    let large = performance_page(&large).len();
    assert!(large <= LARGE_PAGE_MAX, "{large} bytes with 200 rows and 400 points");
}

/// What an attacker would put where a name goes.
pub(super) const BODIES: [&str; 20] = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example></ScRiPt>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg/onload=alert(1)//",
    "<body onpageshow=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<p style=\"position:fixed\">x</p>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<base href=//evil.example>",
    "<form action=//evil.example><input name=key>",
    "<!--<p>-->",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "x\" onfocus=\"alert(1)\" autofocus=\"",
    "x\" style=\"color:red\" y=\"",
    "\"\n<script\n>alert(1)</script\n>",
];

/// What could end the place that a value stands in.
pub(super) const OPENINGS: [&str; 10] = [
    "",
    "\">",
    "'>",
    "</title>",
    "</td></tr></table>",
    "</desc></svg>",
    "-->",
    "]]>",
    "&quot;>",
    "\u{0}\u{2028}\">",
];

/// A page in which every text is `text`.
fn filled_with(text: &str) -> PerformancePage {
    let row = RowView {
        key: text.into(),
        name: text.into(),
        ..sample::page(1, 1).totals
    };
    PerformancePage {
        workspace: text.into(),
        asked: Asked(
            [
                "interval",
                "groupBy",
                "sortBy",
                "model",
                "currency",
                "partnerId",
                "linkId",
                "country",
                "start",
                "timezone",
            ]
            .map(|name| (name.to_owned(), text.to_owned()))
            .into(),
        ),
        choices: Choices {
            creators: vec![(text.into(), text.into())],
            niches: vec![(text.into(), text.into())],
            campaigns: vec![(text.into(), text.into())],
            stores: vec![(text.into(), text.into())],
        },
        narrowed: vec![Narrowed {
            name: "linkId",
            what: "Link",
            value: text.into(),
        }],
        model: text.into(),
        rows: vec![
            RowView {
                name: String::new(),
                ..row.clone()
            },
            row,
        ],
        series: vec![(text.into(), 1), (text.into(), 2), (format!("{text}2"), 3)],
        top_links: vec![(text.into(), 3), (format!("https://{text}"), 2)],
        notes: vec![text.into()],
        api_url: text.into(),
        ..sample::page(1, 1)
    }
}

/// An order in which every text is `text`.
fn order_of(text: &str) -> OrderView {
    let told = serde_json::json!({
        "id": text, "storeId": text, "externalId": text, "name": text, "orderedAt": text, "currency": text,
        "quarantine": text, "cancelledAt": text, "discountCodes": [text], "flags": [text],
        "credit": { "state": "held", "by": text, "partnerId": text, "heldFor": text, "decision": text, "reason": text },
        "lines": [{ "sku": text, "title": text }],
        "evidence": [{ "kind": text, "used": true, "reason": text, "code": text, "partnerId": text, "linkId": text,
            "leakSignals": [text], "at": text, "orderId": text }],
        "touches": [{ "kind": text, "at": text, "linkId": text, "partnerId": text, "shares": { text: { "orders": 0.5 } } }],
    });
    serde_json::from_value(told).expect("an order")
}

fn order_named(text: &str) -> OrderPage {
    OrderPage {
        workspace: text.into(),
        order: if text == "Mia" { order::sample() } else { order_of(text) },
        names: Names {
            creators: [(text.to_owned(), (text.to_owned(), Some(text.to_owned())))].into(),
            links: [(text.to_owned(), text.to_owned())].into(),
            stores: [(text.to_owned(), text.to_owned())].into(),
        },
        model: text.into(),
        form_token: text.into(),
    }
}

fn orders_named(text: &str) -> OrdersPage {
    OrdersPage {
        workspace: text.into(),
        asked: Asked(vec![("search".into(), text.into()), ("credit".into(), text.into())]),
        orders: vec![if text == "Mia" { order::sample() } else { order_of(text) }],
        names: order_named(text).names,
        number: 2,
        has_more: true,
    }
}

#[test]
fn no_text_breaks_out_of_its_place() {
    for opening in OPENINGS {
        for body in BODIES {
            let payload = format!("{opening}{body}");
            let pages = [
                (
                    performance_page(&filled_with(&payload)),
                    performance_page(&filled_with("plain")),
                ),
                (
                    performance_page(&PerformancePage {
                        workspace: payload.clone(),
                        api_url: payload.clone(),
                        ..empty()
                    }),
                    performance_page(&empty()),
                ),
                (order_page(&order_named(&payload)), order_page(&order_named("plain"))),
                (
                    orders_page(&orders_named(&payload)),
                    orders_page(&orders_named("plain")),
                ),
                (
                    campaign_page(&campaigns::samples::page(&payload)),
                    campaign_page(&campaigns::samples::page("plain")),
                ),
                (
                    experiment_page(&payload, &experiments::samples::experiment(&payload)),
                    experiment_page("plain", &experiments::samples::experiment("plain")),
                ),
                (
                    creator_page(&creators::samples::page(&payload)),
                    creator_page(&creators::samples::page("plain")),
                ),
                (
                    creator_report::creator_report(&creator_report::samples::report(&payload)),
                    creator_report::creator_report(&creator_report::samples::report("plain")),
                ),
                (sign_in_page(Some(&payload)), sign_in_page(Some("plain"))),
                (error_page(404, Some(&payload)), error_page(404, Some("plain"))),
            ];
            for (page, harmless) in &pages {
                assert!(!page.contains(&payload), "{payload}");
                assert!(!page.to_ascii_lowercase().contains("<script"), "{payload}");
                // Attributes are from a fixed list without `style` and `on…`, and there are as many tags as without.
                let tags = tags::assert_sound(page);
                assert_eq!(tags.len(), tags::assert_sound(harmless).len(), "{payload}");
                let to_script = |tag: &tags::Tag<'_>| tag.value("href").unwrap_or_default().contains("script:");
                assert!(!tags.iter().any(to_script), "{payload}");
            }
        }
    }
}
