//! Inodes.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use syscalls::Errno;
use syscalls::errno::{EEXIST, EFBIG, EINVAL, EIO, EISDIR, ENODATA, ENODEV, ENXIO, EOPNOTSUPP};

use super::Shared;
use super::dir::Dir;
use super::file::{DirFile, RegularFile};
use super::meta::Meta;
use crate::fs::page_cache::{PAGE, PageCache};
use crate::mm::Mappable;
use crate::sync::{Level, Mutex};
use crate::task::Current;
use crate::time::now_realtime;
use crate::vfs::{
    Attachments, Attr, DeviceNumber, FileKind, FileName, FileOps, Inode, InodeRef, LinkTarget,
    Listing, NewNode, OpenMode, Owner, RenameMode, SetAttr, SuperBlock, XattrMode,
};

/// What Linux's tmpfs counts for a directory entry in `st_size`.
const ENTRY_SIZE: u64 = 20;

/// What is particular to a kind of file.
pub(super) enum Body {
    Dir(Mutex<Dir>),
    /// Made when its data are first asked for.
    Regular(OnceLock<Regular>),
    /// A new link.
    Symlink(Vec<u8>),
    /// A new FIFO, socket, device.
    Special(DeviceNumber),
    /// One of those from below, whose contents do not change.
    Below,
}

pub(super) struct Regular {
    pub(super) cache: Arc<PageCache>,
    /// Held by writers, truncation, allocation.
    pub(super) writer: Mutex<()>,
    /// The lower file let itself be opened.
    opened: AtomicBool,
}

impl Regular {
    fn new(cache: PageCache) -> Self {
        Regular {
            cache: Arc::new(cache),
            writer: Mutex::new(Level::Inode, ()),
            opened: AtomicBool::new(false),
        }
    }
}

impl Body {
    pub(super) fn empty_dir() -> Self {
        Body::Dir(Mutex::new(Level::Inode, Dir::default()))
    }
}

/// A file of an overlay.
pub(crate) struct OverlayInode {
    super_block: Arc<SuperBlock>,
    shared: Arc<Shared>,
    ino: u64,
    kind: FileKind,
    /// What it stands for; `None` for a new file.
    pub(super) lower: Option<InodeRef>,
    /// `None` as long as they are the lower file's.
    meta: Mutex<Option<Box<Meta>>>,
    pub(super) body: Body,
    attachments: Attachments,
    this: Weak<OverlayInode>,
    is_root: bool,
}

