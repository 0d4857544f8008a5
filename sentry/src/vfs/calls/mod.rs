//! The calls on files and names.

mod access;
mod copy;
mod cwd;
mod dirents;
mod handle;
mod memfd;
mod mount;
mod names;
mod open;
mod owner;
pub(crate) mod rw;
mod seek;
mod size;
mod splice;
mod stat;
mod statfs;
mod sync;
mod times;
mod xattr;
