//! What a task is and what it runs on: capabilities, the machine's name, rseq.

use super::layout;
use crate::flags::{flags, numbers};
use crate::uaddr::UserPtr;

layout! {
    /// What PIDFD_GET_INFO tells of a process, linux/pidfd.h.
    pub struct PidfdInfo {
        pub mask: u64,
        pub cgroupid: u64,
        pub pid: u32,
        pub tgid: u32,
        pub ppid: u32,
        pub ruid: u32,
        pub rgid: u32,
        pub euid: u32,
        pub egid: u32,
        pub suid: u32,
        pub sgid: u32,
        pub fsuid: u32,
        pub fsgid: u32,
        pub exit_code: i32,
    }

    /// Version and subject of capget(2).
    pub struct CapHeader {
        pub version: u32,
        pub pid: i32,
    }

    /// One half of the capability sets, capget(2).
    pub struct CapData {
        pub effective: u32,
        pub permitted: u32,
        pub inheritable: u32,
    }

    /// Names, each ended by NUL, uname(2).
    pub struct Utsname {
        pub sysname: [u8; 65],
        pub nodename: [u8; 65],
        pub release: [u8; 65],
        pub version: [u8; 65],
        pub machine: [u8; 65],
        pub domainname: [u8; 65],
    }

    /// The machine, sysinfo(2).
    pub struct Sysinfo {
        /// In seconds.
        pub uptime: i64,
        /// Over 1, 5 and 15 minutes, in units of 1/65536.
        pub loads: [u64; 3],
        pub totalram: u64,
        pub freeram: u64,
        pub sharedram: u64,
        pub bufferram: u64,
        pub totalswap: u64,
        pub freeswap: u64,
        pub procs: u16,
        pub pad0: u16,
        pub pad1: u32,
        pub totalhigh: u64,
        pub freehigh: u64,
        /// Bytes that the memory counts above are in units of.
        pub mem_unit: u32,
        pub pad2: u32,
    }

    /// The area that a thread shares with the kernel, rseq(2).
    pub struct Rseq {
        pub cpu_id_start: u32,
        pub cpu_id: u32,
        pub rseq_cs: u64,
        pub flags: u32,
        pub node_id: u32,
        pub mm_cid: u32,
        pub pad0: u32,
    }
}

