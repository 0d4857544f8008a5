//! futex(2) and its successors futex_wait, futex_wake, futex_requeue.

use std::sync::atomic::Ordering;

use syscalls::abi::time::Timespec;
use syscalls::errno::{EAGAIN, EINVAL, ENOSYS};
use syscalls::{Errno, Restart, Run, Stop, SysResult, UserAddr, UserPtr, call};

use super::{pi, wait};
use crate::mm::Sharing;
use crate::task::Current;
use crate::wait::Deadline;

const WAIT: u32 = 0;
const WAKE: u32 = 1;
const REQUEUE: u32 = 3;
const CMP_REQUEUE: u32 = 4;
const WAKE_OP: u32 = 5;
const LOCK_PI: u32 = 6;
const UNLOCK_PI: u32 = 7;
const TRYLOCK_PI: u32 = 8;
const WAIT_BITSET: u32 = 9;
const WAKE_BITSET: u32 = 10;
const LOCK_PI2: u32 = 13;
const PRIVATE: u32 = 128;
const CLOCK_REALTIME_FLAG: u32 = 256;

/// futex2's flags: the word's size (only 32 bits exist) and privacy.
const SIZE_MASK: u32 = 3;
const SIZE_U32: u32 = 2;
const PRIVATE2: u32 = 128;

/// What a timeout is measured by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    Relative,
    Monotonic,
    Realtime,
}

fn deadline(
    task: &Current,
    at: UserPtr<Timespec>,
    clock: Clock,
) -> Result<Option<Deadline>, Errno> {
    let Some(at) = at.non_null() else {
        return Ok(None);
    };
    let time = crate::time::duration(task.mem().read(at)?)?;
    Ok(Some(match clock {
        Clock::Relative => Deadline::after(time),
        Clock::Monotonic => Deadline(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
        Clock::Realtime => crate::time::realtime_deadline(time),
    }))
}

/// A count that the ABI gives as `int`: negative ones count as all, but requeues refuse them.
fn count(raw: u32) -> Result<usize, Errno> {
    let signed = i32::from_ne_bytes(raw.to_ne_bytes());
    usize::try_from(signed).map_err(|_| EINVAL)
}

/// Wakes at least one, as Linux does for a count of 0 or less.
fn wake_count(raw: u32) -> usize {
    count(raw).unwrap_or(1).max(1)
}

/// What WAKE_OP does to the second word, and asks of its old value.
#[derive(Clone, Copy)]
struct WordOp {
    op: u32,
    arg: u32,
    compare: u32,
    with: i32,
}

impl WordOp {
    fn decode(raw: u32) -> Result<Self, Errno> {
        const SHIFT: u32 = 8;
        // Both arguments are signed 12-bit fields.
        let signed = |field: u32| i32::from_ne_bytes((field << 20).to_ne_bytes()) >> 20;
        let op = (raw >> 28) & 0xf;
        let arg = signed((raw >> 12) & 0xfff);
        let arg = u32::from_ne_bytes(arg.to_ne_bytes());
        let arg = if op & SHIFT != 0 {
            1u32 << (arg & 31)
        } else {
            arg
        };
        let this = WordOp {
            op: op & 7,
            arg,
            compare: (raw >> 24) & 0xf,
            with: signed(raw & 0xfff),
        };
        if this.op > 4 { Err(ENOSYS) } else { Ok(this) }
    }

    fn apply(self, old: u32) -> u32 {
        match self.op {
            0 => self.arg,
            1 => old.wrapping_add(self.arg),
            2 => old | self.arg,
            3 => old & !self.arg,
            _ => old ^ self.arg,
        }
    }

    /// `ENOSYS` for no comparison, by when the word has changed.
    fn holds(self, old: u32) -> Result<bool, Errno> {
        let old = i32::from_ne_bytes(old.to_ne_bytes());
        Ok(match self.compare {
            0 => old == self.with,
            1 => old != self.with,
            2 => old < self.with,
            3 => old <= self.with,
            4 => old > self.with,
            5 => old >= self.with,
            _ => return Err(ENOSYS),
        })
    }
}

/// A wait that a signal interrupted: with a timeout it goes on through restart_syscall(2).
fn interrupted(
    task: &mut Current,
    result: Result<(), Stop>,
    deadline: Option<Deadline>,
) -> SysResult {
    match result {
        Ok(()) => Ok(0),
        Err(Stop::Restart(_)) if deadline.is_some() => Err(task.restart_with(deadline)),
        Err(Stop::Restart(_)) => Err(Stop::Restart(Restart::Sys)),
        Err(stop) => Err(stop),
    }
}

fn requeue(task: &Current, c: &call::Futex, sharing: Sharing, compare: Option<u32>) -> SysResult {
    let (wake, moved) = (count(c.val)?, count(second_count(c)?)?);
    let mm = task.mem();
    let (from, to) = (
        mm.futex_key(c.uaddr.addr(), sharing)?,
        mm.futex_key(c.uaddr2.addr(), sharing)?,
    );
    let check = || match compare {
        Some(value) if mm.with_u32(c.uaddr.addr(), |w| w.load(Ordering::SeqCst))? != value => {
            Err(EAGAIN)
        }
        _ => Ok(()),
    };
    let (woken, moved) = task.kernel.futexes.requeue(from, to, wake, moved, check)?;
    Ok((if compare.is_some() {
        woken + moved
    } else {
        woken
    }) as u64)
}

/// The `val2` argument, which the ABI passes in place of the timeout pointer.
fn second_count(c: &call::Futex) -> Result<u32, Errno> {
    u32::try_from(c.timeout.addr().get()).map_err(|_| EINVAL)
}

fn wake_op(task: &Current, c: &call::Futex, sharing: Sharing) -> SysResult {
    let op = WordOp::decode(c.val3)?;
    let mm = task.mem();
    let second = c.uaddr2.addr();
    // Faults the page in before any lock is held.
    mm.with_u32(second, |word| word.load(Ordering::SeqCst))?;
    let keys = (
        mm.futex_key(c.uaddr.addr(), sharing)?,
        mm.futex_key(second, sharing)?,
    );
    let change = || {
        let old = mm.with_u32(second, |word| {
            let update = |old| Some(op.apply(old));
            word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, update)
        })?;
        old.map_or(Ok(false), |old| op.holds(old))
    };
    let counts = (wake_count(c.val), wake_count(second_count(c)?));
    let woken = task
        .kernel
        .futexes
        .wake_op((keys.0, counts.0), (keys.1, counts.1), change)?;
    Ok(woken as u64)
}

