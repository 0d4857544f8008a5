//! read(2), write(2) and their kin.

use std::sync::Arc;

use syscalls::abi::fs::{IOV_MAX, IoVec, RW_MAX, RwFlags};
use syscalls::errno::{EBADF, EFAULT, EINVAL};
use syscalls::{Errno, Fd, Run, SysResult, UserAddr, UserPtr, call};

use crate::mm::Mm;
use crate::task::{Current, Task};
use crate::vfs::File;
use crate::vfs::io::Segment;
use crate::vfs::transfer::{At, check_position};

/// The first address that no application can use.
const USER_END: u64 = 0x7fff_ffff_f000;

impl Task {
    /// The file behind a descriptor; `EBADF` also for O_PATH ones.
    pub fn file(&self, fd: Fd) -> Result<Arc<File>, Errno> {
        self.fds.with(|fds| fds.get(fd))
    }

    /// As [`Self::file`], O_PATH descriptors too.
    pub fn any_file(&self, fd: Fd) -> Result<Arc<File>, Errno> {
        self.fds.with(|fds| fds.get_any(fd))
    }
}

/// A buffer as Linux accepts it: `EFAULT` for one that reaches beyond the user's
/// addresses, an empty one too; cut to what one call transfers.
pub(crate) fn segment(addr: UserAddr, len: usize, left: usize) -> Result<Segment, Errno> {
    let end = addr.add(len as u64)?;
    if end.get() > USER_END {
        return Err(EFAULT);
    }
    let len = len.min(left);
    Ok(Segment { addr, len })
}

/// The buffers of a vectored call; `EINVAL`, `EFAULT`.
pub(crate) fn segments(mm: &Mm, iov: UserPtr<IoVec>, count: usize) -> Result<Vec<Segment>, Errno> {
    if count > IOV_MAX {
        return Err(EINVAL);
    }
    let mut left = RW_MAX;
    let vectors = mm.read_slice(iov, count)?;
    vectors
        .iter()
        .map(|vector| {
            let len = usize::try_from(vector.len).map_err(|_| EINVAL)?;
            isize::try_from(len).map_err(|_| EINVAL)?;
            let segment = segment(vector.base, len, left)?;
            left -= segment.len;
            Ok(segment)
        })
        .collect()
}

/// A position argument of preadv2(2): -1 means the file's own.
fn position(offset: i64) -> Result<At, Errno> {
    if offset == -1 {
        Ok(At::Position)
    } else {
        At::offset(offset)
    }
}

/// Which way data goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Read,
    Write,
}

/// What Linux looks at before it looks at buffers: `ESPIPE`, `EBADF`.
fn check(file: &Arc<File>, way: Way, at: At) -> Result<(), Errno> {
    check_position(file, at)?;
    let open = match way {
        Way::Read => file.mode().reads(),
        Way::Write => file.mode().writes(),
    };
    if open { Ok(()) } else { Err(EBADF) }
}

fn single(task: &Current, way: Way, fd: Fd, buf: UserPtr<u8>, count: usize, at: At) -> SysResult {
    let file = task.file(fd)?;
    check(&file, way, at)?;
    let buffers = [segment(buf.addr(), count, RW_MAX)?];
    transfer(task, way, &file, &buffers, at, RwFlags::empty())
}

fn vectored(
    task: &Current,
    way: Way,
    fd: Fd,
    iov: (UserPtr<IoVec>, usize),
    at: At,
    flags: RwFlags,
) -> SysResult {
    let file = task.file(fd)?;
    check(&file, way, at)?;
    let buffers = segments(task.mem(), iov.0, iov.1)?;
    if flags.is_empty() && buffers.iter().all(|buffer| buffer.len == 0) {
        return Ok(0);
    }
    transfer(task, way, &file, &buffers, at, flags)
}

fn transfer(
    task: &Current,
    way: Way,
    file: &Arc<File>,
    buffers: &[Segment],
    at: At,
    flags: RwFlags,
) -> SysResult {
    match way {
        Way::Read => task.read_file(file, buffers, at, flags),
        Way::Write => task.write_file(file, buffers, at, flags),
    }
}

impl Run<Current> for call::Read {
    fn run(self, task: &mut Current) -> SysResult {
        single(task, Way::Read, self.fd, self.buf, self.count, At::Position)
    }
}

impl Run<Current> for call::Write {
    fn run(self, task: &mut Current) -> SysResult {
        single(
            task,
            Way::Write,
            self.fd,
            self.buf,
            self.count,
            At::Position,
        )
    }
}

impl Run<Current> for call::Pread64 {
    fn run(self, task: &mut Current) -> SysResult {
        let at = At::offset(self.offset)?;
        single(task, Way::Read, self.fd, self.buf, self.count, at)
    }
}

impl Run<Current> for call::Pwrite64 {
    fn run(self, task: &mut Current) -> SysResult {
        let at = At::offset(self.offset)?;
        single(task, Way::Write, self.fd, self.buf, self.count, at)
    }
}

impl Run<Current> for call::Readv {
    fn run(self, task: &mut Current) -> SysResult {
        let iov = (self.iov, self.iovcnt);
        vectored(
            task,
            Way::Read,
            self.fd,
            iov,
            At::Position,
            RwFlags::empty(),
        )
    }
}

impl Run<Current> for call::Writev {
    fn run(self, task: &mut Current) -> SysResult {
        let iov = (self.iov, self.iovcnt);
        vectored(
            task,
            Way::Write,
            self.fd,
            iov,
            At::Position,
            RwFlags::empty(),
        )
    }
}

impl Run<Current> for call::Preadv {
    fn run(self, task: &mut Current) -> SysResult {
        let (iov, at) = ((self.iov, self.iovcnt), At::offset(self.offset)?);
        vectored(task, Way::Read, self.fd, iov, at, RwFlags::empty())
    }
}

impl Run<Current> for call::Pwritev {
    fn run(self, task: &mut Current) -> SysResult {
        let (iov, at) = ((self.iov, self.iovcnt), At::offset(self.offset)?);
        vectored(task, Way::Write, self.fd, iov, at, RwFlags::empty())
    }
}

impl Run<Current> for call::Preadv2 {
    fn run(self, task: &mut Current) -> SysResult {
        let (iov, at) = ((self.iov, self.iovcnt), position(self.offset)?);
        vectored(task, Way::Read, self.fd, iov, at, self.flags)
    }
}

impl Run<Current> for call::Pwritev2 {
    fn run(self, task: &mut Current) -> SysResult {
        let (iov, at) = ((self.iov, self.iovcnt), position(self.offset)?);
        vectored(task, Way::Write, self.fd, iov, at, self.flags)
    }
}
