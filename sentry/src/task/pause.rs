//! Holding all tasks back from application code, as the freezer of cgroups does.
//!
//! A task that calls or sleeps in the kernel is held back when it returns. Signals reach
//! paused tasks when they go on, but SIGKILL does at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use syscalls::Stop;
use syscalls::errno::EAGAIN;

use super::{Current, Task};
use crate::kernel::Kernel;
use crate::wait::{Ready, WaitQueue};

/// Whether tasks run.
#[derive(Default)]
pub struct Pause {
    on: AtomicBool,
    /// Told when tasks may go on.
    ended: WaitQueue,
}

impl Pause {
    /// True while tasks are held back.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }
}

impl Kernel {
    /// Holds all tasks back. Those that run application code leave it soon after:
    /// [`Self::is_still`] tells when they have.
    pub fn pause(&self) {
        // Before the list is made: tasks that come later see it themselves.
        self.pause.on.store(true, Ordering::SeqCst);
        for task in self.all_tasks() {
            task.kick();
        }
    }

    /// Lets all tasks go on.
    pub fn resume(&self) {
        self.pause.on.store(false, Ordering::SeqCst);
        self.pause.ended.notify(Ready::all());
    }

    /// True if no task runs application code.
    pub fn is_still(&self) -> bool {
        self.all_tasks().iter().all(|task| task.is_in_kernel())
    }

    fn all_tasks(&self) -> Vec<Arc<Task>> {
        self.pids.lock().tasks().cloned().collect()
    }
}

impl Current {
    /// Sleeps while tasks are held back, unless this one has to end.
    pub(crate) fn obey_pause(&self) {
        while self.kernel.pause.is_on() && !self.must_exit() {
            // Kicks for other reasons find the sandbox paused again.
            self.take_work();
            let paused = || match self.kernel.pause.is_on() && !self.must_exit() {
                true => Err(Stop::from(EAGAIN)),
                false => Ok(()),
            };
            let _ = self.block_on(&self.kernel.pause.ended, Ready::all(), None, paused);
            // What came meanwhile is still to be looked at.
            self.mark_work();
        }
    }
}
