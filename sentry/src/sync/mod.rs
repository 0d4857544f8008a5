//! Locks whose order is code: every lock has a [`Level`], and in builds with debug
//! assertions taking a lock whose level is not above all levels held panics with both
//! names. Two locks of one level are taken only together, by [`lock_both`].

use std::ops::{Deref, DerefMut};

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The order in which locks may be taken: a thread that holds one takes only later ones.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Level { $($(#[$doc])* $name),* }
    };
}

levels! {
    /// Renames across directories.
    Rename,
    /// A dentry's children. Held while a file system looks for a name; proc looks among
    /// the tasks.
    Dentry,
    /// Position of an open file. Held over reads and writes, whatever a file's text says.
    Offset,
    /// Pid tables, sessions and process groups.
    TaskSet,
    /// Threads, children and life of one thread group.
    Group,
    /// How a thread is traced.
    Trace,
    /// Terminals.
    Tty,
    /// Signal handlers and pending signals.
    Signals,
    /// What a task refers to: credentials, file-system context, name.
    Task,
    /// Descriptor tables.
    FdTable,
    /// Mount tables.
    Mounts,
    /// Interest list of an epoll.
    Epoll,
    /// Directory-like state of an inode.
    Inode,
    /// File locks.
    FileLocks,
    /// Buffers of pipes.
    Pipe,
    /// States of internet sockets.
    Endpoint,
    /// Ports of the internet protocols.
    Ports,
    /// Whose turn it is to take from a socket.
    Turn,
    /// Sockets, and what waits in them.
    Socket,
    /// System V and POSIX IPC objects.
    Ipc,
    /// Futex buckets.
    Futex,
    /// Mappings of an address space. Everything above may be held across a guest copy.
    Mm,
    /// Page caches.
    PageCache,
    /// Who maps a page cache.
    Mappings,
    /// Timers.
    Timers,
    /// Watches and events of inotify.
    Inotify,
    /// Waiters and ready lists.
    Wait,
    /// Which mounts are peers. Taken when a name space ends, whatever is held.
    Peers,
    /// Locks under which nothing else is taken.
    Leaf,
}

#[cfg(debug_assertions)]
mod held {
    use std::cell::RefCell;

    use super::Level;

    thread_local!(static HELD: RefCell<Vec<Level>> = const { RefCell::new(Vec::new()) });

    pub(super) fn acquire(level: Level, pair: bool) {
        HELD.with_borrow_mut(|held| {
            if let Some(&top) = held.iter().max() {
                assert!(
                    top < level || (pair && top == level),
                    "lock order: {level:?} taken while {top:?} is held"
                );
            }
            held.push(level);
        });
    }

    pub(super) fn release(level: Level) {
        HELD.with_borrow_mut(|held| {
            if let Some(at) = held.iter().rposition(|&l| l == level) {
                held.remove(at);
            }
        });
    }
}

#[cfg(not(debug_assertions))]
mod held {
    use super::Level;

    #[inline]
    pub(super) fn acquire(_: Level, _: bool) {}

    #[inline]
    pub(super) fn release(_: Level) {}
}

/// A mutex of one level.
#[derive(Debug)]
pub struct Mutex<T> {
    level: Level,
    inner: parking_lot::Mutex<T>,
}

/// Access to what a [`Mutex`] protects.
pub struct MutexGuard<'a, T> {
    level: Level,
    inner: parking_lot::MutexGuard<'a, T>,
}

impl<T> Mutex<T> {
    /// A new mutex.
    pub const fn new(level: Level, value: T) -> Self {
        Mutex {
            level,
            inner: parking_lot::Mutex::new(value),
        }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        held::acquire(self.level, false);
        MutexGuard {
            level: self.level,
            inner: self.inner.lock(),
        }
    }

    /// The value, for its only owner.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    /// Waits for the lock while another of the same level is held. The caller names the
    /// order that keeps such pairs from deadlock, where it is not that of [`lock_both`].
    pub fn lock_second(&self) -> MutexGuard<'_, T> {
        held::acquire(self.level, true);
        MutexGuard {
            level: self.level,
            inner: self.inner.lock(),
        }
    }

    /// The lock, if it is free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let inner = self.inner.try_lock()?;
        held::acquire(self.level, true);
        Some(MutexGuard {
            level: self.level,
            inner,
        })
    }
}

