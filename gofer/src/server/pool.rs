//! The threads that serve requests.
//!
//! A thread *searches* (awake, looking at the bits of pending slots), *serves*, or *sleeps*
//! on the bell. The client wakes one only if none searches. So whoever stops searching,
//! to serve or to sleep, looks once more at what is pending, after it has said that it
//! stops; and whoever serves makes sure that another one searches or sleeps, or starts one
//! while there are few. Requests that wait for a disk thus do not hold up others, and a
//! client that asks one thing at a time is served by one thread, without wakeups.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Scope;

use platform::host::{futex, image};
use rustix::event::{PollFd, PollFlags, poll};
use syscalls::Errno;

use super::Server;
use super::dispatch::{self, Scratch};
use crate::wire::{Ring, state};

/// A serving thread's stack, bytes. The largest frame holds a batch of directory entries;
/// what is not touched costs nothing.
const STACK: usize = 256 << 10;

/// What the threads share.
struct Pool<'a> {
    server: &'a Server,
    threads: AtomicUsize,
    stopping: AtomicBool,
}

/// Serves until the socket's other side is gone; then ends the threads.
pub(super) fn run(server: &Server) -> Result<(), Errno> {
    let pool = Pool {
        server,
        threads: AtomicUsize::new(0),
        stopping: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        // Two at once: one serves, the other is there for the next request.
        for _ in 0..server.max_threads.min(2) {
            pool.start_thread(scope)?;
        }
        wait_for_end(&server.socket);
        pool.stopping.store(true, Ordering::SeqCst);
        let bell = server.ring.bell();
        bell.fetch_add(1, Ordering::SeqCst);
        futex::wake(bell, u32::MAX);
        Ok(())
    })
}

fn wait_for_end(socket: &OwnedFd) {
    image::let_go_when_quiet(socket);
    loop {
        // Nothing is ever sent, so whatever happens on the socket is its end.
        let mut fds = [PollFd::new(socket, PollFlags::IN | PollFlags::RDHUP)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) | Ok(0) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

impl Pool<'_> {
    fn start_thread<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Result<(), Errno> {
        self.threads.fetch_add(1, Ordering::SeqCst);
        // Counted here, so that until it runs no further one is started for want of it.
        self.ring().searching().fetch_add(1, Ordering::SeqCst);
        std::thread::Builder::new()
            .name("gofer-serve".into())
            .stack_size(STACK)
            .spawn_scoped(scope, move || {
                let _guard = Guard(&self.server.socket);
                self.work(scope);
            })?;
        Ok(())
    }

    fn ring(&self) -> &Ring {
        &self.server.ring
    }

    /// A thread's life. It begins as one that searches.
    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let ring = self.ring();
        let mut scratch = Scratch::default();
        while !self.stopping.load(Ordering::SeqCst) {
            if let Some(slot) = self.take() {
                ring.searching().fetch_sub(1, Ordering::SeqCst);
                self.see_to_a_successor(scope);
                dispatch::serve(&self.server.files, ring, slot, &mut scratch);
                // Before the client can know, so that it does not wake another thread for
                // its next request.
                ring.searching().fetch_add(1, Ordering::SeqCst);
                let before = ring.state(slot).swap(state::DONE, Ordering::SeqCst);
                if before == state::AWAITED {
                    futex::wake(ring.state(slot), 1);
                }
            } else if !self.spin() {
                self.sleep();
            }
        }
    }

    /// Takes a request that waits.
    fn take(&self) -> Option<usize> {
        let pending = self.ring().pending();
        let without_lowest = |bits: u64| (bits != 0).then(|| bits & (bits - 1));
        let before = pending
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, without_lowest)
            .ok()?;
        usize::try_from(before.trailing_zeros()).ok()
    }

    /// This thread is about to serve: makes sure that the next request finds another.
    fn see_to_a_successor<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let ring = self.ring();
        if ring.searching().load(Ordering::SeqCst) > 0 {
            return;
        }
        if ring.sleeping().load(Ordering::SeqCst) > 0 {
            if ring.pending().load(Ordering::SeqCst) != 0 {
                ring.ring();
            }
        } else if self.threads.load(Ordering::SeqCst) < self.server.max_threads {
            // Without more threads it is slower, no more.
            if let Err(errno) = self.start_thread(scope) {
                log::warn!("another thread: {errno}");
                self.threads.fetch_sub(1, Ordering::SeqCst);
                ring.searching().fetch_sub(1, Ordering::SeqCst);
            }
        }
    }

    /// Looks at the pending bits for a while, if that pays and no other thread does.
    fn spin(&self) -> bool {
        let ring = self.ring();
        if ring.searching().load(Ordering::Relaxed) > 1 {
            return false;
        }
        let crowded = ring.crowded().load(Ordering::Relaxed) != 0;
        let pending = || ring.pending().load(Ordering::Relaxed) != 0;
        self.server.patience.spin(crowded, pending)
    }

    fn sleep(&self) {
        let ring = self.ring();
        let bell = ring.bell().load(Ordering::SeqCst);
        // In this order the client sees at least one of the two.
        ring.sleeping().fetch_add(1, Ordering::SeqCst);
        ring.searching().fetch_sub(1, Ordering::SeqCst);
        let nothing = ring.pending().load(Ordering::SeqCst) == 0;
        if nothing && !self.stopping.load(Ordering::SeqCst) {
            let _ = futex::wait(ring.bell(), bell, None);
        }
        ring.searching().fetch_add(1, Ordering::SeqCst);
        ring.sleeping().fetch_sub(1, Ordering::SeqCst);
    }
}

/// Ends the service if a thread panics: the client then knows, instead of waiting for an
/// answer that never comes.
struct Guard<'a>(&'a OwnedFd);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = rustix::net::shutdown(self.0, rustix::net::Shutdown::Both);
        }
    }
}
