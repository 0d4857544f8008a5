//! Sending and receiving.

use std::sync::{Arc, OnceLock};

use syscalls::errno::{E2BIG, EAGAIN, EIDRM, ENOMSG};
use syscalls::{Errno, Stop};

use super::{Message, Queue, Receiver, Selection, State, wake};
use crate::task::{Credentials, Current, Pid};
use crate::wait::{Ready, WaitQueue};

/// A wish to receive.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) selection: Selection,
    pub(super) room: usize,
    /// MSG_NOERROR.
    pub(super) cuts: bool,
    /// Not IPC_NOWAIT.
    pub(super) waits: bool,
}

impl State {
    fn alive(&self) -> Result<(), Errno> {
        if self.removed { Err(EIDRM) } else { Ok(()) }
    }

    fn has_room(&self, bytes: u64) -> bool {
        bytes + self.bytes <= self.most_bytes && (self.messages.len() as u64) < self.most_bytes
    }

    /// Hands `message` to a receiver or keeps it; returns whom to wake.
    fn put(&mut self, message: Message, pid: Pid) -> Vec<Arc<Receiver>> {
        self.sender = pid;
        self.sent_at = crate::ipc::now();
        let mut woken = Vec::new();
        let wants = |receiver: &Arc<Receiver>| receiver.selection.takes(&message);
        while let Some(at) = self.receivers.iter().position(wants) {
            let receiver = self.receivers.remove(at);
            woken.push(receiver.clone());
            if receiver.room < message.text.len() && !receiver.cuts {
                // Its buffer is too small: it fails, and the message goes on.
                let _ = receiver.result.set(Err(E2BIG));
                continue;
            }
            self.receiver = receiver.pid;
            self.received_at = crate::ipc::now();
            let _ = receiver.result.set(Ok(message));
            return woken;
        }
        self.bytes += message.text.len() as u64;
        self.messages.push_back(message);
        woken
    }

    fn take(&mut self, wish: &Wish, pid: Pid) -> Result<Message, Errno> {
        let at = wish.selection.find(&self.messages).ok_or(ENOMSG)?;
        let message = self.messages.get(at).ok_or(ENOMSG)?;
        if wish.room < message.text.len() && !wish.cuts {
            return Err(E2BIG);
        }
        let message = self.messages.remove(at).ok_or(ENOMSG)?;
        self.bytes -= message.text.len() as u64;
        self.receiver = pid;
        self.received_at = crate::ipc::now();
        Ok(message)
    }
}

impl Queue {
    /// msgsnd(2).
    pub(super) fn send(&self, task: &Current, message: Message, waits: bool) -> Result<(), Stop> {
        let creds = task.creds.get();
        let mut message = Some(message);
        let mut attempt = || -> Result<(), Errno> {
            let woken = {
                let mut state = self.state.lock();
                state.alive()?;
                state.perm.permit(&creds, 0o222)?;
                let bytes = message.as_ref().map_or(0, |message| message.text.len());
                if !state.has_room(bytes as u64) {
                    return Err(EAGAIN);
                }
                match message.take() {
                    Some(message) => state.put(message, task.pid()),
                    None => Vec::new(),
                }
            };
            wake(&woken);
            Ok(())
        };
        if !waits {
            return Ok(attempt()?);
        }
        task.block_on(&self.senders, Ready::WRITABLE, None, || Ok(attempt()?))
            .map_err(|stop| crate::ipc::given_up(stop).into())
    }

    /// msgrcv(2) without MSG_COPY.
    pub(super) fn receive(&self, task: &Current, wish: &Wish) -> Result<Message, Stop> {
        let creds = task.creds.get();
        let receiver = {
            let mut state = self.state.lock();
            state.alive()?;
            state.perm.permit(&creds, 0o444)?;
            match state.take(wish, task.pid()) {
                Err(ENOMSG) if wish.waits => {}
                result => {
                    drop(state);
                    self.senders.notify(Ready::WRITABLE);
                    return Ok(result?);
                }
            }
            let receiver = Arc::new(Receiver {
                selection: wish.selection,
                room: wish.room,
                cuts: wish.cuts,
                pid: task.pid(),
                result: OnceLock::new(),
                queue: WaitQueue::new(),
            });
            state.receivers.push(receiver.clone());
            receiver
        };
        let attempt = || match receiver.result.get() {
            Some(result) => Ok(result.clone()),
            None => Err(EAGAIN.into()),
        };
        let result = match task.block_on(&receiver.queue, Ready::READABLE, None, attempt) {
            Ok(result) => result,
            Err(stop) => self.give_up(&receiver, stop),
        };
        Ok(result?)
    }

    /// Takes a receiver out, unless it was served at the last moment.
    fn give_up(&self, receiver: &Arc<Receiver>, stop: Stop) -> Result<Message, Errno> {
        let mut state = self.state.lock();
        if let Some(result) = receiver.result.get() {
            return result.clone();
        }
        state
            .receivers
            .retain(|other| !Arc::ptr_eq(other, receiver));
        Err(crate::ipc::given_up(stop))
    }

    /// MSG_COPY: the message in place `index`, which stays; `ENOMSG`.
    pub(super) fn copy(
        &self,
        creds: &Credentials,
        index: i64,
        wish: &Wish,
    ) -> Result<Message, Errno> {
        let state = self.state.lock();
        state.perm.permit(creds, 0o444)?;
        let index = usize::try_from(index).map_err(|_| ENOMSG)?;
        let message = state.messages.get(index).ok_or(ENOMSG)?;
        if wish.room < message.text.len() && !wish.cuts {
            return Err(E2BIG);
        }
        Ok(message.clone())
    }
}
