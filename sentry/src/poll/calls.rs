//! poll(2), ppoll(2).

use std::time::Duration;

use syscalls::abi::fs::PollFd;
use syscalls::abi::time::Timespec;
use syscalls::{Errno, Fd, Restart, Run, Stop, SysResult, UserPtr, call};

use super::{Watched, check_count, wait};
use crate::task::Current;
use crate::wait::{Deadline, Ready};

fn poll(task: &Current, fds: UserPtr<PollFd>, count: u32, deadline: Option<Deadline>) -> SysResult {
    let count = check_count(task, count)?;
    let mut entries = task.mem().read_slice(fds, count)?;
    let watch =
        |e: &PollFd| Watched::new(task, Fd(e.fd), Ready::from_bits_truncate(e.events.into()));
    let mut watched: Vec<_> = entries.iter().map(watch).collect();
    wait(task, &mut watched, deadline)?;
    let mut found = 0;
    for (entry, watched) in entries.iter_mut().zip(&watched) {
        // Every bit of poll(2) is below 16.
        entry.revents = u16::try_from(watched.ready.bits()).unwrap_or(0);
        found += u64::from(entry.revents != 0);
    }
    task.mem().write_slice(fds, &entries)?;
    Ok(found)
}

/// Reads a relative timeout; `EINVAL` for one that is negative or not normal.
pub(crate) fn read_timeout(
    task: &Current,
    at: UserPtr<Timespec>,
) -> Result<Option<Deadline>, Errno> {
    let Some(at) = at.non_null() else {
        return Ok(None);
    };
    let time = task.mem().read(at)?;
    crate::time::duration(time).map(|d| Some(Deadline::after(d)))
}

/// Puts the time that is left where the timeout was, as Linux does; the call's result
/// stands whether or not that memory can be written.
pub(crate) fn write_left(task: &Current, at: UserPtr<Timespec>, deadline: Option<Deadline>) {
    let (Some(at), Some(deadline)) = (at.non_null(), deadline) else {
        return;
    };
    if task.settings().tells_time_left() {
        let left = deadline.left().unwrap_or_default();
        let _ = task.mem().write(at, &crate::time::timespec(left));
    }
}

impl Run<Current> for call::Poll {
    fn run(self, task: &mut Current) -> SysResult {
        let timeout = u64::try_from(self.timeout).ok().map(Duration::from_millis);
        let deadline = task.restarted_deadline().or(timeout.map(Deadline::after));
        match poll(task, self.fds, self.nfds, deadline) {
            Err(Stop::Restart(_)) => Err(task.restart_with(deadline)),
            result => result,
        }
    }
}

impl Run<Current> for call::Ppoll {
    fn run(self, task: &mut Current) -> SysResult {
        let deadline = read_timeout(task, self.tmo_p)?;
        let mask = task.read_mask(self.sigmask, self.sigsetsize)?;
        let result = task.with_mask(mask, |task| poll(task, self.fds, self.nfds, deadline));
        write_left(task, self.tmo_p, deadline);
        match result {
            Err(Stop::Restart(_)) => Err(Stop::Restart(Restart::NoHand)),
            result => result,
        }
    }
}
