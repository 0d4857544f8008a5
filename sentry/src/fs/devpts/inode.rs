//! The directory and its nodes.

use std::any::Any;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::errno::{EINVAL, EISDIR, ENOENT, ENXIO};

use crate::kernel::Kernel;
use crate::sync::{Level, Mutex};
use crate::task::Current;
use crate::time::now_realtime;
use crate::tty::{PTMX, SLAVE_MAJOR};
use crate::vfs::{
    Attachments, Attr, DeviceNumber, DirEntry, DirSink, File, FileKind, FileName, FileOps, Inode,
    InodeRef, Mode, OpenMode, SeekFrom, SetAttr, SetTime, Sink, SuperBlock, Timestamp,
};

/// Whom a node belongs to.
#[derive(Clone, Copy)]
struct NodeOwner {
    uid: u32,
    gid: u32,
    mode: Mode,
}

/// What new slaves are given; the owner's own ids where there is none.
#[derive(Clone, Copy)]
pub(super) struct NewNodes {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mode: Mode,
}

struct Meta {
    owner: NodeOwner,
    times: [Timestamp; 3],
}

/// The parts that directory and nodes share.
struct Base {
    super_block: Arc<SuperBlock>,
    ino: u64,
    meta: Mutex<Meta>,
    attachments: Attachments,
}

/// The root.
pub(super) struct Dir {
    base: Base,
    kernel: Weak<Kernel>,
    new_nodes: NewNodes,
    ptmx: Arc<Node>,
    /// Nodes that were looked at, so that chmod(2) lasts as long as the terminal.
    slaves: Mutex<HashMap<u32, Arc<Node>>>,
}

/// ptmx or a slave.
struct Node {
    base: Base,
    number: DeviceNumber,
}

struct OpenDir(Arc<Dir>);

const ROOT_INO: u64 = 1;
const PTMX_INO: u64 = 2;
/// Number 0 has this inode number, the others follow.
const FIRST_SLAVE_INO: u64 = 3;

impl Base {
    fn new(super_block: &Arc<SuperBlock>, ino: u64, owner: NodeOwner) -> Self {
        let meta = Meta {
            owner,
            times: [now_realtime(); 3],
        };
        Base {
            super_block: super_block.clone(),
            ino,
            meta: Mutex::new(Level::Leaf, meta),
            attachments: Attachments::default(),
        }
    }

    fn attr(&self, kind: FileKind, rdev: DeviceNumber, nlink: u32) -> Attr {
        let meta = self.meta.lock();
        let [atime, mtime, ctime] = meta.times;
        Attr {
            dev: self.super_block.dev,
            ino: self.ino,
            kind,
            mode: meta.owner.mode,
            nlink,
            uid: meta.owner.uid,
            gid: meta.owner.gid,
            rdev,
            size: 0,
            blocks: 0,
            blksize: 1024,
            atime,
            mtime,
            ctime,
            btime: ctime,
        }
    }

    fn set_attr(&self, set: &SetAttr) -> Result<(), Errno> {
        // O_TRUNC on a terminal has no effect.
        let now = now_realtime();
        let at = |time| match time {
            SetTime::Now => now,
            SetTime::To(at) => at,
        };
        let mut meta = self.meta.lock();
        let owner = &mut meta.owner;
        owner.mode = set.mode.unwrap_or(owner.mode);
        owner.uid = set.uid.unwrap_or(owner.uid);
        owner.gid = set.gid.unwrap_or(owner.gid);
        let [atime, mtime, _] = meta.times;
        meta.times = [
            set.atime.map_or(atime, at),
            set.mtime.map_or(mtime, at),
            now,
        ];
        Ok(())
    }
}

impl Dir {
    pub(super) fn make(
        super_block: Arc<SuperBlock>,
        kernel: Weak<Kernel>,
        new_nodes: NewNodes,
        (root, ptmx_mode): ((u32, u32), Mode),
    ) -> InodeRef {
        let owner = |mode| NodeOwner {
            uid: root.0,
            gid: root.1,
            mode,
        };
        let ptmx = Arc::new(Node {
            base: Base::new(&super_block, PTMX_INO, owner(ptmx_mode)),
            number: PTMX,
        });
        Arc::new(Dir {
            base: Base::new(&super_block, ROOT_INO, owner(Mode::from_raw(0o755))),
            kernel,
            new_nodes,
            ptmx,
            slaves: Mutex::new(Level::Inode, HashMap::new()),
        })
    }

    fn numbers(&self) -> Vec<u32> {
        self.kernel.upgrade().map_or_else(Vec::new, |kernel| {
            kernel.ptys.list(self.base.super_block.dev)
        })
    }

