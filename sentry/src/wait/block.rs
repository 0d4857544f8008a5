//! Sleeping: an attempt inside one generic wait.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

use syscalls::errno::{EAGAIN, ETIMEDOUT};
use syscalls::{Restart, Stop};

use super::{Ready, Registration, WaitQueue, Wake};
use crate::task::Current;
use crate::time::now_monotonic;

/// A point of `CLOCK_MONOTONIC`, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub u64);

impl Deadline {
    /// `timeout` from now; saturates at the end of time.
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        let ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        Deadline(now_monotonic().saturating_add(ns))
    }

    /// Time left; `None` once it has passed.
    #[must_use]
    pub fn left(self) -> Option<Duration> {
        self.0
            .checked_sub(now_monotonic())
            .filter(|&ns| ns > 0)
            .map(Duration::from_nanos)
    }
}

/// Where one task's thread sleeps.
#[derive(Default)]
pub(crate) struct Parker {
    thread: OnceLock<Thread>,
    woken: AtomicBool,
}

impl Parker {
    /// Binds the parker to the calling thread. Once.
    pub(crate) fn bind(&self) {
        // A second bind would be a bug of ours with no harm: the first thread stays.
        let _ = self.thread.set(std::thread::current());
    }

    pub(crate) fn unpark(&self) {
        if !self.woken.swap(true, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Sleeps until woken or until the deadline; false at the deadline.
    fn park(&self, deadline: Option<Deadline>) -> bool {
        while !self.woken.swap(false, Ordering::SeqCst) {
            match deadline.map(Deadline::left) {
                None => std::thread::park(),
                Some(Some(left)) => std::thread::park_timeout(left),
                Some(None) => return false,
            }
        }
        true
    }
}

/// Sleeps until `done`, whatever else happens: for a thread that has no application any
/// more. `queue` tells when it is worth looking.
pub(crate) fn wait_until(queue: &WaitQueue, mask: Ready, mut done: impl FnMut() -> bool) {
    let parker = Arc::new(Parker::default());
    parker.bind();
    let _registered = queue.register(parker.clone(), mask);
    while !done() {
        parker.park(None);
    }
}

impl Wake for Parker {
    fn wake(&self, _: Ready) {
        self.unpark();
    }
}

impl Current {
    /// Performs `attempt` until it ends with something else than `EAGAIN`, sleeping on
    /// `queue` in between.
    ///
    /// Ends with `ETIMEDOUT` at the deadline and with [`Restart::Sys`] when a signal (or
    /// a stop, or the end of the thread group) has to be dealt with.
    pub fn block_on<T>(
        &self,
        queue: &WaitQueue,
        mask: Ready,
        deadline: Option<Deadline>,
        attempt: impl FnMut() -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        self.block_on_with(deadline, |waker| vec![queue.register(waker, mask)], attempt)
    }

    /// As [`Self::block_on`], with whatever registrations `register` makes: poll(2) waits
    /// for many objects at once. `register` is called once, and only if the first
    /// attempt did not succeed.
    pub fn block_on_with<T>(
        &self,
        deadline: Option<Deadline>,
        register: impl FnOnce(Arc<dyn Wake>) -> Vec<Registration>,
        mut attempt: impl FnMut() -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let first = attempt();
        if !matches!(first, Err(Stop::Errno(EAGAIN))) {
            return first;
        }
        let parker = self.parker().clone();
        let _registered = register(parker.clone());
        self.enter_wait();
        let result = loop {
            let result = attempt();
            if !matches!(result, Err(Stop::Errno(EAGAIN))) {
                break result;
            }
            if self.has_work() {
                break Err(Stop::Restart(Restart::Sys));
            }
            if !parker.park(deadline) {
                // What became ready at the last moment counts.
                break match attempt() {
                    Err(Stop::Errno(EAGAIN)) => Err(ETIMEDOUT.into()),
                    result => result,
                };
            }
        };
        self.leave_wait();
        result
    }

    /// Sleeps until the deadline (for ever without one) or an interruption.
    pub fn sleep(&self, deadline: Option<Deadline>) -> Result<(), Stop> {
        match self.block_on_with(deadline, |_| Vec::new(), || Err(EAGAIN.into())) {
            Err(Stop::Errno(ETIMEDOUT)) => Ok(()),
            result => result,
        }
    }
}
