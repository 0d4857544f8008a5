//! Inodes.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::Errno;
use syscalls::errno::{
    EEXIST, EINVAL, EISDIR, ENODATA, ENOENT, ENOTDIR, ENOTEMPTY, EOPNOTSUPP, EXDEV,
};

use super::dir::Dir;
use super::file::{DirFile, RegularFile};
use super::{Shared, blocks};
use crate::fs::page_cache::PageCache;
use crate::mm::Mappable;
use crate::sync::{Level, Mutex, lock_both};
use crate::task::Current;
use crate::time::now_realtime;
use crate::vfs::{
    Attachments, Attr, DeviceNumber, FileKind, FileName, FileOps, Inode, InodeRef, LinkTarget,
    Listed, Listing, Mode, NewNode, OpenMode, Owner, RenameMode, SetAttr, SetTime, SuperBlock,
    Timestamp, XattrMode,
};

/// What Linux counts for a directory entry in `st_size`.
const ENTRY_SIZE: u64 = 20;

pub(super) enum Data {
    Dir(Mutex<Dir>),
    Regular(Regular),
    Symlink(Vec<u8>),
    /// FIFO, socket, device: only a name.
    Special(DeviceNumber),
}

pub(super) struct Regular {
    pub(super) cache: Arc<PageCache>,
    /// Held by writers, truncation, allocation.
    pub(super) writer: Mutex<()>,
}

impl Data {
    pub(super) fn empty_dir() -> Self {
        Data::Dir(Mutex::new(Level::Inode, Dir::default()))
    }
}

struct Meta {
    mode: Mode,
    uid: u32,
    gid: u32,
    nlink: u32,
    atime: Timestamp,
    mtime: Timestamp,
    ctime: Timestamp,
    btime: Timestamp,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

pub(crate) struct TmpInode {
    super_block: Arc<SuperBlock>,
    shared: Arc<Shared>,
    ino: u64,
    kind: FileKind,
    meta: Mutex<Meta>,
    pub(super) data: Data,
    attachments: Attachments,
}

impl TmpInode {
    pub(super) fn new(
        super_block: &Arc<SuperBlock>,
        shared: &Arc<Shared>,
        kind: FileKind,
        data: Data,
        owner: Owner,
    ) -> Arc<Self> {
        let now = now_realtime();
        shared.inodes.fetch_add(1, Ordering::Relaxed);
        let meta = Meta {
            mode: owner.mode,
            uid: owner.uid,
            gid: owner.gid,
            nlink: if kind == FileKind::Directory { 2 } else { 1 },
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
            xattrs: BTreeMap::new(),
        };
        Arc::new(TmpInode {
            super_block: super_block.clone(),
            shared: shared.clone(),
            ino: shared.next_ino(),
            kind,
            meta: Mutex::new(Level::Leaf, meta),
            data,
            attachments: Attachments::default(),
        })
    }

    fn regular_data(&self) -> Data {
        let (memory, quota) = (self.shared.memory.clone(), self.shared.quota.clone());
        let cache = Arc::new(PageCache::new(memory, None, Some(quota), 0));
        Data::Regular(Regular {
            cache,
            writer: Mutex::new(Level::Inode, ()),
        })
    }

    fn child(&self, kind: FileKind, data: Data, owner: Owner) -> Arc<Self> {
        TmpInode::new(&self.super_block, &self.shared, kind, data, owner)
    }

    pub(super) fn dir(&self) -> Result<&Mutex<Dir>, Errno> {
        match &self.data {
            Data::Dir(dir) => Ok(dir),
            _ => Err(ENOTDIR),
        }
    }

    /// mtime and ctime are now: contents or entries changed.
    pub(super) fn modified(&self) {
        let now = now_realtime();
        let mut meta = self.meta.lock();
        meta.mtime = now;
        meta.ctime = now;
    }

    /// atime is now.
    pub(super) fn accessed(&self) {
        self.meta.lock().atime = now_realtime();
    }

