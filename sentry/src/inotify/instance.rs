//! An inotify instance: what it watches, and the events that nobody has read yet.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::abi::fs::{InotifyEvent, WatchMask};
use syscalls::errno::{EEXIST, EINVAL, EMFILE, ENOSPC};
use zerocopy::IntoBytes;

use super::watchers::{Mark, Watchers};
use crate::kernel::Kernel;
use crate::sync::{Level, Mutex};
use crate::task::User;
use crate::vfs::{InodeRef, SuperBlock};
use crate::wait::{Ready, WaitQueue};

/// `wd` of events that belong to no watch.
const NO_WATCH: i32 = -1;
/// Names are padded to a multiple of this, so that the next event is aligned.
const NAME_UNIT: usize = size_of::<InotifyEvent>();

/// All instances, for the end of a file system.
static INSTANCES: Mutex<Vec<Weak<Instance>>> = Mutex::new(Level::Leaf, Vec::new());

/// An event that waits to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    wd: i32,
    mask: WatchMask,
    cookie: u32,
    name: Vec<u8>,
}

impl Event {
    /// Bytes of the name with its padding.
    fn name_space(&self) -> usize {
        match self.name.len() {
            0 => 0,
            // At least one NUL follows.
            len => (len + 1).next_multiple_of(NAME_UNIT),
        }
    }

    pub(super) fn size(&self) -> usize {
        size_of::<InotifyEvent>() + self.name_space()
    }

    /// As read(2) gives it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let space = self.name_space();
        let head = InotifyEvent {
            wd: self.wd,
            mask: self.mask.bits(),
            cookie: self.cookie,
            len: u32::try_from(space).unwrap_or(0),
        };
        let mut bytes = head.as_bytes().to_vec();
        bytes.extend_from_slice(&self.name);
        bytes.resize(size_of::<InotifyEvent>() + space, 0);
        bytes
    }

    /// Nobody could tell `self` from `last` (the cookie does not count).
    fn repeats(&self, last: &Event) -> bool {
        (self.wd, self.mask, &self.name) == (last.wd, last.mask, &last.name)
    }
}

struct State {
    /// What each watch watches.
    watches: BTreeMap<i32, InodeRef>,
    /// The last number given.
    last: i32,
    events: VecDeque<Event>,
}

/// See the module.
pub(super) struct Instance {
    this: Weak<Instance>,
    state: Mutex<State>,
    pub(super) readers: WaitQueue,
    user: Arc<User>,
    max_events: usize,
}

impl Instance {
    /// `EMFILE` where `user` has too many.
    pub(super) fn new(kernel: &Kernel, user: Arc<User>) -> Result<Arc<Self>, Errno> {
        let limit = |name, default| {
            let number = kernel.sysctls.number(name, default);
            u64::try_from(number).unwrap_or(0)
        };
        let most = limit("fs.inotify.max_user_instances", 128);
        let instances = &user.inotify_instances;
        if instances.fetch_add(1, Ordering::Relaxed) >= most {
            instances.fetch_sub(1, Ordering::Relaxed);
            return Err(EMFILE);
        }
        let max_events = limit("fs.inotify.max_queued_events", 16_384);
        let made = Arc::new_cyclic(|this| Instance {
            this: this.clone(),
            state: Mutex::new(
                Level::Inotify,
                State {
                    watches: BTreeMap::new(),
                    last: 0,
                    events: VecDeque::new(),
                },
            ),
            readers: WaitQueue::new(),
            user,
            max_events: usize::try_from(max_events).unwrap_or(usize::MAX),
        });
        let mut instances = INSTANCES.lock();
        instances.retain(|instance| instance.strong_count() > 0);
        instances.push(made.this.clone());
        Ok(made)
    }

    /// Watches `inode`, or changes the watch that there is; returns its number. `EEXIST`
    /// (IN_MASK_CREATE), `ENOSPC` beyond `most` watches of the user.
    pub(super) fn watch(&self, inode: &InodeRef, mask: WatchMask, most: u64) -> Result<i32, Errno> {
        let watchers = Watchers::of(inode)?;
        let mut state = self.state.lock();
        if let Some(wd) = watchers.number(&self.this) {
            if mask.contains(WatchMask::MASK_CREATE) {
                return Err(EEXIST);
            }
            watchers.change(&self.this, mask);
            return Ok(wd);
        }
        let watches = &self.user.inotify_watches;
        if watches.fetch_add(1, Ordering::Relaxed) >= most {
            watches.fetch_sub(1, Ordering::Relaxed);
            return Err(ENOSPC);
        }
        let wd = state.free_number();
        state.last = wd;
        state.watches.insert(wd, inode.clone());
        watchers.add(Mark::new(self.this.clone(), wd, mask));
        Ok(wd)
    }

