//! The lock commands of fcntl(2), and flock(2).

use std::sync::Arc;

use syscalls::abi::fs::{
    F_RDLCK, F_UNLCK, F_WRLCK, Flock, LockOperation, SEEK_CUR, SEEK_END, SEEK_SET,
};
use syscalls::errno::{EBADF, EINVAL, EOVERFLOW};
use syscalls::{Errno, Fd, Run, Stop, SysResult, UserPtr, call};

use crate::task::Current;
use crate::vfs::File;
use crate::vfs::locks::{self, Extent, LockKind, LockOwner, Patience, Record};

/// Which family of record locks a command means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// F_SETLK: of the descriptor table.
    Posix,
    /// F_OFD_SETLK: of the open file description.
    Ofd,
}

fn whence(raw: i16) -> Result<u32, Errno> {
    u32::try_from(raw).map_err(|_| EINVAL)
}

/// The bytes that a `struct flock` means.
fn extent(file: &File, lock: &Flock) -> Result<Extent, Errno> {
    let base = match whence(lock.whence)? {
        SEEK_SET => 0,
        SEEK_CUR => file.position()?,
        SEEK_END => file.inode().attr()?.size,
        _ => return Err(EINVAL),
    };
    let base = i64::try_from(base).map_err(|_| EOVERFLOW)?;
    let start = base.checked_add(lock.start).ok_or(EOVERFLOW)?;
    let (first, last) = match lock.len {
        0 => (start, i64::MAX),
        len if len > 0 => (start, start.checked_add(len - 1).ok_or(EOVERFLOW)?),
        len => (start.checked_add(len).ok_or(EINVAL)?, start - 1),
    };
    let byte = |at: i64| u64::try_from(at).map_err(|_| EINVAL);
    Ok(Extent {
        first: byte(first)?,
        last: byte(last)?,
    })
}

fn owner(task: &Current, file: &File, family: Family) -> LockOwner {
    match family {
        Family::Posix => task.fds.with(|fds| fds.lock_owner()),
        Family::Ofd => LockOwner::file(file),
    }
}

fn record(
    task: &Current,
    file: &File,
    family: Family,
    kind: LockKind,
    lock: &Flock,
) -> Result<Record, Errno> {
    let pid = match family {
        Family::Posix => task.group.pid,
        Family::Ofd if lock.pid != 0 => return Err(EINVAL),
        Family::Ofd => -1,
    };
    Ok(Record {
        owner: owner(task, file, family),
        pid,
        kind,
        extent: extent(file, lock)?,
    })
}

/// F_GETLK.
pub(super) fn get(
    task: &Current,
    file: &File,
    family: Family,
    at: UserPtr<Flock>,
) -> Result<u64, Errno> {
    let mut lock = task.mem().read(at)?;
    let kind = match lock.kind {
        F_RDLCK => LockKind::Read,
        F_WRLCK => LockKind::Write,
        _ => return Err(EINVAL),
    };
    let wanted = record(task, file, family, kind, &lock)?;
    match locks::blocker(file.inode(), &wanted) {
        None => lock.kind = F_UNLCK,
        Some(held) => {
            let to_end = held.extent.last == Extent::END;
            let len = held.extent.last - held.extent.first + 1;
            lock.kind = held.kind.raw();
            lock.whence = 0;
            lock.start = i64::try_from(held.extent.first).map_err(|_| EOVERFLOW)?;
            lock.len = if to_end {
                0
            } else {
                i64::try_from(len).map_err(|_| EOVERFLOW)?
            };
            lock.pid = if held.pid > 0 {
                task.number_of(held.pid)
            } else {
                held.pid
            };
        }
    }
    task.mem().write(at, &lock)?;
    Ok(0)
}

/// F_SETLK, F_SETLKW.
pub(super) fn set(
    task: &Current,
    fd: Fd,
    file: &File,
    family: Family,
    at: UserPtr<Flock>,
    patience: Patience,
) -> Result<u64, Stop> {
    let lock = task.mem().read(at)?;
    let kind = match lock.kind {
        F_UNLCK => {
            let unlocked = record(task, file, family, LockKind::Read, &lock)?;
            locks::unlock_record(file.inode(), unlocked.owner, unlocked.extent);
            return Ok(0);
        }
        F_RDLCK if !file.mode().reads() => return Err(EBADF.into()),
        F_WRLCK if !file.mode().writes() => return Err(EBADF.into()),
        F_RDLCK => LockKind::Read,
        F_WRLCK => LockKind::Write,
        _ => return Err(EINVAL.into()),
    };
    let wanted = record(task, file, family, kind, &lock)?;
    if family == Family::Ofd {
        file.note_locked();
    }
    locks::lock_record(task, file.inode(), &wanted, patience)?;
    // Another thread may have closed the descriptor while this one waited.
    let still = task
        .any_file(fd)
        .is_ok_and(|now| std::ptr::eq(Arc::as_ptr(&now), file));
    if family == Family::Posix && !still {
        locks::unlock_record(file.inode(), wanted.owner, wanted.extent);
        return Err(EBADF.into());
    }
    Ok(0)
}

impl Run<Current> for call::Flock {
    fn run(self, task: &mut Current) -> SysResult {
        // A lock of a kind that is no more: Linux grants it and does nothing.
        if self.operation.contains(LockOperation::MAND) {
            return Ok(0);
        }
        let patience = if self.operation.contains(LockOperation::NB) {
            Patience::Try
        } else {
            Patience::Wait
        };
        let kind = match self.operation - LockOperation::NB {
            LockOperation::SH => Some(LockKind::Read),
            LockOperation::EX => Some(LockKind::Write),
            LockOperation::UN => None,
            _ => return Err(EINVAL.into()),
        };
        let file = task.file(self.fd)?;
        match kind {
            Some(kind) => locks::flock(task, &file, kind, patience)?,
            None => locks::unflock(&file),
        }
        Ok(0)
    }
}
