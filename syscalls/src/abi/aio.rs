//! Asynchronous I/O, io_submit(2).

use super::layout;

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
