//! Open file descriptions, open(2).

use std::any::Any;
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bitflags::bitflags;
use syscalls::abi::fs::F_OWNER_PID;
use syscalls::errno::{EAGAIN, EINVAL, ENODEV, ENOTDIR, ENOTTY, ESPIPE};
use syscalls::{Errno, Stop, SysResult};

use super::locks::LockOwner;
use super::notify::{self, Event};
use super::write_access::Claim;
use super::{FileKind, InodeRef, Location, OutsidePosition, Sink, Source, locks};
use crate::mm::Mappable;
use crate::sync::{Level, Mutex};
use crate::task::{Current, Pid, PidNamespace};
use crate::wait::{Deadline, Ready, Registration, WaitQueue};

bitflags! {
    /// How a file is open: access and status flags, as F_GETFL returns them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct OpenMode: u32 {
        /// O_WRONLY.
        const WRITE_ONLY = 0o1;
        /// O_RDWR.
        const READ_WRITE = 0o2;
        /// O_NOCTTY; seen by [`super::Inode::open`] only.
        const NOCTTY = 0o400;
        /// O_APPEND.
        const APPEND = 0o2000;
        /// O_NONBLOCK.
        const NONBLOCK = 0o4000;
        /// O_DSYNC.
        const DSYNC = 0o10000;
        /// O_ASYNC.
        const ASYNC = 0o20000;
        /// O_DIRECT.
        const DIRECT = 0o40000;
        /// O_LARGEFILE; Linux sets it on every 64-bit open.
        const LARGEFILE = 0o100_000;
        /// O_DIRECTORY.
        const DIRECTORY = 0o200_000;
        /// O_NOFOLLOW.
        const NOFOLLOW = 0o400_000;
        /// O_NOATIME.
        const NOATIME = 0o1_000_000;
        /// O_SYNC without O_DSYNC.
        const SYNC = 0o4_000_000;
        /// O_PATH.
        const PATH = 0o10_000_000;
        /// O_TMPFILE without O_DIRECTORY.
        const TMPFILE = 0o20_000_000;
        /// What F_SETFL may change.
        const CHANGEABLE = Self::APPEND.bits() | Self::NONBLOCK.bits() | Self::ASYNC.bits()
            | Self::DIRECT.bits() | Self::NOATIME.bits();
        const _ = !0;
    }
}

impl OpenMode {
    /// Open for reading.
    #[must_use]
    pub fn reads(self) -> bool {
        matches!(self.bits() & 3, 0 | 2) && !self.contains(Self::PATH)
    }

    /// Open for writing.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self.bits() & 3, 1 | 2) && !self.contains(Self::PATH)
    }
}

/// lseek(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekFrom {
    /// Absolute.
    Start(u64),
    /// Relative to the end.
    End(i64),
    /// The first data at or after.
    Data(u64),
    /// The first hole at or after.
    Hole(u64),
}

/// One entry of a directory.
pub struct DirEntry<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Inode number.
    pub ino: u64,
    /// Type.
    pub kind: FileKind,
    /// Position after this entry: where the next readdir continues. Positive.
    pub next: u64,
}

/// Takes directory entries until it is full.
pub type DirSink<'a> = dyn FnMut(DirEntry<'_>) -> ControlFlow<()> + 'a;

