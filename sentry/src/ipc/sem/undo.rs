//! SEM_UNDO: what the end of a process takes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::{SEMVMX, SemSet, wake};
use crate::sync::{Level, Mutex};
use crate::task::{Pid, Task};

/// The sets that a process, or several with CLONE_SYSVSEM, has changed with SEM_UNDO. How
/// much is to be undone stands in each set.
pub(crate) struct UndoList {
    id: u64,
    sets: Mutex<Vec<Weak<SemSet>>>,
}

impl UndoList {
    fn new() -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(UndoList {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            sets: Mutex::new(Level::Leaf, Vec::new()),
        })
    }

    /// A number that no other list ever has.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Says that `set` has something to undo.
    pub(super) fn note(&self, set: &Arc<SemSet>) {
        let mut sets = self.sets.lock();
        let set = Arc::downgrade(set);
        if !sets.iter().any(|known| known.ptr_eq(&set)) {
            sets.retain(|known| known.strong_count() > 0);
            sets.push(set);
        }
    }

    fn apply(self, pid: Pid) {
        let sets = std::mem::take(&mut *self.sets.lock());
        for set in sets.iter().filter_map(Weak::upgrade) {
            set.undo(self.id, pid);
        }
    }
}

impl SemSet {
    fn undo(&self, id: u64, pid: Pid) {
        let served = {
            let mut state = self.0.lock();
            let Some(changes) = state.undo.remove(&id) else {
                return;
            };
            for (semaphore, change) in state.semaphores.iter_mut().zip(changes) {
                if change != 0 {
                    semaphore.value = (semaphore.value + change).clamp(0, SEMVMX);
                    semaphore.pid = pid;
                }
            }
            state.operated_at = crate::ipc::now();
            state.serve_waiting()
        };
        wake(&served);
    }
}

impl Task {
    /// The undo list, made if there is none yet.
    pub(crate) fn undo_list(&self) -> Arc<UndoList> {
        self.undo
            .update(|list| list.get_or_insert_with(UndoList::new).clone())
    }

    /// Leaves the undo list; who leaves last undoes what is in it.
    pub(crate) fn leave_undo_list(&self) {
        let list = self.undo.set(None);
        if let Some(list) = list.and_then(Arc::into_inner) {
            list.apply(self.pid());
        }
    }
}
