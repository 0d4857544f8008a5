//! The platform's own guest-physical memory: pages from which tables are made.

use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use parking_lot::Mutex;
use syscalls::errno::{EFAULT, ENOMEM};
use syscalls::{Errno, PAGE_SIZE};

use super::layout::OWN_SIZE;
use crate::host::mapping::Mapping;
use crate::host::memfd;
use crate::usercopy;

/// Behind the pages, and nothing that processors see: entries in use of each page that is a
/// table.
const COUNTS: u64 = OWN_SIZE;

const PAGE_SHIFT: u32 = PAGE_SIZE.trailing_zeros();

/// Pages by their guest-physical addresses. Processors read them at any time.
pub(super) struct Own {
    mapping: Mapping,
    /// The mapping's.
    _file: OwnedFd,
    free: Mutex<Free>,
}

#[derive(Default)]
struct Free {
    /// First page that was never given out.
    next: u64,
    /// Given back.
    pages: Vec<u64>,
    /// Given back, but the host may still have shadows of them as tables.
    shadowed: Vec<u64>,
}

impl Own {
    pub(super) fn new() -> Result<Self, Errno> {
        let size = COUNTS + OWN_SIZE / PAGE_SIZE * 2;
        let file = memfd::create(c"runsk-tables", size)?;
        let len = usize::try_from(size).map_err(|_| ENOMEM)?;
        usercopy::install();
        Ok(Own {
            mapping: Mapping::shared(file.as_fd(), 0, len)?,
            _file: file,
            free: Mutex::default(),
        })
    }

    /// Where `len` bytes from `address` on are in this process.
    pub(super) fn host_address(&self, address: u64, len: u64) -> Result<u64, Errno> {
        let at = usize::try_from(address).map_err(|_| EFAULT)?;
        let len = usize::try_from(len).map_err(|_| EFAULT)?;
        Ok(self.mapping.at(at, len)?.addr() as u64)
    }

    /// A page, all zero. `cover` is called with the end of what is used before that grows.
    pub(super) fn take(&self, cover: impl Fn(u64) -> Result<(), Errno>) -> Result<u64, Errno> {
        let (page, used_before) = {
            let mut free = self.free.lock();
            match free.pages.pop() {
                Some(page) => (page, true),
                None if free.next < OWN_SIZE => {
                    cover(free.next + PAGE_SIZE)?;
                    let page = free.next;
                    free.next += PAGE_SIZE;
                    (page, false)
                }
                None => return Err(ENOMEM),
            }
        };
        if used_before {
            let at = usize::try_from(page).map_err(|_| EFAULT)?;
            let len = usize::try_from(PAGE_SIZE).map_err(|_| EFAULT)?;
            let target = self.mapping.at(at, len)?;
            // SAFETY: the page is in our mapping, and nobody's at the moment.
            unsafe { usercopy::zero(target, len) }?;
        }
        self.count(page).store(0, Ordering::Relaxed);
        Ok(page)
    }

    /// Gives back pages that no processor can reach any more.
    pub(super) fn give_back(&self, pages: &[u64]) {
        self.free.lock().pages.extend(pages);
    }

    /// As [`Self::give_back`], for pages that the host may have shadows of as tables; returns
    /// how many there are.
    pub(super) fn give_back_shadowed(&self, pages: &[u64]) -> usize {
        let shadowed = &mut self.free.lock().shadowed;
        shadowed.extend(pages);
        shadowed.len()
    }

    /// All of these, to be given back once the host has no such shadows any more.
    pub(super) fn take_shadowed(&self) -> Vec<u64> {
        mem::take(&mut self.free.lock().shadowed)
    }

    /// Pages that are in use.
    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        let free = self.free.lock();
        let given_back = (free.pages.len() + free.shadowed.len()) as u64;
        (free.next >> PAGE_SHIFT) - given_back
    }

    /// The number at an address, a multiple of 8.
    ///
    /// # Panics
    /// If it is not inside: addresses are the platform's own.
    pub(super) fn word(&self, address: u64) -> &AtomicU64 {
        assert!(address.is_multiple_of(8), "aligned");
        let at = usize::try_from(address).unwrap_or(usize::MAX);
        let word = self.mapping.at(at, size_of::<u64>());
        let word = word.expect("an address inside").cast::<AtomicU64>();
        // SAFETY: inside the mapping, which lives as long as `self`, and aligned; all access
        // is by atomics, but for pages that are nobody's.
        unsafe { &*word }
    }

    /// How many entries of a table are in use.
    pub(super) fn count(&self, table: u64) -> &AtomicU16 {
        let at = usize::try_from(COUNTS + (table >> PAGE_SHIFT) * 2).unwrap_or(usize::MAX);
        let count = self.mapping.at(at, size_of::<u16>());
        let count = count.expect("an address inside").cast::<AtomicU16>();
        // SAFETY: inside the mapping, which lives as long as `self`, and aligned; all access
        // is by atomics.
        unsafe { &*count }
    }

    /// Writes bytes into a page that no processor uses yet; `address` is a multiple of 8.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) {
        for (chunk, at) in bytes.chunks(8).zip((address..).step_by(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(at)
                .store(u64::from_le_bytes(word), Ordering::Relaxed);
        }
    }
}
