//! eventfd(2).

use std::any::Any;
use std::borrow::Cow;

use syscalls::abi::fs::EventfdFlags;
use syscalls::errno::{EAGAIN, EINVAL};
use syscalls::{Errno, Run, SysResult, call};

use crate::fd::CloseOnExec;
use crate::sync::{Level, Mutex};
use crate::task::{Current, PidNamespace};
use crate::vfs::{AnonKind, File, FileOps, OpenMode, Sink, Source};
use crate::wait::{Ready, WaitQueue};

/// A counter that can be waited for.
pub struct EventFd {
    count: Mutex<u64>,
    /// Reads take one (EFD_SEMAPHORE) or all.
    takes_one: bool,
    queue: WaitQueue,
}

/// write(2) never makes the counter reach this, it waits. The kernel's own events may, and
/// poll(2) then tells of an error.
const FULL: u64 = u64::MAX;

impl EventFd {
    fn new(count: u64, takes_one: bool) -> Self {
        EventFd {
            count: Mutex::new(Level::Pipe, count),
            takes_one,
            queue: WaitQueue::new(),
        }
    }

    /// Adds, up to [`FULL`]: for the kernel's own events (aio).
    pub(crate) fn signal(&self, by: u64) {
        {
            let mut count = self.count.lock();
            *count = count.saturating_add(by);
        }
        self.queue.notify(Ready::READABLE);
    }
}

impl FileOps for EventFd {
    fn is_the_same_anywhere(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        if dst.remaining() < 8 {
            return Err(EINVAL);
        }
        {
            let mut count = self.count.lock();
            if *count == 0 {
                return Err(EAGAIN);
            }
            let taken = if self.takes_one { 1 } else { *count };
            dst.write(&taken.to_ne_bytes())?;
            *count -= taken;
        }
        self.queue.notify(Ready::WRITABLE);
        Ok(8)
    }

    fn write(&self, _: &File, src: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        // Linux 6.9 and later take nothing longer, either.
        if src.remaining() != 8 {
            return Err(EINVAL);
        }
        {
            let mut bytes = [0; 8];
            let mut count = self.count.lock();
            // The value is taken only where there is room: a retry must find it again.
            let mut peek = src.clone();
            peek.read(&mut bytes)?;
            let add = u64::from_ne_bytes(bytes);
            if add == FULL {
                return Err(EINVAL);
            }
            let sum = count
                .checked_add(add)
                .filter(|&sum| sum < FULL)
                .ok_or(EAGAIN)?;
            *count = sum;
            *src = peek;
        }
        self.queue.notify(Ready::READABLE);
        Ok(8)
    }

    fn poll(&self) -> Ready {
        let count = *self.count.lock();
        let mut ready = Ready::empty();
        ready.set(Ready::READABLE, count > 0);
        ready.set(Ready::WRITABLE, count < FULL - 1);
        ready.set(Ready::ERR, count == FULL);
        ready
    }

    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        Some(Cow::Borrowed(&self.queue))
    }

    fn fd_info(&self, _: &PidNamespace) -> String {
        format!("eventfd-count: {:16x}\n", *self.count.lock())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn eventfd(task: &Current, initial: u32, flags: EventfdFlags) -> SysResult {
    let nonblocking = flags.contains(EventfdFlags::NONBLOCK);
    let status = if nonblocking {
        OpenMode::NONBLOCK
    } else {
        OpenMode::empty()
    };
    let ops = EventFd::new(initial.into(), flags.contains(EventfdFlags::SEMAPHORE));
    let fd = task.reserve_fd()?;
    let file =
        AnonKind::Inode("[eventfd]").open(task, Box::new(ops), status | OpenMode::READ_WRITE);
    let fd = fd.fill(
        file,
        CloseOnExec::when(flags.contains(EventfdFlags::CLOEXEC)),
    );
    fd.to_result()
}

impl Run<Current> for call::Eventfd {
    fn run(self, task: &mut Current) -> SysResult {
        eventfd(task, self.initval, EventfdFlags::empty())
    }
}

impl Run<Current> for call::Eventfd2 {
    fn run(self, task: &mut Current) -> SysResult {
        eventfd(task, self.initval, self.flags)
    }
}
