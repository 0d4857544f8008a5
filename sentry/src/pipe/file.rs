//! An open end.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use syscalls::errno::{EBADF, ENOTTY};
use syscalls::{Errno, SysResult, UserAddr};

use super::{End, Framing, Peers, Pipe};
use crate::task::Current;
use crate::vfs::{File, FileOps, OpenMode, Sink, Source};
use crate::wait::{Ready, WaitQueue};

/// ioctl: bytes to read.
const FIONREAD: u32 = 0x541b;

/// One end of a pipe.
pub struct PipeEnd {
    pipe: Arc<Pipe>,
    end: End,
}

impl PipeEnd {
    /// Opens an end of `pipe`; dropping it closes that end.
    #[must_use]
    pub fn new(pipe: Arc<Pipe>, end: End) -> Self {
        Self::meeting(pipe, end).0
    }

    /// The same, and whom it met.
    pub(super) fn meeting(pipe: Arc<Pipe>, end: End) -> (Self, Peers) {
        let met = pipe.open(end);
        (PipeEnd { pipe, end }, met)
    }

    /// The pipe.
    #[must_use]
    pub fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.pipe.close(self.end);
    }
}

impl FileOps for PipeEnd {
    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        if self.end.reads() {
            self.pipe.read(dst)
        } else {
            Err(EBADF)
        }
    }

    fn write(&self, file: &File, src: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        if !self.end.writes() {
            return Err(EBADF);
        }
        let packets = file.mode().contains(OpenMode::DIRECT);
        self.pipe.write(
            src,
            if packets {
                Framing::Packets
            } else {
                Framing::Stream
            },
        )
    }

    fn writes_whole(&self) -> bool {
        true
    }

    fn poll(&self) -> Ready {
        self.pipe.poll(self.end)
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(&self.pipe.queue))
    }

    fn ioctl(&self, task: &mut Current, _: &Arc<File>, command: u32, argument: u64) -> SysResult {
        match command {
            FIONREAD => {
                let count = u32::try_from(self.pipe.len()).unwrap_or(u32::MAX);
                task.mem().write(UserAddr::new(argument).cast(), &count)?;
                Ok(0)
            }
            _ => Err(ENOTTY.into()),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
