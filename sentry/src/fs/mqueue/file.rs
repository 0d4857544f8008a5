//! An open queue.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::EINVAL;

use super::dir::QueueInode;
use super::queue::Queue;
use crate::vfs::locks::LockOwner;
use crate::vfs::{File, FileOps, SeekFrom, Sink};
use crate::wait::{Ready, WaitQueue};

pub(super) struct QueueFile(pub(super) Arc<QueueInode>);

impl QueueFile {
    pub(super) fn queue(&self) -> &Queue {
        &self.0.behaviour
    }
}

impl FileOps for QueueFile {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, pos: u64) -> Result<usize, Errno> {
        let text = self.queue().text();
        let from = usize::try_from(pos).unwrap_or(usize::MAX);
        match text.as_bytes().get(from..) {
            Some(rest) if !rest.is_empty() => dst.write(rest),
            _ => Ok(0),
        }
    }

    fn seek(&self, _: &File, from: SeekFrom) -> Result<u64, Errno> {
        match from {
            SeekFrom::Start(pos) => Ok(pos),
            _ => Err(EINVAL),
        }
    }

    fn poll(&self) -> Ready {
        self.queue().ready()
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(&self.queue().waiters))
    }

    fn flush(&self, _: &File, by: LockOwner) -> Result<(), Errno> {
        self.queue().end_notification(by);
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
