//! Attributes of files and file systems: stat(2), statx(2), statfs(2).

use crate::abi::layout;
use crate::abi::time::Timespec;
use crate::flags::flags;

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

flags! {
    /// Which fields are asked for and given, statx(2).
    pub struct StatxMask: u32, "STATX_", ignored {
        ALL = 0xfff;
        BASIC_STATS = 0x7ff;
        TYPE = 0x1;
        MODE = 0x2;
        NLINK = 0x4;
        UID = 0x8;
        GID = 0x10;
        ATIME = 0x20;
        MTIME = 0x40;
        CTIME = 0x80;
        INO = 0x100;
        SIZE = 0x200;
        BLOCKS = 0x400;
        BTIME = 0x800;
        MNT_ID = 0x1000;
        DIOALIGN = 0x2000;
        MNT_ID_UNIQUE = 0x4000;
        SUBVOL = 0x8000;
        WRITE_ATOMIC = 0x1_0000;
        /// `EINVAL` when asked for.
        RESERVED = 0x8000_0000, "STATX__RESERVED";
    }

    /// `stx_attributes`, statx(2).
    pub struct StatxAttributes: u64, "STATX_ATTR_", kept {
        COMPRESSED = 0x4;
        IMMUTABLE = 0x10;
        APPEND = 0x20;
        NODUMP = 0x40;
        ENCRYPTED = 0x800;
        AUTOMOUNT = 0x1000;
        MOUNT_ROOT = 0x2000;
        VERITY = 0x10_0000;
        DAX = 0x20_0000;
    }
}
