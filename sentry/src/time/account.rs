//! What timers need of tasks: processor time, and a way to send signals.

use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::abi::signal::Siginfo;

use crate::kernel::Kernel;
use crate::signal::Source;
use crate::task::{Task, ThreadGroup};

/// Sends `info` to a process, if it still exists.
pub(super) fn signal(
    kernel: &Weak<Kernel>,
    group: &Weak<ThreadGroup>,
    info: &Siginfo,
) -> Result<(), Errno> {
    match (kernel.upgrade(), group.upgrade()) {
        (Some(kernel), Some(group)) => kernel.signal_process(&group, info, Source::Inside),
        _ => Ok(()),
    }
}

/// Weak references to a task's kernel and process.
pub(super) fn weak(task: &Task) -> (Weak<Kernel>, Weak<ThreadGroup>) {
    (Arc::downgrade(&task.kernel), Arc::downgrade(&task.group))
}

/// Processor time of a process, nanoseconds: in application code, and in all.
pub(super) fn process(group: &ThreadGroup) -> (u64, u64) {
    let usage = group.usage();
    (usage.user_ns, usage.user_ns.saturating_add(usage.system_ns))
}

/// Processor time of a thread, nanoseconds.
pub(super) fn thread(task: &Task) -> u64 {
    let usage = task.usage();
    usage.user_ns.saturating_add(usage.system_ns)
}

/// Sends `info` to one thread.
pub(super) fn signal_thread(task: &Arc<Task>, info: &Siginfo) -> Result<(), Errno> {
    task.kernel.signal_task(task, info)
}
