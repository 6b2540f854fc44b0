//! The command line as clap reads it: the list of subcommands; their own arguments stand in their files.

use clap::{Parser, Subcommand};

use super::{
    backup, bench, campaign, clicks, codes, completions, demo, doctor, export, import, keys, link, order, product,
    rates, restore, serve, waitlist, webhook,
};

/// Smart links that lead a creator's followers to a filled cart, and show the brand who sold what.
#[derive(Debug, Parser)]
#[command(name = "hopcart", version, arg_required_else_help = true, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 used or configured wrongly, 69 unavailable.\n\
    A first look: hopcart demo"
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(serve::Arguments),
    /// Show a brand, its creators, real traffic and orders on a throw-away server
    Demo(demo::Arguments),
    /// Make, list, show and delete links
    Link(link::Arguments),
    /// Bring links of a file in: our own export, any CSV, Bitly, Dub, Shlink
    Import(Box<import::Arguments>),
    /// Write links, clicks or orders as CSV or JSON lines
    Export(export::Arguments),
    /// Import and list what a store's carts can hold
    Products(product::Arguments),
    /// Bring in orders that no webhook told of
    Orders(order::Arguments),
    /// Mint a campaign's links and codes
    Campaigns(campaign::Arguments),
    /// Keep pools of single-use discount codes
    Codes(codes::Arguments),
    /// Load exchange rates
    Rates(rates::Arguments),
    /// Export waiting lists, and erase addresses from them
    Waitlist(waitlist::Arguments),
    /// Tell other systems what happens, and send again what they did not take
    Webhooks(webhook::Arguments),
    /// Make, list and revoke API keys
    Keys(keys::Arguments),
    /// Have a running server write a backup
    Backup(backup::Arguments),
    /// Make a data directory from a backup
    Restore(restore::Arguments),
    /// Verify and rebuild a stopped server's click log
    Clicks(clicks::Arguments),
    /// Check a running server and say what to do
    Doctor(doctor::Arguments),
    /// Measure redirects, of this server or any other: latency, requests a second, processor time
    Bench(Box<bench::Arguments>),
    /// Print a shell's completion script
    Completions(completions::Arguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_names_every_command() {
        let help = Arguments::command().render_long_help().to_string();
        for name in [
            "serve",
            "demo",
            "link",
            "import",
            "export",
            "products",
            "orders",
            "campaigns",
            "codes",
            "rates",
            "waitlist",
            "webhooks",
            "keys",
            "backup",
            "restore",
            "clicks",
            "doctor",
            "bench",
            "completions",
        ] {
            assert!(help.contains(name), "{name}: {help}");
        }
    }
}
