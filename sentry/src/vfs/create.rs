//! New names: mkdir(2), mknod(2), symlink(2), link(2), and what open(2) creates.

use std::sync::Arc;

use syscalls::errno::{EMLINK, ENOENT, EOVERFLOW, EPERM, EROFS, EXDEV};
use syscalls::{Errno, Fd};

use super::access::{Access, acts_as_owner, permit};
use super::dcache::Change;
use super::notify::{self, Event};
use super::{Dentry, FileKind, FileName, InodeRef, Location, Mode, NewNode, Owner};
use crate::task::{Capabilities, Credentials, Current};

/// Linux's upper bound for links to one file in tmpfs and most others is far away; this
/// keeps the count in its 32 bits.
const MAX_LINKS: u32 = 1 << 31;

impl Current {
    /// Makes `node` at `path` with the permission bits `mode`, less the umask.
    pub(crate) fn make_node(
        &self,
        dirfd: Fd,
        path: &[u8],
        node: NewNode<'_>,
        mode: Mode,
    ) -> Result<Location, Errno> {
        let creds = self.creds.get();
        let (dir, any_name, slash) = self.walk_to_new(&creds, dirfd, path)?;
        let directory = matches!(node, NewNode::Directory);
        let mode = self.less_umask(mode);
        let name;
        let dentry = {
            let change = dir.dentry.change()?;
            name = change.free(any_name)?;
            if slash && !directory {
                return Err(ENOENT);
            }
            make(&creds, &dir, &change, &name, node, mode)?
        };
        notify::entry(Event::Create, &dir, &name, &dentry);
        Ok(Location {
            mount: dir.mount,
            dentry,
        })
    }

    /// symlink(2). Links have all permission bits, whatever the umask.
    pub(crate) fn make_symlink(
        &self,
        dirfd: Fd,
        path: &[u8],
        target: &[u8],
    ) -> Result<Location, Errno> {
        let creds = self.creds.get();
        let (dir, any_name, slash) = self.walk_to_new(&creds, dirfd, path)?;
        let name;
        let dentry = {
            let change = dir.dentry.change()?;
            name = change.free(any_name)?;
            if slash {
                return Err(ENOENT);
            }
            let node = NewNode::Symlink(target);
            make(&creds, &dir, &change, &name, node, Mode::RWX_ALL)?
        };
        notify::entry(Event::Create, &dir, &name, &dentry);
        Ok(Location {
            mount: dir.mount,
            dentry,
        })
    }

    /// `mode` without the bits of the umask.
    pub(super) fn less_umask(&self, mode: Mode) -> Mode {
        let umask = self.fs.with(|fs| fs.umask.get());
        mode - Mode::from_bits_retain(umask & 0o777)
    }

    /// Gives `old` the further name `path`.
    pub(super) fn make_link(&self, old: &Location, dirfd: Fd, path: &[u8]) -> Result<(), Errno> {
        let creds = self.creds.get();
        let (dir, any_name, slash) = self.walk_to_new(&creds, dirfd, path)?;
        let name;
        let dentry = {
            let change = dir.dentry.change()?;
            name = change.free(any_name)?;
            if slash {
                return Err(ENOENT);
            }
            if !dir.mount.is_writable() {
                return Err(EROFS);
            }
            if !Arc::ptr_eq(&old.mount, &dir.mount) {
                return Err(EXDEV);
            }
            may_link(&creds, old.inode())?;
            may_create(&creds, &dir, &change)?;
            let inode = old.inode();
            if !Arc::ptr_eq(inode.super_block(), dir.inode().super_block()) {
                return Err(EXDEV);
            }
            if inode.kind() == FileKind::Directory {
                return Err(EPERM);
            }
            let links = inode.attr()?.nlink;
            if links == 0 && !super::unnamed::is_linkable(inode) {
                return Err(ENOENT);
            }
            if links >= MAX_LINKS {
                return Err(EMLINK);
            }
            change.inode().link(&name, inode)?;
            change.created(&name, inode.clone())
        };
        notify::inode(Event::Attrib, old.inode());
        notify::entry(Event::Create, &dir, &name, &dentry);
        Ok(())
    }
}

/// Makes a node where `name` was seen to be free; `change` locks `dir`.
pub(super) fn make(
    creds: &Credentials,
    dir: &Location,
    change: &Change<'_>,
    name: &FileName,
    node: NewNode<'_>,
    mode: Mode,
) -> Result<Arc<Dentry>, Errno> {
    may_create(creds, dir, change)?;
    if matches!(node, NewNode::Device(..)) && !creds.has(Capabilities::MKNOD) {
        return Err(EPERM);
    }
    let directory = matches!(node, NewNode::Directory);
    let owner = owner_of_new(creds, change.inode(), directory, mode)?;
    let inode = change.inode().create(name, node, owner)?;
    Ok(change.created(name, inode))
}

/// `EROFS`, `ENOENT` in a removed directory, `EACCES`.
pub(super) fn may_create(
    creds: &Credentials,
    dir: &Location,
    change: &Change<'_>,
) -> Result<(), Errno> {
    if !dir.mount.is_writable() {
        return Err(EROFS);
    }
    change.check_alive()?;
    permit(creds, change.inode(), Access::WRITE | Access::EXEC)
}

/// Whom a new file in `dir` belongs to. A set-group-id directory hands its group on, and
/// to directories the bit too.
pub(super) fn owner_of_new(
    creds: &Credentials,
    dir: &InodeRef,
    directory: bool,
    mode: Mode,
) -> Result<Owner, Errno> {
    let above = dir.owner()?;
    if !dir.super_block().user().knows(creds.uid.fs, creds.gid.fs) {
        return Err(EOVERFLOW);
    }
    let mut owner = Owner {
        uid: creds.uid.fs,
        gid: creds.gid.fs,
        mode,
    };
    if above.mode.contains(Mode::SETGID) {
        owner.gid = above.gid;
        if directory {
            owner.mode |= Mode::SETGID;
        } else if mode.contains(Mode::SETGID | Mode::GROUP_EXEC)
            && !creds.in_group(above.gid)
            && !creds.has_over(above.uid, above.gid, Capabilities::FSETID)
        {
            owner.mode -= Mode::SETGID;
        }
    }
    Ok(owner)
}

/// protected_hardlinks of proc_sys_fs(5), which distributions turn on: `EPERM` for a
/// link to a file that one could not have opened for reading and writing.
fn may_link(creds: &Credentials, inode: &InodeRef) -> Result<(), Errno> {
    let owner = inode.owner()?;
    if acts_as_owner(creds, owner.uid) {
        return Ok(());
    }
    let privileged =
        owner.mode.contains(Mode::SETUID) || owner.mode.contains(Mode::SETGID | Mode::GROUP_EXEC);
    let safe = inode.kind() == FileKind::Regular
        && !privileged
        && permit(creds, inode, Access::READ | Access::WRITE).is_ok();
    if safe { Ok(()) } else { Err(EPERM) }
}
