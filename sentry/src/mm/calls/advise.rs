//! madvise(2), mincore(2).

use std::sync::Arc;

use platform::Prot;
use syscalls::abi::mm::{
    MADV_COLD, MADV_COLLAPSE, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK,
    MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE, MADV_HUGEPAGE, MADV_HWPOISON, MADV_KEEPONFORK,
    MADV_MERGEABLE, MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT, MADV_POPULATE_READ,
    MADV_POPULATE_WRITE, MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_SOFT_OFFLINE,
    MADV_UNMERGEABLE, MADV_WILLNEED, MADV_WIPEONFORK,
};
use syscalls::errno::{EFAULT, EINVAL, ENOMEM, EPERM, ESRCH};
use syscalls::{Errno, Run, SysResult, UserAddr, call};

use super::super::{Discard, Mm, VmaFlags};
use super::process_vm::may_access;
use crate::task::{Capabilities, Current};
use crate::vfs::segments;

/// fallocate(2): FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE.
const PUNCH_HOLE: u32 = 3;

impl Run<Current> for call::Madvise {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(advise(task.mem(), self.addr, self.length, self.advice)?)
    }
}

/// `ENOMEM` for gaps in the range, after everything else was dealt with.
fn advise(mm: &Mm, addr: UserAddr, len: u64, advice: i32) -> Result<u64, Errno> {
    const NONE: VmaFlags = VmaFlags::empty();
    const PATTERN: VmaFlags = VmaFlags::RANDOM.union(VmaFlags::SEQUENTIAL);
    let action = match advice {
        MADV_NORMAL => Action::Flags(NONE, PATTERN),
        MADV_RANDOM => Action::Flags(VmaFlags::RANDOM, VmaFlags::SEQUENTIAL),
        MADV_SEQUENTIAL => Action::Flags(VmaFlags::SEQUENTIAL, VmaFlags::RANDOM),
        MADV_DONTFORK => Action::Flags(VmaFlags::DONT_FORK, NONE),
        MADV_DOFORK => Action::Flags(NONE, VmaFlags::DONT_FORK),
        MADV_WIPEONFORK => Action::Flags(VmaFlags::WIPE_ON_FORK, NONE),
        MADV_KEEPONFORK => Action::Flags(NONE, VmaFlags::WIPE_ON_FORK),
        MADV_DONTDUMP => Action::Flags(VmaFlags::DONT_DUMP, NONE),
        MADV_DODUMP => Action::Flags(NONE, VmaFlags::DONT_DUMP),
        MADV_HUGEPAGE => Action::Flags(VmaFlags::HUGE, VmaFlags::NO_HUGE),
        MADV_NOHUGEPAGE => Action::Flags(VmaFlags::NO_HUGE, VmaFlags::HUGE),
        MADV_MERGEABLE => Action::Flags(VmaFlags::MERGEABLE, NONE),
        MADV_UNMERGEABLE => Action::Flags(NONE, VmaFlags::MERGEABLE),
        MADV_DONTNEED => Action::Discard(Discard::Pages),
        MADV_DONTNEED_LOCKED => Action::Discard(Discard::LockedPages),
        MADV_FREE => Action::Discard(Discard::Anonymous),
        MADV_POPULATE_READ => Action::Populate(Prot::READ),
        MADV_POPULATE_WRITE => Action::Populate(Prot::WRITE),
        MADV_REMOVE => Action::Remove,
        // Pages come when they are touched, and stay.
        MADV_WILLNEED | MADV_COLD | MADV_PAGEOUT => Action::Flags(NONE, NONE),
        MADV_HWPOISON | MADV_SOFT_OFFLINE => return Err(EPERM),
        _ => return Err(EINVAL),
    };
    let Some(range) = Mm::advised_range(addr, len)? else {
        return Ok(0);
    };
    match action {
        Action::Flags(set, clear) => mm.set_flags(range, set, clear)?,
        Action::Discard(what) => mm.discard(range, what)?,
        Action::Populate(access) => mm.populate_for(range, access)?,
        Action::Remove => {
            for hole in mm.holes(range)? {
                match hole.file {
                    Some(file) => file.inode().allocate(PUNCH_HOLE, hole.offset, hole.len)?,
                    None => hole
                        .source
                        .punch_hole(hole.offset, hole.offset + hole.len)?,
                }
            }
        }
    }
    Ok(0)
}

impl Run<Current> for call::ProcessMadvise {
    /// process_madvise(2): hints about somebody else's memory, and all of madvise(2) about
    /// one's own.
    fn run(self, task: &mut Current) -> SysResult {
        let vectors = segments(task.mem(), self.iovec, self.vlen)?;
        let file = task.file(self.pidfd)?;
        let group = crate::task::process_of_pidfd(&file)?;
        let hints = [MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_COLLAPSE];
        let own = Arc::ptr_eq(&group, &task.group);
        if !own && !hints.contains(&self.advice) {
            return Err(EINVAL.into());
        }
        let target = group.leader().ok_or(ESRCH)?;
        may_access(task, &target)?;
        let mm = target.mm.get().ok_or(ESRCH)?;
        if !own && !task.creds.get().has(Capabilities::SYS_NICE) {
            return Err(EPERM.into());
        }
        let mut done = 0;
        for vector in vectors {
            match advise(&mm, vector.addr, vector.len as u64, self.advice) {
                Ok(_) => done += vector.len as u64,
                Err(error) if done == 0 => return Err(error.into()),
                Err(_) => break,
            }
        }
        Ok(done)
    }
}

enum Action {
    Flags(VmaFlags, VmaFlags),
    Discard(Discard),
    Populate(Prot),
    Remove,
}

impl Run<Current> for call::Mincore {
    fn run(self, task: &mut Current) -> SysResult {
        /// Pages answered at once.
        const STEP: u64 = 4096 << 12;
        if !self.addr.is_page_aligned() {
            return Err(EINVAL.into());
        }
        let len = self.length.checked_next_multiple_of(4096).ok_or(ENOMEM)?;
        let end = self.addr.add(len).map_err(|_| ENOMEM)?.get();
        let mut at = self.addr.get();
        let mut to = self.vec;
        while at < end {
            let part = end.min(at.saturating_add(STEP));
            let bits = task.mem().resident_pages((at, part))?;
            task.mem().write_slice(to, &bits).map_err(|_| EFAULT)?;
            to = to.at(bits.len() as u64)?;
            at = part;
        }
        Ok(0)
    }
}