fn wake(task: &Current, addr: UserAddr, sharing: Sharing, count: usize, bitset: u32) -> SysResult {
    if bitset == 0 {
        return Err(EINVAL.into());
    }
    let key = task.mem().futex_key(addr, sharing)?;
    Ok(task.kernel.futexes.wake(key, count, bitset) as u64)
}

impl Run<Current> for call::Futex {
    fn run(self, task: &mut Current) -> SysResult {
        let sharing = if self.op & PRIVATE != 0 {
            Sharing::Private
        } else {
            Sharing::Shared
        };
        let realtime = self.op & CLOCK_REALTIME_FLAG != 0;
        let command = self.op & !(PRIVATE | CLOCK_REALTIME_FLAG);
        let addr = self.uaddr.addr();
        if realtime && !matches!(command, WAIT_BITSET | LOCK_PI2) {
            return Err(ENOSYS.into());
        }
        match command {
            WAIT => {
                let fresh = deadline(task, self.timeout, Clock::Relative)?;
                let end = task.restarted_deadline().or(fresh);
                let result = wait::wait(task, addr, sharing, self.val, u32::MAX, end);
                interrupted(task, result, end)
            }
            WAIT_BITSET => {
                let clock = if realtime {
                    Clock::Realtime
                } else {
                    Clock::Monotonic
                };
                let fresh = deadline(task, self.timeout, clock)?;
                let end = task.restarted_deadline().or(fresh);
                let result = wait::wait(task, addr, sharing, self.val, self.val3, end);
                interrupted(task, result, end)
            }
            WAKE => wake(task, addr, sharing, wake_count(self.val), u32::MAX),
            WAKE_BITSET => wake(task, addr, sharing, wake_count(self.val), self.val3),
            REQUEUE => requeue(task, &self, sharing, None),
            CMP_REQUEUE => requeue(task, &self, sharing, Some(self.val3)),
            WAKE_OP => wake_op(task, &self, sharing),
            LOCK_PI => {
                let end = deadline(task, self.timeout, Clock::Realtime)?;
                pi::lock(task, addr, sharing, end)
            }
            LOCK_PI2 => {
                let clock = if realtime {
                    Clock::Realtime
                } else {
                    Clock::Monotonic
                };
                let end = deadline(task, self.timeout, clock)?;
                pi::lock(task, addr, sharing, end)
            }
            TRYLOCK_PI => pi::try_lock(task, addr),
            UNLOCK_PI => pi::unlock(task, addr, sharing),
            _ => Err(ENOSYS.why("futex operation").into()),
        }
    }
}

