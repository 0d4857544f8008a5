//! A host descriptor and who waits for it.

use std::os::fd::{AsFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use syscalls::Errno;

use super::Watcher;
use crate::wait::{Ready, WaitQueue};

/// Shared by all open files of it; closed with the last.
pub(super) struct Descriptor {
    fd: OwnedFd,
    /// `None` for files that are always ready.
    watcher: Option<Watcher>,
    queue: WaitQueue,
}

/// Whether a file has to be asked if it is ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// What is stored is always there.
    Never,
    /// All else.
    Maybe,
}

impl Descriptor {
    pub(super) fn new(fd: OwnedFd, watcher: &Watcher, waits: Waits) -> Self {
        let queue = WaitQueue::new();
        // Some devices (/dev/null) are always ready and refuse to be watched.
        let watched = waits == Waits::Maybe && watcher.add(&fd, &queue).is_ok();
        Descriptor {
            fd,
            watcher: watched.then(|| watcher.clone()),
            queue,
        }
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    pub(super) fn queue(&self) -> &WaitQueue {
        &self.queue
    }

    /// True if a read or write may have to wait.
    pub(super) fn is_watched(&self) -> bool {
        self.watcher.is_some()
    }

    /// What of `mask` the descriptor is ready for; if nothing, the watcher will tell.
    pub(super) fn ready(&self, mask: Ready) -> Ready {
        let Some(watcher) = &self.watcher else {
            return mask & (Ready::READABLE | Ready::WRITABLE);
        };
        let now = self.ask(mask);
        if now.is_empty() {
            watcher.arm(&self.fd, mask);
        }
        now
    }

    /// What poll(2) tells.
    pub(super) fn poll(&self) -> Ready {
        let mask = Ready::READABLE | Ready::WRITABLE | Ready::PRI;
        let Some(watcher) = &self.watcher else {
            return self.ready(mask);
        };
        let now = self.ask(mask);
        // Who asks may wait for just what is missing: a terminal can nearly always be
        // written, and is waited for to be read.
        let missing = mask - now;
        if !missing.is_empty() {
            watcher.arm(&self.fd, missing);
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

impl Drop for Descriptor {
    fn drop(&mut self) {
        if let Some(watcher) = &self.watcher {
            watcher.remove(&self.fd);
        }
    }
}

/// Reads up to `len` bytes by `read` and gives them to `dst`.
pub(super) fn through_buffer(
    dst: &mut crate::vfs::Sink<'_>,
    len: usize,
    read: impl FnOnce(&mut [u8]) -> nix::Result<usize>,
) -> Result<usize, Errno> {
    let mut buf = vec![0; dst.remaining().min(len)];
    let count = read(&mut buf).map_err(platform::host::errno)?;
    dst.write(buf.get(..count).unwrap_or_default())
}

/// Writes up to `len` bytes of `src` by `write`.
pub(super) fn from_buffer(
    src: &mut crate::vfs::Source<'_>,
    len: usize,
    write: impl FnOnce(&[u8]) -> nix::Result<usize>,
) -> Result<usize, Errno> {
    let mut buf = vec![0; src.remaining().min(len)];
    let mut ahead = src.clone();
    let count = ahead.read(&mut buf)?;
    let written = write(buf.get(..count).unwrap_or_default()).map_err(platform::host::errno)?;
    src.skip(written);
    Ok(written)
}