/// What an open file does. `file` is the description itself (flags, position). Calls
/// never sleep for readiness: they return `EAGAIN`, and the caller waits on
/// [`FileOps::wait_queue`] unless the file is non-blocking. Slow storage may sleep.
#[allow(unused_variables, reason = "defaults refuse whatever the arguments")]
pub trait FileOps: Send + Sync + 'static {
    /// True if the file has a position (regular files, some devices). Others get 0 as
    /// `pos`, and lseek/pread fail with `ESPIPE`.
    fn seekable(&self) -> bool {
        false
    }

    /// Asked before a guest's read: a terminal stops a process in the background.
    fn before_read(&self, task: &Current) -> Result<(), Stop> {
        Ok(())
    }

    /// Asked before a guest's write, likewise.
    fn before_write(&self, task: &Current) -> Result<(), Stop> {
        Ok(())
    }

    /// Reads at `pos`; 0 at the end.
    fn read(&self, file: &File, dst: &mut Sink<'_>, pos: u64) -> Result<usize, Errno> {
        Err(EINVAL)
    }

    /// Writes at `pos`.
    fn write(&self, file: &File, src: &mut Source<'_>, pos: u64) -> Result<usize, Errno> {
        Err(EINVAL)
    }

    /// Writes at the end of the file, atomically with respect to other appends; returns
    /// bytes and the position after them. For `O_APPEND` on seekable files.
    fn append(&self, file: &File, src: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        Err(EINVAL)
    }

    /// True if a blocking write(2) goes on until everything is written, waiting for room
    /// where [`FileOps::write`] took only a part: pipes, stream sockets, terminals.
    fn writes_whole(&self) -> bool {
        false
    }

    /// The position that `from` names. The caller stores it.
    fn seek(&self, file: &File, from: SeekFrom) -> Result<u64, Errno> {
        Err(ESPIPE)
    }

    /// True if no position differs from another: seeking succeeds, and leads to 0, even
    /// where there are no positions otherwise (eventfds and their like).
    fn is_the_same_anywhere(&self) -> bool {
        false
    }

    /// For a file whose position is kept outside; such a file is seekable.
    fn outside_position(&self) -> Option<&dyn OutsidePosition> {
        None
    }

    /// What it is ready for now.
    fn poll(&self) -> Ready {
        Ready::READABLE | Ready::WRITABLE
    }

    /// Told whenever [`FileOps::poll`] may have changed; `None` if it never does.
    fn wait_queue(&self) -> Option<Cow<'_, WaitQueue>> {
        None
    }

    /// How long a blocking read(2) or write(2) waits at most, by what it waits for
    /// (SO_RCVTIMEO, SO_SNDTIMEO); then it fails with `EAGAIN`.
    fn wait_limit(&self, ready: Ready) -> Option<Deadline> {
        None
    }

    /// What read(2) returns after [`FileOps::wait_limit`].
    fn read_late(&self) -> Result<usize, Errno> {
        Err(EAGAIN)
    }

    /// If a blocking read(2) that got `count` bytes waits for more, and fits them: how long.
    fn reads_on(&self, count: usize) -> Option<Deadline> {
        None
    }

    /// Lists a directory from `pos` (0: start; "." and ".." included); stops when `sink`
    /// says so. Returns the position to continue from.
    fn read_dir(&self, file: &File, pos: u64, sink: &mut DirSink<'_>) -> Result<u64, Errno> {
        Err(ENOTDIR)
    }

    /// ioctl(2). What is common to all files (FIONBIO, FIOCLEX …) was dealt with.
    fn ioctl(
        &self,
        task: &mut Current,
        file: &Arc<File>,
        command: u32,
        argument: u64,
    ) -> SysResult {
        Err(ENOTTY.into())
    }

    /// What mmap(2) maps.
    fn mappable(&self, file: &File) -> Result<Arc<dyn Mappable>, Errno> {
        Err(ENODEV)
    }

    /// fsync(2).
    fn sync(&self, file: &File, data_only: bool) -> Result<(), Errno> {
        Err(EINVAL)
    }

    /// A descriptor in the table `by` was closed (close(2) reports the error); others may
    /// remain.
    fn flush(&self, file: &File, by: LockOwner) -> Result<(), Errno> {
        Ok(())
    }

    /// The last descriptor is about to be closed by `task`, which waits as long as close(2)
    /// is to wait.
    fn linger(&self, task: &Current) {}

    /// New status flags were set (F_SETFL).
    fn flags_changed(&self, mode: OpenMode) {}

    /// Text after "pos/flags/mnt_id/ino" in /proc/PID/fdinfo, for a proc of the name space
    /// `reader`.
    fn fd_info(&self, reader: &PidNamespace) -> String {
        String::new()
    }

    /// For sockets, ptys, epolls … to be recognised.
    fn as_any(&self) -> &dyn Any;
}

/// An open file description: shared by dup(2) and fork(2).
pub struct File {
    /// Where it was opened; anonymous files (pipes, sockets, eventfds) live on an
    /// internal mount and have a dentry that only names them.
    pub location: Location,
    /// What it does.
    pub ops: Box<dyn FileOps>,
    mode: AtomicU32,
    /// Position, unless it is kept outside ([`File::position`]); held over a read or write
    /// that uses it, as Linux does.
    pub offset: Mutex<u64>,
    /// Keeps the file from being run while it is open for writing, or the reverse.
    _claim: Claim,
    /// It has, or had, locks of its own.
    locked: AtomicBool,
    /// There was no such file before it was opened.
    made: AtomicBool,
    /// Whom SIGIO goes to.
    pub(crate) owner: Mutex<SignalOwner>,
    /// What tells that owner.
    teller: Mutex<Option<Registration>>,
    /// Tells it of urgent data.
    urgent_teller: Mutex<Option<Registration>>,
}

