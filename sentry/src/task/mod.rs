//! Tasks: the threads and processes of the sandbox, one host thread for each guest thread.
//!
//! A [`Task`] is what others may look at and poke; [`Current`] is the task as its own
//! host thread owns it, with registers and platform context. A guest thread at a safe
//! point is registers plus objects: nothing that must survive lives on the host stack.
//!
//! Who is whose parent stands in the [`PidTable`], under one lock for all; what a process
//! is about to do (end, stop, execute) under the lock of its [`ThreadGroup`]. Whoever
//! changes that kicks every thread of the group, and each thread looks before it runs
//! application code again.

mod answers;
mod calls;
mod capabilities;
mod clone;
mod clone_calls;
mod creds;
mod current;
mod exec;
mod exec_creds;
mod exit;
mod fs_context;
mod group;
pub(crate) mod host_thread;
mod inspect;
mod kcmp;
mod limits;
mod membarrier;
mod oom;
pub mod own;
mod pid;
mod pid_namespace;
mod pid_namespace_end;
mod pidfd;
mod pidfd_ioctl;
mod reap;
mod robust;
pub(crate) mod run;
mod session;
mod session_calls;
mod settings;
mod status;
mod usage;
mod user;
mod worst_case;

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use platform::Interrupt;
use platform::host::cpu_time::ThreadClock;
use syscalls::UserAddr;
use syscalls::abi::sched::CloneFlags;

use crate::cgroup::{CgroupNamespace, Group};
use crate::fd::FdTable;
use crate::ipc::IpcNamespace;
use crate::ipc::sem::UndoList;
use crate::kernel::{Kernel, UtsNamespace};
use crate::mm::Mm;
use crate::namespace::UserNamespace;
use crate::net::NetNamespace;
use crate::ptrace::Trace;
use crate::seccomp::Seccomp;
use crate::signal::{SigSet, Signal, TaskSignals};
use crate::sync::{Level, Mutex, Slot};
use crate::wait::Parker;

pub(crate) use calls::DEFAULT_SLICE;
pub use capabilities::{Capabilities, SecureBits};
use clone::Vfork;
pub use creds::{Credentials, UserIds};
pub use current::{Current, of_this_thread};
pub(crate) use exec::Strings;
pub(crate) use exit::after_tracer;
pub use fs_context::FsContext;
pub(crate) use group::{GroupState, StopState};
pub use group::{NewGroup, ThreadGroup};
pub use limits::{INFINITY, Limits, MAX_OPEN, Resource};
pub use pid::{Pid, PidTable};
pub(crate) use pid::{Process, Tree, Zombie};
pub(crate) use pid_namespace::INIT;
pub use pid_namespace::{Numbers, PidNamespace};
pub(crate) use pidfd::{group_of as process_of_pidfd, pidfd};
pub use session::{Session, Terminal};
pub use session_calls::TtyAccess;
pub use settings::{MemoryPolicy, Settings, all_cpus};
pub use status::ExitStatus;
pub(crate) use status::StopEvent;
use usage::Counts;
pub use usage::{NS_PER_TICK, Usage};
use user::ThreadPlace;
pub use user::{User, Users};
pub use worst_case::WorstCase;

