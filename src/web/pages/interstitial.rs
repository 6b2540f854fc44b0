//! The pages between a link and where it leads: open the app, or the browser; ask for the password; and the link's card,
//! for chats that preview it and for people who want to know first.
//!
//! Each is one answer: its style stands in it, allowed by its hash, and nothing is fetched. No script. They say of a link
//! only what its brand has written for everybody.

use std::sync::LazyLock;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::language::Language;
use super::storefront::{style_source, web_address};
use crate::domain::password::PASSWORD_MAX;

/// Sent with every page.
const STYLE: &str = "\
*{box-sizing:border-box}body{margin:0;padding:1rem;color-scheme:light dark;background:#f5f5f6;color:#15171c;\
font:1.0625rem/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif;overflow-wrap:break-word}\
main{max-width:26rem;margin:12vh auto 0;padding:2rem 1.5rem;background:#fff;border:1px solid #e3e4e8;border-radius:1.25rem}\
.mark{display:block;width:2.5rem;height:2.5rem;margin:0 -.35rem 1rem;fill:none;stroke:#5a6170;stroke-width:1.5;\
stroke-linecap:round;stroke-linejoin:round}h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}\
p{margin:0 0 1.25rem;color:#5a6170}label{display:block;font-weight:600;margin-bottom:.375rem}\
input{width:100%;font:inherit;padding:.75rem;border:1px solid #868c99;border-radius:.75rem;background:#fff;color:inherit}\
.host{padding:.75rem 1rem;border-radius:.75rem;background:#f5f5f6}.host strong{display:block;color:#15171c}\
.go{display:block;width:100%;margin-top:1.25rem;padding:.875rem;border:0;border-radius:.75rem;background:#15171c;\
color:#fff;font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer}\
.other{display:block;margin-top:.5rem;padding:.75rem;color:inherit;text-align:center}\
.bad{margin:.5rem 0 0;color:#b3261e;font-weight:600}:focus-visible{outline:3px solid currentColor;outline-offset:2px}\
@media(max-width:30rem){main{margin-top:6vh}}\
@media(prefers-color-scheme:dark){body,.host{background:#0c0e11;color:#f2f3f5}main{background:#16191e;border-color:#2a2f37}\
p{color:#a6adba}.mark{stroke:#a6adba}.host strong{color:#f2f3f5}input{background:#0c0e11;border-color:#757d8c}\
.go{background:#f2f3f5;color:#101216}.bad{color:#ff9d94}}";

/// What a page is about, at a glance: lines on a field of 24 by 24.
const LOCK: &str =
    "M7 11V8a5 5 0 0 1 10 0v3M6 11h12a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-8a1 1 0 0 1 1-1zM12 15v2";
const PHONE: &str = "M8 2h8a1 1 0 0 1 1 1v18a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V3a1 1 0 0 1 1-1zM11 18.5h2";
const GLOBE: &str = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3.5 4 3.5 14 0 18M12 3c-3.5 4-3.5 14 0 18";
const CHAIN: &str =
    "M10 13.5a4 4 0 0 0 5.7.3l3-3a4 4 0 0 0-5.6-5.7l-1.4 1.4M14 10.5a4 4 0 0 0-5.7-.3l-3 3a4 4 0 0 0 5.6 5.7l1.4-1.4";

/// Content-Security-Policy of these pages. Browsers built on Chromium hold `form-action` against every redirect that
/// follows a form, also against the link's own to its destination, which may be any host.
pub static CSP: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; style-src {}; form-action 'self' https: http:; base-uri 'none'; frame-ancestors 'none'",
        style_source(STYLE)
    )
});

/// What these pages say, in one language.
struct Words {
    app_title: &'static str,
    app_advice: &'static str,
    app_open: &'static str,
    app_web: &'static str,
    lock_title: &'static str,
    lock_advice: &'static str,
    lock_label: &'static str,
    lock_go: &'static str,
    lock_wrong: &'static str,
    card_leads_to: &'static str,
    card_open: &'static str,
    browser_title: &'static str,
    browser_advice: &'static str,
    browser_open: &'static str,
    browser_stay: &'static str,
}

fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &Words {
            app_title: "Open in the app",
            app_advice: "If the app is not installed here, go on in the browser.",
            app_open: "Open the app",
            app_web: "Go on in the browser",
            lock_title: "This link is protected",
            lock_advice: "Enter the password that you were given with it.",
            lock_label: "Password",
            lock_go: "Continue",
            lock_wrong: "That is not the password. Try again.",
            card_leads_to: "Leads to",
            card_open: "Open the link",
            browser_title: "Open in your browser",
            browser_advice: "Here, inside the app, carts and logins often get lost. Your browser keeps them.",
            browser_open: "Open the browser",
            browser_stay: "Stay here",
        },
        Language::German => &Words {
            app_title: "In der App öffnen",
            app_advice: "Wenn die App hier nicht installiert ist, geht es im Browser weiter.",
            app_open: "App öffnen",
            app_web: "Weiter im Browser",
            lock_title: "Dieser Link ist geschützt",
            lock_advice: "Gib das Passwort ein, das du dazu bekommen hast.",
            lock_label: "Passwort",
            lock_go: "Weiter",
            lock_wrong: "Das ist nicht das Passwort. Versuche es noch einmal.",
            card_leads_to: "Führt zu",
            card_open: "Link öffnen",
            browser_title: "Im Browser öffnen",
            browser_advice: "Hier in der App gehen Warenkörbe und Anmeldungen leicht verloren. Dein Browser behält sie.",
            browser_open: "Browser öffnen",
            browser_stay: "Hier bleiben",
        },
        Language::Spanish => &Words {
            app_title: "Abrir en la aplicación",
            app_advice: "Si la aplicación no está instalada, continúa en el navegador.",
            app_open: "Abrir la aplicación",
            app_web: "Continuar en el navegador",
            lock_title: "Este enlace está protegido",
            lock_advice: "Escribe la contraseña que te dieron con él.",
            lock_label: "Contraseña",
            lock_go: "Continuar",
            lock_wrong: "Esa no es la contraseña. Inténtalo de nuevo.",
            card_leads_to: "Lleva a",
            card_open: "Abrir el enlace",
            browser_title: "Abrir en tu navegador",
            browser_advice: "Aquí, dentro de la aplicación, los carritos y las sesiones se pierden con facilidad. Tu navegador los conserva.",
            browser_open: "Abrir el navegador",
            browser_stay: "Seguir aquí",
        },
        Language::French => &Words {
            app_title: "Ouvrir dans l’application",
            app_advice: "Si l’application n’est pas installée, continuez dans le navigateur.",
            app_open: "Ouvrir l’application",
            app_web: "Continuer dans le navigateur",
            lock_title: "Ce lien est protégé",
            lock_advice: "Saisissez le mot de passe qui vous a été donné.",
            lock_label: "Mot de passe",
            lock_go: "Continuer",
            lock_wrong: "Ce n’est pas le mot de passe. Réessayez.",
            card_leads_to: "Mène à",
            card_open: "Ouvrir le lien",
            browser_title: "Ouvrir dans votre navigateur",
            browser_advice: "Ici, dans l’application, les paniers et les connexions se perdent facilement. Votre navigateur les garde.",
            browser_open: "Ouvrir le navigateur",
            browser_stay: "Rester ici",
        },
        Language::Arabic => &Words {
            app_title: "الفتح في التطبيق",
            app_advice: "إذا لم يكن التطبيق مثبتًا هنا، فتابع في المتصفح.",
            app_open: "افتح التطبيق",
            app_web: "المتابعة في المتصفح",
            lock_title: "هذا الرابط محمي",
            lock_advice: "أدخل كلمة المرور التي حصلت عليها معه.",
            lock_label: "كلمة المرور",
            lock_go: "متابعة",
            lock_wrong: "كلمة المرور غير صحيحة. حاول مرة أخرى.",
            card_leads_to: "يؤدي إلى",
            card_open: "افتح الرابط",
            browser_title: "الفتح في المتصفح",
            browser_advice: "هنا داخل التطبيق قد تضيع سلة التسوق وتسجيل الدخول. متصفحك يحتفظ بهما.",
            browser_open: "افتح المتصفح",
            browser_stay: "البقاء هنا",
        },
    }
}

