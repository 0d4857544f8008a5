//! A queue.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use syscalls::Errno;
use syscalls::abi::ipc::MqAttr;
use syscalls::errno::{EAGAIN, EBUSY, EMSGSIZE};

use super::dir::QueueInode;
use super::file::QueueFile;
use super::limits::{Charge, Maker, Shape};
use super::notify::Notification;
use crate::fs::synth::{Behaviour, Synthetic};
use crate::kernel::Kernel;
use crate::sync::{Level, Mutex};
use crate::task::{Current, Numbers};
use crate::vfs::locks::LockOwner;
use crate::vfs::{Attr, FileOps, OpenMode};
use crate::wait::{Ready, WaitQueue};

/// Bytes of the text that read(2) gives, as stat(2) tells.
const TEXT_SIZE: u64 = 80;

/// See the module.
pub(super) struct Queue {
    shape: Shape,
    state: Mutex<State>,
    pub(super) waiters: WaitQueue,
    _charge: Charge,
}

#[derive(Default)]
struct State {
    /// By priority, the oldest first.
    messages: BTreeMap<u32, VecDeque<Vec<u8>>>,
    count: u64,
    bytes: u64,
    /// Who waits for a message: nobody is notified then.
    receivers: u64,
    notification: Option<Notification>,
    nameless: bool,
}

/// Who sends.
pub(super) struct Sender {
    pub(super) numbers: Arc<Numbers>,
    pub(super) uid: u32,
}

impl Queue {
    pub(super) fn new(kernel: &Arc<Kernel>, shape: Shape, maker: &Maker) -> Result<Self, Errno> {
        let user = kernel.users.get(maker.creds.uid.real);
        Ok(Queue {
            shape,
            state: Mutex::new(Level::Ipc, State::default()),
            waiters: WaitQueue::new(),
            _charge: Charge::new(user, shape, maker.limit)?,
        })
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// Puts in a message; `EMSGSIZE`, `EAGAIN` if there is no room.
    pub(super) fn send(&self, text: &[u8], priority: u32, sender: &Sender) -> Result<(), Errno> {
        if text.len() as u64 > self.shape.size {
            return Err(EMSGSIZE);
        }
        let told = {
            let mut state = self.state.lock();
            if state.count >= self.shape.messages {
                return Err(EAGAIN);
            }
            let messages = state.messages.entry(priority).or_default();
            messages.push_back(text.to_vec());
            state.count += 1;
            state.bytes += text.len() as u64;
            if state.count == 1 && state.receivers == 0 {
                state.notification.take()
            } else {
                None
            }
        };
        self.waiters.notify(Ready::READABLE);
        if let Some(notification) = told {
            notification.tell(sender);
        }
        Ok(())
    }

    /// Takes the oldest message of the highest priority; `EAGAIN` if there is none.
    pub(super) fn receive(&self) -> Result<(Vec<u8>, u32), Errno> {
        let taken = {
            let mut state = self.state.lock();
            let mut highest = state.messages.last_entry().ok_or(EAGAIN)?;
            let priority = *highest.key();
            let text = highest.get_mut().pop_front().ok_or(EAGAIN)?;
            if highest.get().is_empty() {
                highest.remove();
            }
            state.count -= 1;
            state.bytes -= text.len() as u64;
            (text, priority)
        };
        self.waiters.notify(Ready::WRITABLE);
        Ok(taken)
    }

    /// Somebody begins or ends to wait for a message.
    pub(super) fn count_receiver(&self, by: i64) {
        let mut state = self.state.lock();
        state.receivers = state.receivers.saturating_add_signed(by);
    }

    pub(super) fn ready(&self) -> Ready {
        let state = self.state.lock();
        let mut ready = Ready::empty();
        ready.set(Ready::READABLE, state.count > 0);
        ready.set(Ready::WRITABLE, state.count < self.shape.messages);
        ready
    }

    /// As mq_getattr(3) tells it, without flags.
    pub(super) fn attributes(&self) -> MqAttr {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        MqAttr {
            maxmsg: number(self.shape.messages),
            msgsize: number(self.shape.size),
            curmsgs: number(self.state.lock().count),
            ..MqAttr::default()
        }
    }

    /// `EBUSY` if somebody else is to be notified.
    pub(super) fn set_notification(&self, new: Notification) -> Result<(), Errno> {
        let mut state = self.state.lock();
        if state.notification.is_some() {
            return Err(EBUSY);
        }
        state.notification = Some(new);
        Ok(())
    }

    /// Ends the notification of `owner`, if that is who has it.
    pub(super) fn end_notification(&self, owner: LockOwner) {
        let ended = {
            let mut state = self.state.lock();
            let own = state.notification.as_ref().is_some_and(|n| n.is_of(owner));
            own.then(|| state.notification.take())
        };
        // Told and dropped outside the lock.
        if let Some(ended) = ended.flatten() {
            ended.removed();
        }
    }

    pub(super) fn lose_name(&self) {
        self.state.lock().nameless = true;
    }

    /// What read(2) gives.
    pub(super) fn text(&self) -> String {
        let state = self.state.lock();
        let end = Notification::text(state.notification.as_ref());
        format!("QSIZE:{:<10} {end}", state.bytes)
    }
}

impl Behaviour for Queue {
    fn attr(&self, attr: &mut Attr) -> Result<(), Errno> {
        attr.size = TEXT_SIZE;
        attr.nlink = u32::from(!self.state.lock().nameless);
        Ok(())
    }

    fn open(
        inode: &Arc<Synthetic<Self>>,
        _: &Current,
        _: OpenMode,
    ) -> Result<Box<dyn FileOps>, Errno> {
        let inode: Arc<QueueInode> = inode.clone();
        Ok(Box::new(QueueFile(inode)))
    }
}