/// Checks futex2 flags.
pub(super) fn sharing2(flags: u32) -> Result<Sharing, Errno> {
    if flags & !(SIZE_MASK | PRIVATE2) != 0 || flags & SIZE_MASK != SIZE_U32 {
        return Err(EINVAL);
    }
    Ok(if flags & PRIVATE2 != 0 {
        Sharing::Private
    } else {
        Sharing::Shared
    })
}

/// The timeout of the futex2 calls: absolute, on one of two clocks.
pub(super) fn deadline2(
    task: &Current,
    at: UserPtr<Timespec>,
    clockid: i32,
) -> Result<Option<Deadline>, Errno> {
    match (at.is_null(), clockid) {
        (true, _) => Ok(None),
        (_, 0) => deadline(task, at, Clock::Realtime),
        (_, 1) => deadline(task, at, Clock::Monotonic),
        _ => Err(EINVAL),
    }
}

fn u32_of(raw: u64) -> Result<u32, Errno> {
    u32::try_from(raw).map_err(|_| EINVAL)
}

impl Run<Current> for call::FutexWait {
    fn run(self, task: &mut Current) -> SysResult {
        let sharing = sharing2(self.flags)?;
        let (value, mask) = (u32_of(self.val)?, u32_of(self.mask)?);
        let end = deadline2(task, self.timeout, self.clockid)?;
        let result = wait::wait(task, self.uaddr.addr(), sharing, value, mask, end);
        result.map(|()| 0)
    }
}

impl Run<Current> for call::FutexWake {
    fn run(self, task: &mut Current) -> SysResult {
        let sharing = sharing2(self.flags)?;
        let mask = u32_of(self.mask)?;
        let count = usize::try_from(self.nr).unwrap_or(0);
        if count == 0 {
            return Ok(0);
        }
        wake(task, self.uaddr.addr(), sharing, count, mask)
    }
}

impl Run<Current> for call::FutexRequeue {
    fn run(self, task: &mut Current) -> SysResult {
        let two = task.mem().read_slice(self.waiters, 2)?;
        let [from, to] = two.as_slice() else {
            return Err(EINVAL.into());
        };
        let wake = usize::try_from(self.nr_wake).map_err(|_| EINVAL)?;
        let moved = usize::try_from(self.nr_requeue).map_err(|_| EINVAL)?;
        let mm = task.mem();
        let value = u32_of(from.val)?;
        let from_key = mm.futex_key(from.uaddr.addr(), sharing2(from.flags)?)?;
        let to_key = mm.futex_key(to.uaddr.addr(), sharing2(to.flags)?)?;
        let check = || {
            let now = mm.with_u32(from.uaddr.addr(), |word| word.load(Ordering::SeqCst))?;
            if now == value { Ok(()) } else { Err(EAGAIN) }
        };
        let (woken, moved) = task
            .kernel
            .futexes
            .requeue(from_key, to_key, wake, moved, check)?;
        Ok((woken + moved) as u64)
    }
}
