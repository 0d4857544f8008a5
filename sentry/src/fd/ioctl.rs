//! ioctl(2): what is common to all files.

use std::sync::Arc;

use syscalls::abi::fs::{
    FICLONE, FICLONERANGE, FIDEDUPERANGE, FIGETBSZ, FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD,
    FIOQSIZE,
};
use syscalls::errno::{EBADF, ENOTTY, EOPNOTSUPP};
use syscalls::{Errno, Fd, Run, SysResult, UserAddr, call};

use super::CloseOnExec;
use crate::task::Current;
use crate::vfs::{File, FileKind, OpenMode};

/// Sets or clears a status flag as the integer at `at` says.
fn set_flag(
    task: &Current,
    fd: Fd,
    file: &Arc<File>,
    flag: OpenMode,
    at: UserAddr,
) -> Result<(), Errno> {
    let on: i32 = task.mem().read(at.cast())?;
    let mut mode = file.mode();
    mode.set(flag, on != 0);
    file.set_status(mode);
    if flag == OpenMode::ASYNC {
        crate::vfs::sigio::update(task, file, fd);
    }
    Ok(())
}

/// Bytes from the position to the end.
fn left(file: &File) -> Result<i32, Errno> {
    let size = file.inode().attr()?.size;
    let left = size.saturating_sub(file.position()?);
    Ok(i32::try_from(left).unwrap_or(i32::MAX))
}

impl Run<Current> for call::Ioctl {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        let at = UserAddr::new(self.arg);
        let kind = file.inode().kind();
        let stored = matches!(kind, FileKind::Regular | FileKind::Directory);
        match self.request {
            FIOCLEX => task
                .fds
                .get()
                .set_close_on_exec(self.fd, CloseOnExec::Yes)?,
            FIONCLEX => task.fds.get().set_close_on_exec(self.fd, CloseOnExec::No)?,
            FIONBIO => set_flag(task, self.fd, &file, OpenMode::NONBLOCK, at)?,
            FIOASYNC => set_flag(task, self.fd, &file, OpenMode::ASYNC, at)?,
            FIOQSIZE if stored || kind == FileKind::Symlink => {
                let size = file.inode().attr()?.size;
                task.mem().write(at.cast(), &size)?;
            }
            FIOQSIZE => return Err(ENOTTY.into()),
            FIGETBSZ => {
                let size = file.inode().attr()?.blksize;
                task.mem().write(at.cast(), &size)?;
            }
            FIONREAD if kind == FileKind::Regular && file.ops.seekable() => {
                task.mem().write(at.cast(), &left(&file)?)?;
            }
            FICLONE | FICLONERANGE | FIDEDUPERANGE if kind == FileKind::Regular => {
                if !file.mode().writes() {
                    return Err(EBADF.into());
                }
                return Err(EOPNOTSUPP.into());
            }
            _ => return file.ops.ioctl(task, &file, self.request, self.arg),
        }
        Ok(0)
    }
}
