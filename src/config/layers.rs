//! Lays flags over the environment over the file over the defaults, and says which of them was wrong.
//!
//! Each variable and flag is checked as it is laid on, so that a refusal names the one that caused it.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::nearest::nearest;
use super::settings::{Kind, SETTINGS, list};
use super::{Config, ConfigError, check};

/// A value from the command line.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// The key that it sets, as in [`SETTINGS`].
    pub key: &'static str,
    /// What was typed, such as `--listen`.
    pub name: &'static str,
    /// The value.
    pub value: Value,
}

/// The keys that a certificate pair has.
const PAIR_KEYS: [&str; 2] = ["cert", "key"];

impl Config {
    /// Reads `file` (if any), then what `env` knows of the `HOPCART_*` variables, then `flags`, over the defaults.
    ///
    /// # Errors
    /// The first value that is refused, and where it came from.
    pub fn load(
        file: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
        flags: &[Flag],
    ) -> Result<Self, ConfigError> {
        let mut table = match file {
            Some(file) => read_file(file)?,
            None => Table::new(),
        };
        lay_environment(&mut table, env)?;
        for flag in flags {
            lay(&mut table, flag.key, flag.value.clone(), flag.name)?;
        }
        let mut config = settle(&table, "configuration")?;
        config.admin_key = check::admin_key(env("HOPCART_ADMIN_KEY"))?;
        check::whole(&config)?;
        Ok(config)
    }
}

/// The file as a table of known keys whose values are good.
fn read_file(file: &Path) -> Result<Table, ConfigError> {
    let text = fs::read_to_string(file).map_err(|error| ConfigError::Unreadable {
        file: file.to_owned(),
        why: error.to_string(),
    })?;
    let table: Table = toml::from_str(&text).map_err(|error| ConfigError::NotToml {
        file: file.to_owned(),
        line: line_of(&text, &error).map_or(0, |(line, _)| line),
        why: one_line(error.message()),
    })?;
    refuse_unknown(&table, "", file)?;
    let origin = file.display().to_string();
    let config: Config = toml::from_str(&text).map_err(|error| match line_of(&text, &error) {
        Some((line, key)) => ConfigError::BadValue {
            origin: format!("{origin}:{line}"),
            key,
            why: one_line(error.message()),
        },
        None => bad_value(&origin, &error),
    })?;
    check::ranges(&config, &origin)?;
    Ok(table)
}

/// Refuses the first key of `table`, which stands at `section` of the file, that no setting has.
fn refuse_unknown(table: &Table, section: &str, file: &Path) -> Result<(), ConfigError> {
    for (name, value) in table {
        let key = if section.is_empty() {
            name.clone()
        } else {
            format!("{section}.{name}")
        };
        if key == "admin_key" {
            return Err(ConfigError::SecretInFile { file: file.to_owned() });
        }
        let is_setting = SETTINGS.iter().any(|setting| setting.key == key);
        let is_section = SETTINGS
            .iter()
            .any(|setting| setting.key.split_once('.').is_some_and(|(head, _)| head == key));
        match value {
            Value::Table(inner) if is_section => refuse_unknown(inner, &key, file)?,
            Value::Array(pairs) if key == "tls.certificates" => {
                for pair in pairs.iter().filter_map(Value::as_table) {
                    if let Some(odd) = pair.keys().find(|inner| !PAIR_KEYS.contains(&inner.as_str())) {
                        return Err(unknown(file, format!("{key}.{odd}"), nearest(odd, PAIR_KEYS)));
                    }
                }
            }
            _ if is_setting || is_section => {}
            _ => return Err(unknown(file, key, nearest_key(name, section).as_deref())),
        }
    }
    Ok(())
}

fn unknown(file: &Path, key: String, nearest: Option<&str>) -> ConfigError {
    ConfigError::UnknownKey {
        file: file.to_owned(),
        key,
        nearest: nearest.map(str::to_owned),
    }
}

/// The key that `name` was meant to be: of the same section first, then a section, then any section's.
fn nearest_key(name: &str, section: &str) -> Option<String> {
    let split = |setting: &super::Setting| setting.key.split_once('.').unwrap_or(("", setting.key));
    let keys = SETTINGS.iter().map(split);
    let here = keys.clone().filter(|(head, _)| *head == section).map(|(_, key)| key);
    let sections = keys.clone().map(|(head, _)| head).filter(|_| section.is_empty());
    if let Some(key) = nearest(name, here.chain(sections)) {
        return Some(key.to_owned());
    }
    let anywhere = nearest(name, keys.clone().map(|(_, key)| key))?;
    keys.clone()
        .find(|(_, key)| *key == anywhere)
        .map(|(head, key)| format!("{head}.{key}").trim_start_matches('.').to_owned())
}

