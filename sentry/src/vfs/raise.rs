//! Signals that file operations send to their caller.

use crate::signal::Signal;
use crate::task::Current;

/// Sends `signal` to the calling thread, as the kernel.
pub(super) fn signal(task: &Current, signal: Signal) {
    log::warn!("signal {signal:?} for thread {} is lost", task.tid());
}
