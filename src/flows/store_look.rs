//! How a store's landing pages look, as a caller names it, and its way to a [`StoreLook`] that pages can show.

use super::context::Context;
use super::error::Error;
use crate::domain::host::{self, HostError};
use crate::domain::store::{IMAGE_HOSTS_MAX, PRICE_FRESH_HOURS, PRICE_FRESH_HOURS_MAX, StoreLook};

/// What a caller says of a look. `None` = not said, `Some(None)` = taken away.
#[derive(Debug, Clone, Default)]
pub struct LookChange {
    pub accent: Option<Option<String>>,
    pub logo_url: Option<Option<String>>,
    pub image_hosts: Option<Option<Vec<String>>>,
    pub price_fresh_hours: Option<Option<u32>>,
}

impl LookChange {
    /// Changes `look`.
    pub(super) fn apply(self, context: &Context, look: &mut StoreLook) -> Result<(), Error> {
        if let Some(accent) = self.accent {
            look.accent = accent.map(|accent| check_accent(&accent)).transpose()?;
        }
        if let Some(url) = self.logo_url {
            let checked = url.map(|url| context.check_destination("logoUrl", &url)).transpose()?;
            look.logo_url = checked.map(String::from);
        }
        if let Some(hosts) = self.image_hosts {
            let private_allowed = context.inner.destinations.private_allowed;
            look.image_hosts = check_image_hosts(&hosts.unwrap_or_default(), private_allowed)?;
        }
        if let Some(hours) = self.price_fresh_hours {
            let hours = hours.unwrap_or(PRICE_FRESH_HOURS);
            if !(1..=PRICE_FRESH_HOURS_MAX).contains(&hours) {
                return Err(Error::invalid("priceFreshHours", "must be from 1 to 720"));
            }
            look.price_fresh_hours = hours;
        }
        Ok(())
    }
}

fn check_accent(accent: &str) -> Result<String, Error> {
    let digits = accent.strip_prefix('#').unwrap_or_default();
    let is_color = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_color
        .then(|| accent.to_ascii_lowercase())
        .ok_or_else(|| Error::invalid("accentColor", "must be a colour such as #0a6b4b"))
}

fn check_image_hosts(hosts: &[String], private_allowed: bool) -> Result<Vec<String>, Error> {
    if hosts.len() > IMAGE_HOSTS_MAX {
        return Err(Error::invalid("imageHosts", "must have at most 20 entries"));
    }
    let mut checked: Vec<String> = Vec::with_capacity(hosts.len());
    for (place, written) in hosts.iter().enumerate() {
        let host = image_host(written, private_allowed)
            .map_err(|message| Error::invalid(format!("imageHosts[{place}]"), message))?;
        if !checked.contains(&host) {
            checked.push(host);
        }
    }
    Ok(checked)
}

/// `host` or `host:port` in one spelling, without a port that a URL would not show either.
fn image_host(written: &str, private_allowed: bool) -> Result<String, &'static str> {
    const MALFORMED: &str = "must be a host such as cdn.shop.example, with a port where it is not the usual one";
    if written.contains("//") {
        return Err("must be a host such as cdn.shop.example, without https:// in front of it");
    }
    let (name, port) = match written.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (written, None),
    };
    let name = host::parse_domain(name, private_allowed).map_err(|error| match error {
        HostError::Malformed => MALFORMED,
        HostError::NotPublic => "must be a public host name",
    })?;
    let Some(port) = port else { return Ok(name) };
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(80 | 443) if is_number => Ok(name),
        Ok(port) if is_number && port > 0 => Ok(format!("{name}:{port}")),
        _ => Err(MALFORMED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_hosts_have_one_spelling() {
        for (written, expected) in [
            ("CDN.Shop.Example", Some("cdn.shop.example")),
            ("grün.example", Some("xn--grn-ioa.example")),
            ("cdn.shop.example:8443", Some("cdn.shop.example:8443")),
            ("cdn.shop.example:443", Some("cdn.shop.example")),
            ("cdn.shop.example:80", Some("cdn.shop.example")),
            ("cdn.shop.example:", None),
            ("cdn.shop.example:0", None),
            ("cdn.shop.example:+80", None),
            ("cdn.shop.example:99999", None),
            ("https://cdn.shop.example", None),
            ("//cdn.shop.example", None),
            ("https:cdn.shop.example", None),
            ("cdn.shop.example/a", None),
            ("*.shop.example", None),
            ("me@shop.example", None),
            ("a.example; script-src *", None),
            ("127.0.0.1", None),
            ("localhost", None),
            ("[::1]:80", None),
            ("", None),
        ] {
            assert_eq!(image_host(written, false).ok().as_deref(), expected, "{written}");
        }
        assert_eq!(image_host("127.0.0.1:8080", true).as_deref(), Ok("127.0.0.1:8080"));
        let refused = image_host("https://cdn.shop.example", false);
        assert!(refused.is_err_and(|message| message.contains("without https://")));
    }

    #[test]
    fn a_list_of_hosts_is_bounded_and_holds_each_once() {
        let list = |hosts: &[&str]| hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let kept = check_image_hosts(&list(&["a.example", "A.example:443", "b.example"]), false);
        assert_eq!(kept.expect("good hosts"), ["a.example", "b.example"]);
        for (hosts, field) in [
            (list(&["a.example"; 21]), "imageHosts"),
            (list(&["a.example", "b c"]), "imageHosts[1]"),
        ] {
            let Err(Error::Invalid(invalid)) = check_image_hosts(&hosts, false) else {
                panic!("{hosts:?} was taken")
            };
            assert_eq!(invalid.field, field);
        }
    }

    #[test]
    fn accents_are_six_hex_digits() {
        assert_eq!(check_accent("#0A6b4B").ok().as_deref(), Some("#0a6b4b"));
        for bad in ["", "#", "0a6b4b", "#0a6b4", "#0a6b4bff", "#0g6b4b", "red", "#0a6b4b;"] {
            assert!(check_accent(bad).is_err(), "{bad}");
        }
    }
}
