//! Freezing: the tasks of a group stand still before they run application code again, and
//! neither they nor their parents notice. Unlike a stop, only the end of a process gets
//! past it. A container is paused by freezing its own group.

use std::sync::atomic::Ordering;

use syscalls::Stop;
use syscalls::errno::EAGAIN;

use super::Group;
use crate::kernel::Kernel;
use crate::task::{Current, Task};

impl Group {
    /// What `cgroup.freeze` says.
    pub fn is_to_be_frozen(&self) -> bool {
        self.frozen.load(Ordering::SeqCst)
    }

    /// True if it or a group that it is in is to be frozen.
    pub fn is_held(&self) -> bool {
        self.is_to_be_frozen() || self.parent().is_some_and(|parent| parent.is_held())
    }
}

impl Kernel {
    /// Freezes `group` and all below, or lets it go on as far as its parents do.
    pub(crate) fn set_frozen(&self, group: &Group, frozen: bool) {
        // A task that is just being made is kicked with its maker, which then starts over.
        let tree = self.pids.lock();
        if group.frozen.swap(frozen, Ordering::SeqCst) == frozen {
            return;
        }
        for task in tree.tasks() {
            if self.cgroup_of(&task.group).is_within(group) {
                task.kick();
            }
        }
    }

    /// True once all tasks in `group` and below stand still.
    pub(crate) fn is_frozen(&self, group: &Group) -> bool {
        group.is_held() && self.each_task_within(group, Task::is_frozen)
    }

    /// True if no task in `group` and below runs application code. Those that do leave it
    /// soon after the group was frozen; those that sleep in the kernel need not wake.
    pub(crate) fn is_still(&self, group: &Group) -> bool {
        self.each_task_within(group, Task::is_in_kernel)
    }

    fn each_task_within(&self, group: &Group, holds: fn(&Task) -> bool) -> bool {
        let processes = self.processes_within(group);
        processes
            .iter()
            .all(|process| process.threads().iter().all(|task| holds(task)))
    }
}

impl Task {
    /// True if its process's group is to be frozen.
    pub(crate) fn is_held(&self) -> bool {
        let group = self.group.cgroup();
        group.as_ref().unwrap_or(&self.kernel.cgroup).is_held()
    }
}

impl Current {
    /// Stands still while the process's group is frozen.
    pub(crate) fn obey_freeze(&self) {
        let frozen = || self.is_held() && !self.must_exit();
        while frozen() {
            self.set_frozen(true);
            // Kicks without a reason to go on find it frozen again.
            self.take_work();
            let thawed = || {
                if frozen() {
                    Err(Stop::from(EAGAIN))
                } else {
                    Ok(())
                }
            };
            let _ = self.block_on_with(None, |_| Vec::new(), thawed);
            // What came meanwhile is still to be looked at.
            self.mark_work();
        }
        self.set_frozen(false);
    }
}
