//! Ending a switch from another thread.
//!
//! The kick is a signal to the task, which stops it for its tracer, or is handled there.
//! Signals may be late: the word says whether one that arrives still means something.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;

use super::layout::thread::KICK as KICK_FLAG;
use super::thread::ThreadPages;
use crate::host::cpu_time::ThreadClock;
use crate::{Error, Event, Interrupt};

/// Ignored by default, so that a kick to a task that is not traced yet does no harm.
pub(crate) const KICK: Signal = Signal::SIGURG;

/// No switch is running.
const IDLE: u32 = 0;
/// A switch is running, and nobody wants it to end.
const RUNNING: u32 = 1;
/// The running switch, or else the next one, is to end.
const WANTED: u32 = 2;

/// Whom to kick, and how.
pub(crate) struct Target {
    /// The task.
    pub(crate) pid: Pid,
    /// Its pages, if it looks at the kick's flag there.
    pub(crate) pages: Option<Arc<ThreadPages>>,
    /// Its processor time in this context.
    pub(crate) clock: ThreadClock,
}

impl Target {
    fn kick(&self) {
        if let Some(pages) = &self.pages {
            pages.word(KICK_FLAG).store(1, Ordering::SeqCst);
        }
        // A task that was killed is found out by whoever waits for it.
        let _ = kill(self.pid, KICK);
    }
}

/// Shared by a context and those who interrupt it.
pub(crate) struct Interrupter {
    state: AtomicU32,
    /// Whom to kick. Its number is valid while it stands here: the context takes it out
    /// before it lets the task end.
    task: Mutex<Option<Target>>,
    /// Processor time of tasks that the context had before, nanoseconds.
    past_time: AtomicU64,
}

impl Interrupter {
    pub(crate) fn new() -> Self {
        Interrupter {
            state: AtomicU32::new(IDLE),
            task: Mutex::new(None),
            past_time: AtomicU64::new(0),
        }
    }

    /// At the start of a switch: false if it is to end at once.
    pub(crate) fn start(&self) -> bool {
        let started =
            self.state
                .compare_exchange(IDLE, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        if started.is_err() {
            self.state.store(IDLE, Ordering::Release);
        }
        started.is_ok()
    }

    /// During a switch: true if somebody wants it to end.
    pub(crate) fn is_wanted(&self) -> bool {
        self.state.load(Ordering::Acquire) == WANTED
    }

    /// Kicks the task that this switch runs, if somebody wanted it to end before it was set.
    pub(crate) fn catch_up(&self) {
        if self.is_wanted()
            && let Some(task) = &*self.task.lock()
        {
            task.kick();
        }
    }

    /// At the end of a switch: true if it ended as it should.
    pub(crate) fn finish(&self, result: &Result<Event, Error>) -> bool {
        match result {
            Ok(Event::Interrupted) => self.satisfied(),
            Ok(_) | Err(_) => self.stop(),
        }
        result.is_ok()
    }

    /// At the end of a switch that was interrupted: that was it.
    fn satisfied(&self) {
        self.state.store(IDLE, Ordering::Release);
    }

    /// At the end of a switch that ended otherwise: what came meanwhile is for the next.
    fn stop(&self) {
        let _ = self
            .state
            .compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Sets whom to kick. Look at [`Self::is_wanted`] afterwards: who came before found
    /// nobody.
    pub(crate) fn set_task(&self, task: Option<Target>) {
        let mut current = self.task.lock();
        let spent = time_of(current.as_ref());
        self.past_time.fetch_add(spent, Ordering::Relaxed);
        *current = task;
    }
}

/// Processor time of a task, which is a process of its own to the host; nanoseconds.
fn time_of(task: Option<&Target>) -> u64 {
    let time = task.map_or(Duration::ZERO, |task| task.clock.now());
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Interrupt for Interrupter {
    fn interrupt(&self) {
        if self.state.swap(WANTED, Ordering::AcqRel) != RUNNING {
            return;
        }
        if let Some(task) = &*self.task.lock() {
            task.kick();
        }
    }

    fn application_time(&self) -> Duration {
        let task = self.task.lock();
        Duration::from_nanos(self.past_time.load(Ordering::Relaxed) + time_of(task.as_ref()))
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
