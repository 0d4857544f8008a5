//! Inodes.

use std::any::Any;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EACCES, EINVAL, ENOTDIR, ENXIO, EPERM};

use crate::sync::{Level, Mutex};
use crate::task::Current;
use crate::time::now_realtime;
use crate::vfs::{
    Attachments, Attr, DeviceNumber, FileKind, FileName, FileOps, Inode, InodeRef, LinkTarget,
    NewNode, OpenMode, Owner, RenameMode, SetAttr, SetTime, SuperBlock, Timestamp,
};

/// What a synthetic inode does; [`Synthetic`] has the rest.
#[allow(unused_variables, reason = "defaults refuse whatever the arguments")]
pub trait Behaviour: Send + Sync + Sized + 'static {
    /// Owner and mode, where they are not the `stored` ones.
    fn owner(&self, stored: Owner) -> Result<Owner, Errno> {
        Ok(stored)
    }

    /// Corrects attributes: links (2 for directories, else 1), size (0), device (none).
    fn attr(&self, attr: &mut Attr) -> Result<(), Errno> {
        Ok(())
    }

    /// `EPERM` for attributes that cannot be changed. A new size never has an effect.
    fn check_change(&self, set: &SetAttr) -> Result<(), Errno> {
        Ok(())
    }

    /// See [`Inode::lookup`].
    fn lookup(&self, node: &Node, name: &FileName) -> Result<InodeRef, Errno> {
        Err(ENOTDIR)
    }

    /// See [`Inode::revalidate`].
    fn revalidate(
        &self,
        node: &Node,
        name: &FileName,
        cached: &InodeRef,
    ) -> Result<Option<InodeRef>, Errno> {
        let now = self.lookup(node, name)?;
        Ok((!Arc::ptr_eq(&now, cached)).then_some(now))
    }

    /// See [`Inode::create`].
    fn create(
        &self,
        node: &Node,
        name: &FileName,
        new: NewNode<'_>,
        owner: Owner,
    ) -> Result<InodeRef, Errno> {
        match new {
            NewNode::Regular => Err(EACCES),
            _ => Err(EPERM),
        }
    }

    /// See [`Inode::unlink`].
    fn unlink(&self, node: &Node, name: &FileName, child: &InodeRef) -> Result<(), Errno> {
        Err(EPERM)
    }

    /// See [`Inode::rmdir`].
    fn rmdir(&self, node: &Node, name: &FileName, child: &InodeRef) -> Result<(), Errno> {
        Err(EPERM)
    }

    /// See [`Inode::read_link`].
    fn read_link(&self, task: &Current) -> Result<LinkTarget, Errno> {
        Err(EINVAL)
    }

    /// See [`Inode::open`].
    fn open(
        inode: &Arc<Synthetic<Self>>,
        task: &Current,
        mode: OpenMode,
    ) -> Result<Box<dyn FileOps>, Errno> {
        Err(ENXIO)
    }

    /// See [`Inode::opens_itself`].
    fn opens_itself(&self) -> bool {
        false
    }
}

/// What all synthetic inodes have.
pub struct Node {
    super_block: Arc<SuperBlock>,
    ino: u64,
    kind: FileKind,
    meta: Mutex<Meta>,
    attachments: Attachments,
}

struct Meta {
    owner: Owner,
    atime: Timestamp,
    mtime: Timestamp,
    ctime: Timestamp,
}

impl Node {
    /// The file system.
    #[must_use]
    pub fn super_block(&self) -> &Arc<SuperBlock> {
        &self.super_block
    }

    /// The inode's number.
    #[must_use]
    pub fn ino(&self) -> u64 {
        self.ino
    }

