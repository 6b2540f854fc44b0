//! Whole pages as people get them: every one sound, none of them able to be broken by a name, and small.
//!
//! With `HOPCART_PAGES_DIR` set the pages and their style sheet are written there, to be looked at in a browser.

use super::performance::{GroupBy, PerformancePage, RowView, performance_page};
use super::{assets, error_page, follower::FollowerPage, sample, sign_in_page, tags};

/// Largest page with 200 rows and 400 points, in bytes before compression.
const LARGE_PAGE_MAX: usize = 108 * 1024;

/// Largest page of a usual brand: 40 creators, 30 days.
const USUAL_PAGE_MAX: usize = 32 * 1024;

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
        assert_eq!(page.matches(assets::style_path()).count(), 1, "{name}");
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
    let large = performance_page(&sample::page(200, 400)).len();
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
        interval: text.into(),
        group_by: GroupBy::Creator,
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