/// A guest thread.
pub struct Task {
    /// See [`Self::tid`].
    tid: AtomicI32,
    /// See [`Self::own_tid`].
    own_tid: AtomicI32,
    /// See [`Self::numbers`].
    numbers: Slot<Arc<Numbers>>,
    /// Where its children will live, pid_namespaces(7).
    pub pid_for_children: Slot<Arc<PidNamespace>>,
    /// The kernel it runs in.
    pub kernel: Arc<Kernel>,
    /// The process it belongs to.
    pub group: Arc<ThreadGroup>,
    /// Name, at most 15 bytes (prctl(PR_SET_NAME)).
    pub name: Slot<Arc<[u8]>>,
    /// Who it acts as. Replaced whole.
    pub creds: Slot<Arc<Credentials>>,
    /// Root, working directory, umask, mount name space.
    pub fs: Slot<Arc<FsContext>>,
    /// Open files.
    pub fds: Slot<Arc<FdTable>>,
    /// Memory; `None` once the task has exited.
    pub mm: Slot<Option<Arc<Mm>>>,
    /// Pending and blocked signals of this thread.
    pub signals: TaskSignals,
    /// What it may call.
    pub seccomp: Seccomp,
    /// ptrace(2).
    pub trace: Trace,
    /// set_tid_address(2).
    pub clear_child_tid: AtomicU64,
    /// set_robust_list(2), address of the head.
    pub robust_list: AtomicU64,
    /// When it started, nanoseconds of `CLOCK_MONOTONIC`.
    pub start_time: u64,
    /// Something has to be done before application code runs again: a signal, a stop,
    /// the end of the process. Ends waits.
    work: AtomicBool,
    /// Counts entries and leavings of application code: odd while it runs.
    stretches: AtomicU64,
    sleeping: AtomicBool,
    counts: Counts,
    /// Takes no more signals.
    exiting: AtomicBool,
    /// Obeys a stop of its process.
    pub(crate) stopped: AtomicBool,
    /// Stands still with its group.
    frozen: AtomicBool,
    /// vfork(2): whom to tell when the memory is no longer used.
    vfork: Slot<Option<Arc<Vfork>>>,
    settings: Mutex<Settings>,
    /// prctl(PR_SET_PDEATHSIG); 0: none.
    parent_death_signal: AtomicI32,
    /// Its place in its user's count.
    place: Slot<Option<Arc<ThreadPlace>>>,
    /// Processor time of the host thread.
    clock: OnceLock<ThreadClock>,
    /// Host and NIS domain name, uts_namespaces(7).
    pub uts: Slot<Arc<UtsNamespace>>,
    /// System V objects, ipc_namespaces(7).
    pub ipc: Slot<Arc<IpcNamespace>>,
    /// Network, network_namespaces(7). Sockets keep the one that they were made in.
    pub net: Slot<Arc<NetNamespace>>,
    /// From where on it sees groups, cgroup_namespaces(7).
    pub cgroups: Slot<Arc<CgroupNamespace>>,
    /// What its end takes back of semaphores, semop(2).
    pub(crate) undo: Slot<Option<Arc<UndoList>>>,
    parker: Arc<Parker>,
    interrupt: Slot<Option<Arc<dyn Interrupt>>>,
}

/// What a new task is made of.
pub struct NewTask {
    /// Of the thread.
    pub numbers: Arc<Numbers>,
    /// See [`Task`].
    pub kernel: Arc<Kernel>,
    /// See [`Task`].
    pub group: Arc<ThreadGroup>,
    /// See [`Task`].
    pub name: Arc<[u8]>,
    /// See [`Task`].
    pub creds: Arc<Credentials>,
    /// See [`Task`].
    pub fs: Arc<FsContext>,
    /// See [`Task`].
    pub fds: Arc<FdTable>,
    /// See [`Task`].
    pub mm: Arc<Mm>,
    /// Blocked signals.
    pub blocked: SigSet,
}

impl Task {
    /// A task that does not run yet and is in no table.
    #[must_use]
    pub fn new(new: NewTask) -> Arc<Self> {
        let place = ThreadPlace::new(new.kernel.users.get(new.creds.uid.real));
        let uts = new.kernel.uts.clone();
        let ipc = new.kernel.ipc.clone();
        let net = new.kernel.net.clone();
        let cgroups = new.kernel.cgroups.clone();
        let settings = Settings::new(new.kernel.cpus());
        Arc::new(Task {
            tid: AtomicI32::new(new.numbers.kernel()),
            own_tid: AtomicI32::new(new.numbers.own()),
            pid_for_children: Slot::new(Level::Task, new.numbers.namespace().clone()),
            numbers: Slot::new(Level::Task, new.numbers),
            kernel: new.kernel,
            group: new.group,
            name: Slot::new(Level::Task, new.name),
            creds: Slot::new(Level::Task, new.creds),
            fs: Slot::new(Level::Task, new.fs),
            fds: Slot::new(Level::Task, new.fds),
            mm: Slot::new(Level::Task, Some(new.mm)),
            signals: TaskSignals::new(new.blocked),
            seccomp: Seccomp::default(),
            trace: Trace::default(),
            clear_child_tid: AtomicU64::new(UserAddr::NULL.get()),
            robust_list: AtomicU64::new(UserAddr::NULL.get()),
            start_time: crate::time::now_monotonic(),
            work: AtomicBool::new(false),
            stretches: AtomicU64::new(0),
            sleeping: AtomicBool::new(false),
            counts: Counts::default(),
            exiting: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            frozen: AtomicBool::new(false),
            vfork: Slot::new(Level::Leaf, None),
            settings: Mutex::new(Level::Leaf, settings),
            parent_death_signal: AtomicI32::new(0),
            place: Slot::new(Level::Leaf, Some(Arc::new(place))),
            clock: OnceLock::new(),
            uts: Slot::new(Level::Task, uts),
            ipc: Slot::new(Level::Task, ipc),
            net: Slot::new(Level::Task, net),
            cgroups: Slot::new(Level::Task, cgroups),
            undo: Slot::new(Level::Task, None),
            parker: Arc::default(),
            interrupt: Slot::new(Level::Leaf, None),
        })
    }

