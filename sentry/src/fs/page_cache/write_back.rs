//! Dirty pages to the backing.

use platform::Pages;
use syscalls::Errno;

use super::{PAGE, PageCache};
use crate::mm::PrivateCopies;

/// Written at once, at most, pages.
const CHUNK: u64 = 256;

impl PageCache {
    /// True if something would be written by [`Self::write_back`].
    pub fn is_dirty(&self) -> bool {
        !self.inner.lock().dirty.is_empty()
    }

    /// Writes everything dirty. What could not be written stays dirty, and the first
    /// error is returned after trying the rest.
    pub fn write_back(&self) -> Result<(), Errno> {
        let Some(backing) = self.backing.clone() else {
            return Ok(());
        };
        let mut result = Ok(());
        for (first, end) in self.take_dirty() {
            let mut index = first;
            while index < end {
                let Some((pages, len)) = self.to_write(index, end) else {
                    break;
                };
                let count = pages.count();
                if let Err(error) = backing.write(index * PAGE, pages.offset(), len) {
                    self.inner.lock().dirty.insert(index, index + count);
                    result = result.and(Err(error));
                }
                index += count;
            }
        }
        result
    }

    /// The dirty ranges, which count as clean from now on: who writes again, through a
    /// mapping too, marks again.
    fn take_dirty(&self) -> Vec<(u64, u64)> {
        let dirty = {
            let mut inner = self.inner.lock();
            inner.generation += 1;
            std::mem::take(&mut inner.dirty)
        };
        let ranges: Vec<_> = dirty.iter().collect();
        for &(first, end) in &ranges {
            self.mappings.write_protect(first, end);
        }
        ranges
    }

    /// The next resident run of `index..end` and its bytes inside the file.
    fn to_write(&self, index: u64, end: u64) -> Option<(Pages, u64)> {
        let inner = self.inner.lock();
        let pages = inner.map.get(index, (end - index).min(CHUNK))?;
        let len = inner
            .size
            .checked_sub(index * PAGE)?
            .min(pages.count() * PAGE);
        (len > 0).then_some((pages, len))
    }

    /// Drops clean pages, to be read again when needed (memory pressure, shared trees
    /// whose file changed outside). Returns pages dropped.
    pub fn drop_clean(&self) -> u64 {
        let dropped = {
            let mut inner = self.inner.lock();
            if self.backing.is_none() {
                return 0;
            }
            inner.generation += 1;
            let mut keep: Vec<(u64, u64)> = inner.dirty.iter().collect();
            keep.push((u64::MAX, u64::MAX));
            let mut from = 0;
            let mut dropped = Vec::new();
            for (start, end) in keep {
                dropped.extend(inner.map.remove(from, start));
                from = end;
            }
            dropped
        };
        let count = dropped.iter().map(Pages::count).sum();
        if count > 0 {
            self.mappings.invalidate(0, u64::MAX, PrivateCopies::Keep);
        }
        self.forget(dropped);
        count
    }
}
