//! An open host descriptor.

use std::any::Any;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use platform::host;
use syscalls::errno::{EAGAIN, EINVAL};
use syscalls::{Errno, SysResult, UserAddr};

use super::Watcher;
use crate::task::Current;
use crate::vfs::{File, FileOps, Sink, Source};
use crate::wait::{Ready, WaitQueue};

/// Moved at once, at most, bytes.
const CHUNK: usize = 64 * 1024;

pub(super) struct HostFile {
    fd: Arc<OwnedFd>,
    /// `None` for files that are always ready.
    watcher: Option<Watcher>,
    queue: WaitQueue,
}

impl HostFile {
    pub(super) fn new(fd: Arc<OwnedFd>, watcher: &Watcher, waits: bool) -> Result<Self, Errno> {
        let queue = WaitQueue::new();
        // Some devices (/dev/null) are always ready and refuse to be watched.
        let watched = waits && watcher.add(&*fd, &queue).is_ok();
        Ok(HostFile {
            fd,
            watcher: watched.then(|| watcher.clone()),
            queue,
        })
    }

    /// What of `mask` the descriptor is ready for; if nothing, the watcher will tell.
    fn ready(&self, mask: Ready) -> Ready {
        let Some(watcher) = &self.watcher else {
            return mask & (Ready::READABLE | Ready::WRITABLE);
        };
        let now = self.ask(mask);
        if now.is_empty() {
            watcher.arm(&*self.fd, mask);
        }
        now
    }

    fn ask(&self, mask: Ready) -> Ready {
        let bits = i16::try_from(mask.bits()).unwrap_or(0);
        let mut fds = [PollFd::new(
            self.fd.as_fd(),
            PollFlags::from_bits_truncate(bits),
        )];
        match poll(&mut fds, PollTimeout::ZERO) {
            Ok(_) => {
                let [fd] = &fds;
                let found = fd.revents().unwrap_or(PollFlags::empty()).bits();
                Ready::from_bits_truncate(u32::try_from(found).unwrap_or(0))
            }
            Err(_) => Ready::ERR,
        }
    }
}

impl Drop for HostFile {
    fn drop(&mut self) {
        if let Some(watcher) = &self.watcher {
            watcher.remove(&*self.fd);
        }
    }
}

impl FileOps for HostFile {
    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        if self.ready(Ready::READABLE).is_empty() {
            return Err(EAGAIN);
        }
        let mut buf = vec![0; dst.remaining().min(CHUNK)];
        let count = nix::unistd::read(&*self.fd, &mut buf).map_err(host::errno)?;
        dst.write(buf.get(..count).ok_or(EINVAL)?)
    }

    fn write(&self, _: &File, src: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        if self.ready(Ready::WRITABLE).is_empty() {
            return Err(EAGAIN);
        }
        // A pipe that is ready takes PIPE_BUF bytes without making the writer sleep.
        let most = if self.watcher.is_some() {
            crate::pipe::ATOMIC
        } else {
            CHUNK
        };
        let mut buf = vec![0; src.remaining().min(most)];
        let mut ahead = src.clone();
        let count = ahead.read(&mut buf)?;
        let written =
            nix::unistd::write(&*self.fd, buf.get(..count).ok_or(EINVAL)?).map_err(host::errno)?;
        src.skip(written);
        Ok(written)
    }

    fn writes_whole(&self) -> bool {
        true
    }

    fn poll(&self) -> Ready {
        let mask = Ready::READABLE | Ready::WRITABLE | Ready::PRI;
        let Some(watcher) = &self.watcher else {
            return self.ready(mask);
        };
        let now = self.ask(mask);
        // Who asks may wait for just what is missing: a terminal can nearly always be
        // written, and is waited for to be read.
        let missing = mask - now;
        if !missing.is_empty() {
            watcher.arm(&*self.fd, missing);
        }
        now
    }

    fn wait_queue(&self) -> Option<&WaitQueue> {
        Some(&self.queue)
    }

    fn ioctl(&self, task: &mut Current, _: &Arc<File>, command: u32, argument: u64) -> SysResult {
        super::ioctl::ioctl(&self.fd, task, command, UserAddr::new(argument))
    }

    fn sync(&self, _: &File, _: bool) -> Result<(), Errno> {
        nix::unistd::fsync(&*self.fd).map_err(host::errno)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
