//! Descriptors of the host that the sandbox was started with: stdin, stdout, stderr.
//!
//! They are read and written where the host's own offset is, so that a file shared with
//! processes outside stays in order. The Sentry never sleeps in the host's read or write:
//! it asks for readiness first, and a watcher thread tells when that changes.
//!
//! The Sentry can open nothing. Who opens such a file again, through /proc/PID/fd, gets a
//! further open file of the same descriptor: a regular one has a position of its own then.

mod descriptor;
mod file;
mod inode;
mod ioctl;
mod stored;
mod watcher;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use syscalls::Errno;

use self::inode::{HostFs, HostInode};
use self::stored::Position;
use crate::vfs::{Dentry, File, Location, Mount, MountFlags, OpenMode, SuperBlock};

pub(crate) use descriptor::{Descriptor, Waits};
pub use watcher::Watcher;

/// Makes an open file of each descriptor.
pub fn open_all(fds: Vec<OwnedFd>, watcher: &Watcher) -> Result<Vec<Arc<File>>, Errno> {
    let super_block = SuperBlock::new(Box::new(HostFs), "host");
    let root = HostInode::directory(&super_block);
    let mount = Mount::new(Dentry::root(root), MountFlags::default());
    let mut files = Vec::with_capacity(fds.len());
    for fd in fds {
        let inode = HostInode::new(&super_block, fd, watcher)?;
        let mode = inode.open_mode()?;
        let name = inode.shown_name(files.len());
        let ops = inode.file(Position::Outside)?;
        let location = Location {
            mount: mount.clone(),
            dentry: Dentry::anonymous(inode, &name),
        };
        files.push(File::new(location, ops, mode));
    }
    Ok(files)
}

/// Access and status flags of a host descriptor.
fn mode_of(flags: i32) -> OpenMode {
    let keep = OpenMode::WRITE_ONLY | OpenMode::READ_WRITE | OpenMode::APPEND;
    OpenMode::from_bits_retain(u32::from_ne_bytes(flags.to_ne_bytes())) & keep
}
