//! The Gofer: the jailed process that alone holds host file descriptors, and the client
//! with which the Sentry asks it for files.
//!
//! - [`Client`] is what the kernel calls: blocking, cheap to clone, usable from many threads.
//! - [`server`] is the process itself: inodes, path confinement, the pool of threads.
//! - [`wire`] is what both agree on: slots in shared memory and the requests in them.
//!
//! # Words
//! A *tree* is a directory or single file of the host that the container sees: its root
//! file system or a bind mount. A [`Handle`] names an inode that the server keeps open for
//! the client. The same inode reached twice within a tree (a hard link, a second walk) has
//! the same handle. Inodes are the host's: [`Attr::dev`] and [`Attr::ino`] say whether
//! handles of two trees are the same file.
//!
//! # References
//! Every [`Handle`] that a call returns is one reference on the inode, also when the client
//! has that handle already. [`Client::forget`] gives references back, one for each mention;
//! with the last one the server closes its descriptors and the handle becomes invalid.
//! So a thread may forget a handle while another receives it.
#![forbid(unsafe_code)]

pub mod client;
mod host;
pub mod server;
#[cfg(test)]
mod tests;
mod types;
pub mod wire;

pub use client::{Beginning, Client, OpenedChild};
pub use types::attr::{Attr, FileType, Owner, SetAttr, SetTime, Time};
pub use types::dir::{Detail, DirEntry, DirPage};
pub use types::handle::{Access, Handle, Segment, TreeId, Walked};
pub use types::mode::{FallocateMode, Fsync, Rename, Seek, XattrMode};
pub use types::statfs::StatFs;
