//! A socket.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use syscalls::abi::net::{
    AF_UNIX, MessageFlags, SO_PEERCRED, SO_PEERGROUPS, SO_PEERSEC, SOL_SOCKET, SOMAXCONN, Ucred,
};
use syscalls::errno::{
    EAGAIN, ECONNREFUSED, EINVAL, EISCONN, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP, EPIPE, EPROTOTYPE,
    ETIMEDOUT,
};
use syscalls::{Errno, Stop};
use zerocopy::IntoBytes;

use super::super::control::{self, Control, Identity};
use super::super::filter::Circumstances;
use super::super::{Address, Asked, Given, Kind, Options, Outgoing, Received, Shutdown, Socket};
use super::inbox::{Inbox, Label};
use super::name::{self, Name};
use crate::sync::{Level, Mutex};
use crate::task::{Current, of_this_thread};
use crate::vfs::{Sink, Source};
use crate::wait::{Deadline, Ready, WaitQueue};

/// See the module.
pub struct UnixSocket {
    kind: Kind,
    options: Options,
    queue: WaitQueue,
    inbox: Arc<Inbox>,
    state: Mutex<State>,
    this: Weak<UnixSocket>,
}

struct State {
    name: Option<Name>,
    role: Role,
    /// Credentials of whoever made, connected or listened, for the peer's SO_PEERCRED.
    own: Identity,
    peer_credentials: Option<Identity>,
    /// shutdown(SHUT_WR).
    write_shut: bool,
}

