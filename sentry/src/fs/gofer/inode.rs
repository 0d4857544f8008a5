//! Inodes.

use std::any::Any;
use std::sync::{Arc, OnceLock, Weak};

use gofer::{
    Access, Attr as HostAttr, FallocateMode, Fsync, Handle, Rename, SetAttr as HostSetAttr,
};
use syscalls::Errno;
use syscalls::errno::{EFBIG, EINVAL, EMFILE, ENODATA, ENODEV, ENOENT, ENXIO, EXDEV};

use super::backing::HostData;
use super::capabilities::{CAPABILITIES, KnownAbsent};
use super::dir::DirFile;
use super::file::RegularFile;
use super::handle::LazyHandle;
use super::{Number, Tree, convert, number};
use crate::fs::page_cache::PageCache;
use crate::mm::Mappable;
use crate::sync::{Level, Mutex};
use crate::task::Current;
use crate::time::now_realtime;
use crate::vfs::{
    Attachments, Attr, DeviceNumber, FileKind, FileName, FileOps, Inode, InodeRef, LinkTarget,
    Listing, Mode, NewNode, OpenMode, Owner, RenameMode, SetAttr, SuperBlock, Timestamp, XattrMode,
};

/// A file of the host.
pub(crate) struct GoferInode {
    pub(super) tree: Arc<Tree>,
    super_block: Arc<SuperBlock>,
    pub(super) handle: LazyHandle,
    number: Number,
    kind: FileKind,
    ino: u64,
    meta: Mutex<Meta>,
    /// Regular files only.
    pub(super) data: Option<Data>,
    pub(super) listing: Mutex<Option<Arc<Listing>>>,
    attachments: Attachments,
    /// Where a symbolic link leads: never changes.
    link: OnceLock<Vec<u8>>,
    capabilities: KnownAbsent,
    pub(super) this: Weak<GoferInode>,
}

pub(super) struct Data {
    pub(super) cache: Arc<PageCache>,
    pub(super) host: Arc<HostData>,
    /// Held by writers and truncation.
    pub(super) writer: Mutex<()>,
    /// Held while pages go to the host, so that truncation does not meet old ones.
    flushing: Mutex<()>,
    /// A write-back failed, and nobody has been told.
    failed: Mutex<Option<Errno>>,
}

struct Meta {
    host: HostAttr,
    /// `host` has to be asked for again.
    stale: bool,
    /// When data changed here and not yet there.
    written: Option<Timestamp>,
}

impl GoferInode {
    pub(super) fn new(
        tree: &Arc<Tree>,
        super_block: &Arc<SuperBlock>,
        handle: LazyHandle,
        attr: HostAttr,
    ) -> Arc<Self> {
        let kind = convert::kind(&attr);
        let data = |this: &Weak<GoferInode>| {
            let host = Arc::new(HostData::new(&tree.client, &tree.memory, this.clone()));
            Data {
                cache: Arc::new(PageCache::new(
                    tree.memory.clone(),
                    Some(host.clone()),
                    None,
                    attr.size,
                )),
                host,
                writer: Mutex::new(Level::Inode, ()),
                flushing: Mutex::new(Level::FileLocks, ()),
                failed: Mutex::new(Level::Leaf, None),
            }
        };
        Arc::new_cyclic(|this| GoferInode {
            tree: tree.clone(),
            super_block: super_block.clone(),
            handle,
            number: number(&attr),
            kind,
            ino: attr.ino,
            meta: Mutex::new(
                Level::Leaf,
                Meta {
                    host: attr,
                    stale: false,
                    written: None,
                },
            ),
            data: (kind == FileKind::Regular).then(|| data(this)),
            listing: Mutex::new(Level::Leaf, None),
            attachments: Attachments::default(),
            link: OnceLock::new(),
            capabilities: KnownAbsent::default(),
            this: this.clone(),
        })
    }

