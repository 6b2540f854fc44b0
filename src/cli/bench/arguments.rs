//! `hopcart bench` as the command line reads it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::requests::parse_header;
use super::target::{self, Named, split_name};
use crate::config::Masked;

/// Most connections of one target: what the server itself takes from one address twice over.
const CONNECTIONS_MAX: u64 = 10_000;
/// Most requests a second: ten times what one core sends.
const RATE_MAX: u64 = 2_000_000;
/// Most threads of the generator.
const THREADS_MAX: u64 = 64;
/// Most rounds.
const ROUNDS_MAX: u64 = 10_000;
/// Longest time that can be asked for.
const TIME_MAX: Duration = Duration::from_secs(3_600);
/// Shortest: less is noise.
const TIME_MIN: Duration = Duration::from_millis(50);

/// `hopcart bench`
#[derive(Debug, Args)]
#[command(
    long_about = "Measure redirects: latency, requests a second, the server's processor time for each.\n\nWithout --rate \
    every connection asks again as soon as it is answered (saturation; a latency is then the server's time under full \
    load). With --rate requests are due evenly, whatever the server does; a latency runs from the moment that a request \
    was due, so a server that stands still shows it (no coordinated omission). Several targets take turns in slices, in \
    rotating order; ratios to the first target are medians of the ratios within each round, which hold on a noisy \
    machine. Every answer's status is checked.\n\nThe generator is one thread for each --threads: give it a processor of \
    its own (taskset -c 1 hopcart bench ...), and the server others.",
    after_help = "Examples:\n  hopcart bench http://127.0.0.1:8080/mia --rate 20000 --browser\n  hopcart bench \
    nginx=http://127.0.0.1:9001 hopcart=http://127.0.0.1:8080 --slugs slugs.txt --server-pid nginx=$(pidof -s nginx) \
    --server-pid hopcart=$(pidof hopcart) --svg bench.svg\n\nExit codes: 0 done; 1 a status was wrong, or a request had \
    no answer; 2 used wrongly; 69 a target cannot be reached."
)]
pub struct Arguments {
    /// Who is asked, at most 12; with --slugs each slug follows the path. The first is what others are compared with
    #[arg(required = true, value_name = "[NAME=]URL", num_args = 1..=12, value_parser = target::parse)]
    pub targets: Vec<Named>,
    /// Requests a second, of all connections together [default: as fast as they are answered]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=RATE_MAX))]
    pub rate: Option<u64>,
    /// Connections at one time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=CONNECTIONS_MAX))]
    pub connections: u64,
    /// A new connection for each request, as followers come
    #[arg(long)]
    pub close: bool,
    /// Threads of the generator
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=THREADS_MAX))]
    pub threads: u64,
    /// Take any certificate: for one that was made for a test
    #[arg(long)]
    pub insecure: bool,
    /// File with a slug a line, for all targets or one of them
    #[arg(long, value_name = "[NAME=]FILE", value_parser = slug_file)]
    pub slugs: Vec<(Option<String>, PathBuf)>,
    /// How slugs are drawn
    #[arg(long, value_enum, default_value_t = Draw::Uniform)]
    pub draw: Draw,
    /// Exponent of Zipf's law; the file's first slug is the most popular one
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = exponent)]
    pub zipf_exponent: f64,
    /// What is drawn; the same seed draws the same slugs again
    #[arg(long, value_name = "N", default_value_t = 20_261_121)]
    pub seed: u64,
    /// Further header, several times; takes the place of ours of the same name
    #[arg(long, value_name = "NAME: VALUE", value_parser = parse_header)]
    pub header: Vec<(String, String)>,
    /// Send what the browser inside a social app sends: 12 headers, about 550 bytes
    #[arg(long)]
    pub browser: bool,
    /// Ask with HEAD
    #[arg(long)]
    pub head: bool,
    /// Statuses that are right
    #[arg(long, value_name = "STATUS", value_delimiter = ',', default_value = "302", value_parser = clap::value_parser!(u16).range(200..=599))]
    pub expect: Vec<u16>,
    /// Measured time of each target, such as 10s or 500ms
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub duration: Duration,
    /// Length of one slice [default: 500ms, or all of the time for one target]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub slice: Option<Duration>,
    /// Slices of each target [default: as many as fill --duration]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=ROUNDS_MAX))]
    pub rounds: Option<u64>,
    /// How long an answer may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub timeout: Duration,
    /// Processes of a target, whose processor time is told for each request, with that of their children, and with what a
    /// slice leaves to do afterwards
    #[arg(long, value_name = "[NAME=]PID[,PID...]", value_parser = processes)]
    pub server_pid: Vec<(Option<String>, Vec<u32>)>,
    /// After the last slice, wait at most so long until these processes have nothing left to do; that time counts as theirs
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub settle: Duration,
    /// Tell the time of threads whose name begins so apart, as "serving"; hopcart's are edge-
    #[arg(long, value_name = "PREFIX")]
    pub serving_threads: Option<String>,
    /// API key that flags the clicks as tests, so that they stay out of reports; sent to every target [env:
    /// HOPCART_ADMIN_KEY, sent to targets on this machine alone]
    #[arg(long, value_name = "KEY", value_parser = masked)]
    pub test_key: Option<Masked>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
    /// Draw latencies and requests a second into this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// How slugs are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Draw {
    /// Each as likely as every other: the worst case for caches
    Uniform,
    /// By Zipf's law: few take most
    Zipf,
}

