//! The container's terminal, seen from outside: a pseudoterminal of the host between the
//! user and the Sentry.
//!
//! The Sentry gets the slave, in raw mode, as its controlling terminal: bytes pass as they
//! are, and a change of the window's size reaches it as SIGWINCH. The terminal that the
//! container sees, with its line editing, Ctrl-C and job control, is the Sentry's own. So
//! the Sentry never holds the user's terminal: it could type on it.
//!
//! We hold the master, and copy between it and our stdin and stdout. The user's terminal is
//! in raw mode meanwhile.

use std::io::{self, Stdin, Stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollFlags;
use nix::pty::openpty;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{read, write};
use platform::host::tty::{self, WindowSize};

use crate::failure::{Context, Outcome};

/// Moved at once, bytes: what a terminal's input queue holds.
const CHUNK: usize = 4096;

/// What ends the input of a terminal whose user is a pipe or file that has ended (Ctrl-D),
/// as script(1) does it.
const END_OF_INPUT: u8 = 4;

/// The master side.
pub(crate) struct Console {
    master: OwnedFd,
    stdin: Stdin,
    stdout: Stdout,
    user: Option<UserTerminal>,
    input: Input,
    to_container: Vec<u8>,
    to_user: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    Ended,
}

/// What the copying waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Master,
    Stdin,
    Stdout,
}

/// Our stdin, if it is a terminal; its settings come back when this is dropped.
struct UserTerminal {
    before: Termios,
}

/// A terminal of (rows, columns) whose master is for somebody else; master and slave.
pub(crate) fn open_terminal(size: Option<(u16, u16)>) -> Outcome<(OwnedFd, OwnedFd)> {
    let (master, slave) = raw_pair()?;
    if let Some(size) = size {
        set_size(&master, size)?;
    }
    Ok((master, slave))
}

fn raw_pair() -> Outcome<(OwnedFd, OwnedFd)> {
    let pty = openpty(None, None).context("a pseudoterminal")?;
    let mut settings = tcgetattr(&pty.slave).context("a pseudoterminal")?;
    cfmakeraw(&mut settings);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &settings).context("a pseudoterminal")?;
    for fd in [pty.master.as_fd(), pty.slave.as_fd()] {
        let flags = FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC);
        fcntl(fd, flags).context("a pseudoterminal")?;
    }
    Ok((pty.master, pty.slave))
}

fn set_size(master: &OwnedFd, (rows, columns): (u16, u16)) -> Outcome<()> {
    let size = WindowSize {
        rows,
        columns,
        width: 0,
        height: 0,
    };
    tty::set_window_size(master, size).context("a pseudoterminal")
}

impl Console {
    /// A terminal of (rows, columns), or as large as the user's; and its slave.
    pub(crate) fn open(size: Option<(u16, u16)>) -> Outcome<(Self, OwnedFd)> {
        let (master, slave) = raw_pair()?;
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("a pseudoterminal")?;
        let console = Console {
            master,
            stdin: io::stdin(),
            stdout: io::stdout(),
            user: UserTerminal::raw()?,
            input: Input::Open,
            to_container: Vec::new(),
            to_user: Vec::new(),
        };
        match size {
            Some(size) if console.user.is_none() => set_size(&console.master, size)?,
            _ => console.follow_size(),
        }
        Ok((console, slave))
    }

    /// Makes the container's window as large as the user's.
    pub(super) fn follow_size(&self) {
        // Without a terminal on stdin there is nothing to follow.
        if let Ok(size) = tty::window_size(&self.stdin) {
            let _ = tty::set_window_size(&self.master, size);
        }
    }

    /// What to wait for now. What is not to be waited for is left out: poll(2) would tell of
    /// a pipe's end again and again.
    pub(super) fn interest(&self) -> Vec<(End, BorrowedFd<'_>, PollFlags)> {
        let mut master = PollFlags::empty();
        let mut interest = Vec::with_capacity(3);
        if self.to_user.is_empty() {
            master |= PollFlags::POLLIN;
        } else {
            interest.push((End::Stdout, self.stdout.as_fd(), PollFlags::POLLOUT));
        }
        if !self.to_container.is_empty() {
            master |= PollFlags::POLLOUT;
        } else if self.input == Input::Open {
            interest.push((End::Stdin, self.stdin.as_fd(), PollFlags::POLLIN));
        }
        interest.push((End::Master, self.master.as_fd(), master));
        interest
    }

    /// Copies where poll(2) has said that there is something to do.
    pub(super) fn copy(&mut self, end: End, ready: PollFlags) {
        match end {
            End::Stdin => self.read_user(),
            End::Stdout => self.write_user(),
            End::Master => {
                if ready.contains(PollFlags::POLLOUT) {
                    self.write_container();
                }
                if ready.contains(PollFlags::POLLIN) {
                    self.read_container();
                }
            }
        }
    }

    /// After the container's end: what it still said.
    pub(super) fn drain(&mut self) {
        loop {
            while !self.to_user.is_empty() {
                self.write_user();
            }
            if !self.read_container() {
                return;
            }
        }
    }

    fn read_user(&mut self) {
        let mut buffer = [0; CHUNK];
        match read(&self.stdin, &mut buffer) {
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Ok(0) | Err(_) => {
                self.input = Input::Ended;
                self.to_container.push(END_OF_INPUT);
            }
            Ok(len) => self.to_container.extend(buffer.iter().take(len)),
        }
    }

    fn write_container(&mut self) {
        if let Ok(len) = write(&self.master, &self.to_container) {
            self.to_container.drain(..len);
        }
    }

    /// False if there was nothing, or the container's side is closed.
    fn read_container(&mut self) -> bool {
        let mut buffer = [0; CHUNK];
        match read(&self.master, &mut buffer) {
            Ok(len) => {
                self.to_user.extend(buffer.iter().take(len));
                len > 0
            }
            Err(Errno::EINTR) => true,
            Err(_) => false,
        }
    }

    fn write_user(&mut self) {
        match write(&self.stdout, &self.to_user) {
            Ok(len) => drop(self.to_user.drain(..len)),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            // A user who is gone hears nothing; the container may go on.
            Err(_) => self.to_user.clear(),
        }
    }
}

impl UserTerminal {
    /// Puts stdin into raw mode, if it is a terminal.
    fn raw() -> Outcome<Option<Self>> {
        let before = match tcgetattr(io::stdin()) {
            Ok(settings) => settings,
            Err(_) => return Ok(None),
        };
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw).context("the terminal on stdin")?;
        Ok(Some(UserTerminal { before }))
    }
}

impl Drop for UserTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
    }
}
