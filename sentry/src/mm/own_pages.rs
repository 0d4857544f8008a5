//! Putting in pages of a process's own: filled with zeros, or copied.

use platform::memfile::Fill;
use platform::{Pages, Prot};
use syscalls::PAGE_SIZE;

use super::Mm;
use super::change::Change;
use super::fault::FaultError;
use super::place::{ANONYMOUS, Place};
use super::resident::{Kind, Resident};
use super::state::State;
use super::vma::VmaFlags;

/// The most that is filled at once for a program that goes through memory in order, pages.
const STREAK_MAX: u64 = 256;

impl Mm {
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
