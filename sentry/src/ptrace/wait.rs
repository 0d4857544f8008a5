//! What a tracer hears from wait4(2) of those that it traces.

use syscalls::abi::signal::CLD_TRAPPED;

use super::Tracee;
use crate::task::{ExitStatus, Tree, Usage};

/// News of a traced thread.
pub(crate) enum News {
    /// It stands in a stop, with this code.
    Stopped(i32),
    /// It ended.
    Ended(ExitStatus, Usage),
}

impl News {
    /// As wait4(2) stores it.
    pub(crate) fn to_wait(&self) -> i32 {
        match self {
            News::Stopped(code) => code << 8 | 0x7f,
            News::Ended(status, _) => status.to_wait(),
        }
    }

    /// `si_code` and `si_status`.
    pub(crate) fn to_child(&self) -> (i32, i32) {
        match self {
            News::Stopped(code) => (CLD_TRAPPED, *code),
            News::Ended(status, _) => status.to_child(),
        }
    }
}

impl Tracee {
    /// What there is to tell; a stop is told once unless `keep`.
    pub(crate) fn news(&self, tree: &Tree, ends: bool, keep: bool) -> Option<News> {
        let process = tree.process(self.task.group.pid);
        let is_leader = self.task.tid() == self.task.group.pid;
        let zombie = process.and_then(|process| process.zombie);
        if let Some(zombie) = zombie.filter(|_| is_leader) {
            return ends.then_some(News::Ended(zombie.status, zombie.usage));
        }
        if let Some((status, usage)) = self.ended {
            return ends.then_some(News::Ended(status, usage));
        }
        let mut state = self.task.trace.state.lock();
        let stop = state.stop.as_mut()?;
        if stop.told || stop.listening {
            return None;
        }
        stop.told = !keep;
        Some(News::Stopped(stop.code))
    }
}
