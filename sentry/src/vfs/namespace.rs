//! Mount name spaces, mount_namespaces(7).

use std::sync::Arc;

use super::Mount;
use crate::namespace::{Kind, NamespaceId, UserNamespace};
use crate::sync::{Level, Slot};

/// The mounts that a group of processes sees.
pub struct MountNamespace {
    /// What names it.
    pub id: NamespaceId,
    /// Whose it is.
    pub user: UserNamespace,
    /// Nobody is in it: it holds a tree that is to be mounted, for who has its file.
    pub(super) detached: bool,
    /// The mount whose root is "/".
    root: Slot<Arc<Mount>>,
    /// All of them, in the order of mounting. Changed under the lock of all trees alone.
    pub(super) mounts: Slot<Vec<Arc<Mount>>>,
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
        Self::with_id(root, NamespaceId::default(), user, false)
    }

    /// A tree, parents first, that hangs nowhere, open_tree(2).
    pub(super) fn detached(tree: Vec<Arc<Mount>>, user: UserNamespace) -> Option<Arc<Self>> {
        let root = tree.first()?.clone();
        let namespace = Self::with_id(root, NamespaceId::default(), user, true);
        for mount in &tree {
            mount.set_namespace(Some(&namespace));
        }
        namespace.mounts.set(tree);
        Some(namespace)
    }

    /// That of the first process.
    #[must_use]
    pub fn first(root: Arc<Mount>) -> Arc<Self> {
        let id = NamespaceId::first(Kind::Mount);
        Self::with_id(root, id, UserNamespace::default(), false)
    }

    fn with_id(
        root: Arc<Mount>,
        id: NamespaceId,
        user: UserNamespace,
        detached: bool,
    ) -> Arc<Self> {
        let namespace = Arc::new(MountNamespace {
            id,
            user,
            detached,
            root: Slot::new(Level::Leaf, root.clone()),
            mounts: Slot::new(Level::Leaf, vec![root.clone()]),
        });
        root.set_namespace(Some(&namespace));
        namespace
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
        self.mounts.get()
    }

    /// True if the mount is part of the name space.
    pub(super) fn holds(&self, mount: &Arc<Mount>) -> bool {
        mount.is_in(self)
    }
}
