//! Processes as they are made, scheduled, limited and accounted.

use super::layout;
use super::time::Timeval;
use crate::flags::{flags, numbers};

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

flags! {
    /// What a new task shares and which name spaces it gets, clone(2). clone(2) itself
    /// has the exit signal in the lower eight bits.
    pub struct CloneFlags: u64, "CLONE_", kept {
        NEWTIME = 0x80;
        VM = 0x100;
        FS = 0x200;
        FILES = 0x400;
        SIGHAND = 0x800;
        PIDFD = 0x1000;
        PTRACE = 0x2000;
        VFORK = 0x4000;
        PARENT = 0x8000;
        THREAD = 0x1_0000;
        NEWNS = 0x2_0000;
        SYSVSEM = 0x4_0000;
        SETTLS = 0x8_0000;
        PARENT_SETTID = 0x10_0000;
        CHILD_CLEARTID = 0x20_0000;
        DETACHED = 0x40_0000;
        UNTRACED = 0x80_0000;
        CHILD_SETTID = 0x100_0000;
        NEWCGROUP = 0x200_0000;
        NEWUTS = 0x400_0000;
        NEWIPC = 0x800_0000;
        NEWUSER = 0x1000_0000;
        NEWPID = 0x2000_0000;
        NEWNET = 0x4000_0000;
        IO = 0x8000_0000;
        CLEAR_SIGHAND = 0x1_0000_0000;
        INTO_CGROUP = 0x2_0000_0000;
    }

    /// wait4(2) and waitid(2), which each refuse some of them.
    pub struct WaitOptions: u32, "W", refused {
        NOHANG = 1;
        /// `WUNTRACED` of wait4(2), `WSTOPPED` of waitid(2).
        STOPPED = 2;
        EXITED = 4;
        CONTINUED = 8;
        NOWAIT = 0x0100_0000;
        NOTHREAD = 0x2000_0000, "__WNOTHREAD";
        ALL = 0x4000_0000, "__WALL";
        CLONE = 0x8000_0000, "__WCLONE";
    }

    /// pidfd_open(2).
    pub struct PidfdFlags: u32, "PIDFD_", refused {
        THREAD = 0o200;
        NONBLOCK = 0o4000;
    }

    /// pidfd_send_signal(2), of which at most one may be set.
    pub struct PidfdSignalFlags: u32, "PIDFD_SIGNAL_", refused {
        THREAD = 1;
        THREAD_GROUP = 2;
        PROCESS_GROUP = 4;
    }
}

impl CloneFlags {
    /// What the argument of clone(2) means: flags in its lower half, of which the lowest
    /// eight bits are the signal that the parent gets when the child ends.
    #[must_use]
    pub const fn split(self) -> (CloneFlags, u8) {
        let bits = self.bits();
        let signal = bits.to_le_bytes()[0];
        (CloneFlags::from_bits_retain(bits & 0xffff_ff00), signal)
    }
}

numbers! {
    /// `idtype` of waitid(2).
    pub const ID_TYPES: i32 {
        P_ALL = 0;
        P_PID = 1;
        P_PGID = 2;
        P_PIDFD = 3;
    }

    /// `resource` of getrlimit(2).
    pub const RESOURCES: u32 {
        RLIMIT_CPU = 0;
        RLIMIT_FSIZE = 1;
        RLIMIT_DATA = 2;
        RLIMIT_STACK = 3;
        RLIMIT_CORE = 4;
        RLIMIT_RSS = 5;
        RLIMIT_NPROC = 6;
        RLIMIT_NOFILE = 7;
        RLIMIT_MEMLOCK = 8;
        RLIMIT_AS = 9;
        RLIMIT_LOCKS = 10;
        RLIMIT_SIGPENDING = 11;
        RLIMIT_MSGQUEUE = 12;
        RLIMIT_NICE = 13;
        RLIMIT_RTPRIO = 14;
        RLIMIT_RTTIME = 15;
    }

    /// `who` of getrusage(2).
    pub const USAGE_OF: i32 {
        RUSAGE_SELF = 0;
        RUSAGE_CHILDREN = -1;
        RUSAGE_THREAD = 1;
    }

    /// Scheduling policies, sched(7).
    pub const POLICIES: i32 {
        SCHED_NORMAL = 0;
        SCHED_FIFO = 1;
        SCHED_RR = 2;
        SCHED_BATCH = 3;
        SCHED_IDLE = 5;
        SCHED_DEADLINE = 6;
    }

    /// `which` of getpriority(2).
    pub const PRIORITY_OF: i32 {
        PRIO_PROCESS = 0;
        PRIO_PGRP = 1;
        PRIO_USER = 2;
    }

    /// `which` of ioprio_get(2).
    pub const IO_PRIORITY_OF: i32 {
        IOPRIO_WHO_PROCESS = 1;
        IOPRIO_WHO_PGRP = 2;
        IOPRIO_WHO_USER = 3;
    }

    /// `cmd` of membarrier(2).
    pub const MEMBARRIER_COMMANDS: i32 {
        MEMBARRIER_CMD_QUERY = 0;
        MEMBARRIER_CMD_GLOBAL = 1;
        MEMBARRIER_CMD_GLOBAL_EXPEDITED = 2;
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 4;
        MEMBARRIER_CMD_PRIVATE_EXPEDITED = 8;
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 16;
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 32;
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 64;
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ = 128;
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ = 256;
        MEMBARRIER_CMD_GET_REGISTRATIONS = 512;
    }
}

/// No limit, getrlimit(2).
pub const RLIM_INFINITY: u64 = u64::MAX;
/// `policy` bit of sched_setscheduler(2): children start with the default policy.
pub const SCHED_RESET_ON_FORK: i32 = 0x4000_0000;
/// Sizes of `struct clone_args` that exist, bytes; clone3(2).
pub const CLONE_ARGS_SIZES: [usize; 3] = [64, 80, 88];
/// The first size of `struct sched_attr`, bytes; sched_setattr(2).
pub const SCHED_ATTR_SIZE_VER0: u32 = 48;
