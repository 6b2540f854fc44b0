//! What is to be measured, checked before anything is sent.

use std::env;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::arguments::{Arguments, Draw};
use super::draw::{Drawing, Order, Slugs};
use super::requests::{Manner, Requests};
use super::target::Target;
use super::transport::Tls;
use crate::cli::failure::Failure;
use crate::cli::terminal::note;

/// Variable with a key that flags clicks as tests.
const KEY_VARIABLE: &str = "HOPCART_ADMIN_KEY";
/// Slices of several targets: short enough that what else the machine does falls on all, long enough to fill caches.
const SLICE: Duration = Duration::from_millis(500);
/// How long a target may take to accept a first connection.
const REACH: Duration = Duration::from_secs(5);
/// Shortest and longest time before a slice in which connections are made and caches filled; a fifth of it otherwise.
const WARM_UP: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// A target with all that is needed to ask it.
#[derive(Debug)]
pub struct Asked {
    pub target: Target,
    pub tls: Option<Tls>,
    pub requests: Requests,
    /// Whose processor time is told; empty = nobody's.
    pub roots: Vec<u32>,
}

/// All of it.
#[derive(Debug)]
pub struct Plan {
    pub asked: Vec<Asked>,
    pub rate: Option<u64>,
    pub connections: usize,
    pub threads: usize,
    pub is_closing: bool,
    pub is_head: bool,
    pub slice: Duration,
    pub rounds: usize,
    pub timeout: Duration,
    pub settle: Duration,
    pub expected: Vec<u16>,
    pub serving: Option<String>,
    pub seed: u64,
}

impl Plan {
    /// Reads files and looks addresses up.
    ///
    /// # Errors
    /// What is wrong with the arguments; [`Failure::Unavailable`] when a target cannot be reached.
    pub fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let threads = size(arguments.threads.min(arguments.connections));
        let (slice, rounds) = slices(arguments);
        let names: Vec<&str> = arguments.targets.iter().map(|named| named.name.as_str()).collect();
        check_names(&names, arguments)?;
        let mut asked = Vec::new();
        for named in &arguments.targets {
            asked.push(ask(named.resolve()?, arguments)?);
        }
        if asked.iter().any(|asked| !asked.is_flagged(arguments)) {
            note(
                "warning: no test key, so these clicks count as people's in a hopcart server's reports; \
                 --test-key KEY (an API key of the server) flags them",
            );
        }
        for asked in &asked {
            reach(&asked.target)?;
        }
        Ok(Self {
            asked,
            rate: arguments.rate,
            connections: size(arguments.connections),
            threads,
            is_closing: arguments.close,
            is_head: arguments.head,
            slice,
            rounds,
            timeout: arguments.timeout,
            settle: arguments.settle,
            expected: arguments.expect.clone(),
            serving: arguments.serving_threads.clone(),
            seed: arguments.seed,
        })
    }

    /// What comes before each slice and is not measured.
    pub fn warm_up(&self) -> Duration {
        let [least, most] = WARM_UP;
        (self.slice / 5).clamp(least, most)
    }

    /// What is done, in few words.
    pub fn headline(&self) -> String {
        let load = self
            .rate
            .map_or_else(|| "saturation".to_owned(), |rate| format!("{rate} requests/s"));
        let connections = match self.is_closing {
            true => format!("a connection per request, {} at once", self.connections),
            false => format!("{} keep-alive connections", self.connections),
        };
        let slices = format!("{} x {} ms each", self.rounds, self.slice.as_millis());
        format!("{load}, {connections}, {slices}")
    }
}

