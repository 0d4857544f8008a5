//! A sandbox: the processes that run a container, and their jail.
//!
//! ```text
//! runsk run ─┬─ runsk-gofer    its trees as descriptors, an empty root, file capabilities
//!            └─ runsk-sentry   stdio, an empty root, no capability
//!                 └─ …         the processes that run application code (platform)
//! ```
//!
//! [`attach`] and [`detach`] start both with exactly the descriptors that they need
//! ([`boot`]), each in user, mount, pid, network, ipc, uts and cgroup namespaces of its own,
//! in the container's [`cgroup`](mod@cgroup) on the host. Each finishes its own
//! [`jail`] before it looks at anything that a container made. With each of them end all
//! processes of its pid namespace.
//!
//! An attached command line then only waits ([`supervise`]); if it dies, the kernel ends
//! both. Otherwise they outlive it, and belong to whoever takes up its children: a shim or
//! conmon, who learns from the Sentry's exit status how the container ended. The Gofer ends
//! when its channel does.

mod attend;
mod boot;
mod cgroup;
mod console;
mod gofer;
mod ids;
mod jail;
mod sentry;
mod sockets;
mod start;
mod supervise;
mod supervisor;

use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::ExitCode;

use serde::de::DeserializeOwned;

use boot::{Inherited, Lifetime};
use nix::sys::signalfd::SignalFd;
use start::{Sandbox, Setup, Started};
use supervisor::{Order, Report};

use crate::cgroup::{Cgroup, Driver};
use crate::failure::{Context, Failure, Outcome};
use crate::flags::PlatformName;
use crate::log_file::LogSettings;
use crate::network::Mode;
use crate::spec::Container;
use crate::state::HostProcess;

/// argv[0] of the process that runs the kernel.
pub(crate) const SENTRY: &str = "runsk-sentry";
/// argv[0] of the process that serves the files.
pub(crate) const GOFER: &str = "runsk-gofer";
/// argv[0] of the process that makes sockets of the host.
pub(crate) const SOCKETS: &str = "runsk-sockets";
/// argv[0] of the process that stands for one that was started later.
pub(crate) const EXEC: &str = "runsk-exec";

pub(crate) use attend::{Attendant, hand_over, main as exec_main};
pub(crate) use boot::Start;
pub(crate) use cgroup::{explain as explain_by_cgroup, make as make_cgroup};
pub(crate) use console::{Console, open_terminal};
pub(crate) use gofer::main as gofer_main;
pub(crate) use sentry::main as sentry_main;
pub(crate) use sockets::main as sockets_main;
pub(crate) use supervise::catch_signals;

/// What the flags say about every sandbox.
pub(crate) struct Options {
    pub(crate) platform: PlatformName,
    pub(crate) strace: bool,
    pub(crate) network: Mode,
    /// Who makes the cgroup.
    pub(crate) cgroup_driver: Driver,
    pub(crate) log_settings: LogSettings,
    /// The log file; stderr without one.
    pub(crate) log: Option<OwnedFd>,
}

/// A container that is to be started.
pub(crate) struct Plan<'a> {
    pub(crate) container: Container,
    pub(crate) id: &'a str,
    pub(crate) options: &'a Options,
    /// The listening control socket.
    pub(crate) control: Option<OwnedFd>,
    /// A byte is written to it for each process that is ended because memory has run out.
    pub(crate) oom_listener: Option<OwnedFd>,
    /// What the first process has as descriptors 3, 4 …
    pub(crate) extra: Vec<OwnedFd>,
    /// The cgroup of the sandbox's processes; without one it is ours.
    pub(crate) cgroup: Option<Cgroup>,
}

/// A sandbox that this process has started.
pub(crate) struct Running {
    sandbox: Sandbox,
}

/// A sandbox that ends with this process.
pub(crate) struct Attached {
    running: Running,
    signals: SignalFd,
    console: Option<Console>,
}

/// Starts a container that lives as long as this process waits for it, with a terminal of its
/// own behind ours if it asks for one. Its first process waits for [`Running::start`], or
/// not.
pub(crate) fn attach(plan: Plan<'_>, start: Start) -> Outcome<Attached> {
    let signals = catch_signals()?;
    let (console, terminal) = if plan.container.config.process.terminal {
        let (console, slave) = Console::open(plan.container.console_size)?;
        (Some(console), Some(slave))
    } else {
        (None, None)
    };
    let running = launch(plan, terminal, start, Lifetime::WithCommand)?;
    Ok(Attached {
        running,
        signals,
        console,
    })
}

