//! When memory has run out: the kernel drops what it can read again, and else ends the
//! process that has most, as Linux does for a cgroup; proc_pid_oom_score_adj(5). Where it is
//! the part of one container of a pod, all of that happens within the container.
//!
//! An allocation that fails marks its thread ([`memfile::take_refusal`]). Who sees the
//! mark, with no lock held, asks for memory here and does it all again: a page fault, or
//! a system call that failed for lack of memory.
//!
//! [`memfile::take_refusal`]: take_refusal

use std::sync::Arc;
use std::sync::atomic::Ordering;

use platform::MemoryFile;
use platform::memfile::{Refusal, take_refusal};
use syscalls::Stop;
use syscalls::errno::EAGAIN;

use super::{Current, ExitStatus, Task, ThreadGroup};
use crate::cgroup::{Group, MAX};
use crate::kernel::Kernel;
use crate::signal::Signal;
use crate::vfs::SuperBlock;

/// What dropping clean pages must bring for it to be worth another try, bytes. With less,
/// programs would wait for ever while their own pages come and go.
const ENOUGH: u64 = 1 << 20;

/// "Never" as an adjustment.
const NEVER: i32 = -1000;

impl Current {
    /// If what the thread just did failed because memory has run out, finds some, and
    /// tells whether it is to be tried again.
    pub(crate) fn found_memory(&self) -> bool {
        let kernel = &self.kernel;
        let scope = match take_refusal().filter(|_| !self.must_exit()) {
            None => return false,
            Some(Refusal::File) => kernel.cgroup.clone(),
            Some(Refusal::Account) => kernel.cgroup_of(&self.group).container(),
        };
        let memory = kernel.memory_of(&scope);
        let before = memory.charged();
        kernel.drop_clean_pages(&scope);
        kernel.platform.settle();
        if memory.charged().saturating_add(ENOUGH) <= before {
            return true;
        }
        let Some(victim) = kernel.choose_victim(&scope) else {
            log::warn!("memory has run out, and there is no process to end");
            return false;
        };
        let gone = || match victim.has_ended() {
            true => Ok(()),
            false => Err(Stop::from(EAGAIN)),
        };
        // It may be this very process: then the wait ends at once.
        let ended = self.block_until_killed(&kernel.process_ends, gone).is_ok();
        kernel.platform.settle();
        ended
    }
}

impl Task {
    /// What its container's pages are allocated from.
    pub fn memory(&self) -> MemoryFile {
        self.kernel.memory_of(&self.kernel.cgroup_of(&self.group))
    }
}

impl Kernel {
    /// Drops pages of files that can be read again, of those that the processes of `scope`
    /// have mounted.
    pub(crate) fn drop_clean_pages(&self, scope: &Group) {
        for instance in file_systems_of(&self.processes_within(scope)) {
            instance.fs.drop_clean_pages();
        }
    }

    /// What the first process has mounted, each instance once.
    pub(crate) fn mounted_file_systems(&self) -> Vec<Arc<SuperBlock>> {
        let mut processes = self.pids.groups();
        processes.truncate(1);
        file_systems_of(&processes)
    }

    /// The process to end, or one that is ending already: it has not given back all of its
    /// memory yet.
    fn choose_victim(&self, scope: &Group) -> Option<Arc<ThreadGroup>> {
        let total = scope.limits.memory().min(self.memory.limit());
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        let mut worst: Option<(i64, u64, Arc<ThreadGroup>)> = None;
        for process in self.processes_within(scope) {
            if process.is_ending() {
                return Some(process);
            }
            let mm = process.threads().first().and_then(|task| task.mm.get());
            let Some(mm) = mm else {
                continue;
            };
            let adjustment = process.worst_case.oom_score_adj.load(Ordering::Relaxed);
            if adjustment == NEVER {
                continue;
            }
            let resident = mm.usage().rss;
            let points = i64::try_from(resident).unwrap_or(i64::MAX);
            let points = points.saturating_add(total / 1000 * i64::from(adjustment));
            if worst.as_ref().is_none_or(|(most, ..)| points > *most) {
                worst = Some((points, resident, process));
            }
        }
        let (_, resident, victim) = worst?;
        self.end_for_memory(&victim, resident, scope);
        Some(victim)
    }

    fn end_for_memory(&self, victim: &Arc<ThreadGroup>, resident: u64, scope: &Group) {
        // Another thread may have been quicker.
        if !victim.kill(ExitStatus::Killed(Signal::KILL)) {
            return;
        }
        let group = self.cgroup_of(victim);
        group.ancestors().for_each(|at| at.limits.count_oom_kill());
        // The listener of its own container, not that of the pod's first one.
        let _ = group.ancestors().any(|at| at.limits.tell_of_oom_kill());
        let name = victim.leader().map(|leader| leader.name.get());
        let name = name.as_deref().unwrap_or_default();
        let limit = match scope.limits.memory() {
            MAX => self.memory.limit(),
            limit => limit,
        };
        log::warn!(
            "out of memory: killed process {} ({}), {} KiB resident, oom_score_adj {}; the \
             container's limit is {} KiB",
            victim.pid,
            String::from_utf8_lossy(name),
            resident >> 10,
            victim.worst_case.oom_score_adj.load(Ordering::Relaxed),
            limit >> 10,
        );
    }
}

/// What processes have mounted, each instance once.
fn file_systems_of(processes: &[Arc<ThreadGroup>]) -> Vec<Arc<SuperBlock>> {
    let leaders = processes.iter().filter_map(|process| process.leader());
    let mut namespaces: Vec<_> = leaders
        .map(|task| task.fs.with(|fs| fs.mounts.get()))
        .collect();
    namespaces.sort_by_key(Arc::as_ptr);
    namespaces.dedup_by_key(|namespace| Arc::as_ptr(namespace));
    let mounts = namespaces.iter().flat_map(|namespace| namespace.list());
    let mut instances: Vec<_> = mounts.map(|mount| mount.super_block.clone()).collect();
    instances.sort_by_key(|instance| instance.dev);
    instances.dedup_by_key(|instance| instance.dev);
    instances
}
