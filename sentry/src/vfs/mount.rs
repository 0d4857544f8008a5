//! Mounts: file systems' trees at places, and which mount lies on which.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bitflags::bitflags;
use syscalls::Errno;

use super::dcache::Ask;
use super::mounting::peers::{Kin, Peers};
use super::{Dentry, Location, MountNamespace, SuperBlock};
use crate::sync::{Level, Slot};

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
        /// MS_NOSYMFOLLOW.
        const NOSYMFOLLOW = 256;
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

/// The flags that can be locked.
const LOCKABLE: MountFlags = MountFlags::READ_ONLY
    .union(MountFlags::NOSUID)
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);
/// Which times of access are kept; locked as one.
const TIMES: MountFlags = MountFlags::NOATIME
    .union(MountFlags::NODIRATIME)
    .union(MountFlags::RELATIME);

/// The greatest number that is not one of [`Mount::unique_id`].
pub(super) const UNIQUE_IDS: u64 = 1 << 31;

/// What is locked of a mount, mount_namespaces(7), "Restrictions on mount namespaces".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Locked {
    /// These flags stay set.
    pub(super) set: MountFlags,
    /// Those about times of access stay as they are.
    pub(super) times: bool,
    /// Whether it stays where it is.
    pub(super) hangs: Hangs,
}

/// How a mount hangs on what it covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hangs {
    /// It may be taken off.
    #[default]
    Free,
    /// Only with what it hangs on.
    Fast,
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
    at: Slot<Option<Location>>,
    /// What hangs on it, by mount point. Changed under the lock of all trees alone.
    children: Slot<Vec<(Arc<Dentry>, Arc<Mount>)>>,
    flags: AtomicU32,
    /// What whoever may mount here may not undo.
    locked: Slot<Locked>,
    /// Where it is mounted.
    namespace: Slot<Weak<MountNamespace>>,
    /// Who hears of what is mounted on it.
    pub(super) peers: Slot<Peers>,
}

