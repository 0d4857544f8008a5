//! The memory file: one memfd that holds every guest page, with a reference count per page.
//!
//! - [`free`](self): which pages are free, and in which state ([`free::FreePages`]).
//! - `windows`: the file in our own address space, mapped in large pieces when first
//!   needed and never moved, so that copies take no lock.
//! - `refs`: the counts. `pages`: [`Pages`], who owns references. `copy`: access to bytes.
//!
//! A page that loses its last reference is kept with its memory and cleared when it is
//! given out again: that costs a tenth of handing it back to the host and faulting in a
//! new one. What is free beyond [`STOCK`] is given back at once, the rest by
//! [`MemoryFile::trim`].
//!
//! Some users of the file may have a limit of their own: their handles share an account
//! ([`MemoryFile::with_account`]), and so do the pages that were allocated through those,
//! whoever has references on them later.

mod account;
mod copy;
mod free;
mod pages;
mod refs;
#[cfg(test)]
mod tests;
mod windows;

use std::cell::Cell;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::{FallocateFlags, fallocate};
use parking_lot::Mutex;
use syscalls::errno::{EINVAL, ENOMEM, EOPNOTSUPP};
use syscalls::{Errno, PAGE_SIZE};

use crate::host::{errno, memfd};
use crate::usercopy;
use account::Account;
use free::{FreePages, Run, State};
pub use pages::Pages;
use refs::Refs;
use windows::Windows;

/// Free pages that keep their memory for the next owner, at most.
const STOCK: u64 = 64 << 20 >> PAGE_SHIFT;

const PAGE_SHIFT: u32 = PAGE_SIZE.trailing_zeros();

/// Which state freshly allocated pages are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// All bytes zero.
    Zero,
    /// Whatever a former owner left: for pages that are overwritten whole before anyone
    /// else sees them.
    Dirty,
}

/// The memory file of a sandbox. Cheap to clone.
#[derive(Clone)]
pub struct MemoryFile {
    inner: Arc<Inner>,
    /// What is allocated through this handle counts there, too.
    account: Option<Arc<Account>>,
}

/// Which limit an allocation would have gone beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The file's.
    File,
    /// That of the handle's account.
    Account,
}

struct Inner {
    file: OwnedFd,
    /// Bytes, a multiple of the page size.
    size: u64,
    windows: Windows,
    refs: Refs,
    /// `None` in a process that only attached to the file.
    free: Option<Mutex<FreePages>>,
    /// Held while runs are on their way from used to clean and in neither list.
    punching: Mutex<()>,
    /// Pages with at least one reference.
    used: AtomicU64,
    /// What `used` and the free pages that keep their memory may come to, pages.
    limit: AtomicU64,
}

thread_local! {
    /// The last allocation of this thread was refused for lack of memory.
    static REFUSED: Cell<Option<Refusal>> = const { Cell::new(None) };
}

/// Whether the calling thread's last allocation, of any file, failed because there was no
/// memory left. Answers once for a failure: whoever asks is to deal with it.
#[must_use]
pub fn take_refusal() -> Option<Refusal> {
    REFUSED.take()
}

impl MemoryFile {
    /// A new, empty file that may grow to `limit` bytes (rounded down to whole pages).
    pub fn new(limit: u64) -> Result<Self, Errno> {
        Self::adopt(Self::create_file(limit)?)
    }

    /// An empty file as [`Self::new`] makes it, for a parent that hands it to several
    /// processes: one is to [`adopt`](Self::adopt) it, the others [`attach`](Self::attach).
    pub fn create_file(limit: u64) -> Result<OwnedFd, Errno> {
        memfd::create(c"runsk-memory", limit & !(PAGE_SIZE - 1))
    }

    /// Allocates in an empty file from [`Self::create_file`]; only one process may.
    pub fn adopt(file: OwnedFd) -> Result<Self, Errno> {
        let size = memfd::sealed_size(&file)? & !(PAGE_SIZE - 1);
        let free = FreePages::new(size >> PAGE_SHIFT);
        Self::with(file, size, Some(Mutex::new(free)))
    }