    /// Thread number in the first name space. It changes once at most: a thread that calls
    /// execve(2) becomes the leader of its process.
    pub fn tid(&self) -> Pid {
        self.tid.load(Ordering::Relaxed)
    }

    /// Process number in the first name space.
    pub fn pid(&self) -> Pid {
        self.group.pid
    }

    /// Thread number as the thread itself knows it.
    pub fn own_tid(&self) -> Pid {
        self.own_tid.load(Ordering::Relaxed)
    }

    /// Process number as its own threads know it.
    pub fn own_pid(&self) -> Pid {
        self.group.numbers.own()
    }

    /// The thread's numbers in all name spaces that see it.
    pub fn numbers(&self) -> Arc<Numbers> {
        self.numbers.get()
    }

    /// Makes the task look at its signals and state soon: ends a wait of its, and takes
    /// it out of application code.
    pub fn kick(&self) {
        self.mark_work();
        self.parker.unpark();
        // Pairs with `enter_application`: either the task is seen there, or it sees the mark.
        if self.stretch().is_some() {
            self.interrupt();
        }
    }

    /// Takes the task out of application code, for no reason of its own.
    fn interrupt(&self) {
        if let Some(interrupt) = self.interrupt.get() {
            interrupt.interrupt();
        }
    }

    /// Which stretch of application code runs, if any does.
    fn stretch(&self) -> Option<u64> {
        let stretch = self.stretches.load(Ordering::SeqCst);
        (stretch % 2 == 1).then_some(stretch)
    }

    /// True unless it runs application code.
    pub(crate) fn is_in_kernel(&self) -> bool {
        self.stretch().is_none()
    }

    /// As [`Self::kick`], for the task's own thread.
    pub(crate) fn mark_work(&self) {
        self.work.store(true, Ordering::SeqCst);
    }

