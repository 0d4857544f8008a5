//! Where a task's paths start. Shared by tasks made with `CLONE_FS`.

use std::sync::Arc;

use crate::sync::{Level, Slot};
use crate::vfs::{Location, MountNamespace};

/// Root, working directory, umask, mount name space.
pub struct FsContext {
    /// "/".
    pub root: Slot<Location>,
    /// ".".
    pub cwd: Slot<Location>,
    /// umask(2), nine bits.
    pub umask: Slot<u16>,
    /// The mounts it sees.
    pub mounts: Slot<Arc<MountNamespace>>,
}

impl FsContext {
    /// A context whose root and working directory are the root of `mounts`.
    #[must_use]
    pub fn new(mounts: Arc<MountNamespace>) -> Arc<Self> {
        let root = mounts.root().root_location();
        Arc::new(FsContext {
            root: Slot::new(Level::Leaf, root.clone()),
            cwd: Slot::new(Level::Leaf, root),
            umask: Slot::new(Level::Leaf, 0o022),
            mounts: Slot::new(Level::Leaf, mounts),
        })
    }

    /// True unless chroot(2) was called: the root is that of all mounts.
    pub(super) fn is_at_top(&self) -> bool {
        let top = self.mounts.get().root().root_location().topmost();
        self.root.with(|root| root.is_same(&top))
    }

    /// A copy, for a child without `CLONE_FS`.
    #[must_use]
    pub fn fork(&self) -> Arc<Self> {
        Arc::new(FsContext {
            root: Slot::new(Level::Leaf, self.root.get()),
            cwd: Slot::new(Level::Leaf, self.cwd.get()),
            umask: Slot::new(Level::Leaf, self.umask.get()),
            mounts: Slot::new(Level::Leaf, self.mounts.get()),
        })
    }
}
