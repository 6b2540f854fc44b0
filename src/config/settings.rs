//! The list of every key: what files may name, what the environment is asked for, what flags overlay.
//!
//! A test holds it against the fields of [`super::Config`], so that neither can gain a key alone.

use toml::Value;

/// How a text from the environment becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As written.
    Text,
    /// A whole number; `_` may part digits.
    Number,
    /// `true` or `false`, `1` or `0`.
    Switch,
    /// Comma-separated texts; empty = an empty list.
    List,
    /// Certificate pairs: two variables of their own, see [`super::layers`].
    Pairs,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The key with its section, such as `clicks.queue_bytes`.
    pub key: &'static str,
    /// Its type.
    pub kind: Kind,
}

const fn setting(key: &'static str, kind: Kind) -> Setting {
    Setting { key, kind }
}

/// Every key, in the order of the fields.
pub const SETTINGS: [Setting; 37] = [
    setting("data", Kind::Text),
    setting("listen", Kind::Text),
    setting("listen_tls", Kind::Text),
    setting("admin_listen", Kind::Text),
    setting("public_url", Kind::Text),
    setting("click_ack", Kind::Text),
    setting("workers", Kind::Number),
    setting("fast_path", Kind::Switch),
    setting("trusted_proxies", Kind::List),
    setting("country_file", Kind::Text),
    setting("tls.http2", Kind::Switch),
    setting("tls.certificates", Kind::Pairs),
    setting("destinations.allow_private", Kind::Switch),
    setting("destinations.allowed_hosts", Kind::List),
    setting("webhooks.allow_local", Kind::Switch),
    setting("domains.resolver", Kind::Text),
    setting("domains.require_verified", Kind::Switch),
    setting("clicks.dedupe_window_seconds", Kind::Number),
    setting("clicks.queue_bytes", Kind::Number),
    setting("clicks.retention_days", Kind::Number),
    setting("clicks.ring_dir", Kind::Text),
    setting("cookie.max_age_days", Kind::Number),
    setting("consent.default", Kind::Text),
    setting("limits.connections_max", Kind::Number),
    setting("limits.connections_per_address_max", Kind::Number),
    setting("limits.handshake_seconds", Kind::Number),
    setting("limits.first_byte_seconds", Kind::Number),
    setting("limits.header_seconds", Kind::Number),
    setting("limits.idle_seconds", Kind::Number),
    setting("limits.header_bytes_max", Kind::Number),
    setting("limits.headers_max", Kind::Number),
    setting("limits.webhook_bytes_max", Kind::Number),
    setting("limits.api_bytes_max", Kind::Number),
    setting("limits.catalog_bytes_max", Kind::Number),
    setting("limits.api_calls_per_minute", Kind::Number),
    setting("log.format", Kind::Text),
    setting("log.level", Kind::Text),
];

impl Setting {
    /// The variable that sets the key. The log level's is shorter, as people know it from `RUST_LOG`.
    pub fn variable(self) -> String {
        if self.key == "log.level" {
            return "HOPCART_LOG".to_owned();
        }
        format!("HOPCART_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// The value that `text` stands for.
    ///
    /// # Errors
    /// What is wrong with it, to follow the name of its variable.
    pub fn read(self, text: &str) -> Result<Value, String> {
        match self.kind {
            Kind::Text | Kind::Pairs => Ok(Value::String(text.to_owned())),
            Kind::Number => text
                .trim()
                .replace('_', "")
                .parse()
                .map(Value::Integer)
                .map_err(|_| format!("must be a whole number, not \"{text}\"")),
            Kind::Switch => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(Value::Boolean(true)),
                "false" | "0" => Ok(Value::Boolean(false)),
                _ => Err(format!("must be true or false, not \"{text}\"")),
            },
            Kind::List => Ok(Value::Array(list(text).map(Value::String).collect())),
        }
    }
}

/// The items of a comma-separated text.
pub fn list(text: &str) -> impl Iterator<Item = String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_values_by_kind() {
        let read = |kind, text| setting("x.y", kind).read(text);
        assert_eq!(read(Kind::Number, " 1_000 "), Ok(Value::Integer(1000)));
        assert_eq!(read(Kind::Switch, "TRUE"), Ok(Value::Boolean(true)));
        assert_eq!(
            read(Kind::List, "a, b,"),
            Ok(Value::Array(vec!["a".into(), "b".into()]))
        );
        assert_eq!(
            read(Kind::Number, "many"),
            Err("must be a whole number, not \"many\"".to_owned())
        );
        assert_eq!(
            read(Kind::Switch, "yes"),
            Err("must be true or false, not \"yes\"".to_owned())
        );
        assert_eq!(
            setting("clicks.queue_bytes", Kind::Number).variable(),
            "HOPCART_CLICKS_QUEUE_BYTES"
        );
        assert_eq!(setting("log.level", Kind::Text).variable(), "HOPCART_LOG");
    }
}
