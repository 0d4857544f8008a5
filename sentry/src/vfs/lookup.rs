//! What a task's paths lead to.

use std::sync::Arc;

use syscalls::errno::EEXIST;
use syscalls::{Errno, Fd, UserCStr};

use super::walk::{Last, PATH_MAX, Walk, Walking};
use super::{FileName, Location};
use crate::task::{Credentials, Current, Task};

impl Task {
    /// "/" of the task.
    #[must_use]
    pub fn root(&self) -> Location {
        self.fs.with(|fs| fs.root.get())
    }

    /// "." of the task.
    #[must_use]
    pub fn cwd(&self) -> Location {
        self.fs.with(|fs| fs.cwd.get())
    }
}

impl Current {
    /// What `path` leads to, relative paths from the working directory. Errors as in
    /// path_resolution(7).
    pub fn walk(&self, path: &[u8], how: Walking) -> Result<Location, Errno> {
        self.walk_at(Fd::CWD, path, how)
    }

    /// As [`Self::walk`], relative paths from `dirfd`; `EBADF`, `ENOTDIR`.
    pub fn walk_at(&self, dirfd: Fd, path: &[u8], how: Walking) -> Result<Location, Errno> {
        self.walk_as(&self.creds.get(), dirfd, path, how)
    }

    /// As [`Self::walk_at`] with other credentials.
    pub(super) fn walk_as(
        &self,
        creds: &Credentials,
        dirfd: Fd,
        path: &[u8],
        how: Walking,
    ) -> Result<Location, Errno> {
        Walk::new(self, creds, || self.start(dirfd), path, how)?.finish()
    }

    /// Where relative paths of an *at call start.
    pub(super) fn start(&self, dirfd: Fd) -> Result<Location, Errno> {
        if dirfd == Fd::CWD {
            Ok(self.cwd())
        } else {
            let file = self.fds.with(Arc::clone).get_any(dirfd)?;
            Ok(file.location.clone())
        }
    }

    /// A path argument; `EFAULT`, `ENAMETOOLONG`.
    pub fn read_path(&self, path: UserCStr) -> Result<Vec<u8>, Errno> {
        self.mem()
            .read_cstr(path, PATH_MAX, syscalls::errno::ENAMETOOLONG)
    }

    /// Directory and last component of a path that is about to be removed or renamed.
    pub(super) fn walk_to_entry(
        &self,
        creds: &Credentials,
        dirfd: Fd,
        path: &[u8],
    ) -> Result<Entry, Errno> {
        let how = Walking::default();
        let mut walk = Walk::new(self, creds, || self.start(dirfd), path, how)?;
        let name = match walk.up_to_last()? {
            Last::Here => EntryName::Root,
            Last::Dot => EntryName::Dot,
            Last::DotDot => EntryName::DotDot,
            Last::Name { range, slash } => EntryName::Name(walk.name(&range), slash),
        };
        Ok(Entry {
            dir: walk.here().clone(),
            name,
        })
    }

    /// Directory and name of a path that is about to be created; `EEXIST` for paths that
    /// end in ".", ".." or the root.
    pub(super) fn walk_to_new(
        &self,
        creds: &Credentials,
        dirfd: Fd,
        path: &[u8],
    ) -> Result<(Location, AnyName, bool), Errno> {
        let entry = self.walk_to_entry(creds, dirfd, path)?;
        match entry.name {
            EntryName::Name(name, slash) => Ok((entry.dir, name, slash)),
            _ => Err(EEXIST),
        }
    }
}

/// A name that may be too long.
pub(super) type AnyName = Result<FileName, Errno>;

/// A place for a name.
pub(super) struct Entry {
    /// In which directory.
    pub(super) dir: Location,
    /// Which.
    pub(super) name: EntryName,
}

/// How a path ends.
pub(super) enum EntryName {
    /// "/".
    Root,
    /// ".".
    Dot,
    /// "..".
    DotDot,
    /// A name, and whether a '/' follows. That it is too long counts when it is looked up.
    Name(AnyName, bool),
}
