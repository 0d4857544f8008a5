//! The list of processes, for `runsk ps`.

use std::sync::Arc;

use super::message::ProcessInfo;
use crate::fs::proc::arguments;
use crate::kernel::Kernel;
use crate::task::ThreadGroup;
use crate::tty::SLAVE_MAJOR;

/// More of a command line is not shown, bytes.
const MAX_COMMAND: usize = 64 << 10;

/// All processes that have not ended, by rising number.
pub(super) fn list(kernel: &Kernel) -> Vec<ProcessInfo> {
    let groups = kernel.pids.groups();
    let living = groups.iter().filter(|group| !group.has_ended());
    living.map(info).collect()
}

fn info(group: &Arc<ThreadGroup>) -> ProcessInfo {
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
        pid: group.pid,
        ppid: group.parent_pid(),
        uid: leader.map_or(0, |task| task.creds.get().uid.effective),
        tty,
        age_ns: crate::time::now_monotonic().saturating_sub(group.start_time),
        cpu_ns: group.usage().total_ns(),
        command,
    }
}
