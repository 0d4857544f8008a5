//! Which clocks there are, clock_gettime(2).

use std::sync::Arc;
use std::time::Duration;

use syscalls::Errno;
use syscalls::abi::time as abi;
use syscalls::errno::{EINVAL, EOPNOTSUPP};

use super::account;
use super::timer::{Monotonic, TimeSource};
use super::{now_monotonic, now_realtime};
use crate::task::{Current, Pid, Task, ThreadGroup};

/// A clock that a guest named.
#[derive(Clone)]
pub(super) enum Clock {
    /// CLOCK_REALTIME and what follows it (ALARM, TAI).
    Realtime,
    /// CLOCK_MONOTONIC and what follows it (BOOTTIME).
    Monotonic,
    /// CLOCK_REALTIME_COARSE: to be read only.
    ReadRealtime,
    /// CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE: to be read only.
    ReadMonotonic,
    /// Processor time of a process.
    Process(Arc<ThreadGroup>),
    /// Processor time of a thread.
    Thread(Arc<Task>),
}

/// Bits of a negative clock id: which thread or process, and what of it.
const PER_THREAD: i32 = 4;
const WHICH: i32 = 3;
/// All processor time; 0 and 1 are profiling and virtual time.
const SCHED: i32 = 2;

/// The clocks of a process or thread that count user time alone, or user and system time:
/// Linux counts ticks for them.
pub(super) fn counts_ticks(id: i32) -> bool {
    id < 0 && id & WHICH < SCHED
}

impl Clock {
    /// `EINVAL` for a clock that does not exist.
    pub(super) fn new(task: &Current, id: i32) -> Result<Self, Errno> {
        Ok(match id {
            abi::CLOCK_REALTIME | abi::CLOCK_REALTIME_ALARM | abi::CLOCK_TAI => Clock::Realtime,
            abi::CLOCK_MONOTONIC | abi::CLOCK_BOOTTIME | abi::CLOCK_BOOTTIME_ALARM => {
                Clock::Monotonic
            }
            abi::CLOCK_REALTIME_COARSE => Clock::ReadRealtime,
            abi::CLOCK_MONOTONIC_RAW | abi::CLOCK_MONOTONIC_COARSE => Clock::ReadMonotonic,
            abi::CLOCK_PROCESS_CPUTIME_ID => Clock::Process(task.group.clone()),
            abi::CLOCK_THREAD_CPUTIME_ID => Clock::Thread(task.task().clone()),
            id if id < 0 && id & WHICH <= SCHED => Self::of_other(task, id)?,
            _ => return Err(EINVAL),
        })
    }

    fn of_other(task: &Current, id: i32) -> Result<Self, Errno> {
        let pid: Pid = !(id >> 3);
        if id & PER_THREAD != 0 {
            if pid == 0 {
                return Ok(Clock::Thread(task.task().clone()));
            }
            let other = task.find_task(pid).ok_or(EINVAL)?;
            return if Arc::ptr_eq(&other.group, &task.group) {
                Ok(Clock::Thread(other))
            } else {
                Err(EINVAL)
            };
        }
        if pid == 0 {
            return Ok(Clock::Process(task.group.clone()));
        }
        task.find_process(pid).map(Clock::Process).ok_or(EINVAL)
    }

    /// Time of the clock, nanoseconds.
    pub(super) fn now(&self) -> i128 {
        match self {
            Clock::Realtime | Clock::ReadRealtime => now_realtime(),
            Clock::Monotonic | Clock::ReadMonotonic => now_monotonic().into(),
            Clock::Process(group) => account::process(group).1.into(),
            Clock::Thread(task) => account::thread(task).into(),
        }
    }

    /// A time source for timers, and the point of it that `at`, a time of this clock,
    /// stands for.
    pub(super) fn point(&self, at: Duration) -> u64 {
        match self {
            // Also of the past: a timer has struck since then.
            Clock::Realtime => {
                let at = i128::try_from(at.as_nanos()).unwrap_or(i128::MAX);
                let from_now = at.saturating_sub(now_realtime());
                let at = from_now.saturating_add(now_monotonic().into()).max(0);
                u64::try_from(at).unwrap_or(u64::MAX)
            }
            _ => u64::try_from(at.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// Measures a timer on this clock.
    pub(super) fn source(&self) -> Box<dyn TimeSource> {
        match self {
            Clock::Realtime | Clock::Monotonic => Box::new(Monotonic),
            cpu => Box::new(cpu.clone()),
        }
    }

    /// `EOPNOTSUPP` for clocks that nobody can sleep on.
    pub(super) fn check_sleep(&self) -> Result<(), Errno> {
        if matches!(self, Clock::Thread(_)) {
            return Err(EOPNOTSUPP);
        }
        self.check_timer()
    }

    /// `EOPNOTSUPP` for clocks that have no timers.
    pub(super) fn check_timer(&self) -> Result<(), Errno> {
        match self {
            Clock::ReadRealtime | Clock::ReadMonotonic => Err(EOPNOTSUPP),
            Clock::Realtime | Clock::Monotonic | Clock::Process(_) | Clock::Thread(_) => Ok(()),
        }
    }
}

impl TimeSource for Clock {
    fn now(&self) -> u64 {
        u64::try_from(self.now()).unwrap_or(0)
    }
}
