//! Semaphore sets, semget(2) and semop(2).
//!
//! Who cannot perform its operations leaves them in the set's queue. Every change of a
//! value goes through the queue from its front and performs what has become possible, for
//! the waiter, before it lets go of the set.

mod calls;
mod control;
mod operate;
mod undo;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use syscalls::Errno;
use syscalls::abi::ipc::{SemBuf, SemidDs};

use super::perm::Perm;
use super::table::Named;
use crate::sync::{Level, Mutex};
use crate::task::Pid;
use crate::wait::{Ready, WaitQueue};
pub(crate) use undo::UndoList;

/// The largest value of a semaphore.
const SEMVMX: i32 = 32_767;
/// Semaphores of a set.
const SEMMSL: i32 = 32_000;
/// Operations of one call.
const SEMOPM: u32 = 500;
/// Sets of a name space.
const SEMMNI: i32 = 32_000;
/// Semaphores of a name space.
const SEMMNS: i32 = 1_024_000_000;
/// The largest value to be undone.
const SEMAEM: i32 = SEMVMX;

/// See the module.
pub(crate) struct SemSet(Mutex<State>);

#[derive(Clone, Copy, Debug, Default)]
struct Semaphore {
    /// 0..=[`SEMVMX`].
    value: i32,
    /// Who changed it last.
    pid: Pid,
}

struct State {
    perm: Perm,
    operated_at: i64,
    changed_at: i64,
    semaphores: Vec<Semaphore>,
    waiting: Vec<Waiting>,
    /// What the ends of processes will add, by [`UndoList::id`].
    undo: BTreeMap<u64, Vec<i32>>,
    removed: bool,
}

/// Operations that wait.
struct Waiting {
    waiter: Arc<Waiter>,
    /// Which of them cannot be performed.
    blocked: usize,
}

/// Who waits.
struct Waiter {
    operations: Operations,
    result: OnceLock<Result<(), Errno>>,
    queue: WaitQueue,
}

impl Waiter {
    /// Ends the wait; the caller notifies outside the lock.
    fn finish(&self, result: Result<(), Errno>) {
        // Whoever takes a waiter out of the queue says how it ended, once.
        let _ = self.result.set(result);
    }
}

fn wake(waiters: &[Arc<Waiter>]) {
    for waiter in waiters {
        waiter.queue.notify(Ready::WRITABLE);
    }
}

/// What one call does, at once or not at all.
#[derive(Clone)]
struct Operations {
    list: Vec<SemBuf>,
    pid: Pid,
    /// Whose undo list, with SEM_UNDO.
    undo: Option<u64>,
}

impl SemSet {
    fn new(perm: Perm, count: usize) -> Self {
        SemSet(Mutex::new(
            Level::Ipc,
            State {
                perm,
                operated_at: 0,
                changed_at: super::now(),
                semaphores: vec![Semaphore::default(); count],
                waiting: Vec::new(),
                undo: BTreeMap::new(),
                removed: false,
            },
        ))
    }

    fn count(&self) -> usize {
        self.0.lock().semaphores.len()
    }

    fn perm(&self) -> Perm {
        self.0.lock().perm.clone()
    }

    pub(crate) fn stat(named: &Named<SemSet>) -> SemidDs {
        let state = named.object.0.lock();
        SemidDs {
            perm: state.perm.abi(named.key, named.id),
            otime: state.operated_at,
            ctime: state.changed_at,
            nsems: state.semaphores.len() as u64,
            ..SemidDs::default()
        }
    }
}
