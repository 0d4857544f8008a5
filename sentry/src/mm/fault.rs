//! Faults: bringing in what application code, or a copy of the kernel's, touches.
//!
//! Under the lock everything is decided and anonymous memory filled; pages of files are
//! fetched without it, because that may be slow, and put in only if nothing has changed
//! in between.

use std::cell::Cell;
use std::sync::Arc;

use platform::memfile::Fill;
use platform::{MapOp, Pages, Prot};
use syscalls::errno::{ENOMEM, Errno};
use syscalls::{PAGE_SIZE, UserAddr};

use super::change::Change;
use super::layout::GUARD_GAP;
use super::resident::{Kind, Resident};
use super::state::State;
use super::vma::{Vma, VmaFlags};
use super::{BadAccess, Mappable, Mm};
use crate::vfs::File;

/// A fault brings in its neighbourhood.
#[derive(Clone, Copy)]
struct Reach {
    /// Bytes, aligned.
    around: u64,
    /// Mappings up to this size are brought in whole.
    small: u64,
}

/// In anonymous memory, every page of which has to be filled.
const ANONYMOUS: Reach = Reach {
    around: 64 << 10,
    small: 128 << 10,
};
/// In files: a page that is cached costs a twentieth of a fault, and those that are not are
/// read with one request.
const FILE: Reach = Reach {
    around: 256 << 10,
    small: 512 << 10,
};
/// In programs and libraries, as far as they are cached: mapped for the host to fill in, so
/// the rest of a library costs no fault of ours.
const CODE: Reach = Reach {
    around: 2 << 20,
    small: 4 << 20,
};
/// Steps in which what is not cached is passed over, bytes.
const CODE_STEP: u64 = 64 << 10;
/// What a stack grows by: this many bytes, aligned.
const STACK_STEP: u64 = 64 << 10;
/// The most that is filled at once for a program that goes through memory in order, pages.
const STREAK_MAX: u64 = 256;
/// A copy on write takes along its neighbours: this many bytes, aligned.
const COPY_AROUND: u64 = 16 << 10;
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

/// Pages of a file that a fault needs.
pub(super) struct Wanted {
    /// The page that must be had, as an address, and its number in the source.
    at: u64,
    index: u64,
    /// What may be brought in along with it.
    low: u64,
    high: u64,
    /// What may come along too if it costs nothing.
    far: (u64, u64),
    source: Arc<dyn Mappable>,
    /// The open file behind it, where there is one.
    file: Option<Arc<File>>,
    /// Written through a shared mapping.
    write: bool,
    generation: u64,
}

impl Wanted {
    /// Without what is there already.
    pub(super) fn clipped(mut self, state: &State) -> Self {
        let gap_end = state.resident.next_start(self.at).unwrap_or(u64::MAX);
        let gap_start = state.resident.last_end(self.at).unwrap_or(0);
        self.high = self.high.min(gap_end);
        self.low = self.low.max(gap_start);
        self.far = (self.far.0.max(gap_start), self.far.1.min(gap_end));
        self
    }

    /// Asks the source; without any lock. Runs with their addresses; the first page
    /// asked for is among them.
    pub(super) fn fetch(&self) -> Result<Vec<(u64, Pages)>, FaultError> {
        let mut runs = Vec::new();
        let mut addr = if self.write { self.at } else { self.low };
        while addr < self.high {
            let max = (self.high - addr) / PAGE_SIZE;
            match self.source.pages(self.index_of(addr), max, self.write) {
                Ok(pages) => {
                    let len = pages.count() * PAGE_SIZE;
                    runs.push((addr, pages));
                    addr += len;
                }
                Err(error) if addr == self.at => return Err(error.into()),
                Err(_) if addr < self.at => addr = self.at,
                Err(_) => break,
            }
        }
        if self.write
            && let Some(file) = &self.file
        {
            file.inode().written_through_mapping();
        }
        self.fetch_cached(&mut runs, self.far.0, self.low);
        self.fetch_cached(&mut runs, self.high, self.far.1);
        Ok(runs)
    }

    /// The page of the source that is mapped at `addr`, in the same mapping.
    fn index_of(&self, addr: u64) -> u64 {
        self.index + addr / PAGE_SIZE - self.at / PAGE_SIZE
    }