fn slug_file(text: &str) -> Result<(Option<String>, PathBuf), String> {
    match split_name(text) {
        Some((_, "")) | None if text.is_empty() => Err("must name a file".to_owned()),
        Some((name, file)) => Ok((Some(name.to_owned()), file.into())),
        None => Ok((None, text.into())),
    }
}

fn processes(text: &str) -> Result<(Option<String>, Vec<u32>), String> {
    let (name, list) = split_name(text).map_or((None, text), |(name, list)| (Some(name.to_owned()), list));
    // `pidof` prints blanks between them.
    let numbers = list.split([',', ' ']).filter(|part| !part.is_empty());
    let numbers: Vec<u32> = numbers
        .map(|part| part.parse().map_err(|_| format!("\"{part}\" is no process number")))
        .collect::<Result<_, _>>()?;
    if numbers.is_empty() {
        return Err("names no process: does the server run?".to_owned());
    }
    Ok((name, numbers))
}

fn masked(text: &str) -> Result<Masked, String> {
    Ok(Masked::new(text.trim()))
}

fn exponent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "must be a number such as 1.1".to_owned())?;
    let is_good = (0.0..=4.0).contains(&number);
    is_good.then_some(number).ok_or_else(|| "must be 0 to 4".to_owned())
}

/// Reads `10`, `10s`, `1.5s`, `500ms`, `2m`.
fn time(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        _ => return Err("must be a time such as 10s, 500ms or 2m".to_owned()),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "must be a time such as 10s, 500ms or 2m".to_owned())?;
    let time = Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())?;
    if !(TIME_MIN..=TIME_MAX).contains(&time) {
        return Err("must be 50ms to 60m".to_owned());
    }
    Ok(time)
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

    #[test]
    fn times_are_read() {
        for (text, ms) in [
            ("10", Some(10_000)),
            ("1.5s", Some(1_500)),
            ("500ms", Some(500)),
            ("2m", Some(120_000)),
        ] {
            assert_eq!(time(text).ok(), ms.map(Duration::from_millis), "{text}");
        }
        for text in ["", "s", "10h", "-1s", "1ms", "61m", "NaN", "inf"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (words, good) in [
            (&["http://a/"][..], true),
            (
                &[
                    "a=http://a/",
                    "b=https://b/x",
                    "--rate",
                    "100",
                    "--close",
                    "--expect",
                    "302,303",
                ],
                true,
            ),
            (
                &[
                    "http://a/",
                    "--server-pid",
                    "12 13",
                    "--server-pid",
                    "a=7,8",
                    "--slugs",
                    "a=f",
                    "--slugs",
                    "f",
                ],
                true,
            ),
            (&[], false),
            (&["http://a/", "--rate", "0"], false),
            (&["http://a/", "--connections", "10001"], false),
            (&["http://a/", "--server-pid", ""], false),
            (&["http://a/", "--server-pid", "a="], false),
            (&["http://a/", "--expect", "99"], false),
            (&["http://a/", "--draw", "normal"], false),
            (&["http://a/", "--zipf-exponent", "5"], false),
            (&["http://a/", "--header", "Content-Length: 5"], false),
            (&["http://a/", "--slice", "1ms"], false),
        ] {
            let parsed = Program::try_parse_from([&["bench"], words].concat());
            assert_eq!(parsed.is_ok(), good, "{words:?}");
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let parsed = Program::try_parse_from(["bench", "http://a/", "--test-key", "hop_secret"]).expect("good");
        assert!(!format!("{parsed:?}").contains("hop_secret"));
    }
}
