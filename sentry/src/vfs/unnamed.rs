//! Files without a name: `O_TMPFILE`, memfds.

use super::InodeRef;

/// Marks an inode made by `O_TMPFILE` without `O_EXCL`: linkat(2) may name it.
struct Linkable;

pub(super) fn mark_linkable(inode: &InodeRef) {
    inode.attachments().get_or(|| Linkable);
}

pub(super) fn is_linkable(inode: &InodeRef) -> bool {
    inode.attachments().get::<Linkable>().is_some()
}
