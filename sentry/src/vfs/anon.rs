//! Files without a name: pipes, sockets, eventfds, epolls. They live on internal mounts
//! that no path leads to.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use syscalls::Errno;
use syscalls::errno::{EINVAL, ENXIO};

use super::{
    Attachments, Attr, Dentry, DeviceNumber, File, FileKind, FileOps, FileSystem, FsInfo, Inode,
    Location, Mode, Mount, MountFlags, OpenMode, SuperBlock,
};
use crate::pipe::{End, Pipe, PipeEnd};
use crate::sync::{Level, Mutex};
use crate::task::{Current, Task};
use crate::time::now_realtime;
use crate::vfs::{SetAttr, SetTime, Timestamp};

/// Which family an anonymous file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnonKind {
    /// Pipes: shown as `pipe:[ino]`.
    Pipe,
    /// Sockets: shown as `socket:[ino]`.
    Socket,
    /// All else, by its name: shown as `anon_inode:[eventfd]`.
    Inode(&'static str),
}

struct AnonFs {
    name: &'static str,
    magic: u64,
}

impl FileSystem for AnonFs {
    fn name(&self) -> &'static str {
        self.name
    }

    fn info(&self) -> Result<FsInfo, Errno> {
        Ok(FsInfo {
            magic: self.magic,
            block_size: 4096,
            name_max: 255,
            ..FsInfo::default()
        })
    }
}

/// The inode of an anonymous file.
pub struct AnonInode {
    super_block: Arc<SuperBlock>,
    ino: u64,
    kind: FileKind,
    meta: Mutex<Meta>,
    attachments: Attachments,
}

struct Meta {
    mode: Mode,
    uid: u32,
    gid: u32,
    atime: Timestamp,
    mtime: Timestamp,
    ctime: Timestamp,
}

impl AnonKind {
    /// The internal mount of the family.
    fn mount(self) -> &'static Arc<Mount> {
        static PIPES: OnceLock<Arc<Mount>> = OnceLock::new();
        static SOCKETS: OnceLock<Arc<Mount>> = OnceLock::new();
        static INODES: OnceLock<Arc<Mount>> = OnceLock::new();
        let (slot, name, magic) = match self {
            AnonKind::Pipe => (&PIPES, "pipefs", 0x5049_5045),
            AnonKind::Socket => (&SOCKETS, "sockfs", 0x534f_434b),
            AnonKind::Inode(_) => (&INODES, "anon_inodefs", 0x0904_1934),
        };
        slot.get_or_init(|| {
            let super_block = SuperBlock::new(Box::new(AnonFs { name, magic }), name);
            let root = AnonInode::new(
                &super_block,
                FileKind::Directory,
                Mode::from_raw(0o555),
                (0, 0),
            );
            Mount::new(Dentry::root(root), MountFlags::default())
        })
    }

    fn file_kind(self) -> FileKind {
        match self {
            AnonKind::Pipe => FileKind::Fifo,
            AnonKind::Socket => FileKind::Socket,
            AnonKind::Inode(_) => FileKind::Untyped,
        }
    }

    fn mode(self) -> Mode {
        Mode::from_raw(if self == AnonKind::Socket {
            0o777
        } else {
            0o600
        })
    }

    /// A place for one or more open files: a fresh inode and the dentry that names it.
    #[must_use]
    pub fn place(self, task: &Task) -> Location {
        let mount = self.mount();
        let creds = task.creds.get();
        let owner = (creds.uid.fs, creds.gid.fs);
        let inode = AnonInode::new(&mount.super_block, self.file_kind(), self.mode(), owner);
        let name = match self {
            AnonKind::Pipe => format!("pipe:[{}]", inode.ino),
            AnonKind::Socket => format!("socket:[{}]", inode.ino),
            AnonKind::Inode(name) => format!("anon_inode:{name}"),
        };
        Location {
            mount: mount.clone(),
            dentry: Dentry::anonymous(inode, &name),
        }
    }

    /// A single anonymous file.
    #[must_use]
    pub fn open(self, task: &Task, ops: Box<dyn FileOps>, mode: OpenMode) -> Arc<File> {
        File::new(self.place(task), ops, mode)
    }
}

impl AnonInode {
    fn new(
        super_block: &Arc<SuperBlock>,
        kind: FileKind,
        mode: Mode,
        owner: (u32, u32),
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let now = now_realtime();
        let meta = Meta {
            mode,
            uid: owner.0,
            gid: owner.1,
            atime: now,
            mtime: now,
            ctime: now,
        };
        Arc::new(AnonInode {
            super_block: super_block.clone(),
            ino: NEXT.fetch_add(1, Ordering::Relaxed),
            kind,
            meta: Mutex::new(Level::Leaf, meta),
            attachments: Attachments::default(),
        })
    }
}

impl Inode for AnonInode {
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
        let meta = self.meta.lock();
        Ok(Attr {
            dev: self.super_block.dev,
            ino: self.ino,
            kind: self.kind,
            mode: meta.mode,
            nlink: 1,
            uid: meta.uid,
            gid: meta.gid,
            rdev: DeviceNumber::default(),
            size: 0,
            blocks: 0,
            blksize: 4096,
            atime: meta.atime,
            mtime: meta.mtime,
            ctime: meta.ctime,
            btime: meta.ctime,
        })
    }

    fn set_attr(&self, set: &SetAttr) -> Result<(), Errno> {
        if set.size.is_some() {
            return Err(EINVAL);
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
        meta.mtime = set.mtime.map_or(meta.mtime, at);
        meta.ctime = now;
        Ok(())
    }

    /// Through /proc/PID/fd: only a pipe can be opened again.
    fn open(self: Arc<Self>, _: &Current, mode: OpenMode) -> Result<Box<dyn FileOps>, Errno> {
        let pipe = self.attachments.get::<Pipe>().ok_or(ENXIO)?;
        let end = End::of(mode).ok_or(EINVAL)?;
        Ok(Box::new(PipeEnd::new(pipe, end)))
    }

    /// Unlike a FIFO, a pipe does not wait for somebody at its other end.
    fn opens_itself(&self) -> bool {
        true
    }

    fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
