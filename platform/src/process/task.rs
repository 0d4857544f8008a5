//! A task of a guest thread, seen as a host process.

use std::sync::Arc;

use nix::unistd::Pid;

use super::reaper::Reaper;

/// A task that shares an address space's memory. Dropping it kills it; the reaper waits for
/// its end.
pub(crate) struct GuestTask {
    pid: Pid,
    ended: bool,
    reaper: Arc<Reaper>,
    /// What is dropped once it is gone.
    keep: Option<Box<dyn Send>>,
}

impl GuestTask {
    pub(super) fn new(pid: Pid, reaper: Arc<Reaper>) -> Self {
        GuestTask {
            pid,
            ended: false,
            reaper,
            keep: None,
        }
    }

    /// Its host process id.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Somebody has waited for its end: the number may belong to another process now.
    pub(crate) fn set_ended(&mut self) {
        self.ended = true;
    }

    /// Ends it; `keep` is dropped once it is gone.
    pub(super) fn end(mut self, keep: Box<dyn Send>) {
        self.keep = Some(keep);
    }
}

impl Drop for GuestTask {
    fn drop(&mut self) {
        if !self.ended {
            let keep = self.keep.take().unwrap_or_else(|| Box::new(()));
            self.reaper.end(self.pid, keep);
        }
    }
}