impl File {
    /// A new description at position 0.
    #[must_use]
    pub fn new(location: Location, ops: Box<dyn FileOps>, mode: OpenMode) -> Arc<Self> {
        Self::with_claim(location, ops, mode, Claim::None)
    }

    pub(super) fn with_claim(
        location: Location,
        ops: Box<dyn FileOps>,
        mode: OpenMode,
        claim: Claim,
    ) -> Arc<Self> {
        Arc::new(File {
            _claim: claim,
            locked: AtomicBool::new(false),
            made: AtomicBool::new(false),
            owner: Mutex::new(Level::Leaf, SignalOwner::default()),
            teller: Mutex::new(Level::Leaf, None),
            urgent_teller: Mutex::new(Level::Leaf, None),
            location,
            ops,
            mode: AtomicU32::new(mode.bits()),
            offset: Mutex::new(Level::Offset, 0),
        })
    }

    /// Access and status flags now.
    #[must_use]
    pub fn mode(&self) -> OpenMode {
        OpenMode::from_bits_retain(self.mode.load(Ordering::Relaxed))
    }

    /// F_SETFL: replaces the changeable flags.
    pub fn set_status(&self, status: OpenMode) {
        let keep = self.mode() - OpenMode::CHANGEABLE;
        let mode = keep | (status & OpenMode::CHANGEABLE);
        self.mode.store(mode.bits(), Ordering::Relaxed);
        self.ops.flags_changed(mode);
    }

    /// O_NONBLOCK.
    #[must_use]
    pub fn nonblocking(&self) -> bool {
        self.mode().contains(OpenMode::NONBLOCK)
    }

    /// Replaces what tells the owner of readiness; returns the old one, to be dropped
    /// outside all locks.
    pub(super) fn set_async(&self, teller: Option<Registration>) -> Option<Registration> {
        std::mem::replace(&mut *self.teller.lock(), teller)
    }

    /// Replaces what tells the owner of urgent data; returns the old one, as above.
    pub(super) fn set_urgent(&self, teller: Option<Registration>) -> Option<Registration> {
        std::mem::replace(&mut *self.urgent_teller.lock(), teller)
    }

    /// Gives back its locks when it goes.
    pub(crate) fn note_locked(&self) {
        self.locked.store(true, Ordering::Relaxed);
    }

    /// O_CREAT made what it is open on.
    pub(super) fn note_made(&self) {
        self.made.store(true, Ordering::Relaxed);
    }

    /// F_CREATED_QUERY.
    pub(crate) fn made_its_file(&self) -> bool {
        self.made.load(Ordering::Relaxed)
    }

    /// The inode behind it.
    #[must_use]
    pub fn inode(&self) -> &InodeRef {
        self.location.dentry.inode()
    }

    /// The operations as `T`, if that is what they are.
    #[must_use]
    pub fn downcast<T: FileOps>(&self) -> Option<&T> {
        self.ops.as_any().downcast_ref()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if *self.locked.get_mut() {
            locks::release_file(self);
        }
        let mode = OpenMode::from_bits_retain(*self.mode.get_mut());
        if !mode.contains(OpenMode::PATH) {
            let event = if mode.writes() {
                Event::CloseWrite
            } else {
                Event::CloseNoWrite
            };
            notify::event(event, &self.location);
        }
    }
}

/// Whom SIGIO goes to, fcntl(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalOwner {
    /// F_SETOWN_EX: F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP.
    pub kind: i32,
    /// Thread, process or process group; 0 without one.
    pub id: Pid,
    /// F_SETSIG: 0 means SIGIO.
    pub signal: i32,
}

impl SignalOwner {
    /// Makes it a process's unless it is somebody's already.
    pub(super) fn or_process(&mut self, pid: Pid) {
        if self.id == 0 {
            (self.kind, self.id) = (F_OWNER_PID, pid);
        }
    }
}
