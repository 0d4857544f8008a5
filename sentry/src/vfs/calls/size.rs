//! truncate(2), fallocate(2).

use syscalls::abi::fs::FallocateMode;
use syscalls::errno::{EBADF, EFBIG, EINVAL, EISDIR, ENODEV, EOPNOTSUPP, ESPIPE};
use syscalls::{Errno, Run, Stop, SysResult, call};

use crate::signal::Signal;
use crate::task::{Current, Resource};
use crate::vfs::attributes::{resize, truncate_path};
use crate::vfs::locks::LockKind;
use crate::vfs::locks::lease::{self, Breaking};
use crate::vfs::notify::{self, Event};
use crate::vfs::walk::Walking;
use crate::vfs::{Access, FileKind, WriteAccess, permit, seals, set_id};

/// A size argument; `EINVAL` for a negative one.
fn size(length: i64) -> Result<u64, Errno> {
    u64::try_from(length).map_err(|_| EINVAL)
}

/// `EFBIG` and SIGXFSZ for a size above RLIMIT_FSIZE that is not there already.
fn check_limit(task: &Current, size: u64, now: u64) -> Result<(), Stop> {
    if size > now && size > task.group.limits.soft(Resource::Fsize) {
        task.raise(Signal::XFSZ);
        return Err(EFBIG.into());
    }
    Ok(())
}

impl Run<Current> for call::Truncate {
    fn run(self, task: &mut Current) -> SysResult {
        let size = size(self.length)?;
        let path = task.read_path(self.path)?;
        let at = task.walk(&path, Walking::FOLLOW)?;
        if at.inode().kind() == FileKind::Regular {
            check_limit(task, size, at.inode().attr()?.size)?;
            if permit(&task.creds.get(), at.inode(), Access::WRITE).is_ok() {
                let _access = WriteAccess::take(at.inode())?;
                lease::break_for(task, at.inode(), LockKind::Write, Breaking::Waits)?;
            }
        }
        truncate_path(&task.creds.get(), &at, size)?;
        Ok(0)
    }
}

impl Run<Current> for call::Ftruncate {
    fn run(self, task: &mut Current) -> SysResult {
        let size = size(self.length)?;
        let file = task.file(self.fd)?;
        let inode = file.inode();
        if inode.kind() != FileKind::Regular || !file.mode().writes() {
            return Err(EINVAL.into());
        }
        check_limit(task, size, inode.attr()?.size)?;
        resize(&task.creds.get(), &file.location, size)?;
        Ok(0)
    }
}

impl Run<Current> for call::Fallocate {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        let offset = u64::try_from(self.offset).map_err(|_| EINVAL)?;
        let len = u64::try_from(self.len).ok().filter(|&len| len > 0);
        let len = len.ok_or(EINVAL)?;
        check_mode(self.mode)?;
        if !file.mode().writes() {
            return Err(EBADF.into());
        }
        let inode = file.inode();
        match inode.kind() {
            FileKind::Regular => {}
            FileKind::Fifo => return Err(ESPIPE.into()),
            FileKind::Directory => return Err(EISDIR.into()),
            _ => return Err(ENODEV.into()),
        }
        let end = offset.checked_add(len).ok_or(EFBIG)?;
        i64::try_from(end).map_err(|_| EFBIG)?;
        let keeps = FallocateMode::KEEP_SIZE | FallocateMode::PUNCH_HOLE;
        if !self.mode.intersects(keeps) {
            check_limit(task, end, inode.attr()?.size)?;
        }
        if self.mode.contains(FallocateMode::PUNCH_HOLE) {
            seals::check_write(inode, 0, 0)?;
        } else if !self.mode.contains(FallocateMode::KEEP_SIZE) {
            seals::check_resize(inode, end.max(inode.attr()?.size))?;
        }
        set_id::before_write(&task.creds.get(), inode)?;
        inode.allocate(self.mode.bits(), offset, len)?;
        notify::event(Event::Modify, &file.location);
        Ok(0)
    }
}

/// Which modes exist, and go together.
fn check_mode(mode: FallocateMode) -> Result<(), Errno> {
    let alone = mode - FallocateMode::KEEP_SIZE;
    let known = alone.is_empty()
        || alone == FallocateMode::ZERO_RANGE
        || alone == FallocateMode::UNSHARE_RANGE
        || (alone == FallocateMode::PUNCH_HOLE && mode != alone)
        || (mode == alone
            && (alone == FallocateMode::COLLAPSE_RANGE || alone == FallocateMode::INSERT_RANGE));
    if known { Ok(()) } else { Err(EOPNOTSUPP) }
}
