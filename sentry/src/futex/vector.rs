//! futex_waitv(2): waits for any of several words.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::abi::futex::FutexWaiter;
use syscalls::errno::{EAGAIN, EINVAL};
use syscalls::{Errno, Run, Stop, SysResult, call};

use super::calls::{deadline2, sharing2};
use super::table::{FutexTable, Waiter};
use crate::task::Current;

/// FUTEX_WAITV_MAX.
const MAX: u32 = 128;

fn enqueue(task: &Current, word: &FutexWaiter) -> Result<Arc<Waiter>, Errno> {
    if word.reserved != 0 {
        return Err(EINVAL);
    }
    let value = u32::try_from(word.val).map_err(|_| EINVAL)?;
    let addr = word.uaddr.addr();
    let mm = task.mem();
    let load = || mm.with_u32(addr, |w| w.load(Ordering::SeqCst));
    load()?;
    let key = mm.futex_key(addr, sharing2(word.flags)?)?;
    let waiter = Waiter::new(key, u32::MAX, task.parker().clone());
    let check = || {
        if load()? == value {
            Ok(())
        } else {
            Err(EAGAIN)
        }
    };
    task.kernel.futexes.enqueue(&waiter, check)?;
    Ok(waiter)
}

/// Takes all out; the last that had been woken counts.
fn dequeue(table: &FutexTable, waiters: &[Arc<Waiter>]) -> Option<usize> {
    let woken = |(at, waiter): (usize, &Arc<Waiter>)| (!table.dequeue(waiter)).then_some(at);
    waiters.iter().enumerate().filter_map(woken).next_back()
}

impl Run<Current> for call::FutexWaitv {
    fn run(self, task: &mut Current) -> SysResult {
        if !(1..=MAX).contains(&self.nr_futexes) || self.waiters.is_null() {
            return Err(EINVAL.into());
        }
        let deadline = deadline2(task, self.timeout, self.clockid)?;
        let count = usize::try_from(self.nr_futexes).map_err(|_| EINVAL)?;
        let words = task.mem().read_slice(self.waiters, count)?;
        let table = &task.kernel.futexes;
        let mut waiters = Vec::with_capacity(count);
        for word in &words {
            match enqueue(task, word) {
                Ok(waiter) => waiters.push(waiter),
                Err(error) => {
                    return match dequeue(table, &waiters) {
                        Some(at) => Ok(at as u64),
                        None => Err(error.into()),
                    };
                }
            }
        }
        let any = || waiters.iter().any(|waiter| waiter.is_woken());
        let waited: Result<(), Stop> = task.block_on_with(
            deadline,
            |_| Vec::new(),
            || if any() { Ok(()) } else { Err(EAGAIN.into()) },
        );
        match (dequeue(table, &waiters), waited) {
            (Some(at), _) => Ok(at as u64),
            (None, Err(stop)) => Err(stop),
            (None, Ok(())) => Err(EAGAIN.into()),
        }
    }
}
