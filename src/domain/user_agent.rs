//! What a user agent says: machine or person, device, system, browser and the app whose web view it is.
//!
//! Two depths: [`is_bot`] is cheap enough for every follow; what [`parse`] says is remembered by those who ask. Names are the
//! dialect's (`Mobile`, `iOS`, `Chrome`), numbers are what the click log stores: append to a table, never reorder it.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

/// Longest user agent that is looked at; the rest is cut off.
pub const USER_AGENT_MAX: usize = 512;

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[repr(u8)]
        pub enum $name {
            #[default]
            Unknown = 0,
            $($variant = $code),+
        }

        impl $name {
            /// The stored number's meaning; numbers of a newer version read as unknown.
            pub fn of_code(code: u8) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    _ => Self::Unknown,
                }
            }

            /// What is called `name` in reports, in any letter case.
            pub fn of_name(name: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|known| known.name().eq_ignore_ascii_case(name))
            }

            /// Every name but `Unknown`, as a sentence lists them.
            pub fn names() -> String {
                [$($text),+].join(", ")
            }

            /// The name that reports show.
            pub fn name(self) -> &'static str {
                match self {
                    Self::Unknown => "Unknown",
                    $(Self::$variant => $text),+
                }
            }
        }
    };
}

named! {
    /// Kind of device.
    Device { Mobile = 1 "Mobile", Tablet = 2 "Tablet", Desktop = 3 "Desktop", Tv = 4 "Smarttv", Wearable = 5 "Wearable", Console = 6 "Console" }
}
named! {
    /// Operating system family.
    Os { Ios = 1 "iOS", Android = 2 "Android", Windows = 3 "Windows", MacOs = 4 "Mac OS", Linux = 5 "Linux", ChromeOs = 6 "Chrome OS", HarmonyOs = 7 "HarmonyOS", Tizen = 8 "Tizen", WebOs = 9 "webOS" }
}
named! {
    /// Browser family.
    Browser { Chrome = 1 "Chrome", Safari = 2 "Safari", Firefox = 3 "Firefox", Edge = 4 "Edge", Opera = 5 "Opera", Samsung = 6 "Samsung Internet", WebView = 7 "WebView", Yandex = 8 "Yandex", UcBrowser = 9 "UCBrowser", Brave = 10 "Brave", DuckDuckGo = 11 "DuckDuckGo", Huawei = 12 "Huawei Browser", Miui = 13 "MIUI Browser", Silk = 14 "Silk", Vivaldi = 15 "Vivaldi" }
}
named! {
    /// The app whose built-in browser it is; `Unknown` = none that can be told.
    App { Instagram = 1 "Instagram", Facebook = 2 "Facebook", TikTok = 3 "TikTok", Snapchat = 4 "Snapchat", Threads = 5 "Threads", X = 6 "X", Pinterest = 7 "Pinterest", LinkedIn = 8 "LinkedIn", Reddit = 9 "Reddit", Google = 10 "Google", WeChat = 11 "WeChat", Line = 12 "LINE", Viber = 13 "Viber", WebView = 14 "Android WebView", YouTube = 15 "YouTube", Discord = 16 "Discord" }
}

/// What [`parse`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct UserAgent {
    pub device: Device,
    pub os: Os,
    pub browser: Browser,
    pub app: App,
}

impl UserAgent {
    /// The four numbers that are stored of it.
    pub fn codes(self) -> [u8; 4] {
        [self.device as u8, self.os as u8, self.browser as u8, self.app as u8]
    }

    /// What these numbers mean; those of a newer version read as unknown.
    pub fn of_codes([device, os, browser, app]: [u8; 4]) -> Self {
        Self {
            device: Device::of_code(device),
            os: Os::of_code(os),
            browser: Browser::of_code(browser),
            app: App::of_code(app),
        }
    }
}

