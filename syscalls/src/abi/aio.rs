//! Asynchronous I/O, io_submit(2).

use super::layout;
use crate::flags::numbers;

layout! {
    /// A request.
    pub struct Iocb {
        pub data: u64,
        pub key: u32,
        pub rw_flags: u32,
        pub opcode: u16,
        pub reqprio: i16,
        pub fd: i32,
        pub buf: u64,
        pub nbytes: u64,
        pub offset: i64,
        pub reserved: u64,
        pub flags: u32,
        pub resfd: i32,
    }

    /// A completed request.
    pub struct IoEvent {
        pub data: u64,
        /// The guest address of the request's [`Iocb`].
        pub obj: u64,
        pub res: i64,
        pub res2: i64,
    }
}

numbers! {
    /// `aio_lio_opcode`, io_submit(2).
    pub const AIO_OPERATIONS: u16 {
        IOCB_CMD_PREAD = 0;
        IOCB_CMD_PWRITE = 1;
        IOCB_CMD_FSYNC = 2;
        IOCB_CMD_FDSYNC = 3;
        IOCB_CMD_POLL = 5;
        IOCB_CMD_NOOP = 6;
        IOCB_CMD_PREADV = 7;
        IOCB_CMD_PWRITEV = 8;
    }
}

/// `flags`: completion is also counted on the eventfd `resfd`.
pub const IOCB_FLAG_RESFD: u32 = 1;
