//! What stat(2) tells of a host descriptor.

use std::any::Any;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::stat::fstat;
use nix::unistd::ftruncate;
use platform::host;
use syscalls::Errno;
use syscalls::errno::{EACCES, EINVAL, EIO, ENXIO, EPERM};

use super::descriptor::{Descriptor, Waits};
use super::file::Stream;
use super::stored::{Position, Stored};
use super::{Watcher, mode_of};
use crate::task::Current;
use crate::vfs::{
    Attachments, Attr, DeviceNumber, FileKind, FileOps, FileSystem, FsInfo, Inode, Mode, OpenMode,
    SetAttr, SuperBlock, Timestamp,
};

pub(super) struct HostFs;

impl FileSystem for HostFs {
    fn name(&self) -> &'static str {
        "host"
    }

    fn info(&self) -> Result<FsInfo, Errno> {
        Ok(FsInfo {
            block_size: 4096,
            name_max: 255,
            ..FsInfo::default()
        })
    }
}

pub(super) struct HostInode {
    super_block: Arc<SuperBlock>,
    /// `None` for the directory that holds the mount together.
    descriptor: Option<Arc<Descriptor>>,
    kind: FileKind,
    ino: u64,
    attachments: Attachments,
}

/// Regular files and devices of blocks have positions and are always ready.
fn is_stored(kind: FileKind) -> bool {
    matches!(kind, FileKind::Regular | FileKind::BlockDevice)
}

fn time(sec: i64, nsec: i64) -> Timestamp {
    i128::from(sec) * 1_000_000_000 + i128::from(nsec)
}

impl HostInode {
    pub(super) fn directory(super_block: &Arc<SuperBlock>) -> Arc<Self> {
        Arc::new(HostInode {
            super_block: super_block.clone(),
            descriptor: None,
            kind: FileKind::Directory,
            ino: 1,
            attachments: Attachments::default(),
        })
    }

    pub(super) fn new(
        super_block: &Arc<SuperBlock>,
        fd: OwnedFd,
        watcher: &Watcher,
    ) -> Result<Arc<Self>, Errno> {
        let stat = fstat(&fd).map_err(host::errno)?;
        let kind = FileKind::from_mode(stat.st_mode).ok_or(EIO)?;
        let waits = if is_stored(kind) {
            Waits::Never
        } else {
            Waits::Maybe
        };
        Ok(Arc::new(HostInode {
            super_block: super_block.clone(),
            kind,
            ino: stat.st_ino,
            descriptor: Some(Arc::new(Descriptor::new(fd, watcher, waits))),
            attachments: Attachments::default(),
        }))
    }

    fn descriptor(&self) -> Result<&Arc<Descriptor>, Errno> {
        self.descriptor.as_ref().ok_or(EIO)
    }

    pub(super) fn open_mode(&self) -> Result<OpenMode, Errno> {
        fcntl(self.descriptor()?.fd(), FcntlArg::F_GETFL)
            .map(mode_of)
            .map_err(host::errno)
    }

    /// An open file of the descriptor.
    pub(super) fn file(&self, position: Position) -> Result<Box<dyn FileOps>, Errno> {
        let descriptor = self.descriptor()?.clone();
        Ok(if is_stored(self.kind) {
            Box::new(Stored::new(descriptor, position))
        } else {
            Box::new(Stream(descriptor))
        })
    }

    /// What /proc/PID/fd shows: the host's own name stays outside.
    pub(super) fn shown_name(&self, index: usize) -> String {
        match self.kind {
            FileKind::Fifo => format!("pipe:[{}]", self.ino),
            FileKind::Socket => format!("socket:[{}]", self.ino),
            _ => format!("host:[{index}]"),
        }
    }
}

impl Inode for HostInode {
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
        let stat = fstat(self.descriptor()?.fd()).map_err(host::errno)?;
        Ok(Attr {
            dev: self.super_block.dev,
            ino: stat.st_ino,
            kind: self.kind,
            mode: Mode::from_raw(stat.st_mode),
            nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
            uid: stat.st_uid,
            gid: stat.st_gid,
            rdev: DeviceNumber::from_raw(stat.st_rdev),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            blocks: u64::try_from(stat.st_blocks).unwrap_or(0),
            blksize: u32::try_from(stat.st_blksize).unwrap_or(4096),
            atime: time(stat.st_atime, stat.st_atime_nsec),
            mtime: time(stat.st_mtime, stat.st_mtime_nsec),
            ctime: time(stat.st_ctime, stat.st_ctime_nsec),
            btime: time(stat.st_ctime, stat.st_ctime_nsec),
        })
    }

    /// truncate(2); the rest of a host file's attributes is not the sandbox's to change.
    fn set_attr(&self, set: &SetAttr) -> Result<(), Errno> {
        let size = set.size.ok_or(EPERM)?;
        let size = i64::try_from(size).map_err(|_| EINVAL)?;
        ftruncate(self.descriptor()?.fd(), size).map_err(host::errno)
    }

    /// Differs from Linux: not for more than the descriptor itself is open for.
    fn open(self: Arc<Self>, _: &Current, mode: OpenMode) -> Result<Box<dyn FileOps>, Errno> {
        let may = self.open_mode()?;
        if self.kind == FileKind::Socket {
            return Err(ENXIO);
        }
        if (mode.reads() && !may.reads()) || (mode.writes() && !may.writes()) {
            return Err(EACCES.why("a host descriptor is opened again for more"));
        }
        self.file(Position::Own)
    }

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
