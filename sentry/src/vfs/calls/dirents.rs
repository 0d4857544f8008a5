//! getdents64(2).

use std::ops::ControlFlow;

use syscalls::abi::fs::{DIRENT_NAME, DIRENT64_NAME};
use syscalls::errno::{EBADF, EINVAL, ENOENT, ENOTDIR};
use syscalls::{Errno, Fd, Run, SysResult, UserPtr, call};

use crate::task::Current;
use crate::vfs::DirEntry;
use crate::vfs::notify::{self, Event};

/// The layout of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `struct linux_dirent`.
    Old,
    /// `struct linux_dirent64`.
    Wide,
}

/// A buffer larger than this is filled by several calls, as the program must expect.
const MAX_BUFFER: usize = 1 << 18;

impl Layout {
    fn record_size(self, name: usize) -> usize {
        let bytes = match self {
            Layout::Old => DIRENT_NAME + name + 2,
            Layout::Wide => DIRENT64_NAME + name + 1,
        };
        bytes.next_multiple_of(8)
    }

    /// Appends a record if it fits in `room` bytes.
    fn put(self, out: &mut Vec<u8>, entry: &DirEntry<'_>, room: usize) -> bool {
        let size = self.record_size(entry.name.len());
        let Ok(length) = u16::try_from(size) else {
            return false;
        };
        let end = out.len() + size;
        if end > room {
            return false;
        }
        out.extend_from_slice(&entry.ino.to_ne_bytes());
        out.extend_from_slice(&entry.next.to_ne_bytes());
        out.extend_from_slice(&length.to_ne_bytes());
        match self {
            Layout::Wide => {
                out.push(entry.kind.d_type());
                out.extend_from_slice(entry.name);
                out.resize(end, 0);
            }
            Layout::Old => {
                out.extend_from_slice(entry.name);
                out.resize(end - 1, 0);
                out.push(entry.kind.d_type());
            }
        }
        true
    }
}

fn list(task: &Current, layout: Layout, fd: Fd, to: UserPtr<u8>, count: u32) -> Result<u64, Errno> {
    let file = task.file(fd)?;
    if !file.location.dentry.is_dir() {
        return Err(ENOTDIR);
    }
    if !file.mode().reads() {
        return Err(EBADF);
    }
    if file.location.dentry.is_deleted() {
        return Err(ENOENT);
    }
    let room = usize::try_from(count).map_err(|_| EINVAL)?.min(MAX_BUFFER);
    let mut out = Vec::with_capacity(room.min(32 << 10));
    let mut full = false;
    {
        let mut position = file.offset.lock();
        let next = file.ops.read_dir(&file, *position, &mut |entry| {
            if layout.put(&mut out, &entry, room) {
                ControlFlow::Continue(())
            } else {
                full = true;
                ControlFlow::Break(())
            }
        })?;
        if out.is_empty() && full {
            return Err(EINVAL);
        }
        task.mem().write_bytes(to.addr(), &out)?;
        *position = next;
    }
    notify::event(Event::Access, &file.location);
    Ok(out.len() as u64)
}

impl Run<Current> for call::Getdents {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(list(task, Layout::Old, self.fd, self.dirp, self.count)?)
    }
}

impl Run<Current> for call::Getdents64 {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(list(task, Layout::Wide, self.fd, self.dirp, self.count)?)
    }
}
