//! Who watches an inode.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::abi::fs::WatchMask;

use super::instance::Instance;
use crate::sync::{Level, Mutex};
use crate::vfs::{Dentry, InodeRef};

/// Watches of all instances.
static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// Whether anybody watches anything.
pub(crate) fn watched() -> bool {
    WATCHES.load(Ordering::Relaxed) != 0
}

/// One instance's watch of an inode.
#[derive(Clone)]
pub(super) struct Mark {
    instance: Weak<Instance>,
    wd: i32,
    mask: WatchMask,
}

impl Mark {
    pub(super) fn new(instance: Weak<Instance>, wd: i32, mask: WatchMask) -> Self {
        Mark { instance, wd, mask }
    }

    fn is_of(&self, instance: &Weak<Instance>) -> bool {
        self.instance.ptr_eq(instance)
    }
}

/// The watches of one inode, attached to it.
pub(super) struct Watchers {
    marks: Mutex<Vec<Mark>>,
    /// It has lost its last name: the file goes with the last dentry that leads to it.
    nameless: AtomicBool,
}

impl Watchers {
    /// Those of `inode`, perhaps none yet.
    pub(super) fn of(inode: &InodeRef) -> Result<Arc<Self>, Errno> {
        let nameless = inode.attr()?.nlink == 0;
        Ok(inode.attachments().get_or(|| Watchers {
            marks: Mutex::new(Level::Leaf, Vec::new()),
            nameless: AtomicBool::new(nameless),
        }))
    }

    pub(super) fn number(&self, instance: &Weak<Instance>) -> Option<i32> {
        let marks = self.marks.lock();
        marks.iter().find(|m| m.is_of(instance)).map(|m| m.wd)
    }

    pub(super) fn mask(&self, instance: &Weak<Instance>) -> Option<WatchMask> {
        let marks = self.marks.lock();
        marks.iter().find(|m| m.is_of(instance)).map(|m| m.mask)
    }

    pub(super) fn add(&self, mark: Mark) {
        self.marks.lock().push(mark);
        WATCHES.fetch_add(1, Ordering::Relaxed);
    }

    /// Replaces the mask, or adds to it (IN_MASK_ADD).
    pub(super) fn change(&self, instance: &Weak<Instance>, mask: WatchMask) {
        let mut marks = self.marks.lock();
        if let Some(mark) = marks.iter_mut().find(|m| m.is_of(instance)) {
            if !mask.contains(WatchMask::MASK_ADD) {
                mark.mask = WatchMask::empty();
            }
            mark.mask |= mask;
        }
    }

    pub(super) fn remove(&self, instance: &Weak<Instance>) {
        let mut marks = self.marks.lock();
        let before = marks.len();
        marks.retain(|mark| !mark.is_of(instance));
        WATCHES.fetch_sub(before - marks.len(), Ordering::Relaxed);
    }
}

/// Something that happened to an inode, or to a name in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    /// What, IN_ISDIR included.
    pub(crate) mask: WatchMask,
    /// The name in the directory that is told; empty if the inode itself is meant.
    pub(crate) name: &'a [u8],
    /// Ties both ends of a rename together.
    pub(crate) cookie: u32,
    /// Done through a descriptor whose name is gone: not for IN_EXCL_UNLINK.
    pub(crate) unlinked: bool,
}

/// Tells everybody who watches `inode` for this.
pub(crate) fn report(inode: &InodeRef, report: &Report<'_>) {
    let Some(watchers) = inode.attachments().get::<Watchers>() else {
        return;
    };
    let marks: Vec<Mark> = watchers.marks.lock().clone();
    for mark in marks {
        let wanted = mark.mask & WatchMask::ALL_EVENTS & report.mask;
        let excluded = report.unlinked && mark.mask.contains(WatchMask::EXCL_UNLINK);
        if wanted.is_empty() || excluded {
            continue;
        }
        let Some(instance) = mark.instance.upgrade() else {
            continue;
        };
        instance.tell(mark.wd, report.mask, report.cookie, report.name);
        if mark.mask.contains(WatchMask::ONESHOT) {
            // Somebody else may have ended it meanwhile.
            let _ = instance.unwatch(mark.wd);
        }
    }
    if report.mask.contains(WatchMask::ATTRIB) && inode.attr().is_ok_and(|attr| attr.nlink == 0) {
        watchers.nameless.store(true, Ordering::Relaxed);
    }
}

/// A dentry that was removed is used no more: IN_DELETE_SELF if the file has no other
/// name, and the end of its watches.
pub(crate) fn name_gone(dentry: &Dentry) {
    let inode = dentry.inode();
    let Some(watchers) = inode.attachments().get::<Watchers>() else {
        return;
    };
    let directory = dentry.is_dir();
    if !directory && !watchers.nameless.load(Ordering::Relaxed) {
        return;
    }
    let gone = Report {
        mask: WatchMask::DELETE_SELF,
        name: b"",
        cookie: 0,
        unlinked: false,
    };
    report(inode, &gone);
    let marks: Vec<Mark> = watchers.marks.lock().clone();
    for mark in marks {
        if let Some(instance) = mark.instance.upgrade() {
            // Somebody else may have ended it meanwhile.
            let _ = instance.unwatch(mark.wd);
        }
    }
}
