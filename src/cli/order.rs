//! `hopcart orders`: imports orders of files over the API.

use clap::{Args, Subcommand};

use super::api::Connection;
use super::failure::Failure;
use super::product::import::{self, Import, Target};

/// `hopcart orders`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON: the sum of what the API answered
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take the orders of a file, as if the shop's webhooks had told them
    #[command(
        long_about = "Take the orders of a file, as if the shop's webhooks had told them.\n\nThe file is CSV, TSV or \
        semicolon-separated UTF-8 text of any length, a row an order. Columns: orderId, orderedAt, revenue (a decimal, \
        after discounts, without tax and shipping); if wanted name, updatedAt, currency, discounts, paid, test, \
        cancelledAt, customerId or customerEmail (kept as a hash), discountCodes (with blanks between them), clickId; \
        and of a refund refundId, refunded, refundedAt (an order with several refunds has a row for each).\n\nAn order \
        that is known, by its id in the shop, is merged: what was told last counts, and nothing counts twice, in \
        whatever order file and webhooks come.",
        after_help = "Example:\n  hopcart orders import orders.csv --store store_01J... --dry-run"
    )]
    Import(Import),
}

/// Does what was asked for.
///
/// # Errors
/// What the API refused, or that it cannot be reached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Command::Import(file) = &arguments.command;
    let api = arguments.connection.open_with(import::call_bounds())?;
    import::run(file.source(), &Target::orders(), &api, arguments.json)
}