/// A reader-writer lock of one level. One thread never reads twice at once.
#[derive(Debug)]
pub struct RwLock<T> {
    level: Level,
    inner: parking_lot::RwLock<T>,
}

/// Shared access to what a [`RwLock`] protects.
pub struct ReadGuard<'a, T> {
    level: Level,
    inner: parking_lot::RwLockReadGuard<'a, T>,
}

/// Sole access to what a [`RwLock`] protects.
pub struct WriteGuard<'a, T> {
    level: Level,
    inner: parking_lot::RwLockWriteGuard<'a, T>,
}

impl<T> RwLock<T> {
    /// A new lock.
    pub const fn new(level: Level, value: T) -> Self {
        RwLock {
            level,
            inner: parking_lot::RwLock::new(value),
        }
    }

    /// Waits until nobody writes.
    pub fn read(&self) -> ReadGuard<'_, T> {
        held::acquire(self.level, false);
        ReadGuard {
            level: self.level,
            inner: self.inner.read(),
        }
    }

    /// Waits until nobody reads or writes.
    pub fn write(&self) -> WriteGuard<'_, T> {
        held::acquire(self.level, false);
        WriteGuard {
            level: self.level,
            inner: self.inner.write(),
        }
    }

    /// The value; nobody else can have the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    fn drop(&mut self) {
        held::release(self.level);
    }
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    fn drop(&mut self) {
        held::release(self.level);
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

/// Locks two mutexes of one level, in the order of their addresses. They must differ.
pub fn lock_both<'a, T>(
    a: &'a Mutex<T>,
    b: &'a Mutex<T>,
) -> (MutexGuard<'a, T>, MutexGuard<'a, T>) {
    let second = |mutex: &'a Mutex<T>| {
        held::acquire(mutex.level, true);
        MutexGuard {
            level: mutex.level,
            inner: mutex.inner.lock(),
        }
    };
    if std::ptr::from_ref(a) < std::ptr::from_ref(b) {
        let first = a.lock();
        (first, second(b))
    } else {
        let first = b.lock();
        (second(a), first)
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        held::release(self.level);
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

/// A value that is read often and replaced whole: credentials, tables a task points to.
#[derive(Debug)]
pub struct Slot<T> {
    level: Level,
    inner: parking_lot::RwLock<T>,
}

impl<T: Clone> Slot<T> {
    /// A new slot.
    pub const fn new(level: Level, value: T) -> Self {
        Slot {
            level,
            inner: parking_lot::RwLock::new(value),
        }
    }

    /// The value now.
    pub fn get(&self) -> T {
        self.inner.read().clone()
    }

    /// Looks at the value without copying it. Nothing else is locked inside.
    pub fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.inner.read())
    }

    /// The value, for its only owner.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    /// Replaces the value; returns the old one.
    pub fn set(&self, value: T) -> T {
        std::mem::replace(&mut *self.inner.write(), value)
    }

    /// Replaces the value by what `change` makes of it. Nothing else is locked inside.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        held::acquire(self.level, false);
        let result = change(&mut self.inner.write());
        held::release(self.level);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, Mutex, lock_both};

    #[test]
    fn order_is_checked() {
        let outer = Mutex::new(Level::Inode, 1);
        let inner = Mutex::new(Level::Mm, 2);
        {
            let a = outer.lock();
            let b = inner.lock();
            assert_eq!(*a + *b, 3);
        }
        let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _b = inner.lock();
            let _a = outer.lock();
        }));
        assert_eq!(wrong.is_err(), cfg!(debug_assertions));
    }

    #[test]
    fn pairs_lock_in_either_order() {
        let (x, y) = (Mutex::new(Level::Inode, 1), Mutex::new(Level::Inode, 2));
        let (a, b) = lock_both(&x, &y);
        assert_eq!((*a, *b), (1, 2));
        drop((a, b));
        let (b, a) = lock_both(&y, &x);
        assert_eq!((*a, *b), (1, 2));
    }
}