    fn slave(&self, index: u32) -> Result<Arc<Node>, Errno> {
        let kernel = self.kernel.upgrade().ok_or(ENOENT)?;
        let instance = self.base.super_block.dev;
        let opener = kernel.ptys.get(instance, index).map_err(|_| ENOENT)?;
        let opener = opener.owner;
        let owner = NodeOwner {
            uid: self.new_nodes.uid.unwrap_or(opener.0),
            gid: self.new_nodes.gid.unwrap_or(opener.1),
            mode: self.new_nodes.mode,
        };
        let numbers = self.numbers();
        let mut slaves = self.slaves.lock();
        slaves.retain(|index, _| numbers.contains(index));
        let make = || {
            let number = DeviceNumber {
                major: SLAVE_MAJOR,
                minor: index,
            };
            let ino = FIRST_SLAVE_INO + u64::from(index);
            Arc::new(Node {
                base: Base::new(&self.base.super_block, ino, owner),
                number,
            })
        };
        Ok(slaves.entry(index).or_insert_with(make).clone())
    }
}

impl Inode for Dir {
    fn super_block(&self) -> &Arc<SuperBlock> {
        &self.base.super_block
    }

    fn kind(&self) -> FileKind {
        FileKind::Directory
    }

    fn ino(&self) -> u64 {
        self.base.ino
    }

    fn attr(&self) -> Result<Attr, Errno> {
        Ok(self
            .base
            .attr(FileKind::Directory, DeviceNumber::default(), 2))
    }

    fn set_attr(&self, set: &SetAttr) -> Result<(), Errno> {
        self.base.set_attr(set)
    }

    fn lookup(&self, name: &FileName) -> Result<InodeRef, Errno> {
        if name.as_bytes() == b"ptmx" {
            return Ok(self.ptmx.clone());
        }
        let text = std::str::from_utf8(name.as_bytes()).map_err(|_| ENOENT)?;
        let index: u32 = text.parse().map_err(|_| ENOENT)?;
        if index.to_string() != text {
            return Err(ENOENT);
        }
        Ok(self.slave(index)?)
    }

    fn open(self: Arc<Self>, _: &Current, _: OpenMode) -> Result<Box<dyn FileOps>, Errno> {
        Ok(Box::new(OpenDir(self)))
    }

    fn attachments(&self) -> &Attachments {
        &self.base.attachments
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Inode for Node {
    fn super_block(&self) -> &Arc<SuperBlock> {
        &self.base.super_block
    }

    fn kind(&self) -> FileKind {
        FileKind::CharDevice
    }

    fn ino(&self) -> u64 {
        self.base.ino
    }

    fn attr(&self) -> Result<Attr, Errno> {
        Ok(self.base.attr(FileKind::CharDevice, self.number, 1))
    }

    fn set_attr(&self, set: &SetAttr) -> Result<(), Errno> {
        self.base.set_attr(set)
    }

    /// Device numbers lead to the terminals; see [`crate::fs::dev`].
    fn open(self: Arc<Self>, _: &Current, _: OpenMode) -> Result<Box<dyn FileOps>, Errno> {
        Err(ENXIO)
    }

    fn attachments(&self) -> &Attachments {
        &self.base.attachments
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl FileOps for OpenDir {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, _: &mut Sink<'_>, _: u64) -> Result<usize, Errno> {
        Err(EISDIR)
    }

    fn seek(&self, _: &File, from: SeekFrom) -> Result<u64, Errno> {
        match from {
            SeekFrom::Start(pos) => Ok(pos),
            _ => Err(EINVAL),
        }
    }

    /// Positions: 0 ".", 1 "..", 2 ptmx, then 3 and the number.
    fn read_dir(&self, file: &File, pos: u64, sink: &mut DirSink<'_>) -> Result<u64, Errno> {
        let dir = &self.0;
        let parent = file.location.dentry.place.get().parent;
        let parent = parent.map_or(ROOT_INO, |parent| parent.inode().ino());
        let mut entries = vec![
            (0, b".".to_vec(), ROOT_INO, FileKind::Directory),
            (1, b"..".to_vec(), parent, FileKind::Directory),
            (2, b"ptmx".to_vec(), PTMX_INO, FileKind::CharDevice),
        ];
        entries.extend(dir.numbers().into_iter().map(|index| {
            let ino = FIRST_SLAVE_INO + u64::from(index);
            (
                ino,
                index.to_string().into_bytes(),
                ino,
                FileKind::CharDevice,
            )
        }));
        let (start, mut pos) = (pos, pos);
        for (at, name, ino, kind) in entries.into_iter().skip_while(|entry| entry.0 < start) {
            if let ControlFlow::Break(()) = sink(DirEntry {
                name: &name,
                ino,
                kind,
                next: at + 1,
            }) {
                return Ok(at);
            }
            pos = at + 1;
        }
        Ok(pos)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
