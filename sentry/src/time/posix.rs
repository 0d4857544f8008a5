//! timer_create(2) and its siblings.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use syscalls::abi::signal as abi;
use syscalls::abi::signal::{Sigevent, Siginfo};
use syscalls::abi::time::{Itimerspec, TimerFlags};
use syscalls::errno::EINVAL;
use syscalls::{Errno, Run, SysResult, call};

use super::account;
use super::calls::{ns, timespec_ns};
use super::clock::Clock;
use super::timer::{Setting, Strike, Timer};
use crate::kernel::Kernel;
use crate::signal::Signal;
use crate::task::{Current, Task, ThreadGroup};

/// Whom a timer tells.
enum Target {
    Nobody,
    Process(Weak<Kernel>, Weak<ThreadGroup>),
    Thread(Weak<Task>),
}

struct Notify {
    id: i32,
    signal: Signal,
    value: u64,
    target: Target,
    /// Strikes that found the last signal still pending.
    missed: AtomicU64,
    /// What timer_getoverrun(2) tells of the last signal that was taken.
    overrun: AtomicU64,
}

/// The most that an overrun count tells, DELAYTIMER_MAX.
const OVERRUN_MAX: u64 = i32::MAX as u64;

impl Notify {
    fn is_pending(&self) -> bool {
        match &self.target {
            Target::Nobody => false,
            Target::Process(_, group) => group
                .upgrade()
                .is_some_and(|g| g.signals.pending().contains(self.signal)),
            Target::Thread(task) => task
                .upgrade()
                .is_some_and(|t| t.signals.pending().contains(self.signal)),
        }
    }
}