    /// Asks for what `name` leads to; it has its handle then.
    pub(super) fn walk(&self, name: &FileName) -> Result<Arc<GoferInode>, Errno> {
        let dir = self.handle()?;
        let walked = self.tree.ask(|client| {
            let walked = client.walk(dir, &[name.as_bytes()])?;
            match walked.stop {
                Some(EMFILE) if walked.found.is_empty() => Err(EMFILE),
                _ => Ok(walked),
            }
        })?;
        match walked.found.into_iter().next() {
            Some(found) => Ok(self.wrap(found)),
            None => Err(walked.stop.unwrap_or(ENOENT)),
        }
    }

    /// What `name` leads to, if that is known without asking for it alone.
    fn told(&self, name: &FileName) -> Option<Arc<GoferInode>> {
        if self.tree.is_shared() {
            return None;
        }
        let (dir, dev) = (self.handle.get()?, self.number.0);
        let attr = self
            .tree
            .ahead
            .take(&self.tree.client, dir, dev, name.as_bytes())?;
        self.tree.told(self, name, attr)
    }

    pub(super) fn wrap(&self, (handle, attr): (Handle, HostAttr)) -> Arc<GoferInode> {
        self.tree.inode(&self.super_block, &self.tree, handle, attr)
    }

    /// Attributes as the Gofer just told them.
    fn learn(&self, host: HostAttr) {
        let mut meta = self.meta.lock();
        meta.host = host;
        meta.stale = false;
    }

    /// The next stat(2) asks the Gofer again.
    pub(super) fn forget_attr(&self) {
        self.meta.lock().stale = true;
    }

    /// What `name` in this directory leads to changed.
    fn entry_changed(&self, name: &FileName) {
        self.forget_attr();
        *self.listing.lock() = None;
        if let Some(dir) = self.handle.get() {
            self.tree.ahead.changed(dir, name.as_bytes());
        }
    }

    /// The host's view, asked for again where it may be old. A shared file that changed
    /// outside loses its cached pages.
    fn host_attr(&self) -> Result<HostAttr, Errno> {
        let (known, stale) = {
            let meta = self.meta.lock();
            (meta.host, meta.stale || self.tree.is_shared())
        };
        if !stale {
            return Ok(known);
        }
        let fresh = self.tree.client.getattr(self.handle()?)?;
        self.learn(fresh);
        if self.tree.is_shared()
            && let Some(data) = &self.data
            && (fresh.mtime, fresh.size) != (known.mtime, known.size)
            && !data.cache.is_dirty()
        {
            data.cache.size_changed_outside(fresh.size);
            data.cache.drop_clean();
        }
        Ok(fresh)
    }

    /// Brings a shared file's size and pages up to date.
    pub(super) fn revalidate(&self) -> Result<(), Errno> {
        if self.tree.is_shared() {
            self.host_attr().map(drop)
        } else {
            Ok(())
        }
    }

    pub(super) fn data(&self) -> Result<&Data, Errno> {
        self.data.as_ref().ok_or(EINVAL)
    }

    /// Data was written to the cache.
    pub(super) fn written(&self) -> Result<(), Errno> {
        self.will_write();
        if self.tree.is_shared() {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// There is something to write back, if that is not known already.
    pub(super) fn will_write(&self) {
        let known = self.meta.lock().written.replace(now_realtime()).is_some();
        if !known && let Some(this) = self.this.upgrade() {
            self.tree.write_back.add(&this);
        }
    }

    /// Writes what is dirty to the host, and when it was written. An error is kept for
    /// fsync(2) too.
    pub(super) fn flush(&self) -> Result<(), Errno> {
        let Some(data) = &self.data else {
            return Ok(());
        };
        let result = self.try_flush(data);
        if let Err(error) = result {
            data.failed.lock().get_or_insert(error);
            // What is dirty still is, and is tried again.
            self.will_write();
        }
        result
    }

    fn try_flush(&self, data: &Data) -> Result<(), Errno> {
        let _flushing = data.flushing.lock();
        let written = self.meta.lock().written.take();
        let mode = self.set_id_mode();
        data.cache.write_back()?;
        if let Some(at) = written {
            let mtime = gofer::SetTime::At(convert::host_time(at));
            let host = self.tree.client.setattr(
                self.handle()?,
                &HostSetAttr {
                    mode,
                    mtime,
                    ..HostSetAttr::default()
                },
            )?;
            self.learn(host);
        }
        Ok(())
    }

    fn as_gofer<'a>(&self, inode: &'a InodeRef) -> Result<&'a GoferInode, Errno> {
        let other = inode.as_any().downcast_ref::<GoferInode>().ok_or(EXDEV)?;
        if Arc::ptr_eq(&self.tree, &other.tree) {
            Ok(other)
        } else {
            Err(EXDEV)
        }
    }

