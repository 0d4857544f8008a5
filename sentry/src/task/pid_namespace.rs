//! PID name spaces, pid_namespaces(7), and the numbers that a task has in them.
//!
//! The kernel itself knows tasks, processes, process groups and sessions by their numbers
//! in the first name space: that is what a [`Pid`] is unless something else is said. A task
//! of a deeper name space has one number more in each on the way down ([`Numbers`]).
//! Numbers change their meaning at the border alone: what a program says is looked up
//! through its own name space ([`Task::resolve`]), what it hears is translated for it
//! ([`Task::number_of`], [`Numbers::seen_from`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::{EEXIST, EINVAL, ENOSPC};

use super::{Capabilities, Credentials, Pid, Task, ThreadGroup};
use crate::namespace::{Kind, NamespaceId, UserNamespace};
use crate::sync::{Level, Mutex};
use crate::wait::{Ready, WaitQueue};

/// Numbers are below this, where they start again at [`FIRST_AGAIN`].
pub(super) const MAX: Pid = 4_194_304;
/// Where numbers start after wrapping, as in Linux.
pub(super) const FIRST_AGAIN: Pid = 300;
/// How deep name spaces may lie in each other.
const MAX_LEVEL: usize = 32;
/// The number of a name space's first process.
pub(crate) const INIT: Pid = 1;

/// A PID name space.
pub struct PidNamespace {
    /// What names it.
    pub id: NamespaceId,
    /// Whose it is.
    pub user: UserNamespace,
    parent: Option<Arc<PidNamespace>>,
    /// 0 for the first.
    level: usize,
    /// Changes under the lock of the table of tasks only.
    state: Mutex<State>,
    /// Told when a process of it is gone: its init waits for all others before it ends.
    departures: WaitQueue,
}

#[derive(Default)]
struct State {
    last: Pid,
    /// Its numbers, and the kernel's for the same. Not of the first name space, where they
    /// are the same.
    numbers: BTreeMap<Pid, Pid>,
    init: Option<Pid>,
    /// Its init has ended: nobody can join.
    closed: bool,
}

impl PidNamespace {
    /// The one that all others lie in.
    pub(super) fn first() -> Arc<Self> {
        Arc::new(PidNamespace {
            id: NamespaceId::first(Kind::Pid),
            user: UserNamespace::default(),
            parent: None,
            level: 0,
            state: Mutex::new(Level::Leaf, State::default()),
            departures: WaitQueue::new(),
        })
    }

    /// An empty one in `parent`; `ENOSPC` if that lies too deep, `EINVAL` if its user name
    /// space would lie outside of the parent's.
    pub(crate) fn new(
        parent: &Arc<PidNamespace>,
        user: &UserNamespace,
    ) -> Result<Arc<Self>, Errno> {
        if !user.is_within(&parent.user) {
            return Err(EINVAL);
        }
        if parent.level >= MAX_LEVEL {
            return Err(ENOSPC.why("pid name spaces lie too deep"));
        }
        Ok(Arc::new(PidNamespace {
            id: NamespaceId::default(),
            user: user.clone(),
            parent: Some(parent.clone()),
            level: parent.level + 1,
            state: Mutex::new(Level::Leaf, State::default()),
            departures: WaitQueue::new(),
        }))
    }

