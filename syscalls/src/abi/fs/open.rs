//! Opening files and naming them: open(2), openat2(2), the `flags` of the *at calls.

use crate::flags::{flags, numbers};

flags! {
    /// How to open a file, open(2). The access mode is a field of two bits: neither
    /// `WRONLY` nor `RDWR` means reading.
    pub struct OpenFlags: u32, "O_", ignored, 3 => "O_RDONLY" {
        ACCMODE = 0o3;
        WRONLY = 0o1;
        RDWR = 0o2;
        CREAT = 0o100;
        EXCL = 0o200;
        NOCTTY = 0o400;
        TRUNC = 0o1000;
        APPEND = 0o2000;
        NONBLOCK = 0o4000;
        SYNC = 0o4_010_000;
        ASYNC = 0o20_000;
        DSYNC = 0o10_000;
        DIRECT = 0o40_000;
        LARGEFILE = 0o100_000;
        NOFOLLOW = 0o400_000;
        NOATIME = 0o1_000_000;
        CLOEXEC = 0o2_000_000;
        PATH = 0o10_000_000;
        TMPFILE = 0o20_200_000;
        DIRECTORY = 0o200_000;
    }

    /// How a path may resolve, openat2(2).
    pub struct ResolveFlags: u64, "RESOLVE_", refused {
        NO_XDEV = 0x1;
        NO_MAGICLINKS = 0x2;
        NO_SYMLINKS = 0x4;
        BENEATH = 0x8;
        IN_ROOT = 0x10;
        CACHED = 0x20;
    }

    /// Which rights to check, access(2).
    pub struct AccessMode: u32, "", refused, 7 => "F_OK" {
        READ = 4, "R_OK";
        WRITE = 2, "W_OK";
        EXEC = 1, "X_OK";
    }

    /// The flags of faccessat2(2).
    pub struct AccessFlags: u32, "AT_", refused {
        SYMLINK_NOFOLLOW = 0x100;
        EACCESS = 0x200;
        EMPTY_PATH = 0x1000;
    }

    /// The flags of fchownat(2), fchmodat2(2), utimensat(2) and execveat(2).
    pub struct PathFlags: u32, "AT_", refused {
        SYMLINK_NOFOLLOW = 0x100;
        EMPTY_PATH = 0x1000;
    }

    /// The flags of unlinkat(2).
    pub struct UnlinkFlags: u32, "AT_", refused {
        REMOVEDIR = 0x200;
    }

    /// The flags of linkat(2).
    pub struct LinkFlags: u32, "AT_", refused {
        SYMLINK_FOLLOW = 0x400;
        EMPTY_PATH = 0x1000;
    }

    /// name_to_handle_at(2).
    pub struct HandleFlags: u32, "AT_", refused {
        MNT_ID_UNIQUE = 1;
        HANDLE_FID = 0x200;
        SYMLINK_FOLLOW = 0x400;
        EMPTY_PATH = 0x1000;
    }

    /// The flags of newfstatat(2) and statx(2).
    pub struct StatFlags: u32, "AT_", refused {
        STATX_FORCE_SYNC = 0x2000;
        STATX_DONT_SYNC = 0x4000;
        SYMLINK_NOFOLLOW = 0x100;
        NO_AUTOMOUNT = 0x800;
        EMPTY_PATH = 0x1000;
    }

    /// renameat2(2).
    pub struct RenameFlags: u32, "RENAME_", refused {
        NOREPLACE = 1;
        EXCHANGE = 2;
        WHITEOUT = 4;
    }

    /// dup3(2).
    pub struct DupFlags: u32, "O_", refused {
        CLOEXEC = 0o2_000_000;
    }

    /// pipe2(2).
    pub struct PipeFlags: u32, "O_", refused {
        NONBLOCK = 0o4000;
        DIRECT = 0o40_000;
        CLOEXEC = 0o2_000_000;
    }

    /// close_range(2).
    pub struct CloseRangeFlags: u32, "CLOSE_RANGE_", refused {
        UNSHARE = 2;
        CLOEXEC = 4;
    }

    /// memfd_create(2). The size of huge pages is a field, [`MemfdFlags::HUGE_MASK`].
    pub struct MemfdFlags: u32, "MFD_", refused {
        CLOEXEC = 0x1;
        ALLOW_SEALING = 0x2;
        HUGETLB = 0x4;
        NOEXEC_SEAL = 0x8;
        EXEC = 0x10;
        HUGE_MASK = 0x3f << 26;
    }
}

numbers! {
    /// The type in `st_mode`, inode(7).
    pub const FILE_TYPES: u32 {
        S_IFIFO = 0o010_000;
        S_IFCHR = 0o020_000;
        S_IFDIR = 0o040_000;
        S_IFBLK = 0o060_000;
        S_IFREG = 0o100_000;
        S_IFLNK = 0o120_000;
        S_IFSOCK = 0o140_000;
    }

    /// `d_type` of a directory entry, readdir(3).
    pub const ENTRY_TYPES: u8 {
        DT_UNKNOWN = 0;
        DT_FIFO = 1;
        DT_CHR = 2;
        DT_DIR = 4;
        DT_BLK = 6;
        DT_REG = 8;
        DT_LNK = 10;
        DT_SOCK = 12;
    }
}

/// Mask of the type in `st_mode`.
pub const S_IFMT: u32 = 0o170_000;
/// The longest path with its NUL, bytes.
pub const PATH_MAX: usize = 4096;
/// The longest name in a directory, bytes.
pub const NAME_MAX: usize = 255;
/// Sizes of `struct open_how` that exist, bytes; openat2(2).
pub const OPEN_HOW_SIZE_VER0: usize = 24;
/// Where `d_name` begins in a `struct linux_dirent64`, getdents64(2): after `d_ino` (8
/// bytes), `d_off` (8), `d_reclen` (2) and `d_type` (1).
pub const DIRENT64_NAME: usize = 19;
/// Where `d_name` begins in a `struct linux_dirent`, getdents(2): after `d_ino` (8 bytes),
/// `d_off` (8) and `d_reclen` (2); `d_type` is the record's last byte.
pub const DIRENT_NAME: usize = 18;
/// `tv_nsec` for the present time, utimensat(2).
pub const UTIME_NOW: i64 = (1 << 30) - 1;
/// `tv_nsec` for no change, utimensat(2).
pub const UTIME_OMIT: i64 = (1 << 30) - 2;
