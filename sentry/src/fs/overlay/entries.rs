//! What changes the entries of directories.
//!
//! The callers hold the directories' own locks, so that what is looked up here stays.
//! Attributes that will change are taken over from below first: that may fail, the rest
//! does not.

use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EEXIST, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EXDEV};

use super::dir::{Dir, Hides, Known};
use super::inode::{Body, OverlayInode};
use crate::sync::{Mutex, MutexGuard, lock_both};
use crate::vfs::{DeviceNumber, FileKind, FileName, InodeRef, NewNode, Owner, RenameMode};

/// A child, and whether it was found below.
struct Found {
    inode: Arc<OverlayInode>,
    below: Hides,
}

/// One or two directories whose entries change together.
enum Dirs<'a> {
    One(MutexGuard<'a, Dir>),
    Two(MutexGuard<'a, Dir>, MutexGuard<'a, Dir>),
}

impl Dirs<'_> {
    fn source(&mut self) -> &mut Dir {
        match self {
            Dirs::One(dir) | Dirs::Two(dir, _) => dir,
        }
    }

    fn target(&mut self) -> &mut Dir {
        match self {
            Dirs::One(dir) | Dirs::Two(_, dir) => dir,
        }
    }
}

/// `inode` as one of an overlay's; `EXDEV`.
fn as_overlay(inode: &InodeRef) -> Result<&OverlayInode, Errno> {
    inode.as_any().downcast_ref().ok_or(EXDEV)
}

impl OverlayInode {
    pub(super) fn dir(&self) -> Result<&Mutex<Dir>, Errno> {
        match &self.body {
            Body::Dir(dir) => Ok(dir),
            _ => Err(ENOTDIR),
        }
    }

    fn find(&self, name: &FileName) -> Result<Found, Errno> {
        let known = self.dir()?.lock().get(name);
        match (known, &self.lower) {
            (Known::Here(inode), _) => Ok(Found {
                inode,
                below: Hides::Nothing,
            }),
            (Known::Gone, _) | (Known::AsBelow, None) => Err(ENOENT),
            (Known::AsBelow, Some(lower)) => Ok(Found {
                inode: self.above(lower.lookup(name)?),
                below: Hides::Lower,
            }),
        }
    }

    pub(super) fn find_child(&self, name: &FileName) -> Result<InodeRef, Errno> {
        self.find(name).map(|found| found.inode as InodeRef)
    }

    /// `ENOTEMPTY` for a directory with names.
    fn check_empty(&self) -> Result<(), Errno> {
        let below = self.lower.as_ref().map(|lower| lower.list()).transpose()?;
        let dir = self.dir()?.lock();
        let shows = below.is_some_and(|below| below.0.iter().any(|entry| !dir.hides(&entry.name)));
        if shows || dir.len() > 0 {
            Err(ENOTEMPTY)
        } else {
            Ok(())
        }
    }

    pub(super) fn make(
        &self,
        name: &FileName,
        node: NewNode<'_>,
        owner: Owner,
    ) -> Result<InodeRef, Errno> {
        let (kind, body) = match node {
            NewNode::Regular => (FileKind::Regular, self.empty_file()),
            NewNode::Directory => (FileKind::Directory, Body::empty_dir()),
            NewNode::Symlink(text) => (FileKind::Symlink, Body::Symlink(text.to_vec())),
            NewNode::Fifo => (FileKind::Fifo, Body::Special(DeviceNumber::default())),
            NewNode::Socket => (FileKind::Socket, Body::Special(DeviceNumber::default())),
            NewNode::Device(kind, number) => (kind, Body::Special(number)),
        };
        let links = if kind == FileKind::Directory { 2 } else { 1 };
        self.take_over()?;
        let child = self.new_inode(kind, body, owner, links);
        {
            let mut dir = self.dir()?.lock();
            dir.check_free(name)?;
            dir.put(name, child.clone(), Hides::Nothing);
        }
        self.add_subdirs(i32::from(kind == FileKind::Directory));
        self.modified()?;
        Ok(child)
    }

