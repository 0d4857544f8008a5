//! A file in memory over a lower one that never changes: pages of the lower file show
//! through, shared and not to be written, until the first write to each copies it. Copying
//! a file up therefore costs nothing; what is written costs a page at a time.
//!
//! The lower file's pages are not put into the cache's own map: that holds what this cache
//! pays for. Mappings take shared pages as they take all pages of files: a write faults,
//! and asks again. When a page is copied, mappings of the shared one are told, so that
//! everybody who reads the file sees the same.

use std::sync::Arc;

use platform::memfile::Fill;
use platform::{MemoryFile, Pages};
use syscalls::Errno;
use syscalls::errno::{EFBIG, EIO};

use super::io::insert_absent;
use super::{Inner, PAGE, PageCache, Quota, pages_for};
use crate::mm::{Mappable, PrivateCopies};

/// What is below an absent page.
pub(super) enum Below {
    /// Nothing, for so many pages.
    Zeros(u64),
    /// The lower file, for so many pages.
    Shown(u64),
}

impl Inner {
    /// What is below page `index`, for at most `max` pages.
    pub(super) fn below(&self, index: u64, max: u64) -> Below {
        match self.shown.next(index) {
            None => Below::Zeros(max),
            Some((start, _)) if start > index => Below::Zeros(max.min(start - index)),
            Some((_, end)) => Below::Shown(max.min(end - index)),
        }
    }
}

impl PageCache {
    /// The cache of a file that has the contents of `lower`, `size` bytes, to begin with.
    #[must_use]
    pub fn over(file: MemoryFile, lower: Arc<dyn Mappable>, quota: Arc<Quota>, size: u64) -> Self {
        let mut cache = PageCache::new(file, None, Some(quota), size);
        cache.lower = Some(lower);
        cache.inner.get_mut().shown.insert(0, pages_for(size));
        cache
    }

    /// References on pages of the lower file, not to be written.
    pub(super) fn lend(&self, index: u64, max: u64) -> Result<Pages, Errno> {
        self.lower.as_ref().ok_or(EIO)?.pages(index, max, false)
    }

    /// Has the page of byte `pos` copied if it shows from below: a part of it is about to
    /// be cleared, or is cut off by [`Self::resize`].
    pub fn make_own(&self, pos: u64) -> Result<(), Errno> {
        let index = pos / PAGE;
        if self.inner.lock().shown.contains(index) {
            self.pages_to_write(index, 1)?;
        }
        Ok(())
    }

    /// Copies up to `count` pages of the lower file into pages of the cache's own.
    pub(super) fn copy_up(&self, index: u64, count: u64) -> Result<Pages, Errno> {
        loop {
            let generation = self.inner.lock().generation;
            let lent = self.lend(index, count)?;
            let mut made = self.allocate_as(lent.count(), Fill::Dirty)?;
            let got = made.count().min(lent.count());
            if made.count() > got {
                self.discharge(made.count() - got);
                drop(made.split_off(got));
            }
            let len = usize::try_from(got * PAGE).map_err(|_| EFBIG)?;
            if let Err(error) = self.file.copy(lent.offset(), made.offset(), len) {
                self.discharge(got);
                return Err(error);
            }
            let mut inner = self.inner.lock();
            // Cut off or cleared meanwhile: what was copied must not come back.
            if inner.generation != generation {
                drop(inner);
                self.discharge(got);
                continue;
            }
            let unused = insert_absent(&mut inner, index, made);
            let pages = inner.map.get(index, got).ok_or(EIO);
            drop(inner);
            self.discharge(unused);
            self.mappings
                .invalidate(index, index + got, PrivateCopies::Keep);
            return pages;
        }
    }
}
