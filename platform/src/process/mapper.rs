//! The Sentry's side of a mapper.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, read};
use syscalls::Errno;
use syscalls::errno::EPROTO;

use super::commands::Slot;
use super::layout::command::{CAPACITY, KIND_BATCH};
use super::layout::constants::{LONGEST, PID, PID_LOW_BITS};
use super::near::Place;
use super::operation::Operation;
use crate::Error;
use crate::host;

/// A running mapper, the first task of a host process. Whoever
/// drops it sees to its end.
#[derive(Clone)]
pub(super) struct Mapper {
    pid: Pid,
    slot: Arc<Slot>,
    /// Answers come out here.
    done: Arc<OwnedFd>,
    /// Answers of which each says "done", and which nobody has read yet: the first says that
    /// the mapper is ready.
    outstanding: u32,
    /// A command was given before those answers were read.
    posted: bool,
    /// What it answered instead.
    failed: Option<Errno>,
    ended: bool,
    place: Place,
}

/// What a mapper answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// Everything was performed.
    Done,
    /// An operation failed; the ones behind it were not attempted.
    Failed(Errno),
    /// The process made.
    Made(Pid),
}

impl Mapper {
    /// A mapper that was just made by one at `place`.
    pub(super) fn new(pid: Pid, slot: Slot, done: OwnedFd, place: Place) -> Self {
        Mapper {
            pid,
            slot: Arc::new(slot),
            done: Arc::new(done),
            outstanding: 1,
            posted: false,
            failed: None,
            ended: false,
            place,
        }
    }

    /// Where it is, and what it makes.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Performs operations, in order.
    pub(super) fn perform(&mut self, operations: &[Operation]) -> Result<Answer, Error> {
        for batch in operations.chunks(CAPACITY) {
            match self.command(batch, KIND_BATCH, 0)? {
                Answer::Done => {}
                other => return Ok(other),
            }
        }
        Ok(Answer::Done)
    }

    /// Sends a command and waits for the answer.
    pub(super) fn command(
        &mut self,
        operations: &[Operation],
        kind: u32,
        child: u64,
    ) -> Result<Answer, Error> {
        self.send(operations, kind, child)?;
        self.answer()
    }

    /// Sends a command; [`Self::answer`] is to be called before the next one.
    pub(super) fn send(
        &mut self,
        operations: &[Operation],
        kind: u32,
        child: u64,
    ) -> Result<(), Error> {
        // A mapper that is not ready yet finds the command when it is.
        if self.posted {
            self.settle()?;
        }
        self.place.follow(self.pid);
        let sent = self.slot.command(operations, kind, child);
        sent.map_err(super::host_error("write a command"))
    }

    /// Waits for the answer to the command that was sent.
    pub(super) fn answer(&mut self) -> Result<Answer, Error> {
        self.settle()?;
        self.read(LONGEST)
    }

    /// Gives a command without waiting; if it fails, all later ones do. At most
    /// [`CAPACITY`] operations, and only before the first [`Self::command`].
    pub(super) fn post(&mut self, operations: &[Operation]) -> Result<(), Errno> {
        self.slot.command(operations, KIND_BATCH, 0)?;
        self.outstanding += 1;
        self.posted = true;
        Ok(())
    }

    /// Waits for what was asked before.
    fn settle(&mut self) -> Result<(), Error> {
        while self.outstanding > 0 {
            self.outstanding -= 1;
            // Not more than one answer.
            match self.read(2)? {
                Answer::Done => {}
                Answer::Failed(errno) => self.failed = Some(errno),
                Answer::Made(_) => self.failed = Some(EPROTO),
            }
        }
        self.posted = false;
        match self.failed {
            None => Ok(()),
            Some(errno) => Err(super::host_error("start an address space")(errno)),
        }
    }

    /// True if it was found to have ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads an answer of at most `len` bytes.
    fn read(&mut self, len: usize) -> Result<Answer, Error> {
        let mut bytes = [0; LONGEST];
        let buffer = bytes.get_mut(..len).unwrap_or_default();
        loop {
            match read(self.done.as_fd(), buffer) {
                Ok(0) => {
                    self.log_end();
                    self.ended = true;
                    return Err(Error::Died);
                }
                Ok(len) => return decode(bytes, len).map_err(super::host_error("read an answer")),
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => {
                    let errno = host::errno(error);
                    return Err(super::host_error("wait for a mapper")(errno));
                }
            }
        }
    }

    /// Its command page, which is to be kept until it has ended.
    pub(super) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// Leaves in the log how the process ended. Waiting for it is left to others.
    fn log_end(&self) {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::__WALL;
        match waitid(Id::Pid(self.pid), flags) {
            Ok(status) => log::warn!("the host process of an address space ended: {status:?}"),
            Err(error) => log::warn!("the host process of an address space ended: {error}"),
        }
    }
}

/// The code of `layout::constants`.
fn decode(bytes: [u8; LONGEST], len: usize) -> Result<Answer, Errno> {
    let [low, high, ..] = bytes;
    let first = u16::from_ne_bytes([low, high]);
    match usize::from(first).checked_sub(PID) {
        None if len != 2 => Err(EPROTO),
        None if first == 0 => Ok(Answer::Done),
        None => Ok(Answer::Failed(Errno::from_raw(i32::from(first)))),
        Some(low) => {
            let high = (len / 2).checked_sub(1).ok_or(EPROTO)?;
            let pid = high << PID_LOW_BITS | low;
            let pid = i32::try_from(pid).map_err(|_| EPROTO)?;
            Ok(Answer::Made(Pid::from_raw(pid)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let with = |first: u16| {
            let mut bytes = [0; LONGEST];
            bytes[..2].copy_from_slice(&first.to_ne_bytes());
            bytes
        };
        let made = |pid| Ok(Answer::Made(Pid::from_raw(pid)));
        assert_eq!(decode(with(0), 2), Ok(Answer::Done));
        let failed = Answer::Failed(syscalls::errno::ENOMEM);
        assert_eq!(decode(with(12), 2), Ok(failed));
        assert_eq!(decode(with(4096 + 77), 2), made(77));
        assert_eq!(decode(with(4096 + 1), 4), made(4097));
        assert_eq!(decode(with(4096 + 0xfff), LONGEST), made((1 << 22) - 1));
        assert_eq!(decode(with(0), 4), Err(EPROTO));
    }
}
