//! Faults: bringing in what application code, or a copy of the kernel's, touches.
//!
//! Under the lock everything is decided and anonymous memory filled; pages of files are
//! fetched without it, because that may be slow, and put in only if nothing has changed
//! in between.

use std::cell::Cell;

use platform::Prot;
use syscalls::errno::{ENOMEM, Errno};
use syscalls::{PAGE_SIZE, UserAddr};

use super::change::Change;
use super::fetch::{Wanted, wanted};
use super::layout::GUARD_GAP;
use super::own_pages::retell;
use super::place::{FILE, Place};
use super::state::State;
use super::vma::VmaFlags;
use super::{BadAccess, Mm};

/// What a stack grows by: this many bytes, aligned.
const STACK_STEP: u64 = 64 << 10;
/// So many fruitless returns to the same page count as a refused access.
const FRUITLESS: u32 = 100;

/// Why memory cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultError {
    /// Nothing is mapped there.
    Unmapped,
    /// The mapping does not allow it.
    Denied,
    /// The file ends before, or cannot be read.
    Bus,
    /// Memory has run out, or the platform failed.
    NoMemory,
}

impl From<Errno> for FaultError {
    fn from(errno: Errno) -> Self {
        if errno == ENOMEM {
            FaultError::NoMemory
        } else {
            FaultError::Bus
        }
    }
}

impl From<FaultError> for BadAccess {
    fn from(error: FaultError) -> Self {
        const SIGBUS: i32 = 7;
        const SIGKILL: i32 = 9;
        const SIGSEGV: i32 = 11;
        let (signal, code) = match error {
            FaultError::Unmapped => (SIGSEGV, 1),    // SEGV_MAPERR
            FaultError::Denied => (SIGSEGV, 2),      // SEGV_ACCERR
            FaultError::Bus => (SIGBUS, 2),          // BUS_ADRERR
            FaultError::NoMemory => (SIGKILL, 0x80), // SI_KERNEL: out of memory
        };
        BadAccess { signal, code }
    }
}

/// True if rights `have` allow `access`. On x86-64 every accessible page is readable.
pub(super) fn permits(have: Prot, access: Prot) -> bool {
    if access == Prot::READ {
        !have.is_empty()
    } else {
        have.contains(access)
    }
}

thread_local! {
    /// Faults in a row of this thread for which nothing had to be done: memory, page, count.
    static FRUITLESS_FAULTS: Cell<(u64, u64, u32)> = const { Cell::new((0, 0, 0)) };
}

impl Mm {
    /// Resolves a fault of application code; an error is a signal for it.
    pub fn handle_fault(&self, addr: UserAddr, access: Prot) -> Result<(), BadAccess> {
        let page = addr.page_floor().get();
        if self.is_granted(page, access) {
            return self.go_on(page).map_err(BadAccess::from);
        }
        // The top page of the address space is never mapped.
        let end = page.saturating_add(PAGE_SIZE);
        self.fault_in(page, end, access).map_err(BadAccess::from)
    }

    /// True if the platform was told to allow the access: another thread was quicker.
    fn is_granted(&self, page: u64, access: Prot) -> bool {
        let state = self.state.read();
        let run = state.resident.find(page);
        run.is_some_and(|(_, run)| permits(run.told.unwrap_or_default(), access))
    }

    /// Has the access tried again, but not for ever.
    fn go_on(&self, page: u64) -> Result<(), FaultError> {
        let (mm, last, count) = FRUITLESS_FAULTS.get();
        let again = (mm, last) == (self.id, page);
        if again && count >= FRUITLESS {
            FRUITLESS_FAULTS.set((0, 0, 0));
            log::warn!("a fault at {page:#x} repeats though the page is mapped");
            return Err(FaultError::Denied);
        }
        let count = if again { count + 1 } else { 1 };
        FRUITLESS_FAULTS.set((self.id, page, count));
        Ok(())
    }

    /// Brings in the pages of `start..end`, page-aligned, for `access`.
    pub(super) fn fault_in(&self, start: u64, end: u64, access: Prot) -> Result<(), FaultError> {
        let mut at = start;
        while at < end {
            let wanted =
                self.change(|state, change| self.advance(state, change, &mut at, end, access))?;
            if let Some(wanted) = wanted {
                let runs = wanted.fetch()?;
                self.change(|state, change| {
                    self.install(state, change, &wanted, runs, end, access)?;
                    wanted.be_lazy(change);
                    Ok::<_, FaultError>(())
                })?;
            }
        }
        Ok(())
    }