    /// Adds what the source has in memory.
    fn fetch_cached(&self, runs: &mut Vec<(u64, Pages)>, start: u64, end: u64) {
        let mut addr = start;
        while addr < end {
            let index = self.index_of(addr);
            if !self.source.is_resident(index) {
                addr = (addr + CODE_STEP) & !(CODE_STEP - 1);
                continue;
            }
            let Ok(pages) = self.source.pages(index, (end - addr) / PAGE_SIZE, false) else {
                return;
            };
            let len = pages.count() * PAGE_SIZE;
            runs.push((addr, pages));
            addr += len;
        }
    }

    /// Leaves it to the host to fill in what nobody asked for.
    fn be_lazy(&self, change: &mut Change) {
        for op in &mut change.ops {
            if let MapOp::Map {
                at, len, populate, ..
            } = op
            {
                let near = at.get() < self.high && self.low < at.get() + *len;
                *populate &= near;
            }
        }
    }
}

/// A part of a mapping in which a fault works, copied out of it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    start: u64,
    end: u64,
    prot: Prot,
    flags: VmaFlags,
    /// The file behind it may change: pages that nobody wrote here have to show that.
    changing: bool,
}

impl Place {
    pub(super) fn of(vma: &Vma) -> Self {
        let file = vma.source().and_then(|source| source.file.as_ref());
        Place {
            start: vma.start,
            end: vma.end,
            prot: vma.prot,
            flags: vma.flags,
            changing: file.is_some_and(|file| file.inode().attachments().has_writers()),
        }
    }

    /// What is copied together with the pages `at..end` that are about to be written.
    fn copied_with(self, at: u64, end: u64) -> (u64, u64) {
        if self.changing {
            return (at, end);
        }
        let low = at & !(COPY_AROUND - 1);
        (low, end.max(low.saturating_add(COPY_AROUND)))
    }

    fn is_shared(self) -> bool {
        self.flags.contains(VmaFlags::SHARED)
    }