/// Starts a container that goes on without this process once [`Running::stay`] is said. Its
/// first process is ready to run its program.
pub(crate) fn detach(plan: Plan<'_>, terminal: Option<OwnedFd>) -> Outcome<Running> {
    let running = launch(plan, terminal, Start::OnOrder, Lifetime::OnItsOwn)?;
    match running.wait_until_ready() {
        Ok(()) => Ok(running),
        Err(told) => Err(running.fail(told)),
    }
}

/// Starts a Gofer for a container in a sandbox that runs, whose memory is `memory`: its process
/// id, and the Sentry's end of the channel to it.
pub(crate) fn start_gofer(
    plan: &Plan<'_>,
    memory: BorrowedFd<'_>,
) -> Outcome<(i32, gofer::ClientEnd)> {
    let setup = Setup {
        oom_listener: None,
        terminal: None,
        control: None,
        extra: Vec::new(),
        start: Start::OnOrder,
        lifetime: Lifetime::OnItsOwn,
        cgroup: plan.cgroup.clone(),
    };
    let (container, id, options) = (&plan.container, plan.id, plan.options);
    let (gofer, channel) = start::gofer_alone(container, id, options, memory, &setup)?;
    Ok((gofer.child.pid(), channel))
}

fn launch(
    plan: Plan<'_>,
    terminal: Option<OwnedFd>,
    start: Start,
    lifetime: Lifetime,
) -> Outcome<Running> {
    let setup = Setup {
        terminal,
        control: plan.control,
        oom_listener: plan.oom_listener,
        extra: plan.extra,
        start,
        lifetime,
        cgroup: plan.cgroup,
    };
    let sandbox = start::start(plan.container, plan.id, plan.options, &setup)?;
    Ok(Running { sandbox })
}

impl Running {
    /// Sentry and Gofer.
    pub(crate) fn processes(&self) -> (Option<HostProcess>, Option<HostProcess>) {
        let find = |process: &Started| HostProcess::find(process.child.pid());
        (find(&self.sandbox.sentry), find(&self.sandbox.gofer))
    }

    /// Waits until the first process is ready to run its program. Without a reason for that
    /// not to be, [`Self::fail`] finds one.
    pub(crate) fn wait_until_ready(&self) -> Result<(), Option<Failure>> {
        match supervisor::await_report(&self.sandbox.sentry.supervisor) {
            Some(Report::Ready) => self.sandbox.connect_sockets().map_err(Some),
            Some(Report::Failed(message)) => Err(Some(Failure::new(message))),
            None => Err(None),
        }
    }

    /// Lets the first process run its program.
    pub(crate) fn start(&self) -> Outcome<()> {
        self.order(&Order::Start)
    }

    /// Lets the sandbox live on without this process.
    pub(crate) fn stay(&self) -> Outcome<()> {
        self.order(&Order::Stay)
    }

    fn order(&self, order: &Order) -> Outcome<()> {
        let told = supervisor::tell(&self.sandbox.sentry.supervisor, order);
        told.map_err(|failure| {
            log::debug!("{failure}");
            Failure::new("the Sentry has ended: something outside has killed it")
        })
    }

    /// Ends a sandbox that is not to be: the reason that is known, or else what can be found
    /// out.
    pub(crate) fn fail(self, known: Option<Failure>) -> Failure {
        let found = supervise::give_up(&self.sandbox);
        known
            .or(found)
            .unwrap_or_else(|| Failure::new("the Sentry ended"))
    }
}

impl Attached {
    /// The sandbox.
    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// Ends the sandbox; see [`Running::fail`].
    pub(crate) fn fail(self, known: Option<Failure>) -> Failure {
        self.running.fail(known)
    }

    /// Waits until the container ends; its exit status, 128+n for signal n.
    pub(crate) fn wait(self) -> Outcome<ExitCode> {
        supervise::wait(self.running.sandbox, &self.signals, self.console)
    }
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
