//! The program `hopcart`: everything it does starts in [`hopcart::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    hopcart::cli::run(std::env::args_os())
}
