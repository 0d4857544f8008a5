//! Processes: groups of threads that share signals, children and an end.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::status::StopEvent;
use super::{ExitStatus, Limits, Numbers, Pid, Session, Task, Usage, WorstCase};
use crate::cgroup::Group;
use crate::core_dump::Registers;
use crate::namespace::UserNamespace;
use crate::signal::{GroupSignals, Signal, SignalHandlers};
use crate::sync::{Level, Mutex, MutexGuard, Slot};
use crate::time::ProcessTimers;
use crate::wait::{Ready, WaitQueue};

/// A process.
pub struct ThreadGroup {
    /// Process number in the first name space.
    pub pid: Pid,
    /// That and the process's numbers in all others that see it.
    pub numbers: Arc<Numbers>,
    /// Signals sent to the process.
    pub signals: GroupSignals,
    /// What it does with signals; shared by processes made with `CLONE_SIGHAND`.
    pub handlers: Slot<Arc<SignalHandlers>>,
    /// What it may use.
    pub limits: Limits,
    /// Told when a child of the process changes state: wait4(2) sleeps here.
    pub child_events: WaitQueue,
    /// Told when the process has ended: pidfds are polled here.
    pub exit_events: WaitQueue,
    /// Its session.
    pub session: Slot<Arc<Session>>,
    /// When it started, nanoseconds of `CLOCK_MONOTONIC`.
    pub start_time: u64,
    /// setitimer(2), timer_create(2).
    pub timers: ProcessTimers,
    /// What shall become of it in the worst case.
    pub worst_case: WorstCase,
    leader: Slot<Weak<Task>>,
    /// Its cgroup; `None` for the container's own.
    cgroup: Slot<Option<Arc<Group>>>,
    /// Others of the same user may look into it, prctl(PR_SET_DUMPABLE).
    dumpable: AtomicBool,
    /// The user name space that its program was executed in: what it knows is of there.
    pub user: Slot<UserNamespace>,
    ended: AtomicBool,
    /// prctl(PR_SET_THP_DISABLE), kept for who asks.
    no_huge_pages: AtomicBool,
    /// Registered commands of membarrier(2).
    pub(crate) barriers: AtomicI32,
    pgid: AtomicI32,
    parent_pid: AtomicI32,
    /// What the parent gets at the end; 0: nothing.
    exit_signal: AtomicI32,
    /// Default actions do not hold: the first process, until it faults.
    protected: AtomicBool,
    executed: AtomicBool,
    /// Counts continuations by SIGCONT.
    pub(crate) continues: AtomicU64,
    subreaper: AtomicBool,
    /// Told when a thread ends: execve(2) waits for the others.
    pub(crate) thread_events: WaitQueue,
    state: Mutex<GroupState>,
}

/// What changes in a process's life.
pub(crate) struct GroupState {
    /// Those that have not exited.
    pub(crate) threads: Vec<Arc<Task>>,
    /// Set once: how all threads shall end.
    pub(crate) end: Option<ExitStatus>,
    /// How the leader ended, if it did: the process's status unless that is decided.
    pub(crate) leader_status: Option<ExitStatus>,
    /// The thread that wants to be alone: for execve(2), or to dump the memory.
    pub(crate) sole: Option<Pid>,
    /// What threads leave behind that end for a dump, while there is to be one.
    pub(crate) remains: Option<Vec<Registers>>,
    /// Job control.
    pub(crate) stop: StopState,
    /// A stop or continuation that the parent has not waited for.
    pub(crate) stop_event: Option<StopEvent>,
    /// Of threads that have ended.
    pub(crate) past_usage: Usage,
    /// Of children that were waited for.
    pub(crate) child_usage: Usage,
}

/// Job control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopState {
    /// Not stopped.
    Running,
    /// Threads are still to stop.
    Stopping(Signal),
    /// All have stopped.
    Stopped(Signal),
}

