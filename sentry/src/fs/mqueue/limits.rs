//! How large queues may be, mq_overview(7).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::Errno;
use syscalls::abi::ipc::MqAttr;
use syscalls::errno::{EINVAL, EMFILE, EOVERFLOW};

use crate::kernel::Kernel;
use crate::task::{Capabilities, Credentials, Resource, Task, User, UserIds};

/// Priorities are below this.
pub(super) const PRIORITIES: u32 = 32_768;
/// Messages of a queue, whatever sysctl(8) says.
const HARD_MESSAGES: u64 = 65_536;
/// Bytes of a message, likewise.
const HARD_BYTES: u64 = 16 << 20;
/// RLIMIT_MSGQUEUE of processes that did not change it.
const COMMON_LIMIT: u64 = 819_200;
/// What Linux counts for a message beside its text, and for a priority that is in use.
const MESSAGE_COST: u64 = 48;
const PRIORITY_COST: u64 = 48;

fn sysctl(kernel: &Kernel, name: &str, default: i64) -> u64 {
    u64::try_from(kernel.sysctls.number(name, default)).unwrap_or(0)
}

/// Queues of a name space for somebody like `creds`.
pub(super) fn most_queues(kernel: &Kernel, creds: &Credentials) -> usize {
    if creds.has(Capabilities::SYS_RESOURCE) {
        return usize::MAX;
    }
    usize::try_from(sysctl(kernel, "fs.mqueue.queues_max", 256)).unwrap_or(usize::MAX)
}

/// Who makes a queue, and how many bytes of messages it may have in all
/// (RLIMIT_MSGQUEUE).
pub(super) struct Maker {
    pub(super) creds: Arc<Credentials>,
    pub(super) limit: u64,
}

impl Maker {
    /// The task itself.
    pub(super) fn of(task: &Task) -> Self {
        Maker {
            creds: task.creds.get(),
            limit: task.group.limits.soft(Resource::Msgqueue),
        }
    }

    /// Somebody of whom only the user id is known.
    pub(super) fn of_user(uid: u32) -> Self {
        let creds = Credentials {
            uid: UserIds::all(uid),
            ..Credentials::default()
        };
        Maker {
            creds: Arc::new(creds),
            limit: COMMON_LIMIT,
        }
    }
}

/// How many messages of which size a queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) messages: u64,
    /// Bytes of a message.
    pub(super) size: u64,
}

impl Shape {
    /// Of a queue made without attributes.
    pub(super) fn default_of(kernel: &Kernel) -> Self {
        let smaller = |most, most_default, name, default| {
            sysctl(kernel, most, most_default).min(sysctl(kernel, name, default))
        };
        Shape {
            messages: smaller("fs.mqueue.msg_max", 10, "fs.mqueue.msg_default", 10),
            size: smaller(
                "fs.mqueue.msgsize_max",
                8192,
                "fs.mqueue.msgsize_default",
                8192,
            ),
        }
    }

    /// From mq_open(3)'s attributes; `EINVAL`, `EOVERFLOW`.
    pub(super) fn of(attr: &MqAttr, kernel: &Kernel, creds: &Credentials) -> Result<Self, Errno> {
        let positive = |number: i64| u64::try_from(number).ok().filter(|&number| number > 0);
        let shape = Shape {
            messages: positive(attr.maxmsg).ok_or(EINVAL)?,
            size: positive(attr.msgsize).ok_or(EINVAL)?,
        };
        let (messages, size) = if creds.has(Capabilities::SYS_RESOURCE) {
            (HARD_MESSAGES, HARD_BYTES)
        } else {
            (
                sysctl(kernel, "fs.mqueue.msg_max", 10),
                sysctl(kernel, "fs.mqueue.msgsize_max", 8192),
            )
        };
        if shape.messages > messages || shape.size > size {
            return Err(EINVAL);
        }
        shape.cost().ok_or(EOVERFLOW)?;
        Ok(shape)
    }

    /// What RLIMIT_MSGQUEUE counts, bytes.
    fn cost(self) -> Option<u64> {
        let priorities = self.messages.min(PRIORITIES.into());
        let each = MESSAGE_COST.checked_add(self.size)?;
        let priorities = priorities.checked_mul(PRIORITY_COST)?;
        self.messages.checked_mul(each)?.checked_add(priorities)
    }
}

/// A queue in its user's account.
pub(super) struct Charge {
    user: Arc<User>,
    bytes: u64,
}

impl Charge {
    /// `EMFILE` above `limit`, RLIMIT_MSGQUEUE.
    pub(super) fn new(user: Arc<User>, shape: Shape, limit: u64) -> Result<Self, Errno> {
        let bytes = shape.cost().ok_or(EOVERFLOW)?;
        let fits = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= limit);
        user.queue_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .map_err(|_| EMFILE)?;
        Ok(Charge { user, bytes })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.user
            .queue_bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
