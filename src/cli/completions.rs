//! `hopcart completions`: a shell's completion script, made from the command line itself.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::arguments;
use super::failure::Failure;
use super::terminal::say;

/// `hopcart completions`
#[derive(Debug, Args)]
#[command(after_help = "Example: hopcart completions bash > ~/.local/share/bash-completion/completions/hopcart")]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When it cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    say(script(arguments.shell).trim_end())
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut arguments::Arguments::command(), "hopcart", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            assert!(script.contains("completions") && script.contains("doctor"), "{shell}");
        }
    }
}
