//! The descriptors of one or more tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use syscalls::errno::{EBADF, EMFILE};
use syscalls::{Errno, Fd};

use crate::sync::{Level, Mutex};
use crate::vfs::locks::{self, LockOwner};
use crate::vfs::{File, OpenMode};

/// One open descriptor.
#[derive(Clone)]
pub struct FdEntry {
    /// The open file description.
    pub file: Arc<File>,
    /// FD_CLOEXEC.
    pub close_on_exec: bool,
}

enum Place {
    Free,
    /// Taken by a [`Reservation`].
    Reserved,
    Open(FdEntry),
}

/// Descriptors by number.
pub struct FdTable {
    /// Whose record locks are whose, fcntl_locking(2).
    id: u64,
    inner: Mutex<Inner>,
}

struct Inner {
    places: Vec<Place>,
    /// No free place is below it.
    lowest_free: usize,
}

impl Default for FdTable {
    fn default() -> Self {
        let inner = Inner {
            places: Vec::new(),
            lowest_free: 0,
        };
        static NEXT: AtomicU64 = AtomicU64::new(1);
        FdTable {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            inner: Mutex::new(Level::FdTable, inner),
        }
    }
}

fn index(fd: Fd) -> Result<usize, Errno> {
    usize::try_from(fd.0).map_err(|_| EBADF)
}

fn fd_of(index: usize) -> Result<Fd, Errno> {
    i32::try_from(index).map(Fd).map_err(|_| EMFILE)
}

impl Inner {
    fn reserve(&mut self, lowest: usize, limit: usize) -> Result<usize, Errno> {
        let mut at = lowest.max(self.lowest_free);
        while matches!(self.places.get(at), Some(Place::Reserved | Place::Open(_))) {
            at += 1;
        }
        if at >= limit {
            return Err(EMFILE);
        }
        self.put(at, Place::Reserved);
        if lowest <= self.lowest_free {
            self.lowest_free = at + 1;
        }
        Ok(at)
    }

    fn put(&mut self, at: usize, place: Place) -> Option<FdEntry> {
        if at >= self.places.len() {
            self.places.resize_with(at + 1, || Place::Free);
        }
        if matches!(place, Place::Free) {
            self.lowest_free = self.lowest_free.min(at);
        }
        match self
            .places
            .get_mut(at)
            .map(|old| std::mem::replace(old, place))
        {
            Some(Place::Open(entry)) => Some(entry),
            _ => None,
        }
    }
}

impl FdTable {
    /// The file behind `fd`; `EBADF`. O_PATH descriptors count as not open.
    pub fn get(&self, fd: Fd) -> Result<Arc<File>, Errno> {
        let file = self.get_any(fd)?;
        if file.mode().contains(OpenMode::PATH) {
            Err(EBADF)
        } else {
            Ok(file)
        }
    }

    /// The file behind `fd`, O_PATH ones too; `EBADF`.
    pub fn get_any(&self, fd: Fd) -> Result<Arc<File>, Errno> {
        self.entry(fd).map(|entry| entry.file)
    }

    /// File and flags behind `fd`; `EBADF`.
    pub fn entry(&self, fd: Fd) -> Result<FdEntry, Errno> {
        match self.inner.lock().places.get(index(fd)?) {
            Some(Place::Open(entry)) => Ok(entry.clone()),
            _ => Err(EBADF),
        }
    }

