//! Futexes, futex(2).

use super::layout;
use crate::flags::numbers;
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

numbers! {
    /// The lower seven bits of `op`, futex(2).
    pub const FUTEX_OPERATIONS: u32 {
        FUTEX_WAIT = 0;
        FUTEX_WAKE = 1;
        FUTEX_FD = 2;
        FUTEX_REQUEUE = 3;
        FUTEX_CMP_REQUEUE = 4;
        FUTEX_WAKE_OP = 5;
        FUTEX_LOCK_PI = 6;
        FUTEX_UNLOCK_PI = 7;
        FUTEX_TRYLOCK_PI = 8;
        FUTEX_WAIT_BITSET = 9;
        FUTEX_WAKE_BITSET = 10;
        FUTEX_WAIT_REQUEUE_PI = 11;
        FUTEX_CMP_REQUEUE_PI = 12;
        FUTEX_LOCK_PI2 = 13;
    }

    /// The operation of `FUTEX_WAKE_OP`, bits 28 to 30 of `val3`.
    pub const WAKE_OPERATIONS: u32 {
        FUTEX_OP_SET = 0;
        FUTEX_OP_ADD = 1;
        FUTEX_OP_OR = 2;
        FUTEX_OP_ANDN = 3;
        FUTEX_OP_XOR = 4;
    }

    /// The comparison of `FUTEX_WAKE_OP`, bits 24 to 27 of `val3`.
    pub const WAKE_COMPARISONS: u32 {
        FUTEX_OP_CMP_EQ = 0;
        FUTEX_OP_CMP_NE = 1;
        FUTEX_OP_CMP_LT = 2;
        FUTEX_OP_CMP_LE = 3;
        FUTEX_OP_CMP_GT = 4;
        FUTEX_OP_CMP_GE = 5;
    }
}

/// Bit of `op`: the futex is not shared with other processes.
pub const FUTEX_PRIVATE_FLAG: u32 = 128;
/// Bit of `op`: the timeout is of `CLOCK_REALTIME`.
pub const FUTEX_CLOCK_REALTIME: u32 = 256;
/// Bit of `FUTEX_WAKE_OP`'s operation: the operand is a shift.
pub const FUTEX_OP_OPARG_SHIFT: u32 = 8;
/// `val3` that matches every waiter.
pub const FUTEX_BITSET_MATCH_ANY: u32 = u32::MAX;
/// Bit of a robust or priority-inheriting futex: somebody waits.
pub const FUTEX_WAITERS: u32 = 0x8000_0000;
/// Bit of such a futex: its owner died.
pub const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
/// Mask of such a futex: its owner.
pub const FUTEX_TID_MASK: u32 = 0x3fff_ffff;
/// The most entries of a robust list that the kernel follows.
pub const ROBUST_LIST_LIMIT: usize = 2048;
/// The most futexes of futex_waitv(2).
pub const FUTEX_WAITV_MAX: u32 = 128;
/// `flags` of futex_waitv(2) and its kin: the futex has 32 bits, the only size that there is.
pub const FUTEX2_SIZE_U32: u32 = 2;
/// `flags` of futex_waitv(2) and its kin: not shared.
pub const FUTEX2_PRIVATE: u32 = 128;
