//! Commands for developers: a demonstration, the whole test run, checks of the tree.
#![forbid(unsafe_code)]

mod checks;
mod demo;
mod step;
mod suite;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use suite::Rows;

/// Commands for developers of runsk
#[derive(Parser)]
#[command(name = "tools")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build runsk and run a command in a container whose root is the host's own, below an
    /// overlay: nothing is downloaded, and nothing that is written lasts.
    Demo {
        /// The command [default: a few that show where they run].
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Install what the tests need, build, and run the tests.
    Test {
        /// Also compare the programs that are not known to behave as on Linux yet.
        #[arg(long)]
        all: bool,
    },
    /// Check the shape of the tree: layers, `unsafe`, top level.
    Check,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo { command } => demo::run(&command),
        Command::Test { all } => suite::run(if all { Rows::All } else { Rows::Proven }),
        Command::Check => checks::run(),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            eprintln!("tools: {message}");
            ExitCode::FAILURE
        }
    }
}
