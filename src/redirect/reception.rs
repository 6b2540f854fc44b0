//! A link's reception, compiled once: which of its targets a follower gets, decided from the request and his place.
//!
//! Reads nothing that the rules do not ask for: a link whose rules name only countries never looks at a user agent.

use std::cell::OnceCell;

use super::person::first_language;
use super::record::Offer;
use super::request::Request;
use crate::domain::app_browser;
use crate::domain::click::{ClickFlags, cut};
use crate::domain::destination;
use crate::domain::experiment::VARIANTS_MAX;
use crate::domain::ip_range::IpRange;
use crate::domain::link::LinkTerms;
use crate::domain::outside::Place;
use crate::domain::password::PasswordHash;
use crate::domain::reception::{Conditions, Parameter, Reception};
use crate::domain::time::Timestamp;
use crate::domain::user_agent::{self, Browser, Device, Os, USER_AGENT_MAX, UserAgent};

/// Number of the first target; those below are the link's own offer and its variants.
pub(super) const FIRST_TARGET: u8 = VARIANTS_MAX as u8 + 1;

/// How a link receives its followers.
#[derive(Debug)]
pub struct ReceptionRecord {
    /// In the order of [`Reception::targets`]; the first is number [`FIRST_TARGET`].
    targets: Box<[Offer]>,
    /// Each goes with the target at its place.
    rules: Box<[Matcher]>,
    ios: Option<u8>,
    android: Option<u8>,
    pub(super) lock: Option<PasswordHash>,
    /// What programs that fetch a preview get.
    pub(super) card: Option<Box<Card>>,
    pub(super) leaves_apps: bool,
    /// Sorted by country.
    geo: Box<[([u8; 2], u8)]>,
}

impl ReceptionRecord {
    /// The record of `reception`, whose targets lead to `targets`; `None` when it asks for nothing.
    pub(super) fn new(terms: &LinkTerms, targets: Box<[Offer]>) -> Option<Box<Self>> {
        let reception = &terms.reception;
        if *reception == Reception::default() {
            return None;
        }
        let rules: Box<[Matcher]> = reception.rules.iter().map(|rule| Matcher::new(&rule.when)).collect();
        let mut numbers = FIRST_TARGET + rules.len() as u8..=u8::MAX;
        let ios = reception.ios.as_ref().and_then(|_| numbers.next());
        let android = reception.android.as_ref().and_then(|_| numbers.next());
        let geo = reception.geo.keys().zip(numbers);
        let geo = geo.filter_map(|(country, number)| Some((code_of(country)?, number)));
        Some(Box::new(Self {
            targets,
            rules,
            ios,
            android,
            lock: reception.password.clone(),
            card: reception.is_card.then(|| Box::new(Card::of(terms))),
            leaves_apps: reception.leaves_apps,
            geo: geo.collect(),
        }))
    }

    /// Target number `number`, from [`FIRST_TARGET`].
    pub(super) fn offer(&self, number: u8) -> Option<&Offer> {
        self.targets.get(usize::from(number.checked_sub(FIRST_TARGET)?))
    }

    /// What its targets lead to.
    pub(super) fn offers(&self) -> &[Offer] {
        &self.targets
    }

    /// The number of the target that the follower gets: the first rule that holds, else his device's, else his
    /// country's.
    pub(super) fn target(&self, request: &Request<'_>, place: &Place<'_>, now: Timestamp) -> Option<u8> {
        let facts = Facts {
            request,
            place,
            now,
            agent: OnceCell::new(),
        };
        let rule = self.rules.iter().position(|rule| rule.holds(&facts));
        if let Some(found) = rule {
            return Some(FIRST_TARGET + found as u8);
        }
        if self.ios.is_some() || self.android.is_some() {
            let device = match user_agent::os_of(cut(request.user_agent, USER_AGENT_MAX)) {
                Os::Ios => self.ios,
                Os::Android => self.android,
                _ => None,
            };
            if device.is_some() {
                return device;
            }
        }
        let country = place.country?;
        let found = self.geo.binary_search_by_key(&country, |(code, _)| *code).ok()?;
        Some(self.geo[found].1)
    }
}

/// What a chat shows of a link: what its brand has written for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The brand's, else the host that the link leads to.
    pub title: Box<str>,
    pub description: Option<Box<str>>,
    /// Serialised URLs.
    pub image: Option<Box<str>>,
    pub video: Option<Box<str>>,
}

impl Card {
    /// The card of a link with `terms`.
    pub fn of(terms: &LinkTerms) -> Self {
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        Self {
            title: text(&terms.title).unwrap_or_else(|| destination::host_of(&terms.destination).into()),
            description: text(&terms.description),
            image: text(&terms.reception.image),
            video: text(&terms.reception.video),
        }
    }
}

