//! Letting a stopped thread go on.

use std::sync::Arc;

use syscalls::Errno;
use syscalls::abi::ptrace::PTRACE_EVENT_STOP;
use syscalls::errno::{EIO, ESRCH};

use super::stop::Watch;
use super::{Link, Stopped};
use crate::signal::Signal;
use crate::task::{Current, ExitStatus, Task};

/// Signals 1..=64; 0: none.
fn signal_number(data: u64) -> Result<i32, Errno> {
    const LAST: i32 = 64;
    let number = i32::try_from(data).ok();
    number.filter(|n| (0..=LAST).contains(n)).ok_or(EIO)
}

impl Current {
    /// Whom the caller traces by this number; `ESRCH`.
    pub(super) fn tracee(&self, tid: i32) -> Result<Arc<Task>, Errno> {
        let task = self.find_task(tid).ok_or(ESRCH)?;
        let state = task.trace.state.lock();
        let link = state.link.as_ref();
        let own = link.is_some_and(|link| Arc::ptr_eq(&link.tracer, self.task()));
        drop(state);
        if own { Ok(task) } else { Err(ESRCH) }
    }

    /// Looks at, or changes, a stopped thread; `ESRCH` if it does not stand in a stop.
    pub(super) fn with_stop<R>(
        &self,
        tracee: &Task,
        look: impl FnOnce(&mut Link, &mut Stopped) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let mut state = tracee.trace.state.lock();
        let state = &mut *state;
        let link = state.link.as_mut().ok_or(ESRCH)?;
        let stop = state.stop.as_mut().filter(|stop| !stop.listening);
        look(link, stop.ok_or(ESRCH)?)
    }

    /// `PTRACE_CONT` and its kin.
    pub(super) fn resume(&self, tracee: &Arc<Task>, data: u64, watch: Watch) -> Result<(), Errno> {
        self.with_stop(tracee, |_, _| Ok(()))?;
        let signal = signal_number(data)?;
        tracee.trace.state.lock().give_back(signal, watch);
        // Not a kick: the call that it may be about to make is not to be interrupted.
        tracee.parker().unpark();
        Ok(())
    }

    /// `PTRACE_DETACH`.
    pub(super) fn detach(&self, tracee: &Arc<Task>, data: u64) -> Result<(), Errno> {
        self.with_stop(tracee, |_, _| Ok(()))?;
        let signal = signal_number(data)?;
        let mut tree = self.kernel.pids.lock();
        tree.tracees.remove(&tracee.tid());
        tracee.unlink(signal);
        Ok(())
    }

    /// `PTRACE_KILL`.
    pub(super) fn kill_tracee(tracee: &Task) {
        tracee.group.kill(ExitStatus::Killed(Signal::KILL));
        tracee.trace.kill();
        tracee.kick();
    }

    /// `PTRACE_INTERRUPT`: stops a seized thread.
    pub(super) fn interrupt_tracee(tracee: &Task) -> Result<(), Errno> {
        {
            let mut state = tracee.trace.state.lock();
            if !state.link.as_ref().is_some_and(|link| link.seized) {
                return Err(EIO);
            }
            state.trap = true;
            if state.stop.as_ref().is_some_and(|stop| stop.listening) {
                state.give_back(0, Watch::default());
            }
        }
        tracee.kick();
        Ok(())
    }

    /// `PTRACE_LISTEN`: leaves a seized thread in the stop of its process.
    pub(super) fn listen(&self, tracee: &Task) -> Result<(), Errno> {
        let mut state = tracee.trace.state.lock();
        let state = &mut *state;
        let seized = state.link.as_ref().is_some_and(|link| link.seized);
        let stop = state.stop.as_mut().filter(|stop| !stop.listening);
        let stop = stop.ok_or(ESRCH)?;
        if !seized || stop.code >> 8 != PTRACE_EVENT_STOP {
            return Err(EIO);
        }
        stop.listening = true;
        // Something has happened since the stop.
        if state.trap {
            state.give_back(0, Watch::default());
            tracee.kick();
        }
        Ok(())
    }
}