    /// True for the one that all others lie in.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.level == 0
    }

    /// How many it lies in.
    #[must_use]
    pub fn level(&self) -> usize {
        self.level
    }

    /// The one it lies in.
    #[must_use]
    pub fn parent(&self) -> Option<&Arc<PidNamespace>> {
        self.parent.as_ref()
    }

    /// True for `other` itself and for all that lie in it.
    #[must_use]
    pub fn is_within(&self, other: &PidNamespace) -> bool {
        self.and_above().any(|at| std::ptr::eq(at, other))
    }

    /// Itself and those that it lies in, inside out.
    pub(super) fn and_above(&self) -> impl Iterator<Item = &PidNamespace> {
        std::iter::successors(Some(self), |at| at.parent.as_deref())
    }

    /// Whether `creds` may choose numbers of its.
    pub(crate) fn lets_choose(&self, creds: &Credentials) -> bool {
        creds.has_in(&self.user, Capabilities::SYS_ADMIN)
            || creds.has_in(&self.user, Capabilities::CHECKPOINT_RESTORE)
    }

    /// Its first process, by the kernel's number; `None` before there is one.
    pub(crate) fn init(&self) -> Option<Pid> {
        self.state.lock().init
    }

    pub(super) fn set_init(&self, pid: Pid) {
        self.state.lock().init = Some(pid);
    }

    /// Nobody can join any more.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// The number that was given last.
    pub fn last(&self) -> Pid {
        self.state.lock().last
    }

    /// Goes on giving numbers after `last`; `EINVAL` for none that could be one.
    pub(crate) fn set_last(&self, last: Pid) -> Result<(), Errno> {
        if !(0..=MAX).contains(&last) {
            return Err(EINVAL);
        }
        self.state.lock().last = last;
        Ok(())
    }

    pub(super) fn departures(&self) -> &WaitQueue {
        &self.departures
    }

    /// Looks for a number for a new task, `wanted` if that is given, among those that are
    /// not in use: `is_used` says that of the kernel's numbers. `EINVAL`, `EEXIST`.
    pub(super) fn choose(
        &self,
        wanted: Option<Pid>,
        is_used: impl Fn(Pid) -> bool,
    ) -> Result<Pid, Errno> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let taken = |number: Pid| {
            if self.level == 0 {
                is_used(number)
            } else {
                state.numbers.get(&number).is_some_and(|&pid| is_used(pid))
            }
        };
        if let Some(wanted) = wanted {
            let alone = self.level > 0 && state.init.is_none() && wanted != INIT;
            if !(1..MAX).contains(&wanted) || alone {
                return Err(EINVAL);
            }
            return if taken(wanted) {
                Err(EEXIST)
            } else {
                Ok(wanted)
            };
        }
        loop {
            state.last = if state.last >= MAX {
                FIRST_AGAIN
            } else {
                state.last + 1
            };
            if !taken(state.last) {
                return Ok(state.last);
            }
        }
    }

    /// The kernel's number for its `number`.
    pub(crate) fn resolve(&self, number: Pid) -> Option<Pid> {
        if self.level == 0 {
            return Some(number).filter(|&number| number > 0);
        }
        self.state.lock().numbers.get(&number).copied()
    }
}

/// The numbers of a task, one in each name space that sees it. They outlive the task where
/// others remember it: as a sender, as the other end of a socket.
pub struct Numbers {
    /// The task's own name space.
    namespace: Arc<PidNamespace>,
    /// From the first name space to the own.
    numbers: Box<[Pid]>,
}

impl Numbers {
    /// `numbers` are those from the first name space on, one for each.
    pub(super) fn new(namespace: &Arc<PidNamespace>, numbers: Box<[Pid]>) -> Arc<Self> {
        Arc::new(Numbers {
            namespace: namespace.clone(),
            numbers,
        })
    }

    /// The kernel's number.
    #[must_use]
    pub fn kernel(&self) -> Pid {
        self.numbers.first().copied().unwrap_or(0)
    }

    /// The number that the task itself knows.
    #[must_use]
    pub fn own(&self) -> Pid {
        self.numbers.last().copied().unwrap_or(0)
    }

    /// The task's name space.
    pub fn namespace(&self) -> &Arc<PidNamespace> {
        &self.namespace
    }

    /// The number in `namespace`; 0 if the task is not seen there.
    #[must_use]
    pub fn seen_from(&self, namespace: &PidNamespace) -> Pid {
        if !self.namespace.is_within(namespace) {
            return 0;
        }
        self.numbers.get(namespace.level).copied().unwrap_or(0)
    }

    /// The numbers from `namespace` on downward, with a tab before each, as
    /// /proc/PID/status has them; 0 if the task is not seen from there.
    #[must_use]
    pub fn text_from(&self, namespace: &PidNamespace) -> String {
        if !self.namespace.is_within(namespace) {
            return "\t0".to_owned();
        }
        let below = self.numbers.get(namespace.level..).unwrap_or_default();
        below.iter().map(|number| format!("\t{number}")).collect()
    }