fn lay_environment(table: &mut Table, env: &dyn Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
    for setting in SETTINGS.iter().filter(|setting| setting.kind != Kind::Pairs) {
        let variable = setting.variable();
        let Some(text) = env(&variable) else { continue };
        let value = setting.read(&text).map_err(|why| ConfigError::BadValue {
            origin: variable.clone(),
            key: String::new(),
            why,
        })?;
        lay(table, setting.key, value, &variable)?;
    }
    let files = |name: &str| env(name).map(|text| list(&text).map(PathBuf::from).collect::<Vec<_>>());
    match (files("HOPCART_TLS_CERT"), files("HOPCART_TLS_KEY")) {
        (None, None) => Ok(()),
        (certs, keys) => {
            let pairs = pair_certificates(&certs.unwrap_or_default(), &keys.unwrap_or_default()).map_err(|why| {
                ConfigError::BadValue {
                    origin: "HOPCART_TLS_CERT and HOPCART_TLS_KEY".to_owned(),
                    key: String::new(),
                    why,
                }
            })?;
            lay(table, "tls.certificates", pairs, "HOPCART_TLS_CERT")
        }
    }
}

/// Certificates and keys as the value of `tls.certificates`, paired in order.
///
/// # Errors
/// What is wrong when there are more of the one than of the other.
pub fn pair_certificates(certs: &[PathBuf], keys: &[PathBuf]) -> Result<Value, String> {
    if certs.len() != keys.len() {
        return Err(format!(
            "must be given in pairs: there are {} certificates and {} keys",
            certs.len(),
            keys.len()
        ));
    }
    let text = |path: &PathBuf| Value::String(path.to_string_lossy().into_owned());
    let pairs = certs.iter().zip(keys).map(|(cert, key)| {
        let files = [("cert", text(cert)), ("key", text(key))];
        Value::Table(files.map(|(name, file)| (name.to_owned(), file)).into_iter().collect())
    });
    Ok(Value::Array(pairs.collect()))
}

/// Sets `key` to `value`, which came from `origin`, and checks it.
fn lay(table: &mut Table, key: &str, value: Value, origin: &str) -> Result<(), ConfigError> {
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((section, key)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                inner.insert(key.to_owned(), value);
            }
        }
    }
    settle(table, origin).map(drop)
}

/// The table as settings, each within its range; what is wrong is `origin`'s doing.
fn settle(table: &Table, origin: &str) -> Result<Config, ConfigError> {
    let config: Config = table.clone().try_into().map_err(|error| bad_value(origin, &error))?;
    check::ranges(&config, origin)?;
    Ok(config)
}

fn bad_value(origin: &str, error: &toml::de::Error) -> ConfigError {
    ConfigError::BadValue {
        origin: origin.to_owned(),
        key: String::new(),
        why: one_line(error.message()),
    }
}

