//! Waits for a sandbox: passes signals on, and reports its end.

use std::os::fd::AsFd;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::start::{Sandbox, Started};
use super::supervisor::{self, Order, Report, Wait};
use crate::failure::{Context, Failure, Outcome};

/// Signals to this process that the container's first process gets, as with runc. Not
/// those that a fault raises, and not SIGKILL and SIGSTOP, which cannot be caught.
const FORWARDED: [Signal; 17] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGTERM,
    Signal::SIGCONT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGURG,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGWINCH,
];

/// Signals that are to be noticed from the start on: before [`wait`] and before the sandbox
/// is made, so that none is lost.
pub(super) fn catch_signals() -> Outcome<SignalFd> {
    let set: SigSet = FORWARDED.into_iter().collect();
    set.thread_block().context("blocking signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .context("a signal descriptor")
}

/// Waits until the container has ended; its exit status.
pub(super) fn wait(sandbox: Sandbox, signals: &SignalFd) -> Outcome<ExitCode> {
    let Sandbox { sentry, gofer } = sandbox;
    let first = wait_for_first(&sentry, &gofer, signals);
    // The container is over, or cannot go on: whatever it was, nothing stays behind. A Gofer
    // holds no data that it has not written.
    kill_now(&gofer);
    if !matches!(first, Ok(Ended::Sentry)) {
        kill_now(&sentry);
    }
    let (sentry_end, gofer_end) = (reap(&sentry)?, reap(&gofer)?);
    match first? {
        Ended::Sentry => status(&sentry, sentry_end, &gofer),
        Ended::Gofer => Err(gofer_broke(&gofer, gofer_end)),
    }
}

/// Which process ended first.
enum Ended {
    Sentry,
    Gofer,
}

fn wait_for_first(sentry: &Started, gofer: &Started, signals: &SignalFd) -> Outcome<Ended> {
    loop {
        let mut fds = [
            PollFd::new(sentry.child.pidfd(), PollFlags::POLLIN),
            PollFd::new(gofer.child.pidfd(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            result => result.context("poll")?,
        };
        let [sentry_ended, gofer_ended, signalled] = fds.map(|fd| fd.any().unwrap_or(false));
        if sentry_ended {
            return Ok(Ended::Sentry);
        }
        if gofer_ended {
            return Ok(Ended::Gofer);
        }
        if signalled {
            forward(signals, sentry);
        }
    }
}

fn forward(signals: &SignalFd, sentry: &Started) {
    while let Ok(Some(info)) = signals.read_signal() {
        let Ok(signal) = i32::try_from(info.ssi_signo) else {
            continue;
        };
        // A Sentry that ends just now needs no signal.
        let _ = supervisor::tell(&sentry.supervisor, &Order::Signal(signal));
    }
}

fn kill_now(process: &Started) {
    // It is not reaped, so the id is still its own.
    let _ = kill(Pid::from_raw(process.child.pid()), Signal::SIGKILL);
}

/// How it ended.
fn reap(process: &Started) -> Outcome<WaitStatus> {
    loop {
        let pid = Pid::from_raw(process.child.pid());
        match waitpid(pid, Some(WaitPidFlag::__WALL)) {
            Err(Errno::EINTR) => {}
            result => return result.context(format_args!("waiting for the {}", process.name)),
        }
    }
}

fn status(sentry: &Started, end: WaitStatus, gofer: &Started) -> Outcome<ExitCode> {
    if let Some(failure) = reported(sentry) {
        // What the Sentry saw of it may be a consequence of what happened to the Gofer.
        return Err(reported(gofer).unwrap_or(failure));
    }
    if let Some(failure) = not_run(sentry) {
        return Err(failure);
    }
    match end {
        WaitStatus::Exited(_, code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        WaitStatus::Signaled(_, Signal::SIGSYS, _) => Err(Failure::new(
            "Sentry syscall denied: its filter ended it: run with --debug and report this",
        )),
        end => Err(Failure::new(format!("Sentry {}", describe(end)))),
    }
}

fn gofer_broke(gofer: &Started, end: WaitStatus) -> Failure {
    reported(gofer)
        .or_else(|| not_run(gofer))
        .unwrap_or_else(|| Failure::new(format!("Gofer broken pipe: it {}", describe(end))))
}

fn reported(process: &Started) -> Option<Failure> {
    let Report::Failed(message) = supervisor::hear(&process.supervisor, Wait::No)?;
    Some(Failure::new(message))
}

fn not_run(process: &Started) -> Option<Failure> {
    let (step, errno) = process.child.failure()?;
    let name = process.name;
    Some(Failure::new(format!(
        "cannot start the {name}: {step}: {}",
        errno.desc()
    )))
}

fn describe(end: WaitStatus) -> String {
    match end {
        WaitStatus::Exited(_, code) => format!("exited with status {code}"),
        WaitStatus::Signaled(_, signal, _) => format!("was killed by {signal}"),
        other => format!("ended: {other:?}"),
    }
}