impl Strike for Arc<Notify> {
    fn strike(&self, count: u64) {
        if self.is_pending() {
            self.missed.fetch_add(count, Ordering::Relaxed);
            return;
        }
        let overrun = self.missed.swap(0, Ordering::Relaxed) + count - 1;
        let overrun = i32::try_from(overrun).unwrap_or(i32::MAX);
        let info = Siginfo::timer(self.signal.raw(), self.id, overrun, self.value);
        let sent = match &self.target {
            Target::Nobody => Ok(()),
            Target::Process(kernel, group) => account::signal(kernel, group, &info),
            Target::Thread(task) => task
                .upgrade()
                .map_or(Ok(()), |task| account::signal_thread(&task, &info)),
        };
        if sent.is_err() {
            self.missed.fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl ThreadGroup {
    /// A signal was taken; one of a timer counts the strikes up to now.
    pub(crate) fn told_of(&self, info: Siginfo) -> Siginfo {
        if info.code != abi::SI_TIMER {
            return info;
        }
        // The timer may be gone.
        let Ok(timer) = self.timers.posix(info.timer_id()) else {
            return info;
        };
        let notify = &timer.notify;
        let before = u64::try_from(info.overrun()).unwrap_or(0);
        let overrun = before.saturating_add(notify.missed.swap(0, Ordering::Relaxed));
        let overrun = overrun.min(OVERRUN_MAX);
        notify.overrun.store(overrun, Ordering::Relaxed);
        let overrun = i32::try_from(overrun).unwrap_or(i32::MAX);
        Siginfo::timer(info.signo, info.timer_id(), overrun, info.value())
    }
}

impl Target {
    /// Whom an event notifies. Looks at the tables of tasks.
    fn of(task: &Current, event: &Sigevent) -> Result<Self, Errno> {
        Ok(match event.notify {
            abi::SIGEV_NONE => Target::Nobody,
            // SIGEV_THREAD is the C library's; the kernel treats it as a signal.
            abi::SIGEV_SIGNAL | abi::SIGEV_THREAD => {
                let (kernel, group) = account::weak(task);
                Target::Process(kernel, group)
            }
            abi::SIGEV_THREAD_ID => {
                let other = task.find_task(event.tid).ok_or(EINVAL)?;
                if !Arc::ptr_eq(&other.group, &task.group) {
                    return Err(EINVAL);
                }
                Target::Thread(Arc::downgrade(&other))
            }
            _ => return Err(EINVAL),
        })
    }
}

/// A timer of timer_create(2).
pub(super) struct PosixTimer {
    clock: Clock,
    timer: Arc<Timer>,
    notify: Arc<Notify>,
}

impl PosixTimer {
    fn new(
        task: &Current,
        id: i32,
        clock: Clock,
        event: &Sigevent,
        target: Target,
    ) -> Result<Arc<Self>, Errno> {
        let signal = match target {
            Target::Nobody => Signal::ALRM,
            _ => Signal::new(event.signo)?,
        };
        let notify = Arc::new(Notify {
            id,
            signal,
            value: event.value,
            target,
            missed: AtomicU64::new(0),
            overrun: AtomicU64::new(0),
        });
        let timer = Timer::new(
            &task.kernel.alarms,
            clock.source(),
            Box::new(notify.clone()),
        );
        Ok(Arc::new(PosixTimer {
            clock,
            timer,
            notify,
        }))
    }

    pub(super) fn stop(&self) {
        self.timer.set(None, 0);
    }
}

/// A setting for the guest.
pub(crate) fn itimerspec(setting: Setting) -> Itimerspec {
    Itimerspec {
        interval: timespec_ns(setting.interval.into()),
        value: timespec_ns(setting.value.into()),
    }
}

/// Sets `timer`, which runs on `clock`; returns what it was set to.
pub(crate) fn set(
    timer: &Timer,
    clock: &Clock,
    new: &Itimerspec,
    absolute: bool,
) -> Result<Setting, Errno> {
    let (value, interval) = (ns(new.value)?, ns(new.interval)?);
    let next = match (value, absolute) {
        (0, _) => None,
        (_, true) => Some(clock.point(super::duration(new.value)?)),
        (_, false) => Some(timer.now().saturating_add(value)),
    };
    Ok(timer.set(next, interval))
}

impl Run<Current> for call::TimerCreate {
    fn run(self, task: &mut Current) -> SysResult {
        let clock = Clock::new(task, self.clockid)?;
        clock.check_timer()?;
        let given = match self.sevp.non_null() {
            Some(at) => Some(task.mem().read(at)?),
            None => None,
        };
        let default = |id: i32| Sigevent {
            value: u64::try_from(id).unwrap_or(0),
            signo: Signal::ALRM.raw(),
            notify: abi::SIGEV_SIGNAL,
            ..Sigevent::default()
        };
        let event = |id| given.unwrap_or_else(|| default(id));
        // Before the timers are locked: tasks come first.
        let target = Target::of(task, &event(0))?;
        let timers = &task.group.timers;
        let id = timers.add(|id| PosixTimer::new(task, id, clock, &event(id), target))?;
        if let Err(error) = task.mem().write(self.timerid, &id) {
            task.group.timers.remove(id)?;
            return Err(error.into());
        }
        Ok(0)
    }
}

impl Run<Current> for call::TimerSettime {
    fn run(self, task: &mut Current) -> SysResult {
        let new = self.new_value.non_null().ok_or(EINVAL)?;
        let new = task.mem().read(new)?;
        let timer = task.group.timers.posix(self.timerid)?;
        timer.notify.missed.store(0, Ordering::Relaxed);
        let before = set(
            &timer.timer,
            &timer.clock,
            &new,
            self.flags.contains(TimerFlags::ABSTIME),
        )?;
        if let Some(at) = self.old_value.non_null() {
            task.mem().write(at, &itimerspec(before))?;
        }
        Ok(0)
    }
}

impl Run<Current> for call::TimerGettime {
    fn run(self, task: &mut Current) -> SysResult {
        let setting = task.group.timers.posix(self.timerid)?.timer.get();
        task.mem().write(self.curr_value, &itimerspec(setting))?;
        Ok(0)
    }
}

impl Run<Current> for call::TimerGetoverrun {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(task
            .group
            .timers
            .posix(self.timerid)?
            .notify
            .overrun
            .load(Ordering::Relaxed))
    }
}

impl Run<Current> for call::TimerDelete {
    fn run(self, task: &mut Current) -> SysResult {
        task.group.timers.remove(self.timerid)?;
        Ok(0)
    }
}
