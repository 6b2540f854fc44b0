//! The page that stands in for one that cannot be shown.
//!
//! Tells a person what to do next; what went wrong inside belongs into the log.

use maud::html;

use super::layout;

/// A page for HTTP status `status`; `detail` is one more sentence that the person may read.
pub fn error_page(status: u16, detail: Option<&str>) -> String {
    let (title, advice) = words(status);
    let content = html! {
        section.narrow.card {
            p.status { (status) }
            h1 { (title) }
            @if let Some(detail) = detail { p { (detail) } }
            p.help { (advice) }
            @if status == 401 {
                a.button href="/sign-in" { "Sign in" }
            } @else {
                a.button href="/" { "Back to the numbers" }
            }
        }
    };
    layout::shell(title, &content)
}

/// Title and advice for a status.
fn words(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("Please sign in", "You are signed out, or your key was revoked."),
        403 => (
            "Not yours to see",
            "This key may not do that. Ask whoever runs the server for one that may.",
        ),
        404 => ("Nothing here", "Check the address, or start again from the front page."),
        400..=499 => (
            "That did not work",
            "Check what you sent, or start again from the front page.",
        ),
        _ => (
            "Something broke",
            "It is our fault, not yours. Try again in a moment; the server's log says more.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::tags;

    #[test]
    fn every_status_has_a_title_and_a_way_on() {
        for (status, title, way) in [
            (401, "Please sign in", "/sign-in"),
            (403, "Not yours to see", "/"),
            (404, "Nothing here", "/"),
            (418, "That did not work", "/"),
            (500, "Something broke", "/"),
            (503, "Something broke", "/"),
        ] {
            let page = error_page(status, None);
            let tags = tags::assert_sound(&page);
            assert!(page.contains(&format!("<h1>{title}</h1>")), "{status}");
            assert!(page.contains(&format!("<p class=\"status\">{status}</p>")));
            let on = tags.iter().find(|tag| tag.value("class") == Some("button"));
            assert_eq!(on.and_then(|tag| tag.value("href")), Some(way), "{status}");
        }
    }

    #[test]
    fn a_detail_is_escaped() {
        let page = error_page(404, Some("no link <b>x</b>"));
        assert!(page.contains("no link &lt;b&gt;x&lt;/b&gt;"));
    }
}
