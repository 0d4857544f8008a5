//! The heap's end, brk(2).

use syscalls::UserAddr;
use syscalls::errno::{ENOMEM, Errno};

use super::Mm;
use super::change::Change;
use super::fault::fits_limit;
use super::map::{MAX_VMAS, NewMapping, Placement, page_up};
use super::state::State;
use super::vma::{Backing, Vma, VmaFlags};

impl Mm {
    /// Moves the heap's end to `to` if that can be; returns where it is then. As Linux's
    /// call, without an error.
    pub fn set_brk(&self, to: UserAddr, lock_limit: u64) -> UserAddr {
        let grown = self.change(|state, change| self.move_brk(state, change, to.get(), lock_limit));
        if let Ok(Some((from, to))) = grown {
            self.populate(from, to);
        }
        UserAddr::new(self.state.read().layout.brk)
    }

    /// Returns what has to be filled because it is locked.
    fn move_brk(
        &self,
        state: &mut State,
        change: &mut Change,
        to: u64,
        lock_limit: u64,
    ) -> Result<Option<(u64, u64)>, Errno> {
        let layout = &state.layout;
        if to < layout.start_brk || layout.start_brk == 0 {
            return Err(ENOMEM);
        }
        let data = layout.end_data - layout.start_data;
        let heap = to - layout.start_brk;
        let limits = self.limits.get();
        if heap.checked_add(data).is_none_or(|sum| sum > limits.data) {
            return Err(ENOMEM);
        }
        let (old, new) = (page_up(layout.brk), page_up(to));
        let (old, new) = (old.ok_or(ENOMEM)?, new.ok_or(ENOMEM)?);
        if new <= old {
            state.may_change(new, old)?;
            state.unmap(change, new, old);
            state.layout.brk = to;
            return Ok(None);
        }
        if !state.is_free_above(old, new) || state.vmas.count() >= MAX_VMAS {
            return Err(ENOMEM);
        }
        let template = NewMapping::zeros(Placement::Fixed(old), new - old);
        let vma = Vma {
            start: old,
            end: new,
            prot: template.prot,
            may: template.may,
            flags: template.flags | state.lock_future,
            backing: Backing::Anonymous,
            name: None,
            policy: None,
        };
        let pages = vma.len() / syscalls::PAGE_SIZE;
        let locked = vma.flags.contains(VmaFlags::LOCKED);
        if !fits_limit(state.sizes.total, pages, limits.address_space)
            || (locked && !fits_limit(state.sizes.locked, pages, lock_limit))
        {
            return Err(ENOMEM);
        }
        self.may_hold(state, &vma, pages)?;
        let fill = locked && !vma.flags.contains(VmaFlags::LOCK_ON_FAULT);
        state.insert_vma(vma);
        state.layout.brk = to;
        Ok(fill.then_some((old, new)))
    }
}
