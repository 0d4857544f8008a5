//! Signals, signal(7).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::{Level, Mutex};

/// What a process does with each signal, sigaction(2).
pub struct SignalHandlers {}

impl Default for SignalHandlers {
    fn default() -> Self {
        Self {}
    }
}

/// Signals of one thread.
pub struct TaskSignals {
    blocked: AtomicU64,
    pending: Mutex<Vec<i32>>,
}

impl TaskSignals {
    pub(crate) fn new() -> Self {
        TaskSignals {
            blocked: AtomicU64::new(0),
            pending: Mutex::new(Level::Signals, Vec::new()),
        }
    }

    /// The blocked signals; bit 0 is signal 1.
    pub fn blocked(&self) -> u64 {
        self.blocked.load(Ordering::Relaxed)
    }
}

/// Signals sent to a process as a whole.
pub struct GroupSignals {
    pending: Mutex<Vec<i32>>,
}

impl GroupSignals {
    pub(crate) fn new() -> Self {
        GroupSignals {
            pending: Mutex::new(Level::Signals, Vec::new()),
        }
    }
}
