//! What processes write soon after fork(2).
//!
//! The first write of parent or child to a page that they share is a fault, and it is nearly
//! always the same pages: the top of the stack, the heap's first page, the C library's data.
//! A fault costs as much as dozens of copied pages. So the places of such faults are
//! remembered, by all relatives together, and the next fork gives the child copies of them
//! at once: then neither side faults there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bytes of a place, aligned.
pub(super) const PLACE: u64 = 16 << 10;
/// As many places are remembered; what comes then takes the place of the oldest.
const PLACES: usize = 12;

/// See the module. Clones are one memory.
#[derive(Clone, Default)]
pub(super) struct Hot(Arc<Places>);

#[derive(Default)]
struct Places {
    /// Start of each; 0 where there is none.
    starts: [AtomicU64; PLACES],
    /// How many there ever were.
    count: AtomicUsize,
}

impl Hot {
    /// A page that relatives shared was written.
    pub(super) fn note(&self, addr: u64) {
        let place = addr & !(PLACE - 1);
        if self.places().any(|known| known == place) {
            return;
        }
        let number = self.0.count.fetch_add(1, Ordering::Relaxed);
        if let Some(start) = self.0.starts.get(number % PLACES) {
            start.store(place, Ordering::Relaxed);
        }
    }

    /// Starts of the places.
    pub(super) fn places(&self) -> impl Iterator<Item = u64> {
        let starts = self.0.starts.iter();
        starts
            .map(|start| start.load(Ordering::Relaxed))
            .filter(|start| *start != 0)
    }
}
