//! One inode that the client has a handle of.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::{Advice, CWD, Mode, OFlags, fadvise};
use rustix::path::DecInt;
use syscalls::Errno;
use syscalls::errno::{EACCES, EBADF, EISDIR, ENXIO};

use super::ReadAhead;
use crate::host::HostResult;
use crate::{Access, FileType};

/// An inode: its `O_PATH` descriptor, and those for data while it is opened.
pub(super) struct Node {
    path: OwnedFd,
    /// Index of its tree.
    pub(super) tree: u32,
    /// Never changes for an inode.
    pub(super) file_type: FileType,
    /// Reached over a mount that is not followed: nothing but attributes.
    pub(super) sealed: bool,
    read_ahead: ReadAhead,
    data: Mutex<Data>,
}

/// What the client has opened, and the descriptors for it, which may be closed in between.
#[derive(Default)]
pub(super) struct Data {
    /// Opens that were not closed yet.
    opens: u32,
    reads: bool,
    writes: bool,
    reader: Option<Arc<OwnedFd>>,
    writer: Option<Arc<OwnedFd>>,
    /// Where `reader` stands in a directory.
    pub(super) dir_pos: u64,
}

impl Node {
    pub(super) fn new(path: OwnedFd, tree: u32, file_type: FileType, sealed: bool) -> Self {
        Node {
            path,
            tree,
            file_type,
            sealed,
            read_ahead: ReadAhead::Host,
            data: Mutex::new(Data::default()),
        }
    }

    /// A regular file that was just made, opened for reading and writing as `file`.
    pub(super) fn with_file(path: OwnedFd, tree: u32, file: OwnedFd) -> Self {
        let file = Arc::new(file);
        let data = Data {
            opens: 1,
            reads: true,
            writes: true,
            reader: Some(Arc::clone(&file)),
            writer: Some(file),
            dir_pos: 0,
        };
        Node {
            data: Mutex::new(data),
            ..Node::new(path, tree, FileType::Regular, false)
        }
    }

    /// The same, with another's read-ahead for what is opened from here on.
    pub(super) fn with_read_ahead(self, read_ahead: ReadAhead) -> Self {
        Node { read_ahead, ..self }
    }

    /// The `O_PATH` descriptor.
    pub(super) fn path(&self) -> BorrowedFd<'_> {
        self.path.as_fd()
    }

    /// The inode's path, relative to the current directory; see [`fd_path`].
    pub(super) fn proc_path(&self) -> DecInt {
        fd_path(self.path())
    }

    /// Opens the inode for data. Host FIFOs, sockets and devices are never opened.
    pub(super) fn open_as(&self, access: OFlags) -> Result<OwnedFd, Errno> {
        let kind = match self.file_type {
            FileType::Regular => OFlags::empty(),
            FileType::Directory => OFlags::DIRECTORY,
            _ => return Err(ENXIO),
        };
        if self.sealed {
            return Err(EACCES);
        }
        let flags = access | kind | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(CWD, self.proc_path(), flags, Mode::empty()).host()?;
        if self.read_ahead == ReadAhead::Client && self.file_type == FileType::Regular {
            // Not every file system takes advice.
            let _ = fadvise(&file, 0, None, Advice::Random);
        }
        Ok(file)
    }

    /// Opens for the client, or for more than before.
    pub(super) fn open(&self, access: Access) -> Result<(), Errno> {
        if self.file_type == FileType::Directory && access.writes() {
            return Err(EISDIR);
        }
        let mut data = self.data.lock();
        if access.writes() && data.writer.is_none() {
            self.open_writer(&mut data, access)?;
        }
        if access.reads() && data.reader.is_none() && !self.sealed {
            data.reader = Some(Arc::new(self.open_as(OFlags::RDONLY)?));
            data.dir_pos = 0;
        }
        data.opens = data.opens.saturating_add(1);
        data.reads |= access.reads();
        data.writes |= access.writes();
        Ok(())
    }

    /// Undoes one [`Self::open`]; the last one closes.
    pub(super) fn close(&self) {
        let mut data = self.data.lock();
        data.opens = data.opens.saturating_sub(1);
        if data.opens == 0 {
            let closed = std::mem::take(&mut *data);
            drop(data);
            drop(closed);
        }
    }

    /// The descriptor to read data from; `EBADF` if the client has not opened it.
    pub(super) fn reader(&self) -> Result<Arc<OwnedFd>, Errno> {
        let mut data = self.data.lock();
        self.reader_of(&mut data)
    }

    fn reader_of(&self, data: &mut Data) -> Result<Arc<OwnedFd>, Errno> {
        if let Some(file) = &data.reader {
            return Ok(Arc::clone(file));
        }
        if !data.reads {
            return Err(EBADF);
        }
        let file = Arc::new(self.open_as(OFlags::RDONLY)?);
        data.reader = Some(Arc::clone(&file));
        data.dir_pos = 0;
        Ok(file)
    }

    /// The descriptor to write data to; `EBADF`.
    pub(super) fn writer(&self) -> Result<Arc<OwnedFd>, Errno> {
        let mut data = self.data.lock();
        if let Some(file) = &data.writer {
            return Ok(Arc::clone(file));
        }
        if !data.writes {
            return Err(EBADF);
        }
        self.open_writer(&mut data, Access::Write)
    }

    /// Opens for writing; for reading too where the host lets it, so that a page cache can
    /// fill pages of which only a part is written.
    fn open_writer(&self, data: &mut Data, access: Access) -> Result<Arc<OwnedFd>, Errno> {
        let file = match self.open_as(OFlags::RDWR) {
            Ok(file) => {
                let file = Arc::new(file);
                // Also if there is a reader already: on overlayfs, one from before the file
                // is first written keeps showing what was there then.
                data.reader = Some(Arc::clone(&file));
                data.reads = true;
                file
            }
            Err(EACCES) if access == Access::Write => Arc::new(self.open_as(OFlags::WRONLY)?),
            Err(errno) => return Err(errno),
        };
        data.writer = Some(Arc::clone(&file));
        Ok(file)
    }

    /// The directory's descriptor and its position, for one listing at a time.
    pub(super) fn list<R>(
        &self,
        f: impl FnOnce(&OwnedFd, &mut u64) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let mut data = self.data.lock();
        let dir = self.reader_of(&mut data)?;
        f(&dir, &mut data.dir_pos)
    }

    /// Closes descriptors that no request uses, if that can be told without waiting.
    pub(super) fn close_idle(&self) -> usize {
        let Some(mut data) = self.data.try_lock() else {
            return 0;
        };
        let Data { reader, writer, .. } = &*data;
        let shared = match (reader, writer) {
            (Some(reader), Some(writer)) if Arc::ptr_eq(reader, writer) => 2,
            (None, None) => return 0,
            _ => 1,
        };
        let idle = |file: &Option<Arc<OwnedFd>>| {
            file.as_ref()
                .is_none_or(|file| Arc::strong_count(file) <= shared)
        };
        if !idle(reader) || !idle(writer) {
            return 0;
        }
        data.reader = None;
        data.writer = None;
        data.dir_pos = 0;
        if shared == 2 { 1 } else { 2 }
    }
}

/// The path of what `fd` is open on: the server's current directory is its own
/// `/proc/self/fd`. Following it leads to the inode itself, also if that is a symbolic link
/// or has no name any more.
pub(super) fn fd_path(fd: BorrowedFd<'_>) -> DecInt {
    DecInt::from_fd(fd)
}
