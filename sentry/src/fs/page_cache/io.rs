//! Reads, writes and mappings through the cache.

use platform::Pages;
use platform::memfile::Fill;
use syscalls::Errno;
use syscalls::errno::{EFAULT, EFBIG, EIO};

use super::over::Below;
use super::{Inner, MAX_FILE_SIZE, PAGE, PageCache, pages_for};
use crate::mm::{Mappable, Mappings};
use crate::vfs::{Sink, Source};

/// At most this many pages are looked up, read or allocated in one step of a larger one.
const STEP: u64 = 256;

/// What stands at a page number.
enum Found {
    Resident(Pages),
    /// Zeros, this many pages at most.
    Hole(u64),
}

fn bytes(len: u64) -> Result<usize, Errno> {
    usize::try_from(len).map_err(|_| EFBIG)
}

impl PageCache {
    /// Reads from `pos` until `dst` is full or the file ends.
    pub fn read(&self, dst: &mut Sink<'_>, pos: u64) -> Result<usize, Errno> {
        let mut done = 0usize;
        loop {
            let at = pos.saturating_add(done as u64);
            let size = self.size();
            if at >= size || dst.remaining() == 0 {
                return Ok(done);
            }
            let want = (size - at).min(dst.remaining() as u64);
            match self.read_some(dst, at, want) {
                Ok(0) => return Ok(done),
                Ok(n) => done += n,
                Err(_) if done > 0 => return Ok(done),
                Err(error) => return Err(error),
            }
        }
    }

    /// Copies out of one run, or of one hole.
    fn read_some(&self, dst: &mut Sink<'_>, at: u64, want: u64) -> Result<usize, Errno> {
        let inside = at % PAGE;
        match self.find(at / PAGE, pages_for(inside + want).min(STEP))? {
            Found::Resident(pages) => {
                let len = want.min(pages.count() * PAGE - inside);
                dst.write_pages(&self.file, pages.offset() + inside, bytes(len)?)
            }
            Found::Hole(count) => dst.write_zeros(bytes(want.min(count * PAGE - inside))?),
        }
    }

    /// What stands at `index`, read in if it has to be.
    fn find(&self, index: u64, max: u64) -> Result<Found, Errno> {
        let shown = {
            let inner = self.inner.lock();
            if let Some(pages) = inner.map.get(index, max) {
                return Ok(Found::Resident(pages));
            }
            if self.backing.is_none() {
                let next = inner.map.next_present(index).unwrap_or(u64::MAX);
                match inner.below(index, max.min(next - index)) {
                    Below::Zeros(count) => return Ok(Found::Hole(count)),
                    Below::Shown(count) => Some(count),
                }
            } else {
                None
            }
        };
        match shown {
            Some(count) => self.lend(index, count).map(Found::Resident),
            None => self.fill(index, max).map(Found::Resident),
        }
    }

    /// Has the beginning of the file read by `read`, if none of its first `max` pages is
    /// there yet. `read` gets pages for it, or nothing if there is nothing to be read, and
    /// tells whether they are filled.
    pub fn read_beginning(
        &self,
        max: u64,
        read: impl FnOnce(Option<&Pages>) -> Result<bool, Errno>,
    ) -> Result<(), Errno> {
        let (count, generation) = {
            let inner = self.inner.lock();
            let end = pages_for(inner.size).min(max);
            let free = inner.map.next_present(0).is_none_or(|next| next >= end);
            (if free { end } else { 0 }, inner.generation)
        };
        let pages = match count {
            0 => None,
            count => self.file.allocate(count, Fill::Dirty).ok(),
        };
        let filled = read(pages.as_ref())?;
        if let Some(pages) = pages.filter(|_| filled) {
            let mut inner = self.inner.lock();
            if inner.generation == generation {
                insert_absent(&mut inner, 0, pages);
            }
        }
        Ok(())
    }

    /// Reads absent pages from the backing: a stretch of read-ahead from `index` on.
    /// Returns references on at most `max` of them.
    fn fill(&self, index: u64, max: u64) -> Result<Pages, Errno> {
        let backing = self.backing.as_ref().ok_or(EIO)?;
        loop {
            let (count, generation) = {
                let inner = self.inner.lock();
                if let Some(pages) = inner.map.get(index, max) {
                    return Ok(pages);
                }
                let ahead = backing.read_ahead(index).max(max).min(STEP);
                let end = pages_for(inner.size).max(index + 1);
                let next = inner.map.next_present(index).unwrap_or(u64::MAX);
                (ahead.min(end - index).min(next - index), inner.generation)
            };
            let pages = self.file.allocate(count, Fill::Dirty)?;
            backing.read(index, &pages)?;
            let mut inner = self.inner.lock();
            // Somebody wrote back and dropped, or cut off, what was read: it may be old.
            if inner.generation != generation {
                continue;
            }
            insert_absent(&mut inner, index, pages);
            if let Some(pages) = inner.map.get(index, max) {
                return Ok(pages);
            }
        }
    }

