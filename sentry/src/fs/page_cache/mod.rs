//! The pages of one file: what read(2), write(2) and mmap(2) share.
//!
//! Pages live in the memory file. The cache holds one reference on each; whoever copies
//! or maps takes its own, so that no lock is held while data moves. A cache has a
//! [`Backing`] (the Gofer) or none (tmpfs, where a hole is zeros). One without may lie
//! over a lower file whose pages show through until they are written ([`over`]).
//!
//! Sizes and pages change under one lock. Writers of one file are serialised by the
//! inode that owns the cache, readers are not, as on Linux.

mod io;
mod over;
mod pages;
mod ranges;
#[cfg(test)]
mod tests;
mod write_back;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use platform::{MemoryFile, Pages};
use syscalls::Errno;
use syscalls::errno::{ENOSPC, EOVERFLOW};

use crate::mm::{Mappable, Mappings, PrivateCopies};
use crate::sync::{Level, Mutex};
pub use pages::PageMap;
pub use ranges::RangeSet;

/// Bytes in a page.
pub(crate) const PAGE: u64 = syscalls::PAGE_SIZE;

/// The largest file, bytes: as ext4 and tmpfs, what an `off_t` holds.
pub const MAX_FILE_SIZE: u64 = i64::MAX as u64;

/// Where pages come from and go to.
pub trait Backing: Send + Sync {
    /// Fills `pages` with the file's bytes from page number `index` on. What lies beyond
    /// the end of the file is zero.
    fn read(&self, index: u64, pages: &Pages) -> Result<(), Errno>;
    /// Writes `len` bytes at `offset` of the memory file to byte `pos` of the file.
    fn write(&self, pos: u64, offset: u64, len: u64) -> Result<(), Errno>;
    /// How many pages to read at once when page `index` is missing, at least 1.
    fn read_ahead(&self, index: u64) -> u64;
    /// Pages became dirty through a mapping: somebody has to write them back some day.
    fn dirtied(&self);
}

/// A bound on the pages of a file system (`size=` of tmpfs).
#[derive(Debug)]
pub struct Quota {
    limit: u64,
    used: AtomicU64,
}

impl Quota {
    /// At most `limit` pages.
    #[must_use]
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Quota {
            limit,
            used: AtomicU64::new(0),
        })
    }

    /// Pages in all.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Pages taken.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, pages: u64) -> Result<(), Errno> {
        let fits = |used: u64| used.checked_add(pages).filter(|&sum| sum <= self.limit);
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map(|_| ()).map_err(|_| ENOSPC)
    }

    fn give_back(&self, pages: u64) {
        self.used.fetch_sub(pages, Ordering::Relaxed);
    }
}

/// See the module.
pub struct PageCache {
    file: MemoryFile,
    backing: Option<Arc<dyn Backing>>,
    quota: Option<Arc<Quota>>,
    /// The file that shows through where `Inner::shown` says so.
    lower: Option<Arc<dyn Mappable>>,
    mappings: Mappings,
    pub(super) inner: Mutex<Inner>,
}

pub(super) struct Inner {
    /// Size of the file, bytes.
    size: u64,
    map: PageMap,
    /// Page numbers that differ from the backing.
    dirty: RangeSet,
    /// Page numbers at which the lower file shows unless `map` has a page.
    shown: RangeSet,
    /// Counts what makes pages read from the backing stale: see [`PageCache::fill`].
    generation: u64,
}

/// Pages that hold `bytes`, rounded up.
pub(crate) fn pages_for(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE)
}

impl PageCache {
    /// An empty cache of a file of `size` bytes.
    #[must_use]
    pub fn new(
        file: MemoryFile,
        backing: Option<Arc<dyn Backing>>,
        quota: Option<Arc<Quota>>,
        size: u64,
    ) -> Self {
        let inner = Inner {
            size,
            map: PageMap::default(),
            dirty: RangeSet::default(),
            shown: RangeSet::default(),
            generation: 0,
        };
        PageCache {
            file,
            backing,
            quota,
            lower: None,
            mappings: Mappings::new(),
            inner: Mutex::new(Level::PageCache, inner),
        }
    }

    /// The file's size, bytes.
    pub fn size(&self) -> u64 {
        self.inner.lock().size
    }

    /// Resident bytes.
    pub fn resident(&self) -> u64 {
        self.inner.lock().map.count() * PAGE
    }

