//! Mapping and unmapping, mmap(2) and munmap(2) without their arguments' decoding.

use std::sync::Arc;

use platform::Prot;
use syscalls::errno::{EAGAIN, EEXIST, EINVAL, ENOMEM, EOVERFLOW, EPERM, Errno};
use syscalls::{PAGE_SIZE, UserAddr};

use super::change::Change;
use super::fault::fits_limit;
use super::layout::MIN_ADDR;
use super::mappings::Registration;
use super::state::State;
use super::vma::{Backing, MapName, Source, Vma, VmaFlags};
use super::{Mappable, Mm};
use crate::vfs::File;

/// The most mappings of one process, vm.max_map_count.
pub(super) const MAX_VMAS: usize = 65_530;

/// Where a mapping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Where there is room.
    Anywhere,
    /// There, if it is free.
    Hint(u64),
    /// Below 2 GiB.
    Low,
    /// There, instead of whatever is there.
    Fixed(u64),
    /// There; `EEXIST` if something is there.
    FixedFree(u64),
}

/// What a mapping shows.
#[derive(Clone)]
pub enum Content {
    /// Zeros, private.
    Zeros,
    /// Something with pages.
    Source {
        /// What.
        source: Arc<dyn Mappable>,
        /// The open file behind it, if there is one.
        file: Option<Arc<File>>,
        /// From which byte on; page-aligned.
        offset: u64,
    },
}

/// A mapping to make.
pub struct NewMapping {
    /// Where.
    pub placement: Placement,
    /// Bytes; rounded up to whole pages.
    pub len: u64,
    /// What application code may do.
    pub prot: Prot,
    /// What mprotect(2) may grant later.
    pub may: Prot,
    /// Properties.
    pub flags: VmaFlags,
    /// What it shows.
    pub content: Content,
    /// For /proc/PID/maps.
    pub name: Option<MapName>,
    /// How many bytes the process may lock (RLIMIT_MEMLOCK, or no limit).
    pub lock_limit: u64,
}

impl NewMapping {
    /// Private zeros that may be read and written.
    #[must_use]
    pub fn zeros(placement: Placement, len: u64) -> Self {
        NewMapping {
            placement,
            len,
            prot: Prot::READ | Prot::WRITE,
            may: Prot::all(),
            flags: VmaFlags::ACCOUNT,
            content: Content::Zeros,
            name: None,
            lock_limit: u64::MAX,
        }
    }
}

/// `len` rounded up to whole pages; `None` where that wraps.
pub(super) fn page_up(len: u64) -> Option<u64> {
    UserAddr::new(len).page_ceil().map(UserAddr::get)
}

impl Mm {
    /// Makes a mapping; returns its address. Errors are mmap(2)'s.
    pub fn map(&self, new: NewMapping) -> Result<UserAddr, Errno> {
        if new.len == 0 {
            return Err(EINVAL);
        }
        let len = page_up(new.len).ok_or(ENOMEM)?;
        if let Content::Source { offset, .. } = new.content
            && offset.checked_add(len).is_none()
        {
            return Err(EOVERFLOW);
        }
        // Whatever happens, the file is not closed under the lock.
        let _content = new.content.clone();
        let (start, populate) = self.change(|state, change| {
            let start = state.place(new.placement, len)?;
            self.map_at(state, change, start, len, new)
        })?;
        if populate {
            self.populate(start, start + len);
        }
        Ok(UserAddr::new(start))
    }

    /// Maps at `start`, over what is there. Also says whether it is to be filled at once.
    fn map_at(
        &self,
        state: &mut State,
        change: &mut Change,
        start: u64,
        len: u64,
        new: NewMapping,
    ) -> Result<(u64, bool), Errno> {
        let end = start + len;
        let mut flags = new.flags | state.lock_future;
        state.may_change(start, end)?;
        let overlap = state.mapped_pages(start, end);
        let replaced = state.locked_pages(start, end);
        let limits = self.limits.get();
        let pages = len / PAGE_SIZE;
        if flags.contains(VmaFlags::LOCKED)
            && !fits_limit(state.sizes.locked - replaced, pages, new.lock_limit)
        {
            return Err(EAGAIN);
        }
        if state.vmas.count() >= MAX_VMAS
            || !fits_limit(state.sizes.total - overlap, pages, limits.address_space)
        {
            return Err(ENOMEM);
        }
        let shared = flags.contains(VmaFlags::SHARED);
        if shared || !new.prot.contains(Prot::WRITE) || flags.contains(VmaFlags::NO_RESERVE) {
            flags -= VmaFlags::ACCOUNT;
        }
        let backing = match new.content {
            Content::Zeros => Backing::Anonymous,
            Content::Source {
                source,
                file,
                offset,
            } => {
                let writable = shared && new.may.contains(Prot::WRITE);
                let registration = Registration::new(source, self.this.clone(), self.id, writable);
                Backing::Source(Source {
                    registration,
                    file,
                    offset,
                })
            }
        };
        let vma = Vma {
            start,
            end,
            prot: new.prot,
            may: new.may,
            flags,
            backing,
            name: new.name,
            policy: None,
        };
        self.may_hold(state, &vma, pages)?;
        state.unmap(change, start, end);
        let lock = flags.contains(VmaFlags::LOCKED) && !flags.contains(VmaFlags::LOCK_ON_FAULT);
        state.insert_vma(vma);
        Ok((start, lock))
    }

