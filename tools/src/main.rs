//! Commands for developers: a demonstration, the whole test run, benchmarks, checks of the
//! tree.
#![forbid(unsafe_code)]

mod bench;
mod checks;
mod compat;
mod demo;
mod step;
mod suite;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Test,
    /// Run the tests of a syscall test suite natively and in the sandbox, and compare.
    Compat(compat::Options),
    /// Measure runsk beside the host itself and the other runtimes on PATH.
    Bench(bench::Options),
    /// A busy neighbour, for `bench`.
    #[command(hide = true)]
    Spin { cpu: usize },
    /// Check the shape of the tree: layers, `unsafe`, top level.
    Check,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo { command } => demo::run(&command),
        Command::Test => suite::run(),
        Command::Compat(options) => compat::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Spin { cpu } => bench::spin(cpu),
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
