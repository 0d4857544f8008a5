//! epoll(7).
//!
//! Each registered file has an [`Item`] that stands in the file's wait queue. What the
//! file tells it puts it on the ready list; epoll_wait(2) takes items off, looks again
//! whether they are ready, and puts level-triggered ones back.

mod calls;
mod file;
mod item;

use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::{Arc, Weak};

use syscalls::abi::fs::EpollEvent;
use syscalls::errno::{EBADF, EEXIST, EINVAL, ELOOP, ENOENT, EPERM};
use syscalls::{Errno, Fd};

use self::item::{Item, Want};
use crate::sync::{Level, Mutex};
use crate::vfs::File;
use crate::wait::{Ready, WaitQueue};

pub use file::EpollFile;

/// The deepest nesting of epolls below another, as Linux's EP_MAX_NESTS.
const MAX_NESTING: usize = 4;

/// Descriptor number and description: the same number may come to mean another file.
type Key = (Fd, usize);

/// What is registered. Files that are closed stay until there are as many of them as others:
/// so an addition costs the same however many there are.
#[derive(Default)]
struct Interest {
    items: BTreeMap<Key, Arc<Item>>,
    /// How many items call for a look at which files are closed.
    full: usize,
}

impl Interest {
    /// As many as are not worth the look.
    const FEW: usize = 64;

    /// `EEXIST` if the file has an item already.
    fn insert(&mut self, key: Key, item: Arc<Item>) -> Result<(), Errno> {
        if self.items.len() >= self.full {
            self.items.retain(|_, item| item.file().is_some());
            self.full = (2 * self.items.len()).max(Self::FEW);
        }
        // A closed file's address is not given again while an item remembers it.
        match self.items.entry(key) {
            Entry::Occupied(_) => Err(EEXIST),
            Entry::Vacant(vacant) => {
                vacant.insert(item);
                Ok(())
            }
        }
    }
}

/// An epoll instance.
pub struct Epoll {
    interest: Mutex<Interest>,
    ready: Arc<ReadyList>,
}

/// Items that may be ready. Apart from the instance, because items point to it.
pub(crate) struct ReadyList {
    items: Mutex<VecDeque<Arc<Item>>>,
    queue: WaitQueue,
}

impl ReadyList {
    /// Puts an item on the list unless it is there, and tells who waits.
    fn push(&self, item: Arc<Item>) {
        if item.list() {
            self.items.lock().push_back(item);
        }
        self.queue.notify(Ready::READABLE);
    }

    fn has_waiters(&self) -> bool {
        self.queue.has_waiters()
    }

    fn pop(&self) -> Option<Arc<Item>> {
        let item = self.items.lock().pop_front()?;
        item.unlist();
        Some(item)
    }
}

fn key(fd: Fd, file: &Arc<File>) -> Key {
    (fd, Arc::as_ptr(file).addr())
}

impl Default for Epoll {
    fn default() -> Self {
        let items = Mutex::new(Level::Wait, VecDeque::new());
        Epoll {
            interest: Mutex::new(Level::Epoll, Interest::default()),
            ready: Arc::new(ReadyList {
                items,
                queue: WaitQueue::new(),
            }),
        }
    }
}

impl Epoll {
    /// EPOLL_CTL_ADD.
    pub fn add(&self, fd: Fd, file: &Arc<File>, event: EpollEvent) -> Result<(), Errno> {
        let want = Want::new(event)?;
        let Some(queue) = file.ops.wait_queue() else {
            return Err(EPERM.why("the file cannot be waited for"));
        };
        if let Some(inner) = file.downcast::<EpollFile>() {
            if want.exclusive() {
                return Err(EINVAL);
            }
            // The instance itself counts as one level.
            if inner.epoll().nesting(self, MAX_NESTING).is_none() {
                return Err(ELOOP);
            }
        }
        let item = Item::new(fd, file, want, &self.ready);
        self.interest.lock().insert(key(fd, file), item.clone())?;
        item.register(&queue);
        self.look(&item, file);
        Ok(())
    }