impl Asked {
    fn is_flagged(&self, arguments: &Arguments) -> bool {
        key_for(&self.target, arguments).is_some()
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// How long a slice is, and how many each target has.
fn slices(arguments: &Arguments) -> (Duration, usize) {
    let is_cut = arguments.targets.len() > 1 || arguments.rounds.is_some();
    let usual = if is_cut {
        SLICE.min(arguments.duration)
    } else {
        arguments.duration
    };
    let slice = arguments.slice.unwrap_or(usual);
    let filling = (arguments.duration.as_secs_f64() / slice.as_secs_f64())
        .round()
        .max(1.0);
    let rounds = arguments.rounds.map_or(filling as usize, size);
    (slice, rounds)
}

/// Names are told apart, and what is for one names one of them.
fn check_names(names: &[&str], arguments: &Arguments) -> Result<(), Failure> {
    for (place, name) in names.iter().enumerate() {
        if names.iter().take(place).any(|other| other == name) {
            return Err(Failure::Usage(format!(
                "two targets are called {name}: give them names, as in a={name}"
            )));
        }
    }
    let of_slugs = arguments.slugs.iter().map(|(name, _)| ("--slugs", name));
    let of_processes = arguments.server_pid.iter().map(|(name, _)| ("--server-pid", name));
    for (flag, name) in of_slugs.chain(of_processes) {
        let Some(name) = name else { continue };
        if !names.contains(&name.as_str()) {
            return Err(Failure::Usage(format!(
                "{flag} {name}=...: no target is called so; there are {}",
                names.join(", ")
            )));
        }
    }
    if names.len() > 1 && arguments.server_pid.iter().any(|(name, _)| name.is_none()) {
        return Err(Failure::Usage(
            "--server-pid: say whose it is, as in NAME=PID".to_owned(),
        ));
    }
    Ok(())
}

fn ask(target: Target, arguments: &Arguments) -> Result<Asked, Failure> {
    let manner = Manner {
        is_head: arguments.head,
        is_browser: arguments.browser,
        is_closing: arguments.close,
        headers: arguments.header.clone(),
        test_key: key_for(&target, arguments),
    };
    let slugs = match slug_file(&target.name, arguments) {
        Some(file) => {
            let slugs = Slugs::read(file)?;
            let order = match arguments.draw {
                Draw::Uniform => Order::Uniform,
                Draw::Zipf => Order::Zipf(arguments.zipf_exponent),
            };
            let drawing = Drawing::new(&order, slugs.count(), arguments.seed);
            Some((slugs, drawing))
        }
        None => None,
    };
    // A Host header of one's own is the name that TLS asks for as well.
    let host_header = arguments
        .header
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host = host_header.map_or(target.url.host_str().unwrap_or_default(), |(_, value)| value.as_str());
    let bare = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let bare = bare
        .map_or(host, |(name, _)| name)
        .trim_start_matches('[')
        .trim_end_matches(']');
    let tls = if target.is_tls {
        Some(Tls::new(bare, arguments.insecure)?)
    } else {
        None
    };
    let of_target = |name: &Option<String>| name.as_deref().is_none_or(|name| name == target.name);
    let roots = arguments
        .server_pid
        .iter()
        .filter(|(name, _)| of_target(name))
        .flat_map(|(_, roots)| roots);
    Ok(Asked {
        requests: Requests::new(&target, &manner, slugs)?,
        roots: roots.copied().collect(),
        tls,
        target,
    })
}

fn slug_file<'a>(name: &str, arguments: &'a Arguments) -> Option<&'a Path> {
    let own = arguments.slugs.iter().find(|(of, _)| of.as_deref() == Some(name));
    let common = || arguments.slugs.iter().find(|(of, _)| of.is_none());
    own.or_else(common).map(|(_, file)| file.as_path())
}

/// The key for `target`. One of the environment stays on this machine: who measures another server beside their own must not
/// send it their own's key.
fn key_for(target: &Target, arguments: &Arguments) -> Option<String> {
    let given = arguments.test_key.as_ref().map(|key| key.reveal().to_owned());
    let known = || {
        env::var(KEY_VARIABLE)
            .ok()
            .filter(|_| target.address.ip().is_loopback())
    };
    given.or_else(known).filter(|key| !key.is_empty())
}

fn reach(target: &Target) -> Result<(), Failure> {
    let reached = TcpStream::connect_timeout(&target.address, REACH).map(drop);
    reached.map_err(|error| {
        Failure::Unavailable(format!(
            "{} ({}) cannot be reached at {}: {error}",
            target.name, target.url, target.address
        ))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(words: &[&str]) -> Arguments {
        Program::try_parse_from([&["bench"], words].concat())
            .expect("a good command line")
            .arguments
    }

    #[test]
    fn time_is_cut_into_slices_for_several_targets() {
        for (words, ms, rounds) in [
            (&["http://a/"][..], 10_000, 1),
            (&["http://a/", "--rounds", "4"], 500, 4),
            (&["x=http://a/", "y=http://b/"], 500, 20),
            (
                &["x=http://a/", "y=http://b/", "--duration", "3s", "--slice", "1s"],
                1_000,
                3,
            ),
            (&["x=http://a/", "y=http://b/", "--duration", "200ms"], 200, 1),
        ] {
            assert_eq!(slices(&parse(words)), (Duration::from_millis(ms), rounds), "{words:?}");
        }
    }

    #[test]
    fn what_is_for_a_target_names_one() {
        for (words, part) in [
            (&["http://a/", "http://a/x"][..], "two targets"),
            (&["x=http://a/", "--slugs", "y=f"], "--slugs y"),
            (&["x=http://a/", "--server-pid", "y=1"], "--server-pid y"),
            (&["x=http://a/", "y=http://b/", "--server-pid", "1"], "say whose"),
        ] {
            let arguments = parse(words);
            let names: Vec<&str> = arguments.targets.iter().map(|named| named.name.as_str()).collect();
            let refused = check_names(&names, &arguments).expect_err("refused");
            assert!(refused.to_string().contains(part) && refused.code() == 2, "{refused}");
        }
    }

    #[test]
    fn slugs_of_a_target_come_before_those_of_all() {
        let arguments = parse(&["x=http://a/", "y=http://b/", "--slugs", "all", "--slugs", "y=own"]);
        assert_eq!(slug_file("x", &arguments), Some(Path::new("all")));
        assert_eq!(slug_file("y", &arguments), Some(Path::new("own")));
        assert_eq!(slug_file("x", &parse(&["http://a/"])), None);
    }
}
