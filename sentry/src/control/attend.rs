//! A connection that belongs to a process, or a container: signals one way, its end the other.

use std::os::fd::AsFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::message::{Answer, Request, Target};
use super::wire::Connection;
use crate::boot::Attended;
use crate::signal::Signal;
use crate::wait::{Ready, Wake};

pub(super) struct Bell(pub(super) EventFd);

impl Bell {
    pub(super) fn new() -> nix::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        EventFd::from_flags(flags).map(Bell)
    }

    /// Waits until it rings, or there is something of the peer, its end included: which of
    /// them. `None` if that cannot be waited for.
    pub(super) fn wait(&self, connection: &Connection) -> Option<[bool; 2]> {
        let mut fds = [
            PollFd::new(self.0.as_fd(), PollFlags::POLLIN),
            PollFd::new(connection.socket(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => {
                log::error!("control socket: {errno}");
                return None;
            }
        }
        let happened = fds.map(|fd| fd.any().unwrap_or(false));
        if happened[0] {
            let _ = self.0.read();
        }
        Some(happened)
    }
}

impl Wake for Bell {
    fn wake(&self, _: Ready) {
        // Full only if it rings already.
        let _ = self.0.write(1);
    }
}

/// Tells of the start of `process`, passes signals on to it, and tells of its end. If the
/// peer goes before, the process is killed: nobody would ever hear of it.
pub(super) fn attend(mut connection: Connection, process: &dyn Attended) {
    let bell = match Bell::new() {
        Ok(bell) => Arc::new(bell),
        Err(errno) => {
            log::error!("control socket: {errno}");
            return process.signal(Signal::KILL);
        }
    };
    let _registration = process.tell(bell.clone());
    if connection
        .send(&Answer::Started(process.pid()), &[])
        .is_err()
    {
        return process.signal(Signal::KILL);
    }
    loop {
        if let Some(status) = process.ended() {
            // A peer that has gone meanwhile does not want to know.
            let _ = connection.send(&Answer::Exited(status.to_shell()), &[]);
            return;
        }
        let Some([_, heard]) = bell.wait(&connection) else {
            return process.signal(Signal::KILL);
        };
        if heard && obey(&mut connection, process).is_err() {
            return process.signal(Signal::KILL);
        }
    }
}

fn obey(connection: &mut Connection, process: &dyn Attended) -> Result<(), ()> {
    match connection.receive() {
        Ok(Some((Request::Signal(Target::Own, number), _))) => {
            if let Ok(signal) = Signal::new(number) {
                process.signal(signal);
            }
            Ok(())
        }
        Ok(Some(_)) => {
            log::warn!("control socket: not a request to a process");
            Ok(())
        }
        Ok(None) | Err(_) => Err(()),
    }
}
