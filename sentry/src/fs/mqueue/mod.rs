//! mqueue: POSIX message queues, mq_overview(7).
//!
//! Each ipc name space has one instance, a flat directory of queues. mq_open(2) looks
//! there; where it is mounted, queues are also made, listed, opened and removed as files.

mod calls;
mod dir;
mod file;
mod limits;
mod notify;
mod queue;

use std::sync::{Arc, Weak};

use self::dir::QueueDir;
use super::synth::{Instance, Synthetic};
use crate::kernel::Kernel;
use crate::vfs::{Dentry, FileKind, InodeRef, Mode, Mount, MountFlags, Owner, SuperBlock};

/// `f_type` of statfs(2).
const MQUEUE_MAGIC: u64 = 0x1980_0202;
/// The root's inode number.
const ROOT_INO: u64 = 1;

/// An instance, on a mount that no path leads to.
pub(crate) fn new(kernel: &Arc<Kernel>) -> Arc<Mount> {
    let instance = Instance {
        name: "mqueue",
        magic: MQUEUE_MAGIC,
        // Several mounts have names of their own for the same queues.
        lasting: false,
        options: String::new(),
    };
    let super_block = SuperBlock::new(Box::new(instance), "mqueue");
    let kernel: Weak<Kernel> = Arc::downgrade(kernel);
    let owner = Owner {
        uid: 0,
        gid: 0,
        mode: Mode::from_raw(0o1777),
    };
    let dir = QueueDir::new(kernel);
    let root: InodeRef = Synthetic::new(&super_block, ROOT_INO, FileKind::Directory, owner, dir);
    Mount::new(Dentry::root(root), MountFlags::default())
}
