//! Stopping and continuing of whole processes, and orphaned process groups.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::Stop;
use syscalls::abi::signal::{SigactionFlags, Siginfo};
use syscalls::errno::EAGAIN;

use super::{Handler, Signal};
use crate::kernel::Kernel;
use crate::task::{Current, GroupState, Pid, StopEvent, StopState, Task, ThreadGroup, Tree};

impl Kernel {
    /// Makes a stop or continuation known: SIGCHLD for the parent, unless it does not
    /// want that, and then whoever waits for children.
    pub(crate) fn tell_parent_of_stop(
        &self,
        tree: &Tree,
        group: &Arc<ThreadGroup>,
        event: StopEvent,
    ) {
        {
            let mut state = group.state();
            // Another change has come since, which is told in its turn.
            let stopped = state.stop != StopState::Running;
            if stopped != matches!(event, StopEvent::Stopped(_)) {
                return;
            }
            state.stop_event = Some(event);
        }
        let parent = tree
            .process(group.pid)
            .and_then(|process| tree.process(process.parent?));
        let Some(parent) = parent.map(|p| p.group.clone()) else {
            return;
        };
        let action = parent.handlers.get().get(Signal::CHLD);
        let wanted =
            action.handler != Handler::Ignore && !action.flags.contains(SigactionFlags::NOCLDSTOP);
        if wanted {
            let uid = group.leader().map_or(0, |task| task.uid_seen_by(&parent));
            let (code, status) = event.to_child();
            let times = group.usage().ticks();
            let pid = group.numbers.seen_from(parent.pid_namespace());
            let info = Siginfo::child(code, pid, uid, status, times.0, times.1);
            let _ = self.signal_process_within(tree, &parent, &info);
        }
        parent.notify_child_event();
    }
}

impl Tree {
    /// True if no process of the group, `without` aside, has a parent in another group of
    /// the same session: nobody would continue it.
    pub(crate) fn is_orphaned_group(&self, pgid: Pid, without: Option<Pid>) -> bool {
        let mut members = self.process_group(pgid);
        !members.any(|member| {
            let parent = member.parent.and_then(|pid| self.process(pid));
            Some(member.group.pid) != without
                && member.zombie.is_none()
                && parent.is_some_and(|parent| {
                    parent.group.pgid() != pgid && parent.group.sid() == member.group.sid()
                })
        })
    }

    /// True if a process of the group is stopped.
    pub(crate) fn has_stopped_member(&self, pgid: Pid) -> bool {
        self.process_group(pgid).any(|p| p.group.is_stopped())
    }
}

impl GroupState {
    /// Ends the stopping once every thread has stopped. What the parent is to hear.
    pub(crate) fn finish_stop(&mut self) -> Option<StopEvent> {
        match self.stop {
            StopState::Stopping(signal) if self.threads.iter().all(|t| t.is_stopped()) => {
                self.stop = StopState::Stopped(signal);
                Some(StopEvent::Stopped(signal))
            }
            _ => None,
        }
    }
}

impl Current {
    /// The default action of a stop signal. `seen` is the count of continuations from
    /// before the signal was taken: a SIGCONT since then wins.
    pub(super) fn begin_stop(&self, signal: Signal, seen: u64) {
        if signal != Signal::STOP {
            let orphaned = {
                let tree = self.kernel.pids.lock();
                tree.is_orphaned_group(self.group.pgid(), None)
            };
            if orphaned {
                return;
            }
        }
        let mut state = self.group.state();
        let raced = self.group.continues.load(Ordering::SeqCst) != seen;
        if raced || state.end.is_some() || state.stop != StopState::Running {
            return;
        }
        state.stop = StopState::Stopping(signal);
        for thread in &state.threads {
            thread.set_stopped(false);
            thread.kick();
        }
    }

    /// Sleeps while the process is stopped.
    pub(crate) fn obey_stop(&self) {
        loop {
            let (first, event) = {
                let mut state = self.group.state();
                if state.stop == StopState::Running {
                    self.set_stopped(false);
                    return;
                }
                let first = !self.is_stopped();
                self.set_stopped(true);
                (first, state.finish_stop())
            };
            // A parent that traces the thread hears of that instead.
            let told = self.trace.is_by(self.group.parent_pid());
            if let Some(event) = event.filter(|_| !told) {
                let tree = self.kernel.pids.lock();
                self.kernel.tell_parent_of_stop(&tree, &self.group, event);
            }
            if self.trap_for_group_stop(first) {
                return;
            }
            // Kicks without a continuation find the process stopped again.
            self.take_work();
            let stopped = || match self.group.state().stop {
                _ if self.trace.is_on() => Ok(()),
                StopState::Running => Ok(()),
                StopState::Stopping(_) | StopState::Stopped(_) => Err(Stop::from(EAGAIN)),
            };
            let _ = self.block_on_with(None, |_| Vec::new(), stopped);
            // What came meanwhile is still to be looked at.
            self.mark_work();
        }
    }
}

impl Task {
    /// True while it obeys a stop of its process.
    #[must_use]
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn set_stopped(&self, stopped: bool) {
        self.stopped.store(stopped, Ordering::SeqCst);
    }
}
