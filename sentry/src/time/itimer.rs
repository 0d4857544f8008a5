//! getitimer(2), setitimer(2), alarm(2).

use std::sync::{Arc, Weak};

use syscalls::abi::time::{ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, Itimerval, Timeval};
use syscalls::errno::EINVAL;
use syscalls::{Errno, Run, SysResult, call};

use super::account;
use super::process::ProcessTimers;
use super::timer::{Monotonic, Setting, Strike, TimeSource, Timer};
use crate::kernel::Kernel;
use syscalls::abi::signal::Siginfo;

use crate::signal::Signal;
use crate::task::{Current, ThreadGroup};

/// Which of a process's three interval timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Wall time, SIGALRM.
    Real,
    /// Processor time in application code, SIGVTALRM.
    Virtual,
    /// Processor time, SIGPROF.
    Prof,
}

impl Which {
    fn new(raw: i32) -> Result<Self, Errno> {
        match raw {
            ITIMER_REAL => Ok(Which::Real),
            ITIMER_VIRTUAL => Ok(Which::Virtual),
            ITIMER_PROF => Ok(Which::Prof),
            _ => Err(EINVAL),
        }
    }

    fn signal(self) -> Signal {
        match self {
            Which::Real => Signal::ALRM,
            Which::Virtual => Signal::VTALRM,
            Which::Prof => Signal::PROF,
        }
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// Processor time of a process, while it exists.
pub(super) struct CpuTime(Weak<ThreadGroup>, Which);

impl CpuTime {
    pub(super) fn new(group: Weak<ThreadGroup>, which: Which) -> Self {
        CpuTime(group, which)
    }
}

impl TimeSource for CpuTime {
    fn now(&self) -> u64 {
        let Some(group) = self.0.upgrade() else {
            return 0;
        };
        let (user, all) = account::process(&group);
        if self.1 == Which::Virtual { user } else { all }
    }
}

struct SendSignal(Weak<Kernel>, Weak<ThreadGroup>, Signal);

impl Strike for SendSignal {
    fn strike(&self, _: u64) {
        // A standard signal that is pending already swallows this one.
        let _ = account::signal(&self.0, &self.1, &Siginfo::kernel(self.2.raw()));
    }
}

fn timer(task: &Current, which: Which) -> Arc<Timer> {
    let timers: &ProcessTimers = &task.group.timers;
    timers.interval(which, || {
        let (kernel, group) = account::weak(task);
        let source: Box<dyn TimeSource> = match which {
            Which::Real => Box::new(Monotonic),
            Which::Virtual | Which::Prof => Box::new(CpuTime::new(group.clone(), which)),
        };
        Timer::new(
            &task.kernel.alarms,
            source,
            Box::new(SendSignal(kernel, group, which.signal())),
        )
    })
}

fn ns(time: Timeval) -> Result<u64, Errno> {
    let sec = u64::try_from(time.sec).map_err(|_| EINVAL)?;
    let usec = u64::try_from(time.usec)
        .ok()
        .filter(|&usec| usec < 1_000_000)
        .ok_or(EINVAL)?;
    Ok(sec
        .saturating_mul(1_000_000_000)
        .saturating_add(usec * 1000))
}

fn timeval(ns: u64) -> Timeval {
    // Rounded up: a timer that is set never looks unset.
    let us = ns.div_ceil(1000);
    Timeval {
        sec: (us / 1_000_000).try_into().unwrap_or(i64::MAX),
        usec: (us % 1_000_000).try_into().unwrap_or(0),
    }
}

fn itimerval(setting: Setting) -> Itimerval {
    Itimerval {
        interval: timeval(setting.interval),
        value: timeval(setting.value),
    }
}

fn set(timer: &Timer, value: u64, interval: u64) -> Setting {
    let next = (value > 0).then(|| timer.now().saturating_add(value));
    timer.set(next, interval)
}

impl Run<Current> for call::Getitimer {
    fn run(self, task: &mut Current) -> SysResult {
        let setting = timer(task, Which::new(self.which)?).get();
        task.mem().write(self.curr_value, &itimerval(setting))?;
        Ok(0)
    }
}

impl Run<Current> for call::Setitimer {
    fn run(self, task: &mut Current) -> SysResult {
        let which = Which::new(self.which)?;
        let new = match self.new_value.non_null() {
            Some(at) => task.mem().read(at)?,
            None => Itimerval {
                interval: Timeval { sec: 0, usec: 0 },
                value: Timeval { sec: 0, usec: 0 },
            },
        };
        let (value, interval) = (ns(new.value)?, ns(new.interval)?);
        let before = set(&timer(task, which), value, interval);
        if let Some(at) = self.old_value.non_null() {
            task.mem().write(at, &itimerval(before))?;
        }
        Ok(0)
    }
}

impl Run<Current> for call::Alarm {
    fn run(self, task: &mut Current) -> SysResult {
        let value = u64::from(self.seconds) * 1_000_000_000;
        let before = set(&timer(task, Which::Real), value, 0).value;
        // Rounded to the nearest second, but never to 0, as Linux does.
        let seconds = before.saturating_add(500_000_000) / 1_000_000_000;
        Ok(if before > 0 { seconds.max(1) } else { 0 })
    }
}
