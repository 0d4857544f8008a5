//! Locked memory, mlock(2). Guest memory is never swapped out here: locking brings pages
//! in and counts them.

use syscalls::errno::{EAGAIN, ENOMEM, Errno};
use syscalls::{PAGE_SIZE, UserAddr};

use super::Mm;
use super::advise::gaps;
use super::fault::{FaultError, fits_limit};
use super::map::page_up;
use super::vma::VmaFlags;

const BOTH: VmaFlags = VmaFlags::LOCKED.union(VmaFlags::LOCK_ON_FAULT);

impl Mm {
    /// Locks `start..start + len`, rounded out to pages. `how` is `LOCKED` with or
    /// without `LOCK_ON_FAULT`. Errors are mlock(2)'s.
    pub fn lock(
        &self,
        start: UserAddr,
        len: u64,
        how: VmaFlags,
        lock_limit: u64,
    ) -> Result<(), Errno> {
        let Some((start, end)) = rounded_out(start, len)? else {
            return Ok(());
        };
        self.change(|state, _| {
            let again = state.locked_pages(start, end);
            let pages = (end - start) / PAGE_SIZE;
            if !fits_limit(state.sizes.locked - again, pages, lock_limit) {
                return Err(ENOMEM);
            }
            state.change_vmas(start, end, |vma| vma.flags = (vma.flags - BOTH) | how);
            gaps(state, start, end)
        })?;
        if how.contains(VmaFlags::LOCK_ON_FAULT) {
            return Ok(());
        }
        for (start, end, access) in self.to_populate(start, end) {
            self.fault_in(start, end, access)
                .map_err(|error| match error {
                    FaultError::NoMemory => EAGAIN,
                    _ => ENOMEM,
                })?;
        }
        Ok(())
    }

    /// munlock(2).
    pub fn unlock(&self, start: UserAddr, len: u64) -> Result<(), Errno> {
        let Some((start, end)) = rounded_out(start, len)? else {
            return Ok(());
        };
        self.change(|state, _| {
            state.change_vmas(start, end, |vma| vma.flags -= BOTH);
            gaps(state, start, end)
        })
    }

    /// mlockall(2): what is there now and what will be. `None` leaves the present as it is.
    pub fn lock_all(
        &self,
        now: Option<VmaFlags>,
        future: VmaFlags,
        lock_limit: u64,
    ) -> Result<(), Errno> {
        self.change(|state, _| {
            if now.is_some() && !fits_limit(0, state.sizes.total, lock_limit) {
                return Err(ENOMEM);
            }
            state.lock_future = future;
            if let Some(now) = now {
                state.change_vmas(0, u64::MAX, |vma| vma.flags = (vma.flags - BOTH) | now);
            }
            Ok(())
        })?;
        if now == Some(VmaFlags::LOCKED) {
            // As far as it can be had: guard pages cannot.
            for (start, end, access) in self.to_populate(0, u64::MAX) {
                let _ = self.fault_in(start, end, access);
            }
        }
        Ok(())
    }

    /// munlockall(2).
    pub fn unlock_all(&self) -> Result<(), Errno> {
        self.lock_all(Some(VmaFlags::empty()), VmaFlags::empty(), u64::MAX)
    }
}

/// The pages that hold `start..start + len`; `None` if there are none.
fn rounded_out(start: UserAddr, len: u64) -> Result<Option<(u64, u64)>, Errno> {
    let low = start.page_floor().get();
    // A length that goes round is a short one, here as there.
    let len = page_up(len.wrapping_add(start.page_offset())).unwrap_or(0);
    let end = low.checked_add(len).ok_or(syscalls::errno::EINVAL)?;
    Ok((low < end).then_some((low, end)))
}
