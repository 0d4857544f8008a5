//! The calls on files and names.

mod access;
mod cwd;
mod dirents;
mod names;
mod open;
mod owner;
pub(crate) mod rw;
mod seek;
mod size;
mod stat;
mod times;
