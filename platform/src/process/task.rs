//! A task of a guest thread, seen as a host process.

use nix::unistd::Pid;

/// A task that shares an address space's memory. Dropping it kills it and waits for its
/// end; a traced one must be dropped on the thread that traces it.
pub(crate) struct GuestTask {
    pid: Pid,
    ended: bool,
}

impl GuestTask {
    pub(super) fn new(pid: Pid) -> Self {
        GuestTask { pid, ended: false }
    }

    /// Its host process id.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets it run on any CPU: it was made on the one of this thread.
    pub(crate) fn set_free(&self) {
        super::near::set_free(self.pid);
    }

    /// Somebody has waited for its end: the number may belong to another process now.
    pub(crate) fn set_ended(&mut self) {
        self.ended = true;
    }
}

impl Drop for GuestTask {
    fn drop(&mut self) {
        if !self.ended {
            super::mapper::end(self.pid);
        }
    }
}