    /// Takes the lowest free number that is at least `lowest` and below `limit`
    /// (RLIMIT_NOFILE); `EMFILE`. Nobody can use it until it is filled.
    pub fn reserve(self: &Arc<Self>, lowest: u32, limit: u64) -> Result<Reservation, Errno> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(1 << 30);
        let lowest = usize::try_from(lowest).unwrap_or(usize::MAX);
        let at = self.inner.lock().reserve(lowest, limit)?;
        Ok(Reservation {
            table: self.clone(),
            fd: fd_of(at)?,
            filled: false,
        })
    }

    /// Whom record locks taken through this table belong to.
    #[must_use]
    pub fn lock_owner(&self) -> LockOwner {
        LockOwner::Table(self.id)
    }

    /// What closing a descriptor means beyond the table: record locks go, and the file
    /// hears of it; its error is close(2)'s.
    pub fn closed(&self, entry: FdEntry) -> Result<(), Errno> {
        let file = entry.file;
        if file.mode().contains(OpenMode::PATH) {
            return Ok(());
        }
        locks::release_records(file.inode(), self.lock_owner());
        file.ops.flush(&file, self.lock_owner())
    }

    /// Closes what `which` picks; errors are nobody's.
    pub fn close_where(&self, which: impl FnMut(Fd, &FdEntry) -> bool) {
        for entry in self.remove_where(which) {
            if let Err(error) = self.closed(entry) {
                log::debug!("closing a descriptor: {error}");
            }
        }
    }

    /// dup2(2): puts `entry` at `fd` whatever is there. Returns what was there, to be
    /// closed outside the lock; `EBADF` if another task is about to fill that number.
    pub fn replace(&self, fd: Fd, entry: FdEntry) -> Result<Option<FdEntry>, Errno> {
        let at = index(fd)?;
        let mut inner = self.inner.lock();
        if matches!(inner.places.get(at), Some(Place::Reserved)) {
            return Err(syscalls::errno::EBUSY);
        }
        Ok(inner.put(at, Place::Open(entry)))
    }

    /// Takes `fd` out; `EBADF`. The caller flushes and drops the file outside any lock.
    pub fn remove(&self, fd: Fd) -> Result<FdEntry, Errno> {
        let at = index(fd)?;
        let mut inner = self.inner.lock();
        match inner.places.get(at) {
            Some(Place::Open(_)) => inner.put(at, Place::Free).ok_or(EBADF),
            _ => Err(EBADF),
        }
    }

    /// Sets or clears FD_CLOEXEC; `EBADF`.
    pub fn set_close_on_exec(&self, fd: Fd, close_on_exec: CloseOnExec) -> Result<(), Errno> {
        match self.inner.lock().places.get_mut(index(fd)?) {
            Some(Place::Open(entry)) => {
                entry.close_on_exec = close_on_exec == CloseOnExec::Yes;
                Ok(())
            }
            _ => Err(EBADF),
        }
    }

    /// Takes out everything that `which` picks.
    pub fn remove_where(&self, mut which: impl FnMut(Fd, &FdEntry) -> bool) -> Vec<FdEntry> {
        let mut inner = self.inner.lock();
        let picked = |(at, place): (usize, &Place)| match place {
            Place::Open(entry) => fd_of(at).ok().filter(|&fd| which(fd, entry)).map(|_| at),
            _ => None,
        };
        let picked: Vec<usize> = inner.places.iter().enumerate().filter_map(picked).collect();
        picked
            .into_iter()
            .filter_map(|at| inner.put(at, Place::Free))
            .collect()
    }

    /// All open descriptors, by number.
    pub fn list(&self) -> Vec<(Fd, FdEntry)> {
        let inner = self.inner.lock();
        let open = |(at, place): (usize, &Place)| match place {
            Place::Open(entry) => Some((fd_of(at).ok()?, entry.clone())),
            _ => None,
        };
        inner.places.iter().enumerate().filter_map(open).collect()
    }

    /// Number of places, open or not: the upper bound of open descriptors.
    pub fn size(&self) -> usize {
        self.inner.lock().places.len()
    }

    /// Descriptors that Linux's table of this size would have room for: it starts with 64
    /// and grows by powers of two from 256 on. select(2) shows it.
    pub fn room(&self) -> usize {
        const FIRST: usize = 64;
        const GROWN: usize = 256;
        match self.size() {
            0..=FIRST => FIRST,
            size => size.next_power_of_two().max(GROWN),
        }
    }

    /// FD_CLOEXEC for all that `which` picks.
    pub fn mark_close_on_exec(&self, which: impl Fn(Fd) -> bool) {
        let mut inner = self.inner.lock();
        for (at, place) in inner.places.iter_mut().enumerate() {
            if let Place::Open(entry) = place
                && fd_of(at).is_ok_and(&which)
            {
                entry.close_on_exec = true;
            }
        }
    }

    /// A copy, for a child without `CLONE_FILES`.
    #[must_use]
    pub fn fork(&self) -> Arc<Self> {
        self.fork_where(|_| true)
    }

    /// A copy of what `which` picks.
    #[must_use]
    pub fn fork_where(&self, which: impl Fn(Fd) -> bool) -> Arc<Self> {
        let table = FdTable::default();
        {
            let entries = self.list();
            let mut inner = table.inner.lock();
            for (fd, entry) in entries {
                if let Ok(at) = index(fd)
                    && which(fd)
                {
                    inner.put(at, Place::Open(entry));
                }
            }
        }
        Arc::new(table)
    }
}

impl Drop for FdTable {
    fn drop(&mut self) {
        self.close_where(|_, _| true);
    }
}

/// FD_CLOEXEC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseOnExec {
    /// Closed by execve(2).
    Yes,
    /// Kept.
    No,
}

impl CloseOnExec {
    /// From the flag of a call that opens.
    #[must_use]
    pub fn when(set: bool) -> Self {
        if set {
            CloseOnExec::Yes
        } else {
            CloseOnExec::No
        }
    }
}

/// A number that is taken but not yet open. Dropping it gives the number back.
pub struct Reservation {
    table: Arc<FdTable>,
    fd: Fd,
    filled: bool,
}

impl Reservation {
    /// The number.
    #[must_use]
    pub fn fd(&self) -> Fd {
        self.fd
    }

    /// Makes it open. The last step of a call: nothing may fail afterwards.
    pub fn fill(mut self, file: Arc<File>, close_on_exec: CloseOnExec) -> Fd {
        let entry = FdEntry {
            file,
            close_on_exec: close_on_exec == CloseOnExec::Yes,
        };
        if let Ok(at) = index(self.fd) {
            self.table.inner.lock().put(at, Place::Open(entry));
        }
        self.filled = true;
        self.fd
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.filled
            && let Ok(at) = index(self.fd)
        {
            self.table.inner.lock().put(at, Place::Free);
        }
    }
}
