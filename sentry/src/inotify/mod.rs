//! inotify(7): what happens to files, told to who watches.
//!
//! The file system's calls report to [`crate::vfs::notify`], which passes on here what
//! concerns an inode. An inode that is watched carries its [`Watchers`]; a watch is known
//! from both sides, by its instance under its number and by the inode under its instance.
//! While nobody watches anything, a report costs one load.

mod calls;
mod file;
mod instance;
mod watchers;

pub(crate) use instance::unmounted;
pub(crate) use watchers::{Report, name_gone, report, watched};
