//! Data of opened files. `EBADF` if the handle was not opened for it.

use syscalls::Errno;
use syscalls::errno::EINVAL;
use zerocopy::IntoBytes;

use super::Client;
use crate::wire::request;
use crate::{Attr, FallocateMode, Fsync, Handle, Seek, Segment};

impl Client {
    /// Reads segments of the file into the memory file, in order, up to the first that
    /// comes short (end of file). Returns the bytes read, 0 to the sum of the lengths. An
    /// error after some bytes is not reported; reading on from there will.
    pub fn read_into(&self, handle: Handle, segments: &[Segment]) -> Result<u64, Errno> {
        check(segments)?;
        let request = request::ReadInto { handle };
        let answer = self.exchange.call(&request, &[segments.as_bytes()])?;
        Ok(answer.reply.bytes)
    }

    /// Writes segments of the memory file to the file, likewise.
    pub fn write_from(&self, handle: Handle, segments: &[Segment]) -> Result<u64, Errno> {
        check(segments)?;
        let request = request::WriteFrom { handle };
        let answer = self.exchange.call(&request, &[segments.as_bytes()])?;
        Ok(answer.reply.bytes)
    }

    /// Makes the host write the inode to its storage: fsync(2) or fdatasync(2).
    /// Needs no [`Self::open`].
    pub fn fsync(&self, handle: Handle, what: Fsync) -> Result<(), Errno> {
        let request = request::Fsync {
            handle,
            data_only: u32::from(what == Fsync::Data),
            pad: 0,
        };
        self.exchange.call(&request, &[]).map(|_| ())
    }

    /// Allocates, frees or moves blocks, fallocate(2); returns the attributes after.
    pub fn fallocate(
        &self,
        handle: Handle,
        mode: FallocateMode,
        offset: u64,
        len: u64,
    ) -> Result<Attr, Errno> {
        let request = request::Fallocate {
            handle,
            offset,
            len,
            mode: mode.bits(),
            pad: 0,
        };
        Ok(self.exchange.call(&request, &[])?.reply)
    }

    /// The first position of data or of a hole at or after `pos`; `ENXIO` at the end.
    pub fn seek(&self, handle: Handle, pos: u64, to: Seek) -> Result<u64, Errno> {
        let request = request::SeekTo {
            handle,
            pos,
            whence: match to {
                Seek::Data => 0,
                Seek::Hole => 1,
            },
            pad: 0,
        };
        Ok(self.exchange.call(&request, &[])?.reply.bytes)
    }
}

/// Refused here as well as in the server, so that a mistake shows where it is made.
fn check(segments: &[Segment]) -> Result<(), Errno> {
    let bytes = segments
        .iter()
        .try_fold(0u64, |sum, segment| sum.checked_add(segment.len));
    if segments.len() <= Client::MAX_SEGMENTS
        && bytes.is_some_and(|bytes| bytes <= Client::MAX_TRANSFER)
    {
        Ok(())
    } else {
        Err(EINVAL.why("transfer too large for one request"))
    }
}
