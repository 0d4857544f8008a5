//! Calls of the area "ids" without an implementation yet: delete a name when its `impl Run` exists.

use syscalls::{Run, SysResult, call};

use super::pending;
use crate::task::Current;

pending! {
    Getuid
    Getgid
    Setuid
    Setgid
    Geteuid
    Getegid
    Setreuid
    Setregid
    Getgroups
    Setgroups
    Setresuid
    Getresuid
    Setresgid
    Getresgid
    Setfsuid
    Setfsgid
    Capget
    Capset
    Prctl
    ArchPrctl
    Personality
    Getrlimit
    Setrlimit
    Prlimit64
    Getrusage
    Times
    Getpriority
    Setpriority
    SchedSetparam
    SchedGetparam
    SchedSetscheduler
    SchedGetscheduler
    SchedGetPriorityMax
    SchedGetPriorityMin
    SchedRrGetInterval
    SchedSetaffinity
    SchedGetaffinity
    SchedSetattr
    SchedGetattr
    SchedYield
    IoprioSet
    IoprioGet
    Uname
    Sethostname
    Setdomainname
    Sysinfo
    Syslog
    Getrandom
    Getcpu
    Membarrier
    Seccomp
}