    /// True if something must be done before application code runs again.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.work.load(Ordering::SeqCst)
    }

    /// Clears the mark; the caller then looks for everything that could have set it.
    pub(crate) fn take_work(&self) -> bool {
        self.work.swap(false, Ordering::SeqCst)
    }

    /// Says that application code runs next; false if there is work to do first.
    pub(crate) fn enter_application(&self) -> bool {
        self.stretches.fetch_add(1, Ordering::SeqCst);
        let clear = !self.has_work();
        if !clear {
            self.leave_application();
        }
        clear
    }

    pub(crate) fn leave_application(&self) {
        self.stretches.fetch_add(1, Ordering::SeqCst);
    }

    /// True while it sleeps in the kernel: state `S` in /proc.
    #[must_use]
    pub fn is_sleeping(&self) -> bool {
        self.sleeping.load(Ordering::Relaxed)
    }

    pub(crate) fn set_sleeping(&self, sleeping: bool) {
        self.sleeping.store(sleeping, Ordering::Relaxed);
    }

    /// True once it takes no more signals.
    #[must_use]
    pub fn is_exiting(&self) -> bool {
        self.exiting.load(Ordering::SeqCst)
    }

    pub(crate) fn set_exiting(&self) {
        self.exiting.store(true, Ordering::SeqCst);
    }

    /// True while it stands still because its cgroup is frozen.
    #[must_use]
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::SeqCst)
    }

    pub(crate) fn set_frozen(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::SeqCst);
    }

    /// What only the task's creator can give it.
    fn inherit(&self, parent: &Task) {
        self.uts.set(parent.uts.get());
        self.ipc.set(parent.ipc.get());
        self.net.set(parent.net.get());
        self.cgroups.set(parent.cgroups.get());
        *self.settings.lock() = parent.settings().fork();
    }

    /// Name spaces of its own, as clone(2) and unshare(2) ask for, that belong to `user`;
    /// permission was checked. The caller's cgroup is `group`.
    fn take_own_namespaces(&self, flags: CloneFlags, group: &Arc<Group>, user: &UserNamespace) {
        if flags.contains(CloneFlags::NEWCGROUP) {
            self.cgroups.set(CgroupNamespace::new(group, user));
        }
        if flags.contains(CloneFlags::NEWUTS) {
            self.uts.set(Arc::new(self.uts.get().fork(user)));
        }
        if flags.contains(CloneFlags::NEWIPC) {
            self.ipc.set(IpcNamespace::new(user));
        }
        if flags.contains(CloneFlags::NEWNET) {
            self.net.set(NetNamespace::new(user));
        }
        if flags.contains(CloneFlags::NEWNS) {
            let fs = self.fs.get();
            // The context sees the copy from now on.
            let _ = fs.mounts.get().fork(&fs, user);
        }
    }

    /// Priorities, affinity and the like.
    pub fn settings(&self) -> Settings {
        *self.settings.lock()
    }

    pub(crate) fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings.lock());
    }

    /// prctl(PR_SET_PDEATHSIG).
    pub(crate) fn parent_death_signal(&self) -> Option<Signal> {
        Signal::new(self.parent_death_signal.load(Ordering::Relaxed)).ok()
    }

    pub(crate) fn set_parent_death_signal(&self, signal: Option<Signal>) {
        let raw = signal.map_or(0, Signal::raw);
        self.parent_death_signal.store(raw, Ordering::Relaxed);
    }

    /// The thread counts as its user's no longer.
    fn forget_user(&self) {
        self.place.set(None);
    }

    /// The real user id as the process `other` knows it.
    pub(crate) fn uid_seen_by(&self, other: &ThreadGroup) -> u32 {
        let uid = self.creds.with(|creds| creds.uid.real);
        let user = other.leader().map(|task| task.creds.get().user.clone());
        user.unwrap_or_default().shown_uid(uid)
    }

    /// Replaces the credentials, and with another real user the account.
    pub(crate) fn set_credentials(&self, mut creds: Credentials) {
        let before = self.creds.update(|slot| {
            // Another thread may have said so meanwhile, with its filters.
            creds.no_new_privs |= slot.no_new_privs;
            std::mem::replace(slot, Arc::new(creds.clone()))
        });
        let changed = before.uid.effective != creds.uid.effective
            || before.gid.effective != creds.gid.effective
            || before.uid.fs != creds.uid.fs
            || before.gid.fs != creds.gid.fs;
        if changed || !creds.are_within(&before) {
            self.group.set_dumpable(false);
            self.set_parent_death_signal(None);
        }
        self.mark_work();
        if before.uid.real != creds.uid.real {
            let user = self.kernel.users.get(creds.uid.real);
            self.place.set(Some(Arc::new(ThreadPlace::new(user))));
        }
    }

    fn set_numbers(&self, numbers: &Arc<Numbers>) {
        self.tid.store(numbers.kernel(), Ordering::Relaxed);
        self.own_tid.store(numbers.own(), Ordering::Relaxed);
        self.numbers.set(numbers.clone());
        self.mark_work();
    }

    /// Says that the calling host thread is the task's.
    fn start_clock(&self) {
        // A task has one host thread, which may have been another's before.
        let clock = ThreadClock::of_this_thread().started_now();
        let _ = self.clock.set(clock);
    }

    /// What the thread has used so far.
    pub fn usage(&self) -> Usage {
        let ns = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let interrupt = self.interrupt.get();
        let elsewhere = interrupt.as_ref().map_or(0, |i| ns(i.application_time()));
        let here = self.clock.get().map_or(0, |clock| ns(clock.now()));
        let inside = interrupt.and_then(|i| i.time_inside()).map_or(0, ns);
        let inside = inside.min(here);
        Usage {
            user_ns: elsewhere + inside,
            system_ns: here - inside,
            faults: self.counts.faults.load(Ordering::Relaxed),
            sleeps: self.counts.sleeps.load(Ordering::Relaxed),
            max_rss: self.mm.get().map_or(0, |mm| mm.peak()),
        }
    }

    pub(crate) fn parker(&self) -> &Arc<Parker> {
        &self.parker
    }

    pub(crate) fn set_interrupt(&self, interrupt: Option<Arc<dyn Interrupt>>) {
        self.interrupt.set(interrupt);
    }
}
