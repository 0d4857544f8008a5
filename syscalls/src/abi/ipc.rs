//! System V IPC, sysvipc(7), and POSIX message queues, mq_overview(7).

use super::layout;

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
