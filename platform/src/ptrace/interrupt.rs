//! Ending a switch from another thread.
//!
//! The kick is a signal to the traced task, which stops it for its tracer. Signals may be
//! late: the word says whether one that arrives still means something.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;

use crate::Interrupt;
use crate::host::cpu_time::ThreadClock;

/// Ignored by default, so that a kick to a task that is not traced yet does no harm.
pub(super) const KICK: Signal = Signal::SIGURG;

/// No switch is running.
const IDLE: u32 = 0;
/// A switch is running, and nobody wants it to end.
const RUNNING: u32 = 1;
/// The running switch, or else the next one, is to end.
const WANTED: u32 = 2;

/// Shared by a context and those who interrupt it.
pub(super) struct Interrupter {
    state: AtomicU32,
    /// Whom to kick. Its number is valid while it stands here: the context takes it out
    /// before it lets the task end.
    task: Mutex<Option<Pid>>,
    /// Processor time of tasks that the context had before, nanoseconds.
    past_time: AtomicU64,
}

impl Interrupter {
    pub(super) fn new() -> Self {
        Interrupter {
            state: AtomicU32::new(IDLE),
            task: Mutex::new(None),
            past_time: AtomicU64::new(0),
        }
    }

    /// At the start of a switch: false if it is to end at once.
    pub(super) fn start(&self) -> bool {
        let started =
            self.state
                .compare_exchange(IDLE, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        if started.is_err() {
            self.state.store(IDLE, Ordering::Release);
        }
        started.is_ok()
    }

    /// During a switch: true if somebody wants it to end.
    pub(super) fn is_wanted(&self) -> bool {
        self.state.load(Ordering::Acquire) == WANTED
    }

    /// At the end of a switch that was interrupted: that was it.
    pub(super) fn satisfied(&self) {
        self.state.store(IDLE, Ordering::Release);
    }

    /// At the end of a switch that ended otherwise: what came meanwhile is for the next.
    pub(super) fn stop(&self) {
        let _ = self
            .state
            .compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Sets whom to kick. Look at [`Self::is_wanted`] afterwards: who came before found
    /// nobody.
    pub(super) fn set_task(&self, task: Option<Pid>) {
        let mut current = self.task.lock();
        let spent = time_of(*current);
        self.past_time.fetch_add(spent, Ordering::Relaxed);
        *current = task;
    }
}

/// Processor time of a task, which is a process of its own to the host; nanoseconds.
fn time_of(task: Option<Pid>) -> u64 {
    let time = task.map_or(Duration::ZERO, |pid| ThreadClock::of_process(pid).now());
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Interrupt for Interrupter {
    fn interrupt(&self) {
        if self.state.swap(WANTED, Ordering::AcqRel) != RUNNING {
            return;
        }
        if let Some(task) = *self.task.lock() {
            // A task that was killed is found out by its tracer.
            let _ = kill(task, KICK);
        }
    }

    fn application_time(&self) -> Duration {
        let task = self.task.lock();
        Duration::from_nanos(self.past_time.load(Ordering::Relaxed) + time_of(*task))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_kept_for_the_next_switch() {
        let interrupter = Interrupter::new();
        assert!(interrupter.start());
        interrupter.stop();
        interrupter.interrupt();
        interrupter.interrupt();
        assert!(!interrupter.start());
        assert!(interrupter.start());
        interrupter.interrupt();
        assert!(interrupter.is_wanted());
        interrupter.stop();
        assert!(!interrupter.start());
        assert!(interrupter.start());
        interrupter.interrupt();
        interrupter.satisfied();
        assert!(interrupter.start());
    }
}
