//! A socket, and how two of them come together.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::errno::{EAGAIN, ECONNREFUSED, EINVAL, EISCONN, ENOTCONN, EPIPE, EPROTOTYPE};

use super::super::control::{self, Control, Identity};
use super::super::filter::Circumstances;
use super::super::{Kind, NetNamespace, Options};
use super::inbox::{Inbox, Label};
use super::name::{self, Name};
use crate::sync::{Level, Mutex};
use crate::task::{Current, of_this_thread};
use crate::vfs::Source;
use crate::wait::{Ready, WaitQueue};

/// Whether the last byte of a send is out of band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    None,
    LastByte,
}

/// What Linux takes of a send buffer for a message besides its bytes.
const MESSAGE: usize = 32;

/// See the module.
pub struct UnixSocket {
    /// Where it was made.
    pub(super) home: Arc<NetNamespace>,
    pub(super) kind: Kind,
    pub(super) options: Options,
    pub(super) queue: WaitQueue,
    pub(super) inbox: Arc<Inbox>,
    pub(super) state: Mutex<State>,
    pub(super) this: Weak<UnixSocket>,
    /// Number of the inode, 0 until it has one.
    pub(super) ino: AtomicU64,
}

pub(super) struct State {
    pub(super) name: Option<Name>,
    pub(super) role: Role,
    /// Credentials of whoever made, connected or listened, for the peer's SO_PEERCRED.
    pub(super) own: Identity,
    pub(super) peer_credentials: Option<Identity>,
    /// shutdown(SHUT_WR).
    pub(super) write_shut: bool,
    /// What SO_ERROR or the next call tells.
    pub(super) error: Option<Errno>,
}

pub(super) enum Role {
    Idle,
    Listening {
        waiting: VecDeque<Arc<UnixSocket>>,
        backlog: usize,
    },
    Connected {
        peer: Weak<UnixSocket>,
        inbox: Arc<Inbox>,
        name: Option<Name>,
    },
}

impl UnixSocket {
    /// A socket that is neither bound nor connected.
    pub fn new(task: &Current, kind: Kind) -> Arc<Self> {
        Self::make(&task.net.get(), kind, control::own(task))
    }

    pub(super) fn make(home: &Arc<NetNamespace>, kind: Kind, own: Identity) -> Arc<Self> {
        let state = State {
            name: None,
            role: Role::Idle,
            own,
            peer_credentials: None,
            write_shut: false,
            error: None,
        };
        let socket = Arc::new_cyclic(|this| UnixSocket {
            home: home.clone(),
            kind,
            options: Options::default(),
            queue: WaitQueue::new(),
            inbox: Arc::default(),
            state: Mutex::new(Level::FileLocks, state),
            this: this.clone(),
            ino: AtomicU64::new(0),
        });
        home.unix.add(&socket.this);
        socket
    }

    /// socketpair(2).
    pub fn pair(task: &Current, kind: Kind) -> (Arc<Self>, Arc<Self>) {
        let (a, b) = (Self::new(task, kind), Self::new(task, kind));
        a.join(&b, None);
        b.join(&a, None);
        (a, b)
    }

    /// Makes `peer` the other side; the other direction is the peer's to make.
    pub(super) fn join(&self, peer: &Arc<UnixSocket>, name: Option<Name>) {
        let credentials = peer.state.lock().own.clone();
        let mut state = self.state.lock();
        state.role = Role::Connected {
            peer: Arc::downgrade(peer),
            inbox: peer.inbox.clone(),
            name,
        };
        state.peer_credentials = Some(credentials);
    }

    pub(super) fn messages(&self) -> bool {
        self.kind != Kind::Stream
    }

    pub(super) fn peer_socket(&self) -> Option<Arc<UnixSocket>> {
        match &self.state.lock().role {
            Role::Connected { peer, .. } => peer.upgrade(),
            _ => None,
        }
    }

    /// The inbox that a send without an address goes to, and who reads it.
    pub(super) fn destination(&self) -> Result<(Arc<Inbox>, Option<Arc<UnixSocket>>), Errno> {
        let mut state = self.state.lock();
        if let Some(error) = state.error.take() {
            return Err(error);
        }
        if state.write_shut {
            return Err(EPIPE);
        }
        let Role::Connected { peer, inbox, .. } = &state.role else {
            return Err(ENOTCONN);
        };
        let (inbox, peer) = (inbox.clone(), peer.upgrade());
        if peer.is_none() && self.kind == Kind::Datagram {
            // Who has gone is forgotten.
            state.role = Role::Idle;
            return Err(ECONNREFUSED);
        }
        Ok((inbox, peer))
    }

