//! Signals, signal(7).
//!
//! A signal is sent to a process or to one of its threads ([`send`]), waits in a queue of
//! one or the other ([`queue`]), and is taken by a thread on its way back to application
//! code ([`deliver`]), which then ends, stops or finds itself in a handler ([`frame`]).
//! The queues of a process and of each thread have locks of their own, taken one after
//! the other; whoever sends holds the process's [`crate::sync::Level::Group`] lock, so
//! that stopping and ending are seen by all.

mod action;
mod alt_stack;
mod calls;
mod deliver;
mod frame;
mod kill;
mod mask;
mod number;
mod queue;
mod send;
mod signalfd;
mod stop;

use syscalls::abi::signal::Siginfo;

use crate::sync::{Level, Mutex};
use crate::wait::WaitQueue;

pub use action::{Action, Handler, SignalHandlers};
pub use alt_stack::AltStack;
pub(crate) use deliver::Flow;
pub(crate) use kill::is_forged;
pub use number::{DefaultAction, SigSet, Signal};
use queue::{AtomicSigSet, Pending};
pub use send::Source;

/// Signals of one thread.
pub struct TaskSignals {
    /// Written by the thread alone.
    blocked: AtomicSigSet,
    /// What sigtimedwait(2) waits for: taken although blocked.
    awaited: AtomicSigSet,
    pending: Mutex<Pending>,
}

impl TaskSignals {
    pub(crate) fn new(blocked: SigSet) -> Self {
        TaskSignals {
            blocked: AtomicSigSet::new(blocked),
            awaited: AtomicSigSet::default(),
            pending: Mutex::new(Level::Signals, Pending::default()),
        }
    }

    /// The blocked signals.
    pub fn blocked(&self) -> SigSet {
        self.blocked.get()
    }

    /// The signals sent to this thread and not yet taken.
    pub fn pending(&self) -> SigSet {
        self.pending.lock().set()
    }

    /// Takes a pending signal that is not in `blocked`.
    pub(crate) fn take(&self, blocked: SigSet) -> Option<Siginfo> {
        self.pending.lock().take(blocked)
    }

    /// What waits, in order.
    pub(crate) fn list(&self) -> Vec<Siginfo> {
        self.pending.lock().list()
    }

    /// Adds a signal that nobody sent.
    pub(crate) fn push_silent(&self, signal: Signal) {
        self.pending.lock().push(signal, None);
    }

    /// Sets the blocked signals of a thread that stands in a stop for its tracer.
    pub(crate) fn set_blocked_of_stopped(&self, blocked: SigSet) {
        self.blocked.set(blocked.without(SigSet::UNBLOCKABLE));
    }
}

/// Signals sent to a process as a whole.
pub struct GroupSignals {
    pending: Mutex<Pending>,
    /// Told of every signal that is sent to the process or one of its threads:
    /// signalfd(2) waits here.
    pub arrivals: WaitQueue,
}

impl GroupSignals {
    /// What waits, in order.
    pub(crate) fn list(&self) -> Vec<Siginfo> {
        self.pending.lock().list()
    }

    pub(crate) fn new() -> Self {
        GroupSignals {
            pending: Mutex::new(Level::Signals, Pending::default()),
            arrivals: WaitQueue::new(),
        }
    }

    /// The signals sent to the process and not yet taken.
    pub fn pending(&self) -> SigSet {
        self.pending.lock().set()
    }

    /// Takes a pending signal that is not in `blocked`.
    pub(crate) fn take(&self, blocked: SigSet) -> Option<Siginfo> {
        self.pending.lock().take(blocked)
    }
}
