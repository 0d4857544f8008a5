//! Changing the tree of mounts: mount(2), umount(2), pivot_root(2).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::Errno;
use syscalls::errno::{EBUSY, EINVAL, ELOOP, ENOENT, ENOTDIR, EPERM};

use super::mount::{Hangs, Locked};
use super::{Dentry, Location, Mount, MountFlags, MountNamespace};
use crate::namespace::{Namespace, UserNamespace, nsfs};
use crate::task::FsContext;

/// Whether mounts below count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Only the mount itself.
    One,
    /// What hangs on it too (MS_REC, MNT_DETACH).
    All,
}

/// Both directories, or neither; not removed.
fn check_place(root: &Arc<Dentry>, at: &Location) -> Result<(), Errno> {
    if root.is_dir() != at.dentry.is_dir() {
        return Err(ENOTDIR);
    }
    if at.dentry.is_deleted() {
        return Err(ENOENT);
    }
    Ok(())
}

/// All mounts that hang on `top`, parents first, itself included.
fn subtree(top: &Arc<Mount>) -> Vec<Arc<Mount>> {
    let mut all = vec![top.clone()];
    let mut next = 0;
    while let Some(mount) = all.get(next) {
        let children = mount.children();
        all.extend(children);
        next += 1;
    }
    all
}

impl MountNamespace {
    /// Mounts the tree below `root` at `at`; `ENOTDIR`, `EINVAL` for a place that is not
    /// in this name space.
    pub fn mount(
        &self,
        root: Arc<Dentry>,
        flags: MountFlags,
        at: &Location,
    ) -> Result<Arc<Mount>, Errno> {
        check_place(&root, at)?;
        if !self.holds(&at.mount) {
            return Err(EINVAL);
        }
        let mount = Mount::new(root, flags);
        self.attach(&mount, at);
        Ok(mount)
    }

    /// The same for a file system that a program has just made an instance of. Where the
    /// name space is not the first users', proc and sysfs show no more than what is
    /// mounted of them already: `EPERM`.
    pub(super) fn mount_new(
        &self,
        root: Arc<Dentry>,
        flags: MountFlags,
        at: &Location,
    ) -> Result<(), Errno> {
        let name = root.inode().super_block().fs.name();
        let revealing = !self.user.is_first() && matches!(name, "proc" | "sysfs");
        let locks = if revealing {
            Some(self.shown_already(name, flags).ok_or(EPERM)?)
        } else {
            None
        };
        let mount = self.mount(root, flags, at)?;
        if let Some(locks) = locks {
            mount.set_locks(locks);
        }
        Ok(())
    }

    /// What is locked of a mount of that type that hides nothing, if there is one that
    /// could be mounted with `flags`.
    fn shown_already(&self, name: &str, flags: MountFlags) -> Option<Locked> {
        let mounts = self.mounts.lock();
        let hides = |mount: &Arc<Mount>| {
            let covered = |child: &Arc<Mount>| {
                let at = child.mountpoint();
                child.is_fast() && at.is_some_and(|at| !is_place_for_mounts(name, &at))
            };
            mount.children().iter().any(covered)
        };
        let mut found = mounts.iter().filter(|mount| {
            let whole = mount.root.parent().is_none();
            whole && mount.super_block.fs.name() == name && mount.allows(flags) && !hides(mount)
        });
        found.next().map(|mount| Locked {
            hangs: Hangs::Free,
            ..mount.locks()
        })
    }

    /// MS_BIND: shows what is at `from` at `at` too.
    pub fn bind(&self, from: &Location, at: &Location, depth: Depth) -> Result<(), Errno> {
        check_place(&from.dentry, at)?;
        let mut mounts = self.mounts.lock();
        let holds = |mount: &Arc<Mount>| mounts.iter().any(|m| Arc::ptr_eq(m, mount));
        // The file of a name space is mounted nowhere; but none may keep itself alive.
        let source = match nsfs::namespace_at(from) {
            Some(Namespace::Mount(other)) => other.id > self.id,
            Some(_) => true,
            None => holds(&from.mount),
        };
        if !source || !holds(&at.mount) {
            return Err(EINVAL);
        }
        // A part of what was mounted fast would show what is below.
        let hides = |child: &Arc<Mount>| {
            let at = child.mountpoint();
            child.is_fast() && at.is_some_and(|at| from.dentry.is_ancestor_of(&at.dentry))
        };
        if depth == Depth::One && from.mount.children().iter().any(hides) {
            return Err(EINVAL);
        }
        let copies = copy_tree(from, depth);
        if let Some(top) = copies.first() {
            top.set_free();
            top.hang(&at.clone().topmost());
        }
        mounts.extend(copies);
        Ok(())
    }

    /// MS_MOVE; `EINVAL` unless `from` is a mount's root, `ELOOP` into itself.
    pub fn move_mount(&self, from: &Location, at: &Location) -> Result<(), Errno> {
        check_place(&from.dentry, at)?;
        let mounts = self.mounts.lock();
        let holds = |mount: &Arc<Mount>| mounts.iter().any(|m| Arc::ptr_eq(m, mount));
        let mount = &from.mount;
        if !from.is_mount_root() || !holds(mount) || !holds(&at.mount) {
            return Err(EINVAL);
        }
        if mount.mountpoint().is_none() || mount.is_fast() {
            return Err(EINVAL);
        }
        if mount.root_location().is_above(at) {
            return Err(ELOOP);
        }
        mount.take_off();
        mount.hang(&at.clone().topmost());
        Ok(())
    }

