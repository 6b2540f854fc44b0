//! `hopcart serve`: configuration in, a running server, a clean stop.
//!
//! Prints the listeners' addresses on standard output, once each, when they are bound; scripts wait for these lines.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process;

use clap::Args;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use toml::Value;

use super::failure::Failure;
use super::terminal::{note, say};
use crate::app::{self, Running};
use crate::config::{Config, ConfigError, Flag, LogFormat, LogSection, pair_certificates};

/// `hopcart serve`
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Every key of the file can be set by a HOPCART_* variable as well; a flag beats the variable, \
    which beats the file.\nHOPCART_ADMIN_KEY (16 or more characters) chooses the first admin key.\n\
    SIGTERM or SIGINT stops: what was accepted is finished, every click is written."
)]
pub struct Arguments {
    /// Settings file (TOML)
    #[arg(long, value_name = "FILE", env = "HOPCART_CONFIG")]
    config: Option<PathBuf>,
    /// Directory of both stores [default: ./hopcart-data] [env: HOPCART_DATA]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where followers and webhooks come in [default: 127.0.0.1:8080] [env: HOPCART_LISTEN]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// The same over TLS; needs a certificate [env: HOPCART_LISTEN_TLS]
    #[arg(long, value_name = "ADDR:PORT")]
    listen_tls: Option<String>,
    /// Certificate chain (PEM), several times for several names [env: HOPCART_TLS_CERT]
    #[arg(long, value_name = "FILE")]
    tls_cert: Vec<PathBuf>,
    /// Private key (PEM) of the certificate at the same place [env: HOPCART_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    tls_key: Vec<PathBuf>,
    /// API, pages, health and metrics [default: 127.0.0.1:8081] [env: HOPCART_ADMIN_LISTEN]
    #[arg(long, value_name = "ADDR:PORT")]
    admin_listen: Option<String>,
    /// What links of the default domain begin with, such as https://go.brand.example [env: HOPCART_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// When a follower is answered: async (at once) or durable (the click is on disk) [env: HOPCART_CLICK_ACK]
    #[arg(long, value_name = "MODE")]
    click_ack: Option<String>,
    /// Threads that serve followers [default: one for each core] [env: HOPCART_WORKERS]
    #[arg(long, value_name = "N")]
    workers: Option<u32>,
    /// Answer plain redirects in front of the HTTP library: true or false [default: true] [env: HOPCART_FAST_PATH]
    #[arg(long, value_name = "BOOL")]
    fast_path: Option<bool>,
    /// Network whose forwarding headers are believed, several times [env: HOPCART_TRUSTED_PROXIES]
    #[arg(long, value_name = "NETWORK")]
    trusted_proxy: Vec<String>,
    /// MaxMind file for countries; a City file tells regions and cities as well [env: HOPCART_COUNTRY_FILE]
    #[arg(long, value_name = "FILE")]
    country_file: Option<PathBuf>,
}

/// Serves until a signal asks to stop.
///
/// # Errors
/// When the settings are wrong, or the server cannot start.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = Config::load(arguments.config.as_deref(), &variable, &arguments.flags()?)?;
    start_log(&config.log)?;
    // Before anything is bound: a signal during the start must end in a clean stop, not in a dead process.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut stop = StopSignals::new(&runtime)?;
    let is_key_chosen = config.admin_key.is_some();
    let running = app::start(config)?;
    announce(&running, is_key_chosen)?;
    runtime.block_on(stop.next());
    note("stopping: finishing what was accepted and writing every click; a second signal stops at once");
    std::thread::spawn(move || {
        runtime.block_on(stop.next());
        #[expect(clippy::exit, reason = "the second signal asks for an end at once")]
        process::exit(1);
    });
    running.stop();
    Ok(())
}

/// The value of a variable; bytes that are no text make a value that will not be found.
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|text| text.to_string_lossy().into_owned())
}

impl Arguments {
    /// The flags that were given, as settings.
    fn flags(&self) -> Result<Vec<Flag>, Failure> {
        let text = |text: &String| Value::String(text.clone());
        let path = |path: &PathBuf| Value::String(path.to_string_lossy().into_owned());
        let mut flags = Vec::new();
        let mut add = |key, name, value: Option<Value>| {
            flags.extend(value.map(|value| Flag { key, name, value }));
        };
        add("data", "--data", self.data.as_ref().map(path));
        add("listen", "--listen", self.listen.as_ref().map(text));
        add("admin_listen", "--admin-listen", self.admin_listen.as_ref().map(text));
        add("public_url", "--public-url", self.public_url.as_ref().map(text));
        add("click_ack", "--click-ack", self.click_ack.as_ref().map(text));
        add(
            "workers",
            "--workers",
            self.workers.map(|count| Value::Integer(count.into())),
        );
        add("fast_path", "--fast-path", self.fast_path.map(Value::Boolean));
        let proxies: Vec<Value> = self.trusted_proxy.iter().map(text).collect();
        add(
            "trusted_proxies",
            "--trusted-proxy",
            (!proxies.is_empty()).then_some(Value::Array(proxies)),
        );
        add("country_file", "--country-file", self.country_file.as_ref().map(path));
        add("listen_tls", "--listen-tls", self.listen_tls.as_ref().map(text));
        if !self.tls_cert.is_empty() || !self.tls_key.is_empty() {
            let pairs = pair_certificates(&self.tls_cert, &self.tls_key).map_err(|why| ConfigError::BadValue {
                origin: "--tls-cert and --tls-key".to_owned(),
                key: String::new(),
                why,
            })?;
            add("tls.certificates", "--tls-cert", Some(pairs));
        }
        Ok(flags)
    }
}

