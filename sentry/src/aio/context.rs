//! Contexts, and the events in them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use syscalls::abi::aio::IoEvent;
use syscalls::errno::EAGAIN;
use syscalls::{Errno, PAGE_SIZE};

use super::poll::PollRequest;
use crate::eventfd::EventFd;
use crate::sync::{Level, Mutex};
use crate::vfs::File;
use crate::wait::{Ready, WaitQueue};

/// Bytes of the head of the ring that Linux shows, and of an event in it.
const RING_HEAD: u64 = 32;
const EVENT: u64 = 32;

/// The contexts of one memory, by the address that stands for each.
pub(crate) struct Contexts(Mutex<BTreeMap<u64, Arc<Context>>>);

impl Default for Contexts {
    fn default() -> Self {
        Contexts(Mutex::new(Level::Leaf, BTreeMap::new()))
    }
}

impl Contexts {
    pub(super) fn get(&self, id: u64) -> Option<Arc<Context>> {
        self.0.lock().get(&id).cloned()
    }

    pub(super) fn put(&self, id: u64, context: Arc<Context>) {
        self.0.lock().insert(id, context);
    }

    pub(super) fn take(&self, id: u64) -> Option<Arc<Context>> {
        self.0.lock().remove(&id)
    }
}

/// Who is told of a finished request, beside the context.
#[derive(Clone)]
pub(super) struct Outcome {
    /// The program's own word, and the address of its request.
    pub(super) data: u64,
    pub(super) request: u64,
    /// IOCB_FLAG_RESFD.
    pub(super) counter: Option<Arc<File>>,
}

struct State {
    events: VecDeque<IoEvent>,
    /// Requests that were submitted and whose events were not taken.
    used: u64,
    /// Requests in the background.
    polls: Vec<Arc<PollRequest>>,
    ended: bool,
}

/// See the module.
pub(super) struct Context {
    /// Bytes of the ring that the program sees.
    pub(super) ring_len: u64,
    capacity: u64,
    state: Mutex<State>,
    pub(super) readers: WaitQueue,
}

impl Context {
    /// For at least `wanted` requests at once, on a machine with `cpus` processors.
    pub(super) fn new(wanted: u32, cpus: u32) -> Self {
        // As Linux: it keeps requests by for each processor, and fills whole pages.
        let requests = u64::from(wanted.max(cpus.saturating_mul(4))) * 2 + 2;
        let ring_len = (RING_HEAD + EVENT * requests).next_multiple_of(PAGE_SIZE);
        Context {
            ring_len,
            capacity: (ring_len - RING_HEAD) / EVENT - 1,
            state: Mutex::new(
                Level::Inotify,
                State {
                    events: VecDeque::new(),
                    used: 0,
                    polls: Vec::new(),
                    ended: false,
                },
            ),
            readers: WaitQueue::new(),
        }
    }

    /// Takes a place for a request; `EAGAIN`.
    pub(super) fn begin(&self) -> Result<(), Errno> {
        let mut state = self.state.lock();
        if state.used >= self.capacity {
            return Err(EAGAIN);
        }
        state.used += 1;
        Ok(())
    }

    /// Gives the place back: the request was not accepted.
    pub(super) fn refuse(&self) {
        let mut state = self.state.lock();
        state.used = state.used.saturating_sub(1);
    }

    /// A request is done, with this result.
    pub(super) fn finish(&self, outcome: &Outcome, result: i64) {
        self.state.lock().events.push_back(IoEvent {
            data: outcome.data,
            obj: outcome.request,
            res: result,
            res2: 0,
        });
        self.readers.notify(Ready::READABLE);
        let counter = outcome.counter.as_ref();
        if let Some(counter) = counter.and_then(|file| file.downcast::<EventFd>()) {
            counter.signal(1);
        }
    }

    /// Up to `most` events.
    pub(super) fn take(&self, most: usize) -> Vec<IoEvent> {
        let mut state = self.state.lock();
        let count = most.min(state.events.len());
        state.used = state.used.saturating_sub(count as u64);
        state.events.drain(..count).collect()
    }

    pub(super) fn is_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// A request goes on in the background.
    pub(super) fn keep(&self, poll: Arc<PollRequest>) {
        self.state.lock().polls.push(poll);
    }

    pub(super) fn forget(&self, poll: &PollRequest) {
        let forgotten = {
            let mut state = self.state.lock();
            let at = state.polls.iter().position(|p| std::ptr::eq(&**p, poll));
            at.map(|at| state.polls.swap_remove(at))
        };
        // Dropped outside the lock.
        drop(forgotten);
    }

    /// The request in the background that came from this address.
    pub(super) fn find(&self, request: u64) -> Option<Arc<PollRequest>> {
        let state = self.state.lock();
        state.polls.iter().find(|p| p.is_of(request)).cloned()
    }

    /// Ends what goes on in the background; who waits for events learns of it.
    pub(super) fn end(&self) {
        let polls = {
            let mut state = self.state.lock();
            state.ended = true;
            std::mem::take(&mut state.polls)
        };
        for poll in polls {
            poll.stop();
        }
        self.readers.notify(Ready::READABLE);
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        for poll in std::mem::take(&mut self.state.get_mut().polls) {
            poll.stop();
        }
    }
}
