//! Waits for a sandbox: passes signals on, and reports its end.

use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::console::{Console, End};
use super::start::{Sandbox, Started};
use super::supervisor::{self, Order};
use crate::failure::{Context, Failure, Outcome};

/// Signals to this process that the container's does not get: those that a fault raises, those
/// that tell of our own children and pipes, and those of job control, which stop us, as the
/// shell expects that we are a job of. SIGKILL and SIGSTOP cannot be caught.
const OWN: [Signal; 12] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGTRAP,
    Signal::SIGABRT,
    Signal::SIGSYS,
    Signal::SIGCHLD,
    Signal::SIGPIPE,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// Signals that are to be noticed from the start on: before [`wait`] and before the sandbox
/// is made, so that none is lost.
pub(crate) fn catch_signals() -> Outcome<SignalFd> {
    let set = forwarded();
    set.thread_block().context("blocking signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .context("a signal descriptor")
}

/// The signals that are passed on, those of real time too, and SIGWINCH.
pub(super) fn forwarded() -> SigSet {
    let mut set = SigSet::all();
    OWN.into_iter().for_each(|signal| set.remove(signal));
    set
}

/// Waits until the container has ended; its exit status.
pub(super) fn wait(
    sandbox: Sandbox,
    signals: &SignalFd,
    mut console: Option<Console>,
) -> Outcome<ExitCode> {
    let Sandbox {
        sentry,
        gofer,
        sockets,
    } = sandbox;
    platform::host::image::let_go();
    let first = wait_for_first(&sentry, &gofer, signals, &mut console);
    // The container is over, or cannot go on: whatever it was, nothing stays behind. A Gofer
    // holds no data that it has not written.
    kill_now(&gofer);
    if !matches!(first, Ok(Ended::Sentry)) {
        kill_now(&sentry);
    }
    if let Some(sockets) = &sockets {
        kill_now(&sockets.process);
        reap(&sockets.process)?;
        if let Some(failure) = reported(&sockets.process) {
            log::error!("{failure}");
        }
    }
    let (sentry_end, gofer_end) = (reap(&sentry)?, reap(&gofer)?);
    if let Some(console) = &mut console {
        console.drain();
    }
    // The user's terminal is itself again before anything is said on it.
    drop(console);
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

/// What can happen while we wait.
#[derive(Clone, Copy)]
enum Source {
    Sentry,
    Gofer,
    Signals,
    Console(End),
}

fn wait_for_first(
    sentry: &Started,
    gofer: &Started,
    signals: &SignalFd,
    console: &mut Option<Console>,
) -> Outcome<Ended> {
    let mut gofer_finished = false;
    loop {
        let mut sources = vec![
            (Source::Sentry, sentry.child.pidfd(), PollFlags::POLLIN),
            (Source::Signals, signals.as_fd(), PollFlags::POLLIN),
        ];
        if !gofer_finished {
            sources.push((Source::Gofer, gofer.child.pidfd(), PollFlags::POLLIN));
        }
        let copies = console.as_ref().map(Console::interest).unwrap_or_default();
        let copies = copies.into_iter();
        sources.extend(copies.map(|(end, fd, flags)| (Source::Console(end), fd, flags)));
        for (source, flags) in ready(&sources)? {
            match source {
                Source::Sentry => return Ok(Ended::Sentry),
                // It has seen the Sentry close its side: that one is about to end.
                Source::Gofer if has_finished(gofer) => gofer_finished = true,
                Source::Gofer => return Ok(Ended::Gofer),
                Source::Signals => take_signals(signals, sentry, console),
                Source::Console(end) => {
                    if let Some(console) = console {
                        console.copy(end, flags);
                    }
                }
            }
        }
    }
}

/// Waits until something is ready.
pub(super) fn ready<S: Copy>(
    sources: &[(S, BorrowedFd<'_>, PollFlags)],
) -> Outcome<Vec<(S, PollFlags)>> {
    let fds = sources
        .iter()
        .map(|(_, fd, flags)| PollFd::new(*fd, *flags));
    let mut fds: Vec<_> = fds.collect();
    match poll(&mut fds, PollTimeout::NONE) {
        Err(Errno::EINTR) => return Ok(Vec::new()),
        result => result.context("poll")?,
    };
    let flags = fds
        .iter()
        .map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
    let all = sources.iter().map(|(source, ..)| *source).zip(flags);
    Ok(all.filter(|(_, flags)| !flags.is_empty()).collect())
}

fn take_signals(signals: &SignalFd, sentry: &Started, console: &mut Option<Console>) {
    while let Ok(Some(info)) = signals.read_signal() {
        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
        match (Signal::try_from(number), console.as_ref()) {
            (Ok(Signal::SIGWINCH), console) => {
                if let Some(console) = console {
                    console.follow_size();
                }
            }
            // The user's terminal is gone: so is the container's.
            (Ok(Signal::SIGHUP), Some(_)) => *console = None,
            _ => {
                // A Sentry that ends just now needs no signal.
                let _ = supervisor::tell(&sentry.supervisor, &Order::Signal(number));
            }
        }
    }
}

/// True if it ended by itself and all was well. It is not reaped yet.
fn has_finished(process: &Started) -> bool {
    matches!(ended(process), Some(WaitStatus::Exited(_, 0)))
}

fn kill_now(process: &Started) {
    // It is not reaped, so the id is still its own.
    let _ = kill(Pid::from_raw(process.child.pid()), Signal::SIGKILL);
}

/// Ends a sandbox that is not to be; why, if it was its own fault.
pub(super) fn give_up(sandbox: &Sandbox) -> Option<Failure> {
    let Sandbox {
        sentry,
        gofer,
        sockets,
    } = sandbox;
    // Before we end them ourselves. The Gofer ends in order when the Sentry has.
    let ends = [gofer, sentry].map(|process| (process, ended(process)));
    kill_now(sentry);
    kill_now(gofer);
    let _ = (reap(sentry), reap(gofer));
    if let Some(sockets) = sockets {
        kill_now(&sockets.process);
        let _ = reap(&sockets.process);
    }
    let failed = reported(gofer).or_else(|| reported(sentry));
    failed
        .or_else(|| not_run(gofer))
        .or_else(|| not_run(sentry))
        .or_else(|| {
            let at_fault = |end: &WaitStatus| !matches!(end, WaitStatus::Exited(_, 0));
            let mut ends = ends.into_iter();
            ends.find_map(|(process, end)| {
                let end = end.filter(at_fault)?;
                Some(Failure::new(format!("{} {}", process.name, describe(end))))
            })
        })
}

/// How it ended, if it has. It is not reaped.
fn ended(process: &Started) -> Option<WaitStatus> {
    let id = Id::Pid(Pid::from_raw(process.child.pid()));
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    waitid(id, flags)
        .ok()
        .filter(|status| *status != WaitStatus::StillAlive)
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
    supervisor::hear_failure(&process.supervisor).map(Failure::new)
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