    /// EPOLL_CTL_MOD.
    pub fn modify(&self, fd: Fd, file: &Arc<File>, event: EpollEvent) -> Result<(), Errno> {
        let want = Want::new(event)?;
        let item = self
            .interest
            .lock()
            .items
            .get(&key(fd, file))
            .cloned()
            .ok_or(ENOENT)?;
        if want.exclusive() || item.want().exclusive() {
            return Err(EINVAL);
        }
        item.set_want(want);
        if let Some(queue) = file.ops.wait_queue() {
            item.register(&queue);
        }
        self.look(&item, file);
        Ok(())
    }

    /// EPOLL_CTL_DEL.
    pub fn remove(&self, fd: Fd, file: &Arc<File>) -> Result<(), Errno> {
        let item = self
            .interest
            .lock()
            .items
            .remove(&key(fd, file))
            .ok_or(ENOENT)?;
        item.disable();
        Ok(())
    }

    /// A file that is ready already counts as having just become so.
    fn look(&self, item: &Arc<Item>, file: &File) {
        if item.ready_now(file).is_some() {
            self.ready.push(item.clone());
        }
    }

    /// Takes up to `max` events.
    pub fn take(&self, max: usize) -> Vec<EpollEvent> {
        let mut events = Vec::new();
        let mut again = Vec::new();
        // What becomes ready again meanwhile is for the next call: no file is told twice.
        let listed = self.ready.items.lock().len();
        for _ in 0..listed {
            if events.len() >= max {
                break;
            }
            let Some(item) = self.ready.pop() else { break };
            let Some(file) = item.file() else { continue };
            let Some(ready) = item.ready_now(&file) else {
                continue;
            };
            events.push(item.report(ready));
            if item.stays_listed() {
                again.push(item);
            }
        }
        // At the end of the list, so that others have their turn, and without telling
        // anybody: nothing new has happened.
        let mut list = self.ready.items.lock();
        for item in again {
            if item.list() {
                list.push_back(item);
            }
        }
        events
    }

    /// True if [`Self::take`] would give something.
    pub fn is_ready(&self) -> bool {
        let items: Vec<_> = self.ready.items.lock().iter().cloned().collect();
        items.iter().any(|item| {
            item.file()
                .is_some_and(|file| item.ready_now(&file).is_some())
        })
    }

    /// Told when [`Self::is_ready`] may have become true.
    pub fn queue(&self) -> &WaitQueue {
        &self.ready.queue
    }

    /// The depth of epolls below and including this one; `None` if it is more than
    /// `left` or `outer` is among them.
    fn nesting(&self, outer: &Epoll, left: usize) -> Option<usize> {
        if std::ptr::eq(self, outer) || left == 0 {
            return None;
        }
        let files: Vec<_> = self
            .interest
            .lock()
            .items
            .values()
            .filter_map(|item| item.file())
            .collect();
        let inner = files.iter().filter_map(|file| file.downcast::<EpollFile>());
        let mut depth = 1;
        for epoll in inner {
            depth = depth.max(1 + epoll.epoll().nesting(outer, left - 1)?);
        }
        Some(depth)
    }

    /// For /proc/PID/fdinfo.
    fn describe(&self) -> String {
        let interest = self.interest.lock();
        let line = |item: &Arc<Item>| {
            let event = item.want().event();
            let (events, data) = (event.events, event.data);
            format!(
                "tfd: {:8} events: {events:8x} data: {data:16x}\n",
                item.fd().0
            )
        };
        let open = interest.items.values().filter(|i| i.file().is_some());
        open.map(line).collect()
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        for item in self.interest.lock().items.values() {
            item.disable();
        }
    }
}

/// A weak reference to a file, for items.
type FileRef = Weak<File>;

/// `EBADF`/`EINVAL` for a descriptor that is no epoll.
fn epoll_of(file: &File) -> Result<&Epoll, Errno> {
    file.downcast::<EpollFile>()
        .map(EpollFile::epoll)
        .ok_or(EINVAL)
}

/// The error of a target that is not open.
const NOT_OPEN: Errno = EBADF;