/// Programs that fetch pages without a person. `http` libraries, crawlers, monitors and preview fetchers. Real
/// followers' apps must not be in here: `Viber` and `MetaIAB` are in-app browsers and are left out on purpose.
const BOTS: [&str; 87] = [
    "bot/",
    "bot;",
    "bot)",
    "bot ",
    "crawl",
    "spider",
    "slurp",
    "fetcher",
    "facebookexternalhit",
    "facebot",
    "facebookcatalog",
    "meta-externalagent",
    "meta-externalads",
    "meta-webindexer",
    "twitterbot",
    "whatsapp/",
    "slackbot",
    "slack-imgproxy",
    "discordbot",
    "telegrambot",
    "linkedinbot",
    "applebot",
    "bytespider",
    "tiktokspider",
    "thirdlandingpagefeinfra",
    "pinterestbot",
    "snap url preview",
    "snapurlpreview",
    "snapchatads",
    "skypeuripreview",
    "microsoftpreview",
    "bingpreview",
    "redditbot",
    "vkshare",
    "embedly",
    "iframely",
    "mastodon",
    "bluesky",
    "google-pagerenderer",
    "adsbot",
    "googlebot",
    "google-inspectiontool",
    "mediapartners",
    "feedfetcher",
    "bingbot",
    "baiduspider",
    "yandexbot",
    "duckduckbot",
    "petalbot",
    "ahrefs",
    "semrush",
    "mj12bot",
    "dotbot",
    "gptbot",
    "oai-searchbot",
    "chatgpt-user",
    "claude",
    "anthropic",
    "perplexity",
    "ccbot",
    "cohere-ai",
    "headlesschrome",
    "phantomjs",
    "puppeteer",
    "playwright",
    "selenium",
    "lighthouse",
    "pagespeed",
    "gtmetrix",
    "pingdom",
    "uptimerobot",
    "statuscake",
    "curl/",
    "wget/",
    "python-",
    "python/",
    "aiohttp",
    "go-http-client",
    "axios/",
    "okhttp",
    "node-fetch",
    "undici",
    "java/",
    "libwww-perl",
    "httpclient",
    "scrapy",
    "postmanruntime",
];

/// Those of [`BOTS`] that fetch a card for a chat or a feed.
const PREVIEWS: [&str; 24] = [
    "facebookexternalhit",
    "facebot",
    "twitterbot",
    "whatsapp/",
    "slackbot",
    "slack-imgproxy",
    "discordbot",
    "telegrambot",
    "linkedinbot",
    "pinterestbot",
    "snap url preview",
    "snapurlpreview",
    "skypeuripreview",
    "microsoftpreview",
    "bingpreview",
    "redditbot",
    "vkshare",
    "embedly",
    "iframely",
    "mastodon",
    "bluesky",
    "applebot",
    "meta-externalagent",
    "google-pagerenderer",
];

fn matcher(words: &[&str]) -> AhoCorasick {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .build(words)
        .unwrap_or_else(|_| unreachable!("the tables above are small and fixed"))
}

static BOT: LazyLock<AhoCorasick> = LazyLock::new(|| matcher(&BOTS));
static PREVIEW: LazyLock<AhoCorasick> = LazyLock::new(|| matcher(&PREVIEWS));

/// Whether `user_agent` is a program rather than a person. An empty one is: every browser sends its name.
pub fn is_bot(user_agent: &str) -> bool {
    // CUBOT makes phones; their name only looks like a robot's.
    let is_phone_maker = |start: usize| {
        user_agent
            .get(start.saturating_sub(2)..start)
            .is_some_and(|head| head.eq_ignore_ascii_case("cu"))
    };
    let ends_as_bot = user_agent.len().checked_sub(3).is_some_and(|start| {
        user_agent
            .get(start..)
            .is_some_and(|tail| tail.eq_ignore_ascii_case("bot"))
            && !is_phone_maker(start)
    });
    user_agent.is_empty() || ends_as_bot || BOT.find_iter(user_agent).any(|found| !is_phone_maker(found.start()))
}

/// Whether a bot fetches a card to show in a chat or a feed.
pub fn is_preview(user_agent: &str) -> bool {
    PREVIEW.is_match(user_agent)
}