/// Offers to open `app`, an address that the brand's own list of schemes has passed, or `web` in its place.
pub fn open_app_page(language: Language, app: &str, web: &str) -> String {
    let words = words(language);
    let content = html! {
        (mark(PHONE))
        h1 { (words.app_title) }
        p { (words.app_advice) }
        a.go href=(app) { (words.app_open) }
        @if let Some(web) = web_address(web) { a.other href=(web) rel="noopener" { (words.app_web) } }
    };
    frame(language, words.app_title, &html! {}, &content)
}

/// Asks for a link's password; the form goes to the address that the page is at. `is_wrong` = one was said.
pub fn password_page(language: Language, is_wrong: bool) -> String {
    let words = words(language);
    let content = html! {
        (mark(LOCK))
        h1 { (words.lock_title) }
        p { (words.lock_advice) }
        form method="post" {
            label for="password" { (words.lock_label) }
            @if is_wrong {
                input #password type="password" name="password" required autofocus maxlength=(PASSWORD_MAX)
                    autocomplete="current-password" aria-invalid="true" aria-describedby="wrong";
                p.bad #wrong role="alert" { (words.lock_wrong) }
            } @else {
                input #password type="password" name="password" required autofocus maxlength=(PASSWORD_MAX)
                    autocomplete="current-password";
            }
            button.go { (words.lock_go) }
        }
    };
    frame(language, words.lock_title, &html! {}, &content)
}

/// What a link's card shows: what its brand has written for everybody.
#[derive(Debug, Clone, Copy)]
pub struct CardView<'a> {
    pub title: &'a str,
    pub description: Option<&'a str>,
    /// Checked destinations.
    pub image: Option<&'a str>,
    pub video: Option<&'a str>,
}

/// The card that a chat or a feed reads (Open Graph protocol, and the few names of Twitter's that it lacks).
pub fn card_page(card: &CardView<'_>) -> String {
    let kind = if card.image.is_some() {
        "summary_large_image"
    } else {
        "summary"
    };
    let extra = html! {
        meta property="og:type" content=(if card.video.is_some() { "video.other" } else { "website" });
        meta property="og:title" content=(card.title);
        meta name="twitter:card" content=(kind);
        meta name="twitter:title" content=(card.title);
        @if let Some(text) = card.description {
            meta name="description" content=(text);
            meta property="og:description" content=(text);
            meta name="twitter:description" content=(text);
        }
        @if let Some(url) = card.image.and_then(web_address) {
            meta property="og:image" content=(url);
            meta name="twitter:image" content=(url);
        }
        @if let Some(url) = card.video.and_then(web_address) { meta property="og:video" content=(url); }
    };
    let content = html! {
        h1 { (card.title) }
        @if let Some(text) = card.description { p { (text) } }
    };
    frame(Language::English, card.title, &extra, &content)
}

/// The card for people who want to know first: what the link at `path` is about, and the host that it leads to.
pub fn public_card_page(language: Language, card: &CardView<'_>, host: &str, path: &str) -> String {
    let words = words(language);
    let content = html! {
        (mark(CHAIN))
        h1 { bdi { (card.title) } }
        @if let Some(text) = card.description { p { bdi { (text) } } }
        @if !host.is_empty() { p.host { (words.card_leads_to) " " strong { bdi { (host) } } } }
        a.go href=(path) rel="nofollow" { (words.card_open) }
    };
    frame(language, card.title, &html! {}, &content)
}

/// Offers to leave an app's own browser: `outside` is an address that opens the system's, `web` the same page here.
pub fn open_browser_page(language: Language, outside: &str, web: &str) -> String {
    let words = words(language);
    let content = html! {
        (mark(GLOBE))
        h1 { (words.browser_title) }
        p { (words.browser_advice) }
        a.go href=(outside) { (words.browser_open) }
        @if let Some(web) = web_address(web) { a.other href=(web) rel="noopener" { (words.browser_stay) } }
    };
    frame(language, words.browser_title, &html! {}, &content)
}

