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

/// A whole page. With `workspace` its name and a button to sign out stand in the header.
pub fn shell(title: &str, workspace: Option<&str>, content: &Markup) -> String {
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
                link rel="stylesheet" href=(assets::style_path());
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header.top {
                    div.top-inner {
                        a.brand href="/" { (mark()) span { (PRODUCT) } }
                        @if let Some(workspace) = workspace { (signed_in(workspace)) }
                    }
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
        let page = shell("Performance", Some("Glow & Co"), &html! { p { "hello" } });
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
        ] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn nobody_signs_out_who_is_not_signed_in() {
        assert!(!shell("Sign in", None, &html! {}).contains("/sign-out"));
    }
}
