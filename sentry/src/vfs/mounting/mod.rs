//! Changing the tree of mounts: mount(2), umount(2), pivot_root(2). What happens elsewhere
//! then is in `propagate.rs`.

pub(super) mod peers;
mod propagate;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use syscalls::Errno;
use syscalls::errno::{EBUSY, EINVAL, ELOOP, ENOENT, ENOTDIR, EPERM};

use self::peers::Kin;
use self::propagate::{Changing, copy_tree, subtree};
use super::mount::{Hangs, Locked};
use super::{Dentry, Location, Mount, MountFlags, MountNamespace};
use crate::config::Propagation;
use crate::namespace::{Namespace, UserNamespace, nsfs};
use crate::task::FsContext;

/// Whether mounts below count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl MountNamespace {
    /// Mounts the tree below `root` at `at`; `ENOTDIR`, `EINVAL` for a place that is not
    /// in this name space.
    pub fn mount(
        self: &Arc<Self>,
        root: Arc<Dentry>,
        flags: MountFlags,
        at: &Location,
    ) -> Result<(), Errno> {
        self.mount_with(root, flags, at, None)
    }

    fn mount_with(
        self: &Arc<Self>,
        root: Arc<Dentry>,
        flags: MountFlags,
        at: &Location,
        locked: Option<Locked>,
    ) -> Result<(), Errno> {
        check_place(&root, at)?;
        let changing = Changing::begin();
        let at = at.clone().topmost();
        if !self.holds(&at.mount) {
            return Err(EINVAL);
        }
        let mount = Mount::new(root, flags);
        if let Some(locked) = locked {
            mount.set_locks(locked);
        }
        changing.attach(self, &[mount], &at)
    }

    /// The same for a file system that a program has just made an instance of. Where the
    /// name space is not the first users', proc and sysfs show no more than what is
    /// mounted of them already: `EPERM`.
    pub(super) fn mount_new(
        self: &Arc<Self>,
        root: Arc<Dentry>,
        flags: MountFlags,
        at: &Location,
    ) -> Result<(), Errno> {
        let name = root.inode().super_block().fs.name();
        let revealing = !self.user.is_first() && matches!(name, "proc" | "sysfs");
        let locked = if revealing {
            Some(self.shown_already(name, flags).ok_or(EPERM)?)
        } else {
            None
        };
        self.mount_with(root, flags, at, locked)
    }

    /// What is locked of a mount of that type that hides nothing, if there is one that
    /// could be mounted with `flags`.
    fn shown_already(&self, name: &str, flags: MountFlags) -> Option<Locked> {
        let mounts = self.list();
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
    pub fn bind(
        self: &Arc<Self>,
        from: &Location,
        at: &Location,
        depth: Depth,
    ) -> Result<(), Errno> {
        check_place(&from.dentry, at)?;
        let changing = Changing::begin();
        let at = at.clone().topmost();
        if !self.holds(&at.mount) {
            return Err(EINVAL);
        }
        let copies = self.copies(from, depth)?;
        changing.attach(self, &copies, &at).inspect_err(|_| {
            for copy in &copies {
                copy.set_propagation(Propagation::Private);
            }
        })
    }

    /// open_tree(2): the same, still to be mounted.
    pub(super) fn detached_copy(&self, from: &Location, depth: Depth) -> Result<Arc<Self>, Errno> {
        let _changing = Changing::begin();
        let copies = self.copies(from, depth)?;
        MountNamespace::detached(copies, self.user.clone()).ok_or(EINVAL)
    }

    /// Copies of what is at `from`, parents first, to be mounted elsewhere.
    fn copies(&self, from: &Location, depth: Depth) -> Result<Vec<Arc<Mount>>, Errno> {
        // The file of a name space is mounted nowhere; but none may keep itself alive.
        let source = match nsfs::namespace_at(from) {
            Some(Namespace::Mount(other)) => other.id > self.id,
            Some(_) => true,
            None => self.holds(&from.mount),
        };
        if !source || from.mount.is_unbindable() {
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
        let copies = copy_tree(&bindable(from, depth)?, &from.dentry, Kin::Peer);
        if let Some(top) = copies.first() {
            top.set_free();
        }
        Ok(copies)
    }

    /// MS_MOVE; `EINVAL` unless `from` is a mount's root that nobody else hears of, `ELOOP`
    /// into itself.
    pub fn move_mount(self: &Arc<Self>, from: &Location, at: &Location) -> Result<(), Errno> {
        check_place(&from.dentry, at).map_err(|errno| match errno {
            ENOTDIR => EINVAL,
            other => other,
        })?;
        let changing = Changing::begin();
        let at = at.clone().topmost();
        let mount = &from.mount;
        if !from.is_mount_root() || !self.holds(&at.mount) {
            return Err(EINVAL);
        }
        let below = mount.mountpoint();
        let home = changing.namespace_of(mount).ok_or(EINVAL)?;
        match &below {
            Some(below) if self.holds(mount) && !mount.is_fast() && !below.mount.is_shared() => {}
            None if home.detached => {}
            _ => return Err(EINVAL),
        }
        let tree = subtree(mount);
        if at.mount.is_shared() && tree.iter().any(|mount| mount.is_unbindable()) {
            return Err(EINVAL);
        }
        if mount.root_location().is_above(&at) {
            return Err(ELOOP);
        }
        mount.take_off();
        match (changing.attach(self, &tree, &at), below) {
            (Ok(()), None) => home.mounts.set(Vec::new()),
            (Ok(()), Some(_)) => return Ok(()),
            (Err(errno), below) => {
                if let Some(below) = below {
                    mount.hang(&below);
                }
                return Err(errno);
            }
        };
        Ok(())
    }

    /// MOVE_MOUNT_SET_GROUP of move_mount(2): the mount at `to` becomes a peer of that at
    /// `from`, whose file system it shows a part of.
    pub(super) fn set_group(&self, from: &Location, to: &Location) -> Result<(), Errno> {
        let _changing = Changing::begin();
        let (from, to) = match from.is_mount_root() && to.is_mount_root() {
            true => (&from.mount, &to.mount),
            false => return Err(EINVAL),
        };
        let related = |mount: &Mount| {
            mount
                .peers
                .with(|p| p.group.is_some() || p.master.is_some())
        };
        let part = from.root.is_ancestor_of(&to.root);
        if !self.holds(to) || !part || related(to) || !related(from) {
            return Err(EINVAL);
        }
        to.become_kin(from, Kin::Peer);
        Ok(())
    }

    /// mount_setattr(2) of the mount whose root `at` is: `change` makes the new flags of the
    /// old ones; `EPERM` where they are locked.
    pub(super) fn set_attributes(
        &self,
        at: &Location,
        depth: Depth,
        change: impl Fn(MountFlags) -> MountFlags,
        propagation: Option<Propagation>,
    ) -> Result<(), Errno> {
        let changing = Changing::begin();
        let home = changing.namespace_of(&at.mount);
        let ours = self.holds(&at.mount) || home.is_some_and(|home| home.detached);
        if !at.is_mount_root() || !ours {
            return Err(EINVAL);
        }
        let all = affected(&at.mount, depth);
        if all.iter().any(|mount| !mount.allows(change(mount.flags()))) {
            return Err(EPERM);
        }
        for mount in all {
            mount.set_flags(change(mount.flags()));
            if let Some(to) = propagation {
                mount.set_propagation(to);
            }
        }
        Ok(())
    }

    /// umount2(2) of the mount whose root `at` is. `held` is how many references to the
    /// mount the caller holds. `EBUSY` if it is in use, unless it is detached with all
    /// that hangs on it.
    pub fn unmount(&self, at: &Location, depth: Depth, held: usize) -> Result<(), Errno> {
        let mount = &at.mount;
        let gone = {
            let changing = Changing::begin();
            let fast = mount.is_fast() || mount.mountpoint().is_none();
            if !at.is_mount_root() || !self.holds(mount) || fast {
                return Err(EINVAL);
            }
            // The list and the mount below hold one each.
            let used = Arc::strong_count(mount) > 2 + held || !mount.children().is_empty();
            if depth == Depth::One && (used || changing.is_used_elsewhere(mount)) {
                return Err(EBUSY);
            }
            changing.detach(&subtree(mount))
        };
        for mount in gone {
            forget_if_last(&mount);
        }
        Ok(())
    }

    /// Changes what becomes of mounts on the mount whose root `at` is, and on those below;
    /// `EINVAL`.
    pub fn set_propagation(
        &self,
        at: &Location,
        to: Propagation,
        depth: Depth,
    ) -> Result<(), Errno> {
        let _changing = Changing::begin();
        if !at.is_mount_root() || !self.holds(&at.mount) {
            return Err(EINVAL);
        }
        for mount in affected(&at.mount, depth) {
            mount.set_propagation(to);
        }
        Ok(())
    }

    /// pivot_root(2): `new` becomes "/", what was "/" hangs at `old_at`.
    pub fn pivot(&self, root: &Location, new: &Location, old_at: &Location) -> Result<(), Errno> {
        let _changing = Changing::begin();
        let below = root.mount.mountpoint();
        let beside = new.mount.mountpoint();
        let heard = |at: &Option<Location>| at.as_ref().is_some_and(|at| at.mount.is_shared());
        if old_at.mount.is_shared() || heard(&beside) || heard(&below) {
            return Err(EINVAL);
        }
        if !self.holds(&root.mount) || !self.holds(&new.mount) || new.dentry.is_deleted() {
            return Err(EINVAL);
        }
        if Arc::ptr_eq(&new.mount, &root.mount) || Arc::ptr_eq(&old_at.mount, &root.mount) {
            return Err(EBUSY);
        }
        let whole = root.is_mount_root() && new.is_mount_root();
        if !whole || beside.is_none() || new.mount.is_fast() {
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
        let _changing = Changing::begin();
        let old = subtree(&self.root());
        // What is mounted there reaches them, and nothing comes back.
        let kin = if *user == self.user {
            Kin::Peer
        } else {
            Kin::Slave
        };
        let new = copy_tree(&old, &self.root().root, kin);
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
        for mount in &new {
            mount.set_namespace(Some(&namespace));
        }
        namespace.mounts.set(new.clone());
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

/// A mount, or it and all that hangs on it.
fn affected(mount: &Arc<Mount>, depth: Depth) -> Vec<Arc<Mount>> {
    match depth {
        Depth::One => vec![mount.clone()],
        Depth::All => subtree(mount),
    }
}

/// What binding `from` elsewhere takes along, parents first: what is unbindable stays, with
/// what hangs on it; `EPERM` if that would show what it hides.
fn bindable(from: &Location, depth: Depth) -> Result<Vec<Arc<Mount>>, Errno> {
    let mut all = vec![from.mount.clone()];
    let mut next = 0;
    while depth == Depth::All
        && let Some(mount) = all.get(next).cloned()
    {
        for child in mount.children() {
            let at = child.mountpoint();
            let shown = next > 0 || at.is_some_and(|at| from.dentry.is_ancestor_of(&at.dentry));
            match shown {
                true if !child.is_unbindable() => all.push(child),
                true if child.is_fast() => return Err(EPERM),
                _ => {}
            }
        }
        next += 1;
    }
    Ok(all)
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
            mount.set_propagation(Propagation::Private);
            mount.take_off();
        }
        // One goes after the other: the last of a file system finds itself alone.
        for mount in mounts {
            forget_if_last(&mount);
        }
    }
}
