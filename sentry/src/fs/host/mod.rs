//! Descriptors of the host that the sandbox was started with: stdin, stdout, stderr.
//!
//! They are read and written where the host's own offset is, so that a file shared with
//! processes outside stays in order. The Sentry never sleeps in the host's read or write:
//! it asks for readiness first, and a watcher thread tells when that changes.

mod file;
mod inode;
mod ioctl;
mod watcher;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use syscalls::Errno;

use self::file::HostFile;
use self::inode::{HostFs, HostInode};
use crate::vfs::{Dentry, File, FileKind, Location, Mount, MountFlags, OpenMode, SuperBlock};

pub use watcher::Watcher;

/// Makes an open file of each descriptor.
pub fn open_all(fds: Vec<OwnedFd>, watcher: &Watcher) -> Result<Vec<Arc<File>>, Errno> {
    let super_block = SuperBlock::new(Box::new(HostFs), "host");
    let root = HostInode::directory(&super_block);
    let mount = Mount::new(Dentry::root(root), MountFlags::default());
    let mut files = Vec::with_capacity(fds.len());
    for fd in fds {
        let fd = Arc::new(fd);
        let inode = HostInode::new(&super_block, fd.clone())?;
        let mode = inode.open_mode()?;
        let name = inode.shown_name(files.len());
        let ops = HostFile::new(fd, watcher, waits(&inode))?;
        let location = Location {
            mount: mount.clone(),
            dentry: Dentry::anonymous(inode, &name),
        };
        files.push(File::new(location, Box::new(ops), mode));
    }
    Ok(files)
}

/// Regular files and directories are always ready; the rest has to be asked.
fn waits(inode: &HostInode) -> bool {
    use crate::vfs::Inode;
    !matches!(
        inode.kind(),
        FileKind::Regular | FileKind::Directory | FileKind::BlockDevice
    )
}

/// Access and status flags of a host descriptor.
fn mode_of(flags: i32) -> OpenMode {
    let keep = OpenMode::WRITE_ONLY | OpenMode::READ_WRITE | OpenMode::APPEND;
    OpenMode::from_bits_retain(u32::from_ne_bytes(flags.to_ne_bytes())) & keep
}
