//! Process and thread numbers, and who is whose parent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EINVAL, ENOMEM};

use super::pid_namespace::{INIT, Numbers, PidNamespace};
use super::{ExitStatus, Task, ThreadGroup, Usage};
use crate::ptrace::Tracee;
use crate::sync::{Level, Mutex, MutexGuard};

/// A process or thread number, 1..=4194304, in the first name space unless something else
/// is said; see [`super::pid_namespace`].
pub type Pid = i32;

/// All tasks and processes by number.
pub struct PidTable {
    /// The name space that all others lie in.
    first: Arc<PidNamespace>,
    tree: Mutex<Tree>,
}

/// What the table's lock protects.
#[derive(Default)]
pub(crate) struct Tree {
    tasks: BTreeMap<Pid, Arc<Task>>,
    processes: BTreeMap<Pid, Process>,
    /// Traced threads by number.
    pub(crate) tracees: BTreeMap<Pid, Tracee>,
    /// All numbers of those below the first name space.
    pub(super) numbers: BTreeMap<Pid, Arc<Numbers>>,
    /// Numbers of tasks that are being made, where somebody else could take them meanwhile.
    reserved: BTreeSet<Pid>,
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

/// Numbers that a task being made has; they are given back unless it has appeared.
pub(crate) struct Reserved<'a> {
    table: &'a PidTable,
    /// The numbers.
    pub(crate) numbers: Arc<Numbers>,
    /// Whether they stand among the reserved ones.
    held: bool,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if self.held {
            let pid = self.numbers.kernel();
            let mut tree = self.table.lock();
            tree.reserved.remove(&pid);
            // As in Linux: nothing follows a first process that could not be made.
            if self.numbers.is_nested_init() && tree.task(pid).is_none() {
                let namespace = self.numbers.namespace();
                if namespace.init().is_none() {
                    namespace.close();
                }
            }
            tree.release(pid);
        }
    }
}

impl Default for PidTable {
    fn default() -> Self {
        PidTable {
            first: PidNamespace::first(),
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

    /// The name space that all others lie in.
    pub fn first(&self) -> &Arc<PidNamespace> {
        &self.first
    }

    /// Numbers that no living task, process, process group or session has, for a new task
    /// in `namespace`: those that are `wanted`, inside out, as far as they are given.
    ///
    /// `ENOMEM` where the name space's init has ended, `EEXIST`, `EINVAL`.
    pub(crate) fn reserve(
        &self,
        namespace: &Arc<PidNamespace>,
        wanted: &[Pid],
    ) -> Result<Reserved<'_>, Errno> {
        let mut tree = self.lock();
        let numbers = tree.reserve(namespace, wanted)?;
        // Without a wish, the first name space does not come back to a number soon.
        let held = numbers.is_nested() || !wanted.is_empty();
        if held {
            tree.reserved.insert(numbers.kernel());
        }
        Ok(Reserved {
            table: self,
            numbers,
            held,
        })
    }

    /// Numbers for a new task in the first name space.
    pub fn numbers(&self) -> Result<Arc<Numbers>, Errno> {
        Ok(self.reserve(&self.first, &[])?.numbers.clone())
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

    /// The number that the first name space gave last.
    pub fn last(&self) -> Pid {
        self.first.last()
    }

    /// True until the process has been waited for.
    pub fn knows(&self, group: &Arc<ThreadGroup>) -> bool {
        let tree = self.lock();
        let known = tree.processes.get(&group.pid);
        known.is_some_and(|known| Arc::ptr_eq(&known.group, group))
    }
}

impl Tree {
    fn reserve(
        &mut self,
        namespace: &Arc<PidNamespace>,
        wanted: &[Pid],
    ) -> Result<Arc<Numbers>, Errno> {
        if namespace.is_closed() {
            return Err(ENOMEM.why("the init of the pid name space has ended"));
        }
        let levels = namespace.level() + 1;
        if wanted.len() > levels {
            return Err(EINVAL);
        }
        let wishes = wanted.iter().copied().map(Some);
        let wishes = wishes.chain(std::iter::repeat(None));
        let mut numbers = Vec::with_capacity(levels);
        for (at, wish) in namespace.and_above().zip(wishes) {
            numbers.push(at.choose(wish, |pid| self.is_used(pid))?);
        }
        numbers.reverse();
        let numbers = Numbers::new(namespace, numbers.into());
        if !self.numbers.is_empty() {
            self.forget(numbers.kernel());
        }
        if numbers.is_nested() {
            numbers.register();
            self.numbers.insert(numbers.kernel(), numbers.clone());
        }
        Ok(numbers)
    }

    fn is_used(&self, pid: Pid) -> bool {
        let uses =
            |p: &Process| p.group.pid == pid || p.group.pgid() == pid || p.group.sid() == pid;
        self.tasks.contains_key(&pid)
            || self.tracees.contains_key(&pid)
            || self.reserved.contains(&pid)
            || self.processes.values().any(uses)
    }

    /// Frees the numbers behind `pid` in deeper name spaces, unless somebody has them.
    pub(super) fn release(&mut self, pid: Pid) {
        if self.numbers.contains_key(&pid) && !self.is_used(pid) {
            self.forget(pid);
        }
    }

    fn forget(&mut self, pid: Pid) {
        if let Some(numbers) = self.numbers.remove(&pid) {
            numbers.unregister();
        }
    }

    /// execve(2) by a thread, the only one left: it gets the number of its process.
    pub(crate) fn make_leader(&mut self, task: &Arc<Task>) {
        let (before, pid) = (task.tid(), task.group.pid);
        if before == pid {
            return;
        }
        self.tasks.remove(&before);
        task.set_numbers(&task.group.numbers);
        self.tasks.insert(pid, task.clone());
        self.renumber_tracee(before, pid);
        self.release(before);
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
        if group.numbers.own() == INIT {
            group.pid_namespace().set_init(group.pid);
            if group.numbers.is_nested() {
                group.set_protected(true);
            }
        }
    }

    pub(crate) fn insert_task(&mut self, task: &Arc<Task>) {
        self.tasks.insert(task.tid(), task.clone());
    }

    pub(crate) fn remove_task(&mut self, tid: Pid) -> Option<Arc<Task>> {
        let task = self.tasks.remove(&tid);
        self.release(tid);
        task
    }

    /// Takes a process out: it was waited for. Its leader goes with it.
    pub(crate) fn remove_process(&mut self, pid: Pid) -> Option<Process> {
        let process = self.processes.remove(&pid)?;
        self.tasks.remove(&pid);
        if process.group.numbers.is_nested() {
            for pid in [pid, process.group.pgid(), process.group.sid()] {
                self.release(pid);
            }
            process.group.numbers.depart();
        }
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

    /// The thread `tid`.
    pub(crate) fn task(&self, tid: Pid) -> Option<&Arc<Task>> {
        self.tasks.get(&tid)
    }

    /// Number of threads, zombies included.
    pub(crate) fn task_count(&self) -> usize {
        self.tasks.len()
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.values()
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
