//! epoll_create(2), epoll_ctl(2), epoll_wait(2).

use std::time::Duration;

use syscalls::abi::fs::{EpollEvent, EpollFlags};
use syscalls::errno::{EAGAIN, EINTR, EINVAL, ETIMEDOUT};
use syscalls::{Fd, Run, Stop, SysResult, UserPtr, call};

use super::{EpollFile, NOT_OPEN, epoll_of};
use crate::fd::CloseOnExec;
use crate::task::Current;
use crate::vfs::{AnonKind, OpenMode};
use crate::wait::{Deadline, Ready};

const ADD: i32 = 1;
const DEL: i32 = 2;
const MOD: i32 = 3;

/// The most events that one call can return: what fits an `int` of bytes.
const MAX_EVENTS: usize = i32::MAX as usize / size_of::<EpollEvent>();

fn create(task: &Current, flags: EpollFlags) -> SysResult {
    let fd = task.reserve_fd()?;
    let ops = Box::<EpollFile>::default();
    let file = AnonKind::Inode("[eventpoll]").open(task, ops, OpenMode::READ_WRITE);
    fd.fill(file, CloseOnExec::when(flags.contains(EpollFlags::CLOEXEC)))
        .to_result()
}

fn wait(
    task: &Current,
    epfd: Fd,
    events: UserPtr<EpollEvent>,
    max: i32,
    deadline: Option<Deadline>,
) -> SysResult {
    let max = usize::try_from(max)
        .ok()
        .filter(|max| (1..=MAX_EVENTS).contains(max))
        .ok_or(EINVAL)?;
    let file = task.fds.get().get(epfd)?;
    let epoll = epoll_of(&file)?;
    let taken = task.block_on(epoll.queue(), Ready::READABLE, deadline, || {
        let events = epoll.take(max);
        if events.is_empty() {
            Err(EAGAIN.into())
        } else {
            Ok(events)
        }
    });
    match taken {
        Ok(taken) => {
            task.mem().write_slice(events, &taken)?;
            Ok(taken.len() as u64)
        }
        Err(Stop::Errno(ETIMEDOUT)) => Ok(0),
        // Never restarted, signal(7).
        Err(Stop::Restart(_)) => Err(EINTR.into()),
        Err(stop) => Err(stop),
    }
}

/// Milliseconds; negative: for ever.
fn deadline(timeout: i32) -> Option<Deadline> {
    u64::try_from(timeout)
        .ok()
        .map(|ms| Deadline::after(Duration::from_millis(ms)))
}

impl Run<Current> for call::EpollCreate {
    fn run(self, task: &mut Current) -> SysResult {
        if self.size <= 0 {
            return Err(EINVAL.into());
        }
        create(task, EpollFlags::empty())
    }
}

impl Run<Current> for call::EpollCreate1 {
    fn run(self, task: &mut Current) -> SysResult {
        create(task, self.flags)
    }
}

impl Run<Current> for call::EpollCtl {
    fn run(self, task: &mut Current) -> SysResult {
        // Read whatever the operation, unless it is one that has no event.
        let event = match self.op {
            DEL => EpollEvent { events: 0, data: 0 },
            _ => task.mem().read(self.event)?,
        };
        let fds = task.fds.get();
        let epfile = fds.get(self.epfd)?;
        let target = fds.get(self.fd).map_err(|_| NOT_OPEN)?;
        if std::sync::Arc::ptr_eq(&epfile, &target) {
            return Err(EINVAL.into());
        }
        let epoll = epoll_of(&epfile)?;
        match self.op {
            ADD => epoll.add(self.fd, &target, event)?,
            MOD => epoll.modify(self.fd, &target, event)?,
            DEL => epoll.remove(self.fd, &target)?,
            _ => return Err(EINVAL.into()),
        }
        Ok(0)
    }
}

impl Run<Current> for call::EpollWait {
    fn run(self, task: &mut Current) -> SysResult {
        wait(
            task,
            self.epfd,
            self.events,
            self.maxevents,
            deadline(self.timeout),
        )
    }
}

impl Run<Current> for call::EpollPwait {
    fn run(self, task: &mut Current) -> SysResult {
        let mask = task.read_mask(self.sigmask, self.sigsetsize)?;
        let deadline = deadline(self.timeout);
        task.with_mask(mask, |task| {
            wait(task, self.epfd, self.events, self.maxevents, deadline)
        })
    }
}

impl Run<Current> for call::EpollPwait2 {
    fn run(self, task: &mut Current) -> SysResult {
        let deadline = crate::poll::read_timeout(task, self.timeout)?;
        let mask = task.read_mask(self.sigmask, self.sigsetsize)?;
        task.with_mask(mask, |task| {
            wait(task, self.epfd, self.events, self.maxevents, deadline)
        })
    }
}
