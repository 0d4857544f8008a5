//! What the container may use.

use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::MAX;
use crate::config::Config;
use crate::sync::{Level, Slot};

/// The container's limits. They may change while it runs.
#[derive(Debug)]
pub struct Limits {
    memory: AtomicU64,
    cpu: Slot<CpuMax>,
    /// Times that memory ran out.
    pub(crate) oom: AtomicU64,
    /// Processes ended for that.
    pub(crate) oom_kills: AtomicU64,
    /// Who outside is told of each of these.
    oom_listener: OnceLock<OwnedFd>,
}

/// Processor time in each period; enforced by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuMax {
    /// Microseconds; `None`: no limit.
    pub quota: Option<u64>,
    /// Microseconds.
    pub period: u64,
}

impl Default for CpuMax {
    fn default() -> Self {
        CpuMax {
            quota: None,
            period: 100_000,
        }
    }
}

impl Limits {
    /// `memory` in bytes; [`MAX`] for no limit.
    #[must_use]
    pub fn new(memory: u64, cpu: CpuMax) -> Self {
        Limits {
            memory: AtomicU64::new(memory),
            cpu: Slot::new(Level::Leaf, cpu),
            oom: AtomicU64::new(0),
            oom_kills: AtomicU64::new(0),
            oom_listener: OnceLock::new(),
        }
    }

    /// Bytes; [`MAX`] for no limit.
    pub fn memory(&self) -> u64 {
        self.memory.load(Ordering::Relaxed)
    }

    pub(crate) fn set_memory(&self, bytes: u64) {
        self.memory.store(bytes, Ordering::Relaxed);
    }

    /// Processor time.
    pub fn cpu(&self) -> CpuMax {
        self.cpu.get()
    }

    /// Shows another limit of processor time.
    pub fn set_cpu(&self, cpu: CpuMax) {
        self.cpu.set(cpu);
    }

    /// From now on a byte is written to `listener` for each process that is ended because
    /// memory had run out. It must not block; there is but one.
    pub fn set_oom_listener(&self, listener: OwnedFd) {
        // A second one is not made.
        let _ = self.oom_listener.set(listener);
    }

    /// Counts a process that is ended because memory has run out.
    pub(crate) fn count_oom_kill(&self) {
        self.oom.fetch_add(1, Ordering::Relaxed);
        self.oom_kills.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells whoever listens of one; false without a listener.
    pub(crate) fn tell_of_oom_kill(&self) -> bool {
        let Some(listener) = self.oom_listener.get() else {
            return false;
        };
        // Full: many are waiting there to be read.
        let _ = nix::unistd::write(listener, b"!");
        true
    }

    /// Times that memory ran out, and processes ended for that.
    pub fn oom_events(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.oom), count(&self.oom_kills))
    }
}

/// What a configuration says: limits, and how many tasks there may be.
#[must_use]
pub(crate) fn limits_of(config: &Config) -> (Limits, u64) {
    let limit = |number: u64| if number == 0 { MAX } else { number };
    let cpu = CpuMax {
        quota: Some(config.cpu_quota).filter(|quota| *quota > 0),
        period: match config.cpu_period {
            0 => CpuMax::default().period,
            period => period,
        },
    };
    let limits = Limits::new(limit(config.memory_limit), cpu);
    (limits, limit(config.pids_limit))
}

/// What of a container's memory its pages may take. The rest is for what the sandbox needs
/// besides on the host, which counts there too: the kernel and its threads, page tables
/// and processes of address spaces.
#[must_use]
pub(crate) fn for_pages(limit: u64) -> u64 {
    const BASE: u64 = 16 << 20;
    const MOST: u64 = 128 << 20;
    if limit == MAX {
        return MAX;
    }
    let own = (BASE + limit / 16).min(MOST).min(limit / 2);
    limit - own
}

#[cfg(test)]
mod tests {
    use super::{MAX, for_pages};

    #[test]
    fn the_kernel_s_share() {
        assert_eq!(for_pages(MAX), MAX);
        assert_eq!(for_pages(64 << 20), 44 << 20);
        assert_eq!(for_pages(4 << 30), (4 << 30) - (128 << 20));
        assert_eq!(for_pages(4 << 20), 2 << 20);
    }
}
