//! Robust futexes: locks whose owner ends, get_robust_list(2).

use std::sync::atomic::Ordering;

use syscalls::abi::futex::RobustListHead;
use syscalls::errno::{EFAULT, EINVAL, EPERM, ESRCH};
use syscalls::{Errno, Run, SysResult, UserAddr, UserPtr, call};

use super::Current;
use crate::mm::{Mm, Sharing};

/// In a futex word: whose lock it is, that others wait, that the owner ended.
const TID_MASK: u32 = 0x3fff_ffff;
const WAITERS: u32 = 0x8000_0000;
const OWNER_DIED: u32 = 0x4000_0000;
/// Entries looked at: a list may be circular, or a trap.
const MAX_ENTRIES: usize = 2048;

impl Run<Current> for call::SetRobustList {
    fn run(self, task: &mut Current) -> SysResult {
        if self.len != size_of::<RobustListHead>() {
            return Err(EINVAL.into());
        }
        let head = self.head.addr().get();
        task.robust_list.store(head, Ordering::Relaxed);
        Ok(0)
    }
}

impl Run<Current> for call::GetRobustList {
    fn run(self, task: &mut Current) -> SysResult {
        let of = if self.pid == 0 {
            task.task().clone()
        } else {
            task.find_task(self.pid).ok_or(ESRCH)?
        };
        if !task.may_inspect(&of) {
            return Err(EPERM.into());
        }
        let head = of.robust_list.load(Ordering::Relaxed);
        task.mem()
            .write(self.len_ptr, &(size_of::<RobustListHead>() as u64))?;
        task.mem().write(self.head_ptr, &head)?;
        Ok(0)
    }
}

/// Gives up the locks of a thread that ends or executes another program.
pub(super) fn release(task: &mut Current) {
    let head = UserAddr::new(task.robust_list.swap(0, Ordering::Relaxed));
    if !head.is_null() {
        // A broken list ends the walk; nobody is left to be told.
        let _ = walk(task, head);
    }
}

fn walk(task: &Current, at: UserAddr) -> Result<(), Errno> {
    let mm = task.mem();
    let head = mm.read(UserPtr::<RobustListHead>::new(at))?;
    let offset = head.futex_offset;
    let pending = Entry::new(head.list_op_pending);
    let mut entry = Entry::new(head.list);
    for _ in 0..MAX_ENTRIES {
        if entry.at == at {
            break;
        }
        // Once the word is free, its owner may reuse the memory.
        let next = mm.read(entry.at.cast::<UserAddr>());
        if entry.at != pending.at {
            give_up(task, mm, entry, offset, Pending::No)?;
        }
        entry = Entry::new(next?);
    }
    if !pending.at.is_null() {
        give_up(task, mm, pending, offset, Pending::Yes)?;
    }
    Ok(())
}

/// An entry's address; its lowest bit says that the futex inherits priority.
#[derive(Clone, Copy)]
struct Entry {
    at: UserAddr,
    inherits: bool,
}

impl Entry {
    fn new(raw: UserAddr) -> Self {
        Entry {
            at: UserAddr::new(raw.get() & !1),
            inherits: raw.get() & 1 != 0,
        }
    }
}

/// Whether the thread was about to take or release the lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Yes,
    No,
}

fn give_up(
    task: &Current,
    mm: &Mm,
    entry: Entry,
    offset: i64,
    pending: Pending,
) -> Result<(), Errno> {
    let addr = UserAddr::new(entry.at.get().wrapping_add_signed(offset));
    let tid = task.own_tid().cast_unsigned();
    let wake = mm.with_u32(addr, |word| {
        let mut value = word.load(Ordering::SeqCst);
        loop {
            if pending == Pending::Yes && !entry.inherits && value == 0 {
                // Released already, but perhaps nobody was woken.
                return true;
            }
            if value & TID_MASK != tid {
                return false;
            }
            let died = (value & WAITERS) | OWNER_DIED;
            match word.compare_exchange(value, died, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return value & WAITERS != 0,
                Err(now) => value = now,
            }
        }
    });
    if wake.map_err(|_| EFAULT)? {
        let _ = crate::futex::wake(&task.kernel.futexes, mm, addr, Sharing::Shared, 1);
    }
    Ok(())
}
