//! Tells when host descriptors become ready.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use platform::host;
use syscalls::Errno;

use crate::sync::{Level, Mutex};
use crate::wait::{Ready, WaitQueue};

/// One thread that sleeps in the host's epoll, started with the first descriptor.
#[derive(Clone)]
pub struct Watcher(Arc<Shared>);

struct Shared {
    epoll: Epoll,
    watched: Mutex<HashMap<u64, Watched>>,
}

struct Watched {
    queue: WaitQueue,
    /// What somebody waits for. Whoever still waits after a notification says so again.
    armed: Ready,
}

/// Host descriptor numbers are not negative.
fn key(fd: impl AsFd) -> u64 {
    u64::try_from(fd.as_fd().as_raw_fd()).unwrap_or(0)
}

impl Watcher {
    /// A watcher without descriptors; its thread sleeps until there is one.
    pub fn new() -> Result<Self, Errno> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(host::errno)?;
        let shared = Arc::new(Shared {
            epoll,
            watched: Mutex::new(Level::Leaf, HashMap::new()),
        });
        let watched = shared.clone();
        std::thread::Builder::new()
            .name("host-fds".into())
            .spawn(move || run(&watched))?;
        Ok(Watcher(shared))
    }

    /// Has `queue` told of readiness of `fd`, each time after [`Self::arm`].
    pub(super) fn add(&self, fd: impl AsFd, queue: &WaitQueue) -> Result<(), Errno> {
        let watched = Watched {
            queue: queue.clone(),
            armed: Ready::empty(),
        };
        self.0.watched.lock().insert(key(&fd), watched);
        let event = EpollEvent::new(EpollFlags::EPOLLONESHOT, key(&fd));
        self.0.epoll.add(fd, event).map_err(host::errno)
    }

    /// Tells once when `fd` is next ready for something of `mask`; at once if it is now.
    pub(super) fn arm(&self, fd: impl AsFd, mask: Ready) {
        let mut watched = self.0.watched.lock();
        let Some(entry) = watched.get_mut(&key(&fd)) else {
            return;
        };
        // Others may wait for something else on the same descriptor.
        entry.armed |= mask & (Ready::IN | Ready::OUT | Ready::PRI);
        let bits = i32::try_from(entry.armed.bits()).unwrap_or(0);
        let flags = EpollFlags::from_bits_truncate(bits) | EpollFlags::EPOLLONESHOT;
        let mut event = EpollEvent::new(flags, key(&fd));
        if let Err(error) = self.0.epoll.modify(fd, &mut event) {
            log::error!("cannot watch a host descriptor: {error}");
        }
    }

    /// `fd` is about to be closed.
    pub(super) fn remove(&self, fd: impl AsFd) {
        self.0.watched.lock().remove(&key(&fd));
        // Closing takes it out as well.
        let _ = self.0.epoll.delete(fd);
    }
}

fn run(shared: &Shared) {
    let mut events = [EpollEvent::empty(); 16];
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
            let queue = shared.watched.lock().get_mut(&event.data()).map(|entry| {
                entry.armed = Ready::empty();
                entry.queue.clone()
            });
            if let Some(queue) = queue {
                queue.notify(Ready::all());
            }
        }
    }
}
