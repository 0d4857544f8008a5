//! Names in the tree, and the cache of them.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::errno::{EINVAL, ENAMETOOLONG};

use super::{InodeRef, Mount};
use crate::sync::{Level, Mutex, Slot};

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

/// What is known of a child.
pub(crate) enum Child {
    /// It exists.
    Present(Arc<Dentry>),
    /// It does not.
    Absent,
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
pub struct Dentry {
    inode: InodeRef,
    pub(crate) place: Slot<Place>,
    pub(crate) children: Mutex<HashMap<FileName, Child>>,
    pub(crate) this: Weak<Dentry>,
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
        Self::with_place(
            inode,
            Place {
                parent: None,
                name: name.as_bytes().into(),
                deleted: false,
            },
        )
    }

    pub(crate) fn with_place(inode: InodeRef, place: Place) -> Arc<Self> {
        Arc::new_cyclic(|this| Dentry {
            inode,
            place: Slot::new(Level::Leaf, place),
            children: Mutex::new(Level::Dentry, HashMap::new()),
            this: this.clone(),
        })
    }

    /// The inode.
    #[must_use]
    pub fn inode(&self) -> &InodeRef {
        &self.inode
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