    /// `ENOMEM` if `pages` more of what `vma` is are too much data: RLIMIT_DATA, or more
    /// at once than there is memory.
    pub(super) fn may_hold(&self, state: &State, vma: &Vma, pages: u64) -> Result<(), Errno> {
        let too_much =
            vma.is_data() && !fits_limit(state.sizes.data, pages, self.limits.get().data);
        let never = vma.flags.contains(VmaFlags::ACCOUNT) && pages > self.file.limit() / PAGE_SIZE;
        if too_much || never {
            return Err(ENOMEM);
        }
        Ok(())
    }

    /// Removes whatever is mapped in `start..start + len`. Errors are munmap(2)'s.
    pub fn unmap(&self, start: UserAddr, len: u64) -> Result<(), Errno> {
        let (start, end) = self.range(start, len)?;
        self.change(|state, change| {
            state.may_change(start, end)?;
            let cuts = |at| {
                state
                    .vmas
                    .find(at)
                    .is_some_and(|vma| vma.start < at && at < vma.end)
            };
            if state.vmas.count() >= MAX_VMAS && cuts(start) && cuts(end) {
                return Err(ENOMEM);
            }
            state.unmap(change, start, end);
            Ok(())
        })
    }

    /// The pages of `start..start + len`: `EINVAL` unless `start` is on a page, the
    /// range is not empty and inside the user range.
    fn range(&self, start: UserAddr, len: u64) -> Result<(u64, u64), Errno> {
        let len = page_up(len).filter(|&len| len > 0).ok_or(EINVAL)?;
        let end = start.get().checked_add(len).ok_or(EINVAL)?;
        if !start.is_page_aligned() || end > self.state.read().layout.high {
            return Err(EINVAL);
        }
        Ok((start.get(), end))
    }

    /// Brings in what is mapped in `start..end`, as far as it can be had.
    pub(super) fn populate(&self, start: u64, end: u64) {
        for (start, end, access) in self.to_populate(start, end) {
            if self.fault_in(start, end, access).is_err() {
                return;
            }
        }
    }

    /// The mappings in `start..end` and the access that fills them for good.
    pub(super) fn to_populate(&self, start: u64, end: u64) -> Vec<(u64, u64, Prot)> {
        // Lengths are the program's: pages are filled whole.
        let (start, end) = (start & !(PAGE_SIZE - 1), page_up(end).unwrap_or(end));
        let state = self.state.read();
        let part = |vma: &Vma| {
            let access = if vma.prot.contains(Prot::WRITE) && !vma.is_shared() {
                Prot::WRITE
            } else {
                Prot::READ
            };
            let range = (vma.start.max(start), vma.end.min(end), access);
            (!vma.prot.is_empty()).then_some(range)
        };
        state
            .vmas
            .overlapping(start, end)
            .filter_map(part)
            .collect()
    }
}

impl State {
    /// Chooses the address of a new mapping.
    fn place(&self, placement: Placement, len: u64) -> Result<u64, Errno> {
        if len > self.layout.high {
            return Err(ENOMEM);
        }
        match placement {
            Placement::Anywhere => self.find_free(len).ok_or(ENOMEM),
            Placement::Low => self.find_free_low(len).ok_or(ENOMEM),
            Placement::Hint(addr) => {
                let addr = (addr & !(PAGE_SIZE - 1)).max(MIN_ADDR);
                match addr.checked_add(len) {
                    Some(end) if self.is_free(addr, end) => Ok(addr),
                    _ => self.find_free(len).ok_or(ENOMEM),
                }
            }
            Placement::Fixed(addr) | Placement::FixedFree(addr) => {
                if addr > self.layout.high - len {
                    return Err(ENOMEM);
                }
                if addr % PAGE_SIZE != 0 {
                    return Err(EINVAL);
                }
                if addr < self.layout.low {
                    return Err(EPERM);
                }
                let taken = self.vmas.overlapping(addr, addr + len).next().is_some();
                if taken && matches!(placement, Placement::FixedFree(_)) {
                    return Err(EEXIST);
                }
                Ok(addr)
            }
        }
    }

    /// `EPERM` if a mapping in `start..end` is sealed.
    pub(super) fn may_change(&self, start: u64, end: u64) -> Result<(), Errno> {
        let mut inside = self.vmas.overlapping(start, end);
        if inside.any(|vma| vma.flags.contains(VmaFlags::SEALED)) {
            return Err(EPERM);
        }
        Ok(())
    }

    /// Mapped pages in `start..end`.
    pub(super) fn mapped_pages(&self, start: u64, end: u64) -> u64 {
        let part = |vma: &Vma| vma.end.min(end) - vma.start.max(start);
        self.vmas.overlapping(start, end).map(part).sum::<u64>() / PAGE_SIZE
    }

    /// Pages in `start..end` that mlock(2) counts.
    pub(super) fn locked_pages(&self, start: u64, end: u64) -> u64 {
        let part = |vma: &Vma| vma.end.min(end) - vma.start.max(start);
        let locked = self.vmas.overlapping(start, end);
        let locked = locked.filter(|vma| vma.flags.contains(VmaFlags::LOCKED));
        locked.map(part).sum::<u64>() / PAGE_SIZE
    }
}