/// Everything that reports show of `user_agent`.
pub fn parse(user_agent: &str) -> UserAgent {
    let has = |word: &str| user_agent.contains(word);
    let os = os(&has);
    let app = app(&has);
    UserAgent {
        device: device(&has, os),
        os,
        browser: browser(&has, os, app),
        app,
    }
}

/// The system alone: what a follow's choice between apps needs.
pub fn os_of(user_agent: &str) -> Os {
    os(&|word: &str| user_agent.contains(word))
}

/// The app whose built-in browser it is, alone.
pub fn app_of(user_agent: &str) -> App {
    app(&|word: &str| user_agent.contains(word))
}

fn os(has: &impl Fn(&str) -> bool) -> Os {
    if has("Windows") {
        Os::Windows
    } else if has("iPhone") || has("iPad") || has("iPod") || has("CFNetwork") && has("Darwin") {
        Os::Ios
    } else if has("HarmonyOS") || has("OpenHarmony") {
        Os::HarmonyOs
    } else if has("Android") {
        Os::Android
    } else if has("CrOS") {
        Os::ChromeOs
    } else if has("Mac OS X") || has("Macintosh") {
        Os::MacOs
    } else if has("Tizen") {
        Os::Tizen
    } else if has("Web0S") || has("webOS") {
        Os::WebOs
    } else if has("Linux") || has("X11") {
        Os::Linux
    } else {
        Os::Unknown
    }
}

fn device(has: &impl Fn(&str) -> bool, os: Os) -> Device {
    if has("SmartTV")
        || has("SMART-TV")
        || has("AppleTV")
        || has("BRAVIA")
        || has("AFT") && has("Android")
        || os == Os::WebOs
    {
        Device::Tv
    } else if has("PlayStation") || has("Xbox") || has("Nintendo") {
        Device::Console
    } else if has("Watch") {
        Device::Wearable
    } else if has("iPad") || has("Tablet") || (os == Os::Android && !has("Mobile")) {
        Device::Tablet
    } else if has("Mobile") || has("iPhone") || has("iPod") || matches!(os, Os::Ios | Os::Android) {
        Device::Mobile
    } else if matches!(os, Os::Windows | Os::MacOs | Os::Linux | Os::ChromeOs) {
        Device::Desktop
    } else {
        Device::Unknown
    }
}

fn app(has: &impl Fn(&str) -> bool) -> App {
    const TOKENS: [(&str, App); 24] = [
        ("Barcelona", App::Threads),
        ("Instagram", App::Instagram),
        ("FBAN", App::Facebook),
        ("FBAV", App::Facebook),
        ("FB_IAB", App::Facebook),
        ("FB4A", App::Facebook),
        ("MetaIAB", App::Facebook),
        ("musical_ly", App::TikTok),
        ("trill_", App::TikTok),
        ("BytedanceWebview", App::TikTok),
        ("Bytedance", App::TikTok),
        ("Snapchat", App::Snapchat),
        ("LinkedInApp", App::LinkedIn),
        ("Twitter for iPhone", App::X),
        ("TwitterAndroid", App::X),
        ("[Pinterest/", App::Pinterest),
        ("Reddit/", App::Reddit),
        ("GSA/", App::Google),
        ("MicroMessenger", App::WeChat),
        (" Line/", App::Line),
        ("Viber", App::Viber),
        ("YouTube/", App::YouTube),
        ("Discord/", App::Discord),
        ("; wv)", App::WebView),
    ];
    TOKENS
        .iter()
        .find(|(token, _)| has(token))
        .map_or(App::Unknown, |(_, app)| *app)
}

