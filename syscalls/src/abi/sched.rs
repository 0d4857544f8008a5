//! Processes as they are made, scheduled, limited and accounted.

use super::layout;
use super::time::Timeval;

layout! {
    /// How to make a child, clone3(2).
    pub struct CloneArgs {
        pub flags: u64,
        pub pidfd: u64,
        pub child_tid: u64,
        pub parent_tid: u64,
        pub exit_signal: u64,
        pub stack: u64,
        pub stack_size: u64,
        pub tls: u64,
        pub set_tid: u64,
        pub set_tid_size: u64,
        pub cgroup: u64,
    }

    /// sched_setparam(2).
    pub struct SchedParam {
        pub priority: i32,
    }

    /// sched_setattr(2).
    pub struct SchedAttr {
        pub size: u32,
        pub policy: u32,
        pub flags: u64,
        pub nice: i32,
        pub priority: u32,
        pub runtime: u64,
        pub deadline: u64,
        pub period: u64,
        pub util_min: u32,
        pub util_max: u32,
    }

    /// A limit, getrlimit(2).
    pub struct Rlimit {
        pub cur: u64,
        pub max: u64,
    }

    /// What a process has used, getrusage(2).
    pub struct Rusage {
        pub utime: Timeval,
        pub stime: Timeval,
        /// In KiB.
        pub maxrss: i64,
        pub ixrss: i64,
        pub idrss: i64,
        pub isrss: i64,
        pub minflt: i64,
        pub majflt: i64,
        pub nswap: i64,
        pub inblock: i64,
        pub oublock: i64,
        pub msgsnd: i64,
        pub msgrcv: i64,
        pub nsignals: i64,
        pub nvcsw: i64,
        pub nivcsw: i64,
    }
}
