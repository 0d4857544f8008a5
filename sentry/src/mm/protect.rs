//! Rights, mprotect(2); and mseal(2).

use platform::Prot;
use syscalls::errno::{EACCES, EINVAL, ENOMEM, Errno};
use syscalls::{PAGE_SIZE, UserAddr};

use super::Mm;
use super::change::{Change, ProtectWalk};
use super::map::page_up;
use super::state::State;
use super::vma::{Vma, VmaFlags};

/// Where the range of an mprotect(2) starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectFrom {
    /// At the address given.
    Here,
    /// At the start of the stack that holds the address (PROT_GROWSDOWN).
    StackStart,
}

impl Mm {
    /// Changes what application code may do in `start..start + len`. Errors are
    /// mprotect(2)'s; what lies before a gap is changed all the same.
    pub fn protect(
        &self,
        start: UserAddr,
        len: u64,
        prot: Prot,
        from: ProtectFrom,
    ) -> Result<(), Errno> {
        if !start.is_page_aligned() {
            return Err(EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let len = page_up(len).ok_or(ENOMEM)?;
        let start = start.get();
        let end = start.checked_add(len).ok_or(ENOMEM)?;
        self.change(|state, change| {
            let first = state.vmas.first_above(start).ok_or(ENOMEM)?;
            if first.start >= end {
                return Err(ENOMEM);
            }
            let start = match from {
                ProtectFrom::Here if first.start > start => return Err(ENOMEM),
                ProtectFrom::Here => start,
                ProtectFrom::StackStart if first.flags.contains(VmaFlags::GROWS_DOWN) => {
                    first.start
                }
                ProtectFrom::StackStart => return Err(EINVAL),
            };
            state.may_change(start, end)?;
            self.protect_range(state, change, start, end, prot)
        })
    }

    fn protect_range(
        &self,
        state: &mut State,
        change: &mut Change,
        start: u64,
        end: u64,
        prot: Prot,
    ) -> Result<(), Errno> {
        let mut at = start;
        while at < end {
            let vma = state.vmas.find(at).ok_or(ENOMEM)?;
            if !vma.may.contains(prot) {
                return Err(EACCES);
            }
            let part_end = vma.end.min(end);
            if vma.prot != prot {
                self.may_gain(state, vma, (part_end - at) / PAGE_SIZE, prot)?;
                if prot.contains(Prot::WRITE) {
                    state.restore_code(change, at, part_end);
                }
                state.change_vmas(at, part_end, |vma| set_prot(vma, prot));
                protect_pages(state, change, at, part_end, prot);
            }
            at = part_end;
        }
        Ok(())
    }

    /// `ENOMEM` if `vma` is about to become data beyond the limit.
    fn may_gain(&self, state: &State, vma: &Vma, pages: u64, prot: Prot) -> Result<(), Errno> {
        let mut after = vma.clone();
        set_prot(&mut after, prot);
        if vma.is_data() || !after.is_data() {
            return Ok(());
        }
        self.may_hold(state, &after, pages)
    }

    /// Forbids to change or remove the mappings of `start..start + len`, mseal(2).
    pub fn seal(&self, start: UserAddr, len: u64) -> Result<(), Errno> {
        let end = page_up(len).and_then(|len| start.get().checked_add(len));
        let (start, end) = match end {
            Some(end) if start.is_page_aligned() => (start.get(), end),
            _ => return Err(EINVAL),
        };
        self.change(|state, _| {
            if !state.vmas.covers(start, end) {
                return Err(ENOMEM);
            }
            state.change_vmas(start, end, |vma| vma.flags |= VmaFlags::SEALED);
            Ok(())
        })
    }
}

fn set_prot(vma: &mut Vma, prot: Prot) {
    vma.prot = prot;
    // Private memory counts from the moment on when it can be written.
    let reserves = !vma
        .flags
        .intersects(VmaFlags::SHARED | VmaFlags::NO_RESERVE);
    if prot.contains(Prot::WRITE) && reserves {
        vma.flags |= VmaFlags::ACCOUNT;
    }
}

/// Tells the platform of the new rights of what is resident.
fn protect_pages(state: &mut State, change: &mut Change, start: u64, end: u64, prot: Prot) {
    let mut walk = ProtectWalk::default();
    for (at, mut run) in state.resident.take(start, end) {
        let rights = run.rights(prot);
        walk.run(change, at, &mut run, rights);
        state.resident.put(at, run);
    }
}