    pub(super) fn make_link(&self, name: &FileName, target: &InodeRef) -> Result<(), Errno> {
        let target = as_overlay(target)?.this().ok_or(ENOENT)?;
        self.take_over()?;
        target.take_over()?;
        {
            let mut dir = self.dir()?.lock();
            dir.check_free(name)?;
            dir.put(name, target.clone(), Hides::Nothing);
        }
        target.add_links(1);
        target.keep();
        self.modified()
    }

    pub(super) fn remove_file(&self, name: &FileName) -> Result<(), Errno> {
        let Found { inode, below } = self.find(name)?;
        if inode.is_dir() {
            return Err(EISDIR);
        }
        self.take_over()?;
        inode.take_over()?;
        let old = self.dir()?.lock().take(name, below);
        drop(old);
        inode.add_links(-1);
        self.modified()
    }

    pub(super) fn remove_dir(&self, name: &FileName) -> Result<(), Errno> {
        let Found { inode, below } = self.find(name)?;
        inode.check_empty()?;
        self.take_over()?;
        inode.take_over()?;
        let old = {
            let (mut dir, mut inner) = lock_both(self.dir()?, inode.dir()?);
            inner.remove();
            dir.take(name, below)
        };
        drop(old);
        inode.lost_directory();
        self.add_subdirs(-1);
        self.modified()
    }

    pub(super) fn move_to(
        &self,
        name: &FileName,
        new_dir: &InodeRef,
        new_name: &FileName,
        mode: RenameMode,
    ) -> Result<(), Errno> {
        let to = as_overlay(new_dir)?;
        let moved = self.find(name)?;
        let there = match to.find(new_name) {
            Ok(_) if mode == RenameMode::NoReplace => return Err(EEXIST),
            Err(ENOENT) if mode == RenameMode::Exchange => return Err(ENOENT),
            Ok(there) => Some(there),
            Err(ENOENT) => None,
            Err(error) => return Err(error),
        };
        if mode == RenameMode::Replace
            && let Some(replaced) = &there
            && replaced.inode.is_dir()
        {
            replaced.inode.check_empty()?;
        }
        self.take_over()?;
        to.take_over()?;
        moved.inode.take_over()?;
        if let Some(there) = &there {
            there.inode.take_over()?;
        }
        let same = std::ptr::eq(self, to);
        let dropped = {
            let mut dirs = if same {
                Dirs::One(self.dir()?.lock())
            } else {
                let (from, to) = lock_both(self.dir()?, to.dir()?);
                Dirs::Two(from, to)
            };
            dirs.target().check_alive()?;
            let below = there.as_ref().map_or(Hides::Nothing, |there| there.below);
            let gone = match (&there, mode) {
                (Some(other), RenameMode::Exchange) => {
                    dirs.source().put(name, other.inode.clone(), moved.below)
                }
                _ => dirs.source().take(name, moved.below),
            };
            let replaced = dirs.target().put(new_name, moved.inode.clone(), below);
            (gone, replaced)
        };
        drop(dropped);
        self.count_moved(to, &moved.inode, there.map(|there| there.inode), mode)
    }

    /// Link counts and times after a rename from `self` to `to`.
    fn count_moved(
        &self,
        to: &OverlayInode,
        moved: &OverlayInode,
        there: Option<Arc<OverlayInode>>,
        mode: RenameMode,
    ) -> Result<(), Errno> {
        let dirs = |inode: &OverlayInode| i32::from(inode.is_dir());
        let coming = dirs(moved);
        match (&there, mode) {
            (Some(other), RenameMode::Exchange) => {
                self.add_subdirs(dirs(other) - coming);
                to.add_subdirs(coming - dirs(other));
                other.add_links(0);
            }
            _ => {
                self.add_subdirs(-coming);
                to.add_subdirs(coming);
            }
        }
        if mode == RenameMode::Replace
            && let Some(replaced) = &there
        {
            if replaced.is_dir() {
                if let Ok(dir) = replaced.dir() {
                    dir.lock().remove();
                }
                replaced.lost_directory();
                to.add_subdirs(-1);
            } else {
                replaced.add_links(-1);
            }
        }
        moved.add_links(0);
        self.modified()?;
        to.modified()
    }
}
