//! What is done with an open file: lseek(2), fcntl(2), flock(2), fallocate(2), splice(2).

use crate::flags::{flags, numbers};

numbers! {
    /// `whence` of lseek(2).
    pub const WHENCE: u32 {
        SEEK_SET = 0;
        SEEK_CUR = 1;
        SEEK_END = 2;
        SEEK_DATA = 3;
        SEEK_HOLE = 4;
    }

    /// `cmd` of fcntl(2).
    pub const FCNTL_COMMANDS: u32 {
        F_DUPFD = 0;
        F_GETFD = 1;
        F_SETFD = 2;
        F_GETFL = 3;
        F_SETFL = 4;
        F_GETLK = 5;
        F_SETLK = 6;
        F_SETLKW = 7;
        F_SETOWN = 8;
        F_GETOWN = 9;
        F_SETSIG = 10;
        F_GETSIG = 11;
        F_SETOWN_EX = 15;
        F_GETOWN_EX = 16;
        F_GETOWNER_UIDS = 17;
        F_OFD_GETLK = 36;
        F_OFD_SETLK = 37;
        F_OFD_SETLKW = 38;
        F_SETLEASE = 1024;
        F_GETLEASE = 1025;
        F_NOTIFY = 1026;
        DN_MULTISHOT = 0x8000_0000;
        F_DUPFD_QUERY = 1027;
        F_CREATED_QUERY = 1028;
        F_CANCELLK = 1029;
        F_DUPFD_CLOEXEC = 1030;
        F_SETPIPE_SZ = 1031;
        F_GETPIPE_SZ = 1032;
        F_ADD_SEALS = 1033;
        F_GET_SEALS = 1034;
        F_GET_RW_HINT = 1035;
        F_SET_RW_HINT = 1036;
        F_GET_FILE_RW_HINT = 1037;
        F_SET_FILE_RW_HINT = 1038;
    }

    /// `l_type` of a record lock, fcntl(2).
    pub const LOCK_TYPES: i16 {
        F_RDLCK = 0;
        F_WRLCK = 1;
        F_UNLCK = 2;
    }

    /// Whom SIGIO goes to, `F_SETOWN_EX`, fcntl(2).
    pub const OWNER_TYPES: i32 {
        F_OWNER_TID = 0;
        F_OWNER_PID = 1;
        F_OWNER_PGRP = 2;
    }

    /// `advice` of posix_fadvise(2).
    pub const FILE_ADVICE: i32 {
        POSIX_FADV_NORMAL = 0;
        POSIX_FADV_RANDOM = 1;
        POSIX_FADV_SEQUENTIAL = 2;
        POSIX_FADV_WILLNEED = 3;
        POSIX_FADV_DONTNEED = 4;
        POSIX_FADV_NOREUSE = 5;
    }
}

/// The only descriptor flag, `F_SETFD`.
pub const FD_CLOEXEC: u64 = 1;

flags! {
    /// `operation` of flock(2).
    pub struct LockOperation: u32, "LOCK_", kept {
        SH = 1;
        EX = 2;
        NB = 4;
        UN = 8;
        MAND = 32;
    }

    /// Seals of a memory file, `F_ADD_SEALS`, fcntl(2).
    pub struct Seals: u32, "F_SEAL_", refused {
        SEAL = 0x1;
        SHRINK = 0x2;
        GROW = 0x4;
        WRITE = 0x8;
        FUTURE_WRITE = 0x10;
        EXEC = 0x20;
    }

    /// fallocate(2). What is not known is `EOPNOTSUPP`, after other checks.
    pub struct FallocateMode: u32, "FALLOC_FL_", kept {
        KEEP_SIZE = 0x1;
        PUNCH_HOLE = 0x2;
        NO_HIDE_STALE = 0x4;
        COLLAPSE_RANGE = 0x8;
        ZERO_RANGE = 0x10;
        INSERT_RANGE = 0x20;
        UNSHARE_RANGE = 0x40;
    }

    /// preadv2(2). What is not known is `EOPNOTSUPP`, after other checks.
    pub struct RwFlags: u32, "RWF_", kept {
        HIPRI = 0x1;
        DSYNC = 0x2;
        SYNC = 0x4;
        NOWAIT = 0x8;
        APPEND = 0x10;
        NOAPPEND = 0x20;
        ATOMIC = 0x40;
    }

    /// splice(2), tee(2), vmsplice(2).
    pub struct SpliceFlags: u32, "SPLICE_F_", refused {
        MOVE = 1;
        NONBLOCK = 2;
        MORE = 4;
        GIFT = 8;
    }

    /// sync_file_range(2). What is not known is `EINVAL`, after the descriptor.
    pub struct SyncRangeFlags: u32, "SYNC_FILE_RANGE_", kept {
        WAIT_BEFORE = 1;
        WRITE = 2;
        WAIT_AFTER = 4;
    }

    /// setxattr(2).
    pub struct XattrFlags: u32, "XATTR_", refused {
        CREATE = 1;
        REPLACE = 2;
    }

    /// getrandom(2).
    pub struct RandomFlags: u32, "GRND_", refused {
        NONBLOCK = 1;
        RANDOM = 2;
        INSECURE = 4;
    }
}

/// The longest name of an extended attribute, bytes; xattr(7).
pub const XATTR_NAME_MAX: usize = 255;
/// The largest value of an extended attribute, bytes; xattr(7).
pub const XATTR_SIZE_MAX: usize = 65536;
/// The largest list of names of extended attributes, bytes; listxattr(2).
pub const XATTR_LIST_MAX: usize = 65536;
/// The most buffers that a vectored call takes, readv(2).
pub const IOV_MAX: usize = 1024;
/// The most bytes that one call transfers, read(2).
pub const RW_MAX: usize = 0x7fff_f000;
