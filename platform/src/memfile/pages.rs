//! Owned references to pages.

use std::fmt;
use std::mem::ManuallyDrop;

use super::{MemoryFile, PAGE_SHIFT};

/// A run of consecutive pages with one reference held on each. Cloning takes another
/// reference on each; dropping gives them back, and the last one frees the page.
pub struct Pages {
    file: MemoryFile,
    /// Number of the first page.
    start: u64,
    count: u64,
}

impl Pages {
    /// Takes over one reference on each page of the run.
    pub(super) fn owning(file: &MemoryFile, start: u64, count: u64) -> Self {
        Pages {
            file: file.clone(),
            start,
            count,
        }
    }

    /// Byte offset of the first page in the memory file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.start << PAGE_SHIFT
    }

    /// Pages in the run, at least 1.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The file they are in.
    #[must_use]
    pub fn file(&self) -> &MemoryFile {
        &self.file
    }

    /// Cuts the run in two after `pages` (1..count): `self` keeps the front, the rest is
    /// returned.
    ///
    /// # Panics
    /// If one side would be empty.
    #[must_use]
    pub fn split_off(&mut self, pages: u64) -> Pages {
        assert!(0 < pages && pages < self.count, "cut outside the run");
        let rest = Pages::owning(&self.file, self.start + pages, self.count - pages);
        self.count = pages;
        rest
    }

    /// Another reference on `count` pages (at least 1) from page `first` of the run on.
    ///
    /// # Panics
    /// If they are not all within the run.
    #[must_use]
    pub fn slice(&self, first: u64, count: u64) -> Pages {
        let inside = count > 0 && first < self.count && count <= self.count - first;
        assert!(inside, "slice outside the run");
        let start = self.start + first;
        self.file.inner.refs.add(start, count);
        Pages::owning(&self.file, start, count)
    }

    /// Joins `next` to the end of `self`, if it follows directly; else gives it back.
    pub fn append(&mut self, next: Pages) -> Result<(), Pages> {
        if next.start != self.start + self.count || !self.file.is_same(&next.file) {
            return Err(next);
        }
        // Its references are ours now.
        let next = ManuallyDrop::new(next);
        self.count += next.count;
        // SAFETY: `next` is not used again, so its handle on the file is dropped once.
        drop(unsafe { std::ptr::read(&raw const next.file) });
        Ok(())
    }

    /// True if the reference held here is the only one on page `index` (0..count).
    #[must_use]
    pub fn is_sole_owner(&self, index: u64) -> bool {
        debug_assert!(index < self.count, "page outside the run");
        index < self.count && self.file.inner.refs.get(self.start + index) == 1
    }
}

impl Clone for Pages {
    fn clone(&self) -> Self {
        self.slice(0, self.count)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let freed = self.file.inner.refs.sub(self.start, self.count);
        if !freed.is_empty() {
            self.file.give_back(&freed);
        }
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pages({:#x}+{})", self.offset(), self.count)
    }
}
