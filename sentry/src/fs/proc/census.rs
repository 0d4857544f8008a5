//! Sums over all processes.

use std::sync::Arc;

use crate::kernel::Kernel;
use crate::task::{Task, Usage};
use crate::time::now_monotonic;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::fs) struct Census {
    /// Threads.
    pub(in crate::fs) threads: usize,
    /// Threads that run, or would if they had a processor.
    pub(in crate::fs) running: usize,
    /// What all have used, the dead that were waited for included.
    pub(in crate::fs) usage: Usage,
    /// Anonymous memory, bytes; pages that processes share count for each.
    pub(in crate::fs) anonymous: u64,
    /// Pages of files that are mapped, bytes, likewise.
    pub(in crate::fs) mapped: u64,
    /// Private writable memory, touched or not, bytes.
    pub(in crate::fs) committed: u64,
}

impl Census {
    pub(in crate::fs) fn take(kernel: &Kernel) -> Self {
        let mut census = Census::default();
        for group in kernel.pids.groups() {
            census.usage.add(&group.usage());
            census.usage.add(&group.children_usage());
            let threads = group.threads();
            census.threads += threads.len();
            let stopped = group.is_stopped();
            let runs = |thread: &&Arc<Task>| !stopped && !thread.is_sleeping();
            census.running += threads.iter().filter(runs).count();
            if let Some(mm) = threads.first().and_then(|thread| thread.mm.get()) {
                let memory = mm.usage();
                census.anonymous += memory.rss_anonymous;
                census.mapped += memory.rss_file;
                census.committed += memory.data + memory.stack;
            }
        }
        census
    }

    /// Load averages now.
    pub(in crate::fs) fn load(&self, kernel: &Kernel) -> [f64; 3] {
        kernel.load.averages(now_monotonic(), self.usage.total_ns())
    }
}
