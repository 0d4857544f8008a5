//! What the sandbox uses, for `runsk events`.

use super::message::Stats;
use crate::cgroup::MAX;
use crate::kernel::Kernel;

pub(super) fn of(kernel: &Kernel) -> Stats {
    let mut stats = Stats {
        memory: kernel.memory.used(),
        memory_limit: match kernel.cgroup.limits.memory() {
            MAX => kernel.memory.limit(),
            limit => limit,
        },
        tasks: kernel.pids.task_count() as u64,
        tasks_limit: kernel.cgroup.pids_max(),
        oom_kills: kernel.cgroup.limits.oom_events().1,
        ..Stats::default()
    };
    for group in kernel.pids.groups() {
        let usage = group.usage();
        let children = group.children_usage();
        stats.cpu_user_ns += usage.user_ns.saturating_add(children.user_ns);
        stats.cpu_system_ns += usage.system_ns.saturating_add(children.system_ns);
        stats.faults += usage.faults.saturating_add(children.faults);
        stats.processes += u64::from(!group.has_ended());
    }
    stats
}
