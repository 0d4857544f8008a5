//! Names that go: unlink(2), rmdir(2).

use std::sync::Arc;

use syscalls::errno::{EBUSY, EINVAL, EISDIR, ENOTDIR, ENOTEMPTY, EROFS};
use syscalls::{Errno, Fd};

use super::access::{Access, check_sticky, permit};
use super::dcache::Change;
use super::lookup::EntryName;
use super::notify;
use super::{Dentry, FileName, Location};
use crate::task::{Credentials, Current};

impl Current {
    /// unlink(2).
    pub(crate) fn remove_file(&self, dirfd: Fd, path: &[u8]) -> Result<(), Errno> {
        let creds = self.creds.get();
        let entry = self.walk_to_entry(&creds, dirfd, path)?;
        let EntryName::Name(name, slash) = entry.name else {
            return Err(EISDIR);
        };
        let dir = entry.dir;
        if !dir.mount.is_writable() {
            return Err(EROFS);
        }
        let name = name?;
        let child = {
            let change = dir.dentry.change()?;
            let child = change.child(&name)?;
            if slash {
                return Err(if child.is_dir() { EISDIR } else { ENOTDIR });
            }
            may_remove(&creds, &change, &child)?;
            if child.is_dir() {
                return Err(EISDIR);
            }
            if child.is_mountpoint() {
                return Err(EBUSY);
            }
            change.inode().unlink(&name, child.inode())?;
            change.removed(&name, &child);
            child
        };
        notify::removed(&dir, &name, &child);
        Ok(())
    }

    /// Removes what `dir` has as `name`: for directories that no path leads to.
    pub(crate) fn remove_named(&self, dir: &Location, name: &FileName) -> Result<(), Errno> {
        let creds = self.creds.get();
        let child = {
            let change = dir.dentry.change()?;
            let child = change.child(name)?;
            may_remove(&creds, &change, &child)?;
            change.inode().unlink(name, child.inode())?;
            change.removed(name, &child);
            child
        };
        notify::removed(dir, name, &child);
        Ok(())
    }

    /// rmdir(2).
    pub(super) fn remove_directory(&self, dirfd: Fd, path: &[u8]) -> Result<(), Errno> {
        let creds = self.creds.get();
        let entry = self.walk_to_entry(&creds, dirfd, path)?;
        let name = match entry.name {
            EntryName::Root => return Err(EBUSY),
            EntryName::Dot => return Err(EINVAL),
            EntryName::DotDot => return Err(ENOTEMPTY),
            EntryName::Name(name, _) => name,
        };
        let dir = entry.dir;
        if !dir.mount.is_writable() {
            return Err(EROFS);
        }
        let name = name?;
        let child = {
            let change = dir.dentry.change()?;
            let child = change.child(&name)?;
            may_remove(&creds, &change, &child)?;
            if !child.is_dir() {
                return Err(ENOTDIR);
            }
            if child.is_mountpoint() {
                return Err(EBUSY);
            }
            // Parent before child: nobody makes an entry in it meanwhile.
            let _inner = child.change_second()?;
            change.inode().rmdir(&name, child.inode())?;
            change.removed(&name, &child);
            child.clone()
        };
        notify::removed(&dir, &name, &child);
        Ok(())
    }
}

/// `EACCES`, `EPERM`: the rules of the directory for taking `child` out of it.
pub(super) fn may_remove(
    creds: &Credentials,
    change: &Change<'_>,
    child: &Arc<Dentry>,
) -> Result<(), Errno> {
    permit(creds, change.inode(), Access::WRITE | Access::EXEC)?;
    check_sticky(creds, change.inode(), child.inode())
}
