//! What timers need of tasks: processor time, and a way to send signals.

use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::abi::signal::Siginfo;

use crate::kernel::Kernel;
use crate::task::ThreadGroup;

/// Sends `info` to a process, if it still exists.
pub(super) fn signal(
    kernel: &Weak<Kernel>,
    group: &Weak<ThreadGroup>,
    info: &Siginfo,
) -> Result<(), Errno> {
    match (kernel.upgrade(), group.upgrade()) {
        (Some(_), Some(group)) => {
            log::warn!(
                "process {}: signal {} of a timer is not sent yet",
                group.pid,
                info.signo
            );
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Weak references to a task's kernel and process.
pub(super) fn weak(task: &crate::task::Task) -> (Weak<Kernel>, Weak<ThreadGroup>) {
    (Arc::downgrade(&task.kernel), Arc::downgrade(&task.group))
}

/// Processor time of a process, nanoseconds: in application code, and in all.
pub(super) fn process(_group: &ThreadGroup) -> (u64, u64) {
    (0, 0)
}

/// Processor time of a thread, nanoseconds.
pub(super) fn thread(_task: &crate::task::Task) -> u64 {
    0
}

/// Sends `info` to one thread.
pub(super) fn signal_thread(task: &crate::task::Task, info: &Siginfo) -> Result<(), Errno> {
    signal(
        &Arc::downgrade(&task.kernel),
        &Arc::downgrade(&task.group),
        info,
    )
}
