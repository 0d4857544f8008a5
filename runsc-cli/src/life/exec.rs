//! A further process in a container.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;

use nix::sched::CloneFlags;
use oci_spec::runtime::Process;
use sentry::control::{Connection, ExecRequest, Terminal};

use super::{Client, Status, files};
use crate::failure::{Context, Failure, Outcome};
use crate::sandbox::{self, Attendant, Console};
use crate::spec;
use crate::state::{Directory, Record};

/// What is to be run, and how.
#[derive(Debug)]
pub(crate) struct Exec {
    pub(crate) process: Process,
    pub(crate) console_socket: Option<PathBuf>,
    pub(crate) pidfd_socket: Option<PathBuf>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) preserve_fds: u32,
    pub(crate) detach: bool,
    /// Let the process wait, in a container that is paused, until that goes on.
    pub(crate) in_paused: bool,
}

/// The terminal of a new process, seen from outside.
struct Outside {
    /// Between the user and the process.
    console: Option<Console>,
    slave: OwnedFd,
    /// An eventfd(2).
    resized: OwnedFd,
}

/// Runs a process; its exit status, or at once 0 with `detach`.
pub(crate) fn exec(container: &Directory, exec: &Exec) -> Outcome<ExitCode> {
    let (record, status) = container.status()?;
    match status {
        Status::Created | Status::Running => {}
        Status::Paused if exec.in_paused => {}
        Status::Paused => {
            return Err(Failure::new(
                "cannot exec in a paused container (use --ignore-paused to override)",
            ));
        }
        Status::Creating => return Err(Failure::new("the container is still being created")),
        Status::Stopped => {
            return Err(Failure::new("cannot exec in a stopped container"));
        }
    }
    // Before there is anything that a signal could be for.
    let signals = sandbox::catch_signals()?;
    let mut process = spec::process(&exec.process)?;
    let (extra, variables) = files::passed_on(exec.preserve_fds)?;
    process.env.extend(variables);
    let outside = terminal(exec, process.terminal)?;
    let terminal = outside.as_ref().map(|o| (&o.slave, &o.resized));
    let mut fds = files::standard(terminal)?;
    fds.extend(extra);
    let request = ExecRequest {
        terminal: if outside.is_some() {
            Terminal::Yes
        } else {
            Terminal::No
        },
        process,
    };
    let connection = Client::connect(container)?
        .exec(request, &fds)
        .context("exec failed: unable to start container process")?;
    drop(fds);
    if exec.detach {
        return detach(&record, exec, connection, outside);
    }
    let (console, resized) = outside.map_or((None, None), |o| (o.console, Some(o.resized)));
    announce(exec, std::process::id().cast_signed())?;
    let attendant = Attendant {
        connection,
        resized,
        console,
    };
    attendant.wait(&signals)
}

fn detach(
    record: &Record,
    exec: &Exec,
    connection: Connection,
    outside: Option<Outside>,
) -> Outcome<ExitCode> {
    let terminal = outside.map(|outside| (outside.slave, outside.resized));
    let pid = sandbox::hand_over(
        &record.id,
        connection,
        terminal,
        record.cgroup.as_ref(),
        CloneFlags::empty(),
    )?;
    announce(exec, pid)?;
    Ok(ExitCode::SUCCESS)
}

/// Tells the caller which process stands for the new one.
fn announce(exec: &Exec, pid: i32) -> Outcome<()> {
    if let Some(socket) = &exec.pidfd_socket {
        files::send_pidfd(socket, pid)?;
    }
    match &exec.pid_file {
        Some(file) => files::write_pid(file, pid),
        None => Ok(()),
    }
}

fn terminal(exec: &Exec, wanted: bool) -> Outcome<Option<Outside>> {
    if !wanted {
        return match exec.console_socket {
            Some(_) => Err(Failure::new(
                "cannot use console socket if runsk will not allocate tty: give --tty",
            )),
            None => Ok(None),
        };
    }
    let size = spec::console_size(&exec.process);
    let (console, slave) = match &exec.console_socket {
        Some(socket) => {
            let (master, slave) = sandbox::open_terminal(size)?;
            files::send(socket, master.as_fd(), "console socket")?;
            (None, slave)
        }
        None if exec.detach => {
            return Err(Failure::new(
                "cannot allocate tty if runsk will detach without setting console socket: give \
                 --console-socket",
            ));
        }
        None => {
            let (console, slave) = Console::open(size)?;
            (Some(console), slave)
        }
    };
    Ok(Some(Outside {
        console,
        slave,
        resized: files::bell()?,
    }))
}