    /// umount2(2) of the mount whose root `at` is. `held` is how many references to the
    /// mount the caller holds. `EBUSY` if it is in use, unless it is detached with all
    /// that hangs on it.
    pub fn unmount(&self, at: &Location, depth: Depth, held: usize) -> Result<(), Errno> {
        let mount = &at.mount;
        let gone = {
            let mut mounts = self.mounts.lock();
            let known = mounts.iter().any(|m| Arc::ptr_eq(m, mount));
            let fast = mount.is_fast() || mount.mountpoint().is_none();
            if !at.is_mount_root() || !known || fast {
                return Err(EINVAL);
            }
            // The list and the mount below hold one each.
            let used = Arc::strong_count(mount) > 2 + held;
            if depth == Depth::One && (used || !mount.children().is_empty()) {
                return Err(EBUSY);
            }
            let gone = subtree(mount);
            for mount in &gone {
                mount.take_off();
            }
            mounts.retain(|m| !gone.iter().any(|g| Arc::ptr_eq(g, m)));
            gone
        };
        for mount in gone {
            forget_if_last(&mount);
        }
        Ok(())
    }

    /// pivot_root(2): `new` becomes "/", what was "/" hangs at `old_at`.
    pub fn pivot(&self, root: &Location, new: &Location, old_at: &Location) -> Result<(), Errno> {
        let mounts = self.mounts.lock();
        let holds = |mount: &Arc<Mount>| mounts.iter().any(|m| Arc::ptr_eq(m, mount));
        if !holds(&root.mount) || !holds(&new.mount) || new.dentry.is_deleted() {
            return Err(EINVAL);
        }
        if Arc::ptr_eq(&new.mount, &root.mount) || Arc::ptr_eq(&old_at.mount, &root.mount) {
            return Err(EBUSY);
        }
        let below = root.mount.mountpoint();
        let whole = root.is_mount_root() && new.is_mount_root();
        if !whole || new.mount.mountpoint().is_none() || new.mount.is_fast() {
            return Err(EINVAL);
        }
        if !new.is_above(old_at) || !root.is_above(new) {
            return Err(EINVAL);
        }
        if root.mount.is_fast() {
            root.mount.set_free();
            new.mount.lock(Hangs::Fast);
        }
        new.mount.take_off();
        root.mount.take_off();
        match below {
            Some(below) => new.mount.hang(&below),
            None => self.set_root(new.mount.clone()),
        }
        root.mount.hang(&old_at.clone().topmost());
        Ok(())
    }

    /// CLONE_NEWNS: a copy of all mounts, of `user`; `fs`, which the caller alone uses,
    /// moves there. Other users than before may not undo what was mounted for them.
    #[must_use]
    pub fn fork(&self, fs: &FsContext, user: &UserNamespace) -> Arc<Self> {
        let old = subtree(&self.root());
        let new = copy_tree(&self.root().root_location(), Depth::All);
        let copy = |at: Location| {
            let index = old.iter().position(|m| Arc::ptr_eq(m, &at.mount));
            match index.and_then(|index| new.get(index)) {
                Some(mount) => Location {
                    mount: mount.clone(),
                    dentry: at.dentry,
                },
                None => at,
            }
        };
        let root = new.first().cloned().unwrap_or_else(|| self.root());
        let namespace = MountNamespace::owned(root, user.clone());
        if *user != self.user {
            for (index, mount) in new.iter().enumerate() {
                mount.lock(if index == 0 { Hangs::Free } else { Hangs::Fast });
            }
        }
        *namespace.mounts.lock() = new.clone();
        fs.root.set(copy(fs.root.get()));
        fs.cwd.set(copy(fs.cwd.get()));
        fs.mounts.set(namespace.clone());
        namespace
    }
}

/// True for directories that are there to be mounted on: nothing is hidden there.
fn is_place_for_mounts(fs: &str, at: &Location) -> bool {
    let name = |dentry: &Dentry| dentry.place.get().name;
    let parent = at.dentry.parent();
    match fs {
        "sysfs" => {
            &*name(&at.dentry) == b"cgroup" && parent.is_some_and(|parent| &*name(&parent) == b"fs")
        }
        _ => false,
    }
}

/// Copies of the mount at `from`, rooted there, and of what hangs below that place.
fn copy_tree(from: &Location, depth: Depth) -> Vec<Arc<Mount>> {
    let top = Mount::copy(&from.mount, from.dentry.clone());
    let mut copies = vec![(from.mount.clone(), top)];
    let mut next = 0;
    while depth == Depth::All
        && let Some((mount, copy)) = copies.get(next).cloned()
    {
        for child in mount.children() {
            let Some(at) = child.mountpoint() else {
                continue;
            };
            if !copy.root.is_ancestor_of(&at.dentry) {
                continue;
            }
            let child_copy = Mount::copy(&child, child.root.clone());
            child_copy.hang(&Location {
                mount: copy.clone(),
                dentry: at.dentry,
            });
            copies.push((child, child_copy));
        }
        next += 1;
    }
    copies.into_iter().map(|(_, copy)| copy).collect()
}

/// Drops the cached names of a file system that is mounted nowhere any more.
fn forget_if_last(mount: &Arc<Mount>) {
    if mount.super_block.mounts.load(Ordering::Relaxed) > 1 {
        return;
    }
    let mut top = mount.root.clone();
    while let Some(parent) = top.parent() {
        top = parent;
    }
    top.forget_below();
    crate::inotify::unmounted(&mount.super_block);
}

impl Drop for MountNamespace {
    /// Mounts and what hangs on them hold each other, as names do and what is below them.
    fn drop(&mut self) {
        let mounts = std::mem::take(self.mounts.get_mut());
        for mount in &mounts {
            mount.take_off();
        }
        // One goes after the other: the last of a file system finds itself alone.
        for mount in mounts {
            forget_if_last(&mount);
        }
    }
}
