//! sendfile(2), copy_file_range(2).

use std::sync::Arc;

use syscalls::abi::fs::RW_MAX;
use syscalls::errno::{EBADF, EINVAL, EISDIR, EOVERFLOW, EXDEV};
use syscalls::{Errno, Run, SysResult, UserPtr, call};

use crate::task::Current;
use crate::vfs::copy::Side;
use crate::vfs::transfer::At;
use crate::vfs::{File, FileKind, OpenMode};

/// An optional offset argument.
fn offset(task: &Current, at: UserPtr<i64>) -> Result<Option<u64>, Errno> {
    match at.non_null() {
        None => Ok(None),
        Some(at) => {
            let offset = task.mem().read(at)?;
            Ok(Some(u64::try_from(offset).map_err(|_| EINVAL)?))
        }
    }
}

/// Where a side that began at `given`, or at the position, ends: back to the argument,
/// or to the position.
fn store(
    task: &Current,
    side: &Side<'_>,
    given: Option<u64>,
    at: UserPtr<i64>,
) -> Result<(), Errno> {
    let Some(end) = side.offset() else {
        return Ok(());
    };
    match given {
        None => side.file.set_position(end)?,
        Some(_) => {
            let end = i64::try_from(end).map_err(|_| EOVERFLOW)?;
            task.mem().write(at, &end)?;
        }
    }
    Ok(())
}

fn start(file: &File, given: Option<u64>) -> Result<u64, Errno> {
    given.map_or_else(|| file.position(), Ok)
}

impl Run<Current> for call::Sendfile {
    fn run(self, task: &mut Current) -> SysResult {
        let given = offset(task, self.offset)?;
        let from = task.file(self.in_fd)?;
        if !from.mode().reads() {
            return Err(EBADF.into());
        }
        isize::try_from(self.count).map_err(|_| EINVAL)?;
        let to = task.file(self.out_fd)?;
        if !to.mode().writes() {
            return Err(EBADF.into());
        }
        if !from.ops.seekable() || from.location.dentry.is_dir() {
            return Err(EINVAL.into());
        }
        if to.mode().contains(OpenMode::APPEND) {
            return Err(EINVAL.into());
        }
        let mut from = Side {
            file: &from,
            at: At::Offset(start(&from, given)?),
        };
        let mut to = Side {
            file: &to,
            at: At::Position,
        };
        let count = task.copy(&mut from, &mut to, self.count.min(RW_MAX))?;
        store(task, &from, given, self.offset)?;
        Ok(count)
    }
}

fn check_regular(file: &Arc<File>) -> Result<(), Errno> {
    match file.inode().kind() {
        FileKind::Regular => Ok(()),
        FileKind::Directory => Err(EISDIR),
        _ => Err(EINVAL),
    }
}

impl Run<Current> for call::CopyFileRange {
    fn run(self, task: &mut Current) -> SysResult {
        let (from, to) = (task.file(self.fd_in)?, task.file(self.fd_out)?);
        let (given_in, given_out) = (offset(task, self.off_in)?, offset(task, self.off_out)?);
        if self.flags != 0 {
            return Err(EINVAL.into());
        }
        check_regular(&from)?;
        check_regular(&to)?;
        let readable = from.mode().reads() && to.mode().writes();
        if !readable || to.mode().contains(OpenMode::APPEND) {
            return Err(EBADF.into());
        }
        let (super_in, super_out) = (&from.location.mount, &to.location.mount);
        if !Arc::ptr_eq(&super_in.super_block, &super_out.super_block) {
            return Err(EXDEV.into());
        }
        let (at_in, at_out) = (start(&from, given_in)?, start(&to, given_out)?);
        let end = |at: u64, count: usize| at.checked_add(count as u64).ok_or(EOVERFLOW);
        end(at_in.max(at_out), self.len)?;
        let there = from.inode().attr()?.size.saturating_sub(at_in);
        let count = self
            .len
            .min(RW_MAX)
            .min(usize::try_from(there).unwrap_or(RW_MAX));
        let overlap = at_in < end(at_out, count)? && at_out < end(at_in, count)?;
        if overlap && Arc::ptr_eq(from.inode(), to.inode()) {
            return Err(EINVAL.into());
        }
        let mut from = Side {
            file: &from,
            at: At::Offset(at_in),
        };
        let mut to = Side {
            file: &to,
            at: At::Offset(at_out),
        };
        let copied = task.copy(&mut from, &mut to, count)?;
        store(task, &from, given_in, self.off_in)?;
        store(task, &to, given_out, self.off_out)?;
        Ok(copied)
    }
}