    /// Writes all of `src` at `pos` and grows the file as needed. A short count tells
    /// that memory, space or the guest's buffer ended early. The caller serialises writers.
    pub fn write(&self, src: &mut Source<'_>, pos: u64) -> Result<usize, Errno> {
        let mut done = 0usize;
        while src.remaining() > 0 {
            let at = pos.saturating_add(done as u64);
            if at >= MAX_FILE_SIZE {
                return if done > 0 { Ok(done) } else { Err(EFBIG) };
            }
            let want = (src.remaining() as u64).min(MAX_FILE_SIZE - at);
            match self.write_some(src, at, want) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_some(&self, src: &mut Source<'_>, at: u64, want: u64) -> Result<usize, Errno> {
        let (index, inside) = (at / PAGE, at % PAGE);
        let max = pages_for(inside + want).min(STEP);
        if inside == 0 && want >= PAGE && self.backing.is_some() {
            let absent = self.absent(index, (want / PAGE).min(max));
            if absent > 0 {
                return self.write_whole(src, index, absent);
            }
        }
        let pages = self.pages_to_write(index, max)?;
        let len = want.min(pages.count() * PAGE - inside);
        let copied = src.read_pages(&self.file, pages.offset() + inside, bytes(len)?)?;
        self.wrote(at, copied as u64);
        Ok(copied)
    }

    /// How many pages from `index` on are not resident, at most `max`.
    fn absent(&self, index: u64, max: u64) -> u64 {
        let next = self.inner.lock().map.next_present(index);
        next.map_or(max, |next| max.min(next - index))
    }

    /// Writes `count` absent pages without reading them first. They become the file's when
    /// they are full: until then nobody sees them, and a buffer that faults half-way leaves
    /// what the backing has.
    fn write_whole(&self, src: &mut Source<'_>, index: u64, count: u64) -> Result<usize, Errno> {
        let made = self.allocate_as(count, Fill::Dirty)?;
        let copied = src.read_pages(&self.file, made.offset(), bytes(made.count() * PAGE)?);
        let got = copied.map_or(0, |copied| copied as u64);
        let (full, more) = (got / PAGE, got % PAGE);
        self.discharge(made.count() - full);
        if full > 0 {
            self.publish(index, made.slice(0, full))?;
            self.wrote(index * PAGE, full * PAGE);
        }
        if more > 0 {
            let (from, next) = (made.offset() + full * PAGE, index + full);
            let to = self.pages_to_write(next, 1)?;
            self.file.copy(from, to.offset(), bytes(more)?)?;
            self.wrote(next * PAGE, more);
        }
        copied
    }

    /// Makes written pages the file's, from `index` on. Where a reader was faster and brought
    /// the old page, it is overwritten.
    pub(super) fn publish(&self, index: u64, made: Pages) -> Result<(), Errno> {
        let count = made.count();
        let unused = insert_absent(&mut self.inner.lock(), index, made.clone());
        self.discharge(unused);
        let mut done = 0;
        while unused > 0 && done < count {
            let found = self.inner.lock().map.get(index + done, count - done);
            let there = found.ok_or(EIO)?;
            let from = made.offset() + done * PAGE;
            if there.offset() != from {
                let len = bytes(there.count() * PAGE)?;
                self.file.copy(from, there.offset(), len)?;
            }
            done += there.count();
        }
        Ok(())
    }

    /// Takes note of `len` bytes written at `at`.
    fn wrote(&self, at: u64, len: u64) {
        let mut inner = self.inner.lock();
        let end = at + len;
        if len > 0 {
            inner.size = inner.size.max(end);
            if self.backing.is_some() {
                inner.dirty.insert(at / PAGE, pages_for(end));
            }
        }
    }

    /// Pages of the cache's own from `index` on. Absent ones are read in, copied from below,
    /// or made, zeroed.
    pub(super) fn pages_to_write(&self, index: u64, max: u64) -> Result<Pages, Errno> {
        let absent = {
            let inner = self.inner.lock();
            if let Some(pages) = inner.map.get(index, max) {
                return Ok(pages);
            }
            let end = pages_for(inner.size);
            let next = inner.map.next_present(index).unwrap_or(u64::MAX);
            let gap = max.min(next - index);
            // With a backing, only what lies beyond its end need not be read.
            if self.backing.is_none() {
                match inner.below(index, gap) {
                    Below::Zeros(count) => count,
                    Below::Shown(count) => {
                        drop(inner);
                        return self.copy_up(index, count);
                    }
                }
            } else if index >= end {
                gap
            } else {
                drop(inner);
                return self.fill(index, 1);
            }
        };
        let made = self.allocate(absent)?;
        let mut inner = self.inner.lock();
        let unused = insert_absent(&mut inner, index, made);
        let pages = inner.map.get(index, max).ok_or(EIO);
        drop(inner);
        self.discharge(unused);
        pages
    }

    /// As long a run of zeroed pages as can be had, at most `count`.
    fn allocate(&self, count: u64) -> Result<Pages, Errno> {
        self.allocate_as(count, Fill::Zero)
    }

    /// As [`Self::allocate`], filled or not.
    pub(super) fn allocate_as(&self, count: u64, fill: Fill) -> Result<Pages, Errno> {
        if self.charge(count).is_ok() {
            match self.file.allocate(count, fill) {
                Ok(pages) => return Ok(pages),
                Err(error) => {
                    self.discharge(count);
                    if count == 1 {
                        return Err(error);
                    }
                }
            }
        }
        self.charge(1)?;
        self.file
            .allocate(1, fill)
            .inspect_err(|_| self.discharge(1))
    }

    /// fallocate(2) without a backing: gives every page of `from..to` bytes a place.
    pub fn reserve(&self, from: u64, to: u64) -> Result<(), Errno> {
        let mut index = from / PAGE;
        let end = pages_for(to);
        while index < end {
            index += self.pages_to_write(index, (end - index).min(STEP))?.count();
        }
        Ok(())
    }

    /// Makes the file at least `size` bytes long.
    pub fn grow(&self, size: u64) {
        let mut inner = self.inner.lock();
        inner.size = inner.size.max(size);
    }
}

/// Puts `pages` at `index` where nothing is yet; returns how many found their place taken.
pub(super) fn insert_absent(inner: &mut Inner, index: u64, pages: Pages) -> u64 {
    let mut unused = 0;
    let mut at = index;
    let mut rest = Some(pages);
    while let Some(mut run) = rest.take() {
        let end = at + run.count();
        let present_to = inner.map.next_absent(at).min(end);
        let skip = present_to - at;
        if skip == run.count() {
            unused += skip;
            break;
        }
        if skip > 0 {
            let tail = run.split_off(skip);
            unused += skip;
            at = present_to;
            rest = Some(tail);
            continue;
        }
        let gap = inner.map.next_present(at).unwrap_or(u64::MAX).min(end) - at;
        if gap < run.count() {
            rest = Some(run.split_off(gap));
        }
        inner.map.insert(at, run);
        at += gap;
    }
    unused
}

impl Mappable for PageCache {
    fn pages(&self, index: u64, max: u64, write: bool) -> Result<Pages, Errno> {
        let end = pages_for(self.size());
        if index >= end {
            return Err(EFAULT);
        }
        let max = max.min(end - index).min(STEP);
        let pages = if write && self.lower.is_some() {
            self.pages_to_write(index, max)?
        } else {
            match self.find(index, max)? {
                Found::Resident(pages) => pages,
                Found::Hole(count) => self.pages_to_write(index, count)?,
            }
        };
        if write && let Some(backing) = &self.backing {
            let last = index + pages.count();
            self.inner.lock().dirty.insert(index, last);
            backing.dirtied();
        }
        Ok(pages)
    }

    fn mappings(&self) -> &Mappings {
        &self.mappings
    }

    fn write_around(&self) -> u64 {
        match (&self.backing, &self.lower) {
            (Some(_), _) => 1,
            // Each of them is copied.
            (None, Some(_)) => 4,
            (None, None) => 16,
        }
    }

    fn punch_hole(&self, from: u64, to: u64) -> Result<(), Errno> {
        self.punch(from, to)
    }

    fn is_resident(&self, index: u64) -> bool {
        let shown = {
            let inner = self.inner.lock();
            if inner.map.next_present(index) == Some(index) {
                return true;
            }
            inner.shown.contains(index)
        };
        shown
            && self
                .lower
                .as_ref()
                .is_some_and(|lower| lower.is_resident(index))
    }
}