/// Tells the addresses, and the first key when one was made.
fn announce(running: &Running, is_key_chosen: bool) -> Result<(), Failure> {
    say(&format!("listening public http://{}", running.public))?;
    if let Some(tls) = running.tls {
        say(&format!("listening tls https://{tls}"))?;
    }
    say(&format!("listening admin http://{}", running.admin))?;
    // A key that the operator chose is known already and is better not repeated.
    if let Some(key) = running.first_key.as_ref().filter(|_| !is_key_chosen) {
        say(&format!("admin key {key}"))?;
        say("This key owns the server and is shown this once: keep it safe, only its hash is stored.")?;
    }
    Ok(())
}

/// Starts the log on standard error.
///
/// # Errors
/// When the level is neither a level nor directives.
pub fn start_log(log: &LogSection) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(&log.level)
        .map_err(|error| Failure::Usage(format!("`log.level` (HOPCART_LOG): \"{}\": {error}", log.level)))?;
    let is_terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal);
    let is_text = match log.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let started = if is_text {
        builder.compact().try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    started.map_err(|error| Failure::Failed(format!("the log cannot start: {error}")))
}

/// SIGTERM and SIGINT, caught from the moment that this exists.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Catches both signals from now on; `runtime` must run for [`Self::next`] to return.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new(runtime: &Runtime) -> Result<Self, Failure> {
        let _entered = runtime.enter();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;
    use crate::config::SETTINGS;

    fn parse(words: &[&str]) -> Arguments {
        let command = Arguments::augment_args(Command::new("serve").no_binary_name(true));
        let matches = command.try_get_matches_from(words).expect("a good command line");
        Arguments::from_arg_matches(&matches).expect("arguments")
    }

    #[test]
    fn every_flag_names_its_variable_and_every_variable_is_read() {
        let command = Arguments::augment_args(Command::new("serve"));
        let variables: Vec<String> = SETTINGS.iter().map(|setting| setting.variable()).collect();
        for argument in command.get_arguments().filter(|argument| argument.get_id() != "config") {
            let help = argument.get_help().expect("help").to_string();
            let name = help
                .split_once("[env: ")
                .and_then(|(_, rest)| rest.split_once(']'))
                .unwrap_or_else(|| panic!("{help}"))
                .0;
            let is_read = variables.iter().any(|known| known == name);
            assert!(
                is_read || ["HOPCART_TLS_CERT", "HOPCART_TLS_KEY"].contains(&name),
                "{name}"
            );
        }
    }

    #[test]
    fn flags_become_settings() {
        let arguments = parse(&[
            "--data",
            "d",
            "--listen",
            "127.0.0.1:1",
            "--listen-tls",
            "127.0.0.1:2",
            "--admin-listen",
            "127.0.0.1:3",
            "--tls-cert",
            "a.pem",
            "--tls-key",
            "a.key",
            "--tls-cert",
            "b.pem",
            "--tls-key",
            "b.key",
            "--public-url",
            "https://go.brand.example",
            "--click-ack",
            "durable",
            "--workers",
            "3",
            "--fast-path",
            "false",
            "--trusted-proxy",
            "10.0.0.0/8",
            "--country-file",
            "c.mmdb",
        ]);
        let config = Config::load(None, &|_| None, &arguments.flags().expect("pairs")).expect("good settings");
        assert_eq!([config.listen.port(), config.admin_listen.port()], [1, 3]);
        assert_eq!(config.listen_tls.map(|address| address.port()), Some(2));
        assert_eq!(config.tls.certificates[1].key, PathBuf::from("b.key"));
        assert_eq!((config.workers, config.trusted_proxies.len()), (3, 1));
        assert!(!config.fast_path);
        assert_eq!(config.data, PathBuf::from("d"));
        assert_eq!(config.country_file, Some(PathBuf::from("c.mmdb")));
    }

    #[test]
    fn odd_certificates_are_refused() {
        let failure = parse(&["--tls-cert", "a.pem"]).flags().expect_err("no key");
        assert_eq!(failure.code(), 2);
        assert!(
            failure.to_string().starts_with("--tls-cert and --tls-key: "),
            "{failure}"
        );
    }
}
