//! Blocked signals, and taking signals that are pending.

use syscalls::abi::signal::Siginfo;

use super::{SigSet, Signal, TaskSignals};
use crate::task::{Current, Task};

impl TaskSignals {
    /// True if a signal waits here even if it would be ignored.
    pub(super) fn blocks_or_awaits(&self, signal: Signal) -> bool {
        self.blocked().contains(signal) || self.awaited.get().contains(signal)
    }

    /// True if the thread is to be woken for the signal.
    pub(super) fn takes(&self, signal: Signal) -> bool {
        !self.blocked().contains(signal) || self.awaited.get().contains(signal)
    }
}

impl Task {
    /// The pending signals that this thread could take if it blocked none: rt_sigpending(2).
    #[must_use]
    pub fn pending_signals(&self) -> SigSet {
        self.signals.pending().union(self.group.signals.pending())
    }
}

impl Current {
    /// Replaces the set of blocked signals.
    pub fn set_blocked(&mut self, blocked: SigSet) {
        let blocked = blocked.without(SigSet::UNBLOCKABLE);
        let before = self.signals.blocked();
        self.signals.blocked.set(blocked);
        if !self.pending_signals().without(blocked).is_empty() {
            self.mark_work();
        }
        let newly = blocked.without(before);
        if !newly.is_empty() {
            self.group.hand_over_signals(newly);
        }
    }

    /// As [`Self::set_blocked`] until the call that runs now has returned, and if a
    /// handler runs before that, until the handler has returned: rt_sigsuspend(2),
    /// ppoll(2), epoll_pwait(2).
    pub fn set_blocked_during_call(&mut self, blocked: SigSet) {
        let before = self.signals.blocked();
        self.own.saved_mask.get_or_insert(before);
        self.set_blocked(blocked);
    }

    /// Takes a pending signal that is in `wanted`, of the thread or else of the process:
    /// signalfd(2), sigtimedwait(2).
    pub fn take_signal(&self, wanted: SigSet) -> Option<Siginfo> {
        let others = wanted.complement();
        let own = self.signals.pending.lock().take(others);
        let taken = own.or_else(|| self.group.signals.pending.lock().take(others));
        taken.map(|info| self.group.told_of(info))
    }

    /// While `wait` runs, signals of `awaited` wake the thread although they are blocked.
    pub(super) fn awaiting<T>(&self, awaited: SigSet, wait: impl FnOnce() -> T) -> T {
        self.signals.awaited.set(awaited);
        let result = wait();
        self.signals.awaited.set(SigSet::EMPTY);
        result
    }
}