/// Line of the mistake, from 1, and the key on it.
fn line_of(text: &str, error: &toml::de::Error) -> Option<(usize, String)> {
    let head = text.get(..error.span()?.start)?;
    let line = head.matches('\n').count();
    let key = text.lines().nth(line)?.split('=').next()?.trim();
    Some((line + 1, key.to_owned()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::config::ClickAck;

    fn fixtures(kind: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config").join(kind);
        let mut files: Vec<PathBuf> = fs::read_dir(&folder)
            .expect("the folder of fixtures")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        files
    }

    fn load(file: Option<&Path>, env: &[(&str, &str)], flags: &[Flag]) -> Result<Config, ConfigError> {
        let env: HashMap<String, String> = env
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        Config::load(file, &|name| env.get(name).cloned(), flags)
    }

    fn flag(key: &'static str, name: &'static str, value: &str) -> Flag {
        Flag {
            key,
            name,
            value: Value::String(value.to_owned()),
        }
    }

    #[test]
    fn good_files_load() {
        let files = fixtures("good");
        assert!(files.len() >= 3, "{files:?}");
        for file in files {
            let loaded = load(Some(&file), &[], &[]);
            assert!(loaded.is_ok(), "{loaded:?}");
        }
    }

    #[test]
    fn bad_files_are_refused_with_the_line_that_they_name() {
        let files = fixtures("bad");
        assert!(files.len() >= 10, "{files:?}");
        for file in files {
            let text = fs::read_to_string(&file).expect("a readable fixture");
            let expected = text
                .lines()
                .find_map(|line| line.strip_prefix("# expect: "))
                .unwrap_or_else(|| panic!("{}: no `# expect: ` line", file.display()));
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            let error = load(Some(&file), &[], &[]).expect_err(&name).to_string();
            let error = error.replace(&file.display().to_string(), &name);
            assert_eq!(error, expected);
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn the_documented_file_names_every_key_with_its_default() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config/good/all.toml");
        let text = fs::read_to_string(&file).expect("a readable fixture");
        let workers = Flag {
            key: "workers",
            name: "--workers",
            value: Value::Integer(3),
        };
        let documented = load(Some(&file), &[], std::slice::from_ref(&workers)).expect("a good file");
        assert_eq!(documented, load(None, &[], &[workers]).expect("the defaults"));
        let mut section = String::new();
        let mut named = Vec::new();
        for line in text.lines().map(|line| line.trim_start_matches("# ")) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = format!("{name}.");
            } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) {
                named.push(format!("{section}{key}"));
            }
        }
        let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
        assert_eq!(named, known);
    }

    #[test]
    fn every_key_can_be_set_in_a_file_and_by_the_environment() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config/good/everything-set.toml");
        let table: Table = toml::from_str(&fs::read_to_string(&file).expect("a readable fixture")).expect("TOML");
        let mut env: Vec<(String, String)> = Vec::new();
        for setting in SETTINGS.iter().filter(|setting| setting.kind != Kind::Pairs) {
            let value = match setting.key.split_once('.') {
                Some((section, key)) => table[section].get(key),
                None => table.get(setting.key),
            };
            let text = match value.unwrap_or_else(|| panic!("{} is not set", setting.key)) {
                Value::String(text) => text.clone(),
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
                other => other.to_string(),
            };
            env.push((setting.variable(), text));
        }
        env.push(("HOPCART_TLS_CERT".to_owned(), "a.pem,b.pem".to_owned()));
        env.push(("HOPCART_TLS_KEY".to_owned(), "a.key, b.key".to_owned()));
        let env: Vec<(&str, &str)> = env.iter().map(|(name, text)| (&**name, &**text)).collect();
        let of_file = load(Some(&file), &[], &[]).expect("a good file");
        assert_eq!(load(None, &env, &[]).expect("a good environment"), of_file);
        let defaults = format!("{:?}", Config::default());
        let differing = format!("{of_file:?}");
        for (own, default) in differing.split(", ").zip(defaults.split(", ")) {
            assert!(own.starts_with("admin_key") || own != default, "{own} is the default");
        }
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config/good/everything-set.toml");
        let port = |env: &[(&str, &str)], flags: &[Flag]| load(Some(&file), env, flags).expect("good").listen.port();
        let env = [("HOPCART_LISTEN", "0.0.0.0:81")];
        assert_eq!(load(None, &[], &[]).expect("good").listen.port(), 8080);
        assert_eq!(port(&[], &[]), 9080);
        assert_eq!(port(&env, &[]), 81);
        assert_eq!(port(&env, &[flag("listen", "--listen", "0.0.0.0:82")]), 82);
        assert_eq!(
            load(None, &[("HOPCART_CLICK_ACK", "durable")], &[])
                .expect("good")
                .click_ack,
            ClickAck::Durable
        );
        let slashed = load(None, &[("HOPCART_PUBLIC_URL", "https://go.brand.example/")], &[]).expect("good");
        assert_eq!(slashed.public_url.as_deref(), Some("https://go.brand.example"));
    }

    #[test]
    fn refusals_name_the_variable_or_the_flag() {
        for (env, flags, expected) in [
            (
                vec![("HOPCART_LISTEN", "8080")],
                vec![],
                "HOPCART_LISTEN: must be ADDRESS:PORT such as 127.0.0.1:8080, not \"8080\"",
            ),
            (
                vec![("HOPCART_LISTEN", "127.0.0.1:1")],
                vec![flag("listen", "--listen", "x")],
                "--listen: must be ADDRESS:PORT such as 127.0.0.1:8080, not \"x\"",
            ),
            (
                vec![("HOPCART_COOKIE_MAX_AGE_DAYS", "500")],
                vec![],
                "HOPCART_COOKIE_MAX_AGE_DAYS: `cookie.max_age_days` must be 1 to 400, not 500",
            ),
            (
                vec![("HOPCART_WORKERS", "-1")],
                vec![],
                "HOPCART_WORKERS: invalid value: integer `-1`, expected usize",
            ),
            (
                vec![("HOPCART_TLS_CERT", "a.pem")],
                vec![],
                "HOPCART_TLS_CERT and HOPCART_TLS_KEY: must be given in pairs: there are 1 certificates and 0 keys",
            ),
            (
                vec![("HOPCART_LISTEN_TLS", "127.0.0.1:8443")],
                vec![],
                "configuration: `listen_tls` needs a certificate: give --tls-cert and --tls-key, or certificates under [tls]",
            ),
            (
                vec![("HOPCART_ADMIN_KEY", "short")],
                vec![],
                "HOPCART_ADMIN_KEY: must have 16 to 256 visible ASCII characters",
            ),
        ] {
            assert_eq!(load(None, &env, &flags).expect_err(expected).to_string(), expected);
        }
        let missing = load(Some(Path::new("no/such.toml")), &[], &[]).expect_err("no file");
        assert!(
            missing.to_string().starts_with("no/such.toml: cannot be read: "),
            "{missing}"
        );
    }

    #[test]
    fn the_admin_key_is_masked() {
        let config = load(None, &[("HOPCART_ADMIN_KEY", "sixteen-letters!")], &[]).expect("good");
        assert_eq!(
            config.admin_key.as_ref().map(|key| key.reveal()),
            Some("sixteen-letters!")
        );
        assert!(!format!("{config:?}").contains("sixteen"));
    }
}