/// What conditions are held against.
struct Facts<'a> {
    request: &'a Request<'a>,
    place: &'a Place<'a>,
    now: Timestamp,
    /// Read when the first condition asks.
    agent: OnceCell<UserAgent>,
}

impl Facts<'_> {
    fn agent(&self) -> &UserAgent {
        let text = self.request.user_agent;
        self.agent.get_or_init(|| user_agent::parse(cut(text, USER_AGENT_MAX)))
    }
}

/// The conditions of one rule.
#[derive(Debug)]
struct Matcher {
    /// One bit a code; `None` = any.
    devices: Option<u32>,
    browsers: Option<u32>,
    systems: Option<u32>,
    languages: Box<[Box<str>]>,
    query: Option<Parameter>,
    networks: Box<[IpRange]>,
    countries: Box<[[u8; 2]]>,
    /// In lower case.
    cities: Box<[Box<str>]>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Matcher {
    fn new(when: &Conditions) -> Self {
        Self {
            devices: bits(&when.devices, |name| Device::of_name(name).map(|known| known as u8)),
            browsers: bits(&when.browsers, |name| Browser::of_name(name).map(|known| known as u8)),
            systems: bits(&when.systems, |name| Os::of_name(name).map(|known| known as u8)),
            languages: when.languages.iter().map(|tag| tag.as_str().into()).collect(),
            query: when.query.clone(),
            networks: when.networks.iter().filter_map(|text| IpRange::parse(text)).collect(),
            countries: when.countries.iter().filter_map(|code| code_of(code)).collect(),
            cities: when.cities.iter().map(|city| city.to_lowercase().into()).collect(),
            from: when.from,
            until: when.until,
        }
    }

    /// Whether all conditions hold; the cheap ones are asked first.
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let request = facts.request;
        let has = |bits: Option<u32>, code: fn(&UserAgent) -> u8| {
            bits.is_none_or(|bits| bits >> code(facts.agent()) & 1 == 1)
        };
        self.from.is_none_or(|from| from <= facts.now)
            && self.until.is_none_or(|until| facts.now < until)
            && (self.countries.is_empty() || facts.place.country.is_some_and(|code| self.countries.contains(&code)))
            && (self.cities.is_empty() || self.cities.iter().any(|city| is_city(facts.place.city, city)))
            && (self.networks.is_empty() || self.networks.iter().any(|range| range.contains(request.address)))
            && (self.languages.is_empty() || speaks(request.accept_language, &self.languages))
            && has(self.systems, |agent| agent.os as u8)
            && has(self.devices, |agent| agent.device as u8)
            && has(self.browsers, |agent| agent.browser as u8)
            && self
                .query
                .as_ref()
                .is_none_or(|wanted| has_parameter(request.query, wanted))
    }
}

fn bits(names: &[String], code: impl Fn(&str) -> Option<u8>) -> Option<u32> {
    let bit = |name: &String| code(name).map_or(0, |code| 1 << code);
    (!names.is_empty()).then(|| names.iter().map(bit).fold(0, |all, bit| all | bit))
}

fn code_of(country: &str) -> Option<[u8; 2]> {
    country.as_bytes().try_into().ok()
}

fn is_city(found: &str, wanted: &str) -> bool {
    !found.is_empty() && found.chars().flat_map(char::to_lowercase).eq(wanted.chars())
}

/// Whether the follower's first language is one of `wanted`, or a region's form of one (RFC 4647, basic filtering).
fn speaks(header: &str, wanted: &[Box<str>]) -> bool {
    let tag = first_language(header);
    wanted.iter().any(|wanted| {
        let head = tag.get(..wanted.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(wanted))
            && matches!(tag.as_bytes().get(wanted.len()), None | Some(b'-'))
    })
}

fn has_parameter(query: &str, wanted: &Parameter) -> bool {
    !query.is_empty()
        && url::form_urlencoded::parse(query.as_bytes()).any(|(name, value)| {
            name == wanted.name.as_str() && wanted.value.as_ref().is_none_or(|wanted| *wanted == value)
        })
}

/// The address that opens `url` in the system's browser, for a follower in an app's own.
pub(super) fn way_out(request: &Request<'_>, url: &str) -> Option<String> {
    let agent = cut(request.user_agent, USER_AGENT_MAX);
    app_browser::way_out(user_agent::app_of(agent), user_agent::os_of(agent), url)
}

