//! File locks: records, fcntl_locking(2), and whole files, flock(2).
//!
//! An inode's locks are one of its attachments. Record locks belong to a descriptor
//! table, or, as OFD locks, to an open file description; flock's and leases always to the
//! latter.

mod deadlock;
mod flock;
pub(crate) mod lease;
mod range;

use std::sync::Arc;

use syscalls::errno::{EAGAIN, EDEADLK};
use syscalls::{Errno, Stop};

use self::flock::Flocks;
use self::range::Records;
use super::{File, InodeRef};
use crate::sync::{Level, Mutex};
use crate::task::Current;
use crate::wait::{Ready, WaitQueue};

pub use self::range::{Extent, LockKind, Record};

/// Who holds or wants a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockOwner {
    /// The tasks that share a descriptor table, by its number.
    Table(u64),
    /// An open file description, by its address.
    File(usize),
}

impl LockOwner {
    /// An OFD or flock owner.
    #[must_use]
    pub fn file(file: &File) -> Self {
        LockOwner::File(std::ptr::from_ref(file).addr())
    }
}

/// Whether to wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// `EAGAIN` if it is taken.
    Try,
    /// Waits until it is free.
    Wait,
}

/// The locks of an inode.
struct FileLocks {
    state: Mutex<State>,
    /// Told when something was unlocked.
    freed: WaitQueue,
}

#[derive(Default)]
struct State {
    records: Records,
    flocks: Flocks,
}

impl FileLocks {
    fn of(inode: &InodeRef) -> Arc<Self> {
        inode.attachments().get_or(|| FileLocks {
            state: Mutex::new(Level::FileLocks, State::default()),
            freed: WaitQueue::new(),
        })
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.freed.notify(Ready::all());
    }
}

/// F_GETLK: a lock that keeps `wanted` away.
pub fn blocker(inode: &InodeRef, wanted: &Record) -> Option<Record> {
    let locks = inode.attachments().get::<FileLocks>()?;
    let state = locks.state.lock();
    state.records.conflict(wanted).cloned()
}

/// F_SETLK, F_SETLKW: takes a record lock. `EAGAIN`, `EDEADLK`.
pub fn lock_record(
    task: &Current,
    inode: &InodeRef,
    wanted: &Record,
    patience: Patience,
) -> Result<(), Stop> {
    let locks = FileLocks::of(inode);
    let detect = matches!(wanted.owner, LockOwner::Table(_));
    let mut wait = deadlock::Waiting::new(wanted.owner);
    let mut attempt = || {
        let mut state = locks.state.lock();
        match state.records.conflict(wanted) {
            None => {
                let downgraded = state.records.set(wanted);
                drop(state);
                if downgraded {
                    locks.freed.notify(Ready::all());
                }
                Ok(())
            }
            Some(_) if patience == Patience::Try => Err(EAGAIN),
            Some(held) if detect && !wait.wait_for(held.owner) => Err(EDEADLK),
            Some(_) => Err(EAGAIN),
        }
    };
    match patience {
        Patience::Try => Ok(attempt()?),
        Patience::Wait => task.block_on(&locks.freed, Ready::all(), None, || Ok(attempt()?)),
    }
}

/// Gives back what `owner` has locked in the range.
pub fn unlock_record(inode: &InodeRef, owner: LockOwner, extent: Extent) {
    if let Some(locks) = inode.attachments().get::<FileLocks>() {
        locks.change(|state| state.records.clear(owner, extent));
    }
}

/// close(2): a descriptor table loses all its record locks on a file as soon as it
/// closes any descriptor of it.
pub fn release_records(inode: &InodeRef, owner: LockOwner) {
    let Some(locks) = inode.attachments().get::<FileLocks>() else {
        return;
    };
    let holds = locks.state.lock().records.holds(owner);
    if holds {
        locks.change(|state| state.records.clear(owner, Extent::ALL));
    }
}

/// flock(2).
pub fn flock(task: &Current, file: &File, kind: LockKind, patience: Patience) -> Result<(), Stop> {
    let locks = FileLocks::of(file.inode());
    let owner = LockOwner::file(file);
    file.note_locked();
    let attempt = || {
        let mut state = locks.state.lock();
        // Not atomic: a lock of another kind is given up first, as in Linux.
        let given_up = state.flocks.give_up_other(owner, kind);
        let taken = state.flocks.take(owner, kind);
        drop(state);
        if given_up {
            locks.freed.notify(Ready::all());
        }
        if taken { Ok(()) } else { Err(EAGAIN) }
    };
    match patience {
        Patience::Try => Ok(attempt()?),
        Patience::Wait => task.block_on(&locks.freed, Ready::all(), None, || {
            attempt().map_err(Errno::into)
        }),
    }
}

/// LOCK_UN.
pub fn unflock(file: &File) {
    if let Some(locks) = file.inode().attachments().get::<FileLocks>() {
        locks.change(|state| state.flocks.give_up(LockOwner::file(file)));
    }
}

/// The last reference to an open file description that was locked is gone.
pub(super) fn release_file(file: &File) {
    // Most have none.
    let _ = lease::give_up(file);
    if let Some(locks) = file.inode().attachments().get::<FileLocks>() {
        let owner = LockOwner::file(file);
        locks.change(|state| {
            state.flocks.give_up(owner);
            state.records.clear(owner, Extent::ALL);
        });
    }
}
