//! Waiting for one word.

use std::sync::atomic::Ordering;

use syscalls::errno::{EAGAIN, EINVAL};
use syscalls::{Stop, UserAddr};

use super::table::Waiter;
use crate::mm::Sharing;
use crate::task::Current;
use crate::wait::Deadline;

/// Waits until woken while the word at `addr` is `value`; `EAGAIN` if it is not,
/// `ETIMEDOUT` at the deadline.
pub(super) fn wait(
    task: &Current,
    addr: UserAddr,
    sharing: Sharing,
    value: u32,
    bitset: u32,
    deadline: Option<Deadline>,
) -> Result<(), Stop> {
    if bitset == 0 {
        return Err(EINVAL.into());
    }
    let mm = task.mem();
    // Faults the page in before any lock is held, and finds a bad address early.
    if mm.with_u32(addr, |word| word.load(Ordering::SeqCst))? != value {
        return Err(EAGAIN.into());
    }
    let key = mm.futex_key(addr, sharing)?;
    let table = &task.kernel.futexes;
    let waiter = Waiter::new(key, bitset, task.parker().clone());
    table.enqueue(&waiter, || {
        let now = mm.with_u32(addr, |word| word.load(Ordering::SeqCst))?;
        if now == value { Ok(()) } else { Err(EAGAIN) }
    })?;
    let waited = task.block_on_with(
        deadline,
        |_| Vec::new(),
        || {
            if waiter.is_woken() {
                Ok(())
            } else {
                Err(EAGAIN.into())
            }
        },
    );
    // A wake that came together with the timeout or the signal must not be lost.
    if waited.is_err() && !table.dequeue(&waiter) {
        return Ok(());
    }
    waited
}
