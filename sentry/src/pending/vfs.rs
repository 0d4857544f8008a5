//! Calls of the area "vfs" without an implementation yet: delete a name when its `impl Run` exists.

use syscalls::{Run, SysResult, call};

use super::pending;
use crate::task::Current;

pending! {
    Fsync
    Fdatasync
    Ustat
    Statfs
    Fstatfs
    PivotRoot
    Sync
    Mount
    Umount2
    Readahead
    Setxattr
    Lsetxattr
    Fsetxattr
    Getxattr
    Lgetxattr
    Fgetxattr
    Listxattr
    Llistxattr
    Flistxattr
    Removexattr
    Lremovexattr
    Fremovexattr
    Fadvise64
    Syncfs
    Cachestat
    SyncFileRange
    MemfdCreate
    CopyFileRange
    Sendfile
}
