//! rename(2).

use std::sync::Arc;

use syscalls::errno::{EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EROFS, EXDEV};
use syscalls::{Errno, Fd};

use super::access::{Access, permit};
use super::dcache::Change;
use super::lookup::{AnyName, Entry, EntryName};
use super::notify;
use super::remove::may_remove;
use super::{Dentry, FileName, RenameMode};
use crate::task::{Credentials, Current};

/// One end of a rename.
pub(super) struct End<'a> {
    pub(super) dirfd: Fd,
    pub(super) path: &'a [u8],
}

/// The two directories, locked.
enum Locked<'a> {
    One(Change<'a>),
    Two { from: Change<'a>, to: Change<'a> },
}

impl<'a> Locked<'a> {
    fn from(&self) -> &Change<'a> {
        match self {
            Locked::One(change) | Locked::Two { from: change, .. } => change,
        }
    }

    fn to(&self) -> &Change<'a> {
        match self {
            Locked::One(change) | Locked::Two { to: change, .. } => change,
        }
    }

    /// An ancestor before its descendant; strangers in any order, as the rename lock of
    /// the file system is held.
    fn both(from: &'a Arc<Dentry>, to: &'a Arc<Dentry>) -> Result<Self, Errno> {
        if Arc::ptr_eq(from, to) {
            return Ok(Locked::One(from.change()?));
        }
        if to.is_ancestor_of(from) {
            let to = to.change()?;
            let from = from.change_second()?;
            Ok(Locked::Two { from, to })
        } else {
            let from = from.change()?;
            let to = to.change_second()?;
            Ok(Locked::Two { from, to })
        }
    }
}

impl Current {
    /// renameat2(2), flags decoded.
    pub(super) fn rename(
        &self,
        old: &End<'_>,
        new: &End<'_>,
        mode: RenameMode,
    ) -> Result<(), Errno> {
        let creds = self.creds.get();
        let from = self.walk_to_entry(&creds, old.dirfd, old.path)?;
        let to = self.walk_to_entry(&creds, new.dirfd, new.path)?;
        if !Arc::ptr_eq(&from.dir.mount, &to.dir.mount) {
            return Err(EXDEV);
        }
        let (
            Entry {
                dir: from_dir,
                name: from_name,
            },
            Entry {
                dir: to_dir,
                name: to_name,
            },
        ) = (from, to);
        let EntryName::Name(from_name, from_slash) = from_name else {
            return Err(EBUSY);
        };
        let EntryName::Name(to_name, to_slash) = to_name else {
            return Err(if mode == RenameMode::NoReplace {
                EEXIST
            } else {
                EBUSY
            });
        };
        if !from_dir.mount.is_writable() {
            return Err(EROFS);
        }
        let done = {
            let cross = !Arc::ptr_eq(&from_dir.dentry, &to_dir.dentry);
            let _renames = cross.then(|| from_dir.mount.super_block.renames.lock());
            let locked = Locked::both(&from_dir.dentry, &to_dir.dentry)?;
            let rename = Rename {
                creds: &creds,
                from: locked.from(),
                to: locked.to(),
                from_dir: &from_dir.dentry,
                to_dir: &to_dir.dentry,
                slashes: (from_slash, to_slash),
                mode,
            };
            rename.perform(from_name, to_name)?
        };
        if let Some(Done {
            moved,
            other,
            from_name,
            to_name,
        }) = done
        {
            let (old, new) = ((&from_dir, &from_name), (&to_dir, &to_name));
            match other {
                Some(other) if mode == RenameMode::Exchange => {
                    notify::renamed(old, new, &moved, None);
                    notify::renamed(new, old, &other, None);
                }
                replaced => notify::renamed(old, new, &moved, replaced.as_ref()),
            }
        }
        Ok(())
    }
}

/// What a rename did.
struct Done {
    moved: Arc<Dentry>,
    from_name: FileName,
    to_name: FileName,
    /// What had the new name before.
    other: Option<Arc<Dentry>>,
}

struct Rename<'a> {
    creds: &'a Credentials,
    from: &'a Change<'a>,
    to: &'a Change<'a>,
    from_dir: &'a Arc<Dentry>,
    to_dir: &'a Arc<Dentry>,
    /// Whether a '/' followed the names.
    slashes: (bool, bool),
    mode: RenameMode,
}

impl Rename<'_> {
    /// Linux's checks in Linux's order, then the deed. `None`: both names are one file.
    fn perform(&self, from_name: AnyName, to_name: AnyName) -> Result<Option<Done>, Errno> {
        let from_name = from_name?;
        let old = self.from.child(&from_name)?;
        self.to.check_alive()?;
        let to_name = to_name?;
        let new = match self.to.child(&to_name) {
            Ok(new) => Some(new),
            Err(ENOENT) => None,
            Err(error) => return Err(error),
        };
        let exchange = self.mode == RenameMode::Exchange;
        match &new {
            Some(_) if self.mode == RenameMode::NoReplace => return Err(EEXIST),
            None if exchange => return Err(ENOENT),
            Some(new) if exchange && !new.is_dir() && self.slashes.1 => return Err(ENOTDIR),
            _ => {}
        }
        if !old.is_dir() && (self.slashes.0 || (!exchange && self.slashes.1)) {
            return Err(ENOTDIR);
        }
        if old.is_ancestor_of(self.to_dir) {
            return Err(EINVAL);
        }
        if let Some(new) = &new
            && new.is_ancestor_of(self.from_dir)
        {
            return Err(if exchange { EINVAL } else { ENOTEMPTY });
        }
        let same = new
            .as_ref()
            .is_some_and(|new| Arc::ptr_eq(new.inode(), old.inode()));
        if same {
            return Ok(None);
        }
        self.check(&old, new.as_ref())?;
        {
            // Nobody makes an entry in a directory that is replaced.
            let replaced = new.as_ref().filter(|new| !exchange && new.is_dir());
            let _inner = replaced.map(Dentry::change_second).transpose()?;
            self.from
                .inode()
                .rename(&from_name, self.to.inode(), &to_name, self.mode)?;
            if let Some(replaced) = new.as_ref().filter(|_| !exchange) {
                self.to.removed(&to_name, replaced);
            }
        }
        match &new {
            Some(other) if exchange => self.from.attach(&from_name, other),
            _ => self.from.detach(&from_name),
        }
        self.to.attach(&to_name, &old);
        Ok(Some(Done {
            moved: old,
            from_name,
            to_name,
            other: new,
        }))
    }

    fn check(&self, old: &Arc<Dentry>, new: Option<&Arc<Dentry>>) -> Result<(), Errno> {
        let exchange = self.mode == RenameMode::Exchange;
        may_remove(self.creds, self.from, old)?;
        match new {
            None => {
                self.to.check_alive()?;
                permit(self.creds, self.to.inode(), Access::WRITE | Access::EXEC)?;
            }
            Some(new) => {
                may_remove(self.creds, self.to, new)?;
                match (old.is_dir(), new.is_dir()) {
                    (true, false) if !exchange => return Err(ENOTDIR),
                    (false, true) if !exchange => return Err(EISDIR),
                    _ => {}
                }
            }
        }
        // ".." of a directory that moves changes.
        if !Arc::ptr_eq(self.from_dir, self.to_dir) {
            let moving = [Some(old), new.filter(|_| exchange)];
            for dentry in moving.into_iter().flatten().filter(|d| d.is_dir()) {
                permit(self.creds, dentry.inode(), Access::WRITE)?;
            }
        }
        if old.is_mountpoint() || new.is_some_and(|new| new.is_mountpoint()) {
            return Err(EBUSY);
        }
        Ok(())
    }
}
