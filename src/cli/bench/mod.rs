//! `hopcart bench`: measures redirects of this server or any other, and says what they cost.
//!
//! [`plan`] checks what was asked for, [`rounds`] lets the targets take turns, [`generator`] sends and receives, [`report`]
//! and [`plot`] tell. Opens no store and changes nothing but what clicks change; flagged as tests they enter no report.

mod arguments;
mod cpu;
mod draw;
mod generator;
mod plan;
mod plot;
mod ratio;
mod report;
mod requests;
mod response;
mod rounds;
mod schedule;
mod stats;
mod target;
mod transport;
mod view;
mod watch;

use std::fs;

pub use arguments::Arguments;

use super::failure::Failure;
use super::terminal::say;
use plan::Plan;

/// Measures, tells, and judges.
///
/// # Errors
/// [`Failure::Failed`] when an answer was wrong or missing, after the figures were told; what is wrong with the arguments;
/// [`Failure::Unavailable`] when a target cannot be reached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = Plan::new(arguments)?;
    let outcomes = rounds::measure(&plan)?;
    if arguments.json {
        say(&report::json(&plan, &outcomes).to_string())?;
    } else {
        say(&report::text(&plan, &outcomes))?;
    }
    if let Some(file) = &arguments.svg {
        let drawn = fs::write(file, plot::svg(&plan.headline(), &outcomes));
        drawn.map_err(|error| Failure::Failed(format!("{} cannot be written: {error}", file.display())))?;
    }
    report::verdict(&plan, &outcomes)
}
