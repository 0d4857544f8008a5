//! The socket over which mappers hand over the reading ends of new pipes.
//!
//! All mappers write to the same socket. Each sends before it answers the command to
//! fork, so whoever has read the answer finds the descriptor here without waiting.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt::PassCred,
};
use nix::unistd::Pid;
use parking_lot::Mutex;
use syscalls::Errno;
use syscalls::errno::EAGAIN;

use crate::host::{errno, fdpass};

pub(super) struct Reports {
    socket: OwnedFd,
    /// Sent by mappers whose forker has not come by yet.
    waiting: Mutex<HashMap<i32, OwnedFd>>,
}

impl Reports {
    /// Also returns the mappers' end.
    pub(super) fn new() -> Result<(Self, OwnedFd), Errno> {
        let kind = SockType::SeqPacket;
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::Unix, kind, None, flags).map_err(errno)?;
        setsockopt(&ours, PassCred, &true).map_err(errno)?;
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(errno)?;
        let reports = Reports {
            socket: ours,
            waiting: Mutex::new(HashMap::new()),
        };
        Ok((reports, theirs))
    }

    /// What `mapper` sent, if anything: also to be called if its fork failed, or what it
    /// sent would be taken for that of the next.
    pub(super) fn take(&self, mapper: Pid) -> Result<Option<OwnedFd>, Errno> {
        let mut waiting = self.waiting.lock();
        let mut failed = None;
        loop {
            if let Some(found) = waiting.remove(&mapper.as_raw()) {
                return Ok(Some(found));
            }
            let mut byte = [0];
            let received = match fdpass::receive(&self.socket, &mut byte) {
                Err(EAGAIN) => return failed.map_or(Ok(None), Err),
                // All mappers are gone.
                Ok(received) if received.len == 0 => return Ok(None),
                Ok(received) => received,
                // A message that cannot be had, for want of descriptors, is lost; perhaps
                // it was another's.
                Err(error) => {
                    failed = Some(error);
                    continue;
                }
            };
            let pipe = received.fds.into_iter().next();
            if let (Some(sender), Some(pipe)) = (received.sender, pipe) {
                waiting.insert(sender, pipe);
            }
        }
    }
}