numbers! {
    /// `option` of prctl(2).
    pub const PRCTL_OPTIONS: i32 {
        PR_SET_PDEATHSIG = 1;
        PR_GET_PDEATHSIG = 2;
        PR_GET_DUMPABLE = 3;
        PR_SET_DUMPABLE = 4;
        PR_GET_KEEPCAPS = 7;
        PR_SET_KEEPCAPS = 8;
        PR_GET_TIMING = 13;
        PR_SET_TIMING = 14;
        PR_SET_NAME = 15;
        PR_GET_NAME = 16;
        PR_GET_SECCOMP = 21;
        PR_SET_SECCOMP = 22;
        PR_CAPBSET_READ = 23;
        PR_CAPBSET_DROP = 24;
        PR_GET_TSC = 25;
        PR_SET_TSC = 26;
        PR_GET_SECUREBITS = 27;
        PR_SET_SECUREBITS = 28;
        PR_SET_TIMERSLACK = 29;
        PR_GET_TIMERSLACK = 30;
        PR_TASK_PERF_EVENTS_DISABLE = 31;
        PR_TASK_PERF_EVENTS_ENABLE = 32;
        PR_MCE_KILL = 33;
        PR_MCE_KILL_GET = 34;
        PR_SET_MM = 35;
        PR_SET_CHILD_SUBREAPER = 36;
        PR_GET_CHILD_SUBREAPER = 37;
        PR_SET_NO_NEW_PRIVS = 38;
        PR_GET_NO_NEW_PRIVS = 39;
        PR_GET_TID_ADDRESS = 40;
        PR_SET_THP_DISABLE = 41;
        PR_GET_THP_DISABLE = 42;
        PR_CAP_AMBIENT = 47;
        PR_GET_SPECULATION_CTRL = 52;
        PR_SET_SPECULATION_CTRL = 53;
        PR_SET_IO_FLUSHER = 57;
        PR_GET_IO_FLUSHER = 58;
        PR_SET_SYSCALL_USER_DISPATCH = 59;
        PR_SCHED_CORE = 62;
        PR_SET_MDWE = 65;
        PR_GET_MDWE = 66;
        PR_SET_MEMORY_MERGE = 67;
        PR_GET_MEMORY_MERGE = 68;
        PR_GET_AUXV = 0x4155_5856;
        PR_SET_VMA = 0x5356_4d41;
        PR_SET_PTRACER = 0x5961_6d61;
    }

    /// Second argument of `PR_CAP_AMBIENT`.
    pub const AMBIENT_CHANGES: u64 {
        PR_CAP_AMBIENT_IS_SET = 1;
        PR_CAP_AMBIENT_RAISE = 2;
        PR_CAP_AMBIENT_LOWER = 3;
        PR_CAP_AMBIENT_CLEAR_ALL = 4;
    }

    /// Second argument of `PR_SET_MM`.
    pub const MM_FIELDS: u64 {
        PR_SET_MM_START_CODE = 1;
        PR_SET_MM_END_CODE = 2;
        PR_SET_MM_START_DATA = 3;
        PR_SET_MM_END_DATA = 4;
        PR_SET_MM_START_STACK = 5;
        PR_SET_MM_START_BRK = 6;
        PR_SET_MM_BRK = 7;
        PR_SET_MM_ARG_START = 8;
        PR_SET_MM_ARG_END = 9;
        PR_SET_MM_ENV_START = 10;
        PR_SET_MM_ENV_END = 11;
        PR_SET_MM_AUXV = 12;
        PR_SET_MM_EXE_FILE = 13;
        PR_SET_MM_MAP = 14;
        PR_SET_MM_MAP_SIZE = 15;
    }

    /// `code` of arch_prctl(2).
    pub const ARCH_PRCTL_CODES: i32 {
        ARCH_SET_GS = 0x1001;
        ARCH_SET_FS = 0x1002;
        ARCH_GET_FS = 0x1003;
        ARCH_GET_GS = 0x1004;
        ARCH_GET_CPUID = 0x1011;
        ARCH_SET_CPUID = 0x1012;
        ARCH_GET_XCOMP_SUPP = 0x1021;
        ARCH_GET_XCOMP_PERM = 0x1022;
        ARCH_REQ_XCOMP_PERM = 0x1023;
        ARCH_GET_XCOMP_GUEST_PERM = 0x1024;
        ARCH_REQ_XCOMP_GUEST_PERM = 0x1025;
        ARCH_MAP_VDSO_64 = 0x2003;
        ARCH_CET_STATUS = 0x3001;
        ARCH_SHSTK_ENABLE = 0x5001;
        ARCH_SHSTK_DISABLE = 0x5002;
        ARCH_SHSTK_LOCK = 0x5003;
        ARCH_SHSTK_UNLOCK = 0x5004;
        ARCH_SHSTK_STATUS = 0x5005;
    }

    /// `version` of [`CapHeader`].
    pub const CAPABILITY_VERSIONS: u32 {
        LINUX_CAPABILITY_VERSION_1 = 0x1998_0330;
        LINUX_CAPABILITY_VERSION_2 = 0x2007_1026;
        LINUX_CAPABILITY_VERSION_3 = 0x2008_0522;
    }

    /// Entries of the auxiliary vector, getauxval(3).
    pub const AUXILIARY: u64 {
        AT_NULL = 0;
        AT_IGNORE = 1;
        AT_EXECFD = 2;
        AT_PHDR = 3;
        AT_PHENT = 4;
        AT_PHNUM = 5;
        AT_PAGESZ = 6;
        AT_BASE = 7;
        AT_FLAGS = 8;
        AT_ENTRY = 9;
        AT_NOTELF = 10;
        AT_UID = 11;
        AT_EUID = 12;
        AT_GID = 13;
        AT_EGID = 14;
        AT_PLATFORM = 15;
        AT_HWCAP = 16;
        AT_CLKTCK = 17;
        AT_SECURE = 23;
        AT_BASE_PLATFORM = 24;
        AT_RANDOM = 25;
        AT_HWCAP2 = 26;
        AT_RSEQ_FEATURE_SIZE = 27;
        AT_RSEQ_ALIGN = 28;
        AT_EXECFN = 31;
        AT_SYSINFO_EHDR = 33;
        AT_MINSIGSTKSZ = 51;
    }

    /// `type` of kcmp(2).
    pub const KCMP_KINDS: i32 {
        KCMP_FILE = 0;
        KCMP_VM = 1;
        KCMP_FILES = 2;
        KCMP_FS = 3;
        KCMP_SIGHAND = 4;
        KCMP_IO = 5;
        KCMP_SYSVSEM = 6;
        KCMP_EPOLL_TFD = 7;
    }

    /// `operation` of seccomp(2).
    pub const SECCOMP_OPERATIONS: u32 {
        SECCOMP_SET_MODE_STRICT = 0;
        SECCOMP_SET_MODE_FILTER = 1;
        SECCOMP_GET_ACTION_AVAIL = 2;
        SECCOMP_GET_NOTIF_SIZES = 3;
    }

    /// What a filter decides, the upper half of its result; seccomp(2).
    pub const SECCOMP_ACTIONS: u32 {
        SECCOMP_RET_KILL_PROCESS = 0x8000_0000;
        SECCOMP_RET_KILL_THREAD = 0;
        SECCOMP_RET_TRAP = 0x3_0000;
        SECCOMP_RET_ERRNO = 0x5_0000;
        SECCOMP_RET_USER_NOTIF = 0x7fc0_0000;
        SECCOMP_RET_TRACE = 0x7ff0_0000;
        SECCOMP_RET_LOG = 0x7ffc_0000;
        SECCOMP_RET_ALLOW = 0x7fff_0000;
    }
}

