//! Tells when host descriptors become ready.
//!
//! One thread sleeps in the host's epoll(7). A descriptor is watched edge-triggered, for what
//! somebody waits for: each change is told once, as the guest's own epoll wants it. One that
//! changes while nobody waits is watched no more until somebody does again. So neither an idle
//! connection costs anything here, nor one that keeps its reader busy.
//!
//! Differs from Linux: an edge-triggered waiter may be told once too often, when it is the
//! first to wait.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use platform::host;
use syscalls::Errno;

use crate::sync::{Level, Mutex};
use crate::wait::{Ready, WaitQueue};

/// The thread, and what it watches; started with the first descriptor.
#[derive(Clone)]
pub struct Watcher(Arc<Shared>);

struct Shared {
    epoll: Epoll,
    next_key: AtomicU64,
    /// Held over changes of what the host watches, so that they come in order.
    watched: Mutex<HashMap<u64, Watched>>,
}

struct Watched {
    fd: Arc<OwnedFd>,
    /// The host knows of it.
    added: bool,
    /// Urgent data were told of and are still there.
    urgent: bool,
    queue: WaitQueue,
    /// What the host tells of now; shared with the [`Watch`].
    interest: Arc<AtomicU32>,
}

/// One descriptor's place; ends with it.
pub(crate) struct Watch {
    watcher: Watcher,
    key: u64,
    interest: Arc<AtomicU32>,
}

/// All that the host can tell of.
pub(super) const ALL: Ready = Ready::READABLE
    .union(Ready::WRITABLE)
    .union(Ready::PRI)
    .union(Ready::RDBAND)
    .union(Ready::WRBAND)
    .union(Ready::RDHUP);

fn event(interest: Ready, key: u64) -> EpollEvent {
    // EPOLL* and POLL* are the same bits.
    let bits = i32::try_from(interest.bits()).unwrap_or(0);
    let flags = EpollFlags::from_bits_truncate(bits) | EpollFlags::EPOLLET;
    EpollEvent::new(flags, key)
}

impl Watcher {
    /// A watcher without descriptors; its thread sleeps until there is one.
    pub fn new() -> Result<Self, Errno> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(host::errno)?;
        let shared = Arc::new(Shared {
            epoll,
            next_key: AtomicU64::new(0),
            watched: Mutex::new(Level::Leaf, HashMap::new()),
        });
        let watched = shared.clone();
        std::thread::Builder::new()
            .name("host-fds".into())
            .spawn(move || run(&watched))?;
        Ok(Watcher(shared))
    }

    /// A place for `fd`, of whose readiness `queue` is told; `EPERM` for what is always ready.
    pub(super) fn add(&self, fd: &Arc<OwnedFd>, queue: &WaitQueue) -> Result<Watch, Errno> {
        let watch = self.place(fd, queue);
        let mut watched = self.0.watched.lock();
        let entry = watched.get_mut(&watch.key);
        let added = entry.map_or(Ok(()), |entry| {
            self.0.watch(entry, Ready::empty(), watch.key)
        });
        drop(watched);
        added.map(|()| watch)
    }

    /// As [`Self::add`], for what can surely be watched: the host hears of it when somebody
    /// waits.
    pub(super) fn place(&self, fd: &Arc<OwnedFd>, queue: &WaitQueue) -> Watch {
        let key = self.0.next_key.fetch_add(1, Ordering::Relaxed);
        let interest = Arc::new(AtomicU32::new(0));
        let watched = Watched {
            fd: fd.clone(),
            added: false,
            urgent: false,
            queue: queue.clone(),
            interest: interest.clone(),
        };
        self.0.watched.lock().insert(key, watched);
        Watch {
            watcher: self.clone(),
            key,
            interest,
        }
    }
}

impl Watch {
    /// From now on the descriptor is watched for `mask`, as long as somebody waits in its
    /// queue: whoever calls this after it has registered there is told. What is ready already
    /// is told too.
    pub(super) fn arm(&self, mask: Ready) {
        let wanted = (mask & ALL).bits();
        if wanted & !self.interest.load(Ordering::SeqCst) == 0 {
            return;
        }
        let shared = &self.watcher.0;
        let mut watched = shared.watched.lock();
        let Some(entry) = watched.get_mut(&self.key) else {
            return;
        };
        let interest = self.interest.fetch_or(wanted, Ordering::SeqCst) | wanted;
        let interest = Ready::from_bits_truncate(interest);
        if let Err(error) = shared.watch(entry, interest, self.key) {
            log::error!("cannot watch a host descriptor: {error}");
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let shared = &self.watcher.0;
        let ended = shared.watched.lock().remove(&self.key);
        if let Some(entry) = ended.filter(|entry| entry.added) {
            // Closing takes it out as well, unless somebody else has it.
            let _ = shared.epoll.delete(&entry.fd);
        }
    }
}

impl Shared {
    fn watch(&self, entry: &mut Watched, interest: Ready, key: u64) -> Result<(), Errno> {
        let mut event = event(interest, key);
        let told = if entry.added {
            self.epoll.modify(&entry.fd, &mut event)
        } else {
            self.epoll.add(&entry.fd, event)
        };
        entry.added |= told.is_ok();
        told.map_err(host::errno)
    }

    /// Who is to be told of an event, and whether urgent data are new in it. Where nobody
    /// waits, the descriptor is watched no more.
    fn waiters(&self, key: u64, ready: Ready) -> Option<(WaitQueue, bool)> {
        let mut watched = self.watched.lock();
        let entry = watched.get_mut(&key)?;
        let interest = entry.interest.swap(0, Ordering::SeqCst);
        // Who waits registers first and then looks at the interest.
        if entry.queue.has_waiters() {
            entry.interest.store(interest, Ordering::SeqCst);
            let before = std::mem::replace(&mut entry.urgent, ready.contains(Ready::PRI));
            return Some((entry.queue.clone(), entry.urgent && !before));
        }
        // Where that fails, it is told of in vain.
        let _ = self.watch(entry, Ready::empty(), key);
        None
    }
}

fn run(shared: &Shared) {
    let mut events = [EpollEvent::empty(); 64];
    loop {
        let count = match shared.epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => {
                log::error!("host descriptors are no longer watched: {error}");
                return;
            }
        };
        for event in events.iter().take(count) {
            let bits = u32::from_ne_bytes(event.events().bits().to_ne_bytes());
            let ready = Ready::from_bits_truncate(bits);
            if let Some((queue, urgent)) = shared.waiters(event.data(), ready) {
                queue.notify(ready);
                // Apart, for those to whom it is a signal.
                if urgent && ready != Ready::PRI {
                    queue.notify(Ready::PRI);
                }
            }
        }
    }
}
