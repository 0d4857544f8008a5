//! What some of the file's users may have of it together, and have.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the pages that were allocated through one kind of handle.
#[derive(Debug)]
pub(super) struct Account {
    /// Pages with at least one reference.
    used: AtomicU64,
    /// Pages.
    limit: AtomicU64,
}

impl Account {
    /// With nothing in it; `limit` in pages.
    pub(super) fn new(limit: u64) -> Self {
        Account {
            used: AtomicU64::new(0),
            limit: AtomicU64::new(limit),
        }
    }

    /// Takes `count` pages; false, and takes none, if they would be too many.
    pub(super) fn charge(&self, count: u64) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let within = |used: u64| used.checked_add(count).filter(|sum| *sum <= limit);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        self.used.fetch_update(set, fetch, within).is_ok()
    }

    /// Gives `count` pages back.
    pub(super) fn discharge(&self, count: u64) {
        self.used.fetch_sub(count, Ordering::Relaxed);
    }

    /// Pages.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// What is there beyond stays.
    pub(super) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }
}
