//! Mount name spaces, mount_namespaces(7).

use std::sync::Arc;

use super::{Location, Mount};
use crate::namespace::{Kind, NamespaceId, UserNamespace};
use crate::sync::{Level, Mutex, Slot};

/// The mounts that a group of processes sees.
pub struct MountNamespace {
    /// What names it.
    pub id: NamespaceId,
    /// Whose it is.
    pub user: UserNamespace,
    /// The mount whose root is "/".
    root: Slot<Arc<Mount>>,
    /// All of them, in the order of mounting; held over every change of the tree.
    pub(super) mounts: Mutex<Vec<Arc<Mount>>>,
}

impl MountNamespace {
    /// A name space with a root.
    #[must_use]
    pub fn new(root: Arc<Mount>) -> Arc<Self> {
        Self::owned(root, UserNamespace::default())
    }

    /// The same, of other users.
    #[must_use]
    pub(super) fn owned(root: Arc<Mount>, user: UserNamespace) -> Arc<Self> {
        Self::with_id(root, NamespaceId::default(), user)
    }

    /// That of the first process.
    #[must_use]
    pub fn first(root: Arc<Mount>) -> Arc<Self> {
        let id = NamespaceId::first(Kind::Mount);
        Self::with_id(root, id, UserNamespace::default())
    }

    fn with_id(root: Arc<Mount>, id: NamespaceId, user: UserNamespace) -> Arc<Self> {
        let mounts = Mutex::new(Level::Mounts, vec![root.clone()]);
        Arc::new(MountNamespace {
            id,
            user,
            root: Slot::new(Level::Leaf, root),
            mounts,
        })
    }

    /// The mount whose root is "/".
    #[must_use]
    pub fn root(&self) -> Arc<Mount> {
        self.root.get()
    }

    pub(super) fn set_root(&self, root: Arc<Mount>) {
        self.root.set(root);
    }

    /// All mounts, in the order of mounting.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Mount>> {
        self.mounts.lock().clone()
    }

    /// Puts `mount`, which hangs nowhere, on top of `at`.
    pub fn attach(&self, mount: &Arc<Mount>, at: &Location) {
        let mut mounts = self.mounts.lock();
        mount.hang(&at.clone().topmost());
        mounts.push(mount.clone());
    }

    /// True if the mount is part of the name space.
    pub(super) fn holds(&self, mount: &Arc<Mount>) -> bool {
        self.mounts.lock().iter().any(|m| Arc::ptr_eq(m, mount))
    }
}