/// Whether a page that opens an app is of use: to a person who can tap.
pub(super) fn can_tap(flags: ClickFlags) -> bool {
    let others = ClickFlags::BOT.0 | ClickFlags::HEAD.0 | ClickFlags::PREFETCH.0;
    flags.0 & others == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reception::{Rule, Target};

    const IPHONE: &str =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1";
    const PIXEL: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/130.0 Mobile Safari/537.36";

    fn target(name: &str) -> Target {
        Target {
            destination: format!("https://shop.example/{name}"),
            ..Target::default()
        }
    }

    fn record(reception: &Reception) -> Box<ReceptionRecord> {
        let offer = |target: &Target| Offer::plain(&target.destination);
        let terms = LinkTerms {
            reception: reception.clone(),
            ..LinkTerms::default()
        };
        ReceptionRecord::new(&terms, reception.targets().map(offer).collect()).expect("something")
    }

    fn led(record: &ReceptionRecord, request: &Request<'_>, place: &Place<'_>, now: i64) -> Option<String> {
        let number = record.target(request, place, Timestamp(now))?;
        record.offer(number).map(|offer| offer.destination.to_string())
    }

    fn request() -> Request<'static> {
        Request::get("go.test", "/a", "192.0.2.7".parse().expect("an address"))
    }

    #[test]
    fn each_condition_decides() {
        type C = Conditions;
        let list = |text: &str| vec![text.to_owned()];
        let parameter = |value: Option<&str>| {
            Some(Parameter {
                name: "src".into(),
                value: value.map(str::to_owned),
            })
        };
        let berlin = Place {
            country: Some(*b"DE"),
            region: "BE",
            city: "Berlin",
        };
        let iphone = Request {
            user_agent: IPHONE,
            accept_language: "de-AT,en;q=0.5",
            query: "src=bio&x=1",
            ..request()
        };
        for (when, expected) in [
            (
                C {
                    devices: list("Mobile"),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    devices: list("Desktop"),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    browsers: list("Safari"),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    browsers: list("Chrome"),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    systems: list("iOS"),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    systems: vec!["Windows".into(), "iOS".into()],
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    systems: list("Android"),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    languages: list("de"),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    languages: list("DE-at"),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    languages: list("de-DE"),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    languages: list("en"),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    languages: list("d"),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    query: parameter(None),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    query: parameter(Some("bio")),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    query: parameter(Some("bi")),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    networks: list("192.0.2.0/24"),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    networks: list("2001:db8::/32"),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    countries: list("DE"),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    countries: list("AT"),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    cities: list("BERLIN"),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    cities: list("Bern"),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    from: Some(Timestamp(100)),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    from: Some(Timestamp(101)),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    until: Some(Timestamp(101)),
                    ..C::default()
                },
                true,
            ),
            (
                C {
                    until: Some(Timestamp(100)),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    systems: list("iOS"),
                    countries: list("AT"),
                    ..C::default()
                },
                false,
            ),
            (
                C {
                    systems: list("iOS"),
                    countries: list("DE"),
                    ..C::default()
                },
                true,
            ),
        ] {
            let told = format!("{when:?}");
            let record = record(&Reception {
                rules: vec![Rule {
                    when,
                    target: target("rule"),
                }],
                ..Reception::default()
            });
            assert_eq!(led(&record, &iphone, &berlin, 100).is_some(), expected, "{told}");
        }
    }

    #[test]
    fn rules_come_before_devices_and_these_before_countries() {
        let reception = Reception {
            rules: vec![
                Rule {
                    when: Conditions {
                        countries: vec!["FR".into()],
                        ..Conditions::default()
                    },
                    target: target("first"),
                },
                Rule {
                    when: Conditions {
                        countries: vec!["FR".into(), "AT".into()],
                        ..Conditions::default()
                    },
                    target: target("second"),
                },
            ],
            ios: Some(target("ios")),
            android: None,
            geo: [("DE", "de"), ("AT", "at")]
                .map(|(code, name)| (code.to_owned(), target(name)))
                .into(),
            ..Reception::default()
        };
        let record = record(&reception);
        for (country, agent, expected) in [
            (Some(*b"FR"), IPHONE, Some("first")),
            (Some(*b"AT"), IPHONE, Some("second")),
            (Some(*b"DE"), IPHONE, Some("ios")),
            (Some(*b"DE"), PIXEL, Some("de")),
            (Some(*b"US"), PIXEL, None),
            (None, "", None),
        ] {
            let place = Place {
                country,
                ..Place::default()
            };
            let request = Request {
                user_agent: agent,
                ..request()
            };
            let expected = expected.map(|name| format!("https://shop.example/{name}"));
            assert_eq!(led(&record, &request, &place, 0), expected, "{country:?} {agent}");
        }
    }
}
