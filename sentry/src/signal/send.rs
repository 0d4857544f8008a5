//! Sending: which queue, which thread, and what a signal does at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::Errno;
use syscalls::abi::signal::{SI_USER, Siginfo};
use syscalls::errno::{EAGAIN, ESRCH};

use super::queue::Charge;
use super::{Handler, SigSet, Signal};
use crate::kernel::Kernel;
use crate::sync::MutexGuard;
use crate::task::{
    ExitStatus, GroupState, Pid, Resource, StopEvent, StopState, Task, ThreadGroup, Tree,
};
use crate::wait::Ready;

/// Where a signal comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A process that the target sees, or the kernel on its behalf.
    Inside,
    /// A process of a PID name space around the target's, or whoever started the sandbox:
    /// `SIGKILL` and `SIGSTOP` then hold for the init of the name space too.
    Outside,
}

/// Whether a signal made a stopped process go on, which its parent is to hear.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Continued {
    Yes,
    No,
}

impl Kernel {
    /// Sends a signal to a process.
    ///
    /// `EAGAIN` if it cannot be queued (RLIMIT_SIGPENDING). A process that has ended
    /// takes signals without an effect.
    pub fn signal_process(
        &self,
        group: &Arc<ThreadGroup>,
        info: &Siginfo,
        source: Source,
    ) -> Result<(), Errno> {
        let (result, continued) = self.send(group, None, info, source)?;
        if continued == Continued::Yes {
            let tree = self.pids.lock();
            self.tell_parent_of_stop(&tree, group, StopEvent::Continued);
        }
        result
    }

    /// As [`Self::signal_process`], for callers that hold the table of tasks.
    pub(crate) fn signal_process_within(
        &self,
        tree: &Tree,
        group: &Arc<ThreadGroup>,
        info: &Siginfo,
    ) -> Result<(), Errno> {
        let (result, continued) = self.send(group, None, info, Source::Inside)?;
        if continued == Continued::Yes {
            self.tell_parent_of_stop(tree, group, StopEvent::Continued);
        }
        result
    }

    /// Sends a signal to one thread; as [`Self::signal_process`].
    pub fn signal_task(&self, task: &Arc<Task>, info: &Siginfo) -> Result<(), Errno> {
        self.signal_task_from(task, info, Source::Inside)
    }

    /// As [`Self::signal_task`], from wherever.
    pub(super) fn signal_task_from(
        &self,
        task: &Arc<Task>,
        info: &Siginfo,
        source: Source,
    ) -> Result<(), Errno> {
        let (result, continued) = self.send(&task.group, Some(task), info, source)?;
        if continued == Continued::Yes {
            let tree = self.pids.lock();
            self.tell_parent_of_stop(&tree, &task.group, StopEvent::Continued);
        }
        result
    }

    /// Sends a signal to every process of a process group; `ESRCH` if there is none.
    /// Terminals do it.
    pub fn signal_process_group(&self, pgid: Pid, info: &Siginfo) -> Result<(), Errno> {
        let members: Vec<_> = {
            let tree = self.pids.lock();
            tree.process_group(pgid).map(|p| p.group.clone()).collect()
        };
        if members.is_empty() {
            return Err(ESRCH);
        }
        for group in members {
            // Signals of the kernel are never refused.
            let _ = self.signal_process(&group, info, Source::Inside);
        }
        Ok(())
    }

    fn send(
        &self,
        group: &Arc<ThreadGroup>,
        thread: Option<&Arc<Task>>,
        info: &Siginfo,
        source: Source,
    ) -> Result<(Result<(), Errno>, Continued), Errno> {
        let signal = Signal::new(info.signo)?;
        let mut state = group.state();
        if state.threads.is_empty() {
            return Ok((Ok(()), Continued::No));
        }
        let continued = clear_opposites(group, &mut state, signal);
        let result = if is_dropped(group, &state, thread, signal, source) {
            Ok(())
        } else if signal == Signal::KILL {
            for thread in &state.threads {
                thread.trace.kill();
                thread.kick();
            }
            state.begin_end(ExitStatus::Killed(signal));
            Ok(())
        } else {
            let queued = self.enqueue(group, thread, signal, info);
            if queued.is_ok() {
                wake_one(&state, thread, signal);
            }
            queued
        };
        drop(state);
        group.signals.arrivals.notify(Ready::READABLE);
        Ok((result, continued))
    }

