//! Who waits for whom: F_SETLKW fails with `EDEADLK` rather than wait in a circle.

use std::collections::BTreeMap;

use super::LockOwner;
use crate::sync::{Level, Mutex};

/// Number of a waiter.
type Id = u64;

struct Graph {
    next: Id,
    /// Waiter and holder; several tasks of one owner may wait at once.
    waits: BTreeMap<Id, (LockOwner, LockOwner)>,
}

static GRAPH: Mutex<Graph> = Mutex::new(
    Level::Leaf,
    Graph {
        next: 0,
        waits: BTreeMap::new(),
    },
);

/// One wait; dropping it ends it.
pub(super) struct Waiting {
    owner: LockOwner,
    id: Option<Id>,
}

impl Waiting {
    pub(super) fn new(owner: LockOwner) -> Self {
        Waiting { owner, id: None }
    }

    /// Notes that the owner waits for `holder`; false if `holder` waits for it already.
    pub(super) fn wait_for(&mut self, holder: LockOwner) -> bool {
        let mut graph = GRAPH.lock();
        if let Some(id) = self.id.take() {
            graph.waits.remove(&id);
        }
        if graph.reaches(holder, self.owner) {
            return false;
        }
        let id = graph.next;
        graph.next += 1;
        graph.waits.insert(id, (self.owner, holder));
        self.id = Some(id);
        true
    }
}

impl Graph {
    fn reaches(&self, from: LockOwner, to: LockOwner) -> bool {
        let mut seen = vec![from];
        let mut next = 0;
        while let Some(&owner) = seen.get(next) {
            if owner == to {
                return true;
            }
            next += 1;
            for &(waiter, holder) in self.waits.values() {
                if waiter == owner && !seen.contains(&holder) {
                    seen.push(holder);
                }
            }
        }
        false
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            GRAPH.lock().waits.remove(&id);
        }
    }
}
