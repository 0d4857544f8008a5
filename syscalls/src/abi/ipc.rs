//! System V IPC, sysvipc(7), and POSIX message queues, mq_overview(7).

use super::layout;
use crate::flags::numbers;

layout! {
    /// Owner and rights of an object, sysvipc(7).
    pub struct IpcPerm {
        pub key: i32,
        pub uid: u32,
        pub gid: u32,
        pub cuid: u32,
        pub cgid: u32,
        pub mode: u32,
        pub seq: u16,
        pub pad0: u16,
        pub pad1: u32,
        pub unused: [u64; 2],
    }

    /// A shared memory segment, shmctl(2).
    pub struct ShmidDs {
        pub perm: IpcPerm,
        pub segsz: u64,
        pub atime: i64,
        pub dtime: i64,
        pub ctime: i64,
        pub cpid: i32,
        pub lpid: i32,
        pub nattch: u64,
        pub unused: [u64; 2],
    }

    /// Limits of shared memory, IPC_INFO.
    pub struct Shminfo {
        pub shmmax: u64,
        pub shmmin: u64,
        pub shmmni: u64,
        pub shmseg: u64,
        pub shmall: u64,
        pub unused: [u64; 4],
    }

    /// Use of shared memory, SHM_INFO.
    pub struct ShmInfo {
        pub used_ids: i32,
        pub pad: u32,
        /// Pages.
        pub shm_tot: u64,
        pub shm_rss: u64,
        pub shm_swp: u64,
        pub swap_attempts: u64,
        pub swap_successes: u64,
    }

    /// Limits and use of semaphores, IPC_INFO and SEM_INFO.
    pub struct Seminfo {
        pub semmap: i32,
        pub semmni: i32,
        pub semmns: i32,
        pub semmnu: i32,
        pub semmsl: i32,
        pub semopm: i32,
        pub semume: i32,
        pub semusz: i32,
        pub semvmx: i32,
        pub semaem: i32,
    }

    /// Limits and use of message queues, IPC_INFO and MSG_INFO.
    pub struct Msginfo {
        pub msgpool: i32,
        pub msgmap: i32,
        pub msgmax: i32,
        pub msgmnb: i32,
        pub msgmni: i32,
        pub msgssz: i32,
        pub msgtql: i32,
        pub msgseg: u16,
        pub pad: u16,
    }

    /// A semaphore set, semctl(2).
    pub struct SemidDs {
        pub perm: IpcPerm,
        pub otime: i64,
        pub unused0: u64,
        pub ctime: i64,
        pub unused1: u64,
        pub nsems: u64,
        pub unused: [u64; 2],
    }

    /// A message queue, msgctl(2).
    pub struct MsqidDs {
        pub perm: IpcPerm,
        pub stime: i64,
        pub rtime: i64,
        pub ctime: i64,
        pub cbytes: u64,
        pub qnum: u64,
        pub qbytes: u64,
        pub lspid: i32,
        pub lrpid: i32,
        pub unused: [u64; 2],
    }

    /// One operation on a semaphore, semop(2).
    pub struct SemBuf {
        pub num: u16,
        pub op: i16,
        pub flg: i16,
    }

    /// Attributes of a message queue, mq_getattr(3).
    pub struct MqAttr {
        pub flags: i64,
        pub maxmsg: i64,
        pub msgsize: i64,
        pub curmsgs: i64,
        pub reserved: [i64; 4],
    }
}

numbers! {
    /// `cmd` of shmctl(2), semctl(2) and msgctl(2).
    pub const IPC_COMMANDS: i32 {
        IPC_RMID = 0;
        IPC_SET = 1;
        IPC_STAT = 2;
        IPC_INFO = 3;
        MSG_STAT = 11;
        MSG_INFO = 12;
        MSG_STAT_ANY = 13;
        SHM_LOCK = 11;
        SHM_UNLOCK = 12;
        SHM_STAT = 13;
        SHM_INFO = 14;
        SHM_STAT_ANY = 15;
        SEM_STAT = 18;
        SEM_INFO = 19;
        SEM_STAT_ANY = 20;
        GETPID = 11;
        GETVAL = 12;
        GETALL = 13;
        GETNCNT = 14;
        GETZCNT = 15;
        SETVAL = 16;
        SETALL = 17;
    }

    /// Bits of `shmflg`, `semflg` and `msgflg`; the lowest nine are the mode.
    pub const IPC_FLAGS: i32 {
        IPC_CREAT = 0o1000;
        IPC_EXCL = 0o2000;
        IPC_NOWAIT = 0o4000;
        SHM_HUGETLB = 0o4000;
        SHM_NORESERVE = 0o10_000;
        SHM_RDONLY = 0o10_000;
        SHM_RND = 0o20_000;
        SHM_REMAP = 0o40_000;
        SHM_EXEC = 0o100_000;
        SEM_UNDO = 0x1000;
        MSG_NOERROR = 0o10_000;
        MSG_EXCEPT = 0o20_000;
        MSG_COPY = 0o40_000;
    }
}

/// The key that always makes a new object.
pub const IPC_PRIVATE: i32 = 0;
