//! Barriers on all threads at once, membarrier(2).

use std::sync::atomic::{Ordering, fence};

use syscalls::abi::sched::{
    MEMBARRIER_CMD_GET_REGISTRATIONS, MEMBARRIER_CMD_GLOBAL, MEMBARRIER_CMD_GLOBAL_EXPEDITED,
    MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
    MEMBARRIER_CMD_QUERY, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
};
use syscalls::errno::{EINVAL, EPERM};
use syscalls::{Run, SysResult, call};

use super::calls::number;
use super::{Current, Task, ThreadGroup};

/// What there is: all but those for restartable sequences.
const SERVED: i32 = MEMBARRIER_CMD_GLOBAL
    | MEMBARRIER_CMD_GLOBAL_EXPEDITED
    | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
    | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE
    | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
    | MEMBARRIER_CMD_GET_REGISTRATIONS;

impl Run<Current> for call::Membarrier {
    fn run(self, task: &mut Current) -> SysResult {
        if self.flags != 0 {
            return Err(EINVAL.into());
        }
        match self.cmd {
            MEMBARRIER_CMD_QUERY => number(SERVED),
            MEMBARRIER_CMD_GLOBAL => pass_all(task, |_| true),
            MEMBARRIER_CMD_GLOBAL_EXPEDITED => pass_all(task, |group| {
                let registered = group.barriers.load(Ordering::Relaxed);
                registered & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED != 0
            }),
            MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
            | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
            | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE => {
                task.group.barriers.fetch_or(self.cmd, Ordering::Relaxed);
                Ok(0)
            }
            MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE => {
                let registered = task.group.barriers.load(Ordering::Relaxed);
                // The registration's bit follows the command's.
                if registered & (self.cmd << 1) == 0 {
                    return Err(EPERM.into());
                }
                let threads = task.group.threads();
                threads.iter().for_each(|thread| pass(task, thread));
                Ok(0)
            }
            MEMBARRIER_CMD_GET_REGISTRATIONS => number(task.group.barriers.load(Ordering::Relaxed)),
            _ => Err(EINVAL.into()),
        }
    }
}

/// Returns once the threads of every process that is `wanted` have been through the kernel.
fn pass_all(task: &Current, wanted: impl Fn(&ThreadGroup) -> bool) -> SysResult {
    for group in task.kernel.pids.groups() {
        if wanted(&group) {
            let threads = group.threads();
            threads.iter().for_each(|thread| pass(task, thread));
        }
    }
    Ok(0)
}

/// Returns once `thread` has been through the kernel, which is a barrier on its processor.
fn pass(task: &Current, thread: &Task) {
    fence(Ordering::SeqCst);
    if std::ptr::eq(thread, std::ptr::from_ref::<Task>(task)) {
        return;
    }
    let Some(stretch) = thread.stretch() else {
        return;
    };
    thread.interrupt();
    // An interruption takes some microseconds.
    while thread.stretch() == Some(stretch) {
        std::thread::yield_now();
    }
}