    /// The neighbourhood of `at..end` to bring in along with it.
    fn around(self, at: u64, end: u64, reach: Reach) -> (u64, u64) {
        if self.flags.intersects(VmaFlags::ALONE) {
            return (at, end);
        }
        if self.end - self.start <= reach.small {
            return (self.start, self.end);
        }
        let low = at & !(reach.around - 1);
        (
            low.max(self.start),
            end.max(low.saturating_add(reach.around)).min(self.end),
        )
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

    /// Zeroed pages for the gap at `at`. Returns how far it got.
    pub(super) fn fill_anonymous(
        &self,
        state: &mut State,
        change: &mut Change,
        place: Place,
        at: u64,
        end: u64,
    ) -> Result<u64, FaultError> {
        let (streak_end, streak_pages) = state.streak;
        let (low, high, pages) = if streak_end == at && !place.flags.intersects(VmaFlags::ALONE) {
            let pages = (streak_pages * 2).min(STREAK_MAX);
            let high = end.max(at.saturating_add(pages * PAGE_SIZE)).min(place.end);
            (at, high, pages)
        } else {
            let (low, high) = place.around(at, end, ANONYMOUS);
            (low, high, ANONYMOUS.around / PAGE_SIZE)
        };
        let low = low.max(state.resident.last_end(at).unwrap_or(0));
        let high = high.min(state.resident.next_start(at).unwrap_or(u64::MAX));
        let (low, runs) = match self
            .file
            .allocate_runs((high - low) / PAGE_SIZE, Fill::Zero)
        {
            Ok(runs) => (low, runs),
            // Close to the limit, what must be had may still fit.
            Err(_) => (at, self.file.allocate_runs(1, Fill::Zero)?),
        };
        let filled = put_own(state, change, low, place.prot, runs);
        state.streak = (filled, pages);
        Ok(filled.min(end))
    }

    /// Makes pages of `run` from `at` on this process's own. Returns how far it got.
    pub(super) fn copy_on_write(
        &self,
        state: &mut State,
        change: &mut Change,
        place: Place,
        at: u64,
        end: u64,
        run: (u64, u64),
    ) -> Result<u64, FaultError> {
        let (low, high) = place.copied_with(at, end);
        let low = low.max(run.0).max(place.start);
        let high = high.min(run.1).min(place.end);
        for (start, run) in state.resident.take(low, high) {
            if run.kind == Kind::Own {
                state.hot.note(at);
            }
            self.copy_run(state, change, place.prot, start, run)?;
        }
        Ok(high.min(end))
    }

    /// Makes a run that was taken out this process's own: copies its pages, except those
    /// that nobody else has.
    fn copy_run(
        &self,
        state: &mut State,
        change: &mut Change,
        prot: Prot,
        mut start: u64,
        run: Resident,
    ) -> Result<(), FaultError> {
        let Resident {
            pages, kind, told, ..
        } = run;
        let mut rest = Some(pages);
        let mut result = Ok(());
        while let Some(mut pages) = rest.take() {
            let ours = |index| kind == Kind::Own && pages.is_sole_owner(index);
            let (keep, count) = (ours(0), pages.count());
            let same = (1..count).find(|&i| ours(i) != keep).unwrap_or(count);
            if same < count {
                rest = Some(pages.split_off(same));
            }
            let run = Resident {
                pages,
                kind,
                guarded: !keep,
                told,
            };
            if keep || result.is_err() {
                retell(state, change, prot, start, run);
            } else {
                match self.copied(&run.pages) {
                    Ok(copies) => {
                        put_own(state, change, start, prot, copies);
                        change.pages.push(run.pages);
                    }
                    Err(error) => {
                        result = Err(error);
                        state.resident.put(start, run);
                    }
                }
            }
            start += same * PAGE_SIZE;
        }
        result
    }

    /// New pages with the same bytes.
    pub(super) fn copied(&self, pages: &Pages) -> Result<Vec<Pages>, FaultError> {
        let copies = self.file.allocate_runs(pages.count(), Fill::Dirty)?;
        let mut from = pages.offset();
        for copy in &copies {
            let len = copy.count() * PAGE_SIZE;
            let bytes = usize::try_from(len).map_err(|_| FaultError::NoMemory)?;
            self.file.copy(from, copy.offset(), bytes)?;
            from += len;
        }
        Ok(copies)
    }

    /// Puts in what a file gave, if it is still wanted there. Whoever called looks again.
    pub(super) fn install(
        &self,
        state: &mut State,
        change: &mut Change,
        wanted: &Wanted,
        runs: Vec<(u64, Pages)>,
        end: u64,
        access: Prot,
    ) -> Result<(), FaultError> {
        let mappings = wanted.source.mappings();
        if mappings.generation() != wanted.generation {
            return Ok(());
        }
        let Some(vma) = state.vmas.find(wanted.at) else {
            return Ok(());
        };
        let same = vma.source().is_some_and(|source| {
            source.registration.is_of(mappings)
                && vma.index_of(source, wanted.at) == wanted.index
                && vma.is_shared() >= wanted.write
        });
        if !same {
            return Ok(());
        }
        let place = Place::of(vma);
        for run in runs {
            let (_, run) = cut(Some(run), place.start);
            let (Some((start, pages)), _) = cut(run, place.end) else {
                continue;
            };
            if wanted.write {
                replace_shared(state, change, place.prot, start, pages);
                continue;
            }
            for part in absent_parts(state, start, &pages) {
                if access == Prot::WRITE {
                    self.put_written(state, change, place, part, (wanted.at, end))?;
                } else {
                    put_source(state, change, place.prot, Some(part));
                }
            }
        }
        Ok(())
    }

    /// Puts in pages of a file that a private mapping is about to write at `written`:
    /// those pages and their neighbours are copied at once.
    fn put_written(
        &self,
        state: &mut State,
        change: &mut Change,
        place: Place,
        run: (u64, Pages),
        written: (u64, u64),
    ) -> Result<(), FaultError> {
        let (low, high) = place.copied_with(written.0, written.1);
        let (before, rest) = cut(Some(run), low);
        let (inside, after) = cut(rest, high);
        put_source(state, change, place.prot, before);
        put_source(state, change, place.prot, after);
        if let Some((start, pages)) = inside {
            let copies = self.copied(&pages)?;
            put_own(state, change, start, place.prot, copies);
        }
        Ok(())
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

/// What to ask the source of `vma` for, to have `at` and more up to `end`.
pub(super) fn wanted(vma: &Vma, at: u64, end: u64, write: bool) -> Result<Wanted, FaultError> {
    let source = vma.source().ok_or(FaultError::Bus)?;
    let mappable = source.registration.source().clone();
    let (low, high) = if write {
        let around = mappable.write_around().saturating_mul(PAGE_SIZE);
        (at, end.max(at.saturating_add(around)).min(vma.end))
    } else {
        Place::of(vma).around(at, end, FILE)
    };
    let far = if vma.prot.contains(Prot::EXEC) && !write {
        Place::of(vma).around(at, end, CODE)
    } else {
        (low, high)
    };
    Ok(Wanted {
        at,
        far,
        index: vma.index_of(source, at),
        low,
        high,
        write,
        generation: mappable.mappings().generation(),
        source: mappable,
        file: source.file.clone(),
    })
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

/// Puts a run back with the rights that it now has.
pub(super) fn retell(
    state: &mut State,
    change: &mut Change,
    prot: Prot,
    start: u64,
    mut run: Resident,
) {
    let rights = run.rights(prot);
    match run.told {
        Some(told) if told == rights => {}
        Some(told) if !told.is_empty() => change.protect(start, run.len(), rights),
        // What nobody may touch is not mapped.
        _ if rights.is_empty() => {}
        _ => change.map(start, run.len(), run.offset(0), rights),
    }
    if run.told.is_some() || !rights.is_empty() {
        run.told = Some(rights);
    }
    state.resident.put(start, run);
}

/// Puts in new pages of this process's own, from `at` on. Returns their end.
pub(super) fn put_own(
    state: &mut State,
    change: &mut Change,
    mut at: u64,
    prot: Prot,
    runs: Vec<Pages>,
) -> u64 {
    for pages in runs {
        let run = Resident {
            pages,
            kind: Kind::Own,
            guarded: false,
            told: None,
        };
        let len = run.len();
        retell(state, change, prot, at, run);
        at += len;
    }
    at
}

/// Puts in a file's pages, not to be written.
fn put_source(state: &mut State, change: &mut Change, prot: Prot, run: Option<(u64, Pages)>) {
    if let Some((start, pages)) = run {
        let run = Resident {
            pages,
            kind: Kind::Source,
            guarded: true,
            told: None,
        };
        retell(state, change, prot, start, run);
    }
}

/// Puts in a file's pages that may be written from now on, over what is there.
fn replace_shared(state: &mut State, change: &mut Change, prot: Prot, start: u64, pages: Pages) {
    let end = start + pages.count() * PAGE_SIZE;
    let offset = pages.offset();
    for (at, old) in state.resident.take(start, end) {
        if old.told.is_some() && old.offset(0) != offset + (at - start) {
            change.unmap(at, old.len());
        }
        change.pages.push(old.pages);
    }
    let run = Resident {
        pages,
        kind: Kind::Source,
        guarded: false,
        told: None,
    };
    retell(state, change, prot, start, run);
}

/// The parts of `pages`, to be put at `start`, for which nothing is there yet.
fn absent_parts(state: &State, start: u64, pages: &Pages) -> Vec<(u64, Pages)> {
    let end = start + pages.count() * PAGE_SIZE;
    let mut parts = Vec::new();
    let mut at = start;
    while at < end {
        if let Some((run_start, run)) = state.resident.find(at) {
            at = run_start + run.len();
            continue;
        }
        let to = state
            .resident
            .next_start(at)
            .map_or(end, |next| next.min(end));
        let part = pages.slice((at - start) / PAGE_SIZE, (to - at) / PAGE_SIZE);
        parts.push((at, part));
        at = to;
    }
    parts
}

/// A run of pages and the address of its first.
type Run = Option<(u64, Pages)>;

/// Cuts a run at address `at`: what lies below, and the rest.
fn cut(run: Run, at: u64) -> (Run, Run) {
    let Some((start, mut pages)) = run else {
        return (None, None);
    };
    let below = at.saturating_sub(start) / PAGE_SIZE;
    if below == 0 {
        (None, Some((start, pages)))
    } else if below >= pages.count() {
        (Some((start, pages)), None)
    } else {
        let rest = pages.split_off(below);
        (Some((start, pages)), Some((at, rest)))
    }
}
