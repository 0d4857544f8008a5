//! An open host descriptor without positions: a pipe, a socket, a terminal, a device.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use platform::host;
use syscalls::errno::EAGAIN;
use syscalls::{Errno, SysResult, UserAddr};

use super::descriptor::{Descriptor, from_buffer, through_buffer};
use crate::task::Current;
use crate::vfs::{File, FileOps, Sink, Source};
use crate::wait::{Ready, WaitQueue};

/// Moved at once, at most, bytes.
pub(super) const CHUNK: usize = 64 * 1024;

pub(super) struct Stream(pub(super) Arc<Descriptor>);

impl FileOps for Stream {
    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        if self.0.ready(Ready::READABLE).is_empty() {
            return Err(EAGAIN);
        }
        through_buffer(dst, CHUNK, |buf| nix::unistd::read(self.0.fd(), buf))
    }

    fn write(&self, _: &File, src: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        if self.0.ready(Ready::WRITABLE).is_empty() {
            return Err(EAGAIN);
        }
        // A pipe that is ready takes PIPE_BUF bytes without making the writer sleep.
        let most = if self.0.is_watched() {
            crate::pipe::ATOMIC
        } else {
            CHUNK
        };
        from_buffer(src, most, |buf| nix::unistd::write(self.0.fd(), buf))
    }

    fn writes_whole(&self) -> bool {
        true
    }

    fn poll(&self) -> Ready {
        self.0.poll()
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(self.0.queue()))
    }

    fn ioctl(&self, task: &mut Current, _: &Arc<File>, command: u32, argument: u64) -> SysResult {
        super::ioctl::ioctl(self.0.fd(), task, command, UserAddr::new(argument))
    }

    fn sync(&self, _: &File, _: bool) -> Result<(), Errno> {
        nix::unistd::fsync(self.0.fd()).map_err(host::errno)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
