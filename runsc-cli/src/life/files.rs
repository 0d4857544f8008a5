//! What callers want to have of a new process: its number in a file, its terminal or a pidfd
//! over a socket.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::eventfd::{EfdFlags, EventFd};
use platform::host::fdpass;

use crate::failure::{Context, Failure, Outcome};

/// Writes a process's number into a file, which appears whole.
pub(super) fn write_pid(path: &Path, pid: i32) -> Outcome<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}"));
    let shown = format!("pid file {}", path.display());
    std::fs::write(&new, pid.to_string()).context(&shown)?;
    std::fs::rename(&new, path).context(&shown)
}

/// Sends a descriptor to whoever listens on the socket at `path`.
pub(super) fn send(path: &Path, fd: BorrowedFd<'_>, what: &str) -> Outcome<()> {
    let shown = path.display();
    let socket = UnixStream::connect(path).context(format_args!("{what} {shown}"))?;
    fdpass::send(&socket, what.as_bytes(), &[fd])
        .map(drop)
        .context(format_args!("{what} {shown}"))
}

/// Opens a FIFO to tell its reader things. Who writes to it never waits.
pub(super) fn listener(path: &Path) -> Outcome<OwnedFd> {
    let mut options = File::options();
    options.write(true).custom_flags(libc::O_NONBLOCK);
    let fifo = options.open(path).map(OwnedFd::from);
    fifo.context(format_args!("FIFO {}", path.display()))
}

/// The first descriptors of a process in a sandbox: a terminal with what tells of its window
/// ([`bell`]), or else our own stdin, stdout and stderr.
pub(super) fn standard(terminal: Option<(&OwnedFd, &OwnedFd)>) -> Outcome<Vec<OwnedFd>> {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let fds = match terminal {
        Some((terminal, resized)) => vec![terminal.as_fd(), resized.as_fd()],
        None => vec![stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
    };
    let second = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().context("a second descriptor");
    fds.into_iter().map(second).collect()
}

/// An eventfd(2), rung when the window's size has changed.
pub(super) fn bell() -> Outcome<OwnedFd> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let event = EventFd::from_flags(flags).context("an eventfd")?;
    Ok(event.into())
}

/// Sends a pidfd of a process.
pub(super) fn send_pidfd(path: &Path, pid: i32) -> Outcome<()> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = Pid::from_raw(pid).ok_or_else(|| Failure::new("no process"))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())
        .map_err(std::io::Error::from)
        .context("a pidfd")?;
    send(path, pidfd.as_fd(), "pidfd socket")
}

/// Our descriptors from 3 on that a container gets: those that the caller names, and those
/// of socket activation, sd_listen_fds(3); with the variables of the latter.
pub(super) fn passed_on(count: u32) -> Outcome<(Vec<OwnedFd>, Vec<Vec<u8>>)> {
    const FIRST: i32 = 3;
    let sockets = listen_fds();
    let count = count.saturating_add(sockets);
    let numbers = (FIRST..).take(usize::try_from(count).unwrap_or(usize::MAX));
    let second = |number: i32| {
        platform::host::spawn::second(number)
            .context(format_args!("--preserve-fds: descriptor {number}"))
    };
    let fds = numbers.map(second).collect::<Outcome<Vec<_>>>()?;
    let variables = match sockets {
        0 => Vec::new(),
        count => vec![
            format!("LISTEN_FDS={count}").into_bytes(),
            b"LISTEN_PID=1".to_vec(),
        ],
    };
    Ok((fds, variables))
}

/// How many sockets a service manager has given to this process.
fn listen_fds() -> u32 {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    match number("LISTEN_PID") {
        Some(pid) if pid == std::process::id() => number("LISTEN_FDS").unwrap_or(0),
        _ => 0,
    }
}
