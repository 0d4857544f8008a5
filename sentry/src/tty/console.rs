//! The container's terminal as the user's: a thread copies between the master of a pty and
//! a terminal of the host.
//!
//! The host's terminal is raw and made for the sandbox: every byte passes as it is, and line
//! editing, signals and job control are ours. Its window's size is ours too, and when it
//! hangs up, so does ours.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use nix::errno::Errno as HostErrno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::{read, write};
use platform::host::{errno, tty};
use syscalls::Errno;

use super::Master;
use crate::vfs::{Sink, Source};
use crate::wait::{Ready, Wake};

/// Copied at once, bytes: what a terminal's queues hold.
const CHUNK: usize = 4096;
/// How long the host's terminal may take to show the container's last words.
const PATIENCE: Duration = Duration::from_secs(5);

/// A terminal of the host.
#[derive(Debug)]
pub struct HostTerminal {
    /// The terminal, in raw mode; nobody else reads it.
    pub terminal: OwnedFd,
    /// Readable when the window's size has changed: a signalfd(2) for SIGWINCH.
    pub resized: OwnedFd,
}

/// The thread that copies.
pub struct Console {
    bell: Arc<Bell>,
    ended: Receiver<()>,
}

impl Console {
    /// Starts to copy.
    pub(crate) fn attach(master: Master, host: HostTerminal) -> Result<Self, Errno> {
        fcntl(
            &host.terminal,
            FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK),
        )
        .map_err(errno)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let bell = Arc::new(Bell {
            event: EventFd::from_flags(flags).map_err(errno)?,
            closing: AtomicBool::new(false),
        });
        let (alive, ended) = bounded(0);
        let relay = Relay {
            master,
            host,
            bell: bell.clone(),
            typed: Vec::new(),
            shown: Vec::new(),
        };
        std::thread::Builder::new()
            .name("console".into())
            .spawn(move || {
                let _alive: crossbeam_channel::Sender<()> = alive;
                relay.run();
            })?;
        Ok(Console { bell, ended })
    }

    /// After the end of all tasks: waits until what they wrote is on the host's terminal.
    pub(crate) fn finish(&self) {
        self.bell.closing.store(true, Ordering::Release);
        self.bell.wake(Ready::empty());
        // Nothing is ever sent: the channel closes.
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

struct Bell {
    event: EventFd,
    closing: AtomicBool,
}

impl Wake for Bell {
    fn wake(&self, _: Ready) {
        // Full only if it rings already.
        let _ = self.event.write(1);
    }
}

struct Relay {
    master: Master,
    host: HostTerminal,
    bell: Arc<Bell>,
    /// From the host, not yet taken by the container's terminal.
    typed: Vec<u8>,
    /// From the container, not yet taken by the host's terminal.
    shown: Vec<u8>,
}

/// Whether the host's terminal is still there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    There,
    Gone,
}

impl Relay {
    fn run(mut self) {
        let queue = &self.master.pty().master_queue;
        let _registration = queue.register(self.bell.clone(), Ready::all());
        self.follow_size();
        loop {
            let closing = self.bell.closing.load(Ordering::Acquire);
            // Dropping the master hangs up the container's terminal.
            if self.copy() == Host::Gone || (closing && self.shown.is_empty()) {
                return;
            }
            self.wait();
        }
    }

    /// Copies what can be copied without waiting.
    fn copy(&mut self) -> Host {
        loop {
            let out = self.copy_out();
            let input = self.copy_in();
            match (out, input) {
                (Err(()), _) | (_, Err(())) => return Host::Gone,
                (Ok(false), Ok(false)) => return Host::There,
                _ => {}
            }
        }
    }

    /// From the container to the host; whether anything moved.
    fn copy_out(&mut self) -> Result<bool, ()> {
        let mut buffer = [0; CHUNK];
        let mut moved = false;
        if self.shown.is_empty()
            && let Ok(len) = self
                .master
                .pty()
                .read_output(&mut Sink::kernel(&mut buffer))
        {
            self.shown.extend(buffer.iter().take(len));
            moved = len > 0;
        }
        if self.shown.is_empty() {
            return Ok(moved);
        }
        match write(&self.host.terminal, &self.shown) {
            Ok(len) => {
                self.shown.drain(..len);
                Ok(true)
            }
            Err(HostErrno::EAGAIN) => Ok(moved),
            Err(HostErrno::EINTR) => Ok(true),
            Err(_) => Err(()),
        }
    }

    /// From the host to the container; whether anything moved.
    fn copy_in(&mut self) -> Result<bool, ()> {
        let mut buffer = [0; CHUNK];
        let mut moved = false;
        if self.typed.is_empty() {
            match read(&self.host.terminal, &mut buffer) {
                Ok(0) => return Err(()),
                Ok(len) => {
                    self.typed.extend(buffer.iter().take(len));
                    moved = true;
                }
                Err(HostErrno::EAGAIN) => {}
                Err(HostErrno::EINTR) => return Ok(true),
                Err(_) => return Err(()),
            }
        }
        if !self.typed.is_empty()
            && let Ok(len) = self
                .master
                .pty()
                .write_input(&mut Source::kernel(&self.typed))
        {
            self.typed.drain(..len);
            moved |= len > 0;
        }
        Ok(moved)
    }

    fn wait(&self) {
        let mut terminal = PollFlags::empty();
        terminal.set(PollFlags::POLLIN, self.typed.is_empty());
        terminal.set(PollFlags::POLLOUT, !self.shown.is_empty());
        let mut fds = [
            PollFd::new(self.host.terminal.as_fd(), terminal),
            PollFd::new(self.bell.event.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.host.resized.as_fd(), PollFlags::POLLIN),
        ];
        // An interruption is followed by another look, like any event.
        let _ = poll(&mut fds, PollTimeout::NONE);
        let [_, bell, resized] = fds.map(|fd| fd.any().unwrap_or(false));
        if bell {
            let _ = self.bell.event.read();
        }
        if resized {
            // Its contents say nothing more.
            let mut buffer = [0; CHUNK];
            let _ = read(&self.host.resized, &mut buffer);
            self.follow_size();
        }
    }

    fn follow_size(&self) {
        if let Ok(size) = tty::window_size(&self.host.terminal) {
            self.master.pty().set_window(size);
        }
    }
}
