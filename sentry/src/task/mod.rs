//! Tasks: the threads and processes of the sandbox, one host thread for each guest thread.
//!
//! A [`Task`] is what others may look at and poke; [`Current`] is the task as its own
//! host thread owns it, with registers and platform context. A guest thread at a safe
//! point is registers plus objects: nothing that must survive lives on the host stack.

mod creds;
mod current;
mod fs_context;
mod group;
pub mod own;
mod pid;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use platform::Interrupt;
use syscalls::UserAddr;

use crate::fd::FdTable;
use crate::kernel::Kernel;
use crate::mm::Mm;
use crate::signal::TaskSignals;
use crate::sync::{Level, Slot};
use crate::wait::Parker;

pub use creds::{Capabilities, Credentials, UserIds};
pub use current::Current;
pub use fs_context::FsContext;
pub use group::ThreadGroup;
pub use pid::{Pid, PidTable};

/// A guest thread.
pub struct Task {
    /// Thread id.
    pub tid: Pid,
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
    /// set_tid_address(2).
    pub clear_child_tid: AtomicU64,
    /// set_robust_list(2), address of the head.
    pub robust_list: AtomicU64,
    /// Something has to be done before application code runs again: a signal, a stop,
    /// the end of the process. Ends waits.
    work: AtomicBool,
    sleeping: AtomicBool,
    parker: Arc<Parker>,
    interrupt: Slot<Option<Arc<dyn Interrupt>>>,
}

/// What a new task is made of.
pub struct NewTask {
    /// See [`Task`].
    pub tid: Pid,
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
}

impl Task {
    /// A task that does not run yet and is in no table.
    #[must_use]
    pub fn new(new: NewTask) -> Arc<Self> {
        Arc::new(Task {
            tid: new.tid,
            kernel: new.kernel,
            group: new.group,
            name: Slot::new(Level::Task, new.name),
            creds: Slot::new(Level::Task, new.creds),
            fs: Slot::new(Level::Task, new.fs),
            fds: Slot::new(Level::Task, new.fds),
            mm: Slot::new(Level::Task, Some(new.mm)),
            signals: TaskSignals::new(),
            clear_child_tid: AtomicU64::new(UserAddr::NULL.get()),
            robust_list: AtomicU64::new(UserAddr::NULL.get()),
            work: AtomicBool::new(false),
            sleeping: AtomicBool::new(false),
            parker: Arc::default(),
            interrupt: Slot::new(Level::Leaf, None),
        })
    }

    /// Makes the task look at its signals and state soon: ends a wait of its, and takes
    /// it out of application code.
    pub fn kick(&self) {
        self.work.store(true, Ordering::SeqCst);
        self.parker.unpark();
        if let Some(interrupt) = self.interrupt.get() {
            interrupt.interrupt();
        }
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

    /// True while it sleeps in the kernel: state `S` in /proc.
    #[must_use]
    pub fn is_sleeping(&self) -> bool {
        self.sleeping.load(Ordering::Relaxed)
    }

    pub(crate) fn set_sleeping(&self, sleeping: bool) {
        self.sleeping.store(sleeping, Ordering::Relaxed);
    }

    pub(crate) fn parker(&self) -> &Arc<Parker> {
        &self.parker
    }

    pub(crate) fn set_interrupt(&self, interrupt: Option<Arc<dyn Interrupt>>) {
        self.interrupt.set(interrupt);
    }
}
