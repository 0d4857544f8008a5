//! What shall become of a process when memory runs out, and when it crashes: what /proc
//! lets it set. Children inherit it, execve(2) keeps it.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// See the module.
#[derive(Debug)]
pub struct WorstCase {
    /// proc_pid_oom_score_adj(5), -1000..=1000.
    pub oom_score_adj: AtomicI32,
    /// What an unprivileged process can lower it to.
    pub oom_score_adj_min: AtomicI32,
    /// Bits of core(5).
    pub coredump_filter: AtomicU32,
}

impl Default for WorstCase {
    fn default() -> Self {
        WorstCase {
            oom_score_adj: AtomicI32::new(0),
            oom_score_adj_min: AtomicI32::new(0),
            coredump_filter: AtomicU32::new(0x33),
        }
    }
}

impl WorstCase {
    /// What a child has of its parent.
    pub(super) fn inherit(&self, parent: &WorstCase) {
        let copy = |to: &AtomicI32, from: &AtomicI32| {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        };
        copy(&self.oom_score_adj, &parent.oom_score_adj);
        copy(&self.oom_score_adj_min, &parent.oom_score_adj_min);
        let filter = parent.coredump_filter.load(Ordering::Relaxed);
        self.coredump_filter.store(filter, Ordering::Relaxed);
    }
}
