//! What a container uses, for `runsk events`.

use super::message::Stats;
use crate::boot::Container;
use crate::cgroup::MAX;

pub(super) fn of(container: &Container) -> Stats {
    let (kernel, group) = (container.kernel(), container.group());
    let usage = kernel.cgroup_usage(group);
    let processes = container.processes();
    let memory = if group.is_root() {
        // Of programs, files and tmpfs, each page once.
        kernel.memory.used()
    } else {
        let of_programs = processes.iter().filter_map(|process| {
            let memory = process.leader()?.mm.get()?;
            Some(memory.usage().rss)
        });
        of_programs.sum()
    };
    Stats {
        memory,
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
