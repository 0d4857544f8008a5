//! close(2), dup(2), close_range(2).

use std::sync::Arc;

use syscalls::abi::fs::{CloseRangeFlags, DupFlags};
use syscalls::errno::{EBADF, EINVAL};
use syscalls::{Errno, Fd, Run, SysResult, call};

use super::{CloseOnExec, FdEntry};
use crate::task::Current;

/// A descriptor as a call's result.
pub(super) fn result(fd: Fd) -> u64 {
    // Open descriptors are never negative.
    u64::try_from(fd.0).unwrap_or_default()
}

/// dup2(2) for two different numbers.
fn duplicate(task: &Current, old: Fd, new: Fd, close: CloseOnExec) -> Result<u64, Errno> {
    let fds = task.fds.get();
    let file = fds.get_any(old)?;
    let number = u64::try_from(new.0).map_err(|_| EBADF)?;
    if number >= task.open_files_limit() {
        return Err(EBADF);
    }
    let entry = FdEntry {
        file,
        close_on_exec: close == CloseOnExec::Yes,
    };
    if let Some(replaced) = fds.replace(new, entry)? {
        linger(task, &replaced);
        // Linux, too, keeps the error of this close to itself.
        if let Err(error) = fds.closed(replaced) {
            log::debug!("dup2 closed a descriptor: {error}");
        }
    }
    Ok(result(new))
}

/// Waits as long as closing a descriptor that may be the file's last one is to wait.
fn linger(task: &Current, entry: &FdEntry) {
    if Arc::strong_count(&entry.file) == 1 {
        entry.file.ops.linger(task);
    }
}

impl Run<Current> for call::Close {
    fn run(self, task: &mut Current) -> SysResult {
        let fds = task.fds.get();
        let entry = fds.remove(self.fd)?;
        linger(task, &entry);
        fds.closed(entry)?;
        Ok(0)
    }
}

impl Run<Current> for call::Dup {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.any_file(self.oldfd)?;
        Ok(result(task.reserve_fd()?.fill(file, CloseOnExec::No)))
    }
}

impl Run<Current> for call::Dup2 {
    fn run(self, task: &mut Current) -> SysResult {
        if self.oldfd == self.newfd {
            task.any_file(self.oldfd)?;
            return Ok(result(self.newfd));
        }
        Ok(duplicate(task, self.oldfd, self.newfd, CloseOnExec::No)?)
    }
}

impl Run<Current> for call::Dup3 {
    fn run(self, task: &mut Current) -> SysResult {
        if self.oldfd == self.newfd {
            return Err(EINVAL.into());
        }
        let close = CloseOnExec::when(self.flags.contains(DupFlags::CLOEXEC));
        Ok(duplicate(task, self.oldfd, self.newfd, close)?)
    }
}

impl Run<Current> for call::CloseRange {
    fn run(self, task: &mut Current) -> SysResult {
        if self.first > self.last {
            return Err(EINVAL.into());
        }
        let picks = |fd: Fd| {
            u32::try_from(fd.0).is_ok_and(|number| (self.first..=self.last).contains(&number))
        };
        if self.flags.contains(CloseRangeFlags::UNSHARE) {
            let fds = task.fds.get();
            // One reference is the task's, one is here.
            if Arc::strong_count(&fds) > 2 {
                let own = if self.flags.contains(CloseRangeFlags::CLOEXEC) {
                    fds.fork()
                } else {
                    fds.fork_where(|fd| !picks(fd))
                };
                task.fds.set(own);
            }
        }
        let fds = task.fds.get();
        if self.flags.contains(CloseRangeFlags::CLOEXEC) {
            fds.mark_close_on_exec(picks);
        } else {
            for entry in fds.remove_where(|fd, _| picks(fd)) {
                linger(task, &entry);
                if let Err(error) = fds.closed(entry) {
                    log::debug!("close_range closed a descriptor: {error}");
                }
            }
        }
        Ok(0)
    }
}
