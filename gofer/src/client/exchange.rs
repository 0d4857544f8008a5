//! One request and its answer: takes a slot, hands it over, waits, reads.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex};
use platform::host::futex;
use syscalls::Errno;
use syscalls::errno::{E2BIG, EIO};
use zerocopy::{FromZeros, IntoBytes};

use crate::wire::layout::{BODY_SIZE, SLOTS};
use crate::wire::request::Request;
use crate::wire::{Patience, Ring, state};

/// The client's side of a channel.
pub(super) struct Exchange {
    ring: Ring,
    broken: AtomicBool,
    /// Bits of slots that no call uses.
    free: AtomicU64,
    /// Calls that wait for a slot, under `turn`.
    waiting: AtomicU32,
    turn: Mutex<()>,
    freed: Condvar,
    patience: Patience,
    socket: OnceLock<Arc<OwnedFd>>,
}

impl Exchange {
    pub(super) fn new(region: OwnedFd) -> Result<Self, Errno> {
        const { assert!(SLOTS == 64, "a bit each") };
        Ok(Exchange {
            ring: Ring::map(region)?,
            broken: AtomicBool::new(false),
            free: AtomicU64::new(u64::MAX),
            waiting: AtomicU32::new(0),
            turn: Mutex::new(()),
            freed: Condvar::new(),
            patience: Patience::new(),
            socket: OnceLock::new(),
        })
    }

    pub(super) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Holds the watcher's socket, to end it on drop.
    pub(super) fn keep(&self, socket: Arc<OwnedFd>) {
        let _ = self.socket.set(socket);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    /// The server is dead: ends every wait, now and later.
    pub(super) fn fail(&self) {
        self.broken.store(true, Ordering::SeqCst);
        for slot in 0..SLOTS {
            self.ring.state(slot).store(state::DEAD, Ordering::SeqCst);
            futex::wake(self.ring.state(slot), u32::MAX);
        }
    }

    /// Sends `request` and its tail, in parts; returns when the answer is there. An answer
    /// without error is at least as long as the request's reply.
    pub(super) fn call<Q: Request>(
        &self,
        request: &Q,
        tail: &[&[u8]],
    ) -> Result<Answer<'_, Q>, Errno> {
        let slot = self.acquire();
        let fixed = request.as_bytes();
        let len: usize = tail.iter().map(|part| part.len()).sum();
        if fixed.len() + len > BODY_SIZE {
            return Err(E2BIG);
        }
        let mut parts: [&[u8]; 4] = [fixed, &[], &[], &[]];
        parts[1..=tail.len()].copy_from_slice(tail);
        self.ring.put(slot.index, Q::OP, &parts);
        self.submit(slot.index);
        self.wait(slot.index)?;

        let head = self.ring.head(slot.index);
        if head.kind != 0 {
            return Err(Errno::from_raw(i32::try_from(head.kind).unwrap_or(0)));
        }
        let len = usize::try_from(head.len).map_err(|_| EIO)?;
        if len > BODY_SIZE || len < size_of::<Q::Reply>() {
            return Err(EIO.why("reply of impossible length"));
        }
        let mut reply = Q::Reply::new_zeroed();
        self.ring.read_body(slot.index, 0, reply.as_mut_bytes());
        Ok(Answer { reply, len, slot })
    }

    /// Hands a slot to the server. Everything is `SeqCst`: the server, before it sleeps,
    /// first says so and then looks at `pending` again.
    fn submit(&self, slot: usize) {
        let ring = &self.ring;
        ring.state(slot).store(state::SUBMITTED, Ordering::SeqCst);
        ring.pending().fetch_or(1 << slot, Ordering::SeqCst);
        if ring.searching().load(Ordering::SeqCst) == 0
            && ring.sleeping().load(Ordering::SeqCst) > 0
        {
            ring.ring();
        }
    }

    fn wait(&self, slot: usize) -> Result<(), Errno> {
        let word = self.ring.state(slot);
        let done = || word.load(Ordering::Acquire) == state::DONE;
        let crowded = self.ring.crowded().load(Ordering::Relaxed) != 0;
        if self.patience.spin(crowded, done) {
            return Ok(());
        }
        loop {
            match word.compare_exchange(
                state::SUBMITTED,
                state::AWAITED,
                Ordering::SeqCst,
                Ordering::SeqCst,
            ) {
                Err(state::DONE) => return Ok(()),
                // The watcher sets `broken` before it touches the slots, so that either
                // this sees it or the watcher's store ends the wait.
                _ if self.is_broken() => return Err(EIO),
                Ok(_) | Err(state::AWAITED) => {
                    let _ = futex::wait(word, state::AWAITED, None);
                }
                Err(_) => return Err(EIO.why("slot in an impossible state")),
            }
        }
    }

    /// The lowest free slot, so that few calls at a time touch few pages.
    fn acquire(&self) -> Slot<'_> {
        if let Some(slot) = self.try_acquire() {
            return slot;
        }
        let mut turn = self.turn.lock();
        self.waiting.fetch_add(1, Ordering::SeqCst);
        loop {
            if let Some(slot) = self.try_acquire() {
                self.waiting.fetch_sub(1, Ordering::SeqCst);
                return slot;
            }
            self.freed.wait(&mut turn);
        }
    }

    fn try_acquire(&self) -> Option<Slot<'_>> {
        let take = |free: u64| (free != 0).then(|| free & (free - 1));
        let order = Ordering::SeqCst;
        let free = self.free.fetch_update(order, order, take).ok()?;
        let index = usize::try_from(free.trailing_zeros()).ok()?;
        Some(Slot {
            exchange: self,
            index,
        })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.get() {
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

/// A slot in use.
struct Slot<'a> {
    exchange: &'a Exchange,
    index: usize,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let exchange = self.exchange;
        exchange.free.fetch_or(1 << self.index, Ordering::SeqCst);
        if exchange.waiting.load(Ordering::SeqCst) > 0 {
            drop(exchange.turn.lock());
            exchange.freed.notify_one();
        }
    }
}

/// An answer; its tail is still in the slot.
pub(super) struct Answer<'a, Q: Request> {
    /// The fixed part.
    pub(super) reply: Q::Reply,
    len: usize,
    slot: Slot<'a>,
}

impl<Q: Request> Answer<'_, Q> {
    /// Copies the tail out.
    pub(super) fn tail(&self) -> Vec<u8> {
        let fixed = size_of::<Q::Reply>();
        let mut bytes = vec![0; self.len - fixed];
        let ring = &self.slot.exchange.ring;
        ring.read_body(self.slot.index, fixed, &mut bytes);
        bytes
    }
}
