//! seccomp(2): filters that a program gives itself, and those of the container's profile.
//!
//! A filter is a program of classic BPF ([`program`]), checked when it is installed and
//! run over what there is to know of a call ([`run`]). A thread has all filters that were
//! ever installed in it ([`filters`]): the newest is asked first, and the strictest answer
//! holds. The dispatcher asks before it serves a call ([`enter`]); whether a filter allows
//! a call whatever its arguments is found out once. A filter can leave calls to another
//! process ([`listener`]).
//!
//! A thread's filters change under the lock of its [`crate::task::ThreadGroup`]: one
//! thread may give its own to all others.

mod calls;
mod enter;
mod filters;
mod listener;
mod startup;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use syscalls::abi::task::SeccompData;

use crate::sync::{Level, Slot};
use filters::Filters;
pub use startup::{check, verdict};

/// What a thread may call, `Seccomp` in /proc/PID/status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    Disabled = 0,
    /// read(2), write(2), _exit(2) and sigreturn(2).
    Strict = 1,
    /// What its filters say.
    Filter = 2,
}

/// Mode and filters of one thread.
pub struct Seccomp {
    mode: AtomicU8,
    filters: Slot<Option<Arc<Filters>>>,
}

impl Default for Seccomp {
    fn default() -> Self {
        Seccomp {
            mode: AtomicU8::new(Mode::Disabled as u8),
            filters: Slot::new(Level::Leaf, None),
        }
    }
}

impl Seccomp {
    /// The mode.
    pub fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Acquire) {
            0 => Mode::Disabled,
            1 => Mode::Strict,
            _ => Mode::Filter,
        }
    }

    /// How many filters there are.
    pub fn count(&self) -> usize {
        let count = |filters: &Option<Arc<Filters>>| filters.as_ref().map_or(0, |f| f.count());
        self.filters.with(count)
    }

    /// What the filters say of a call.
    fn verdict(&self, data: &SeccompData) -> u32 {
        self.filters.with(|filters| {
            filters
                .as_ref()
                .map_or(filters::ALLOW, |filters| filters.verdict(data))
        })
    }

    /// True if nothing is asked about a call.
    pub(crate) fn always_allows(&self, number: i32) -> bool {
        match self.mode() {
            Mode::Disabled => true,
            Mode::Strict => false,
            Mode::Filter => self.filters.with(|filters| {
                let filters = filters.as_ref();
                filters.is_none_or(|filters| filters.always_allows(number))
            }),
        }
    }

    fn filters(&self) -> Option<Arc<Filters>> {
        self.filters.get()
    }

    /// Under the lock of the thread's process.
    fn set_filters(&self, filters: Option<Arc<Filters>>) {
        self.filters.set(filters);
        self.mode.store(Mode::Filter as u8, Ordering::Release);
    }

    /// The thread has ended: its filters are its own no longer.
    pub(crate) fn release(&self) {
        drop(self.filters.set(None));
    }

    /// A child's are its parent's.
    pub(crate) fn inherit(&self, parent: &Seccomp) {
        self.filters.set(parent.filters());
        let mode = parent.mode.load(Ordering::Acquire);
        self.mode.store(mode, Ordering::Release);
    }
}
