//! Futexes, futex(2) and futex(7).
//!
//! Waiters stand in buckets by [`FutexKey`]. A waiter compares the word under its
//! bucket's lock, and wakers take that lock after changing the word: no wake is lost.

mod calls;
mod pi;
mod table;
mod vector;
mod wait;

use syscalls::{Errno, UserAddr};

use crate::mm::{Mm, Sharing};

pub use table::FutexTable;

/// Wakes up to `count` waiters of any bitset on the word at `addr`; returns how many.
/// For the kernel's own wakes (thread exit, robust lists).
pub fn wake(
    table: &FutexTable,
    mm: &Mm,
    addr: UserAddr,
    sharing: Sharing,
    count: usize,
) -> Result<usize, Errno> {
    let key = mm.futex_key(addr, sharing)?;
    Ok(table.wake(key, count, u32::MAX))
}
