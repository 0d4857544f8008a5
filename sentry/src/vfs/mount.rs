//! Mounts and mount name spaces, mount_namespaces(7).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bitflags::bitflags;

use super::{Dentry, Location, SuperBlock};
use crate::sync::{Level, Mutex, Slot};

bitflags! {
    /// Flags of one mount, mount(2).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct MountFlags: u32 {
        /// MS_RDONLY.
        const READ_ONLY = 1;
        /// MS_NOSUID.
        const NOSUID = 2;
        /// MS_NODEV.
        const NODEV = 4;
        /// MS_NOEXEC.
        const NOEXEC = 8;
        /// MS_NOATIME.
        const NOATIME = 1024;
        /// MS_NODIRATIME.
        const NODIRATIME = 2048;
        /// MS_RELATIME.
        const RELATIME = 1 << 21;
        /// MS_STRICTATIME.
        const STRICTATIME = 1 << 24;
    }
}

/// A file system's tree at a place.
pub struct Mount {
    /// Number in /proc/PID/mountinfo.
    pub id: u64,
    /// The instance.
    pub super_block: Arc<SuperBlock>,
    /// Which of its dentries is the root here (bind mounts show a part).
    pub root: Arc<Dentry>,
    /// Where it hangs; `None` for the root and for detached and internal mounts.
    pub(crate) at: Slot<Option<Location>>,
    flags: AtomicU32,
}

impl Mount {
    /// A mount that hangs nowhere yet.
    #[must_use]
    pub fn new(root: Arc<Dentry>, flags: MountFlags) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Mount {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            super_block: root.inode().super_block().clone(),
            root,
            at: Slot::new(Level::Leaf, None),
            flags: AtomicU32::new(flags.bits()),
        })
    }

    /// Flags now.
    #[must_use]
    pub fn flags(&self) -> MountFlags {
        MountFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// MS_REMOUNT.
    pub fn set_flags(&self, flags: MountFlags) {
        self.flags.store(flags.bits(), Ordering::Relaxed);
    }

    /// Its root as a location.
    #[must_use]
    pub fn root_location(self: &Arc<Self>) -> Location {
        Location {
            mount: self.clone(),
            dentry: self.root.clone(),
        }
    }
}

/// The mounts that a group of processes sees.
pub struct MountNamespace {
    /// The mount whose root is "/".
    pub root: Arc<Mount>,
    /// All of them, in the order of mounting. A later one on the same place hides an earlier.
    pub(crate) mounts: Mutex<Vec<Arc<Mount>>>,
}

impl MountNamespace {
    /// A name space with a root.
    #[must_use]
    pub fn new(root: Arc<Mount>) -> Arc<Self> {
        let mounts = Mutex::new(Level::Mounts, vec![root.clone()]);
        Arc::new(MountNamespace { root, mounts })
    }
}