fn browser(has: &impl Fn(&str) -> bool, os: Os, app: App) -> Browser {
    // Order matters: most browsers name the ones they descend from as well.
    const TOKENS: [(&str, Browser); 21] = [
        ("Edg/", Browser::Edge),
        ("EdgA/", Browser::Edge),
        ("EdgiOS/", Browser::Edge),
        ("Edge/", Browser::Edge),
        ("OPR/", Browser::Opera),
        ("OPT/", Browser::Opera),
        ("Opera", Browser::Opera),
        ("SamsungBrowser/", Browser::Samsung),
        ("YaBrowser/", Browser::Yandex),
        ("UCBrowser/", Browser::UcBrowser),
        ("Brave/", Browser::Brave),
        ("DuckDuckGo/", Browser::DuckDuckGo),
        ("Ddg/", Browser::DuckDuckGo),
        ("HuaweiBrowser/", Browser::Huawei),
        ("MiuiBrowser/", Browser::Miui),
        ("Silk/", Browser::Silk),
        ("Vivaldi/", Browser::Vivaldi),
        ("FxiOS/", Browser::Firefox),
        ("Firefox/", Browser::Firefox),
        ("CriOS/", Browser::Chrome),
        ("; wv)", Browser::WebView),
    ];
    if let Some((_, browser)) = TOKENS.iter().find(|(token, _)| has(token)) {
        return *browser;
    }
    if app != App::Unknown && os == Os::Ios {
        Browser::WebView
    } else if has("Chrome/") || has("Chromium/") {
        Browser::Chrome
    } else if has("Safari/") || has("iPhone") || has("iPad") {
        Browser::Safari
    } else {
        Browser::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPHONE: &str =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";

    #[test]
    fn agents_are_told_apart() {
        let android = "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0 Mobile Safari/537.36";
        for (agent, device, os, browser, app) in [
            (format!("{IPHONE} Version/18.1 Mobile/15E148 Safari/604.1"), "Mobile", "iOS", "Safari", "Unknown"),
            (format!("{IPHONE} Mobile/22B83 Instagram 355.0 (iPhone15,2)"), "Mobile", "iOS", "WebView", "Instagram"),
            (format!("{IPHONE} CriOS/130.0 Mobile/15E148 Safari/604.1"), "Mobile", "iOS", "Chrome", "Unknown"),
            (format!("{android} musical_ly_2023 BytedanceWebview/d8a21c6"), "Mobile", "Android", "WebView", "TikTok"),
            (format!("{android} [FB_IAB/FB4A;FBAV/490.0;]"), "Mobile", "Android", "WebView", "Facebook"),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0".into(), "Desktop", "Windows", "Edge", "Unknown"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15".into(), "Desktop", "Mac OS", "Safari", "Unknown"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0".into(), "Desktop", "Linux", "Firefox", "Unknown"),
            ("Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0 Safari/537.36".into(), "Tablet", "Android", "Samsung Internet", "Unknown"),
        ] {
            let found = parse(&agent);
            assert_eq!((found.device.name(), found.os.name(), found.browser.name(), found.app.name()), (device, os, browser, app), "{agent}");
            assert!(!is_bot(&agent), "{agent}");
        }
    }

    #[test]
    fn programs_are_bots_and_in_app_browsers_are_people() {
        for agent in [
            "",
            "curl/8.5.0",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "WhatsApp/2.23.20.0",
            "Mozilla/5.0 AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
            "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/130.0",
            "python-requests/2.32",
            "SomeBot",
            "Slackbot-LinkExpanding 1.0",
        ] {
            assert!(is_bot(agent), "{agent}");
        }
        for agent in [
            "Mozilla/5.0 (iPhone) AppleWebKit Mobile MetaIAB Facebook",
            "Mozilla/5.0 (iPhone) AppleWebKit Mobile Viber/22",
            "Mozilla/5.0 (Linux; Android 15; Pixel 9 Build/google/google; wv) Instagram 355.0 Android",
            "Mozilla/5.0 (Linux; Android 9; CUBOT X30) Mobile Safari/537.36",
        ] {
            assert!(!is_bot(agent), "{agent}");
        }
        assert!(is_preview("WhatsApp/2.23") && !is_preview("curl/8"));
    }

    #[test]
    fn numbers_keep_their_meaning() {
        assert_eq!(Browser::of_code(7), Browser::WebView);
        assert_eq!(Os::of_code(250), Os::Unknown);
        assert_eq!(App::of_code(App::TikTok as u8), App::TikTok);
    }
}
