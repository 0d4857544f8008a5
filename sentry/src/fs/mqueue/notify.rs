//! mq_notify(3): a process is told when a message comes to an empty queue.

use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::abi::signal::{SI_MESGQ, SIGEV_NONE, SIGEV_SIGNAL, Sigevent, Siginfo};
use syscalls::errno::EINVAL;

use super::queue::Sender;
use crate::kernel::Kernel;
use crate::signal::{Signal, Source};
use crate::task::{Current, Numbers, ThreadGroup, of_this_thread};
use crate::vfs::locks::LockOwner;

/// What happens then.
#[derive(Clone, Copy, Debug)]
enum How {
    Nothing,
    Signal(Signal, u64),
}

/// Who is to be told.
pub(super) struct Notification {
    kernel: Weak<Kernel>,
    group: Weak<ThreadGroup>,
    /// Whose descriptors: closing one of them ends it.
    owner: LockOwner,
    numbers: Arc<Numbers>,
    how: How,
}

impl Notification {
    /// `EINVAL` for a kind or a signal that does not exist.
    ///
    /// Differs from Linux: SIGEV_THREAD, for which the C library waits at a netlink
    /// socket, is refused.
    pub(super) fn new(task: &Current, event: &Sigevent) -> Result<Self, Errno> {
        let how = match event.notify {
            SIGEV_NONE => How::Nothing,
            SIGEV_SIGNAL => match Signal::or_none(event.signo)? {
                Some(signal) => How::Signal(signal, event.value),
                None => How::Nothing,
            },
            _ => return Err(EINVAL),
        };
        Ok(Notification {
            kernel: Arc::downgrade(&task.kernel),
            group: Arc::downgrade(&task.group),
            owner: task.fds.get().lock_owner(),
            numbers: task.group.numbers.clone(),
            how,
        })
    }

    pub(super) fn is_of(&self, owner: LockOwner) -> bool {
        self.owner == owner
    }

    /// A message has come.
    pub(super) fn tell(&self, sender: &Sender) {
        let How::Signal(signal, value) = self.how else {
            return;
        };
        let (Some(kernel), Some(group)) = (self.kernel.upgrade(), self.group.upgrade()) else {
            return;
        };
        let pid = sender.numbers.seen_from(group.pid_namespace());
        let info = Siginfo::queue(signal.raw(), SI_MESGQ, pid, sender.uid, value);
        // Lost at the limit of queued signals, as on Linux.
        let _ = kernel.signal_process(&group, &info, Source::Inside);
    }

    /// The end of the text that read(2) gives to the calling thread.
    pub(super) fn text(registered: Option<&Notification>) -> String {
        let reader = of_this_thread();
        let pid = |numbers: &Numbers| match &reader {
            Some(reader) => numbers.seen_from(reader.pid_namespace()),
            None => numbers.kernel(),
        };
        let (notify, signal, pid) = match registered {
            None => (0, 0, 0),
            Some(registered) => match registered.how {
                How::Nothing => (SIGEV_NONE, 0, pid(&registered.numbers)),
                How::Signal(signal, _) => (SIGEV_SIGNAL, signal.raw(), pid(&registered.numbers)),
            },
        };
        format!("NOTIFY:{notify:<5} SIGNO:{signal:<5} NOTIFY_PID:{pid:<6}\n")
    }
}