    /// True below the first name space.
    pub(super) fn is_nested(&self) -> bool {
        !self.namespace.is_first()
    }

    /// True for the first process of a name space, the first one apart.
    pub(super) fn is_nested_init(&self) -> bool {
        self.is_nested() && self.own() == INIT
    }

    /// Name spaces below the first with the number in each, inside out.
    fn nested(&self) -> impl Iterator<Item = (&PidNamespace, Pid)> {
        let numbers = self.numbers.iter().skip(1).rev().copied();
        self.namespace.and_above().zip(numbers)
    }

    /// Makes the numbers known in their name spaces.
    pub(super) fn register(&self) {
        for (namespace, number) in self.nested() {
            let mut state = namespace.state.lock();
            state.numbers.insert(number, self.kernel());
        }
    }

    /// Undoes that.
    pub(super) fn unregister(&self) {
        for (namespace, number) in self.nested() {
            let mut state = namespace.state.lock();
            if state.numbers.get(&number) == Some(&self.kernel()) {
                state.numbers.remove(&number);
            }
        }
    }

    /// Says that the process is gone.
    pub(super) fn depart(&self) {
        for (namespace, _) in self.nested() {
            namespace.departures.notify(Ready::READABLE);
        }
    }
}

impl super::Tree {
    /// The number of a task, process group or session in `namespace`; 0 if that does not
    /// see it.
    pub(crate) fn number_in(&self, pid: Pid, namespace: &PidNamespace) -> Pid {
        if namespace.is_first() {
            return pid;
        }
        let numbers = self.numbers.get(&pid);
        numbers.map_or(0, |numbers| numbers.seen_from(namespace))
    }

    /// The numbers of `pid`, a process group or session, in those name spaces that have the
    /// member `of`, from `namespace` on downward: as [`Numbers::text_from`].
    pub(crate) fn numbers_text(&self, pid: Pid, of: &Numbers, namespace: &PidNamespace) -> String {
        let mut text = Vec::new();
        for at in of.namespace.and_above() {
            text.push(format!("\t{}", self.number_in(pid, at)));
            if std::ptr::eq(at, namespace) {
                text.reverse();
                return text.concat();
            }
        }
        "\t0".to_owned()
    }
}

impl ThreadGroup {
    /// The name space that its threads live in.
    pub fn pid_namespace(&self) -> &Arc<PidNamespace> {
        self.numbers.namespace()
    }
}

/// What the task says and hears of others.
impl Task {
    /// The name space that it lives in.
    pub fn pid_namespace(&self) -> &Arc<PidNamespace> {
        self.group.pid_namespace()
    }

    /// The number that the task has for `pid`, a task, process group or session; 0 if it
    /// does not see it. Takes the lock of the table of tasks.
    pub fn number_of(&self, pid: Pid) -> Pid {
        let namespace = self.pid_namespace();
        if namespace.is_first() {
            return pid;
        }
        self.kernel.pids.lock().number_in(pid, namespace)
    }

    /// What the task means by `number`: the kernel's number.
    pub fn resolve(&self, number: Pid) -> Option<Pid> {
        self.pid_namespace().resolve(number)
    }

    /// The thread that the task means by `number`.
    pub fn find_task(&self, number: Pid) -> Option<Arc<Task>> {
        self.kernel.pids.task(self.resolve(number)?)
    }

    /// The process that the task means by `number`, zombies included.
    pub fn find_process(&self, number: Pid) -> Option<Arc<ThreadGroup>> {
        self.kernel.pids.group(self.resolve(number)?)
    }

    /// The process that the task means by the number of any of its threads, as Linux finds
    /// processes.
    pub fn find_process_by_thread(&self, number: Pid) -> Option<Arc<ThreadGroup>> {
        let group = self.find_process(number);
        group.or_else(|| Some(self.find_task(number)?.group.clone()))
    }
}
