//! An open host file with positions.
//!
//! What the sandbox was started with keeps its position at the host, where processes outside
//! share it: reads and writes that use it go through the host's own read(2) and write(2).
//! A file that a guest opens again, through /proc/PID/fd, has a position of its own.

use std::any::Any;
use std::sync::Arc;

use nix::sys::stat::fstat;
use nix::sys::uio::{pread, pwrite};
use nix::unistd::{Whence, lseek};
use platform::host;
use syscalls::errno::{EINVAL, ENXIO};
use syscalls::{Errno, SysResult, UserAddr};

use super::descriptor::{Descriptor, from_buffer, through_buffer};
use super::file::CHUNK;
use crate::task::Current;
use crate::vfs::{File, FileOps, OutsidePosition, SeekFrom, Sink, Source};

pub(super) struct Stored {
    descriptor: Arc<Descriptor>,
    position: Position,
}

/// Whose the position is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// The host's.
    Outside,
    /// The open file's.
    Own,
}

fn signed(pos: u64) -> Result<i64, Errno> {
    i64::try_from(pos).map_err(|_| EINVAL)
}

impl Stored {
    pub(super) fn new(descriptor: Arc<Descriptor>, position: Position) -> Self {
        Stored {
            descriptor,
            position,
        }
    }

    fn size(&self) -> Result<u64, Errno> {
        let stat = fstat(self.descriptor.fd()).map_err(host::errno)?;
        Ok(u64::try_from(stat.st_size).unwrap_or(0))
    }

    fn seek_host(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let at = lseek(self.descriptor.fd(), offset, whence).map_err(host::errno)?;
        u64::try_from(at).map_err(|_| EINVAL)
    }
}

impl FileOps for Stored {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, pos: u64) -> Result<usize, Errno> {
        let pos = signed(pos)?;
        through_buffer(dst, CHUNK, |buf| pread(self.descriptor.fd(), buf, pos))
    }

    fn write(&self, _: &File, src: &mut Source<'_>, pos: u64) -> Result<usize, Errno> {
        let pos = signed(pos)?;
        from_buffer(src, CHUNK, |buf| pwrite(self.descriptor.fd(), buf, pos))
    }

    fn append(&self, _: &File, src: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        let end = self.size()?;
        let at = signed(end)?;
        let count = from_buffer(src, CHUNK, |buf| pwrite(self.descriptor.fd(), buf, at))?;
        Ok((count, end + count as u64))
    }

    fn writes_whole(&self) -> bool {
        true
    }

    fn seek(&self, _: &File, from: SeekFrom) -> Result<u64, Errno> {
        let size = self.size()?;
        match from {
            SeekFrom::Start(at) => Ok(at),
            SeekFrom::End(by) => size.checked_add_signed(by).ok_or(EINVAL),
            // Where the host has holes is not worth asking: all of it is data.
            SeekFrom::Data(at) | SeekFrom::Hole(at) if at >= size => Err(ENXIO),
            SeekFrom::Data(at) => Ok(at),
            SeekFrom::Hole(_) => Ok(size),
        }
    }

    fn outside_position(&self) -> Option<&dyn OutsidePosition> {
        (self.position == Position::Outside).then_some(self)
    }

    fn ioctl(&self, task: &mut Current, _: &Arc<File>, command: u32, argument: u64) -> SysResult {
        super::ioctl::ioctl(self.descriptor.fd(), task, command, UserAddr::new(argument))
    }

    fn sync(&self, _: &File, _: bool) -> Result<(), Errno> {
        nix::unistd::fsync(self.descriptor.fd()).map_err(host::errno)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl OutsidePosition for Stored {
    fn read(&self, dst: &mut Sink<'_>) -> Result<usize, Errno> {
        through_buffer(dst, CHUNK, |buf| {
            nix::unistd::read(self.descriptor.fd(), buf)
        })
    }

    fn write(&self, src: &mut Source<'_>) -> Result<usize, Errno> {
        from_buffer(src, CHUNK, |buf| {
            nix::unistd::write(self.descriptor.fd(), buf)
        })
    }

    fn get(&self) -> Result<u64, Errno> {
        self.seek_host(0, Whence::SeekCur)
    }

    fn set(&self, position: u64) -> Result<(), Errno> {
        self.seek_host(signed(position)?, Whence::SeekSet)?;
        Ok(())
    }
}
