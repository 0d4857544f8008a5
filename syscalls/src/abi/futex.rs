//! Futexes, futex(2).

use super::layout;
use crate::uaddr::{UserAddr, UserPtr};

layout! {
    /// The head of a thread's robust list, set_robust_list(2).
    pub struct RobustListHead {
        /// The first entry; an entry's first word is the address of the next.
        pub list: UserAddr,
        /// From an entry to its futex, bytes.
        pub futex_offset: i64,
        pub list_op_pending: UserAddr,
    }

    /// One of several futexes to wait for, futex_waitv(2).
    pub struct FutexWaiter {
        pub val: u64,
        pub uaddr: UserPtr<u32>,
        pub flags: u32,
        pub reserved: u32,
    }
}
