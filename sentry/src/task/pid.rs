//! Process and thread numbers, and who is whose parent.

use std::collections::BTreeMap;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EEXIST, EINVAL};

use super::{ExitStatus, Task, ThreadGroup, Usage};
use crate::sync::{Level, Mutex, MutexGuard};

/// A process or thread number, 1..=4194304.
pub type Pid = i32;

/// All tasks and processes by number.
pub struct PidTable {
    tree: Mutex<Tree>,
}

/// What the table's lock protects.
#[derive(Default)]
pub(crate) struct Tree {
    last: Pid,
    tasks: BTreeMap<Pid, Arc<Task>>,
    processes: BTreeMap<Pid, Process>,
    /// The first process.
    init: Option<Pid>,
}

/// A process's place in the tree.
pub(crate) struct Process {
    pub(crate) group: Arc<ThreadGroup>,
    /// `None` for the first process and for those that were started from outside.
    pub(crate) parent: Option<Pid>,
    /// The thread of the parent that made it, or that it was handed to.
    pub(crate) parent_tid: Pid,
    pub(crate) children: Vec<Pid>,
    pub(crate) zombie: Option<Zombie>,
}

/// What is left of a process that ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zombie {
    pub(crate) status: ExitStatus,
    /// Its own and its waited-for children's.
    pub(crate) usage: Usage,
}

/// Above this, numbers start again at [`FIRST_AGAIN`].
const MAX: Pid = 4_194_304;
/// Where numbers start after wrapping, as in Linux.
const FIRST_AGAIN: Pid = 300;

impl Default for PidTable {
    fn default() -> Self {
        PidTable {
            tree: Mutex::new(Level::TaskSet, Tree::default()),
        }
    }
}

impl PidTable {
    /// The session that process group `pgid` belongs to, if it has members.
    pub fn session_of_group(&self, pgid: Pid) -> Option<Pid> {
        self.lock()
            .process_group(pgid)
            .next()
            .map(|p| p.group.sid())
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock()
    }

    /// A number that no living task, process, process group or session has.
    pub fn allocate(&self) -> Pid {
        self.lock().allocate()
    }

    /// The thread `tid`.
    pub fn task(&self, tid: Pid) -> Option<Arc<Task>> {
        self.lock().tasks.get(&tid).cloned()
    }

    /// The process `pid`, zombies included.
    pub fn group(&self, pid: Pid) -> Option<Arc<ThreadGroup>> {
        Some(self.lock().processes.get(&pid)?.group.clone())
    }

    /// All processes, zombies included, by rising number.
    pub fn groups(&self) -> Vec<Arc<ThreadGroup>> {
        let tree = self.lock();
        tree.processes.values().map(|p| p.group.clone()).collect()
    }

    /// Number of threads, zombies included.
    pub fn task_count(&self) -> usize {
        self.lock().tasks.len()
    }

    /// The number that was given last, for /proc/loadavg.
    pub fn last(&self) -> Pid {
        self.lock().last
    }

    /// True until the process has been waited for.
    pub fn knows(&self, group: &Arc<ThreadGroup>) -> bool {
        let tree = self.lock();
        let known = tree.processes.get(&group.pid);
        known.is_some_and(|known| Arc::ptr_eq(&known.group, group))
    }
}

impl Tree {
    pub(crate) fn allocate(&mut self) -> Pid {
        loop {
            self.last = if self.last >= MAX {
                FIRST_AGAIN
            } else {
                self.last + 1
            };
            let pid = self.last;
            if !self.is_used(pid) {
                return pid;
            }
        }
    }

    /// A number that nobody has, `wanted` if that is given; `EEXIST`, `EINVAL`.
    pub(crate) fn allocate_as(&mut self, wanted: Option<Pid>) -> Result<Pid, Errno> {
        match wanted {
            None => Ok(self.allocate()),
            Some(pid) if !(1..MAX).contains(&pid) => Err(EINVAL),
            Some(pid) if self.is_used(pid) => Err(EEXIST),
            Some(pid) => Ok(pid),
        }
    }

    fn is_used(&self, pid: Pid) -> bool {
        let uses =
            |p: &Process| p.group.pid == pid || p.group.pgid() == pid || p.group.sid() == pid;
        self.tasks.contains_key(&pid) || self.processes.values().any(uses)
    }

    /// execve(2) by a thread, the only one left: it gets the number of its process.
    pub(crate) fn make_leader(&mut self, task: &Arc<Task>) {
        let (before, pid) = (task.tid(), task.group.pid);
        if before == pid {
            return;
        }
        self.tasks.remove(&before);
        task.set_tid(pid);
        self.tasks.insert(pid, task.clone());
        task.group.set_leader(task);
        for process in self.processes.values_mut() {
            if process.parent == Some(pid) && process.parent_tid == before {
                process.parent_tid = pid;
            }
        }
    }

    /// Makes a process findable, as a child of `parent` (process and thread).
    pub(crate) fn insert_process(&mut self, group: &Arc<ThreadGroup>, parent: Option<(Pid, Pid)>) {
        let (parent, parent_tid) = parent.unzip();
        if let Some(parent) = parent.and_then(|pid| self.processes.get_mut(&pid)) {
            parent.children.push(group.pid);
        }
        group.set_parent_pid(parent.unwrap_or(0));
        let process = Process {
            group: group.clone(),
            parent,
            parent_tid: parent_tid.unwrap_or(0),
            children: Vec::new(),
            zombie: None,
        };
        self.processes.insert(group.pid, process);
        self.init.get_or_insert(group.pid);
    }

    pub(crate) fn insert_task(&mut self, task: &Arc<Task>) {
        self.tasks.insert(task.tid(), task.clone());
    }

    pub(crate) fn remove_task(&mut self, tid: Pid) -> Option<Arc<Task>> {
        self.tasks.remove(&tid)
    }

    /// Takes a process out: it was waited for. Its leader goes with it.
    pub(crate) fn remove_process(&mut self, pid: Pid) -> Option<Process> {
        let process = self.processes.remove(&pid)?;
        self.tasks.remove(&pid);
        let parent = process.parent.and_then(|pid| self.processes.get_mut(&pid));
        if let Some(parent) = parent {
            parent.children.retain(|&child| child != pid);
        }
        Some(process)
    }

    pub(crate) fn process(&self, pid: Pid) -> Option<&Process> {
        self.processes.get(&pid)
    }

    pub(crate) fn process_mut(&mut self, pid: Pid) -> Option<&mut Process> {
        self.processes.get_mut(&pid)
    }

    pub(crate) fn task(&self, tid: Pid) -> Option<&Arc<Task>> {
        self.tasks.get(&tid)
    }

    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }

    /// The members of a process group, zombies included.
    pub(crate) fn process_group(&self, pgid: Pid) -> impl Iterator<Item = &Process> {
        self.processes().filter(move |p| p.group.pgid() == pgid)
    }

    pub(crate) fn init(&self) -> Option<Pid> {
        self.init
    }
}
