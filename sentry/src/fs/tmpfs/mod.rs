//! tmpfs(5): files in the memory file.

mod dir;
mod file;
mod inode;
mod options;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use platform::MemoryFile;
use syscalls::Errno;

use self::inode::{Data, TmpInode};
use super::page_cache::{PAGE, Quota};
use crate::vfs::{File, FileKind, FileSystem, FsInfo, InodeRef, Owner, SuperBlock};

pub use options::Options;

/// `f_type` of statfs(2).
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// The file system's own state.
pub(crate) struct Tmpfs {
    shared: Arc<Shared>,
    options: Options,
}

/// What every inode needs of its file system.
pub(crate) struct Shared {
    memory: MemoryFile,
    quota: Arc<Quota>,
    next_ino: AtomicU64,
    /// Inodes in use, for statfs(2).
    inodes: AtomicU64,
}

impl Shared {
    fn next_ino(&self) -> u64 {
        self.next_ino.fetch_add(1, Ordering::Relaxed)
    }
}

/// A new tmpfs: its root directory, whose super block is the instance.
pub fn new(memory: &MemoryFile, options: Options, source: &str) -> InodeRef {
    let default = memory.limit() / 2;
    let quota = Quota::new(options.size.unwrap_or(default).div_ceil(PAGE));
    let shared = Arc::new(Shared {
        memory: memory.clone(),
        quota,
        next_ino: AtomicU64::new(1),
        inodes: AtomicU64::new(0),
    });
    let owner = Owner {
        uid: options.uid,
        gid: options.gid,
        mode: options.mode,
    };
    let super_block = SuperBlock::new(
        Box::new(Tmpfs {
            shared: shared.clone(),
            options,
        }),
        source,
    );
    TmpInode::new(
        &super_block,
        &shared,
        FileKind::Directory,
        Data::empty_dir(),
        owner,
    )
}

/// A regular file in no directory, for memfd_create(2) and System V shared memory.
pub fn unnamed_file(root: &InodeRef, owner: Owner) -> Result<InodeRef, Errno> {
    root.create_unnamed(owner)
}

impl FileSystem for Tmpfs {
    fn name(&self) -> &'static str {
        "tmpfs"
    }

    fn info(&self) -> Result<FsInfo, Errno> {
        let quota = &self.shared.quota;
        let free = quota.limit().saturating_sub(quota.used());
        let inodes = self.shared.inodes.load(Ordering::Relaxed);
        // Linux bounds inodes by half the memory's pages.
        let files = quota.limit().max(inodes);
        Ok(FsInfo {
            magic: TMPFS_MAGIC,
            block_size: PAGE,
            blocks: quota.limit(),
            blocks_free: free,
            blocks_available: free,
            files,
            files_free: files - inodes,
            name_max: 255,
        })
    }

    fn options(&self) -> String {
        self.options.shown()
    }
}

/// "." and ".." of an open directory: their inode numbers.
fn dots(file: &File) -> (u64, u64) {
    let own = file.inode().ino();
    let parent = file.location.dentry.place.get().parent;
    (own, parent.map_or(own, |parent| parent.inode().ino()))
}

/// 512-byte units of `bytes`, rounded up to pages.
fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE) * (PAGE / 512)
}
