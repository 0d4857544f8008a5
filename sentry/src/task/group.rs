//! Processes: groups of threads that share signals, children and an end.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Weak};

use super::{Pid, Task};
use crate::signal::{GroupSignals, SignalHandlers};
use crate::sync::{Level, Mutex, Slot};
use crate::wait::WaitQueue;

/// A process.
pub struct ThreadGroup {
    /// Process number.
    pub pid: Pid,
    /// Signals sent to the process.
    pub signals: GroupSignals,
    /// What it does with signals; shared by processes made with `CLONE_SIGHAND`.
    pub handlers: Slot<Arc<SignalHandlers>>,
    /// Told when a child of the process changes state: wait4(2) sleeps here.
    pub child_events: WaitQueue,
    pgid: AtomicI32,
    sid: AtomicI32,
    pub(crate) state: Mutex<GroupState>,
}

/// What changes in a process's life.
pub(crate) struct GroupState {
    pub(crate) threads: Vec<Arc<Task>>,
    pub(crate) parent: Weak<ThreadGroup>,
    pub(crate) children: Vec<Arc<ThreadGroup>>,
    /// Set once: the wait status of the end.
    pub(crate) exit_status: Option<i32>,
}

impl ThreadGroup {
    /// A process without threads, in its parent's process group and session.
    #[must_use]
    pub fn new(
        pid: Pid,
        parent: Option<&Arc<ThreadGroup>>,
        handlers: Arc<SignalHandlers>,
    ) -> Arc<Self> {
        Arc::new(ThreadGroup {
            pid,
            signals: GroupSignals::new(),
            handlers: Slot::new(Level::Signals, handlers),
            child_events: WaitQueue::new(),
            pgid: AtomicI32::new(parent.map_or(pid, |p| p.pgid())),
            sid: AtomicI32::new(parent.map_or(pid, |p| p.sid())),
            state: Mutex::new(
                Level::Group,
                GroupState {
                    threads: Vec::new(),
                    parent: parent.map_or_else(Weak::new, Arc::downgrade),
                    children: Vec::new(),
                    exit_status: None,
                },
            ),
        })
    }

    /// Process group.
    pub fn pgid(&self) -> Pid {
        self.pgid.load(Ordering::Relaxed)
    }

    /// Session.
    pub fn sid(&self) -> Pid {
        self.sid.load(Ordering::Relaxed)
    }

    /// The living threads.
    pub fn threads(&self) -> Vec<Arc<Task>> {
        self.state.lock().threads.clone()
    }

    /// The parent process.
    pub fn parent(&self) -> Option<Arc<ThreadGroup>> {
        self.state.lock().parent.upgrade()
    }
}
