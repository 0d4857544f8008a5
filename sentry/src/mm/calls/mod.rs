//! The system calls on memory.

mod advise;
mod lock;
mod map;
mod numa;
mod process_vm;
mod protect;
mod sync;

use crate::task::{Capabilities, Current, Resource};

/// How many bytes the process may lock, mlock(2).
fn lock_limit(task: &Current) -> u64 {
    if task.creds.get().has(Capabilities::IPC_LOCK) {
        u64::MAX
    } else {
        task.group.limits.soft(Resource::Memlock)
    }
}
