//! A writable tree over one that is only read: what a sandbox writes stays in memory and
//! is gone at the end.
//!
//! For each file there is one [`inode::OverlayInode`] as long as anybody knows of it. It
//! stands for a file of the lower tree, or is new, or both: what changed is kept in it and
//! hides what is below. Nothing is ever copied as a whole:
//! - data: a page cache over the lower file's ([`PageCache::over`]), which copies a page
//!   when it is first written, so that readers and mappings from before see it too;
//! - attributes: the lower file's until the first change;
//! - extended attributes: the changes;
//! - directories: the names that differ. A directory that moves keeps what is below it.
//!
//! An inode with changes must not be forgotten with its dentry; the [`registry`] keeps it
//! by the identity of its lower file, new ones are kept by the directory they are in.
//!
//! Differs from Linux's overlayfs: no `EXDEV` for renamed directories, hard links of the
//! lower tree stay links, and files open or mapped for reading see later writes.
//!
//! The lower tree must not change. Its inode numbers are used on; new files are numbered
//! from [`FIRST_NEW`].
//!
//! [`PageCache::over`]: super::page_cache::PageCache::over

mod dir;
mod entries;
mod file;
mod inode;
mod meta;
mod registry;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use platform::MemoryFile;
use syscalls::Errno;

use self::inode::OverlayInode;
use self::registry::Registry;
use super::page_cache::{PAGE, Quota};
use crate::vfs::{FileSystem, FsInfo, InodeRef, SuperBlock};

/// `f_type` of statfs(2).
const OVERLAYFS_MAGIC: u64 = 0x794c_7630;

/// The first inode number of new files: above what disks have, and exact as a JavaScript
/// number, which some tools compare.
const FIRST_NEW: u64 = 1 << 48;

struct Overlay(Arc<Shared>);

/// What every inode needs of its file system.
pub(crate) struct Shared {
    memory: MemoryFile,
    quota: Arc<Quota>,
    next_ino: AtomicU64,
    lower: Arc<SuperBlock>,
    registry: Registry,
}

impl Shared {
    fn next_ino(&self) -> u64 {
        self.next_ino.fetch_add(1, Ordering::Relaxed)
    }
}

/// A tree that has the contents of `lower` to begin with; its root. Nobody else may write
/// to the lower tree. What is written may take half of `memory`.
pub fn new(lower: InodeRef, memory: &MemoryFile, source: &str) -> InodeRef {
    let shared = Arc::new(Shared {
        memory: memory.clone(),
        quota: Quota::new((memory.limit() / 2).div_ceil(PAGE)),
        next_ino: AtomicU64::new(FIRST_NEW),
        lower: lower.super_block().clone(),
        registry: Registry::default(),
    });
    let super_block = SuperBlock::new(Box::new(Overlay(shared.clone())), source);
    OverlayInode::root(&super_block, &shared, lower)
}

impl FileSystem for Overlay {
    fn name(&self) -> &'static str {
        "overlay"
    }

    fn drop_clean_pages(&self) {
        self.0.lower.fs.drop_clean_pages();
    }

    /// Of the disk below, as Linux tells of the upper one; no more is available than memory
    /// takes.
    fn info(&self) -> Result<FsInfo, Errno> {
        let quota = &self.0.quota;
        let lower = self.0.lower.fs.info()?;
        let blocks = |pages: u64| pages.saturating_mul(PAGE) / lower.block_size.max(1);
        let used = blocks(quota.used());
        let room = blocks(quota.limit().saturating_sub(quota.used()));
        Ok(FsInfo {
            magic: OVERLAYFS_MAGIC,
            blocks_free: lower.blocks_free.saturating_sub(used),
            blocks_available: lower.blocks_available.saturating_sub(used).min(room),
            ..lower
        })
    }
}
