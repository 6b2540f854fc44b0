//! The waiting list: what is sold out, and a field for the address that wants to know when it is back.
//!
//! Consent is asked for, never assumed: the box is unticked, also when the form comes back. The thanks are the same
//! for an address that was already there, so that nobody can ask who is on the list.

use maud::{Markup, html};

use super::landing::{LandingItem, picture};
use super::language::Language;
use super::storefront::{Layout, Storefront, around, farewell, frame, intro, web_address};

/// Longest e-mail address, in characters (RFC 5321, 4.5.3.1.3: a path of 256 with its angle brackets).
pub const EMAIL_MAX: u32 = 254;

/// A tick.
const DONE: &str = "M4 12.5l5.5 5.5L20 6.5";

/// What the waiting list shows.
#[derive(Debug, Clone, Copy)]
pub struct WaitlistPage<'a> {
    pub shop: Storefront<'a>,
    /// Shown as sold out, whatever their state says.
    pub items: &'a [LandingItem<'a>],
    /// Where the form posts `token`, `email` and `consent=yes`.
    pub action: &'a str,
    /// Opaque, signed by the server.
    pub token: &'a str,
    /// What was typed before; empty at first.
    pub email: &'a str,
    pub refused: Option<Refused>,
    /// The store's front; shown when it is an `http` or `https` address.
    pub front_url: &'a str,
}

/// Why the form comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No e-mail address.
    BadEmail,
    /// The box was not ticked.
    NoConsent,
}

/// What the follower agrees to, as plain text: to be kept with the address as the proof of it.
pub fn consent_text(language: Language, store_name: &str) -> String {
    let sentence = language.words().consent;
    format!("{}{store_name}{}", sentence.0, sentence.1)
}

/// The page with the form; sent as HTTP 200, and as 422 with `refused`.
pub fn waitlist_page(page: &WaitlistPage<'_>) -> String {
    let shop = &page.shop;
    let words = shop.language.words();
    let content = html! {
        (intro(shop, words.sold_out_for_now, &around(words.leave_email, shop.store_name)))
        // Small pictures, also of a single item: the form should be in sight.
        ul.card role="list" {
            @for (place, item) in page.items.iter().enumerate() {
                li.item.out {
                    (picture(item, place == 0))
                    div.about {
                        h2 { bdi { (item.title) } }
                        p.badge { (words.sold_out) }
                    }
                }
            }
        }
        (form(page))
        @if let Some(front_url) = web_address(page.front_url) {
            a.onward href=(front_url) rel="noopener" { (around(words.visit, shop.store_name)) }
        }
    };
    frame(shop, words.sold_out_for_now, Layout::Narrow, &content)
}

fn form(page: &WaitlistPage<'_>) -> Markup {
    let words = page.shop.language.words();
    let is_bad_email = page.refused == Some(Refused::BadEmail);
    let is_no_consent = page.refused == Some(Refused::NoConsent);
    html! {
        form.card.ask method="post" action=(page.action) {
            input type="hidden" name="token" value=(page.token);
            label for="email" { (words.email) }
            // An address runs from left to right in every language.
            input #email.mail name="email" type="email" dir="ltr" required autocomplete="email" inputmode="email"
                autocapitalize="none" spellcheck="false" maxlength=(EMAIL_MAX) value=(page.email)
                autofocus[is_bad_email] aria-invalid=[is_bad_email.then_some("true")]
                aria-describedby=[is_bad_email.then_some("refused")];
            @if is_bad_email { p.bad #refused role="alert" { (words.bad_email) } }
            label.yes for="consent" {
                input #consent name="consent" value="yes" type="checkbox" required
                    autofocus[is_no_consent] aria-invalid=[is_no_consent.then_some("true")]
                    aria-describedby=[is_no_consent.then_some("refused")];
                span { (around(words.consent, page.shop.store_name)) }
            }
            @if is_no_consent { p.bad #refused role="alert" { (words.no_consent) } }
            button.go type="submit" { (words.tell_me) }
        }
    }
}

/// The thanks, the same for every submission.
pub fn thanks_page(shop: &Storefront<'_>, front_url: &str) -> String {
    let words = shop.language.words();
    let advice = around(words.will_email, shop.store_name);
    farewell(shop, DONE, words.on_the_list, &advice, front_url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::landing_sample as sample;
    use crate::web::pages::tags;

    #[test]
    fn the_form_asks_for_an_address_and_consent() {
        let page = waitlist_page(&sample::waitlist(Language::English));
        let bare = sample::without_styles(&page);
        let tags = tags::assert_sound(&bare);
        let inputs: Vec<_> = tags.iter().filter(|tag| tag.name == "input").collect();
        let names: Vec<_> = inputs.iter().filter_map(|input| input.value("name")).collect();
        assert_eq!(names, ["token", "email", "consent"]);
        assert_eq!(inputs[1].value("type"), Some("email"));
        assert!(inputs[1].value("required").is_some() && inputs[2].value("required").is_some());
        assert_eq!(inputs[2].value("checked"), None);
        assert!(page.contains("method=\"post\" action=\"/_/waitlist\""));
        assert!(!page.contains("role=\"alert\"") && !page.contains("autofocus"));
    }

    #[test]
    fn a_refusal_keeps_the_address_but_not_the_tick() {
        for (refused, field) in [(Refused::BadEmail, "email"), (Refused::NoConsent, "consent")] {
            let page = waitlist_page(&WaitlistPage {
                email: "mia\"@x",
                refused: Some(refused),
                ..sample::waitlist(Language::English)
            });
            let bare = sample::without_styles(&page);
            let tags = tags::assert_sound(&bare);
            let named = |id| tags.iter().find(|tag| tag.value("id") == Some(id)).expect("a field");
            assert_eq!(named("email").value("value"), Some("mia&quot;@x"));
            assert_eq!(named("consent").value("checked"), None);
            assert_eq!(named(field).value("aria-invalid"), Some("true"));
            assert_eq!(named(field).value("aria-describedby"), Some("refused"));
            assert_eq!(named("refused").value("role"), Some("alert"));
        }
    }

    #[test]
    fn what_is_agreed_to_is_what_the_page_says() {
        for language in Language::ALL {
            let view = sample::waitlist(language);
            let page = waitlist_page(&view).replace("<bdi>", "").replace("</bdi>", "");
            assert!(page.contains(&consent_text(language, view.shop.store_name)));
        }
    }

    #[test]
    fn no_way_on_leads_into_a_script() {
        let view = sample::waitlist(Language::English);
        assert!(waitlist_page(&view).contains("href=\"https://glow.example/\""));
        for front_url in [
            "javascript:alert(1)",
            "data:text/html,x",
            "",
            "//evil.example",
            " https://x",
        ] {
            assert!(!waitlist_page(&WaitlistPage { front_url, ..view }).contains("href"));
            assert!(!thanks_page(&view.shop, front_url).contains("href"));
        }
    }
}
