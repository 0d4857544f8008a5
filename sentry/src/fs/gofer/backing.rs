//! A file's data, as the page cache reads and writes it.

use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};

use gofer::{Access, Client, Handle, Segment};
use platform::{MemoryFile, Pages};
use syscalls::Errno;
use syscalls::errno::{EIO, ESTALE};

use super::inode::GoferInode;
use super::open::Opened;
use crate::fs::page_cache::{Backing, PAGE};

/// Read at first, pages.
pub(super) const FIRST_WINDOW: u64 = 16;
/// Read at once at most, pages.
const MAX_WINDOW: u64 = 256;

pub(super) struct HostData {
    pub(super) client: Client,
    pub(super) memory: MemoryFile,
    pub(super) opened: Opened,
    /// Where a sequential reader would miss next.
    expected: AtomicU64,
    /// How much to read then.
    window: AtomicU64,
    inode: Weak<GoferInode>,
}

impl HostData {
    pub(super) fn new(client: &Client, memory: &MemoryFile, inode: Weak<GoferInode>) -> Self {
        HostData {
            client: client.clone(),
            memory: memory.clone(),
            opened: Opened::default(),
            expected: AtomicU64::new(0),
            window: AtomicU64::new(FIRST_WINDOW),
            inode,
        }
    }
}

impl HostData {
    fn handle(&self) -> Result<Handle, Errno> {
        self.inode.upgrade().ok_or(ESTALE)?.handle()
    }
}

impl HostData {
    /// `read` bytes of the file stand in `pages`, which belong to page number `index` on.
    pub(super) fn has_read(&self, index: u64, pages: &Pages, read: u64) -> Result<(), Errno> {
        let len = pages.count() * PAGE;
        let read = read.min(len);
        self.expected
            .store(index + pages.count(), Ordering::Relaxed);
        let rest = usize::try_from(len - read).map_err(|_| EIO)?;
        match rest {
            0 => Ok(()),
            rest => self.memory.zero(pages.offset() + read, rest),
        }
    }
}

impl Backing for HostData {
    fn read(&self, index: u64, pages: &Pages) -> Result<(), Errno> {
        let handle = self.handle()?;
        self.opened.ensure(&self.client, handle, Access::Read)?;
        let len = pages.count() * PAGE;
        let segment = Segment {
            file_pos: index * PAGE,
            mem_offset: pages.offset(),
            len,
        };
        let read = self.client.read_into(handle, &[segment])?;
        self.has_read(index, pages, read)
    }

    fn write(&self, pos: u64, offset: u64, len: u64) -> Result<(), Errno> {
        let handle = self.handle()?;
        self.opened.ensure(&self.client, handle, Access::Write)?;
        let mut done = 0;
        while done < len {
            let segment = Segment {
                file_pos: pos + done,
                mem_offset: offset + done,
                len: len - done,
            };
            match self.client.write_from(handle, &[segment])? {
                0 => return Err(EIO),
                count => done += count,
            }
        }
        Ok(())
    }

    fn read_ahead(&self, index: u64) -> u64 {
        let sequential = index == self.expected.load(Ordering::Relaxed);
        let before = self.window.load(Ordering::Relaxed);
        let window = if sequential {
            (before * 2).min(MAX_WINDOW)
        } else {
            FIRST_WINDOW
        };
        self.window.store(window, Ordering::Relaxed);
        window
    }

    fn dirtied(&self) {
        if let Some(inode) = self.inode.upgrade() {
            inode.will_write();
        }
    }
}