flags! {
    /// `flags` of `SECCOMP_SET_MODE_FILTER`, seccomp(2).
    pub struct SeccompFlags: u32, "SECCOMP_FILTER_FLAG_", refused {
        TSYNC = 1;
        LOG = 2;
        SPEC_ALLOW = 4;
        NEW_LISTENER = 8;
        TSYNC_ESRCH = 16;
        WAIT_KILLABLE_RECV = 32;
    }
}

layout! {
    /// One instruction of a filter, bpf(4).
    pub struct SockFilter {
        pub code: u16,
        pub jt: u8,
        pub jf: u8,
        pub k: u32,
    }

    /// A filter, seccomp(2), `SO_ATTACH_FILTER`.
    pub struct SockFprog {
        pub len: u16,
        pub pad0: u16,
        pub pad1: u32,
        pub filter: UserPtr<SockFilter>,
    }

    /// Sizes of what is told of a call, `SECCOMP_GET_NOTIF_SIZES`.
    pub struct SeccompNotifSizes {
        pub notif: u16,
        pub notif_resp: u16,
        pub data: u16,
    }

    /// What a filter sees, seccomp(2).
    pub struct SeccompData {
        pub nr: i32,
        pub arch: u32,
        pub instruction_pointer: u64,
        pub args: [u64; 6],
    }

    /// A call that waits for an answer, seccomp_unotify(2).
    pub struct SeccompNotif {
        pub id: u64,
        pub pid: u32,
        pub flags: u32,
        pub data: SeccompData,
    }

    /// The answer.
    pub struct SeccompNotifResp {
        pub id: u64,
        pub val: i64,
        pub error: i32,
        pub flags: u32,
    }

    /// A file for whoever made the call.
    pub struct SeccompNotifAddfd {
        pub id: u64,
        pub flags: u32,
        pub srcfd: u32,
        pub newfd: u32,
        pub newfd_flags: u32,
    }
}

/// `arch` of [`SeccompData`] on x86-64.
pub const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
/// The personality that asks which one it is, personality(2).
pub const PERSONALITY_QUERY: u32 = u32::MAX;
/// No address space randomisation, personality(2).
pub const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;
/// Readable memory is executable, personality(2).
pub const READ_IMPLIES_EXEC: u32 = 0x0040_0000;
