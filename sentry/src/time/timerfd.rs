//! timerfd_create(2).

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use syscalls::abi::time::{self as abi, Itimerspec, TimerfdFlags, TimerfdSetFlags};
use syscalls::errno::{EAGAIN, EINVAL};
use syscalls::{Errno, Fd, Run, SysResult, call};

use super::clock::Clock;
use super::posix::{itimerspec, set};
use super::timer::{Strike, Timer};
use crate::fd::CloseOnExec;
use crate::sync::{Level, Mutex};
use crate::task::Current;
use crate::vfs::{AnonKind, File, FileOps, OpenMode, Sink};
use crate::wait::{Ready, WaitQueue};

/// Strikes that nobody has read.
struct Count {
    unread: Mutex<u64>,
    queue: WaitQueue,
}

impl Strike for Arc<Count> {
    fn strike(&self, count: u64) {
        {
            let mut unread = self.unread.lock();
            *unread = unread.saturating_add(count);
        }
        self.queue.notify(Ready::READABLE);
    }
}

struct TimerFd {
    clock: Clock,
    timer: Arc<Timer>,
    count: Arc<Count>,
}

impl Drop for TimerFd {
    fn drop(&mut self) {
        self.timer.set(None, 0);
    }
}

impl FileOps for TimerFd {
    fn is_the_same_anywhere(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        if dst.remaining() < 8 {
            return Err(EINVAL);
        }
        let mut unread = self.count.unread.lock();
        if *unread == 0 {
            return Err(EAGAIN);
        }
        dst.write(&unread.to_ne_bytes())?;
        *unread = 0;
        Ok(8)
    }

    fn poll(&self) -> Ready {
        if *self.count.unread.lock() > 0 {
            Ready::READABLE
        } else {
            Ready::empty()
        }
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(&self.count.queue))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Run<Current> for call::TimerfdCreate {
    fn run(self, task: &mut Current) -> SysResult {
        let known = [
            abi::CLOCK_REALTIME,
            abi::CLOCK_MONOTONIC,
            abi::CLOCK_BOOTTIME,
            abi::CLOCK_REALTIME_ALARM,
            abi::CLOCK_BOOTTIME_ALARM,
        ];
        if !known.contains(&self.clockid) {
            return Err(EINVAL.into());
        }
        let clock = Clock::new(task, self.clockid)?;
        let count = Arc::new(Count {
            unread: Mutex::new(Level::Pipe, 0),
            queue: WaitQueue::new(),
        });
        let timer = Timer::new(&task.kernel.alarms, clock.source(), Box::new(count.clone()));
        let nonblocking = self.flags.contains(TimerfdFlags::NONBLOCK);
        let status = if nonblocking {
            OpenMode::NONBLOCK
        } else {
            OpenMode::empty()
        };
        let fd = task.reserve_fd()?;
        let ops = Box::new(TimerFd {
            clock,
            timer,
            count,
        });
        let file = AnonKind::Inode("[timerfd]").open(task, ops, status | OpenMode::READ_WRITE);
        fd.fill(
            file,
            CloseOnExec::when(self.flags.contains(TimerfdFlags::CLOEXEC)),
        )
        .to_result()
    }
}

fn with_timer<R>(
    task: &Current,
    fd: Fd,
    act: impl FnOnce(&TimerFd) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let file = task.fds.get().get(fd)?;
    act(file.downcast::<TimerFd>().ok_or(EINVAL)?)
}

impl Run<Current> for call::TimerfdSettime {
    fn run(self, task: &mut Current) -> SysResult {
        let new: Itimerspec = task.mem().read(self.new_value)?;
        let absolute = self.flags.check()?.contains(TimerfdSetFlags::ABSTIME);
        let before = with_timer(task, self.fd, |timer| {
            // Strikes of the old setting no longer count.
            let before = set(&timer.timer, &timer.clock, &new, absolute)?;
            *timer.count.unread.lock() = 0;
            Ok(before)
        })?;
        if let Some(at) = self.old_value.non_null() {
            task.mem().write(at, &itimerspec(before))?;
        }
        Ok(0)
    }
}

impl Run<Current> for call::TimerfdGettime {
    fn run(self, task: &mut Current) -> SysResult {
        let setting = with_timer(task, self.fd, |timer| Ok(timer.timer.get()))?;
        task.mem().write(self.curr_value, &itimerspec(setting))?;
        Ok(0)
    }
}
