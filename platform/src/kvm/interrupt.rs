//! Ending a switch from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::door::Door;
use crate::Interrupt;

/// No switch is running.
const IDLE: u32 = 0;
/// A switch is running, and nobody wants it to end.
const RUNNING: u32 = 1;
/// The running switch, or else the next one, is to end.
const WANTED: u32 = 2;

/// Shared by a context and those who interrupt it.
#[derive(Default)]
pub(super) struct Interrupter {
    state: AtomicU32,
    /// Where to knock while a switch is running.
    door: Mutex<Option<Arc<Door>>>,
    time: Mutex<Time>,
}

/// For how long a context was inside.
#[derive(Default)]
struct Time {
    before: Duration,
    /// Since when it is.
    since: Option<Instant>,
}

impl Interrupter {
    /// At the start of a switch: false if it is to end at once.
    pub(super) fn start(&self) -> bool {
        let started =
            self.state
                .compare_exchange(IDLE, RUNNING, Ordering::SeqCst, Ordering::SeqCst);
        if started.is_err() {
            self.state.store(IDLE, Ordering::SeqCst);
        }
        started.is_ok()
    }

    /// The thread is inside from now on, or no longer.
    pub(super) fn set_inside(&self, inside: bool) {
        let now = Instant::now();
        let mut time = self.time.lock();
        if let Some(since) = time.since.take() {
            time.before += now - since;
        }
        time.since = inside.then_some(now);
    }

    /// True if somebody wants the switch to end.
    pub(super) fn is_wanted(&self) -> bool {
        self.state.load(Ordering::SeqCst) == WANTED
    }

    /// At the end of a switch. What came meanwhile is for the next, unless the switch
    /// ended because of it.
    pub(super) fn stop(&self, satisfied: bool) {
        if satisfied {
            self.state.store(IDLE, Ordering::SeqCst);
        } else {
            let _ = self
                .state
                .compare_exchange(RUNNING, IDLE, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    /// Sets where to knock. Look at [`Self::is_wanted`] afterwards: who came before found
    /// no door.
    pub(super) fn set_door(&self, door: Option<&Arc<Door>>) {
        *self.door.lock() = door.map(Arc::clone);
    }
}

impl Interrupt for Interrupter {
    fn interrupt(&self) {
        if self.state.swap(WANTED, Ordering::SeqCst) != RUNNING {
            return;
        }
        if let Some(door) = &*self.door.lock() {
            door.knock();
        }
    }

    fn time_inside(&self) -> Option<Duration> {
        let time = self.time.lock();
        let now = time.since.map_or(Duration::ZERO, |since| since.elapsed());
        Some(time.before + now)
    }
}
