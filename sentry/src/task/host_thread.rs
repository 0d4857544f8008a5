//! Host threads for tasks.
//!
//! A thread that has lived its task's life waits a moment for another one: threads that come
//! and go, as of a program that starts one for each piece of work, then cost a wakeup instead
//! of a new stack and a new host thread each.

use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use platform::host::placement::HostThread;

use crate::sync::{Level, Mutex};

/// Host stack of a task, bytes. Only what is touched costs memory.
const STACK: usize = 512 << 10;
/// No more threads than these wait.
const SPARE: usize = 8;
/// For how long each does.
const PATIENCE: Duration = Duration::from_secs(1);

type Life = Box<dyn FnOnce() + Send>;

/// Threads that wait.
static IDLE: Mutex<Vec<Arc<Idle>>> = Mutex::new(Level::Wait, Vec::new());

struct Idle {
    thread: Thread,
    place: HostThread,
    next: Mutex<Option<Life>>,
}

/// Runs `life` on a host thread fit for a task.
pub(crate) fn spawn(life: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let idle = IDLE.lock().pop();
    if let Some(idle) = idle {
        idle.give(Box::new(life));
        return Ok(());
    }
    thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || {
            let _guard = AbortOnPanic;
            life();
            serve();
        })
        .map(drop)
}

/// Lives one life after the other, until none has come for a while.
fn serve() {
    let own = Arc::new(Idle {
        thread: thread::current(),
        place: HostThread::this(),
        next: Mutex::new(Level::Leaf, None),
    });
    loop {
        {
            let mut idle = IDLE.lock();
            if idle.len() >= SPARE {
                return;
            }
            idle.push(Arc::clone(&own));
        }
        let Some(life) = own.wait() else { return };
        life();
    }
}

impl Idle {
    fn give(&self, life: Life) {
        // A wakeup of another CPU is what costs most (`platform`'s `process::pair`), and a
        // new thread would have begun here, too.
        self.place.bring_here();
        *self.next.lock() = Some(life);
        self.thread.unpark();
    }

    /// `None` if nothing came in time.
    fn wait(self: &Arc<Self>) -> Option<Life> {
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(life) = self.next.lock().take() {
                return Some(life);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                thread::park_timeout(left);
            } else if self.withdraw() {
                return None;
            } else {
                // Somebody is about to give it one.
                deadline += PATIENCE;
            }
        }
    }

    /// Whether it was still waiting, and does no longer.
    fn withdraw(self: &Arc<Self>) -> bool {
        let mut idle = IDLE.lock();
        let at = idle.iter().position(|other| Arc::ptr_eq(self, other));
        at.map(|at| idle.remove(at)).is_some()
    }
}

/// A panic on one thread would leave the others waiting for it: better a clear end.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread::ThreadId;

    use super::*;

    #[test]
    fn lives_are_lived_once_each_and_threads_used_again() {
        let (send, lived) = channel();
        let live = |n: usize| {
            let send = send.clone();
            let life = move || send.send((n, thread::current().id())).unwrap();
            spawn(life).unwrap();
        };
        let mut ids: Vec<ThreadId> = Vec::new();
        for n in 0..50 {
            live(n);
            let (lived, id) = lived.recv().unwrap();
            assert_eq!(lived, n);
            ids.push(id);
            // Until it waits.
            while !IDLE.lock().iter().any(|idle| idle.thread.id() == id) {
                thread::yield_now();
            }
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
        for n in 0..3 * SPARE {
            live(n);
        }
        let mut all: Vec<usize> = (0..3 * SPARE).map(|_| lived.recv().unwrap().0).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..3 * SPARE));
        assert!(IDLE.lock().len() <= SPARE);
    }
}
