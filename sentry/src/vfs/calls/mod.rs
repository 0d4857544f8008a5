//! The calls on files and names.

mod access;
mod copy;
mod cwd;
mod dirents;
mod handle;
mod memfd;
mod mount;
mod mount_tree;
mod names;
mod open;
mod owner;
pub(crate) mod rw;
mod seek;
mod size;
mod splice;
mod stat;
mod statfs;
mod statmount;
mod sync;
mod times;
mod xattr;
