//! Moving and resizing mappings, mremap(2) without its arguments' decoding.

use syscalls::errno::{EAGAIN, EFAULT, EINVAL, ENOMEM, Errno};
use syscalls::{PAGE_SIZE, UserAddr};

use super::Mm;
use super::change::Change;
use super::fault::fits_limit;
use super::map::{MAX_VMAS, page_up};
use super::own_pages::retell;
use super::state::State;
use super::vma::{Backing, Vma, VmaFlags};

/// Where a resized mapping may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// It stays.
    No,
    /// Elsewhere, if it has no room to grow.
    May,
    /// There, instead of what is there (MREMAP_FIXED).
    To(u64),
}

/// What stays of a mapping that moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// Nothing.
    Unmap,
    /// A mapping without pages (MREMAP_DONTUNMAP).
    Keep,
}

/// A resize or move; lengths in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Remap {
    /// First address, page-aligned.
    pub start: UserAddr,
    /// Length now. 0, for shared mappings: the new mapping is a second one.
    pub old_len: u64,
    /// Length then.
    pub new_len: u64,
    /// Where to.
    pub to: Move,
    /// What stays.
    pub old: Old,
    /// How many bytes the process may lock.
    pub lock_limit: u64,
}

impl Mm {
    /// Moves or resizes; returns the address. Errors are mremap(2)'s.
    pub fn remap(&self, remap: Remap) -> Result<UserAddr, Errno> {
        let old_len = page_up(remap.old_len).ok_or(EINVAL)?;
        let new_len = page_up(remap.new_len)
            .filter(|&len| len > 0)
            .ok_or(EINVAL)?;
        let start = remap.start.get();
        let old_end = start.checked_add(old_len).ok_or(EINVAL)?;
        if !remap.start.is_page_aligned() {
            return Err(EINVAL);
        }
        if let Move::To(to) = remap.to {
            let end = to.checked_add(new_len).ok_or(EINVAL)?;
            let apart = end <= start || to >= old_end;
            if to % PAGE_SIZE != 0 || end > self.state.read().layout.high || !apart {
                return Err(EINVAL);
            }
        }
        let (at, grown) = self.change(|state, change| {
            state.vmas.find(start).ok_or(EFAULT)?;
            state.may_change(start, old_end.max(start + 1))?;
            let asked = Asked {
                start,
                old_len,
                new_len,
                remap,
            };
            self.remap_locked(state, change, asked)
        })?;
        if let Some((from, to)) = grown {
            self.populate(from, to);
        }
        Ok(UserAddr::new(at))
    }

    /// Also returns the part that is new and has to be filled because it is locked.
    fn remap_locked(
        &self,
        state: &mut State,
        change: &mut Change,
        asked: Asked,
    ) -> Result<(u64, Option<(u64, u64)>), Errno> {
        let Asked {
            start,
            mut old_len,
            new_len,
            remap,
        } = asked;
        let moves = matches!(remap.to, Move::To(_)) || remap.old == Old::Keep;
        if !moves && old_len >= new_len {
            state.unmap(change, start + new_len, start + old_len);
            return Ok((start, None));
        }
        if state.vmas.count() + 2 >= MAX_VMAS {
            return Err(ENOMEM);
        }
        state.restore_code(change, start, start + old_len);
        if let Move::To(to) = remap.to {
            state.may_change(to, to + new_len)?;
            state.unmap(change, to, to + new_len);
        }
        if old_len > new_len {
            state.unmap(change, start + new_len, start + old_len);
            old_len = new_len;
        }
        let vma = state.vmas.find(start).ok_or(EFAULT)?.clone();
        let more = self.may_resize(state, &vma, old_len, asked)?;
        let locked = vma.flags.contains(VmaFlags::LOCKED);
        let filled =
            |at: u64| (locked && new_len > old_len).then_some((at + old_len, at + new_len));
        let end = start + old_len;
        let room = !moves && vma.end == end && state.is_free_above(end, start + new_len);
        if room && old_len > 0 {
            let mut rest = vma.clone();
            rest.start = end;
            rest.end = start + new_len;
            if let Backing::Source(source) = &mut rest.backing {
                source.offset += end - vma.start;
            }
            state.insert_vma(rest);
            return Ok((start, filled(start)));
        }
        let to = match remap.to {
            Move::No => return Err(ENOMEM),
            Move::To(to) => to,
            Move::May => state.find_free(new_len).ok_or(ENOMEM)?,
        };
        if remap.old == Old::Keep
            && !fits_limit(state.sizes.total, more, self.limits.get().address_space)
        {
            return Err(ENOMEM);
        }
        move_mapping(state, change, &vma, asked, (old_len, to));
        Ok((to, filled(to)))
    }

    /// Checks that `vma`, of which `old_len` bytes from `start` on are meant, may become
    /// as long as asked. Returns how many pages come in addition.
    fn may_resize(
        &self,
        state: &State,
        vma: &Vma,
        old_len: u64,
        asked: Asked,
    ) -> Result<u64, Errno> {
        let Asked { start, new_len, .. } = asked;
        if old_len == 0 && !vma.is_shared() {
            return Err(EINVAL);
        }
        let fixed_size = vma.flags.contains(VmaFlags::DONT_EXPAND);
        if asked.remap.old == Old::Keep && fixed_size {
            return Err(EINVAL);
        }
        if old_len > vma.end - start {
            return Err(EFAULT);
        }
        let kept = asked.remap.old == Old::Keep;
        let more = if kept { new_len } else { new_len - old_len } / PAGE_SIZE;
        if more == 0 {
            return Ok(0);
        }
        if let Some(source) = vma.source()
            && (source.offset + (start - vma.start))
                .checked_add(new_len)
                .is_none()
        {
            return Err(EINVAL);
        }
        if fixed_size {
            return Err(EFAULT);
        }
        if vma.flags.contains(VmaFlags::LOCKED)
            && !fits_limit(state.sizes.locked, more, asked.remap.lock_limit)
        {
            return Err(EAGAIN);
        }
        if !fits_limit(state.sizes.total, more, self.limits.get().address_space) {
            return Err(ENOMEM);
        }
        self.may_hold(state, vma, more)?;
        Ok(more)
    }
}

#[derive(Clone, Copy)]
struct Asked {
    start: u64,
    old_len: u64,
    new_len: u64,
    remap: Remap,
}

/// Makes the mapping at its new place, takes the pages along, and removes the old one.
fn move_mapping(
    state: &mut State,
    change: &mut Change,
    vma: &Vma,
    asked: Asked,
    (old_len, to): (u64, u64),
) {
    let Asked { start, new_len, .. } = asked;
    let mut moved = vma.clone();
    moved.start = to;
    moved.end = to + new_len;
    if let Backing::Source(source) = &mut moved.backing {
        source.offset += start - vma.start;
    }
    let runs = state.resident.take(start, start + old_len);
    let told = runs.iter().filter(|(_, run)| run.told.is_some());
    let told: Vec<(u64, u64)> = told.map(|(at, run)| (*at, at + run.len())).collect();
    if let (Some(&(first, _)), Some(&(_, last))) = (told.first(), told.last()) {
        change.unmap(first, last - first);
    }
    match asked.remap.old {
        Old::Unmap => state.unmap(change, start, start + old_len),
        Old::Keep => state.change_vmas(start, start + old_len, |vma| {
            vma.flags -= VmaFlags::LOCKED | VmaFlags::LOCK_ON_FAULT;
        }),
    }
    for (at, mut run) in runs {
        run.told = None;
        retell(state, change, vma.prot, to + (at - start), run);
    }
    state.insert_vma(moved);
}
