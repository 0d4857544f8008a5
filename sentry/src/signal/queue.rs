//! Signals that wait to be taken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use syscalls::abi::signal::{SI_USER, Siginfo};

use super::{SigSet, Signal};
use crate::task::User;

/// One entry in a user's account of queued signals, RLIMIT_SIGPENDING. Dropping gives it back.
#[derive(Debug)]
pub(crate) struct Charge(Arc<User>);

impl Charge {
    /// One more queued signal; `None` at the limit.
    pub(crate) fn new(user: Arc<User>, limit: u64) -> Option<Self> {
        let more = |queued: u64| (queued < limit).then(|| queued + 1);
        let counted = user
            .queued_signals
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.is_ok().then(|| Charge(user))
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.0.queued_signals.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Entry {
    signal: Signal,
    info: Siginfo,
    _charge: Option<Charge>,
}

/// Pending signals of a thread or of a process.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    set: SigSet,
    entries: VecDeque<Entry>,
}

impl Pending {
    /// Which are pending.
    pub(crate) fn set(&self) -> SigSet {
        self.set
    }

    /// Adds a signal. Without `info` only its number is remembered: what Linux does when
    /// it cannot queue it.
    pub(crate) fn push(&mut self, signal: Signal, info: Option<(Siginfo, Option<Charge>)>) {
        self.set.insert(signal);
        if let Some((info, charge)) = info {
            self.entries.push_back(Entry {
                signal,
                info,
                _charge: charge,
            });
        }
    }

    /// Takes the next signal outside `blocked`: one that the thread's own instructions
    /// caused, else the lowest number, else the oldest of that number.
    pub(crate) fn take(&mut self, blocked: SigSet) -> Option<Siginfo> {
        let open = self.set.without(blocked);
        let synchronous = open.intersection(SigSet::SYNCHRONOUS);
        let caused = |entry: &&Entry| synchronous.contains(entry.signal) && entry.info.code > 0;
        let signal = match self.entries.iter().find(caused) {
            Some(entry) => entry.signal,
            None => synchronous.lowest().or(open.lowest())?,
        };
        Some(self.take_one(signal))
    }

    /// What waits, in order.
    pub(crate) fn list(&self) -> Vec<Siginfo> {
        self.entries.iter().map(|entry| entry.info).collect()
    }

    fn take_one(&mut self, signal: Signal) -> Siginfo {
        let at = self.entries.iter().position(|e| e.signal == signal);
        let entry = at.and_then(|at| self.entries.remove(at));
        if !self.entries.iter().any(|e| e.signal == signal) {
            self.set.remove(signal);
        }
        entry.map_or_else(
            || Siginfo::kill(signal.raw(), SI_USER, 0, 0),
            |entry| entry.info,
        )
    }

    /// Forgets some signals.
    pub(crate) fn discard(&mut self, signals: SigSet) {
        if !self.set.intersection(signals).is_empty() {
            self.set = self.set.without(signals);
            self.entries.retain(|e| !signals.contains(e.signal));
        }
    }
}

/// A set of signals that other threads read without a lock.
#[derive(Debug, Default)]
pub(crate) struct AtomicSigSet(AtomicU64);

impl AtomicSigSet {
    pub(crate) const fn new(set: SigSet) -> Self {
        AtomicSigSet(AtomicU64::new(set.bits()))
    }

    pub(crate) fn get(&self) -> SigSet {
        SigSet::from_bits(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn set(&self, set: SigSet) {
        self.0.store(set.bits(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::{Pending, SigSet, Signal};
    use syscalls::abi::signal::{SI_QUEUE, SIGSEGV, Siginfo};

    fn push(pending: &mut Pending, signal: Signal, value: u64) {
        let info = Siginfo::queue(signal.raw(), SI_QUEUE, 1, 0, value);
        pending.push(signal, Some((info, None)));
    }

    fn take(pending: &mut Pending, blocked: SigSet) -> Option<(i32, u64)> {
        pending.take(blocked).map(|i| (i.signo, i.fields[1]))
    }

    #[test]
    fn lowest_first_and_oldest_first() {
        let mut pending = Pending::default();
        push(&mut pending, Signal::RT_MIN, 1);
        push(&mut pending, Signal::RT_MIN, 2);
        push(&mut pending, Signal::USR1, 3);
        pending.push(Signal::SEGV, None);
        assert_eq!(take(&mut pending, SigSet::EMPTY), Some((11, 0)));
        let no_usr1 = SigSet::of(&[Signal::USR1]);
        assert_eq!(take(&mut pending, no_usr1), Some((32, 1)));
        assert_eq!(take(&mut pending, SigSet::EMPTY), Some((10, 3)));
        assert_eq!(take(&mut pending, SigSet::EMPTY), Some((32, 2)));
        assert_eq!(take(&mut pending, SigSet::EMPTY), None);
        assert!(pending.set().is_empty());
    }

    #[test]
    fn faults_go_before_other_synchronous_signals() {
        let mut pending = Pending::default();
        pending.push(Signal::ILL, None);
        let fault = Siginfo::fault(SIGSEGV, 1, syscalls::UserAddr::new(8));
        pending.push(Signal::SEGV, Some((fault, None)));
        assert_eq!(pending.take(SigSet::EMPTY), Some(fault));
        pending.discard(SigSet::of(&[Signal::ILL]));
        assert_eq!(pending.take(SigSet::EMPTY), None);
    }
}
