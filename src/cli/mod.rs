//! The command line: one file a subcommand.
//!
//! Results go to standard output, messages and progress to standard error. Exit codes: 0 done, 1 failed, 2 used or
//! configured wrongly, 69 unavailable. Commands other than `serve`, `demo`, `restore` and `clicks` talk to a
//! running server over its API and never open its stores.

mod api;
mod arguments;
mod backup;
mod bench;
mod campaign;
mod clicks;
mod codes;
mod completions;
mod demo;
mod doctor;
mod export;
mod failure;
mod import;
mod keys;
mod link;
mod order;
mod product;
mod progress;
mod rates;
mod restore;
mod serve;
mod terminal;
mod waitlist;
mod webhook;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

/// Runs the command that `words` (the program's name first) ask for.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        // Help and version are results and exit 0; a mistake is a message and exits 2.
        Err(said) => return terminal::show_usage(&said),
    };
    let done = match arguments.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Link(arguments) => link::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Products(arguments) => product::run(&arguments),
        Command::Orders(arguments) => order::run(&arguments),
        Command::Campaigns(arguments) => campaign::run(&arguments),
        Command::Codes(arguments) => codes::run(&arguments),
        Command::Rates(arguments) => rates::run(&arguments),
        Command::Waitlist(arguments) => waitlist::run(&arguments),
        Command::Webhooks(arguments) => webhook::run(&arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Clicks(arguments) => clicks::run(&arguments),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
