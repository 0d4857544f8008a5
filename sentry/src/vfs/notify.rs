//! Where inotify(7) hears of what happens to files. The kernel's calls report here, after
//! the deed and outside all locks.

use std::sync::Arc;

use super::{Dentry, FileName, InodeRef, Location};

/// What happened; the names of inotify(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// IN_ACCESS.
    Access,
    /// IN_MODIFY.
    Modify,
    /// IN_ATTRIB.
    Attrib,
    /// IN_CLOSE_WRITE.
    CloseWrite,
    /// IN_CLOSE_NOWRITE.
    CloseNoWrite,
    /// IN_OPEN.
    Open,
    /// IN_CREATE.
    Create,
}

/// Something happened to what is open or named at `at`: its own watches and those of its
/// directory are told.
pub fn event(what: Event, at: &Location) {
    let _ = (what, at);
}

/// Something happened to an inode, by whatever name.
pub fn inode(what: Event, inode: &InodeRef) {
    let _ = (what, inode);
}

/// `name` in `dir` came to be.
pub fn entry(what: Event, dir: &Location, name: &FileName, child: &Arc<Dentry>) {
    let _ = (what, dir, name, child);
}

/// IN_DELETE in `dir`, and IN_ATTRIB or IN_DELETE_SELF of what lost the name.
pub fn removed(dir: &Location, name: &FileName, child: &Arc<Dentry>) {
    let _ = (dir, name);
    lost_name(child);
}

/// IN_ATTRIB, or IN_DELETE_SELF with the last name.
pub fn lost_name(child: &Arc<Dentry>) {
    let _ = child;
}

/// IN_MOVED_FROM, IN_MOVED_TO and IN_MOVE_SELF with one cookie.
pub fn renamed(from: (&Location, &FileName), to: (&Location, &FileName), moved: &Arc<Dentry>) {
    let _ = (from, to, moved);
}
