//! What a container uses, for `runsk events`.

use super::message::Stats;
use crate::boot::Container;
use crate::cgroup::MAX;

pub(super) fn of(container: &Container) -> Stats {
    let (kernel, group) = (container.kernel(), container.group());
    let usage = kernel.cgroup_usage(group);
    let processes = container.processes();
    Stats {
        // Of programs, files and tmpfs, each page once.
        memory: kernel.memory_of(group).charged(),
        memory_limit: match group.limits.memory() {
            MAX => kernel.memory.limit(),
            limit => limit,
        },
        cpu_user_ns: usage.user_ns,
        cpu_system_ns: usage.system_ns,
        tasks: kernel.tasks_within(group),
        tasks_limit: group.pids_max(),
        processes: processes.len() as u64,
        faults: usage.faults,
        oom_kills: group.limits.oom_events().1,
    }
}
