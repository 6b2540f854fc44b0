//! Ways out of an app's own browser into the system's, as addresses. They are nobody's standard and stop working with an
//! app's next version: so they are lines of one table, the more special ones first.

use super::user_agent::{App, Os};

/// App (`None` = any), system, and the address that opens the system's browser: `{url}` is the page as it is, `{scheme}`
/// and `{rest}` what stands before and after its `://` without a fragment, `{encoded}` the page percent-encoded.
const WAYS_OUT: [(Option<App>, Os, &str); 3] = [
    // Worked in Instagram 445, September 2026.
    (Some(App::Instagram), Os::Ios, "instagram://extbrowser/?url={encoded}"),
    // Safari's own scheme, which iOS has taken from web views since version 17.
    (None, Os::Ios, "x-safari-{url}"),
    // Android's documented intent addresses; without a browser that takes it, the page opens here.
    (
        None,
        Os::Android,
        "intent://{rest}#Intent;scheme={scheme};action=android.intent.action.VIEW;\
         category=android.intent.category.BROWSABLE;S.browser_fallback_url={encoded};end",
    ),
];

/// The address that opens `url` (serialised) in the system's browser; `None` when no way out of `app` is known.
pub fn way_out(app: App, os: Os, url: &str) -> Option<String> {
    if app == App::Unknown {
        return None;
    }
    let found = WAYS_OUT
        .iter()
        .find(|(of, on, _)| *on == os && of.is_none_or(|of| of == app));
    let (_, _, template) = found?;
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split('#').next().unwrap_or_default();
    let encoded: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
    let filled = template.replace("{scheme}", scheme).replace("{encoded}", &encoded);
    // These come last: what they put in is not looked through again for names.
    Some(match filled.contains("{url}") {
        true => filled.replacen("{url}", url, 1),
        false => filled.replacen("{rest}", rest, 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_system_has_its_way() {
        let url = "https://shop.example/p?a=1&b=%22#top";
        for (app, os, expected) in [
            (
                App::Instagram,
                Os::Ios,
                Some("instagram://extbrowser/?url=https%3A%2F%2Fshop.example%2Fp%3Fa%3D1%26b%3D%2522%23top"),
            ),
            (
                App::TikTok,
                Os::Ios,
                Some("x-safari-https://shop.example/p?a=1&b=%22#top"),
            ),
            (
                App::TikTok,
                Os::Android,
                Some(
                    "intent://shop.example/p?a=1&b=%22#Intent;scheme=https;action=android.intent.action.VIEW;\
                     category=android.intent.category.BROWSABLE;\
                     S.browser_fallback_url=https%3A%2F%2Fshop.example%2Fp%3Fa%3D1%26b%3D%2522%23top;end",
                ),
            ),
            (App::Unknown, Os::Ios, None),
            (App::Facebook, Os::Windows, None),
        ] {
            assert_eq!(way_out(app, os, url).as_deref(), expected, "{app:?} {os:?}");
        }
    }

    proptest! {
        #[test]
        fn no_destination_ends_an_intent(tail in "[!-~]{0,80}") {
            let url = format!("https://shop.example/{tail}");
            let found = way_out(App::TikTok, Os::Android, &url).expect("a way");
            prop_assert_eq!(found.matches("#Intent;").count(), 1);
            let (_, extras) = found.split_once("#Intent;").expect("an intent");
            prop_assert_eq!(extras.matches(';').count(), 4);
        }
    }
}
