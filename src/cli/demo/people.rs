//! Who taps: phones' in-app browsers by platform, a few desktops, and the programs that fetch links too.

use std::net::Ipv4Addr;

use super::chance::Chance;

/// A follower, or a program, as requests show them.
#[derive(Debug, Clone)]
pub struct Person {
    /// Told by the trusted proxy that the demo plays. From 198.18.0.0/15, which belongs to nobody (RFC 2544).
    pub address: Ipv4Addr,
    pub agent: &'static str,
    /// Accept-Language; empty = none.
    pub language: &'static str,
    /// Empty = none.
    pub referrer: &'static str,
    /// Whether the browser brings cookies back.
    pub keeps_cookies: bool,
    /// Whether it sends `Sec-GPC: 1`.
    pub is_opted_out: bool,
}

/// Addresses in 198.18.0.0/15.
const ADDRESSES: u32 = 1 << 17;

const INSTAGRAM: [&str; 2] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22B83 Instagram 355.0.0.28.108 (iPhone15,2; iOS 18_1; de_DE; de; scale=3.00; 1179x2556)",
    "Mozilla/5.0 (Linux; Android 15; Pixel 8 Build/AP3A.241005.015; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0.6723.86 Mobile Safari/537.36 Instagram 356.0.0.41.101 Android",
];
const TIKTOK: [&str; 2] = [
    "Mozilla/5.0 (Linux; Android 14; SM-A546B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/129.0.6668.100 Mobile Safari/537.36 musical_ly_2023700030 BytedanceWebview/d8a21c6",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 musical_ly_37.2.0 BytedanceWebview/d8a21c6",
];
const YOUTUBE: [&str; 2] = [
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
];
const PINTEREST: [&str; 2] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [Pinterest/iOS]",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
];
/// Followers who copied the link into a browser of their own.
const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
];
const PROGRAMS: [&str; 6] = [
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "WhatsApp/2.24.20.89 A",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "python-requests/2.32.3",
];
const LANGUAGES: [&str; 8] = [
    "de-DE,de;q=0.9,en;q=0.8",
    "de-AT,de;q=0.9",
    "en-GB,en;q=0.9",
    "en-US,en;q=0.9",
    "fr-FR,fr;q=0.9",
    "nl-NL,nl;q=0.8",
    "es-ES,es;q=0.9",
    "tr-TR,tr;q=0.9,de;q=0.7",
];

/// A follower of somebody on `platform`; `number` makes them a different one from all others.
pub fn follower(platform: &str, number: u32, chance: &mut Chance) -> Person {
    let (agents, referrer) = match platform {
        "instagram" => (&INSTAGRAM, "https://l.instagram.com/"),
        "tiktok" => (&TIKTOK, "https://www.tiktok.com/"),
        "youtube" => (&YOUTUBE, "https://www.youtube.com/"),
        _ => (&PINTEREST, "https://www.pinterest.com/"),
    };
    let is_in_app = chance.happens(82);
    Person {
        address: address(number),
        agent: if is_in_app {
            chance.one_of(agents)
        } else {
            chance.one_of(&BROWSERS)
        },
        language: chance.one_of(&LANGUAGES),
        // Apps tell where a tap came from about every second time.
        referrer: if chance.happens(50) { referrer } else { "" },
        keeps_cookies: chance.happens(70),
        is_opted_out: chance.happens(3),
    }
}

/// A crawler, or a chat that fetches a preview.
pub fn program(number: u32, chance: &mut Chance) -> Person {
    Person {
        address: address(number),
        agent: chance.one_of(&PROGRAMS),
        language: "",
        referrer: "",
        keeps_cookies: false,
        is_opted_out: false,
    }
}

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + number % ADDRESSES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::user_agent::{App, is_bot, parse};

    #[test]
    fn people_are_taken_for_people_and_programs_for_programs() {
        for agent in [INSTAGRAM, TIKTOK, YOUTUBE, PINTEREST]
            .as_flattened()
            .iter()
            .chain(&BROWSERS)
        {
            assert!(!is_bot(agent), "{agent}");
        }
        for agent in PROGRAMS {
            assert!(is_bot(agent), "{agent}");
        }
        assert_eq!(parse(INSTAGRAM[1]).app, App::Instagram);
        assert_eq!(parse(TIKTOK[0]).app, App::TikTok);
    }

    #[test]
    fn everybody_has_an_address_of_their_own() {
        assert_eq!(address(0).to_string(), "198.18.0.0");
        assert_eq!(address(65_536 + 7).to_string(), "198.19.0.7");
    }
}
