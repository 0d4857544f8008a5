//! What tasks have used, getrusage(2) and times(2).

use std::sync::atomic::{AtomicU64, Ordering};

use syscalls::abi::sched::Rusage;
use syscalls::abi::time::Timeval;

/// Resources used by a thread, a process, or ended children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in application code, nanoseconds.
    pub user_ns: u64,
    /// Processor time in the kernel, nanoseconds.
    pub system_ns: u64,
    /// Largest resident set, bytes.
    pub max_rss: u64,
    /// Page faults.
    pub faults: u64,
    /// Times a thread slept in the kernel.
    pub sleeps: u64,
}

/// What a thread counts as it goes.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) faults: AtomicU64,
    pub(super) sleeps: AtomicU64,
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Nanoseconds in a tick of times(2) and /proc, USER_HZ.
pub const NS_PER_TICK: u64 = 10_000_000;

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn timeval(ns: u64) -> Timeval {
    Timeval {
        sec: signed(ns / 1_000_000_000),
        usec: signed(ns % 1_000_000_000 / 1000),
    }
}

impl Usage {
    /// Processor time, nanoseconds.
    #[must_use]
    pub fn total_ns(&self) -> u64 {
        self.user_ns.saturating_add(self.system_ns)
    }

    /// Adds what another used; the resident set is the larger of the two.
    pub fn add(&mut self, other: &Usage) {
        self.user_ns = self.user_ns.saturating_add(other.user_ns);
        self.system_ns = self.system_ns.saturating_add(other.system_ns);
        self.max_rss = self.max_rss.max(other.max_rss);
        self.faults = self.faults.saturating_add(other.faults);
        self.sleeps = self.sleeps.saturating_add(other.sleeps);
    }

    /// Application and kernel time in ticks of times(2).
    #[must_use]
    pub fn ticks(&self) -> (i64, i64) {
        (
            signed(self.user_ns / NS_PER_TICK),
            signed(self.system_ns / NS_PER_TICK),
        )
    }

    /// For the guest.
    #[must_use]
    pub fn to_abi(&self) -> Rusage {
        Rusage {
            utime: timeval(self.user_ns),
            stime: timeval(self.system_ns),
            maxrss: signed(self.max_rss / 1024),
            minflt: signed(self.faults),
            nvcsw: signed(self.sleeps),
            ..Rusage::default()
        }
    }
}