impl OverlayInode {
    fn with(
        above: (&Arc<SuperBlock>, &Arc<Shared>),
        lower: Option<InodeRef>,
        (kind, ino): (FileKind, u64),
        body: Body,
        meta: Option<Box<Meta>>,
        is_root: bool,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| OverlayInode {
            super_block: above.0.clone(),
            shared: above.1.clone(),
            ino,
            kind,
            lower,
            meta: Mutex::new(Level::Leaf, meta),
            body,
            attachments: Attachments::default(),
            this: this.clone(),
            is_root,
        })
    }

    fn standing_for(
        super_block: &Arc<SuperBlock>,
        shared: &Arc<Shared>,
        lower: InodeRef,
        is_root: bool,
    ) -> Arc<Self> {
        let (kind, ino) = (lower.kind(), lower.ino());
        let body = match kind {
            FileKind::Directory => Body::empty_dir(),
            FileKind::Regular => Body::Regular(OnceLock::new()),
            _ => Body::Below,
        };
        Self::with(
            (super_block, shared),
            Some(lower),
            (kind, ino),
            body,
            None,
            is_root,
        )
    }

    pub(super) fn root(
        super_block: &Arc<SuperBlock>,
        shared: &Arc<Shared>,
        lower: InodeRef,
    ) -> Arc<Self> {
        Self::standing_for(super_block, shared, lower, true)
    }

    /// What stands for an inode of the lower tree.
    pub(super) fn above(&self, lower: InodeRef) -> Arc<Self> {
        let make = || Self::standing_for(&self.super_block, &self.shared, lower.clone(), false);
        self.shared.registry.get(&lower, make)
    }

    /// A file that has nothing below.
    pub(super) fn new_inode(
        &self,
        kind: FileKind,
        body: Body,
        owner: Owner,
        links: u32,
    ) -> Arc<Self> {
        let meta = Some(Box::new(Meta::new(owner, links)));
        let above = (&self.super_block, &self.shared);
        Self::with(
            above,
            None,
            (kind, self.shared.next_ino()),
            body,
            meta,
            false,
        )
    }

    /// The data of a new file.
    pub(super) fn empty_file(&self) -> Body {
        let (memory, quota) = (self.shared.memory.clone(), self.shared.quota.clone());
        let regular = Regular::new(PageCache::new(memory, None, Some(quota), 0));
        Body::Regular(OnceLock::from(regular))
    }

    /// The data of a regular file; `EINVAL` for others.
    pub(super) fn regular(&self) -> Result<&Regular, Errno> {
        let Body::Regular(slot) = &self.body else {
            return Err(EINVAL);
        };
        if let Some(regular) = slot.get() {
            return Ok(regular);
        }
        let lower = self.lower.as_ref().ok_or(EIO)?;
        let (pages, size) = (lower.mappable().ok_or(EIO)?, lower.attr()?.size);
        let (memory, quota) = (self.shared.memory.clone(), self.shared.quota.clone());
        Ok(slot.get_or_init(|| Regular::new(PageCache::over(memory, pages, quota, size))))
    }

    pub(super) fn this(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }

    pub(super) fn is_dir(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// Changes attributes; the first time they are taken over from below.
    fn change<R>(&self, act: impl FnOnce(&mut Meta) -> R) -> Result<R, Errno> {
        if let Some(meta) = self.meta.lock().as_mut() {
            return Ok(act(meta));
        }
        let below = self.lower.as_ref().ok_or(EIO)?.attr()?;
        let result = {
            let mut meta = self.meta.lock();
            act(meta.get_or_insert_with(|| Box::new(Meta::of(&below))))
        };
        self.keep();
        Ok(result)
    }

    /// Changes attributes if they are this file's own.
    fn change_own(&self, act: impl FnOnce(&mut Meta)) {
        if let Some(meta) = self.meta.lock().as_mut() {
            act(meta);
        }
    }

    /// Has attributes of its own from now on.
    pub(super) fn take_over(&self) -> Result<(), Errno> {
        self.change(|_| ())
    }

    /// It differs from below and must not be forgotten as long as it has a name.
    pub(super) fn keep(&self) {
        if let Some(lower) = &self.lower
            && !self.is_root
            && let Some(this) = self.this()
        {
            self.shared.registry.keep(lower, &this);
        }
    }

    /// False once the last name is gone.
    pub(super) fn has_names(&self) -> bool {
        self.meta.lock().as_ref().is_none_or(|meta| meta.nlink > 0)
    }

    /// Data or entries changed.
    pub(super) fn modified(&self) -> Result<(), Errno> {
        self.change(Meta::modified)
    }

    /// atime is now. Reading alone does not make a file differ from below.
    pub(super) fn accessed(&self) {
        self.change_own(|meta| meta.atime = now_realtime());
    }

    /// Names came or went; attributes were taken over.
    pub(super) fn add_links(&self, change: i32) {
        self.change_own(|meta| meta.add_links(change));
        self.let_go();
    }

    /// Directories in this one came or went; attributes were taken over.
    pub(super) fn add_subdirs(&self, change: i32) {
        // Some file systems do not count them: then it stays at 1.
        self.change_own(|meta| {
            if meta.nlink >= 2 {
                meta.nlink = meta.nlink.saturating_add_signed(change).max(2);
            }
        });
    }

    /// This directory was removed; attributes were taken over.
    pub(super) fn lost_directory(&self) {
        self.change_own(|meta| {
            meta.nlink = 0;
            meta.ctime = now_realtime();
        });
        self.let_go();
    }

    fn let_go(&self) {
        if let Some(lower) = &self.lower
            && !self.has_names()
        {
            self.shared.registry.release(lower);
        }
    }

    fn lower_xattr(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        self.lower
            .as_ref()
            .map_or(Err(ENODATA), |lower| lower.xattr(name))
    }

    /// What this file says of an extended attribute; `None`: whatever is below.
    fn own_xattr(&self, name: &[u8]) -> Option<Option<Vec<u8>>> {
        self.meta.lock().as_ref()?.xattrs.get(name).cloned()
    }

    fn has_xattr(&self, name: &[u8]) -> Result<bool, Errno> {
        match self.own_xattr(name) {
            Some(own) => Ok(own.is_some()),
            None => match self.lower_xattr(name) {
                Ok(_) => Ok(true),
                Err(ENODATA | EOPNOTSUPP) => Ok(false),
                Err(error) => Err(error),
            },
        }
    }

    fn new_attr(&self) -> Attr {
        let (size, rdev) = match &self.body {
            Body::Dir(dir) => ((dir.lock().len() as u64 + 2) * ENTRY_SIZE, None),
            Body::Symlink(text) => (text.len() as u64, None),
            Body::Special(rdev) => (0, Some(*rdev)),
            Body::Regular(_) | Body::Below => (0, None),
        };
        Attr {
            dev: self.super_block.dev,
            ino: self.ino,
            kind: self.kind,
            mode: crate::vfs::Mode::empty(),
            nlink: 0,
            uid: 0,
            gid: 0,
            rdev: rdev.unwrap_or_default(),
            size,
            blocks: 0,
            blksize: 4096,
            atime: 0,
            mtime: 0,
            ctime: 0,
            btime: 0,
        }
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        let regular = self.regular()?;
        let _writer = regular.writer.lock();
        if size < regular.cache.size() && !size.is_multiple_of(PAGE) {
            regular.cache.make_own(size)?;
        }
        regular.cache.resize(size);
        Ok(())
    }
}

