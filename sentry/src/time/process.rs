//! The timers of a process.

use std::collections::BTreeMap;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::EINVAL;

use super::itimer::Which;
use super::posix::PosixTimer;
use super::timer::Timer;
use crate::sync::{Level, Mutex};

/// See the module. Not inherited by fork(2).
pub struct ProcessTimers {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    interval: [Option<Arc<Timer>>; 3],
    /// RLIMIT_CPU.
    limit: Option<Arc<Timer>>,
    posix: BTreeMap<i32, Arc<PosixTimer>>,
    next_id: i32,
}

impl Default for ProcessTimers {
    fn default() -> Self {
        ProcessTimers {
            inner: Mutex::new(Level::Ipc, Inner::default()),
        }
    }
}

impl ProcessTimers {
    /// The interval timer, made on first use.
    pub(super) fn interval(&self, which: Which, make: impl FnOnce() -> Arc<Timer>) -> Arc<Timer> {
        let mut inner = self.inner.lock();
        // Three timers, three places.
        let place = &mut inner.interval[which.index()];
        place.get_or_insert_with(make).clone()
    }

    /// The timer of RLIMIT_CPU, made on first use.
    pub(super) fn limit(&self, make: impl FnOnce() -> Arc<Timer>) -> Arc<Timer> {
        self.inner.lock().limit.get_or_insert_with(make).clone()
    }

    /// True if that timer was ever used.
    pub(super) fn has_limit(&self) -> bool {
        self.inner.lock().limit.is_some()
    }

    /// Adds a timer made for its number by `make`.
    pub(super) fn add(
        &self,
        make: impl FnOnce(i32) -> Result<Arc<PosixTimer>, Errno>,
    ) -> Result<i32, Errno> {
        let mut inner = self.inner.lock();
        let id = inner.next_id;
        let timer = make(id)?;
        inner.posix.insert(id, timer);
        inner.next_id = id.checked_add(1).unwrap_or(0);
        Ok(id)
    }

    pub(super) fn posix(&self, id: i32) -> Result<Arc<PosixTimer>, Errno> {
        self.inner.lock().posix.get(&id).cloned().ok_or(EINVAL)
    }

    pub(super) fn remove(&self, id: i32) -> Result<(), Errno> {
        let removed = self.inner.lock().posix.remove(&id);
        removed.map(|timer| timer.stop()).ok_or(EINVAL)
    }

    /// execve(2): timers of timer_create(2) are gone.
    pub fn on_exec(&self) {
        let posix = std::mem::take(&mut self.inner.lock().posix);
        posix.into_values().for_each(|timer| timer.stop());
    }

    /// The process ends: none strikes any more.
    pub fn on_exit(&self) {
        self.on_exec();
        let (interval, limit) = {
            let mut inner = self.inner.lock();
            (std::mem::take(&mut inner.interval), inner.limit.take())
        };
        for timer in interval.into_iter().flatten().chain(limit) {
            timer.set(None, 0);
        }
    }
}
