//! A host descriptor and who waits for it.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use syscalls::Errno;

use super::Watcher;
use super::watcher::{ALL, Watch};
use crate::wait::{Ready, WaitQueue};

/// Shared by all open files of it; closed with the last.
pub(crate) struct Descriptor {
    /// `None` for files that are always ready.
    watch: Option<Watch>,
    fd: Arc<OwnedFd>,
    queue: WaitQueue,
}

/// Whether a file has to be asked if it is ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// What is stored is always there.
    Never,
    /// All else.
    Maybe,
    /// A socket can always be watched.
    Surely,
}

impl Descriptor {
    pub(crate) fn new(fd: OwnedFd, watcher: &Watcher, waits: Waits) -> Self {
        let (fd, queue) = (Arc::new(fd), WaitQueue::new());
        // Some devices (/dev/null) are always ready and refuse to be watched.
        let watch = match waits {
            Waits::Never => None,
            Waits::Maybe => watcher.add(&fd, &queue).ok(),
            Waits::Surely => Some(watcher.place(&fd, &queue)),
        };
        Descriptor { watch, fd, queue }
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    pub(crate) fn queue(&self) -> &WaitQueue {
        &self.queue
    }

    /// True if a read or write may have to wait.
    pub(super) fn is_watched(&self) -> bool {
        self.watch.is_some()
    }

    /// What of `mask` the descriptor is ready for; if nothing, the watcher will tell.
    pub(crate) fn ready(&self, mask: Ready) -> Ready {
        if self.watch.is_none() {
            return mask & (Ready::READABLE | Ready::WRITABLE);
        }
        let now = self.ask(mask);
        if now.is_empty() {
            self.missed(mask);
        }
        now
    }

    /// The host had nothing of `mask`: the watcher tells when it has, whoever waits by then.
    pub(crate) fn missed(&self, mask: Ready) {
        if let Some(watch) = &self.watch {
            watch.arm(mask);
        }
    }

    /// Some of what `mask` tells of was taken. Who waits for more is told of it, though it may
    /// have been told before of what is left.
    pub(crate) fn used(&self, mask: Ready) {
        if self.queue.has_waiters() {
            self.missed(mask);
        }
    }

    /// What poll(2) tells.
    pub(crate) fn poll(&self) -> Ready {
        if self.watch.is_none() {
            return Ready::READABLE | Ready::WRITABLE;
        }
        let now = self.ask(ALL);
        // Who asks may wait for just what is missing: a terminal can nearly always be
        // written, and is waited for to be read.
        if self.queue.has_waiters() {
            self.missed(ALL - now);
        }
        now
    }

    fn ask(&self, mask: Ready) -> Ready {
        let bits = i16::try_from(mask.bits()).unwrap_or(0);
        match platform::host::socket::ready(&self.fd, bits) {
            Ok(found) => Ready::from_bits_truncate(u32::try_from(found).unwrap_or(0)),
            Err(_) => Ready::ERR,
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