/// What a new process is made of.
pub struct NewGroup {
    /// See [`ThreadGroup`].
    pub numbers: Arc<Numbers>,
    /// See [`ThreadGroup`].
    pub handlers: Arc<SignalHandlers>,
    /// See [`ThreadGroup`].
    pub limits: Limits,
    /// See [`ThreadGroup`].
    pub session: Arc<Session>,
    /// Process group.
    pub pgid: Pid,
    /// What the parent gets at the end.
    pub exit_signal: Option<Signal>,
}

impl ThreadGroup {
    /// A process without threads, in no table.
    #[must_use]
    pub fn new(new: NewGroup) -> Arc<Self> {
        Arc::new(ThreadGroup {
            pid: new.numbers.kernel(),
            numbers: new.numbers,
            signals: GroupSignals::new(),
            handlers: Slot::new(Level::Signals, new.handlers),
            limits: new.limits,
            child_events: WaitQueue::new(),
            exit_events: WaitQueue::new(),
            session: Slot::new(Level::Leaf, new.session),
            start_time: crate::time::now_monotonic(),
            timers: ProcessTimers::default(),
            worst_case: WorstCase::default(),
            leader: Slot::new(Level::Leaf, Weak::new()),
            cgroup: Slot::new(Level::Leaf, None),
            dumpable: AtomicBool::new(true),
            user: Slot::new(Level::Leaf, UserNamespace::default()),
            ended: AtomicBool::new(false),
            no_huge_pages: AtomicBool::new(false),
            barriers: AtomicI32::new(0),
            pgid: AtomicI32::new(new.pgid),
            parent_pid: AtomicI32::new(0),
            exit_signal: AtomicI32::new(new.exit_signal.map_or(0, Signal::raw)),
            protected: AtomicBool::new(false),
            executed: AtomicBool::new(false),
            continues: AtomicU64::new(0),
            subreaper: AtomicBool::new(false),
            thread_events: WaitQueue::new(),
            state: Mutex::new(
                Level::Group,
                GroupState {
                    threads: Vec::new(),
                    end: None,
                    leader_status: None,
                    sole: None,
                    remains: None,
                    stop: StopState::Running,
                    stop_event: None,
                    past_usage: Usage::default(),
                    child_usage: Usage::default(),
                },
            ),
        })
    }

    /// Process group.
    pub fn pgid(&self) -> Pid {
        self.pgid.load(Ordering::Relaxed)
    }

    /// Under the lock of the table of tasks.
    pub(crate) fn set_pgid(&self, pgid: Pid) {
        self.pgid.store(pgid, Ordering::Relaxed);
    }

    /// Session.
    pub fn sid(&self) -> Pid {
        self.session.get().sid
    }

    /// The parent's process number; 0 if it has none in the sandbox.
    pub fn parent_pid(&self) -> Pid {
        self.parent_pid.load(Ordering::Relaxed)
    }

    /// Under the lock of the table of tasks.
    pub(crate) fn set_parent_pid(&self, parent: Pid) {
        self.parent_pid.store(parent, Ordering::Relaxed);
    }

    /// The thread whose number is the process number. It may have exited before others.
    pub fn leader(&self) -> Option<Arc<Task>> {
        self.leader.get().upgrade()
    }

    pub(crate) fn set_leader(&self, leader: &Arc<Task>) {
        self.leader.set(Arc::downgrade(leader));
    }

    /// The living threads.
    pub fn threads(&self) -> Vec<Arc<Task>> {
        self.state().threads.clone()
    }

    /// What a child has of its parent.
    pub(crate) fn inherit(&self, parent: &ThreadGroup) {
        self.set_dumpable(parent.is_dumpable());
        self.user.set(parent.user.get());
        self.set_no_huge_pages(parent.has_no_huge_pages());
        let barriers = parent.barriers.load(Ordering::Relaxed);
        self.barriers.store(barriers, Ordering::Relaxed);
        self.worst_case.inherit(&parent.worst_case);
        self.set_cgroup(parent.cgroup());
    }

    /// The cgroup that it is in; `None` for the container's own.
    pub(crate) fn cgroup(&self) -> Option<Arc<Group>> {
        self.cgroup.get()
    }

