//! User agents as followers' apps and browsers send them: a few are everywhere, thousands are rare.

/// How many different ones: a day of a busy server.
pub const AGENTS: usize = 6_000;

const PHONES: [(&str, &str); 10] = [
    ("15", "SM-S928B"),
    ("14", "SM-A546B"),
    ("15", "Pixel 9"),
    ("14", "Pixel 7a"),
    ("13", "SM-A135F"),
    ("14", "2312DRA50G"),
    ("13", "M2101K6G"),
    ("12", "moto g(30)"),
    ("15", "CPH2581"),
    ("11", "VOG-L29"),
];
const IPHONES: [&str; 8] = [
    "iPhone17,1",
    "iPhone17,3",
    "iPhone16,2",
    "iPhone15,3",
    "iPhone15,2",
    "iPhone14,5",
    "iPhone13,2",
    "iPhone12,1",
];
const LANGUAGES: [&str; 6] = ["en_US", "de_DE", "pt_BR", "fr_FR", "es_ES", "en_GB"];

/// Number `n` of them.
fn agent(n: usize) -> String {
    let (android, phone) = PHONES[n / 6 % PHONES.len()];
    let iphone = IPHONES[n / 6 % IPHONES.len()];
    let language = LANGUAGES[n / 60 % LANGUAGES.len()];
    let (major, minor, build) = (120 + n / 360 % 20, n / 60 % 7, n / 6);
    let ios = format!("{}_{}", 16 + n / 360 % 3, n / 60 % 6);
    match n % 6 {
        0 => format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS {ios} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Mobile/15E148 Instagram {}.0.0.21.{build} ({iphone}; iOS {ios}; {language}; {language}; scale=3.00; \
             1290x2796; 7{build:08})",
            270 + major
        ),
        1 => format!(
            "Mozilla/5.0 (Linux; Android {android}; {phone} Build/UP1A.{build}; wv) AppleWebKit/537.36 (KHTML, like \
             Gecko) Version/4.0 Chrome/{major}.0.6{minor}67.{build} Mobile Safari/537.36 Instagram {}.0.0.33.{build} \
             Android ({android}; 450dpi; 1080x2186; samsung; {phone}; {language})",
            270 + major
        ),
        2 => format!(
            "Mozilla/5.0 (Linux; Android {android}; {phone}; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 \
             Chrome/{major}.0.6{minor}67.{build} Mobile Safari/537.36 trill_3{build:05} BytedanceWebview/d8a21c6 \
             musical_ly_20{build:05} JsSdk/1.0 NetType/WIFI Channel/googleplay AppName/musical_ly"
        ),
        3 => format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS {ios} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/{}.{minor} Mobile/15E{build} Safari/604.1",
            16 + n / 360 % 3
        ),
        4 => format!(
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.{minor} Mobile \
             Safari/537.36"
        ),
        _ => format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.{build}.0 \
             Safari/537.36"
        ),
    }
}

/// All of them, the most common first.
pub fn list() -> Vec<String> {
    (0..AGENTS).map(agent).collect()
}

/// Programs; they are told apart before the log.
pub const BOTS: [&str; 3] = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "WhatsApp/2.23.20.0 A",
];
