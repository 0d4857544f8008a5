//! mq_notify(3): a process is told when a message comes to an empty queue.

use std::sync::{Arc, Weak};

use syscalls::abi::net::AF_NETLINK;
use syscalls::abi::signal::{SI_MESGQ, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, Sigevent, Siginfo};
use syscalls::errno::EINVAL;
use syscalls::{Errno, Fd, UserAddr};

use super::queue::Sender;
use crate::kernel::Kernel;
use crate::net::Socket;
use crate::signal::{Signal, Source};
use crate::task::{Current, Numbers, ThreadGroup, of_this_thread};
use crate::vfs::locks::LockOwner;

/// Bytes that the C library wants to see again; the last one says why.
const COOKIE: usize = 32;
const MESSAGE_CAME: u8 = 1;
const REMOVED: u8 = 2;

/// What happens then.
enum How {
    Nothing,
    Signal(Signal, u64),
    /// SIGEV_THREAD: the C library waits at a netlink socket, and starts a thread.
    Datagram(Arc<dyn Socket>, [u8; COOKIE]),
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
    /// `EINVAL` for a kind or a signal that does not exist, or another socket.
    pub(super) fn new(task: &Current, event: &Sigevent) -> Result<Self, Errno> {
        let how = match event.notify {
            SIGEV_NONE => How::Nothing,
            SIGEV_SIGNAL => match Signal::or_none(event.signo)? {
                Some(signal) => How::Signal(signal, event.value),
                None => How::Nothing,
            },
            SIGEV_THREAD => {
                let cookie = task.mem().read(UserAddr::new(event.value).cast())?;
                let socket = crate::net::socket_at(task, Fd(event.signo))?;
                if socket.family() != AF_NETLINK {
                    return Err(EINVAL);
                }
                How::Datagram(socket, cookie)
            }
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
        let (signal, value) = match &self.how {
            How::Nothing => return,
            How::Datagram(..) => return self.say(MESSAGE_CAME),
            How::Signal(signal, value) => (signal, *value),
        };
        let (Some(kernel), Some(group)) = (self.kernel.upgrade(), self.group.upgrade()) else {
            return;
        };
        let pid = sender.numbers.seen_from(group.pid_namespace());
        let info = Siginfo::queue(signal.raw(), SI_MESGQ, pid, sender.uid, value);
        // Lost at the limit of queued signals, as on Linux.
        let _ = kernel.signal_process(&group, &info, Source::Inside);
    }

    /// It is taken back.
    pub(super) fn removed(&self) {
        self.say(REMOVED);
    }

    fn say(&self, why: u8) {
        if let How::Datagram(socket, cookie) = &self.how {
            let mut cookie = *cookie;
            cookie[COOKIE - 1] = why;
            // It was a netlink socket when it was given.
            let _ = socket.deliver(&cookie);
        }
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
            Some(registered) => match &registered.how {
                How::Nothing => (SIGEV_NONE, 0, pid(&registered.numbers)),
                How::Signal(signal, _) => (SIGEV_SIGNAL, signal.raw(), pid(&registered.numbers)),
                How::Datagram(..) => (SIGEV_THREAD, 0, pid(&registered.numbers)),
            },
        };
        format!("NOTIFY:{notify:<5} SIGNO:{signal:<5} NOTIFY_PID:{pid:<6}\n")
    }
}
