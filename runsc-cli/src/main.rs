//! `runsk`: runs OCI containers on a kernel of their own.
//!
//! One binary is several programs, told apart by the name it is started with: the command
//! line, and the processes that it starts for a sandbox ([`sandbox`]): `runsk-sentry` runs
//! the kernel, `runsk-gofer` serves the files, `runsk-sockets` makes sockets of the host where a
//! sandbox has any; and `runsk-exec` stands for a process that was
//! started in a container later.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_in_result, reason = "how tests fail"))]

mod cgroup;
mod cmd;
mod failure;
mod flags;
mod hooks;
mod life;
mod log_file;
mod log_limit;
mod network;
mod sandbox;
mod spec;
mod state;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use nix::sys::signal::Signal;

use failure::{Context, Failure, Outcome};
use flags::Cli;
use log_file::LogSettings;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    match args.first().and_then(|name| name.to_str()) {
        Some(sandbox::SENTRY) => sandbox::sentry_main(),
        Some(sandbox::GOFER) => sandbox::gofer_main(),
        Some(sandbox::SOCKETS) => sandbox::sockets_main(),
        Some(sandbox::EXEC) => sandbox::exec_main(),
        _ => command_line(&args),
    }
}

fn command_line(args: &[OsString]) -> ExitCode {
    match run(args) {
        Ok(code) => code,
        Err(failure) => {
            log_file::record_failure(&failure.to_string());
            say(&format!("runsk: {failure}\n"));
            ExitCode::from(failure.status())
        }
    }
}

/// To stderr, whether or not that works.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn run(args: &[OsString]) -> Outcome<ExitCode> {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(args, &error),
    };
    if cli.global.end_with_caller {
        end_with_caller()?;
    }
    let log = cli.global.log.as_deref().map(log_file::open).transpose()?;
    let mut settings = LogSettings::new(&cli.global);
    settings.quiet = cli.leaves_stdio_to_others() && !cli.global.strace;
    let shared_log = log
        .as_ref()
        .map(|log| log.try_clone())
        .transpose()
        .map_err(|error| Failure::new(format!("log file: {error}")))?;
    log_file::start(settings, log);
    cmd::run(cli, settings, shared_log)
}

/// What this command has begun ends with it, as if it had been killed itself.
fn end_with_caller() -> Outcome<()> {
    let caller = nix::unistd::getppid();
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).context("--end-with-caller")?;
    // It may have ended just before.
    match nix::unistd::getppid() == caller {
        true => Ok(()),
        false => Err(Failure::new("the caller has ended")),
    }
}

/// runc's exit status for a command that it does not have.
const UNKNOWN_COMMAND: u8 = 3;

fn usage(args: &[OsString], error: &clap::Error) -> Outcome<ExitCode> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed stdout is no reason to fail.
            let _ = error.print();
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    if let Some(path) = log_file::path_in(args) {
        let settings = LogSettings {
            json: log_file::json_in(args),
            debug: false,
            quiet: false,
        };
        log_file::start(settings, Some(log_file::open(&path)?));
    }
    // The first paragraph says it; the rest repeats the usage.
    let text = error.render().to_string();
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty());
    let line = lines.collect::<Vec<_>>().join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    let failure = Failure::new(format!("{line}: see \"runsk --help\""));
    Err(match error.kind() {
        ErrorKind::InvalidSubcommand => failure.with_status(UNKNOWN_COMMAND),
        _ => failure,
    })
}
