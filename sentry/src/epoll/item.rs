//! One file in an epoll's interest list.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use syscalls::abi::fs::{EpollEvent, EpollEvents};
use syscalls::errno::EINVAL;
use syscalls::{Errno, Fd};

use super::{FileRef, ReadyList};
use crate::sync::{Level, Mutex};
use crate::vfs::File;
use crate::wait::{Ready, Registration, WaitQueue, Wake};

/// What the program wants to know, and how.
#[derive(Clone, Copy)]
pub(super) struct Want {
    events: EpollEvents,
    data: u64,
    /// EPOLLONESHOT has struck: nothing until EPOLL_CTL_MOD.
    spent: bool,
}

impl Want {
    /// Checks an event; `EINVAL` for what EPOLLEXCLUSIVE does not go with.
    pub(super) fn new(event: EpollEvent) -> Result<Self, Errno> {
        let events = EpollEvents::from_bits_retain(event.events);
        let with_exclusive = EpollEvents::IN
            | EpollEvents::OUT
            | EpollEvents::WAKEUP
            | EpollEvents::ET
            | EpollEvents::EXCLUSIVE
            | EpollEvents::from_bits_retain(Ready::ALWAYS.bits());
        if events.contains(EpollEvents::EXCLUSIVE) && !with_exclusive.contains(events) {
            return Err(EINVAL);
        }
        Ok(Want {
            events,
            data: event.data,
            spent: false,
        })
    }

    pub(super) fn exclusive(&self) -> bool {
        self.events.contains(EpollEvents::EXCLUSIVE)
    }

    fn mask(&self) -> Ready {
        if self.spent {
            return Ready::empty();
        }
        Ready::from_bits_truncate(self.events.bits()) | Ready::ALWAYS
    }

    pub(super) fn event(&self) -> EpollEvent {
        EpollEvent {
            events: self.events.bits(),
            data: self.data,
        }
    }
}

/// See the module.
pub(super) struct Item {
    fd: Fd,
    file: FileRef,
    want: Mutex<Want>,
    registration: Mutex<Option<Registration>>,
    list: std::sync::Weak<ReadyList>,
    listed: AtomicBool,
    this: std::sync::Weak<Item>,
}

impl Item {
    pub(super) fn new(fd: Fd, file: &Arc<File>, want: Want, list: &Arc<ReadyList>) -> Arc<Self> {
        Arc::new_cyclic(|this| Item {
            fd,
            file: Arc::downgrade(file),
            want: Mutex::new(Level::Leaf, want),
            registration: Mutex::new(Level::Futex, None),
            list: Arc::downgrade(list),
            listed: AtomicBool::new(false),
            this: this.clone(),
        })
    }

    pub(super) fn fd(&self) -> Fd {
        self.fd
    }

    /// The file, while it is open.
    pub(super) fn file(&self) -> Option<Arc<File>> {
        self.file.upgrade()
    }

    pub(super) fn want(&self) -> Want {
        *self.want.lock()
    }

    pub(super) fn set_want(&self, want: Want) {
        *self.want.lock() = want;
    }

    /// Stands in the file's queue from now on, for what is wanted now.
    pub(super) fn register(self: &Arc<Self>, queue: &WaitQueue) {
        let want = self.want();
        let new = if want.exclusive() {
            queue.register_exclusive(self.clone(), want.mask())
        } else {
            queue.register(self.clone(), want.mask())
        };
        let old = self.registration.lock().replace(new);
        drop(old);
    }

    /// Never becomes ready again.
    pub(super) fn disable(&self) {
        self.want.lock().spent = true;
        let old = self.registration.lock().take();
        drop(old);
    }

    /// What is wanted and true of the file now; `None` if nothing.
    pub(super) fn ready_now(&self, file: &File) -> Option<Ready> {
        let mask = self.want().mask();
        if mask.is_empty() {
            return None;
        }
        Some(file.ops.poll() & mask).filter(|ready| !ready.is_empty())
    }

    /// The event to tell; one-shot items are spent by it.
    pub(super) fn report(&self, ready: Ready) -> EpollEvent {
        let mut want = self.want.lock();
        want.spent |= want.events.contains(EpollEvents::ONESHOT);
        EpollEvent {
            events: ready.bits(),
            data: want.data,
        }
    }

    /// Level-triggered items are told again as long as they are ready.
    pub(super) fn stays_listed(&self) -> bool {
        let want = self.want();
        !want.spent && !want.events.contains(EpollEvents::ET)
    }

    /// Marks the item as on the ready list; false if it was.
    pub(super) fn list(&self) -> bool {
        !self.listed.swap(true, Ordering::SeqCst)
    }

    pub(super) fn unlist(&self) {
        self.listed.store(false, Ordering::SeqCst);
    }
}

impl Wake for Item {
    fn wakes_somebody(&self) -> bool {
        self.list.upgrade().is_some_and(|list| list.has_waiters())
    }

    fn wake(&self, ready: Ready) {
        if self.want().mask().intersects(ready)
            && let (Some(list), Some(this)) = (self.list.upgrade(), self.this.upgrade())
        {
            list.push(this);
        }
    }
}
