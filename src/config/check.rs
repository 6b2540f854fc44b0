//! What the types of the settings cannot say: ranges, and settings that need each other. Pure.

use std::ops::RangeInclusive;

use url::Url;

use super::{Config, ConfigError, Masked};
use crate::domain::api_key;
use crate::domain::consent::ConsentMode;

/// Checks each value on its own.
///
/// # Errors
/// The first that lies outside of its range, told as `origin`'s.
pub fn ranges(config: &Config, origin: &str) -> Result<(), ConfigError> {
    let limits = &config.limits;
    let seconds = 1..=3600;
    let numbers: [(&str, u64, RangeInclusive<u64>); 17] = [
        ("workers", wide(config.workers), 1..=1024),
        (
            "clicks.dedupe_window_seconds",
            config.clicks.dedupe_window_seconds.into(),
            0..=86_400,
        ),
        (
            "clicks.queue_bytes",
            wide(config.clicks.queue_bytes),
            64 << 10..=4 << 30,
        ),
        ("clicks.retention_days", config.clicks.retention_days.into(), 0..=36_500),
        ("cookie.max_age_days", config.cookie.max_age_days.into(), 1..=400),
        ("limits.connections_max", wide(limits.connections_max), 1..=10_000_000),
        (
            "limits.connections_per_address_max",
            limits.connections_per_address_max.into(),
            1..=10_000_000,
        ),
        (
            "limits.handshake_seconds",
            limits.handshake_seconds.into(),
            seconds.clone(),
        ),
        (
            "limits.first_byte_seconds",
            limits.first_byte_seconds.into(),
            seconds.clone(),
        ),
        ("limits.header_seconds", limits.header_seconds.into(), seconds.clone()),
        ("limits.idle_seconds", limits.idle_seconds.into(), seconds),
        (
            "limits.header_bytes_max",
            wide(limits.header_bytes_max),
            1 << 10..=1 << 20,
        ),
        ("limits.headers_max", wide(limits.headers_max), 8..=1024),
        (
            "limits.webhook_bytes_max",
            wide(limits.webhook_bytes_max),
            1 << 10..=64 << 20,
        ),
        ("limits.api_bytes_max", wide(limits.api_bytes_max), 1 << 10..=256 << 20),
        (
            "limits.catalog_bytes_max",
            wide(limits.catalog_bytes_max),
            1 << 10..=256 << 20,
        ),
        (
            "limits.api_calls_per_minute",
            limits.api_calls_per_minute.into(),
            0..=1_000_000,
        ),
    ];
    for (key, number, allowed) in numbers {
        if !allowed.contains(&number) {
            let why = format!("must be {} to {}, not {number}", allowed.start(), allowed.end());
            return Err(bad(origin, key, why));
        }
    }
    if let Some(public_url) = &config.public_url {
        check_public_url(public_url).map_err(|why| bad(origin, "public_url", why))?;
    }
    if config.data.as_os_str().is_empty() {
        return Err(bad(origin, "data", "must name a directory".to_owned()));
    }
    if config.clicks.ring_dir.as_ref().is_some_and(|dir| !dir.is_absolute()) {
        return Err(bad(origin, "clicks.ring_dir", "must be an absolute path".to_owned()));
    }
    Ok(())
}

/// Checks what belongs together, once everything is laid on.
///
/// # Errors
/// The first pair of settings that does not fit.
pub fn whole(config: &Config) -> Result<(), ConfigError> {
    let has_certificates = !config.tls.certificates.is_empty();
    let misfit = |key: &str, why: &str| Err(bad("configuration", key, why.to_owned()));
    if config.listen_tls.is_some() && !has_certificates {
        return misfit(
            "listen_tls",
            "needs a certificate: give --tls-cert and --tls-key, or certificates under [tls]",
        );
    }
    if config.listen_tls.is_none() && has_certificates {
        return misfit(
            "tls.certificates",
            "are of no use without listen_tls: give --listen-tls",
        );
    }
    if config.consent.default == ConsentMode::Eea && config.country_file.is_none() {
        return misfit(
            "consent.default",
            "\"eea\" needs a country_file to tell who is in the EEA",
        );
    }
    Ok(())
}

/// Checks the operator's own first key.
///
/// # Errors
/// When it is too short to be safe, or longer than any bearer token that is read.
pub fn admin_key(text: Option<String>) -> Result<Option<Masked>, ConfigError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let length = text.chars().count();
    let allowed = api_key::CHOSEN_MIN..=api_key::KEY_MAX;
    let is_visible = text.chars().all(|c| c.is_ascii_graphic());
    if !allowed.contains(&length) || !is_visible {
        return Err(ConfigError::AdminKey {
            why: format!(
                "must have {} to {} visible ASCII characters",
                allowed.start(),
                allowed.end()
            ),
        });
    }
    Ok(Some(Masked::new(text)))
}

fn check_public_url(text: &str) -> Result<(), String> {
    let refuse = || format!("must be http:// or https:// with a host and nothing behind it, not \"{text}\"");
    let url = Url::parse(text).map_err(|_| refuse())?;
    let is_bare = url.path() == "/"
        && !text.ends_with(['/', '?', '#'])
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare {
        Ok(())
    } else {
        Err(refuse())
    }
}

fn bad(origin: &str, key: &str, why: String) -> ConfigError {
    ConfigError::BadValue {
        origin: origin.to_owned(),
        key: key.to_owned(),
        why,
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
