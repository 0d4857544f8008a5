//! How long to spin before sleeping. A wakeup that crosses CPUs costs some 50 µs on a
//! virtual machine, a word that changes under a spinning reader 0.1 µs; but on a CPU that
//! the other side needs, spinning only delays it. Nobody tells which it is, so each side
//! goes by what spinning brought lately.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A spin's length: about what a wakeup costs, so that spinning in vain at worst doubles it.
const LIMIT: Duration = Duration::from_micros(50);
/// Looks at the word between two looks at the clock.
const LOOKS: u32 = 64;
/// After a failure, waits that sleep at once; doubled by each further one, up to `MAX_PENANCE`.
const MIN_PENANCE: u32 = 4;
const MAX_PENANCE: u32 = 256;

/// Remembers whether spinning pays. Approximate under concurrency, which does no harm.
#[derive(Debug)]
pub(crate) struct Patience {
    /// Waits that are still to sleep at once.
    penance: AtomicU32,
    /// The next penance.
    next: AtomicU32,
    alone: bool,
}

impl Patience {
    pub(crate) fn new() -> Self {
        let cpus = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count());
        Patience {
            penance: AtomicU32::new(0),
            next: AtomicU32::new(MIN_PENANCE),
            alone: cpus < 2,
        }
    }

    /// Spins until `done`, if that is promising; returns whether it became true.
    pub(crate) fn spin(&self, crowded: bool, done: impl Fn() -> bool) -> bool {
        if done() {
            return true;
        }
        if self.alone || crowded {
            return false;
        }
        let penance = self.penance.load(Ordering::Relaxed);
        if penance > 0 {
            self.penance.store(penance - 1, Ordering::Relaxed);
            return false;
        }
        if spin(done) {
            self.next.store(MIN_PENANCE, Ordering::Relaxed);
            true
        } else {
            let next = self.next.load(Ordering::Relaxed);
            self.penance.store(next, Ordering::Relaxed);
            self.next
                .store(next.saturating_mul(2).min(MAX_PENANCE), Ordering::Relaxed);
            false
        }
    }
}

fn spin(done: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    loop {
        for _ in 0..LOOKS {
            if done() {
                return true;
            }
            std::hint::spin_loop();
        }
        if start.elapsed() >= LIMIT {
            return false;
        }
    }
}