    /// Ends a watch; IN_IGNORED follows. `EINVAL` for a number that is none.
    pub(super) fn unwatch(&self, wd: i32) -> Result<(), Errno> {
        let inode = self.state.lock().watches.remove(&wd).ok_or(EINVAL)?;
        self.forget(&inode);
        self.queue(Event {
            wd,
            mask: WatchMask::IGNORED,
            cookie: 0,
            name: Vec::new(),
        });
        Ok(())
    }

    fn forget(&self, inode: &InodeRef) {
        if let Some(watchers) = inode.attachments().get::<Watchers>() {
            watchers.remove(&self.this);
        }
        self.user.inotify_watches.fetch_sub(1, Ordering::Relaxed);
    }

    /// An event for the watch `wd`, if it still exists.
    pub(super) fn tell(&self, wd: i32, mask: WatchMask, cookie: u32, name: &[u8]) {
        if self.state.lock().watches.contains_key(&wd) {
            self.queue(Event {
                wd,
                mask,
                cookie,
                name: name.to_vec(),
            });
        }
    }

    fn queue(&self, event: Event) {
        {
            let mut state = self.state.lock();
            let events = &mut state.events;
            if events.back().is_some_and(|last| event.repeats(last)) {
                return;
            }
            if events.len() < self.max_events {
                events.push_back(event);
            } else if events.len() == self.max_events {
                events.push_back(Event {
                    wd: NO_WATCH,
                    mask: WatchMask::Q_OVERFLOW,
                    cookie: 0,
                    name: Vec::new(),
                });
            } else {
                return;
            }
        }
        self.readers.notify(Ready::READABLE);
    }

    /// The next event, if it fits `room` bytes; `EINVAL` if it does not, `None` if there
    /// is none.
    pub(super) fn take(&self, room: usize) -> Result<Option<Event>, Errno> {
        let mut state = self.state.lock();
        match state.events.front() {
            Some(event) if event.size() > room => Err(EINVAL),
            _ => Ok(state.events.pop_front()),
        }
    }

    pub(super) fn has_events(&self) -> bool {
        !self.state.lock().events.is_empty()
    }

    /// Bytes that are to be read.
    pub(super) fn pending(&self) -> usize {
        self.state.lock().events.iter().map(Event::size).sum()
    }

    /// Number, inode and mask of each watch, the newest first as Linux lists them.
    pub(super) fn list(&self) -> Vec<(i32, InodeRef, WatchMask)> {
        let watches: Vec<_> = {
            let state = self.state.lock();
            let watches = state.watches.iter().rev();
            watches.map(|(wd, inode)| (*wd, inode.clone())).collect()
        };
        let mask = |inode: &InodeRef| {
            let watchers = inode.attachments().get::<Watchers>()?;
            watchers.mask(&self.this)
        };
        watches
            .into_iter()
            .filter_map(|(wd, inode)| mask(&inode).map(|mask| (wd, inode, mask)))
            .collect()
    }

    /// The descriptor is gone: ends all watches.
    pub(super) fn close(&self) {
        let watches = std::mem::take(&mut self.state.lock().watches);
        for inode in watches.values() {
            self.forget(inode);
        }
        self.user.inotify_instances.fetch_sub(1, Ordering::Relaxed);
    }
}

impl State {
    /// Numbers go up and begin again at 1 after the last.
    fn free_number(&self) -> i32 {
        let mut wd = self.last;
        loop {
            wd = wd.checked_add(1).unwrap_or(1);
            if !self.watches.contains_key(&wd) {
                return wd;
            }
        }
    }
}

/// `super_block` is mounted nowhere any more: IN_UNMOUNT, and the end of its watches.
pub(crate) fn unmounted(super_block: &Arc<SuperBlock>) {
    if !super::watched() {
        return;
    }
    let instances: Vec<_> = INSTANCES.lock().iter().filter_map(Weak::upgrade).collect();
    for instance in instances {
        for (wd, inode, _) in instance.list() {
            if Arc::ptr_eq(inode.super_block(), super_block) {
                instance.tell(wd, WatchMask::UNMOUNT, 0, b"");
                // The watch may have ended meanwhile.
                let _ = instance.unwatch(wd);
            }
        }
    }
}
