//! Clocks and timers, time(7).

mod account;
pub(crate) mod calls;
mod clock;
pub(crate) mod cpu_limit;
mod itimer;
mod line;
mod posix;
mod process;
mod queue;
mod timer;
mod timerfd;
mod vdso;

use std::time::Duration;

use syscalls::Errno;
use syscalls::abi::time::Timespec;
use syscalls::errno::EINVAL;

pub use process::ProcessTimers;
pub use queue::AlarmQueue;
pub use vdso::TimePage;

/// A relative time; `EINVAL` for one that is negative or not normal.
pub fn duration(time: Timespec) -> Result<Duration, Errno> {
    let sec = u64::try_from(time.sec).map_err(|_| EINVAL)?;
    let nsec = u32::try_from(time.nsec)
        .ok()
        .filter(|&nsec| nsec < 1_000_000_000);
    Ok(Duration::new(sec, nsec.ok_or(EINVAL)?))
}

/// The other way; saturates.
#[must_use]
pub fn timespec(time: Duration) -> Timespec {
    let sec = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timespec {
        sec,
        nsec: time.subsec_nanos().into(),
    }
}

/// `CLOCK_MONOTONIC`, the host's, nanoseconds.
#[must_use]
pub fn now_monotonic() -> u64 {
    line::now().monotonic
}

/// `CLOCK_REALTIME`, nanoseconds since 1970.
#[must_use]
pub fn now_realtime() -> i128 {
    line::now().realtime
}

/// A point of `CLOCK_REALTIME`, given as the time since 1970, as a deadline.
#[must_use]
pub fn realtime_deadline(at: Duration) -> crate::wait::Deadline {
    let at = i128::try_from(at.as_nanos()).unwrap_or(i128::MAX);
    let left = u64::try_from(at.saturating_sub(now_realtime()).max(0)).unwrap_or(u64::MAX);
    crate::wait::Deadline(now_monotonic().saturating_add(left))
}