    /// Goes from `at` on as far as it can without asking a file.
    fn advance(
        &self,
        state: &mut State,
        change: &mut Change,
        at: &mut u64,
        end: u64,
        access: Prot,
    ) -> Result<Option<Wanted>, FaultError> {
        while *at < end {
            if state.vmas.find(*at).is_none() {
                self.grow_stack(state, *at)?;
            }
            let vma = state.vmas.find(*at).ok_or(FaultError::Unmapped)?;
            if !permits(vma.prot, access) {
                return Err(FaultError::Denied);
            }
            let place = Place::of(vma);
            let end = end.min(place.end);
            let run = state.resident.find(*at).map(|(start, run)| {
                let guarded = run.guarded && access == Prot::WRITE;
                let told = permits(run.told.unwrap_or_default(), access);
                (start, start + run.len(), guarded, told)
            });
            match run {
                Some((_, run_end, true, _)) if place.is_shared() => {
                    return Ok(Some(wanted(vma, *at, end.min(run_end), true)?));
                }
                Some((start, run_end, true, _)) => {
                    *at = self.copy_on_write(state, change, place, *at, end, (start, run_end))?;
                }
                Some((_, run_end, false, true)) => *at = run_end.min(end),
                Some((start, run_end, false, false)) => {
                    *at = tell(state, change, place, *at, end, (start, run_end));
                }
                None if vma.is_anonymous() => {
                    *at = self.fill_anonymous(state, change, place, *at, end)?;
                }
                None => {
                    let gap_end = state.resident.next_start(*at).unwrap_or(u64::MAX);
                    let write = access == Prot::WRITE && place.is_shared();
                    let wanted = wanted(vma, *at, end.min(gap_end), write)?;
                    return Ok(Some(wanted.clipped(state)));
                }
            }
        }
        Ok(None)
    }

    /// Moves the start of a stack down to hold `addr`, if one may grow there.
    fn grow_stack(&self, state: &mut State, addr: u64) -> Result<(), FaultError> {
        let vma = state.vmas.first_above(addr).ok_or(FaultError::Unmapped)?;
        if !vma.flags.contains(VmaFlags::GROWS_DOWN) || addr < state.layout.low {
            return Err(FaultError::Unmapped);
        }
        let limits = self.limits.get();
        // Other mappings keep their distance, unless nothing can be done there anyway.
        let floor = match state.vmas.last_below(addr) {
            Some(below) if below.flags.contains(VmaFlags::GROWS_DOWN) => below.end,
            Some(below) if below.prot.is_empty() => below.end,
            Some(below) => below.end.saturating_add(GUARD_GAP),
            None => state.layout.low,
        };
        let floor = floor.max(vma.end.saturating_sub(limits.stack & !(PAGE_SIZE - 1)));
        let (start, flags) = (vma.start, vma.flags);
        let to = (addr & !(STACK_STEP - 1)).max(floor);
        let pages = |to| (start - to) / PAGE_SIZE;
        // Differs from Linux: grows by up to 64 KiB, so that fewer faults follow.
        for to in [to, addr] {
            let fits = to <= addr
                && fits_limit(state.sizes.total, pages(to), limits.address_space)
                && (!flags.contains(VmaFlags::LOCKED)
                    || fits_limit(state.sizes.locked, pages(to), limits.locked));
            if fits && addr >= floor {
                state.extend_vma_down(start, to);
                return Ok(());
            }
        }
        Err(FaultError::Unmapped)
    }
}

/// True if `more` pages on top of `have` stay within `limit` bytes.
pub(super) fn fits_limit(have: u64, more: u64, limit: u64) -> bool {
    have.checked_add(more)
        .is_some_and(|sum| sum <= limit / PAGE_SIZE)
}

/// Tells the platform of pages that it does not have, or grants it the rights that are
/// due, in the neighbourhood of `at`. Returns how far it got.
fn tell(
    state: &mut State,
    change: &mut Change,
    place: Place,
    at: u64,
    end: u64,
    run: (u64, u64),
) -> u64 {
    let (low, high) = place.around(at, end, FILE);
    let (low, high) = (low.max(run.0), high.min(run.1));
    for (start, run) in state.resident.take(low, high) {
        retell(state, change, place.prot, start, run);
    }
    high.min(end)
}
