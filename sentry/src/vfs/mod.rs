//! The virtual file system: what every file system implements ([`Inode`], [`FileOps`],
//! [`FileSystem`]) and what is common to all (dentries, mounts, path walks, open files).
//!
//! An [`Inode`] is a file; a [`Dentry`] a name in the tree with a cache of its children;
//! a [`Mount`] puts a file system's tree into the name space; a [`Location`] is a dentry
//! seen through a mount; a [`File`] is an open file description.

pub mod access;
mod anon;
mod attr;
mod attributes;
mod calls;
mod copy;
mod create;
mod dcache;
mod dentry;
mod device;
mod file;
pub mod fs_types;
mod handle;
mod inode;
pub mod io;
mod listing;
pub mod locks;
mod lookup;
mod mount;
mod mount_list;
mod mounting;
mod namespace;
pub mod notify;
pub mod open;
mod path;
mod position;
mod raise;
mod remove;
mod rename;
pub mod seals;
mod set_id;
pub(crate) mod sigio;
#[cfg(test)]
mod tests;
pub mod transfer;
mod unnamed;
pub mod walk;
mod write_access;
pub(crate) mod write_hint;
mod xattr;

pub use access::{Access, permit};
pub use anon::{AnonInode, AnonKind};
pub use attr::{Attr, DeviceNumber, FileKind, Mode, SetAttr, SetTime, Timestamp};
pub(crate) use calls::rw::{segment, segments};
pub(crate) use dcache::{fit as fit_names, shrink as shrink_names};
use dentry::Place;
pub use dentry::{Dentry, FileName, Location};
pub use file::{DirEntry, DirSink, File, FileOps, OpenMode, SeekFrom, SignalOwner};
pub use inode::{
    Attachments, FileSystem, FsInfo, Inode, InodeRef, LinkTarget, NewNode, Owner, RenameMode,
    SuperBlock, XattrMode,
};
pub use io::{Sink, Source};
pub use listing::{Listed, Listing};
pub use mount::{Mount, MountFlags};
pub use mounting::Depth;
pub use namespace::MountNamespace;
pub use path::PathText;
pub use position::OutsidePosition;
pub use walk::Walking;
pub use write_access::{DenyWrite, WriteAccess};
