//! clock_gettime(2), nanosleep(2) and their siblings.

use std::time::Duration;

use syscalls::abi::time::{CLOCK_REALTIME, TimerFlags, Timespec, Timeval, Timex, Timezone};
use syscalls::errno::{EINVAL, EPERM};
use syscalls::{Errno, Restart, Run, Stop, SysResult, UserPtr, call};

use super::clock::Clock;
use super::{duration, now_realtime, timespec};
use crate::task::Current;
use crate::wait::Deadline;

/// Nanoseconds, maybe negative, as the ABI has them.
pub(crate) fn timespec_ns(ns: i128) -> Timespec {
    let sec = i64::try_from(ns.div_euclid(1_000_000_000)).unwrap_or(i64::MAX);
    let nsec = i64::try_from(ns.rem_euclid(1_000_000_000)).unwrap_or(0);
    Timespec { sec, nsec }
}

fn timeval_now() -> Timeval {
    let Timespec { sec, nsec } = timespec_ns(now_realtime());
    Timeval {
        sec,
        usec: nsec / 1000,
    }
}

impl Run<Current> for call::ClockGettime {
    fn run(self, task: &mut Current) -> SysResult {
        let now = Clock::new(task, self.clockid)?.now();
        task.mem().write(self.tp, &timespec_ns(now))?;
        Ok(0)
    }
}

impl Run<Current> for call::ClockGetres {
    fn run(self, task: &mut Current) -> SysResult {
        use syscalls::abi::time::{CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME_COARSE};
        Clock::new(task, self.clockid)?;
        // The coarse clocks of Linux, and two of a process's, tick with the scheduler, 250 times a second.
        let coarse = matches!(self.clockid, CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE)
            || super::clock::counts_ticks(self.clockid);
        if let Some(at) = self.res.non_null() {
            task.mem().write(
                at,
                &Timespec {
                    sec: 0,
                    nsec: if coarse { 4_000_000 } else { 1 },
                },
            )?;
        }
        Ok(0)
    }
}

impl Run<Current> for call::Gettimeofday {
    fn run(self, task: &mut Current) -> SysResult {
        if let Some(at) = self.tv.non_null() {
            task.mem().write(at, &timeval_now())?;
        }
        if let Some(at) = self.tz.non_null() {
            task.mem().write(
                at,
                &Timezone {
                    minuteswest: 0,
                    dsttime: 0,
                },
            )?;
        }
        Ok(0)
    }
}

impl Run<Current> for call::Time {
    fn run(self, task: &mut Current) -> SysResult {
        let sec = timeval_now().sec;
        if let Some(at) = self.tloc.non_null() {
            task.mem().write(at, &sec)?;
        }
        Ok(u64::try_from(sec).unwrap_or(0))
    }
}

/// Sleeps; if interrupted tells the rest at `remain` and is continued by restart_syscall(2).
fn sleep(task: &mut Current, time: Duration, remain: UserPtr<Timespec>) -> SysResult {
    let deadline = task
        .restarted_deadline()
        .unwrap_or_else(|| Deadline::after(time));
    match task.sleep(Some(deadline)) {
        Ok(()) => Ok(0),
        Err(Stop::Restart(_)) => {
            if let Some(at) = remain.non_null() {
                task.mem()
                    .write(at, &timespec(deadline.left().unwrap_or_default()))?;
            }
            Err(task.restart_with(Some(deadline)))
        }
        Err(stop) => Err(stop),
    }
}

impl Run<Current> for call::Nanosleep {
    fn run(self, task: &mut Current) -> SysResult {
        let time = duration(task.mem().read(self.req)?)?;
        sleep(task, time, self.rem)
    }
}

/// Sleeps until a clock that may run slower than time reaches `until`.
fn sleep_until(task: &Current, clock: &Clock, until: i128) -> Result<(), Stop> {
    loop {
        let left = until.saturating_sub(clock.now());
        let Ok(left @ 1..) = u64::try_from(left) else {
            return Ok(());
        };
        task.sleep(Some(Deadline::after(Duration::from_nanos(left))))?;
    }
}

impl Run<Current> for call::ClockNanosleep {
    fn run(self, task: &mut Current) -> SysResult {
        let clock = Clock::new(task, self.clockid)?;
        clock.check_sleep()?;
        let time = duration(task.mem().read(self.request)?)?;
        let ns = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        let absolute = self.flags.contains(TimerFlags::ABSTIME);
        let until = match (&clock, absolute) {
            (Clock::Process(_), false) => clock.now().saturating_add(ns),
            (_, true) => ns,
            (_, false) => return sleep(task, time, self.remain),
        };
        match sleep_until(task, &clock, until) {
            Ok(()) => Ok(0),
            Err(Stop::Restart(_)) => Err(Stop::Restart(Restart::NoHand)),
            Err(stop) => Err(stop),
        }
    }
}

/// What is no time is told first; who might set the clock is found nowhere inside.
fn set_clock(valid: bool) -> SysResult {
    Err(if valid { EPERM } else { EINVAL }.into())
}

impl Run<Current> for call::ClockSettime {
    fn run(self, task: &mut Current) -> SysResult {
        let settable = self.clockid == CLOCK_REALTIME || self.clockid < 0;
        if !settable || Clock::new(task, self.clockid).is_err() {
            return Err(EINVAL.into());
        }
        let time = task.mem().read(self.tp)?;
        set_clock(duration(time).is_ok())
    }
}

impl Run<Current> for call::Settimeofday {
    fn run(self, task: &mut Current) -> SysResult {
        let time = match self.tv.non_null() {
            Some(at) => Some(task.mem().read(at)?),
            None => None,
        };
        if let Some(at) = self.tz.non_null() {
            task.mem().read(at)?;
        }
        let valid = |time: Timeval| time.sec >= 0 && (0..1_000_000).contains(&time.usec);
        set_clock(time.is_none_or(valid))
    }
}

/// adjtimex(2): the clock is the host's; it can be asked, not set.
fn adjtimex(task: &Current, buf: UserPtr<Timex>) -> SysResult {
    const TIME_OK: u64 = 0;
    let asked = task.mem().read(buf)?;
    if asked.modes != 0 {
        return Err(EPERM.into());
    }
    let answer = Timex {
        modes: 0,
        time: timeval_now(),
        tick: 10_000,
        precision: 1,
        tolerance: 32_768_000,
        ..asked
    };
    task.mem().write(buf, &answer)?;
    Ok(TIME_OK)
}

impl Run<Current> for call::Adjtimex {
    fn run(self, task: &mut Current) -> SysResult {
        adjtimex(task, self.buf)
    }
}

impl Run<Current> for call::ClockAdjtime {
    fn run(self, task: &mut Current) -> SysResult {
        if self.clk_id != CLOCK_REALTIME {
            return Err(EINVAL.into());
        }
        adjtimex(task, self.buf)
    }
}

/// A setting of two ABI times; `EINVAL` for what is no time.
pub(crate) fn ns(time: Timespec) -> Result<u64, Errno> {
    Ok(u64::try_from(duration(time)?.as_nanos()).unwrap_or(u64::MAX))
}