/// 512-byte units of `bytes`, rounded up to pages.
fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE) * (PAGE / 512)
}

impl Inode for OverlayInode {
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
        let mut attr = match &self.lower {
            Some(lower) => lower.attr()?,
            None => self.new_attr(),
        };
        attr.dev = self.super_block.dev;
        attr.ino = self.ino;
        if let Body::Regular(slot) = &self.body
            && let Some(regular) = slot.get()
        {
            attr.size = regular.cache.size();
            let own = blocks(regular.cache.resident());
            attr.blocks = attr.blocks.min(blocks(attr.size)).max(own);
        }
        if let Some(meta) = self.meta.lock().as_ref() {
            meta.show(&mut attr);
        }
        Ok(attr)
    }

    fn set_attr(&self, set: &SetAttr) -> Result<(), Errno> {
        self.take_over()?;
        if let Some(size) = set.size {
            self.set_size(size)?;
        }
        self.change(|meta| meta.set(set))
    }

    fn lookup(&self, name: &FileName) -> Result<InodeRef, Errno> {
        self.find_child(name)
    }

    fn list(&self) -> Result<Arc<Listing>, Errno> {
        self.merged_listing()
    }

    fn owner(&self) -> Result<Owner, Errno> {
        if let Some(meta) = self.meta.lock().as_ref() {
            return Ok(Owner {
                uid: meta.uid,
                gid: meta.gid,
                mode: meta.mode,
            });
        }
        self.lower.as_ref().ok_or(EIO)?.owner()
    }

    fn create(&self, name: &FileName, node: NewNode<'_>, owner: Owner) -> Result<InodeRef, Errno> {
        self.make(name, node, owner)
    }

    fn create_unnamed(&self, owner: Owner) -> Result<InodeRef, Errno> {
        Ok(self.new_inode(FileKind::Regular, self.empty_file(), owner, 0))
    }

    fn link(&self, name: &FileName, target: &InodeRef) -> Result<(), Errno> {
        self.make_link(name, target)
    }

    fn unlink(&self, name: &FileName, _: &InodeRef) -> Result<(), Errno> {
        self.remove_file(name)
    }

    fn rmdir(&self, name: &FileName, _: &InodeRef) -> Result<(), Errno> {
        self.remove_dir(name)
    }

    fn rename(
        &self,
        name: &FileName,
        new_dir: &InodeRef,
        new_name: &FileName,
        mode: RenameMode,
    ) -> Result<(), Errno> {
        self.move_to(name, new_dir, new_name, mode)
    }

    fn read_link(&self, task: &Current) -> Result<LinkTarget, Errno> {
        match (&self.body, &self.lower) {
            (Body::Symlink(text), _) => Ok(LinkTarget::Text(text.clone())),
            (Body::Below, Some(lower)) => lower.read_link(task),
            _ => Err(EINVAL),
        }
    }

    fn open(self: Arc<Self>, task: &Current, mode: OpenMode) -> Result<Box<dyn FileOps>, Errno> {
        match (&self.body, &self.lower) {
            (Body::Dir(_), _) if mode.writes() => Err(EISDIR),
            (Body::Dir(_), _) => Ok(Box::new(DirFile::new(self))),
            (Body::Regular(_), lower) => {
                let regular = self.regular()?;
                if let Some(lower) = lower
                    && !regular.opened.load(Ordering::Relaxed)
                {
                    // Whether it can be read turns out now, not in the middle of a page.
                    lower.clone().open(task, OpenMode::LARGEFILE)?;
                    regular.opened.store(true, Ordering::Relaxed);
                }
                if mode.writes() {
                    // Pages may be written through mappings that nobody is told of.
                    self.take_over()?;
                }
                Ok(Box::new(RegularFile(self)))
            }
            (Body::Below, Some(lower)) => lower.clone().open(task, mode),
            _ => Err(ENXIO),
        }
    }

    fn opens_itself(&self) -> bool {
        matches!(self.body, Body::Below)
            && self
                .lower
                .as_ref()
                .is_some_and(|lower| lower.opens_itself())
    }

    fn written_through_mapping(&self) {
        // The write itself goes to the cache, whatever becomes of the times.
        let _ = self.modified();
    }

    fn mappable(&self) -> Option<Arc<dyn Mappable>> {
        let regular = self.regular().ok()?;
        Some(regular.cache.clone())
    }

    fn xattr(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        match self.own_xattr(name) {
            Some(own) => own.ok_or(ENODATA),
            None => self.lower_xattr(name),
        }
    }

    fn set_xattr(&self, name: &[u8], value: &[u8], mode: XattrMode) -> Result<(), Errno> {
        match mode {
            XattrMode::Set => {}
            XattrMode::Create if self.has_xattr(name)? => return Err(EEXIST),
            XattrMode::Replace if !self.has_xattr(name)? => return Err(ENODATA),
            XattrMode::Create | XattrMode::Replace => {}
        }
        self.change(|meta| {
            meta.xattrs.insert(name.to_vec(), Some(value.to_vec()));
            meta.ctime = now_realtime();
        })
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<(), Errno> {
        if !self.has_xattr(name)? {
            return Err(ENODATA);
        }
        let is_new = self.lower.is_none();
        self.change(|meta| {
            if is_new {
                meta.xattrs.remove(name);
            } else {
                meta.xattrs.insert(name.to_vec(), None);
            }
            meta.ctime = now_realtime();
        })
    }

    fn list_xattr(&self) -> Result<Vec<Vec<u8>>, Errno> {
        let mut names = match &self.lower {
            Some(lower) => lower.list_xattr()?,
            None => Vec::new(),
        };
        if let Some(meta) = self.meta.lock().as_ref() {
            names.retain(|name| !meta.xattrs.contains_key(name));
            let own = meta.xattrs.iter().filter(|(_, value)| value.is_some());
            names.extend(own.map(|(name, _)| name.clone()));
        }
        Ok(names)
    }

    fn allocate(&self, mode: u32, offset: u64, len: u64) -> Result<(), Errno> {
        const KEEP_SIZE: u32 = 1;
        const PUNCH_HOLE: u32 = 2;
        let regular = self.regular().map_err(|_| ENODEV)?;
        let end = offset.checked_add(len).ok_or(EFBIG)?;
        self.take_over()?;
        let _writer = regular.writer.lock();
        match mode {
            0 => {
                regular.cache.reserve(offset, end)?;
                regular.cache.grow(end);
            }
            KEEP_SIZE => regular.cache.reserve(offset, end)?,
            m if m == KEEP_SIZE | PUNCH_HOLE => regular.cache.punch(offset, end)?,
            _ => return Err(EOPNOTSUPP),
        }
        self.modified()
    }

    fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for OverlayInode {
    /// Lets go of what is below one by one: a guest can build a tree deeper than a stack.
    fn drop(&mut self) {
        if let Some(lower) = &self.lower {
            self.shared.registry.dropped(lower);
        }
        if self.is_root {
            self.shared.registry.release_all();
        }
        let children = |inode: &mut OverlayInode| match &mut inode.body {
            Body::Dir(dir) => Some(dir.get_mut().take_all()),
            _ => None,
        };
        let mut work: Vec<Arc<OverlayInode>> = children(self).into_iter().flatten().collect();
        while let Some(child) = work.pop() {
            if let Some(mut child) = Arc::into_inner(child) {
                work.extend(children(&mut child).into_iter().flatten());
            }
        }
    }
}