    /// Attaches to another process's file, to copy only: allocation gives `EOPNOTSUPP`.
    /// `EPERM` if the file could be shortened.
    pub fn attach(file: OwnedFd) -> Result<Self, Errno> {
        let size = memfd::sealed_size(&file)?;
        Self::with(file, size & !(PAGE_SIZE - 1), None)
    }

    fn with(file: OwnedFd, size: u64, free: Option<Mutex<FreePages>>) -> Result<Self, Errno> {
        if size == 0 {
            return Err(EINVAL);
        }
        usercopy::install();
        let inner = Inner {
            file,
            size,
            windows: Windows::new(size)?,
            refs: Refs::new(size >> PAGE_SHIFT)?,
            free,
            punching: Mutex::new(()),
            used: AtomicU64::new(0),
            limit: AtomicU64::new(size >> PAGE_SHIFT),
        };
        Ok(MemoryFile {
            inner: Arc::new(inner),
            account: None,
        })
    }

    /// A handle on the file with an account of its own: what is allocated through it, and
    /// through its clones, may come to `limit` bytes (rounded down to whole pages).
    #[must_use]
    pub fn with_account(&self, limit: u64) -> Self {
        MemoryFile {
            inner: self.inner.clone(),
            account: Some(Arc::new(Account::new(limit >> PAGE_SHIFT))),
        }
    }

    /// Allows the handle's account `bytes` (rounded down to whole pages) from now on. What it
    /// has beyond stays. Nothing without an account.
    pub fn set_account_limit(&self, bytes: u64) {
        if let Some(account) = &self.account {
            account.set_limit(bytes >> PAGE_SHIFT);
        }
    }

    /// Bytes that the handle's account has; without one, [`Self::used`].
    #[must_use]
    pub fn charged(&self) -> u64 {
        let account = self.account.as_ref();
        account.map_or_else(|| self.used(), |account| account.used() << PAGE_SHIFT)
    }

    /// Allocates one run of `count` pages (at least 1); `ENOMEM` at the limit.
    pub fn allocate(&self, count: u64, fill: Fill) -> Result<Pages, Errno> {
        if count == 0 {
            return Err(EINVAL);
        }
        self.may_allocate()?;
        let run = self.take(count, |free| free.take(count)).ok_or(ENOMEM)?;
        self.own(run, fill)
    }

    /// Allocates `count` pages in as few runs as possible; `ENOMEM` at the limit.
    pub fn allocate_runs(&self, count: u64, fill: Fill) -> Result<Vec<Pages>, Errno> {
        self.may_allocate()?;
        let runs = self
            .take(count, |free| free.take_several(count))
            .ok_or(ENOMEM)?;
        // Every run is owned before the first error returns, so that none is lost.
        let owned: Vec<_> = runs.into_iter().map(|run| self.own(run, fill)).collect();
        owned.into_iter().collect()
    }

    fn may_allocate(&self) -> Result<(), Errno> {
        self.inner.free.as_ref().map(drop).ok_or(EOPNOTSUPP)
    }

    /// Takes `count` pages from the free ones; if that fails, once more after waiting for
    /// those that are just being handed back, with used and clean ones joined.
    fn take<T>(&self, count: u64, take: impl Fn(&mut FreePages) -> Option<T>) -> Option<T> {
        let account = self.account.as_ref();
        if !account.is_none_or(|account| account.charge(count)) {
            REFUSED.set(Some(Refusal::Account));
            return None;
        }
        let found = self.take_if_any(count, take);
        if let (None, Some(account)) = (&found, account) {
            account.discharge(count);
        }
        REFUSED.set(found.is_none().then_some(Refusal::File));
        found
    }