fn mark(lines: &str) -> Markup {
    html! { svg.mark viewBox="0 0 24 24" aria-hidden="true" { path d=(lines) {} } }
}

/// A whole page; `extra` goes into its head.
fn frame(language: Language, title: &str, extra: &Markup, content: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang=(language.tag()) dir=(language.direction()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                (extra)
                style { (PreEscaped(STYLE)) }
            }
            body { main { (content) } }
        }
    }
    .into_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::tags;

    fn unstyled(page: &str) -> String {
        page.replace(&format!("<style>{STYLE}</style>"), "")
    }

    #[test]
    fn an_app_is_offered_beside_the_web() {
        for language in Language::ALL {
            let page = open_app_page(language, "myshop://p/7?a=1&b=2", "https://shop.example/?a=1&b=%22");
            let bare = unstyled(&page);
            let found = tags::assert_sound(&bare);
            let links: Vec<_> = found.iter().filter_map(|tag| tag.value("href")).collect();
            assert_eq!(
                links,
                ["myshop://p/7?a=1&amp;b=2", "https://shop.example/?a=1&amp;b=%22"]
            );
        }
    }

    #[test]
    fn what_is_no_address_of_the_web_is_no_way_on() {
        let page = open_app_page(Language::English, "myshop://p", "javascript:alert(1)");
        assert!(!page.contains("javascript"), "{page}");
    }

    #[test]
    fn a_password_is_asked_for_in_every_language() {
        for language in Language::ALL {
            for is_wrong in [false, true] {
                let page = password_page(language, is_wrong);
                let bare = unstyled(&page);
                let found = tags::assert_sound(&bare);
                let input = found
                    .iter()
                    .find(|tag| tag.value("name") == Some("password"))
                    .expect("an input");
                assert_eq!(input.value("type"), Some("password"));
                assert_eq!(page.contains("role=\"alert\""), is_wrong);
            }
        }
    }

    #[test]
    fn a_public_card_leads_to_the_link() {
        let card = CardView {
            title: "<b>Mugs</b>",
            description: Some("\"hand-made\""),
            image: None,
            video: None,
        };
        for language in Language::ALL {
            let page = public_card_page(language, &card, "shop.example", "/mugs");
            let bare = unstyled(&page);
            let found = tags::assert_sound(&bare);
            let links: Vec<_> = found.iter().filter_map(|tag| tag.value("href")).collect();
            assert_eq!(links, ["/mugs"]);
            assert!(page.contains("&lt;b&gt;Mugs") && page.contains("shop.example"));
        }
    }

    #[test]
    fn hostile_texts_stay_texts_on_a_card() {
        let hostile = "\"><script>alert(1)</script><meta property=\"og:title\" content='x' onload=\"y\">";
        let card = CardView {
            title: hostile,
            description: Some(hostile),
            image: Some("https://cdn.example/a.png?x=%22&y=1"),
            video: Some("javascript:alert(1)"),
        };
        let page = card_page(&card);
        let bare = unstyled(&page);
        let found = tags::assert_sound(&bare);
        assert!(!page.contains("<script") && !page.contains("javascript"), "{page}");
        let titles: Vec<_> = found
            .iter()
            .filter(|tag| tag.value("property") == Some("og:title"))
            .collect();
        assert_eq!(titles.len(), 1);
        let image = found
            .iter()
            .find(|tag| tag.value("property") == Some("og:image"))
            .expect("an image");
        assert_eq!(image.value("content"), Some("https://cdn.example/a.png?x=%22&amp;y=1"));
    }

    #[test]
    fn the_policy_allows_this_style_and_no_script() {
        assert!(CSP.contains(&style_source(STYLE)) && !CSP.contains("script") && !CSP.contains("unsafe"));
        for word in ["url(", "@import", "http", "<"] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
