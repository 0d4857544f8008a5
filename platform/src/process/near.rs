//! Keeping a mapper on the CPU of whoever commands it.
//!
//! A mapper runs only while a thread of the Sentry waits for its answer, so the best place
//! for it is that thread's CPU: a wakeup of another CPU costs up to 50 µs on virtual
//! machines, and behind a busy neighbour milliseconds. The scheduler does not know and
//! prefers an idle CPU, for new tasks above all.
//!
//! Guest tasks are made there too; see `pair` for how they go on.

use nix::sched::sched_getcpu;
use nix::unistd::Pid;

use crate::host::placement;

/// Where a task was told to stay.
#[derive(Clone, Copy, Default)]
pub(super) struct Place(Option<usize>);

impl Place {
    /// Moves a sleeping `task` to this thread's CPU, if it is elsewhere. Nothing depends on
    /// success: a host may forbid it.
    pub(super) fn follow(&mut self, task: Pid) {
        let Ok(here) = sched_getcpu() else { return };
        if self.0 == Some(here) {
            return;
        }
        if let Some(here) = placement::bring_here(task) {
            self.0 = Some(here);
        }
    }
}
