//! Writing where the program itself may not: a debugger's breakpoints, and /proc/PID/mem.

use platform::Prot;
use syscalls::{PAGE_SIZE, UserAddr};

use super::Mm;
use super::change::Change;
use super::fault::FaultError;
use super::fetch::{Wanted, wanted};
use super::place::Place;
use super::state::State;
use super::vma::VmaFlags;

/// What comes next for a page that shall be written.
enum Next {
    /// It is this process's own.
    Write,
    /// Its bytes have to be asked for.
    Fetch(Wanted),
}

impl Mm {
    /// Copies to the guest as far as private memory goes, whatever its rights, as
    /// `FOLL_FORCE` has it; shared memory only where it may be written. Returns how many
    /// bytes could be written.
    pub fn force_write(&self, addr: UserAddr, src: &[u8]) -> usize {
        let mut done = self.write_partial(addr, src);
        while done < src.len() {
            let Ok(at) = addr.add(done as u64) else {
                return done;
            };
            let rest = src.get(done..).unwrap_or_default();
            let in_page = PAGE_SIZE - at.get() % PAGE_SIZE;
            let len = usize::try_from(in_page).unwrap_or(rest.len());
            let piece = rest.get(..len.min(rest.len())).unwrap_or(rest);
            if self.force_page(at.get(), piece).is_err() {
                return done;
            }
            done += piece.len();
        }
        done
    }

    /// Writes inside one page.
    fn force_page(&self, at: u64, bytes: &[u8]) -> Result<(), FaultError> {
        let page = at & !(PAGE_SIZE - 1);
        loop {
            let next = self.change(|state, change| self.own_page(state, change, page))?;
            match next {
                Next::Write => {}
                Next::Fetch(wanted) => {
                    let runs = wanted.fetch()?;
                    let end = page.saturating_add(PAGE_SIZE);
                    self.change(|state, change| {
                        self.install(state, change, &wanted, runs, end, Prot::WRITE)
                    })?;
                    continue;
                }
            }
            let state = self.state.read();
            // Unless a fork, or an mmap(2), was quicker.
            if let Some((start, run)) = state.resident.find(page)
                && !run.guarded
            {
                self.file().write(run.offset(at - start), bytes)?;
                return Ok(());
            }
        }
    }

    /// Makes a page of private memory the process's own.
    fn own_page(
        &self,
        state: &mut State,
        change: &mut Change,
        page: u64,
    ) -> Result<Next, FaultError> {
        let end = page.saturating_add(PAGE_SIZE);
        let vma = state.vmas.find(page).ok_or(FaultError::Unmapped)?;
        if vma.flags.contains(VmaFlags::SHARED) {
            return Err(FaultError::Denied);
        }
        let place = Place::of(vma);
        let run = state.resident.find(page);
        match run.map(|(start, run)| (start, start + run.len(), run.guarded)) {
            Some((start, run_end, true)) => {
                self.copy_on_write(state, change, place, page, end, (start, run_end))?;
                Ok(Next::Write)
            }
            Some(_) => Ok(Next::Write),
            None if vma.is_anonymous() => {
                self.fill_anonymous(state, change, place, page, end)?;
                Ok(Next::Write)
            }
            None => Ok(Next::Fetch(wanted(vma, page, end, false)?.clipped(state))),
        }
    }
}
