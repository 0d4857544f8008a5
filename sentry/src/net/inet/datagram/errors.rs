//! What went wrong with datagrams that were sent: SO_ERROR, and the queue of IP_RECVERR.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI32, Ordering};

use syscalls::Errno;
use syscalls::abi::net::SockExtendedErr;
use syscalls::errno::EAGAIN;

use super::super::addr::Endpoint;
use crate::sync::{Level, Mutex};

/// An error with its circumstances.
pub(super) struct Queued {
    pub(super) error: SockExtendedErr,
    /// Who told.
    pub(super) offender: IpAddr,
    /// Where the datagram was to go.
    pub(super) to: Endpoint,
    /// The datagram.
    pub(super) data: Vec<u8>,
}

pub(super) struct Errors {
    pending: AtomicI32,
    queue: Mutex<VecDeque<Queued>>,
}

/// Errors that are kept; later ones are lost.
const MAX: usize = 128;

impl Default for Errors {
    fn default() -> Self {
        Errors {
            pending: AtomicI32::new(0),
            queue: Mutex::new(Level::Leaf, VecDeque::new()),
        }
    }
}

impl Errors {
    /// Something is to be told once.
    pub(super) fn set(&self, error: Errno) {
        self.pending.store(error.raw().into(), Ordering::Relaxed);
    }

    /// Tells it.
    pub(super) fn take(&self) -> Option<Errno> {
        if self.pending.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let error = self.pending.swap(0, Ordering::Relaxed);
        (error != 0).then(|| Errno::from_raw(error))
    }

    /// Keeps an error for MSG_ERRQUEUE.
    pub(super) fn queue(&self, error: Queued) {
        let mut queue = self.queue.lock();
        if queue.len() < MAX {
            queue.push_back(error);
        }
    }

    /// The next of them; `EAGAIN`. What SO_ERROR says follows the queue.
    pub(super) fn next(&self) -> Result<Queued, Errno> {
        let mut queue = self.queue.lock();
        let first = queue.pop_front().ok_or(EAGAIN)?;
        let following = queue.front().map_or(0, |next| next.error.errno);
        self.pending
            .store(i32::try_from(following).unwrap_or(0), Ordering::Relaxed);
        Ok(first)
    }

    /// True if there is something to be told.
    pub(super) fn any(&self) -> bool {
        self.pending.load(Ordering::Relaxed) != 0 || !self.queue.lock().is_empty()
    }
}