    /// The mode, if it has set-id bits. The host takes them away whenever the Gofer writes
    /// or cuts the file; whether a guest loses them is decided before.
    fn set_id_mode(&self) -> Option<u32> {
        let mode = self.meta.lock().host.mode & 0o7777;
        (mode & 0o6000 != 0).then_some(mode)
    }

    fn set_size(&self, size: u64) -> Result<(), Errno> {
        let (data, handle) = (self.data()?, self.handle()?);
        let _writer = data.writer.lock();
        let _flushing = data.flushing.lock();
        let change = HostSetAttr {
            size: Some(size),
            mode: self.set_id_mode(),
            ..HostSetAttr::default()
        };
        let host = self.tree.client.setattr(handle, &change)?;
        self.learn(host);
        data.cache.resize(size);
        Ok(())
    }
}

impl Inode for GoferInode {
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
        let host = self.host_attr()?;
        let written = self.meta.lock().written;
        let (size, blocks) = match &self.data {
            // Data that is not written yet has no blocks on the host.
            Some(data) if written.is_some() => {
                let size = data.cache.size();
                (size, host.blocks.max(size.div_ceil(4096) * 8))
            }
            Some(data) => (data.cache.size(), host.blocks),
            None => (host.size, host.blocks),
        };
        let changed = |time| written.unwrap_or_else(|| convert::timestamp(time));
        Ok(Attr {
            dev: self.super_block.dev,
            ino: self.ino,
            kind: self.kind,
            mode: Mode::from_raw(host.mode),
            nlink: host.nlink,
            uid: host.uid,
            gid: host.gid,
            rdev: DeviceNumber::from_raw(host.rdev),
            size,
            blocks,
            blksize: u32::try_from(host.blksize).unwrap_or(4096),
            atime: convert::timestamp(host.atime),
            mtime: changed(host.mtime),
            ctime: changed(host.ctime),
            btime: convert::timestamp(host.btime),
        })
    }

    fn set_attr(&self, set: &SetAttr) -> Result<(), Errno> {
        if let Some(size) = set.size {
            self.set_size(size)?;
        }
        let rest = SetAttr { size: None, ..*set };
        if rest == SetAttr::default() {
            return Ok(());
        }
        if rest.mtime.is_some() {
            // What is set now comes after what was written before.
            self.flush()?;
        }
        let change = HostSetAttr {
            mode: rest.mode.map(|mode| mode.bits().into()),
            uid: rest.uid,
            gid: rest.gid,
            size: None,
            atime: convert::set_time(rest.atime),
            mtime: convert::set_time(rest.mtime),
        };
        let host = self.tree.client.setattr(self.handle()?, &change)?;
        self.learn(host);
        Ok(())
    }

    fn lookup(&self, name: &FileName) -> Result<InodeRef, Errno> {
        if let Some(told) = self.told(name) {
            return Ok(told);
        }
        let found = self.walk(name)?;
        if !self.tree.is_shared() {
            self.tree.ahead.asked(self.handle()?);
        }
        Ok(found)
    }

    fn list(&self) -> Result<Arc<Listing>, Errno> {
        self.read_all()
    }

    fn create(&self, name: &FileName, node: NewNode<'_>, owner: Owner) -> Result<InodeRef, Errno> {
        let (dir, entry) = (self.handle()?, name.as_bytes());
        let mode = u32::from(owner.mode.bits());
        let host = gofer::Owner {
            uid: owner.uid,
            gid: owner.gid,
        };
        let opened = matches!(node, NewNode::Regular);
        let made = self.tree.ask(|client| match &node {
            NewNode::Regular => client.create(dir, entry, mode, host),
            NewNode::Directory => client.mkdir(dir, entry, mode, host),
            NewNode::Symlink(text) => client.symlink(dir, entry, text, host),
            NewNode::Fifo => client.mknod(dir, entry, FileKind::Fifo.bits() | mode, 0, host),
            NewNode::Socket => client.mknod(dir, entry, FileKind::Socket.bits() | mode, 0, host),
            NewNode::Device(kind, number) => {
                client.mknod(dir, entry, kind.bits() | mode, number.to_raw(), host)
            }
        })?;
        self.entry_changed(name);
        let inode = self.wrap(made);
        if opened && let Some(data) = &inode.data {
            data.host.opened.both();
        }
        Ok(inode)
    }

    fn create_unnamed(&self, owner: Owner) -> Result<InodeRef, Errno> {
        let host = gofer::Owner {
            uid: owner.uid,
            gid: owner.gid,
        };
        let made =
            self.tree
                .client
                .create_unnamed(self.handle()?, owner.mode.bits().into(), host)?;
        let inode = self.wrap(made);
        if let Some(data) = &inode.data {
            data.host.opened.both();
        }
        Ok(inode)
    }

    fn link(&self, name: &FileName, target: &InodeRef) -> Result<(), Errno> {
        let other = self.as_gofer(target)?;
        let attr = self
            .tree
            .client
            .link(other.handle()?, self.handle()?, name.as_bytes())?;
        other.learn(attr);
        self.entry_changed(name);
        Ok(())
    }

    fn unlink(&self, name: &FileName, child: &InodeRef) -> Result<(), Errno> {
        if let Ok(child) = self.as_gofer(child) {
            child.handle()?;
        }
        self.tree.client.unlink(self.handle()?, name.as_bytes())?;
        self.entry_changed(name);
        if let Ok(child) = self.as_gofer(child) {
            let last = child.meta.lock().host.nlink <= 1;
            child.forget_attr();
            if last && let Some(child) = child.this.upgrade() {
                // Whoever has it open still reads and writes the cache.
                self.tree.write_back.remove(&child);
            }
        }
        Ok(())
    }

    fn rmdir(&self, name: &FileName, child: &InodeRef) -> Result<(), Errno> {
        self.tree.client.rmdir(self.handle()?, name.as_bytes())?;
        self.entry_changed(name);
        if let Ok(child) = self.as_gofer(child) {
            child.forget_attr();
        }
        Ok(())
    }

    fn rename(
        &self,
        name: &FileName,
        new_dir: &InodeRef,
        new_name: &FileName,
        mode: RenameMode,
    ) -> Result<(), Errno> {
        let to = self.as_gofer(new_dir)?;
        let how = match mode {
            RenameMode::Replace => Rename::Replace,
            RenameMode::NoReplace => Rename::NoReplace,
            RenameMode::Exchange => Rename::Exchange,
        };
        // Both with handles: their names are theirs no more.
        let moved = self.walk(name)?;
        let replaced = match mode {
            RenameMode::Replace | RenameMode::Exchange => to.walk(new_name).ok(),
            RenameMode::NoReplace => None,
        };
        self.tree.client.rename(
            self.handle()?,
            name.as_bytes(),
            to.handle()?,
            new_name.as_bytes(),
            how,
        )?;
        self.entry_changed(name);
        to.entry_changed(new_name);
        // One name less, and a new ctime for what moved.
        moved.forget_attr();
        if let Some(replaced) = replaced {
            replaced.forget_attr();
        }
        Ok(())
    }

    fn read_link(&self, _: &Current) -> Result<LinkTarget, Errno> {
        if let Some(text) = self.link.get() {
            return Ok(LinkTarget::Text(text.clone()));
        }
        let text = self.tree.client.readlink(self.handle()?)?;
        Ok(LinkTarget::Text(self.link.get_or_init(|| text).clone()))
    }

    fn open(self: Arc<Self>, _: &Current, mode: OpenMode) -> Result<Box<dyn FileOps>, Errno> {
        match self.kind {
            FileKind::Directory => Ok(Box::new(DirFile::new(self))),
            FileKind::Regular => {
                let data = self.data()?;
                let access = if mode.writes() {
                    Access::Write
                } else {
                    Access::Read
                };
                self.open_host(data, access)?;
                self.revalidate()?;
                Ok(Box::new(RegularFile(self)))
            }
            _ => Err(ENXIO),
        }
    }

    fn mappable(&self) -> Option<Arc<dyn Mappable>> {
        self.data
            .as_ref()
            .map(|data| data.cache.clone() as Arc<dyn Mappable>)
    }

    fn xattr(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        let ask = || self.tree.client.getxattr(self.handle()?, name);
        if name != CAPABILITIES || self.tree.is_shared() {
            ask()
        } else if self.capabilities.is_so() {
            Err(ENODATA)
        } else {
            self.capabilities.ask(ask)
        }
    }

    fn set_xattr(&self, name: &[u8], value: &[u8], mode: XattrMode) -> Result<(), Errno> {
        let mode = match mode {
            XattrMode::Set => gofer::XattrMode::Any,
            XattrMode::Create => gofer::XattrMode::Create,
            XattrMode::Replace => gofer::XattrMode::Replace,
        };
        self.tree
            .client
            .setxattr(self.handle()?, name, value, mode)?;
        self.capabilities.changed();
        self.forget_attr();
        Ok(())
    }

    fn remove_xattr(&self, name: &[u8]) -> Result<(), Errno> {
        self.tree.client.removexattr(self.handle()?, name)?;
        self.capabilities.changed();
        self.forget_attr();
        Ok(())
    }

    fn list_xattr(&self) -> Result<Vec<Vec<u8>>, Errno> {
        let names = self.tree.client.listxattr(self.handle()?)?;
        let names = names
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty());
        Ok(names.map(<[u8]>::to_vec).collect())
    }

    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        self.flush()?;
        let failed = self
            .data
            .as_ref()
            .and_then(|data| data.failed.lock().take());
        self.tree.client.fsync(
            self.handle()?,
            if data_only { Fsync::Data } else { Fsync::All },
        )?;
        failed.map_or(Ok(()), Err)
    }

    fn allocate(&self, mode: u32, offset: u64, len: u64) -> Result<(), Errno> {
        let data = self.data.as_ref().ok_or(ENODEV)?;
        let _writer = data.writer.lock();
        let end = offset.checked_add(len).ok_or(EFBIG)?;
        // The host's file is what changes: first it gets what it lacks, then the cache
        // forgets what may be different now.
        self.flush()?;
        data.host
            .opened
            .ensure(&self.tree.client, self.handle()?, Access::Write)?;
        let mode = FallocateMode::from_bits(mode).ok_or(syscalls::errno::EOPNOTSUPP)?;
        let host = self
            .tree
            .client
            .fallocate(self.handle()?, mode, offset, len)?;
        self.learn(host);
        if mode == FallocateMode::KEEP_SIZE | FallocateMode::PUNCH_HOLE {
            data.cache.punch(offset, end)?;
        } else if !(mode - FallocateMode::KEEP_SIZE).is_empty() {
            data.cache.drop_clean();
        }
        if host.size < data.cache.size() {
            data.cache.resize(host.size);
        } else {
            data.cache.grow(host.size);
        }
        Ok(())
    }

    fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for GoferInode {
    fn drop(&mut self) {
        self.tree.dropped(self.handle.get(), self.number);
    }
}
