//! Names in the tree.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use syscalls::Errno;
use syscalls::errno::{EINVAL, ENAMETOOLONG, ENOTDIR};

use super::dcache::Directory;
use super::{FileKind, InodeRef, Mount};
use crate::sync::{Level, Slot};

/// One component of a path: 1 to 255 bytes, no '/', no NUL; "." and ".." only where said.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName(Arc<[u8]>);

impl FileName {
    /// The longest name, bytes.
    pub const MAX: usize = 255;

    /// Checks the bytes; `ENAMETOOLONG`, `EINVAL`.
    pub fn new(name: &[u8]) -> Result<Self, Errno> {
        if name.len() > Self::MAX {
            return Err(ENAMETOOLONG);
        }
        if name.is_empty() || name.iter().any(|&b| b == b'/' || b == 0) {
            return Err(EINVAL);
        }
        Ok(FileName(name.into()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, shared.
    pub(crate) fn shared(&self) -> Arc<[u8]> {
        self.0.clone()
    }
}

impl Borrow<[u8]> for FileName {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Where a dentry hangs.
#[derive(Clone)]
pub(crate) struct Place {
    /// `None` for the root of a file system, and for anonymous files.
    pub(crate) parent: Option<Arc<Dentry>>,
    /// The last component; for anonymous files what /proc/PID/fd shows, as "pipe:[12]".
    pub(crate) name: Arc<[u8]>,
    /// The name was removed.
    pub(crate) deleted: bool,
}

/// A name that leads to an inode.
///
/// A directory's dentry keeps its children in a cache (`dcache.rs`), a child keeps its
/// parent; removing a name and eviction break the circle.
pub struct Dentry {
    inode: InodeRef,
    pub(crate) place: Slot<Place>,
    /// `None` unless it is a directory.
    directory: Option<Box<Directory>>,
    /// Mounts that hang on it, in any name space.
    mounts: AtomicU32,
    /// Looked up since the cache's clock hand last passed.
    used: AtomicBool,
}

impl Dentry {
    /// The root of a file system.
    #[must_use]
    pub fn root(inode: InodeRef) -> Arc<Self> {
        Self::with_place(
            inode,
            Place {
                parent: None,
                name: b"/"[..].into(),
                deleted: false,
            },
        )
    }

    /// A dentry that only names an anonymous file.
    #[must_use]
    pub fn anonymous(inode: InodeRef, name: &str) -> Arc<Self> {
        Self::nameless(inode, name.as_bytes().into())
    }

    /// As [`Self::anonymous`], shown as `label`.
    #[must_use]
    pub fn nameless(inode: InodeRef, label: Arc<[u8]>) -> Arc<Self> {
        Self::with_place(
            inode,
            Place {
                parent: None,
                name: label,
                deleted: false,
            },
        )
    }

    pub(crate) fn with_place(inode: InodeRef, place: Place) -> Arc<Self> {
        let directory = (inode.kind() == FileKind::Directory)
            .then(|| Box::new(Directory::new(inode.super_block().fs.trusts_cache())));
        Arc::new(Dentry {
            inode,
            place: Slot::new(Level::Leaf, place),
            directory,
            mounts: AtomicU32::new(0),
            used: AtomicBool::new(true),
        })
    }

    /// The inode.
    #[must_use]
    pub fn inode(&self) -> &InodeRef {
        &self.inode
    }

    /// The directory it is in; `None` for roots and anonymous files.
    #[must_use]
    pub fn parent(&self) -> Option<Arc<Dentry>> {
        self.place.with(|place| place.parent.clone())
    }

    /// Its name now.
    #[must_use]
    pub fn name(&self) -> Arc<[u8]> {
        self.place.with(|place| place.name.clone())
    }

    /// True once the name was removed.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.place.with(|place| place.deleted)
    }

    /// True if it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.directory.is_some()
    }

    /// What makes it a directory; `ENOTDIR`.
    pub(super) fn directory(&self) -> Result<&Directory, Errno> {
        self.directory.as_deref().ok_or(ENOTDIR)
    }

    /// True if a mount hangs on it in some name space.
    pub(crate) fn is_mountpoint(&self) -> bool {
        self.mounts.load(Ordering::Relaxed) != 0
    }

    pub(super) fn add_mount(&self) {
        self.mounts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_mount(&self) {
        self.mounts.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn mark_used(&self) {
        // Most are marked already: a read leaves the cache line shared.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    pub(super) fn mark_deleted(&self) {
        self.place.update(|place| place.deleted = true);
    }

    /// True if `self` is `other` or lies above it.
    pub(super) fn is_ancestor_of(self: &Arc<Self>, other: &Arc<Dentry>) -> bool {
        let mut at = Some(other.clone());
        while let Some(dentry) = at {
            if Arc::ptr_eq(self, &dentry) {
                return true;
            }
            at = dentry.parent();
        }
        false
    }
}

impl Drop for Dentry {
    /// Lets go of the parents one by one: a guest can build a tree deeper than a stack.
    fn drop(&mut self) {
        super::dcache::note_dropped();
        super::notify::dropped(self);
        let mut parent = self.place.get_mut().parent.take();
        while let Some(dentry) = parent {
            parent =
                Arc::into_inner(dentry).and_then(|mut dentry| dentry.place.get_mut().parent.take());
        }
    }
}

/// A dentry seen through a mount: what a path leads to.
#[derive(Clone)]
pub struct Location {
    /// Through which mount.
    pub mount: Arc<Mount>,
    /// Which name.
    pub dentry: Arc<Dentry>,
}

impl Location {
    /// The inode.
    #[must_use]
    pub fn inode(&self) -> &InodeRef {
        self.dentry.inode()
    }

    /// The same mount and dentry.
    #[must_use]
    pub fn is_same(&self, other: &Location) -> bool {
        Arc::ptr_eq(&self.mount, &other.mount) && Arc::ptr_eq(&self.dentry, &other.dentry)
    }
}
