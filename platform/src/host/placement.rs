//! On which CPUs threads of this process run.
//!
//! A thread that runs a guest is bound to one CPU now and then (`process::pair`), and a
//! thread that it starts inherits that.

use std::sync::OnceLock;

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::{Pid, gettid};

static EVERYWHERE: OnceLock<CpuSet> = OnceLock::new();

/// The calling thread, in calls of the host.
const THIS: Pid = Pid::from_raw(0);

/// Where this process may run at all, as the first caller found it: one that was not bound
/// to a CPU.
pub(crate) fn everywhere() -> Option<CpuSet> {
    if EVERYWHERE.get().is_none() {
        let all = sched_getaffinity(THIS).ok()?;
        let _ = EVERYWHERE.set(all);
    }
    EVERYWHERE.get().copied()
}

/// Lets the calling thread run wherever the process may: for threads that serve everybody
/// and are started by whoever needs them first.
pub fn run_anywhere() {
    if let Some(all) = EVERYWHERE.get() {
        // A host may forbid it.
        let _ = sched_setaffinity(THIS, all);
    }
}

/// Has a task run on the CPU where the calling thread is, and nowhere else. Returns the CPU;
/// `None` if the host forbids it.
pub(crate) fn bring_here(task: Pid) -> Option<usize> {
    let here = sched_getcpu().ok()?;
    let mut one = CpuSet::new();
    one.set(here).ok()?;
    sched_setaffinity(task, &one).ok().map(|()| here)
}

/// A thread of this process, to be placed by others. It must not have ended.
pub struct HostThread(Pid);

impl HostThread {
    /// The calling thread.
    #[must_use]
    pub fn this() -> Self {
        HostThread(gettid())
    }

    /// Has it run on the CPU where the calling thread is, until it is placed otherwise: as if
    /// the calling thread had just started it. Nothing depends on success: a host may forbid
    /// it.
    pub fn bring_here(&self) {
        bring_here(self.0);
    }
}

/// Has the calling thread run only where `cpus` says: bit n is the n-th of those where the
/// process may run at all. Does nothing if none of these is one.
pub(crate) fn confine(cpus: u64) {
    let Some(all) = everywhere() else { return };
    let mut home = CpuSet::new();
    let members = (0..CpuSet::count()).filter(|cpu| all.is_set(*cpu) == Ok(true));
    let wanted = members.enumerate().take(64);
    let wanted = wanted.filter(|(n, _)| cpus >> n & 1 == 1);
    let set = wanted.filter(|(_, cpu)| home.set(*cpu).is_ok()).count();
    if set > 0 {
        // A host may forbid it.
        let _ = sched_setaffinity(THIS, &home);
    }
}
