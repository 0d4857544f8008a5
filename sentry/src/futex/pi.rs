//! Priority-inheriting locks: the word holds the owner's thread id.
//!
//! Differs from Linux: the owner's priority is not raised while others wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use syscalls::errno::{EAGAIN, EDEADLK, EPERM, ESRCH, ETIMEDOUT};
use syscalls::{Stop, SysResult, UserAddr};

use super::wait;
use crate::mm::Sharing;
use crate::task::{Current, Task};
use crate::wait::Deadline;

const WAITERS: u32 = 0x8000_0000;
const OWNER_DIED: u32 = 0x4000_0000;
const TID: u32 = 0x3fff_ffff;

fn own_tid(task: &Current) -> u32 {
    u32::try_from(task.own_tid()).unwrap_or(0) & TID
}

/// Takes the lock if nobody owns it; the word as found otherwise.
fn take(word: &AtomicU32, tid: u32) -> Result<(), u32> {
    let free = |now: u32| (now & TID == 0).then_some((now & (WAITERS | OWNER_DIED)) | tid);
    word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free)
        .map(|_| ())
}

/// Who has the lock, if such a thread is there.
fn owner(task: &Current, word: u32) -> Option<Arc<Task>> {
    task.find_task(i32::try_from(word & TID).unwrap_or(0))
}

/// FUTEX_TRYLOCK_PI.
pub(super) fn try_lock(task: &Current, addr: UserAddr) -> SysResult {
    let tid = own_tid(task);
    match task.mem().with_u32(addr, |word| take(word, tid))? {
        Ok(()) => Ok(0),
        Err(now) if now & TID == tid => Err(EDEADLK.into()),
        Err(now) if owner(task, now).is_none() => Err(ESRCH.into()),
        Err(_) => Err(EAGAIN.into()),
    }
}

/// FUTEX_LOCK_PI.
pub(super) fn lock(
    task: &Current,
    addr: UserAddr,
    sharing: Sharing,
    deadline: Option<Deadline>,
) -> SysResult {
    let tid = own_tid(task);
    loop {
        let now = match task.mem().with_u32(addr, |word| take(word, tid))? {
            Ok(()) => return Ok(0),
            Err(now) if now & TID == tid => return Err(EDEADLK.into()),
            Err(now) => now,
        };
        if owner(task, now).is_none() {
            return Err(ESRCH.into());
        }
        let marked = now | WAITERS;
        let exchange = |word: &AtomicU32| {
            word.compare_exchange(now, marked, Ordering::SeqCst, Ordering::SeqCst)
        };
        if task.mem().with_u32(addr, exchange)?.is_err() {
            continue;
        }
        match wait::wait(task, addr, sharing, marked, u32::MAX, deadline) {
            Ok(()) | Err(Stop::Errno(EAGAIN)) => {}
            Err(Stop::Errno(ETIMEDOUT)) => return Err(ETIMEDOUT.into()),
            Err(stop) => return Err(stop),
        }
    }
}

/// FUTEX_UNLOCK_PI: frees the word and wakes one waiter, which takes it. The mark that
/// others wait stays as long as somebody was woken: it costs one more wake at the end.
pub(super) fn unlock(task: &Current, addr: UserAddr, sharing: Sharing) -> SysResult {
    let tid = own_tid(task);
    let now = task
        .mem()
        .with_u32(addr, |word| word.load(Ordering::SeqCst))?;
    if now & TID != tid {
        return Err(EPERM.into());
    }
    let key = task.mem().futex_key(addr, sharing)?;
    task.mem()
        .with_u32(addr, |word| word.store(0, Ordering::SeqCst))?;
    // All waiters: each tries again, and those that lose mark the word once more.
    task.kernel.futexes.wake(key, usize::MAX, u32::MAX);
    Ok(0)
}