    /// Puts the signal into its queue, unless it is there already.
    fn enqueue(
        &self,
        group: &ThreadGroup,
        thread: Option<&Arc<Task>>,
        signal: Signal,
        info: &Siginfo,
    ) -> Result<(), Errno> {
        let queue = match thread {
            Some(task) => &task.signals.pending,
            None => &group.signals.pending,
        };
        if !signal.is_realtime() && queue.lock().set().contains(signal) {
            return Ok(());
        }
        let owner = thread.cloned().or_else(|| group.leader());
        let uid = owner.map_or(0, |task| task.creds.get().uid.real);
        let limit = group.limits.soft(Resource::Sigpending);
        // What the kernel and kill(2) send as standard signals is always queued: there is
        // one of each at most.
        let exempt = !signal.is_realtime() && info.code >= 0;
        let charge = Charge::new(self.users.get(uid), if exempt { u64::MAX } else { limit });
        let entry = match charge {
            Some(charge) => Some((*info, Some(charge))),
            None if signal.is_realtime() && info.code != SI_USER => return Err(EAGAIN),
            None => None,
        };
        queue.lock().push(signal, entry);
        Ok(())
    }
}

/// SIGCONT takes back signals that stop, and the other way round, in all queues of the
/// process; SIGCONT lets a stopped process go on.
fn clear_opposites(group: &ThreadGroup, state: &mut GroupState, signal: Signal) -> Continued {
    let opposites = if signal == Signal::CONT {
        SigSet::STOPPING
    } else if SigSet::STOPPING.contains(signal) {
        SigSet::of(&[Signal::CONT])
    } else {
        return Continued::No;
    };
    group.signals.pending.lock().discard(opposites);
    for thread in &state.threads {
        thread.signals.pending.lock().discard(opposites);
    }
    if signal == Signal::CONT {
        resume(group, state)
    } else {
        Continued::No
    }
}

fn resume(group: &ThreadGroup, state: &mut GroupState) -> Continued {
    group.continues.fetch_add(1, Ordering::SeqCst);
    match std::mem::replace(&mut state.stop, StopState::Running) {
        StopState::Running => Continued::No,
        StopState::Stopping(_) | StopState::Stopped(_) => {
            for thread in &state.threads {
                thread.trace.notify();
                thread.kick();
            }
            Continued::Yes
        }
    }
}

/// True for signals that nobody will ever see: not blocked, and without an effect.
fn is_dropped(
    group: &ThreadGroup,
    state: &MutexGuard<'_, GroupState>,
    thread: Option<&Arc<Task>>,
    signal: Signal,
    source: Source,
) -> bool {
    let target = thread.or_else(|| state.threads.first());
    let blocks = |task: &Arc<Task>| task.signals.blocks_or_awaits(signal);
    if target.is_some_and(blocks) {
        return false;
    }
    let handlers = group.handlers.get();
    if group.is_protected() && handlers.get(signal).handler == Handler::Default {
        let forced = source == Source::Outside && SigSet::UNBLOCKABLE.contains(signal);
        return !forced;
    }
    let traced = target.is_some_and(|task| task.trace.is_on());
    !traced && handlers.ignores(signal)
}

/// Gets a thread going that can take the signal, best one that has nothing else to do.
fn wake_one(state: &GroupState, thread: Option<&Arc<Task>>, signal: Signal) {
    let takes = |task: &&Arc<Task>| task.signals.takes(signal) && !task.is_exiting();
    let chosen = match thread {
        Some(task) => Some(task).filter(takes),
        None => {
            let mut takers = state.threads.iter().filter(takes);
            let first = takers.next();
            match first {
                Some(task) if task.has_work() => takers.find(|t| !t.has_work()).or(first),
                _ => first,
            }
        }
    };
    if let Some(task) = chosen {
        task.kick();
    }
}

impl ThreadGroup {
    /// Forgets a signal in all queues of the process.
    pub(super) fn forget_signal(&self, signal: Signal) {
        let signals = SigSet::of(&[signal]);
        self.signals.pending.lock().discard(signals);
        for thread in &self.state().threads {
            thread.signals.pending.lock().discard(signals);
        }
    }

    /// A thread that could have taken some of the process's pending signals no longer
    /// does (it blocked them, or it exits): others have to look at them.
    pub(crate) fn hand_over_signals(&self, signals: SigSet) {
        let left = self.signals.pending().intersection(signals);
        if !left.is_empty() {
            let state = self.state();
            for signal in left.iter() {
                wake_one(&state, None, signal);
            }
        }
    }
}
