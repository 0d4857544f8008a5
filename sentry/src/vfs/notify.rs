//! Where inotify(7) hears of what happens to files. The kernel's calls report here, after
//! the deed and outside all locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use syscalls::abi::fs::WatchMask;

use super::{Dentry, FileName, InodeRef, Location};
use crate::inotify::{self, Report};

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

impl Event {
    fn mask(self) -> WatchMask {
        match self {
            Event::Access => WatchMask::ACCESS,
            Event::Modify => WatchMask::MODIFY,
            Event::Attrib => WatchMask::ATTRIB,
            Event::CloseWrite => WatchMask::CLOSE_WRITE,
            Event::CloseNoWrite => WatchMask::CLOSE_NOWRITE,
            Event::Open => WatchMask::OPEN,
            Event::Create => WatchMask::CREATE,
        }
    }
}

/// Something happened to what is open or named at `at`: its own watches and those of its
/// directory are told.
pub fn event(what: Event, at: &Location) {
    if !inotify::watched() {
        return;
    }
    let dentry = &at.dentry;
    let (parent, name, deleted) = dentry
        .place
        .with(|place| (place.parent.clone(), place.name.clone(), place.deleted));
    let mut report = Report {
        mask: what.mask() | kind(dentry),
        name: &name,
        cookie: 0,
        // Attributes change by name.
        unlinked: deleted && what != Event::Attrib,
    };
    if let Some(parent) = parent {
        inotify::report(parent.inode(), &report);
    }
    report.name = b"";
    inotify::report(dentry.inode(), &report);
}

/// Something happened to an inode, by whatever name.
pub fn inode(what: Event, inode: &InodeRef) {
    if inotify::watched() {
        of_inode(inode, what.mask());
    }
}

/// `name` in `dir` came to be.
pub fn entry(what: Event, dir: &Location, name: &FileName, child: &Arc<Dentry>) {
    if inotify::watched() {
        of_name(dir, name, what.mask() | kind(child), 0);
    }
}

/// IN_DELETE in `dir`, and IN_ATTRIB of a file that lost the name. IN_DELETE_SELF comes
/// when nobody uses `child` any more.
pub fn removed(dir: &Location, name: &FileName, child: &Arc<Dentry>) {
    if !inotify::watched() {
        return;
    }
    if !child.is_dir() {
        of_inode(child.inode(), WatchMask::ATTRIB);
    }
    of_name(dir, name, WatchMask::DELETE | kind(child), 0);
}

/// IN_MOVED_FROM, IN_MOVED_TO and IN_MOVE_SELF with one cookie, and IN_ATTRIB of what had
/// the new name before.
pub fn renamed(
    from: (&Location, &FileName),
    to: (&Location, &FileName),
    moved: &Arc<Dentry>,
    replaced: Option<&Arc<Dentry>>,
) {
    static COOKIE: AtomicU32 = AtomicU32::new(0);
    if !inotify::watched() {
        return;
    }
    let cookie = COOKIE.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    of_name(from.0, from.1, WatchMask::MOVED_FROM | kind(moved), cookie);
    of_name(to.0, to.1, WatchMask::MOVED_TO | kind(moved), cookie);
    if let Some(replaced) = replaced {
        of_inode(replaced.inode(), WatchMask::ATTRIB | kind(replaced));
    }
    of_inode(moved.inode(), WatchMask::MOVE_SELF);
}

/// A dentry is dropped.
pub(super) fn dropped(dentry: &Dentry) {
    if inotify::watched() && dentry.is_deleted() {
        inotify::name_gone(dentry);
    }
}

fn kind(dentry: &Dentry) -> WatchMask {
    if dentry.is_dir() {
        WatchMask::ISDIR
    } else {
        WatchMask::empty()
    }
}

fn of_inode(inode: &InodeRef, mask: WatchMask) {
    inotify::report(
        inode,
        &Report {
            mask,
            name: b"",
            cookie: 0,
            unlinked: false,
        },
    );
}

fn of_name(dir: &Location, name: &FileName, mask: WatchMask, cookie: u32) {
    inotify::report(
        dir.inode(),
        &Report {
            mask,
            name: name.as_bytes(),
            cookie,
            unlinked: false,
        },
    );
}
