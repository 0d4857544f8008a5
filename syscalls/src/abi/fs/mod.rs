//! Files: attributes, paths, directory entries, readiness.

mod file;
mod inotify;
mod mount;
mod open;
mod poll;
mod request;
mod stat;

pub use file::*;
pub use inotify::*;
pub use mount::*;
pub use open::*;
pub use poll::*;
pub use request::*;
pub use stat::*;

use super::layout;
use crate::uaddr::UserAddr;

layout! {
    /// One buffer of a vectored call, readv(2).
    pub struct IoVec {
        pub base: UserAddr,
        pub len: u64,
    }

    /// How to open, openat2(2).
    pub struct OpenHow {
        pub flags: u64,
        pub mode: u64,
        pub resolve: u64,
    }

    /// A record lock, fcntl(2).
    pub struct Flock {
        pub kind: i16,
        pub whence: i16,
        pub pad0: u32,
        pub start: i64,
        pub len: i64,
        pub pid: i32,
        pub pad1: u32,
    }

    /// What stands before the bytes of a handle, name_to_handle_at(2).
    pub struct FileHandle {
        pub bytes: u32,
        pub kind: i32,
    }

    /// Bytes of a file to ask about, cachestat(2).
    pub struct CachestatRange {
        pub off: u64,
        pub len: u64,
    }

    /// Pages of a file in the page cache, cachestat(2).
    pub struct Cachestat {
        pub cache: u64,
        pub dirty: u64,
        pub writeback: u64,
        pub evicted: u64,
        pub recently_evicted: u64,
    }
}