    /// Under the lock of the table of tasks, once it is in that.
    pub(crate) fn set_cgroup(&self, cgroup: Option<Arc<Group>>) {
        self.cgroup.set(cgroup);
    }

    /// prctl(PR_GET_DUMPABLE).
    pub fn is_dumpable(&self) -> bool {
        self.dumpable.load(Ordering::Relaxed)
    }

    pub(crate) fn set_dumpable(&self, dumpable: bool) {
        self.dumpable.store(dumpable, Ordering::Relaxed);
    }

    /// prctl(PR_GET_THP_DISABLE).
    pub(crate) fn has_no_huge_pages(&self) -> bool {
        self.no_huge_pages.load(Ordering::Relaxed)
    }

    pub(crate) fn set_no_huge_pages(&self, disable: bool) {
        self.no_huge_pages.store(disable, Ordering::Relaxed);
    }

    /// True once its last thread has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    pub(crate) fn set_ended(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    /// How it ended, once it has.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.state().end.filter(|_| self.has_ended())
    }

    /// What its threads have used, dead ones included.
    pub fn usage(&self) -> Usage {
        let (mut usage, threads) = {
            let state = self.state();
            (state.past_usage, state.threads.clone())
        };
        for thread in threads {
            usage.add(&thread.usage());
        }
        usage
    }

    /// What the children that it has waited for had used.
    pub fn children_usage(&self) -> Usage {
        self.state().child_usage
    }

    /// Both.
    pub(crate) fn usage_with_children(&self) -> Usage {
        let mut usage = self.usage();
        usage.add(&self.children_usage());
        usage
    }

    /// Number of living threads.
    pub fn thread_count(&self) -> usize {
        self.state().threads.len()
    }

    /// What the parent gets at the end.
    pub fn exit_signal(&self) -> Option<Signal> {
        Signal::new(self.exit_signal.load(Ordering::Relaxed)).ok()
    }

    pub(crate) fn set_exit_signal(&self, signal: Option<Signal>) {
        let raw = signal.map_or(0, Signal::raw);
        self.exit_signal.store(raw, Ordering::Relaxed);
    }

    /// True for the first process: signals without a handler do nothing to it, unless
    /// they come from outside or from its own faults.
    pub(crate) fn is_protected(&self) -> bool {
        self.protected.load(Ordering::Relaxed)
    }

    pub(crate) fn set_protected(&self, protected: bool) {
        self.protected.store(protected, Ordering::Relaxed);
    }

    /// True once it has called execve(2): setpgid(2) by its parent fails then.
    pub(crate) fn has_executed(&self) -> bool {
        self.executed.load(Ordering::Relaxed)
    }

    pub(crate) fn set_executed(&self) {
        self.executed.store(true, Ordering::Relaxed);
    }

    /// prctl(PR_SET_CHILD_SUBREAPER).
    pub fn is_subreaper(&self) -> bool {
        self.subreaper.load(Ordering::Relaxed)
    }

    pub(crate) fn set_subreaper(&self, subreaper: bool) {
        self.subreaper.store(subreaper, Ordering::Relaxed);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, GroupState> {
        self.state.lock()
    }

    /// Ends the process: all threads exit soon. The first caller decides how, and gets
    /// true.
    pub fn kill(&self, status: ExitStatus) -> bool {
        self.state().begin_end(status)
    }

    /// True once the process is ending.
    pub fn is_ending(&self) -> bool {
        self.state().end.is_some()
    }

    /// True while it is stopped by job control: state `T` in /proc.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state().stop, StopState::Stopped(_))
    }

    /// Tells whoever waits for a child's change.
    pub(crate) fn notify_child_event(&self) {
        self.child_events.notify(Ready::READABLE);
    }
}

impl GroupState {
    /// Decides how the process ends, unless that is decided (false), and gets all threads
    /// going.
    pub(crate) fn begin_end(&mut self, status: ExitStatus) -> bool {
        let first = self.end.is_none();
        if first {
            self.end = Some(status);
            self.stop = StopState::Running;
            for thread in &self.threads {
                thread.kick();
            }
        }
        first
    }
}
