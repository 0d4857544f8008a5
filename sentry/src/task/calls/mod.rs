//! What a task asks and sets about itself: its numbers, and by subject in the modules
//! below.

mod arch;
mod caps;
mod ids;
mod limits;
mod prctl;
mod priority;
mod sched;

use std::sync::atomic::Ordering;

use syscalls::{Run, SysResult, call};

use super::Current;
pub(crate) use sched::DEFAULT_SLICE;

/// A number as a result.
pub(super) fn number(value: i32) -> SysResult {
    Ok(u64::from(value.cast_unsigned()))
}

impl Run<Current> for call::Getpid {
    fn run(self, task: &mut Current) -> SysResult {
        number(task.own_pid())
    }
}

impl Run<Current> for call::Gettid {
    fn run(self, task: &mut Current) -> SysResult {
        number(task.own_tid())
    }
}

impl Run<Current> for call::Getppid {
    fn run(self, task: &mut Current) -> SysResult {
        number(task.number_of(task.group.parent_pid()))
    }
}

impl Run<Current> for call::SetTidAddress {
    fn run(self, task: &mut Current) -> SysResult {
        let addr = self.tidptr.addr().get();
        task.clear_child_tid.store(addr, Ordering::Relaxed);
        number(task.own_tid())
    }
}
