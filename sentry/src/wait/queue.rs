//! Who waits for an object.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::Ready;
use crate::sync::{Level, Mutex};

/// Someone to be told that an object became ready: a parked task, an epoll entry.
pub trait Wake: Send + Sync {
    /// Told outside all locks of the queue. May be called spuriously and from any thread.
    fn wake(&self, ready: Ready);

    /// False if nobody would go on because of it: then the next exclusive waiter is told
    /// too. Asked under the lock of the queue, of those that stand in it.
    fn wakes_somebody(&self) -> bool {
        true
    }
}

struct Entry {
    id: u64,
    mask: Ready,
    exclusive: bool,
    waker: Arc<dyn Wake>,
}

struct Inner {
    /// Length of `entries`, readable without the lock: most notifications find nobody.
    waiters: AtomicU32,
    next_id: AtomicU64,
    entries: Mutex<Vec<Entry>>,
}

/// The waiters of one object. Cheap to clone: clones share the waiters.
#[derive(Clone)]
pub struct WaitQueue(Arc<Inner>);

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitQueue {
    /// A queue without waiters.
    #[must_use]
    pub fn new() -> Self {
        WaitQueue(Arc::new(Inner {
            waiters: AtomicU32::new(0),
            next_id: AtomicU64::new(0),
            entries: Mutex::new(Level::Wait, Vec::new()),
        }))
    }

    /// Has `waker` told when something of `mask` happens, until the registration is
    /// dropped. Check the object once more after registering.
    pub fn register(&self, waker: Arc<dyn Wake>, mask: Ready) -> Registration {
        self.insert(waker, mask, false)
    }

    /// As [`Self::register`], but of all exclusive waiters a notification tells only one
    /// (accept(2), `EPOLLEXCLUSIVE`).
    pub fn register_exclusive(&self, waker: Arc<dyn Wake>, mask: Ready) -> Registration {
        self.insert(waker, mask, true)
    }

    fn insert(&self, waker: Arc<dyn Wake>, mask: Ready, exclusive: bool) -> Registration {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        self.0.entries.lock().push(Entry {
            id,
            mask: mask | Ready::ALWAYS,
            exclusive,
            waker,
        });
        self.0.waiters.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fence in `notify`: either the notifier sees this waiter, or the
        // waiter's next look at the object sees what the notifier did.
        fence(Ordering::SeqCst);
        Registration {
            queue: self.clone(),
            id,
        }
    }

    /// Tells the waiters that asked for something in `ready`. Call it after the object
    /// changed and outside its lock.
    pub fn notify(&self, ready: Ready) {
        fence(Ordering::SeqCst);
        if self.0.waiters.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut told_exclusive = false;
        let wakers: Vec<_> = {
            let entries = self.0.entries.lock();
            let hit = entries.iter().filter(|e| e.mask.intersects(ready));
            // Of the exclusive ones, all up to the first that wakes somebody.
            let chosen = hit.filter(|e| {
                let passed_over = e.exclusive && told_exclusive;
                told_exclusive |= e.exclusive && e.waker.wakes_somebody();
                !passed_over
            });
            chosen.map(|e| e.waker.clone()).collect()
        };
        for waker in wakers {
            waker.wake(ready);
        }
    }

    /// True if anybody waits.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.waiters.load(Ordering::Relaxed) != 0
    }
}

/// Keeps a waker in a queue; dropping takes it out.
#[must_use = "dropping the registration ends it"]
pub struct Registration {
    queue: WaitQueue,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let removed = {
            let mut entries = self.queue.0.entries.lock();
            entries
                .iter()
                .position(|e| e.id == self.id)
                .map(|at| entries.remove(at))
        };
        if removed.is_some() {
            self.queue.0.waiters.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
