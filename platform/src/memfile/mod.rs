//! The memory file: one memfd that holds every guest page, with a reference count per page.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use syscalls::Errno;

/// Which state freshly allocated pages are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// All bytes zero.
    Zero,
    /// Whatever a former owner left: for pages that are overwritten whole before anyone
    /// else sees them.
    Dirty,
}

/// The memory file of a sandbox. Cheap to clone.
#[derive(Clone)]
pub struct MemoryFile {
    inner: Arc<Inner>,
}

struct Inner {}

/// A run of consecutive pages with one reference held on each. Cloning takes another
/// reference on each; dropping gives them back, and the last one frees the page.
pub struct Pages {
    file: MemoryFile,
    start: u64,
    count: u64,
}

impl MemoryFile {
    /// A new, empty file that may grow to `limit` bytes.
    pub fn new(_limit: u64) -> Result<Self, Errno> {
        todo!()
    }
    /// Attaches to another process's file, to copy only: no allocation (the Gofer's side).
    pub fn attach(_fd: std::os::fd::OwnedFd) -> Result<Self, Errno> {
        todo!()
    }
    /// Allocates one run of `count` pages; `ENOMEM` at the limit.
    pub fn allocate(&self, _count: u64, _fill: Fill) -> Result<Pages, Errno> {
        todo!()
    }
    /// Allocates `count` pages in as few runs as possible.
    pub fn allocate_runs(&self, _count: u64, _fill: Fill) -> Result<Vec<Pages>, Errno> {
        todo!()
    }
    /// Copies out of the file at byte `offset`.
    pub fn read(&self, _offset: u64, _dst: &mut [u8]) -> Result<(), Errno> {
        todo!()
    }
    /// Copies into the file at byte `offset`.
    pub fn write(&self, _offset: u64, _src: &[u8]) -> Result<(), Errno> {
        todo!()
    }
    /// Copies inside the file; ranges must not overlap.
    pub fn copy(&self, _from: u64, _to: u64, _len: usize) -> Result<(), Errno> {
        todo!()
    }
    /// Clears bytes.
    pub fn zero(&self, _offset: u64, _len: usize) -> Result<(), Errno> {
        todo!()
    }
    /// Runs `f` on the 32-bit word at `offset` (4-byte aligned), as an atomic. The
    /// reference is to guest-shared memory: only atomic operations.
    pub fn with_u32<R>(&self, _offset: u64, _f: impl FnOnce(&AtomicU32) -> R) -> Result<R, Errno> {
        todo!()
    }
    /// `preadv` of a host file straight into pages; returns bytes read (short at end of file).
    pub fn read_from_host(
        &self,
        _fd: BorrowedFd<'_>,
        _pos: u64,
        _offset: u64,
        _len: usize,
    ) -> Result<usize, Errno> {
        todo!()
    }
    /// `pwritev` of pages to a host file; returns bytes written.
    pub fn write_to_host(
        &self,
        _fd: BorrowedFd<'_>,
        _pos: u64,
        _offset: u64,
        _len: usize,
    ) -> Result<usize, Errno> {
        todo!()
    }
    /// Bytes of pages with at least one reference.
    #[must_use]
    pub fn used(&self) -> u64 {
        todo!()
    }
    /// Gives free pages back to the host.
    pub fn trim(&self) {
        todo!()
    }
    /// The limit given at creation, bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        todo!()
    }
}

impl AsFd for MemoryFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        todo!()
    }
}

impl Pages {
    /// Byte offset of the first page in the memory file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.start
    }
    /// Pages in the run, at least 1.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
    /// The file they are in.
    #[must_use]
    pub fn file(&self) -> &MemoryFile {
        &self.file
    }
    /// Cuts the run in two after `pages` (1..count): `self` keeps the front, the rest is returned.
    pub fn split_off(&mut self, _pages: u64) -> Pages {
        todo!()
    }
    /// Another reference on part of the run; `first + count` within it.
    #[must_use]
    pub fn slice(&self, _first: u64, _count: u64) -> Pages {
        todo!()
    }
    /// Joins `next` to the end of `self`, if it follows directly; else gives it back.
    pub fn append(&mut self, _next: Pages) -> Result<(), Pages> {
        todo!()
    }
    /// True if the reference held here is the only one on page `index`.
    #[must_use]
    pub fn is_sole_owner(&self, _index: u64) -> bool {
        todo!()
    }
}

impl Clone for Pages {
    fn clone(&self) -> Self {
        self.slice(0, self.count)
    }
}
