//! The commands, one file each.

mod r#do;
mod run;
mod spec;
mod syscalls;
mod version;

use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::failure::{Context, Outcome};
use crate::flags::{Cli, Command};
use crate::log_file::LogSettings;
use crate::sandbox::Options;

/// Performs the command; `log` is the open log file.
pub(crate) fn run(cli: Cli, log_settings: LogSettings, log: Option<OwnedFd>) -> Outcome<ExitCode> {
    if cli.version {
        return print(&version::text());
    }
    let Some(command) = cli.command else {
        return print(&Cli::command().render_help().to_string());
    };
    let options = Options {
        platform: cli.global.platform,
        strace: cli.global.strace,
        log_settings,
        log,
    };
    match command {
        Command::Run(args) => run::run(&args, options),
        Command::Do(args) => r#do::run(&args, options),
        Command::Spec(args) => spec::run(&args),
        Command::Syscalls(args) => print(&syscalls::text(&args)),
    }
}

fn print(text: &str) -> Outcome<ExitCode> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // The reader has had enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        result => result.context("stdout")?,
    }
    Ok(ExitCode::SUCCESS)
}