    /// Takes note of a size that the backing reported. Pages beyond are dropped.
    pub fn size_changed_outside(&self, size: u64) {
        self.resize(size);
    }

    fn charge(&self, pages: u64) -> Result<(), Errno> {
        self.quota
            .as_ref()
            .map_or(Ok(()), |quota| quota.take(pages))
    }

    fn discharge(&self, pages: u64) {
        if let Some(quota) = &self.quota {
            quota.give_back(pages);
        }
    }

    /// ftruncate(2): what is cut off reads as zeros should the file grow again. The
    /// backing, if any, is told by the caller; over a lower file [`Self::make_own`] comes
    /// first where a page is cut.
    pub fn resize(&self, size: u64) {
        let keep = pages_for(size);
        let dropped = {
            let mut inner = self.inner.lock();
            let shrinks = size < inner.size;
            inner.size = size;
            if !shrinks {
                return;
            }
            inner.generation += 1;
            let inside = size % PAGE;
            if inside != 0
                && let Some(page) = inner.map.get(keep - 1, 1)
            {
                let len = usize::try_from(PAGE - inside).unwrap_or(0);
                // A page that the host cannot give stays as it is: nothing to clear.
                let _ = self.file.zero(page.offset() + inside, len);
            }
            inner.dirty.remove(keep, u64::MAX);
            inner.shown.remove(keep, u64::MAX);
            inner.map.remove(keep, u64::MAX)
        };
        self.mappings
            .invalidate(keep, u64::MAX, PrivateCopies::Drop);
        self.forget(dropped);
    }

    /// Drops pages outside the lock.
    fn forget(&self, dropped: Vec<Pages>) {
        self.discharge(dropped.iter().map(Pages::count).sum());
    }

    /// Clears a range of bytes inside the file (FALLOC_FL_PUNCH_HOLE). Whole pages are
    /// given back where there is no backing.
    pub fn punch(&self, from: u64, to: u64) -> Result<(), Errno> {
        let to = to.min(pages_for(self.size()) * PAGE);
        if from >= to {
            return Ok(());
        }
        let (first, last) = (pages_for(from), to / PAGE);
        let edges = if first > last {
            vec![(from, to)]
        } else {
            vec![(from, first * PAGE), (last * PAGE, to)]
        };
        for &(start, end) in &edges {
            if start < end {
                self.make_own(start)?;
            }
        }
        let dropped = {
            let mut inner = self.inner.lock();
            inner.generation += 1;
            for (start, end) in edges.into_iter().filter(|(start, end)| start < end) {
                if let Some(page) = inner.map.get(start / PAGE, 1) {
                    let len = usize::try_from(end - start).map_err(|_| EOVERFLOW)?;
                    self.file.zero(page.offset() + start % PAGE, len)?;
                }
            }
            if first < last {
                inner.dirty.remove(first, last);
                inner.shown.remove(first, last);
                inner.map.remove(first, last)
            } else {
                Vec::new()
            }
        };
        self.mappings.invalidate(first, last, PrivateCopies::Keep);
        self.forget(dropped);
        Ok(())
    }

    /// lseek(2) with SEEK_DATA: the first byte at or after `pos` that is resident or shows
    /// from below; for files without a backing. `None` if only a hole follows.
    pub fn next_data(&self, pos: u64) -> Option<u64> {
        let inner = self.inner.lock();
        let at = pos / PAGE;
        let own = inner.map.next_present(at);
        let shown = inner.shown.next(at).map(|(start, _)| start.max(at));
        let index = own.into_iter().chain(shown).min()?;
        Some(pos.max(index * PAGE)).filter(|&at| at < inner.size)
    }

    /// lseek(2) with SEEK_HOLE; the end of the file counts as a hole.
    pub fn next_hole(&self, pos: u64) -> u64 {
        let inner = self.inner.lock();
        let mut index = pos / PAGE;
        loop {
            index = inner.map.next_absent(index);
            match inner.shown.next(index) {
                Some((start, end)) if start <= index => index = end,
                _ => break,
            }
        }
        pos.max(index.saturating_mul(PAGE)).min(inner.size)
    }
}

impl Drop for PageCache {
    fn drop(&mut self) {
        let count = self.inner.lock().map.count();
        self.discharge(count);
    }
}
