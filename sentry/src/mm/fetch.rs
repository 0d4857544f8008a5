//! What a fault needs of a file: asked for without the lock, and put in if it is still
//! wanted.

use std::sync::Arc;

use platform::{MapOp, Pages, Prot};
use syscalls::PAGE_SIZE;

use super::change::Change;
use super::fault::FaultError;
use super::own_pages::{put_own, retell};
use super::place::{CODE, CODE_STEP, FILE, Place};
use super::resident::{Kind, Resident};
use super::state::State;
use super::vma::Vma;
use super::{Mappable, Mm};
use crate::vfs::File;

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
    pub(super) fn be_lazy(&self, change: &mut Change) {
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

impl Mm {
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
