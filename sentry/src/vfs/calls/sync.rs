//! sync(2), fsync(2) and what programs say about their use of files.

use std::sync::Arc;

use syscalls::abi::fs::{Cachestat, POSIX_FADV_NOREUSE, SyncRangeFlags};
use syscalls::errno::{EBADF, EINVAL, EOPNOTSUPP, ESPIPE};
use syscalls::{Errno, Fd, PAGE_SIZE, Run, SysResult, call};

use crate::task::Current;
use crate::vfs::{File, FileKind, SuperBlock};

/// Every file system that the task can see, once.
fn super_blocks(task: &Current) -> Vec<Arc<SuperBlock>> {
    let mut found: Vec<Arc<SuperBlock>> = Vec::new();
    for mount in task.fs.with(|fs| fs.mounts.get()).list() {
        if !found.iter().any(|sb| Arc::ptr_eq(sb, &mount.super_block)) {
            found.push(mount.super_block.clone());
        }
    }
    found
}

fn fsync(task: &Current, fd: Fd, data_only: bool) -> SysResult {
    let file = task.file(fd)?;
    file.ops.sync(&file, data_only)?;
    Ok(0)
}

/// A file whose pages can be asked about.
fn stored(task: &Current, fd: Fd) -> Result<Arc<File>, Errno> {
    let file = task.file(fd)?;
    match file.inode().kind() {
        FileKind::Fifo | FileKind::Socket => Err(ESPIPE),
        _ => Ok(file),
    }
}

impl Run<Current> for call::Sync {
    fn run(self, task: &mut Current) -> SysResult {
        for super_block in super_blocks(task) {
            if let Err(error) = super_block.fs.sync() {
                log::warn!("sync of {}: {error}", super_block.fs.name());
            }
        }
        Ok(0)
    }
}

impl Run<Current> for call::Syncfs {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        file.location.mount.super_block.fs.sync()?;
        Ok(0)
    }
}

impl Run<Current> for call::Fsync {
    fn run(self, task: &mut Current) -> SysResult {
        fsync(task, self.fd, false)
    }
}

impl Run<Current> for call::Fdatasync {
    fn run(self, task: &mut Current) -> SysResult {
        fsync(task, self.fd, true)
    }
}

impl Run<Current> for call::SyncFileRange {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        let end = self.offset.checked_add(self.nbytes);
        let valid = self.offset >= 0 && self.nbytes >= 0 && end.is_some();
        if !valid || !SyncRangeFlags::all().contains(self.flags) {
            return Err(EINVAL.into());
        }
        match file.inode().kind() {
            FileKind::Regular => file.ops.sync(&file, true)?,
            FileKind::Directory | FileKind::BlockDevice | FileKind::Symlink => {}
            _ => return Err(ESPIPE.into()),
        }
        Ok(0)
    }
}

impl Run<Current> for call::Fadvise64 {
    fn run(self, task: &mut Current) -> SysResult {
        stored(task, self.fd)?;
        let known = (0..=POSIX_FADV_NOREUSE).contains(&self.advice);
        if !known || self.len < 0 {
            return Err(EINVAL.into());
        }
        // Caches follow what is read: advice changes nothing.
        Ok(0)
    }
}

impl Run<Current> for call::Readahead {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        if !file.mode().reads() {
            return Err(EBADF.into());
        }
        // Only what has a page cache: neither synthetic files nor those without a name.
        if file.inode().kind() != FileKind::Regular || file.ops.mappable(&file).is_err() {
            return Err(EINVAL.into());
        }
        Ok(0)
    }
}

impl Run<Current> for call::Cachestat {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        let range = task.mem().read(self.cstat_range)?;
        if self.flags != 0 {
            return Err(EINVAL.into());
        }
        let size = file.inode().attr()?.size;
        let pages = file.ops.mappable(&file).map_err(|_| EOPNOTSUPP)?;
        let end = match range.len {
            0 => size,
            len => range.off.saturating_add(len).min(size),
        };
        let mut stat = Cachestat::default();
        for index in range.off / PAGE_SIZE..end.div_ceil(PAGE_SIZE) {
            if pages.is_resident(index) {
                stat.cache += 1;
            }
        }
        task.mem().write(self.cstat, &stat)?;
        Ok(0)
    }
}
