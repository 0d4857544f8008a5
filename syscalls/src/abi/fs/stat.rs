//! Attributes of files and file systems: stat(2), statx(2), statfs(2).

use crate::abi::layout;
use crate::abi::time::Timespec;

layout! {
    /// Attributes of a file, stat(2).
    pub struct Stat {
        pub dev: u64,
        pub ino: u64,
        pub nlink: u64,
        pub mode: u32,
        pub uid: u32,
        pub gid: u32,
        pub pad0: u32,
        pub rdev: u64,
        pub size: i64,
        pub blksize: i64,
        /// In units of 512 bytes.
        pub blocks: i64,
        pub atime: Timespec,
        pub mtime: Timespec,
        pub ctime: Timespec,
        pub unused: [i64; 3],
    }

    /// A time, statx(2).
    pub struct StatxTimestamp {
        pub sec: i64,
        pub nsec: u32,
        pub reserved: i32,
    }

    /// Attributes of a file, statx(2).
    pub struct Statx {
        pub mask: u32,
        pub blksize: u32,
        pub attributes: u64,
        pub nlink: u32,
        pub uid: u32,
        pub gid: u32,
        pub mode: u16,
        pub spare0: u16,
        pub ino: u64,
        pub size: u64,
        /// In units of 512 bytes.
        pub blocks: u64,
        pub attributes_mask: u64,
        pub atime: StatxTimestamp,
        pub btime: StatxTimestamp,
        pub ctime: StatxTimestamp,
        pub mtime: StatxTimestamp,
        pub rdev_major: u32,
        pub rdev_minor: u32,
        pub dev_major: u32,
        pub dev_minor: u32,
        pub mnt_id: u64,
        pub dio_mem_align: u32,
        pub dio_offset_align: u32,
        pub subvol: u64,
        pub atomic_write_unit_min: u32,
        pub atomic_write_unit_max: u32,
        pub atomic_write_segments_max: u32,
        pub spare1: u32,
        pub spare2: [u64; 9],
    }

    /// A file system, statfs(2).
    pub struct Statfs {
        pub kind: i64,
        pub bsize: i64,
        pub blocks: u64,
        pub bfree: u64,
        pub bavail: u64,
        pub files: u64,
        pub ffree: u64,
        pub fsid: [i32; 2],
        pub namelen: i64,
        pub frsize: i64,
        pub flags: i64,
        pub spare: [i64; 4],
    }

    /// A file system, ustat(2).
    pub struct Ustat {
        pub tfree: i32,
        pub pad0: u32,
        pub tinode: u64,
        pub fname: [u8; 6],
        pub fpack: [u8; 6],
        pub pad1: u32,
    }
}
