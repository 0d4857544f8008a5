//! Signals that file operations send.

use syscalls::Fd;

use super::File;
use crate::signal::Signal;
use crate::task::Current;
use crate::wait::Ready;

/// Sends `signal` to the calling thread, as the kernel.
pub(super) fn signal(task: &Current, signal: Signal) {
    log::warn!("signal {signal:?} for thread {} is lost", task.tid());
}

/// Sends SIGIO, or what F_SETSIG chose, to the owner of `file`.
pub(super) fn io(file: &File, fd: Fd, ready: Ready) {
    let owner = *file.owner.lock();
    log::warn!(
        "signal of descriptor {} ({ready:?}) for {} is lost",
        fd.0,
        owner.id
    );
}
