//! Who is in a group. That stands with the processes and changes under the lock of the
//! table of tasks, so that no new task slips past a limit.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::Errno;
use syscalls::errno::{EAGAIN, EBUSY, ENOENT, ESRCH};

use super::{Group, MAX};
use crate::kernel::Kernel;
use crate::signal::Signal;
use crate::task::{ExitStatus, Pid, Task, ThreadGroup, Tree, Usage};
use crate::vfs::{FileName, Mount};

impl Kernel {
    /// The group that a process is in.
    pub fn cgroup_of(&self, process: &ThreadGroup) -> Arc<Group> {
        process.cgroup().unwrap_or_else(|| self.cgroup.clone())
    }

    /// The internal tmpfs for files without a name of the container that a group is in.
    pub(crate) fn shared_memory_of(&self, group: &Arc<Group>) -> Arc<Mount> {
        match &group.container().memory {
            Some(own) => {
                let make = || self.unnamed_files(&own.file);
                own.unnamed_files.get_or_init(make).clone()
            }
            None => self.shared_memory(),
        }
    }

    /// Moves process `pid` into `group`; `ESRCH` if there is none, `ENOENT` if the group
    /// was removed.
    pub(crate) fn move_to_cgroup(&self, pid: Pid, group: &Arc<Group>) -> Result<(), Errno> {
        let tree = self.pids.lock();
        if !group.is_alive() {
            return Err(ENOENT);
        }
        let process = tree.task(pid).ok_or(ESRCH)?.group.clone();
        process.set_cgroup((!group.is_root()).then(|| group.clone()));
        // It may have to freeze now, or to go on.
        for thread in process.threads() {
            thread.kick();
        }
        Ok(())
    }

    /// Removes the child `name` of `group`; `EBUSY` unless it is empty.
    pub(crate) fn remove_cgroup(&self, group: &Group, name: &FileName) -> Result<(), Errno> {
        let tree = self.pids.lock();
        let child = group.child(name).ok_or(ENOENT)?;
        if self.cgroup_processes(&tree, &child).next().is_some() {
            return Err(EBUSY);
        }
        group.take_away(name)
    }

    /// Removes a child of `parent` with all that is in it; see [`Self::remove_cgroup`].
    pub(crate) fn remove_cgroup_tree(&self, parent: &Group, group: &Group) -> Result<(), Errno> {
        for (_, child) in group.children() {
            self.remove_cgroup_tree(group, &child)?;
        }
        let place = group.place.as_ref().ok_or(EBUSY)?;
        self.remove_cgroup(parent, &place.name)
    }

    /// The processes in `group` itself that have not ended, by rising number.
    fn cgroup_processes<'a>(
        &self,
        tree: &'a Tree,
        group: &Group,
    ) -> impl Iterator<Item = &'a Arc<ThreadGroup>> {
        let (id, root) = (group.id, self.cgroup.id);
        let processes = tree.processes().filter(|process| process.zombie.is_none());
        let groups = processes.map(|process| &process.group);
        groups.filter(move |process| process.cgroup().map_or(root, |cgroup| cgroup.id) == id)
    }

    /// The processes in `group` itself.
    pub(crate) fn processes_in(&self, group: &Group) -> Vec<Arc<ThreadGroup>> {
        let tree = self.pids.lock();
        self.cgroup_processes(&tree, group).cloned().collect()
    }

    /// The processes in `group` and below.
    pub(crate) fn processes_within(&self, group: &Group) -> Vec<Arc<ThreadGroup>> {
        let processes = self.pids.groups().into_iter();
        processes
            .filter(|process| !process.has_ended() && self.cgroup_of(process).is_within(group))
            .collect()
    }

    /// Tasks in `group` and below, those included that ended and were not waited for.
    pub fn tasks_within(&self, group: &Group) -> u64 {
        self.count_tasks(&self.pids.lock(), group)
    }

    fn count_tasks(&self, tree: &Tree, group: &Group) -> u64 {
        if group.is_root() {
            return tree.task_count() as u64;
        }
        let within = |task: &&Arc<Task>| {
            let group_of = task.group.cgroup();
            group_of.is_some_and(|cgroup| cgroup.is_within(group))
        };
        tree.tasks().filter(within).count() as u64
    }

    /// Whether one more task may be in `group`: `EAGAIN` at a limit.
    pub(crate) fn admit_task(&self, tree: &Tree, group: &Arc<Group>) -> Result<(), Errno> {
        for group in group.ancestors() {
            let max = group.pids_max();
            if max != MAX && self.count_tasks(tree, &group) >= max {
                let before = group.pids_events.fetch_add(1, Ordering::Relaxed);
                if before == 0 {
                    let path = String::from_utf8_lossy(&group.path()).into_owned();
                    log::warn!("cgroup {path}: fork refused: pids.max is {max}");
                }
                return Err(EAGAIN.why("pids.max"));
            }
        }
        Ok(())
    }

    /// What the processes in `group` and below have used since they are there.
    pub fn cgroup_usage(&self, group: &Group) -> Usage {
        let mut usage = group.past.get();
        for process in self.processes_within(group) {
            usage.add(&process.usage());
        }
        usage
    }

    /// Takes account of a process that ends.
    pub(crate) fn keep_cgroup_usage(&self, process: &ThreadGroup, used: &Usage) {
        for group in self.cgroup_of(process).ancestors() {
            group.past.update(|past| past.add(used));
        }
    }

    /// Ends all processes in `group` and below, those included that are just being made.
    pub(crate) fn kill_cgroup(&self, group: &Group) {
        let tree = self.pids.lock();
        for process in tree.processes() {
            if self.cgroup_of(&process.group).is_within(group) {
                process.group.kill(ExitStatus::Killed(Signal::KILL));
            }
        }
    }
}
