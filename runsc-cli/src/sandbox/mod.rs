//! A sandbox: the processes that run a container, and their jail.
//!
//! ```text
//! runsk run ─┬─ runsk-gofer    its trees as descriptors, an empty root, file capabilities
//!            └─ runsk-sentry   stdio, an empty root, no capability
//!                 └─ …         the processes that run application code (platform)
//! ```
//!
//! [`run`] starts both with exactly the descriptors that they need ([`boot`]), each in user,
//! mount, pid, network, ipc, uts and cgroup namespaces of its own, and then only waits
//! ([`supervise`]). Each finishes its own [`jail`] before it looks at anything that a
//! container made. If the command line dies, the kernel ends both; with each of them end all
//! processes of its pid namespace.

mod boot;
mod console;
mod gofer;
mod ids;
mod jail;
mod sentry;
mod start;
mod supervise;
mod supervisor;

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use serde::de::DeserializeOwned;

use boot::Inherited;
use console::Console;
use supervisor::Report;

use crate::failure::{Context, Outcome};
use crate::flags::PlatformName;
use crate::log_file::LogSettings;
use crate::spec::Container;

/// argv[0] of the process that runs the kernel.
pub(crate) const SENTRY: &str = "runsk-sentry";
/// argv[0] of the process that serves the files.
pub(crate) const GOFER: &str = "runsk-gofer";

pub(crate) use gofer::main as gofer_main;
pub(crate) use sentry::main as sentry_main;

/// What the flags say about every sandbox.
pub(crate) struct Options {
    pub(crate) platform: PlatformName,
    pub(crate) strace: bool,
    pub(crate) log_settings: LogSettings,
    /// The log file; stderr without one.
    pub(crate) log: Option<OwnedFd>,
}

/// Runs a container until it ends; its exit status, 128+n for signal n.
pub(crate) fn run(container: Container, id: &str, options: Options) -> Outcome<ExitCode> {
    let signals = supervise::catch_signals()?;
    let (console, slave) = if container.config.process.terminal {
        let (console, slave) = Console::open(container.console_size)?;
        (Some(console), Some(slave))
    } else {
        (None, None)
    };
    let sandbox = start::start(container, id, &options, slave)?;
    supervise::wait(sandbox, &signals, console)
}

/// The frame of a started process's main: its failure reaches the command line.
fn child_main<B: DeserializeOwned>(
    name: &CStr,
    body: fn(Inherited<B>, &OwnedFd) -> Outcome<ExitCode>,
) -> ExitCode {
    // For those who look at names of threads; the arguments say it anyway.
    let _ = nix::sys::prctl::set_name(name);
    let (inherited, supervisor) = match Inherited::take() {
        Ok(taken) => taken,
        Err(failure) => {
            crate::say(&format!("runsk: {failure}\n"));
            return ExitCode::FAILURE;
        }
    };
    body(inherited, &supervisor).unwrap_or_else(|failure| {
        // Without anybody to tell, the exit status must do.
        let _ = supervisor::tell(&supervisor, &Report::Failed(failure.to_string()));
        ExitCode::FAILURE
    })
}

/// A made-up name for a container.
pub(crate) fn new_id() -> Outcome<String> {
    let mut bytes = [0; 6];
    platform::host::random::fill(&mut bytes).context("random bytes")?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("runsk-{hex}"))
}

/// Whether stdin, stdout and stderr are all terminals: then a command gets one of its own.
pub(crate) fn stdio_is_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal()
        && std::io::stderr().is_terminal()
}