    pub(super) fn put(
        &self,
        src: &mut Source<'_>,
        label: Label,
        to: (Arc<Inbox>, Option<Arc<UnixSocket>>),
        urgency: Urgency,
    ) -> Result<usize, Errno> {
        let (inbox, reader) = to;
        let limit = self.options.send_limit();
        // The last byte of urgent data goes apart.
        let last = urgency == Urgency::LastByte && src.remaining() == 1;
        let most = match urgency {
            Urgency::None => usize::MAX,
            Urgency::LastByte => src.remaining() - 1,
        };
        if last {
            let mut byte = [0];
            src.read(&mut byte)?;
            inbox.put_urgent(byte[0], limit, label)?;
            if let Some(reader) = reader {
                reader.queue.notify(Ready::PRI);
                reader.queue.notify(Ready::READABLE);
            }
            return Ok(1);
        }
        let judge = reader.as_ref().filter(|reader| reader.options.has_filter());
        let put = if let Some(judge) = judge.filter(|_| self.messages()) {
            let mut data = vec![0; src.remaining()];
            let len = src.read(&mut data)?;
            // What the reader does not want is lost, and the sender is not told.
            let wanted = judge.options.admitted(&data, Circumstances::default());
            match wanted {
                None => return Ok(len),
                Some(wanted) => {
                    let kept = data.get(..wanted).unwrap_or(&data);
                    let put = inbox.put_message(&mut Source::kernel(kept), limit, label);
                    put.map(|_| len)
                }
            }
        } else if self.messages() {
            inbox.put_message(src, limit.saturating_sub(MESSAGE), label)
        } else {
            inbox.put_stream(src, (limit, most), label)
        };
        if put.is_ok()
            && let Some(reader) = reader
        {
            reader.queue.notify(Ready::READABLE);
        }
        put
    }

    /// Who wants to be told who sends has a name himself.
    pub(super) fn bind_for_sender(&self, task: &Current) -> Result<(), Errno> {
        if !self.options.wants_sender() || self.state.lock().name.is_some() {
            return Ok(());
        }
        let name = name::bind(task, Name::Unnamed, &self.this)?;
        self.state.lock().name = Some(name);
        Ok(())
    }

    /// True unless the socket is connected to another one than `sender`.
    pub(super) fn hears(&self, sender: &UnixSocket) -> bool {
        match &self.state.lock().role {
            Role::Connected { peer, .. } => std::ptr::eq(peer.as_ptr(), sender),
            _ => true,
        }
    }

    /// Credentials go with data where the receiver, or the sender, asked for them.
    pub(super) fn label(&self, control: Control, receiver: Option<&Arc<UnixSocket>>) -> Label {
        let mut control = control;
        let wanted = self.options.wants_sender()
            || receiver.is_some_and(|receiver| receiver.options.wants_sender());
        if wanted && control.credentials.is_none() {
            // Whoever sends, not whoever made the socket.
            let sender = of_this_thread();
            control.credentials = sender.map(|sender| control::own(&sender));
        }
        let state = self.state.lock();
        let from = match self.kind {
            Kind::Stream => None,
            _ => state.name.as_ref().map(Name::address),
        };
        Label { from, control }
    }

    /// Enters a listener's queue; `EAGAIN` if that is full.
    pub(super) fn knock(
        &self,
        task: &Current,
        listener: &Arc<UnixSocket>,
        name: &Name,
    ) -> Result<(), Errno> {
        let this = self.this.upgrade().ok_or(ENOTCONN)?;
        if listener.kind != self.kind {
            return Err(EPROTOTYPE);
        }
        let own = control::own(task);
        let (listener_name, listener_own) = {
            let state = listener.state.lock();
            let Role::Listening { waiting, backlog } = &state.role else {
                return Err(ECONNREFUSED);
            };
            if listener.inbox.is_refused() {
                return Err(ECONNREFUSED);
            }
            if waiting.len() > *backlog {
                return Err(EAGAIN);
            }
            (state.name.clone(), state.own.clone())
        };
        let server = Self::make(&self.home, self.kind, listener_own.clone());
        {
            let client_name = self.state.lock().name.clone();
            let mut state = server.state.lock();
            state.name = listener_name;
            state.role = Role::Connected {
                peer: Arc::downgrade(&this),
                inbox: self.inbox.clone(),
                name: client_name,
            };
            state.peer_credentials = Some(own.clone());
        }
        {
            let mut state = self.state.lock();
            match state.role {
                Role::Idle => {}
                Role::Connected { .. } => return Err(EISCONN),
                Role::Listening { .. } => return Err(EINVAL),
            }
            state.own = own;
            state.peer_credentials = Some(listener_own);
            let inbox = server.inbox.clone();
            state.role = Role::Connected {
                peer: Arc::downgrade(&server),
                inbox,
                name: Some(name.clone()),
            };
        }
        let queued = match &mut listener.state.lock().role {
            Role::Listening { waiting, .. } => {
                waiting.push_back(server);
                true
            }
            _ => false,
        };
        if !queued {
            self.state.lock().role = Role::Idle;
            return Err(ECONNREFUSED);
        }
        listener.queue.notify(Ready::READABLE);
        self.queue.notify(Ready::WRITABLE);
        Ok(())
    }
}
