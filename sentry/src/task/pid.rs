//! Process and thread numbers.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::{Task, ThreadGroup};
use crate::sync::{Level, Mutex};

/// A process or thread number, 1..=4194304.
pub type Pid = i32;

/// All tasks and processes by number.
pub struct PidTable {
    inner: Mutex<Inner>,
}

struct Inner {
    last: Pid,
    tasks: BTreeMap<Pid, Weak<Task>>,
    groups: BTreeMap<Pid, Weak<ThreadGroup>>,
}

/// Above this, numbers start again at [`FIRST_AGAIN`].
const MAX: Pid = 4_194_304;
/// Where numbers start after wrapping, as in Linux.
const FIRST_AGAIN: Pid = 300;

impl Default for PidTable {
    fn default() -> Self {
        PidTable {
            inner: Mutex::new(
                Level::TaskSet,
                Inner {
                    last: 0,
                    tasks: BTreeMap::new(),
                    groups: BTreeMap::new(),
                },
            ),
        }
    }
}

impl PidTable {
    /// A number that no living task, process, process group or session has.
    pub fn allocate(&self) -> Pid {
        let mut inner = self.inner.lock();
        loop {
            inner.last = if inner.last >= MAX {
                FIRST_AGAIN
            } else {
                inner.last + 1
            };
            let pid = inner.last;
            let in_use = |group: &Weak<ThreadGroup>| {
                group
                    .upgrade()
                    .is_some_and(|g| g.pid == pid || g.pgid() == pid || g.sid() == pid)
            };
            if !inner.tasks.contains_key(&pid) && !inner.groups.values().any(in_use) {
                return pid;
            }
        }
    }

    /// Makes a task findable.
    pub fn insert(&self, task: &Arc<Task>) {
        let mut inner = self.inner.lock();
        inner.tasks.insert(task.tid, Arc::downgrade(task));
        inner
            .groups
            .entry(task.group.pid)
            .or_insert_with(|| Arc::downgrade(&task.group));
    }

    /// Takes a thread out.
    pub fn remove_task(&self, tid: Pid) {
        self.inner.lock().tasks.remove(&tid);
    }

    /// Takes a reaped process out.
    pub fn remove_group(&self, pid: Pid) {
        self.inner.lock().groups.remove(&pid);
    }

    /// The thread `tid`.
    pub fn task(&self, tid: Pid) -> Option<Arc<Task>> {
        self.inner.lock().tasks.get(&tid)?.upgrade()
    }

    /// The process `pid`, zombies included.
    pub fn group(&self, pid: Pid) -> Option<Arc<ThreadGroup>> {
        self.inner.lock().groups.get(&pid)?.upgrade()
    }

    /// All processes, zombies included, by rising number.
    pub fn groups(&self) -> Vec<Arc<ThreadGroup>> {
        self.inner
            .lock()
            .groups
            .values()
            .filter_map(Weak::upgrade)
            .collect()
    }

    /// Number of living threads.
    pub fn task_count(&self) -> usize {
        self.inner.lock().tasks.len()
    }
}
