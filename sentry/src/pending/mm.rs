//! Calls of the area "mm" without an implementation yet: delete a name when its `impl Run` exists.

use syscalls::{Run, SysResult, call};

use super::pending;
use crate::task::Current;

pending! {
    Mmap
    Mprotect
    Munmap
    Brk
    Mremap
    Msync
    Mincore
    Madvise
    Mlock
    Munlock
    Mlockall
    Munlockall
    Mlock2
    PkeyMprotect
    RemapFilePages
    Mbind
    SetMempolicy
    GetMempolicy
    MigratePages
    MovePages
    ProcessVmReadv
    ProcessVmWritev
    Mseal
    ProcessMadvise
}
