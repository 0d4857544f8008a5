//! A process that stands for one inside the container that was started later: callers send it
//! signals, and wait for its end.
//!
//! For `exec` in the foreground that is the command itself. Otherwise it is `runsk-exec`,
//! started with the connection to the Sentry as stdin and, for a process with a terminal,
//! the eventfd that tells of a new window size as stdout, and the terminal as stderr.

use std::io::{stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;

use nix::poll::PollFlags;
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{getegid, geteuid, write};
use platform::host::caps::Caps;
use platform::host::spawn::{self, Entrance, Identity, Program, Session};
use sentry::control::{Answer, Connection, Request, Target};

use super::console::{Console, End};
use super::{EXEC, start, supervise};
use crate::cgroup::Cgroup;
use crate::failure::{Context, Outcome};

/// Signal n ends a process with status 128+n.
const KILLED: u8 = 128 + 9;

/// A process inside.
pub(crate) struct Attendant {
    pub(crate) connection: Connection,
    /// Rung when the window's size has changed.
    pub(crate) resized: Option<OwnedFd>,
    /// The terminal between the user and the process.
    pub(crate) console: Option<Console>,
}

/// What can happen.
#[derive(Clone, Copy)]
enum Source {
    Sentry,
    Signals,
    Console(End),
}

/// main of `runsk-exec`.
pub(crate) fn main() -> ExitCode {
    let run = || {
        let signals = supervise::catch_signals()?;
        let second = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().context("a second descriptor");
        let attendant = Attendant {
            connection: Connection::new(second(stdin().as_fd())?),
            resized: Some(second(stdout().as_fd())?),
            console: None,
        };
        attendant.wait(&signals)
    };
    // There is nobody to tell.
    run().unwrap_or(ExitCode::from(KILLED))
}

/// Starts `runsk-exec`, in new `namespaces`; its process id. It goes on without us.
pub(crate) fn hand_over(
    id: &str,
    connection: Connection,
    terminal: Option<(OwnedFd, OwnedFd)>,
    cgroup: Option<&Cgroup>,
    namespaces: CloneFlags,
) -> Outcome<i32> {
    let text = |text: &str| std::ffi::CString::new(text).context("a container's name");
    let executable = spawn::own_executable().context("/proc/self/exe")?;
    let null = start::null()?;
    let (out, err) = match &terminal {
        Some((terminal, resized)) => (resized.as_fd(), terminal.as_fd()),
        None => (null.as_fd(), null.as_fd()),
    };
    // With the container's other processes; systemd's units take it in afterwards.
    let doors = cgroup.map(Cgroup::doors).transpose()?;
    let program = Program {
        executable: executable.as_fd(),
        args: vec![text(EXEC)?, text(id)?],
        env: Vec::new(),
        fds: vec![connection.socket(), out, err],
        namespaces,
        identity: Identity {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
            keep_groups: true,
        },
        keep: Caps::empty(),
        session: match terminal {
            Some(_) => Session::Terminal(2),
            None => Session::New,
        },
        blocked: supervise::forwarded(),
        cgroup: match &doors {
            Some(Some(doors)) => doors.entrance(),
            _ => Entrance::default(),
        },
    };
    let parked = spawn::spawn(&program).context("starting runsk-exec")?;
    if let (Some(cgroup), Some(None)) = (cgroup, &doors) {
        cgroup.add_process(parked.pid())?;
    }
    let child = parked.release().context("starting runsk-exec")?;
    Ok(child.pid())
}

impl Attendant {
    /// Waits for the process's end; its exit status, 128+n for signal n.
    pub(crate) fn wait(mut self, signals: &SignalFd) -> Outcome<ExitCode> {
        let status = loop {
            let mut sources = vec![
                (Source::Sentry, self.connection.socket(), PollFlags::POLLIN),
                (Source::Signals, signals.as_fd(), PollFlags::POLLIN),
            ];
            let copies = self
                .console
                .as_ref()
                .map(Console::interest)
                .unwrap_or_default();
            let copies = copies.into_iter();
            sources.extend(copies.map(|(end, fd, flags)| (Source::Console(end), fd, flags)));
            let mut heard = false;
            for (source, flags) in supervise::ready(&sources)? {
                match source {
                    Source::Sentry => heard = true,
                    Source::Signals => self.take_signals(signals),
                    Source::Console(end) => {
                        if let Some(console) = &mut self.console {
                            console.copy(end, flags);
                        }
                    }
                }
            }
            if heard {
                match self.connection.receive::<Answer>() {
                    Ok(Some((Answer::Exited(status), _))) => break status,
                    // It is not said twice.
                    Ok(Some((Answer::Started(_), _))) => {}
                    // The whole container has ended.
                    _ => break i32::from(KILLED),
                }
            }
        };
        if let Some(console) = &mut self.console {
            console.drain();
        }
        Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)))
    }

    fn take_signals(&self, signals: &SignalFd) {
        while let Ok(Some(info)) = signals.read_signal() {
            let number = i32::try_from(info.ssi_signo).unwrap_or(0);
            if Signal::try_from(number) != Ok(Signal::SIGWINCH) {
                // A process that ends just now needs no signal.
                let request = Request::Signal(Target::Own, number);
                let _ = self.connection.send(&request, &[]);
                continue;
            }
            if let Some(console) = &self.console {
                console.follow_size();
            }
            if let Some(resized) = &self.resized {
                // Full only if it rings already.
                let _ = write(resized, &1u64.to_ne_bytes());
            }
        }
    }
}
