//! What a process does with each signal, sigaction(2).

use syscalls::UserAddr;
use syscalls::abi::signal::{Sigaction, SigactionFlags};

use super::queue::AtomicSigSet;
use super::{DefaultAction, SigSet, Signal};
use crate::sync::{Level, Mutex};

/// Who deals with a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Handler {
    /// See [`Signal::default_action`].
    #[default]
    Default,
    /// Nobody.
    Ignore,
    /// Code of the program.
    At(UserAddr),
}

/// What a process does with one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Action {
    /// Who deals with it.
    pub handler: Handler,
    /// How.
    pub flags: SigactionFlags,
    /// Where a handler returns to.
    pub restorer: UserAddr,
    /// Blocked while a handler runs.
    pub mask: SigSet,
}

impl Action {
    /// From the guest. Flags that Linux does not know are dropped, as it does.
    #[must_use]
    pub fn from_abi(abi: &Sigaction) -> Self {
        let handler = match abi.handler.get() {
            0 => Handler::Default,
            1 => Handler::Ignore,
            _ => Handler::At(abi.handler),
        };
        Action {
            handler,
            flags: SigactionFlags::from_bits_truncate(abi.flags) - SigactionFlags::UNSUPPORTED,
            restorer: abi.restorer,
            mask: SigSet::from_bits(abi.mask).without(SigSet::UNBLOCKABLE),
        }
    }

    /// For the guest.
    #[must_use]
    pub fn to_abi(&self) -> Sigaction {
        let handler = match self.handler {
            Handler::Default => UserAddr::NULL,
            Handler::Ignore => UserAddr::new(1),
            Handler::At(addr) => addr,
        };
        Sigaction {
            handler,
            flags: self.flags.bits(),
            restorer: self.restorer,
            mask: self.mask.bits(),
        }
    }

    /// True if the signal has no effect.
    #[must_use]
    pub fn ignores(&self, signal: Signal) -> bool {
        match self.handler {
            Handler::Default => signal.default_action() == DefaultAction::Ignore,
            Handler::Ignore => true,
            Handler::At(_) => false,
        }
    }
}

/// What a process does with each signal. Shared by processes made with `CLONE_SIGHAND`.
pub struct SignalHandlers {
    actions: Mutex<[Action; Signal::COUNT]>,
    /// SIG_IGN.
    ignored: AtomicSigSet,
    /// A handler.
    caught: AtomicSigSet,
}

impl Default for SignalHandlers {
    fn default() -> Self {
        Self::of([Action::default(); Signal::COUNT])
    }
}

impl SignalHandlers {
    fn of(actions: [Action; Signal::COUNT]) -> Self {
        let mut sets = (SigSet::EMPTY, SigSet::EMPTY);
        for signal in SigSet::EMPTY.complement().iter() {
            match actions[signal.index()].handler {
                Handler::Default => {}
                Handler::Ignore => sets.0.insert(signal),
                Handler::At(_) => sets.1.insert(signal),
            }
        }
        SignalHandlers {
            actions: Mutex::new(Level::Signals, actions),
            ignored: AtomicSigSet::new(sets.0),
            caught: AtomicSigSet::new(sets.1),
        }
    }

    /// A copy, for a child without `CLONE_SIGHAND`.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self::of(*self.actions.lock())
    }

    /// As execve(2) and `CLONE_CLEAR_SIGHAND` leave them: ignored signals stay ignored,
    /// all others get their default.
    #[must_use]
    pub fn without_handlers(&self) -> Self {
        let mut actions = [Action::default(); Signal::COUNT];
        for signal in self.ignored().iter() {
            actions[signal.index()].handler = Handler::Ignore;
        }
        Self::of(actions)
    }

    /// The action for `signal`.
    #[must_use]
    pub fn get(&self, signal: Signal) -> Action {
        self.actions.lock()[signal.index()]
    }

    /// Replaces the action; returns the old one.
    pub fn set(&self, signal: Signal, action: Action) -> Action {
        let mut actions = self.actions.lock();
        self.publish(signal, action.handler);
        std::mem::replace(&mut actions[signal.index()], action)
    }

    /// The action for a signal that is taken now; one with `SA_RESETHAND` holds once.
    pub(crate) fn take(&self, signal: Signal) -> Action {
        let mut actions = self.actions.lock();
        let slot = &mut actions[signal.index()];
        let action = *slot;
        if matches!(action.handler, Handler::At(_))
            && action.flags.contains(SigactionFlags::RESETHAND)
        {
            slot.handler = Handler::Default;
            self.publish(signal, Handler::Default);
        }
        action
    }

    fn publish(&self, signal: Signal, handler: Handler) {
        let (mut ignored, mut caught) = (self.ignored.get(), self.caught.get());
        ignored.remove(signal);
        caught.remove(signal);
        match handler {
            Handler::Default => {}
            Handler::Ignore => ignored.insert(signal),
            Handler::At(_) => caught.insert(signal),
        }
        self.ignored.set(ignored);
        self.caught.set(caught);
    }

    /// Signals set to SIG_IGN: `SigIgn` in /proc/PID/status.
    #[must_use]
    pub fn ignored(&self) -> SigSet {
        self.ignored.get()
    }

    /// Signals with a handler: `SigCgt` in /proc/PID/status.
    #[must_use]
    pub fn caught(&self) -> SigSet {
        self.caught.get()
    }

    /// True if `signal` would have no effect on the process.
    #[must_use]
    pub fn ignores(&self, signal: Signal) -> bool {
        self.ignored().contains(signal)
            || (!self.caught().contains(signal) && signal.default_action() == DefaultAction::Ignore)
    }
}
