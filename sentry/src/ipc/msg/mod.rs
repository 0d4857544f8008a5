//! Message queues, msgget(2), msgsnd(2) and msgrcv(2).
//!
//! A receiver that finds nothing leaves its wish with the queue; a sender hands its
//! message to the first that wants it.

mod calls;
mod control;
mod queue;
mod select;

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use syscalls::Errno;
use syscalls::abi::ipc::MsqidDs;

use super::perm::Perm;
use super::table::Named;
use crate::sync::{Level, Mutex};
use crate::task::Pid;
use crate::wait::{Ready, WaitQueue};
use select::Selection;

/// The longest message, bytes: kernel.msgmax.
const MSGMAX: i64 = 8192;
/// Bytes in a queue, kernel.msgmnb.
const MSGMNB: i64 = 16_384;
/// Queues of a name space, kernel.msgmni.
const MSGMNI: i64 = 32_000;

/// See the module.
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Told when there may be room.
    senders: WaitQueue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    kind: i64,
    text: Vec<u8>,
}

struct State {
    perm: Perm,
    sent_at: i64,
    received_at: i64,
    changed_at: i64,
    sender: Pid,
    receiver: Pid,
    /// Bytes of all messages, and how many there may be.
    bytes: u64,
    most_bytes: u64,
    messages: VecDeque<Message>,
    receivers: Vec<Arc<Receiver>>,
    removed: bool,
}

/// Who waits for a message.
struct Receiver {
    selection: Selection,
    /// Bytes of its buffer.
    room: usize,
    /// MSG_NOERROR.
    cuts: bool,
    pid: Pid,
    result: OnceLock<Result<Message, Errno>>,
    queue: WaitQueue,
}

fn wake(receivers: &[Arc<Receiver>]) {
    for receiver in receivers {
        receiver.queue.notify(Ready::READABLE);
    }
}

impl Queue {
    fn new(perm: Perm, most_bytes: u64) -> Self {
        let state = State {
            perm,
            sent_at: 0,
            received_at: 0,
            changed_at: super::now(),
            sender: 0,
            receiver: 0,
            bytes: 0,
            most_bytes,
            messages: VecDeque::new(),
            receivers: Vec::new(),
            removed: false,
        };
        Queue {
            state: Mutex::new(Level::Ipc, state),
            senders: WaitQueue::new(),
        }
    }

    fn perm(&self) -> Perm {
        self.state.lock().perm.clone()
    }

    pub(crate) fn stat(named: &Named<Queue>) -> MsqidDs {
        let state = named.object.state.lock();
        MsqidDs {
            perm: state.perm.abi(named.key, named.id),
            stime: state.sent_at,
            rtime: state.received_at,
            ctime: state.changed_at,
            cbytes: state.bytes,
            qnum: state.messages.len() as u64,
            qbytes: state.most_bytes,
            lspid: state.sender,
            lrpid: state.receiver,
            ..MsqidDs::default()
        }
    }
}
