//! The list of processes, for `runsk ps`.

use std::sync::Arc;

use super::message::ProcessInfo;
use crate::boot::Container;
use crate::fs::proc::arguments;
use crate::task::{PidNamespace, ThreadGroup};
use crate::tty::SLAVE_MAJOR;

/// More of a command line is not shown, bytes.
const MAX_COMMAND: usize = 64 << 10;

/// All processes that have not ended, by rising number.
pub(super) fn list(container: &Container) -> Vec<ProcessInfo> {
    let namespace = container.pid_namespace();
    let processes = container.processes();
    let parents: Vec<_> = {
        let tree = container.kernel().pids.lock();
        let parent = |group: &Arc<ThreadGroup>| tree.number_in(group.parent_pid(), namespace);
        processes.iter().map(parent).collect()
    };
    let listed = processes.iter().zip(parents);
    listed
        .map(|(group, parent)| info(group, parent, namespace))
        .collect()
}

fn info(group: &Arc<ThreadGroup>, ppid: i32, namespace: &PidNamespace) -> ProcessInfo {
    let leader = group.leader();
    let terminal = group.session.get().terminal().map(|t| t.device());
    let tty = match terminal {
        Some(number) if number.major == SLAVE_MAJOR => format!("pts/{}", number.minor),
        Some(_) => "console".to_owned(),
        None => "?".to_owned(),
    };
    let name = leader.as_ref().map(|task| task.name.get());
    let name = name.map(|name| format!("[{}]", String::from_utf8_lossy(&name)));
    let command = leader.as_ref().and_then(|task| task.mm.get());
    let mut text = command.map(|mm| arguments(&mm)).unwrap_or_default();
    text.truncate(MAX_COMMAND);
    let text = text.strip_suffix(b"\0").unwrap_or(&text);
    let command = if text.is_empty() {
        name.into_iter().collect()
    } else {
        let args = text.split(|&byte| byte == 0);
        args.map(|arg| String::from_utf8_lossy(arg).into_owned())
            .collect()
    };
    ProcessInfo {
        pid: group.numbers.seen_from(namespace),
        ppid,
        uid: leader.map_or(0, |task| task.creds.get().uid.effective),
        tty,
        age_ns: crate::time::now_monotonic().saturating_sub(group.start_time),
        cpu_ns: group.usage().total_ns(),
        command,
    }
}
