//! The processes that a suite needs beside itself: the native launcher and the supervisor.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tests::{caller, native, supervise};

/// Helper processes of the test suites.
#[derive(Parser)]
enum Testkit {
    /// Run a bundle on the host's kernel; its exit status passes through.
    Native { bundle: PathBuf },
    /// The second half of `native`, as pid 1 of the new namespace.
    #[command(hide = true)]
    NativeInit { bundle: PathBuf },
    /// Run a command, then wait for the process that it has left.
    Adopt {
        pid_file: PathBuf,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Take a terminal at a socket, type on it, and show what is on it.
    Console {
        socket: PathBuf,
        #[arg(default_value = "")]
        input: String,
    },
    /// Run a command and report how it ended and what it left behind.
    Supervise {
        #[arg(long)]
        guard_seconds: u64,
        #[arg(long)]
        report: PathBuf,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Testkit::parse() {
        Testkit::Native { bundle } => native::launch(&bundle).map_err(|e| e.to_string()),
        Testkit::NativeInit { bundle } => Err(native::become_init(&bundle).to_string()),
        Testkit::Adopt { pid_file, command } => caller::adopt(&pid_file, &command),
        Testkit::Console { socket, input } => caller::console(&socket, &input).map(|()| 0),
        Testkit::Supervise {
            guard_seconds,
            report,
            command,
        } => {
            supervise::supervise(&command, Duration::from_secs(guard_seconds), &report).map(|()| 0)
        }
    };
    match result {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)),
        Err(message) => {
            eprintln!("testkit: {message}");
            ExitCode::from(127)
        }
    }
}
