//! System V IPC, sysvipc(7): shared memory ([`shm`]), semaphores ([`sem`]) and message
//! queues ([`msg`]).
//!
//! The objects of one kind stand in a [`table::Table`] of an [`IpcNamespace`], found by
//! key or number; each has a [`perm::Perm`]. Who has to wait leaves its request with the
//! object, and whoever makes it possible performs it on the spot: what a sender or a
//! `semop` has set off has happened when the call returns, whenever the waiter runs.

pub(crate) mod msg;
pub(crate) mod perm;
pub(crate) mod sem;
pub(crate) mod shm;
mod table;

use std::sync::{Arc, OnceLock};

use msg::Queue;
use sem::SemSet;
use shm::Segment;
use syscalls::errno::{EAGAIN, EINTR, ETIMEDOUT};
use syscalls::{Errno, Stop};
use table::Table;

use crate::kernel::Kernel;
use crate::namespace::{Kind, NamespaceId, UserNamespace};
use crate::vfs::Mount;

/// The objects that a group of processes sees, ipc_namespaces(7).
#[derive(Default)]
pub struct IpcNamespace {
    /// What names it.
    pub id: NamespaceId,
    /// Whose it is.
    pub user: UserNamespace,
    pub(crate) shm: Table<Segment>,
    pub(crate) sem: Table<SemSet>,
    pub(crate) msg: Table<Queue>,
    /// See [`Self::queues`].
    queues: OnceLock<Arc<Mount>>,
}

impl IpcNamespace {
    /// That of the first process.
    pub(crate) fn first() -> Self {
        IpcNamespace {
            id: NamespaceId::first(Kind::Ipc),
            ..IpcNamespace::default()
        }
    }

    /// A new one.
    pub(crate) fn new(user: &UserNamespace) -> Arc<Self> {
        Arc::new(IpcNamespace {
            user: user.clone(),
            ..IpcNamespace::default()
        })
    }

    /// The file system of POSIX message queues.
    pub(crate) fn queues(&self, kernel: &Arc<Kernel>) -> Arc<Mount> {
        let make = || {
            let mount = crate::fs::mqueue::new(kernel);
            mount.super_block.set_user(&self.user);
            mount
        };
        self.queues.get_or_init(make).clone()
    }
}

/// Seconds since 1970, as the `*_ds` structures tell times.
fn now() -> i64 {
    let seconds = crate::time::now_realtime() / 1_000_000_000;
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// How a wait that was given up ends: at its deadline with `EAGAIN`. These calls are never
/// restarted, signal(7).
fn given_up(stop: Stop) -> Errno {
    match stop {
        Stop::Errno(ETIMEDOUT) => EAGAIN,
        Stop::Errno(error) => error,
        Stop::Restart(_) | Stop::Registers => EINTR,
    }
}
