//! Which inode of the overlay stands for which of the lower tree.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use foldhash::fast::RandomState;

use super::inode::OverlayInode;
use crate::sync::{Level, Mutex};
use crate::vfs::InodeRef;

/// See the module. By the address of the lower inode, which lives as long as the upper.
pub(super) struct Registry {
    known: Mutex<HashMap<usize, Known, RandomState>>,
}

struct Known {
    inode: Weak<OverlayInode>,
    /// The same, if it must be kept: it differs from its lower inode.
    kept: Option<Arc<OverlayInode>>,
}

impl Default for Registry {
    fn default() -> Self {
        Registry {
            known: Mutex::new(Level::Wait, HashMap::default()),
        }
    }
}

fn key(lower: &InodeRef) -> usize {
    Arc::as_ptr(lower).cast::<()>().addr()
}

impl Registry {
    /// The inode that stands for `lower`; `make` makes it where there is none.
    pub(super) fn get(
        &self,
        lower: &InodeRef,
        make: impl FnOnce() -> Arc<OverlayInode>,
    ) -> Arc<OverlayInode> {
        let mut known = self.known.lock();
        if let Some(found) = known.get(&key(lower))
            && let Some(inode) = found.inode.upgrade()
        {
            return inode;
        }
        let inode = make();
        let entry = Known {
            inode: Arc::downgrade(&inode),
            kept: None,
        };
        known.insert(key(lower), entry);
        inode
    }

    /// Keeps `inode`, which stands for `lower` and has changed, as long as it has a name.
    pub(super) fn keep(&self, lower: &InodeRef, inode: &Arc<OverlayInode>) {
        let mut known = self.known.lock();
        if inode.has_names()
            && let Some(entry) = known.get_mut(&key(lower))
        {
            entry.kept.get_or_insert_with(|| inode.clone());
        }
    }

    /// What stands for `lower` has lost its last name.
    pub(super) fn release(&self, lower: &InodeRef) {
        let kept = {
            let mut known = self.known.lock();
            known
                .get_mut(&key(lower))
                .and_then(|entry| entry.kept.take())
        };
        drop(kept);
    }

    /// What stood for `lower` is no more.
    pub(super) fn dropped(&self, lower: &InodeRef) {
        let mut known = self.known.lock();
        // A new one may have taken its place already.
        if known
            .get(&key(lower))
            .is_some_and(|entry| entry.inode.strong_count() == 0)
        {
            known.remove(&key(lower));
        }
    }

    /// The tree goes: nothing is kept any more.
    pub(super) fn release_all(&self) {
        let kept: Vec<_> = {
            let mut known = self.known.lock();
            known
                .values_mut()
                .filter_map(|entry| entry.kept.take())
                .collect()
        };
        drop(kept);
    }
}