    fn take_if_any<T>(&self, count: u64, take: impl Fn(&mut FreePages) -> Option<T>) -> Option<T> {
        let free = self.inner.free.as_ref()?;
        let limit = self.inner.limit.load(Ordering::Relaxed);
        if limit < self.inner.size >> PAGE_SHIFT {
            let wanted = self.inner.used.load(Ordering::Relaxed).checked_add(count)?;
            let room = limit.checked_sub(wanted)?;
            let stock = free.lock().used_pages();
            if stock > room {
                self.punch(stock - room);
            }
        }
        if let Some(found) = take(&mut free.lock()) {
            return Some(found);
        }
        self.punch(u64::MAX);
        take(&mut free.lock())
    }

    fn own(&self, run: Run, fill: Fill) -> Result<Pages, Errno> {
        self.inner.refs.first(run.start, run.count);
        self.inner.used.fetch_add(run.count, Ordering::Relaxed);
        let pages = Pages::owning(self, run.start, run.count);
        if fill == Fill::Zero && run.state == State::Used {
            let bytes = usize::try_from(run.count << PAGE_SHIFT).map_err(|_| ENOMEM)?;
            self.zero(pages.offset(), bytes).map_err(|_| ENOMEM)?;
        }
        Ok(pages)
    }

    /// Runs whose last reference is gone.
    fn give_back(&self, runs: &[(u64, u64)]) {
        let Some(free) = self.inner.free.as_ref() else {
            return;
        };
        let count = runs.iter().map(|(_, count)| count).sum();
        self.inner.used.fetch_sub(count, Ordering::Relaxed);
        if let Some(account) = &self.account {
            account.discharge(count);
        }
        let stock = {
            let mut free = free.lock();
            for &(start, count) in runs {
                free.put(Run {
                    start,
                    count,
                    state: State::Used,
                });
            }
            free.used_pages()
        };
        if stock > STOCK {
            // Down to three quarters, so that not every further page comes here.
            self.punch(stock - STOCK / 4 * 3);
        }
    }

    /// Gives the memory of `count` free pages back to the host, the largest runs
    /// first, or of all there are.
    fn punch(&self, count: u64) {
        let Some(free) = self.inner.free.as_ref() else {
            return;
        };
        let _in_transit = self.inner.punching.lock();
        let mut left = count;
        while left > 0 {
            let Some(mut run) = free.lock().take_largest_used(left) else {
                return;
            };
            left -= run.count;
            if self.punch_hole(run).is_ok() {
                run.state = State::Clean;
            } else {
                // The pages stay usable; trying the others would fail alike.
                left = 0;
            }
            free.lock().put(run);
        }
    }

    fn punch_hole(&self, run: Run) -> Result<(), Errno> {
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let at = i64::try_from(run.start << PAGE_SHIFT).map_err(|_| EINVAL)?;
        let len = i64::try_from(run.count << PAGE_SHIFT).map_err(|_| EINVAL)?;
        fallocate(&self.inner.file, flags, at, len).map_err(errno)
    }

    /// Bytes of pages with at least one reference.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.inner.used.load(Ordering::Relaxed) << PAGE_SHIFT
    }

    /// Gives all free pages back to the host.
    pub fn trim(&self) {
        self.punch(u64::MAX);
    }

    /// How much may be allocated, bytes: the size given at creation, unless
    /// [`Self::set_limit`] says less.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.inner.limit.load(Ordering::Relaxed) << PAGE_SHIFT
    }

    /// Allows `bytes` (rounded down to whole pages, at most the size given at creation) to
    /// be allocated from now on. What is allocated beyond stays.
    pub fn set_limit(&self, bytes: u64) {
        let limit = bytes.min(self.inner.size) >> PAGE_SHIFT;
        self.inner.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes that the file can have at all.
    pub(crate) fn size(&self) -> u64 {
        self.inner.size
    }

    /// The same account of the same file.
    fn is_same(&self, other: &MemoryFile) -> bool {
        let account = |file: &MemoryFile| file.account.as_ref().map(Arc::as_ptr);
        Arc::ptr_eq(&self.inner, &other.inner) && account(self) == account(other)
    }
}

impl AsFd for MemoryFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.file.as_fd()
    }
}

impl fmt::Debug for MemoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFile")
            .field("size", &self.inner.size)
            .field("used", &self.used())
            .finish()
    }
}
