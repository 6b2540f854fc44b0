//! The page on which a person hands in a key of the workspace.
//!
//! Never shows a key again, not even the one that was just refused.

use maud::html;

use super::layout;

/// Longest key that the form sends; real keys have about 50 characters, a first key may be chosen freely.
pub const KEY_LENGTH_MAX: u32 = 200;

/// The sign-in form, which posts `key` to `/sign-in`. `refused` says why the last try failed.
pub fn sign_in_page(refused: Option<&str>) -> String {
    let content = html! {
        section.narrow.card {
            h1 { "Sign in" }
            @if let Some(refused) = refused { p.refused #refused role="alert" { (refused) } }
            form.stack method="post" action="/sign-in" {
                label for="key" { "API key" }
                input #key name="key" type="password" required autofocus autocomplete="current-password"
                    autocapitalize="none" spellcheck="false" maxlength=(KEY_LENGTH_MAX)
                    aria-describedby=(if refused.is_some() { "refused key-help" } else { "key-help" })
                    aria-invalid=[refused.map(|_| "true")];
                p.help #key-help {
                    "The first key was shown once, in the terminal where the server first started. "
                    "To make another one, run " code { "hopcart keys create" } "."
                }
                button.main type="submit" { "Sign in" }
            }
        }
    };
    layout::shell("Sign in", &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::tags;

    #[test]
    fn the_form_asks_for_a_key_and_nothing_else() {
        let page = sign_in_page(None);
        let tags = tags::assert_sound(&page);
        let inputs: Vec<_> = tags.iter().filter(|tag| tag.name == "input").collect();
        assert_eq!(inputs.len(), 1);
        assert_eq!(inputs[0].value("name"), Some("key"));
        assert_eq!(inputs[0].value("type"), Some("password"));
        assert_eq!(inputs[0].value("autocomplete"), Some("current-password"));
        assert!(page.contains("<form class=\"stack\" method=\"post\" action=\"/sign-in\">"));
        assert!(page.contains("hopcart keys create"));
        assert!(!page.contains("role=\"alert\""));
    }

    #[test]
    fn a_refusal_is_announced_and_tied_to_the_field() {
        let page = sign_in_page(Some("This key is unknown or was revoked."));
        let tags = tags::assert_sound(&page);
        assert!(tags.iter().any(|tag| tag.value("role") == Some("alert")));
        let input = tags.iter().find(|tag| tag.name == "input").expect("a field");
        assert_eq!(input.value("aria-describedby"), Some("refused key-help"));
        assert_eq!(input.value("aria-invalid"), Some("true"));
    }
}