impl Mount {
    /// A mount that hangs nowhere yet.
    #[must_use]
    pub fn new(root: Arc<Dentry>, flags: MountFlags) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let super_block = root.inode().super_block().clone();
        super_block.mounts.fetch_add(1, Ordering::Relaxed);
        Arc::new(Mount {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            super_block,
            root,
            at: Slot::new(Level::Leaf, None),
            children: Slot::new(Level::Leaf, Vec::new()),
            flags: AtomicU32::new(flags.bits()),
            locked: Slot::new(Level::Leaf, Locked::default()),
            namespace: Slot::new(Level::Leaf, Weak::new()),
            peers: Slot::new(Level::Leaf, Peers::default()),
        })
    }

    /// The same once more, from `root` on, with what is locked.
    pub(super) fn copy(of: &Mount, root: Arc<Dentry>, kin: Kin) -> Arc<Self> {
        let copy = Mount::new(root, of.flags());
        copy.locked.set(of.locked.get());
        copy.become_kin(of, kin);
        copy
    }

    /// The number that statx(2) gives with STATX_MNT_ID_UNIQUE, and statmount(2) takes: as
    /// Linux has it, none that /proc/PID/mountinfo shows.
    pub(super) fn unique_id(&self) -> u64 {
        self.id + UNIQUE_IDS
    }

    /// The name space that it is mounted in.
    pub(super) fn namespace(&self) -> Option<Arc<MountNamespace>> {
        self.namespace.with(Weak::upgrade)
    }

    pub(super) fn set_namespace(&self, namespace: Option<&Arc<MountNamespace>>) {
        self.namespace
            .set(namespace.map_or_else(Weak::new, Arc::downgrade));
    }

    /// True if it is mounted in that name space.
    pub(super) fn is_in(&self, namespace: &MountNamespace) -> bool {
        self.namespace
            .with(|own| std::ptr::eq(own.as_ptr(), namespace))
    }

    /// Locks it as it is: for users who do not own the name space that it comes from.
    pub(super) fn lock(&self, hangs: Hangs) {
        let flags = self.flags();
        self.locked.update(|locked| {
            locked.set |= flags & LOCKABLE;
            locked.times = true;
            if hangs == Hangs::Fast {
                locked.hangs = Hangs::Fast;
            }
        });
    }

    /// True if it may not be taken off by itself.
    pub(super) fn is_fast(&self) -> bool {
        self.locked.with(|locked| locked.hangs == Hangs::Fast)
    }

    /// It may be taken off.
    pub(super) fn set_free(&self) {
        self.locked.update(|locked| locked.hangs = Hangs::Free);
    }

    /// True if it could be mounted with `flags`, whatever is locked.
    pub(super) fn allows(&self, flags: MountFlags) -> bool {
        let locked = self.locked.get();
        let same_times = (flags ^ self.flags()) & TIMES == MountFlags::empty();
        flags.contains(locked.set) && (same_times || !locked.times)
    }

    /// What one who mounts the same file system anew has to keep to.
    pub(super) fn locks(&self) -> Locked {
        self.locked.get()
    }

    /// Keeps to what is locked elsewhere.
    pub(super) fn set_locks(&self, locked: Locked) {
        self.locked.set(locked);
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

    /// True unless it is mounted read-only.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        !self.flags().contains(MountFlags::READ_ONLY)
    }

    /// Its root as a location.
    #[must_use]
    pub fn root_location(self: &Arc<Self>) -> Location {
        Location {
            mount: self.clone(),
            dentry: self.root.clone(),
        }
    }

    /// What it covers; `None` at the top of the tree, and for detached mounts.
    #[must_use]
    pub fn mountpoint(&self) -> Option<Location> {
        self.at.get()
    }

    /// The mount that covers `dentry` of this one.
    pub(super) fn child_on(&self, dentry: &Arc<Dentry>) -> Option<Arc<Mount>> {
        self.children.with(|children| {
            let found = children.iter().find(|(at, _)| Arc::ptr_eq(at, dentry));
            found.map(|(_, mount)| mount.clone())
        })
    }

    /// All mounts directly on this one.
    pub(super) fn children(&self) -> Vec<Arc<Mount>> {
        self.children
            .with(|children| children.iter().map(|(_, mount)| mount.clone()).collect())
    }

    /// Hangs `self`, which hangs nowhere, on `at`, which nothing covers.
    pub(super) fn hang(self: &Arc<Self>, at: &Location) {
        at.dentry.add_mount();
        self.at.set(Some(at.clone()));
        let entry = (at.dentry.clone(), self.clone());
        at.mount.children.update(|children| children.push(entry));
    }

    /// Takes it off what it hangs on; returns where that was.
    pub(super) fn take_off(self: &Arc<Self>) -> Option<Location> {
        let at = self.at.set(None)?;
        let taken = at.mount.children.update(|children| {
            let index = children.iter().position(|(_, m)| Arc::ptr_eq(m, self))?;
            Some(children.remove(index))
        });
        drop(taken);
        at.dentry.remove_mount();
        Some(at)
    }
}

impl Location {
    /// What `name` leads to from this directory, mounts on it included; `ENOENT`.
    pub(crate) fn child(&self, name: &[u8]) -> Result<Location, Errno> {
        let dentry = self.dentry.child(name, Ask::FileSystem)?;
        let mount = self.mount.clone();
        Ok(Location { mount, dentry }.topmost())
    }

    /// The root of the topmost mount here; `self` if nothing covers it.
    #[must_use]
    pub fn topmost(self) -> Location {
        let mut at = self;
        while at.dentry.is_mountpoint()
            && let Some(mount) = at.mount.child_on(&at.dentry)
        {
            at = mount.root_location();
        }
        at
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.super_block.mounts.fetch_sub(1, Ordering::Relaxed);
    }
}