    fn add_links(&self, change: i32) {
        let mut meta = self.meta.lock();
        meta.nlink = meta.nlink.saturating_add_signed(change);
        meta.ctime = now_realtime();
    }

    fn is_dir(inode: &InodeRef) -> bool {
        inode.kind() == FileKind::Directory
    }

    /// What losing its last name does to a child: `..` of a directory goes too.
    fn unlinked(&self, child: &InodeRef) {
        let links = if Self::is_dir(child) { -2 } else { -1 };
        if let Some(child) = as_tmp(child) {
            child.add_links(links);
        }
        if Self::is_dir(child) {
            self.add_links(-1);
        }
    }
}

/// Another inode of this file system's type.
fn as_tmp(inode: &InodeRef) -> Option<&TmpInode> {
    inode.as_any().downcast_ref()
}

fn check_empty(inode: &InodeRef) -> Result<(), Errno> {
    let dir = as_tmp(inode).ok_or(EXDEV)?.dir()?;
    if dir.lock().is_empty() {
        Ok(())
    } else {
        Err(ENOTEMPTY)
    }
}

/// One or two directories whose entries change together.
enum Dirs<'a> {
    One(crate::sync::MutexGuard<'a, Dir>),
    Two(
        crate::sync::MutexGuard<'a, Dir>,
        crate::sync::MutexGuard<'a, Dir>,
    ),
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

impl Inode for TmpInode {
    fn super_block(&self) -> &Arc<SuperBlock> {
        &self.super_block
    }

    fn kind(&self) -> FileKind {
        self.kind
    }

    fn ino(&self) -> u64 {
        self.ino
    }

    fn attr(&self) -> Result<Attr, Errno> {
        let (size, used, rdev) = match &self.data {
            Data::Dir(dir) => (
                (dir.lock().len() as u64 + 2) * ENTRY_SIZE,
                0,
                DeviceNumber::default(),
            ),
            Data::Regular(file) => (
                file.cache.size(),
                file.cache.resident(),
                DeviceNumber::default(),
            ),
            Data::Symlink(text) => (text.len() as u64, 0, DeviceNumber::default()),
            Data::Special(rdev) => (0, 0, *rdev),
        };
        let meta = self.meta.lock();
        Ok(Attr {
            dev: self.super_block.dev,
            ino: self.ino,
            kind: self.kind,
            mode: meta.mode,
            nlink: meta.nlink,
            uid: meta.uid,
            gid: meta.gid,
            rdev,
            size,
            blocks: blocks(used),
            blksize: 4096,
            atime: meta.atime,
            mtime: meta.mtime,
            ctime: meta.ctime,
            btime: meta.btime,
        })
    }

    fn set_attr(&self, set: &SetAttr) -> Result<(), Errno> {
        if let Some(size) = set.size {
            let Data::Regular(file) = &self.data else {
                return Err(EINVAL);
            };
            let _writer = file.writer.lock();
            file.cache.resize(size);
        }
        let now = now_realtime();
        let at = |time| match time {
            SetTime::Now => now,
            SetTime::To(at) => at,
        };
        let mut meta = self.meta.lock();
        meta.mode = set.mode.unwrap_or(meta.mode);
        meta.uid = set.uid.unwrap_or(meta.uid);
        meta.gid = set.gid.unwrap_or(meta.gid);
        meta.atime = set.atime.map_or(meta.atime, at);
        let modified = set.size.map(|_| now);
        meta.mtime = set.mtime.map(at).or(modified).unwrap_or(meta.mtime);
        meta.ctime = now;
        Ok(())
    }

    fn lookup(&self, name: &FileName) -> Result<InodeRef, Errno> {
        self.dir()?.lock().get(name)
    }

    fn list(&self) -> Result<Arc<Listing>, Errno> {
        let entries = self.dir()?.lock().entries_from(0, usize::MAX);
        let listed = |(_, name, inode): (u64, FileName, InodeRef)| Listed {
            name: name.as_bytes().into(),
            ino: inode.ino(),
            kind: inode.kind(),
        };
        Ok(Arc::new(Listing(entries.into_iter().map(listed).collect())))
    }

    fn create(&self, name: &FileName, node: NewNode<'_>, owner: Owner) -> Result<InodeRef, Errno> {
        let (kind, data) = match node {
            NewNode::Regular => (FileKind::Regular, self.regular_data()),
            NewNode::Directory => (FileKind::Directory, Data::empty_dir()),
            NewNode::Symlink(text) => (FileKind::Symlink, Data::Symlink(text.to_vec())),
            NewNode::Fifo => (FileKind::Fifo, Data::Special(DeviceNumber::default())),
            NewNode::Socket => (FileKind::Socket, Data::Special(DeviceNumber::default())),
            NewNode::Device(kind, rdev) => (kind, Data::Special(rdev)),
        };
        let child: InodeRef = {
            let mut dir = self.dir()?.lock();
            dir.check_free(name)?;
            let child = self.child(kind, data, owner);
            dir.put(name, child.clone());
            child
        };
        if kind == FileKind::Directory {
            self.add_links(1);
        }
        self.modified();
        Ok(child)
    }

    fn create_unnamed(&self, owner: Owner) -> Result<InodeRef, Errno> {
        let file = self.child(FileKind::Regular, self.regular_data(), owner);
        file.add_links(-1);
        Ok(file)
    }

    fn link(&self, name: &FileName, target: &InodeRef) -> Result<(), Errno> {
        let inode = as_tmp(target).ok_or(EXDEV)?;
        {
            let mut dir = self.dir()?.lock();
            dir.check_free(name)?;
            dir.put(name, target.clone());
        }
        inode.add_links(1);
        self.modified();
        Ok(())
    }

    fn unlink(&self, name: &FileName, _: &InodeRef) -> Result<(), Errno> {
        let child = {
            let mut dir = self.dir()?.lock();
            if Self::is_dir(&dir.get(name)?) {
                return Err(EISDIR);
            }
            dir.take(name)?
        };
        self.unlinked(&child);
        self.modified();
        Ok(())
    }

    fn rmdir(&self, name: &FileName, child: &InodeRef) -> Result<(), Errno> {
        let inner = as_tmp(child).ok_or(EXDEV)?.dir()?;
        {
            let (mut dir, mut inner) = lock_both(self.dir()?, inner);
            if !inner.is_empty() {
                return Err(ENOTEMPTY);
            }
            dir.take(name)?;
            inner.removed = true;
        }
        self.unlinked(child);
        self.modified();
        Ok(())
    }

    fn rename(
        &self,
        name: &FileName,
        new_dir: &InodeRef,
        new_name: &FileName,
        mode: RenameMode,
    ) -> Result<(), Errno> {
        let to = as_tmp(new_dir).ok_or(EXDEV)?;
        // The caller holds both directories' own locks, so what is looked up here stays.
        if mode == RenameMode::Replace
            && let Ok(old) = to.lookup(new_name)
            && Self::is_dir(&old)
        {
            check_empty(&old)?;
        }
        let same = std::ptr::eq(self, to);
        let (moved, other) = {
            let mut dirs = if same {
                Dirs::One(self.dir()?.lock())
            } else {
                let (from, to) = lock_both(self.dir()?, to.dir()?);
                Dirs::Two(from, to)
            };
            let moved = dirs.source().get(name)?;
            let there = dirs.target().get(new_name).ok();
            match (mode, there) {
                (RenameMode::NoReplace, Some(_)) => return Err(EEXIST),
                (RenameMode::Exchange, None) => return Err(ENOENT),
                (RenameMode::Exchange, Some(there)) => {
                    dirs.source().put(name, there.clone());
                    dirs.target().put(new_name, moved.clone());
                    (moved, Some(there))
                }
                (RenameMode::Replace | RenameMode::NoReplace, there) => {
                    if dirs.target().removed {
                        return Err(ENOENT);
                    }
                    dirs.source().take(name)?;
                    dirs.target().put(new_name, moved.clone());
                    (moved, there)
                }
            }
        };
        let dir_count = |inode: &InodeRef| i32::from(Self::is_dir(inode));
        // `..` of a moved directory counts in its parent.
        if !same {
            let back = if mode == RenameMode::Exchange {
                other.as_ref().map_or(0, dir_count)
            } else {
                0
            };
            self.add_links(back - dir_count(&moved));
            to.add_links(dir_count(&moved) - back);
        }
        if mode == RenameMode::Replace
            && let Some(replaced) = &other
        {
            to.unlinked(replaced);
        }
        if let Some(moved) = as_tmp(&moved) {
            moved.add_links(0);
        }
        self.modified();
        to.modified();
        Ok(())
    }

    fn read_link(&self, _: &Current) -> Result<LinkTarget, Errno> {
        match &self.data {
            Data::Symlink(text) => Ok(LinkTarget::Text(text.clone())),
            _ => Err(EINVAL),
        }
    }

    fn open(self: Arc<Self>, _: &Current, _: OpenMode) -> Result<Box<dyn FileOps>, Errno> {
        match &self.data {
            Data::Dir(_) => Ok(Box::new(DirFile(self))),
            Data::Regular(_) => Ok(Box::new(RegularFile(self))),
            Data::Symlink(_) | Data::Special(_) => Err(syscalls::errno::ENXIO),
        }
    }

    fn written_through_mapping(&self) {
        self.modified();
    }

    fn mappable(&self) -> Option<Arc<dyn Mappable>> {
        match &self.data {
            Data::Regular(file) => Some(file.cache.clone()),
            _ => None,
        }
    }

    fn xattr(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        self.meta.lock().xattrs.get(name).cloned().ok_or(ENODATA)
    }

    fn set_xattr(&self, name: &[u8], value: &[u8], mode: XattrMode) -> Result<(), Errno> {
        let mut meta = self.meta.lock();
        match (mode, meta.xattrs.contains_key(name)) {
            (XattrMode::Create, true) => return Err(EEXIST),
            (XattrMode::Replace, false) => return Err(ENODATA),
            _ => {}
        }
        meta.xattrs.insert(name.to_vec(), value.to_vec());
        meta.ctime = now_realtime();
        Ok(())
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<(), Errno> {
        let mut meta = self.meta.lock();
        meta.xattrs.remove(name).ok_or(ENODATA)?;
        meta.ctime = now_realtime();
        Ok(())
    }

    fn list_xattr(&self) -> Result<Vec<Vec<u8>>, Errno> {
        Ok(self.meta.lock().xattrs.keys().cloned().collect())
    }

    fn allocate(&self, mode: u32, offset: u64, len: u64) -> Result<(), Errno> {
        const KEEP_SIZE: u32 = 1;
        const PUNCH_HOLE: u32 = 2;
        let Data::Regular(file) = &self.data else {
            return Err(syscalls::errno::ENODEV);
        };
        let end = offset.checked_add(len).ok_or(syscalls::errno::EFBIG)?;
        let _writer = file.writer.lock();
        match mode {
            0 => {
                file.cache.reserve(offset, end)?;
                file.cache.grow(end);
            }
            KEEP_SIZE => file.cache.reserve(offset, end)?,
            m if m == KEEP_SIZE | PUNCH_HOLE => file.cache.punch(offset, end)?,
            _ => return Err(EOPNOTSUPP),
        }
        self.modified();
        Ok(())
    }

    fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for TmpInode {
    fn drop(&mut self) {
        self.shared.inodes.fetch_sub(1, Ordering::Relaxed);
    }
}