enum Role {
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
        Self::make(kind, control::own(task))
    }

    fn make(kind: Kind, own: Identity) -> Arc<Self> {
        let state = State {
            name: None,
            role: Role::Idle,
            own,
            peer_credentials: None,
            write_shut: false,
        };
        Arc::new_cyclic(|this| UnixSocket {
            kind,
            options: Options::default(),
            queue: WaitQueue::new(),
            inbox: Arc::default(),
            state: Mutex::new(Level::FileLocks, state),
            this: this.clone(),
        })
    }

    /// socketpair(2).
    pub fn pair(task: &Current, kind: Kind) -> (Arc<Self>, Arc<Self>) {
        let (a, b) = (Self::new(task, kind), Self::new(task, kind));
        a.join(&b, None);
        b.join(&a, None);
        (a, b)
    }

    /// Makes `peer` the other side; the other direction is the peer's to make.
    fn join(&self, peer: &Arc<UnixSocket>, name: Option<Name>) {
        let credentials = peer.state.lock().own.clone();
        let mut state = self.state.lock();
        state.role = Role::Connected {
            peer: Arc::downgrade(peer),
            inbox: peer.inbox.clone(),
            name,
        };
        state.peer_credentials = Some(credentials);
    }

    fn messages(&self) -> bool {
        self.kind != Kind::Stream
    }

    fn peer_socket(&self) -> Option<Arc<UnixSocket>> {
        match &self.state.lock().role {
            Role::Connected { peer, .. } => peer.upgrade(),
            _ => None,
        }
    }

    /// The inbox that a send without an address goes to, and who reads it.
    fn destination(&self) -> Result<(Arc<Inbox>, Option<Arc<UnixSocket>>), Errno> {
        let state = self.state.lock();
        if state.write_shut {
            return Err(EPIPE);
        }
        match &state.role {
            Role::Connected { peer, inbox, .. } => {
                let peer = peer.upgrade();
                if peer.is_none() && self.kind == Kind::Datagram {
                    return Err(ECONNREFUSED);
                }
                Ok((inbox.clone(), peer))
            }
            _ => Err(ENOTCONN),
        }
    }

    fn put(
        &self,
        src: &mut Source<'_>,
        label: Label,
        to: (Arc<Inbox>, Option<Arc<UnixSocket>>),
    ) -> Result<usize, Errno> {
        let (inbox, reader) = to;
        let limit = self.options.send_limit();
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
            inbox.put_message(src, limit, label)
        } else {
            inbox.put_stream(src, limit, label)
        };
        if put.is_ok()
            && let Some(reader) = reader
        {
            reader.queue.notify(Ready::READABLE);
        }
        put
    }

    /// Credentials go with data where the receiver, or the sender, asked for them.
    fn label(&self, control: Control, receiver: Option<&Arc<UnixSocket>>) -> Label {
        let mut control = control;
        let wanted = self.options.passes_credentials()
            || receiver.is_some_and(|r| r.options.passes_credentials());
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
    fn knock(&self, task: &Current, listener: &Arc<UnixSocket>, name: &Name) -> Result<(), Errno> {
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
            if waiting.len() > *backlog {
                return Err(EAGAIN);
            }
            (state.name.clone(), state.own.clone())
        };
        let server = Self::make(self.kind, listener_own.clone());
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

impl Socket for UnixSocket {
    fn family(&self) -> i32 {
        AF_UNIX
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn bind(&self, task: &Current, to: &Address) -> Result<(), Errno> {
        let name = Name::parse(to)?;
        if self.state.lock().name.is_some() {
            return if name == Name::Unnamed {
                Ok(())
            } else {
                Err(EINVAL)
            };
        }
        let name = name::bind(task, name, &self.this)?;
        self.state.lock().name = Some(name);
        Ok(())
    }

    fn connect(&self, task: &Current, to: &Address, nonblocking: bool) -> Result<(), Stop> {
        if self.kind == Kind::Datagram {
            if to.family == 0 {
                self.state.lock().role = Role::Idle;
                return Ok(());
            }
            let name = Name::parse(to)?;
            let peer = name::find(task, &name)?;
            if peer.kind != self.kind {
                return Err(EPROTOTYPE.into());
            }
            self.join(&peer, Some(name));
            return Ok(());
        }
        let name = Name::parse(to)?;
        let already = match &self.state.lock().role {
            Role::Connected { .. } => Err(EISCONN),
            Role::Listening { .. } => Err(EINVAL),
            Role::Idle => Ok(()),
        };
        already?;
        let listener = name::find(task, &name)?;
        if nonblocking {
            return Ok(self.knock(task, &listener, &name)?);
        }
        let deadline = self.options.send_timeout().map(Deadline::after);
        match task.block_on(&listener.inbox.room, Ready::WRITABLE, deadline, || {
            Ok(self.knock(task, &listener, &name)?)
        }) {
            Err(Stop::Errno(ETIMEDOUT)) => Err(EAGAIN.into()),
            result => result,
        }
    }

    fn listen(&self, task: &Current, backlog: i32) -> Result<(), Errno> {
        if self.kind == Kind::Datagram {
            return Err(EOPNOTSUPP);
        }
        let backlog = usize::try_from(backlog.clamp(0, SOMAXCONN)).unwrap_or(0);
        let mut state = self.state.lock();
        if state.name.is_none() {
            return Err(EINVAL);
        }
        state.own = control::own(task);
        match &mut state.role {
            Role::Connected { .. } => Err(EINVAL),
            Role::Listening { backlog: old, .. } => {
                *old = backlog;
                Ok(())
            }
            role @ Role::Idle => {
                *role = Role::Listening {
                    waiting: VecDeque::new(),
                    backlog,
                };
                Ok(())
            }
        }
    }

    fn accept(&self) -> Result<Arc<dyn Socket>, Errno> {
        if self.kind == Kind::Datagram {
            return Err(EOPNOTSUPP);
        }
        let accepted = match &mut self.state.lock().role {
            Role::Listening { waiting, .. } => waiting.pop_front().ok_or(EAGAIN),
            _ => Err(EINVAL),
        }?;
        self.inbox.room.notify(Ready::WRITABLE);
        Ok(accepted)
    }

    fn send(&self, src: &mut Source<'_>, message: &mut Outgoing<'_>) -> Result<usize, Errno> {
        if message.flags.contains(MessageFlags::OOB) {
            return Err(EOPNOTSUPP.why("no out-of-band data on Unix sockets"));
        }
        let to = match &message.to {
            Some(to) if self.kind == Kind::Datagram => {
                let peer = name::find(message.task, &Name::parse(to)?)?;
                if peer.kind != self.kind {
                    return Err(EPROTOTYPE);
                }
                (peer.inbox.clone(), Some(peer))
            }
            Some(_) if self.peer().is_err() => return Err(EOPNOTSUPP),
            Some(_) if self.kind == Kind::Stream => return Err(EISCONN),
            _ => self.destination()?,
        };
        let label = self.label(message.control.clone(), to.1.as_ref());
        let count = self.put(src, label, to)?;
        // Descriptors go with the first bytes only.
        message.control = Control::default();
        Ok(count)
    }

    fn send_plain(&self, src: &mut Source<'_>, _: MessageFlags) -> Result<usize, Errno> {
        let to = self.destination()?;
        let label = self.label(Control::default(), to.1.as_ref());
        self.put(src, label, to)
    }

    fn receive(&self, dst: &mut Sink<'_>, flags: MessageFlags) -> Result<Received, Errno> {
        if flags.contains(MessageFlags::OOB) {
            return Err(EINVAL);
        }
        let stream = self.kind == Kind::Stream;
        if self.kind != Kind::Datagram && !matches!(self.state.lock().role, Role::Connected { .. })
        {
            return Err(if stream { EINVAL } else { ENOTCONN });
        }
        let received = if stream {
            self.inbox.take_stream(dst, flags)?
        } else {
            self.inbox.take_message(dst, flags)?
        };
        if !flags.contains(MessageFlags::PEEK) {
            self.inbox.room.notify(Ready::WRITABLE);
            if let Some(peer) = self.peer_socket() {
                peer.queue.notify(Ready::WRITABLE);
            }
        }
        Ok(received)
    }

    fn shutdown(&self, how: Shutdown) -> Result<(), Errno> {
        let inbox = match &mut *self.state.lock() {
            State {
                role: Role::Connected { inbox, .. },
                write_shut,
                ..
            } => {
                *write_shut |= how.write;
                inbox.clone()
            }
            _ => return Err(ENOTCONN),
        };
        if how.write && self.kind != Kind::Datagram {
            inbox.end();
        }
        if how.read {
            self.inbox.refuse(false);
        }
        self.queue.notify(Ready::all());
        if let Some(peer) = self.peer_socket() {
            peer.queue.notify(Ready::all());
        }
        Ok(())
    }

    fn local(&self) -> Address {
        self.state
            .lock()
            .name
            .as_ref()
            .map_or_else(Address::unnamed, Name::address)
    }

    fn peer(&self) -> Result<Address, Errno> {
        match &self.state.lock().role {
            Role::Connected { name, .. } => {
                Ok(name.as_ref().map_or_else(Address::unnamed, Name::address))
            }
            _ => Err(ENOTCONN),
        }
    }

    fn get_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        _: Asked,
    ) -> Result<Vec<u8>, Errno> {
        match (level, name) {
            (SOL_SOCKET, SO_PEERCRED) => {
                let nobody = Ucred {
                    pid: 0,
                    uid: u32::MAX,
                    gid: u32::MAX,
                };
                let peer = self.state.lock().peer_credentials.clone();
                let peer = peer.map_or(nobody, |peer| peer.seen_by(task));
                Ok(peer.as_bytes().to_vec())
            }
            // Without a security module there is no label.
            (SOL_SOCKET, SO_PEERSEC | SO_PEERGROUPS) => Err(ENOPROTOOPT),
            (SOL_SOCKET, _) => Err(ENOPROTOOPT),
            _ => Err(EOPNOTSUPP),
        }
    }

    fn set_option(&self, _: &Current, _: i32, _: i32, _: Given<'_>) -> Result<(), Errno> {
        Err(EOPNOTSUPP)
    }

    fn is_listening(&self) -> bool {
        matches!(self.state.lock().role, Role::Listening { .. })
    }

    fn readable_bytes(&self) -> Result<usize, Errno> {
        Ok(self.inbox.waiting(self.messages()))
    }

    fn unsent_bytes(&self) -> Result<usize, Errno> {
        Ok(self
            .destination()
            .map_or(0, |(inbox, _)| inbox.waiting(false)))
    }

    fn poll(&self) -> Ready {
        let mut ready = Ready::empty();
        let (peer_inbox, write_shut) = match &*self.state.lock() {
            State {
                role: Role::Listening { waiting, .. },
                ..
            } => {
                return if waiting.is_empty() {
                    ready
                } else {
                    Ready::READABLE
                };
            }
            State {
                role: Role::Connected { inbox, .. },
                write_shut,
                ..
            } => (Some(inbox.clone()), *write_shut),
            State {
                role: Role::Idle, ..
            } if self.kind != Kind::Datagram => return Ready::WRITABLE | Ready::HUP,
            State { write_shut, .. } => (None, *write_shut),
        };
        ready.set(Ready::READABLE, self.inbox.is_readable());
        let room = peer_inbox
            .as_ref()
            .is_none_or(|inbox| inbox.has_room(self.options.send_limit()));
        ready.set(Ready::WRITABLE, room);
        if self.kind != Kind::Datagram {
            let ended = self.inbox.has_ended() || self.inbox.is_refused();
            let gone = peer_inbox.is_some_and(|inbox| inbox.is_refused());
            ready.set(Ready::RDHUP, ended);
            ready.set(Ready::HUP, ended && (write_shut || gone));
        }
        ready
    }

    fn queue(&self) -> &WaitQueue {
        &self.queue
    }

    fn send_queue(&self, task: &Current, to: Option<&Address>) -> WaitQueue {
        if self.kind != Kind::Datagram {
            return self.queue.clone();
        }
        let named = to.and_then(|to| name::find(task, &Name::parse(to).ok()?).ok());
        named
            .or_else(|| self.peer_socket())
            .map_or_else(|| self.queue.clone(), |peer| peer.inbox.room.clone())
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // Nobody else has the socket any more: its state needs no waiting for.
        let role = std::mem::replace(&mut self.state.lock().role, Role::Idle);
        self.inbox.refuse(true);
        match role {
            Role::Connected { peer, inbox, .. } if self.kind != Kind::Datagram => {
                inbox.end();
                if let Some(peer) = peer.upgrade() {
                    peer.queue.notify(Ready::all());
                }
            }
            // Connections that nobody accepted end as their sockets are dropped.
            role => drop(role),
        }
        self.inbox.room.notify(Ready::all());
    }
}
