//! The frame that every brand page stands in: head, header, main.
//!
//! Knows no page's content; whoever calls hands in markup that is escaped already.

use maud::{DOCTYPE, Markup, html};

use super::assets;

/// The product's name as people read it.
pub const PRODUCT: &str = "Hopcart";

/// The mark as an icon: in the page itself, so that no browser asks for a file.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E\
    %3Crect width='32' height='32' rx='8' fill='%230a6b4b'/%3E\
    %3Cpath d='M6 20q5-13 10 0q5-13 10 0' fill='none' stroke='%23fff' stroke-width='3' stroke-linecap='round'/%3E\
    %3C/svg%3E";

/// The console's places, in the order in which they stand in its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Performance,
    Orders,
    Creators,
    Campaigns,
    Experiments,
}

impl Place {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Performance, "/", "Performance"),
        (Self::Orders, "/console/orders", "Orders"),
        (Self::Creators, "/console/creators", "Creators"),
        (Self::Campaigns, "/console/campaigns", "Campaigns"),
        (Self::Experiments, "/console/experiments", "Experiments"),
    ];
}

/// A page of the console: who is signed in, the ways to its places, and a button to sign out stand in the header.
pub fn console(title: &str, workspace: &str, current: Option<Place>, content: &Markup) -> String {
    let head = html! {
        a.brand href="/" { (mark()) span { (PRODUCT) } }
        (signed_in(workspace))
        nav.places aria-label="Console" {
            @for (place, address, name) in Place::ALL {
                a href=(address) aria-current=[(current == Some(place)).then_some("page")] { (name) }
            }
        }
    };
    frame(title, assets::style_path(), &head, content)
}

/// A page for somebody who is not signed in.
pub fn shell(title: &str, content: &Markup) -> String {
    let head = html! { a.brand href="/" { (mark()) span { (PRODUCT) } } };
    frame(title, assets::style_path(), &head, content)
}

/// A page on the public listener: in the name of `brand`, and leading nowhere.
pub fn public(title: &str, brand: &str, content: &Markup) -> String {
    let head = html! { span.brand { (brand) } };
    frame(title, assets::public_style_path(), &head, content)
}

fn frame(title: &str, style: &str, head: &Markup, content: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                meta name="referrer" content="no-referrer";
                title { (title) " · " (PRODUCT) }
                link rel="icon" href=(ICON);
                link rel="stylesheet" href=(style);
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header.top {
                    div.top-inner { (head) }
                }
                main #main tabindex="-1" { (content) }
            }
        }
    }
    .into_string()
}

/// Who is signed in, and the way out: a POST, so that no link or picture elsewhere can sign anybody out.
fn signed_in(workspace: &str) -> Markup {
    html! {
        span.workspace title=(workspace) { (workspace) }
        form method="post" action="/sign-out" {
            button.quiet type="submit" { "Sign out" }
        }
    }
}

/// Two hops on a square.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" {
            rect width="32" height="32" rx="8" {}
            path d="M6 20q5-13 10 0q5-13 10 0" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::tags;

    #[test]
    fn the_frame_names_its_page_language_and_sheet() {
        let page = console(
            "Performance",
            "Glow & Co",
            Some(Place::Orders),
            &html! { p { "hello" } },
        );
        tags::assert_sound(&page);
        for part in [
            "<!DOCTYPE html>",
            "<html lang=\"en\">",
            "<title>Performance · Hopcart</title>",
            "name=\"viewport\"",
            "href=\"#main\"",
            assets::style_path(),
            "Glow &amp; Co",
            "<form method=\"post\" action=\"/sign-out\">",
            "<a href=\"/console/orders\" aria-current=\"page\">Orders</a>",
            "<a href=\"/console/campaigns\">Campaigns</a>",
        ] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn nobody_signs_out_who_is_not_signed_in() {
        assert!(!shell("Sign in", &html! {}).contains("/sign-out"));
    }

    #[test]
    fn a_public_page_leads_nowhere() {
        let page = public("Mia", "Glow & Co", &html! {});
        let tags = tags::assert_sound(&page);
        let links: Vec<_> = tags
            .iter()
            .filter(|tag| tag.name == "a")
            .filter_map(|tag| tag.value("href"))
            .collect();
        assert_eq!(links, ["#main"]);
        assert!(page.contains(assets::public_style_path()) && !page.contains("/console"));
    }
}
