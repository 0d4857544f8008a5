//! Calls of the area "task" without an implementation yet: delete a name when its `impl Run` exists.

use syscalls::{Run, SysResult, call};

use super::pending;
use crate::task::Current;

pending! {
    RtSigaction
    RtSigprocmask
    RtSigreturn
    RtSigpending
    RtSigtimedwait
    RtSigqueueinfo
    RtTgsigqueueinfo
    RtSigsuspend
    Sigaltstack
    Kill
    Tkill
    Tgkill
    Pause
    Clone
    Fork
    Vfork
    Clone3
    Exit
    ExitGroup
    Wait4
    Waitid
    Execve
    Execveat
    Setpgid
    Getpgrp
    Setsid
    Getpgid
    Getsid
    Getpid
    Gettid
    Getppid
    SetTidAddress
    SetRobustList
    GetRobustList
    Rseq
    PidfdOpen
    PidfdSendSignal
    PidfdGetfd
    Ptrace
    Kcmp
    Unshare
    Setns
}