    /// The stored owner and mode.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.meta.lock().owner
    }

    /// atime is now.
    pub fn accessed(&self) {
        self.meta.lock().atime = now_realtime();
    }

    /// mtime and ctime are now.
    pub fn modified(&self) {
        let now = now_realtime();
        let mut meta = self.meta.lock();
        meta.mtime = now;
        meta.ctime = now;
    }

    fn attr(&self) -> Attr {
        let meta = self.meta.lock();
        Attr {
            dev: self.super_block.dev,
            ino: self.ino,
            kind: self.kind,
            mode: meta.owner.mode,
            nlink: if self.kind == FileKind::Directory {
                2
            } else {
                1
            },
            uid: meta.owner.uid,
            gid: meta.owner.gid,
            rdev: DeviceNumber::default(),
            size: 0,
            blocks: 0,
            blksize: 1024,
            atime: meta.atime,
            mtime: meta.mtime,
            ctime: meta.ctime,
            btime: meta.ctime,
        }
    }

    fn set(&self, set: &SetAttr) {
        let now = now_realtime();
        let at = |time| match time {
            SetTime::Now => now,
            SetTime::To(at) => at,
        };
        let mut meta = self.meta.lock();
        meta.owner.mode = set.mode.unwrap_or(meta.owner.mode);
        meta.owner.uid = set.uid.unwrap_or(meta.owner.uid);
        meta.owner.gid = set.gid.unwrap_or(meta.owner.gid);
        meta.atime = set.atime.map_or(meta.atime, at);
        meta.mtime = set.mtime.map_or(meta.mtime, at);
        meta.ctime = now;
    }
}

/// A synthetic inode.
pub struct Synthetic<B> {
    /// What it has.
    pub node: Node,
    /// What it does.
    pub behaviour: B,
}

impl<B: Behaviour> Synthetic<B> {
    /// An inode made now, with a number that no other of `super_block` has.
    #[must_use]
    pub fn new(
        super_block: &Arc<SuperBlock>,
        ino: u64,
        kind: FileKind,
        owner: Owner,
        behaviour: B,
    ) -> Arc<Self> {
        let now = now_realtime();
        let meta = Meta {
            owner,
            atime: now,
            mtime: now,
            ctime: now,
        };
        Arc::new(Synthetic {
            node: Node {
                super_block: super_block.clone(),
                ino,
                kind,
                meta: Mutex::new(Level::Leaf, meta),
                attachments: Attachments::default(),
            },
            behaviour,
        })
    }
}

impl<B: Behaviour> Inode for Synthetic<B> {
    fn super_block(&self) -> &Arc<SuperBlock> {
        &self.node.super_block
    }

    fn kind(&self) -> FileKind {
        self.node.kind
    }

    fn ino(&self) -> u64 {
        self.node.ino
    }

    fn attr(&self) -> Result<Attr, Errno> {
        let mut attr = self.node.attr();
        let owner = self.owner()?;
        (attr.uid, attr.gid, attr.mode) = (owner.uid, owner.gid, owner.mode);
        self.behaviour.attr(&mut attr)?;
        Ok(attr)
    }

    fn set_attr(&self, set: &SetAttr) -> Result<(), Errno> {
        self.behaviour.check_change(set)?;
        self.node.set(set);
        Ok(())
    }

    fn lookup(&self, name: &FileName) -> Result<InodeRef, Errno> {
        self.behaviour.lookup(&self.node, name)
    }

    fn revalidate(&self, name: &FileName, cached: &InodeRef) -> Result<Option<InodeRef>, Errno> {
        self.behaviour.revalidate(&self.node, name, cached)
    }

    fn owner(&self) -> Result<Owner, Errno> {
        self.behaviour.owner(self.node.owner())
    }

    fn create(&self, name: &FileName, node: NewNode<'_>, owner: Owner) -> Result<InodeRef, Errno> {
        self.behaviour.create(&self.node, name, node, owner)
    }

    fn unlink(&self, name: &FileName, child: &InodeRef) -> Result<(), Errno> {
        self.behaviour.unlink(&self.node, name, child)
    }

    /// Names are what they are.
    fn rename(&self, _: &FileName, _: &InodeRef, _: &FileName, _: RenameMode) -> Result<(), Errno> {
        Err(EPERM)
    }

    fn rmdir(&self, name: &FileName, child: &InodeRef) -> Result<(), Errno> {
        self.behaviour.rmdir(&self.node, name, child)
    }

    fn read_link(&self, task: &Current) -> Result<LinkTarget, Errno> {
        self.behaviour.read_link(task)
    }

    fn open(self: Arc<Self>, task: &Current, mode: OpenMode) -> Result<Box<dyn FileOps>, Errno> {
        B::open(&self, task, mode)
    }

    fn opens_itself(&self) -> bool {
        self.behaviour.opens_itself()
    }

    fn attachments(&self) -> &Attachments {
        &self.node.attachments
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A symbolic link with a text.
pub(super) struct Symlink(pub(super) String);

impl Behaviour for Symlink {
    fn read_link(&self, _: &Current) -> Result<LinkTarget, Errno> {
        Ok(LinkTarget::Text(self.0.as_bytes().to_vec()))
    }
}
