//! A socket.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use syscalls::abi::fs::SIOCATMARK;
use syscalls::abi::net::{AF_UNIX, MessageFlags, SO_OOBINLINE, SOMAXCONN};
use syscalls::errno::{
    EADDRINUSE, EAGAIN, ECONNREFUSED, ECONNRESET, EINVAL, EISCONN, ENOTCONN, ENOTTY, EOPNOTSUPP,
    EPERM, EPIPE, EPROTOTYPE, ETIMEDOUT,
};
use syscalls::{Errno, Stop, SysResult, UserAddr};

use super::super::control::{self, Control, Identity};
use super::super::filter::Circumstances;
use super::super::{
    Address, Asked, Given, Kind, NetNamespace, Options, Outgoing, Received, Shutdown, Socket,
};
use super::inbox::{Inbox, Label, Manner};
use super::name::{self, Name};
use crate::sync::{Level, Mutex};
use crate::task::{Current, of_this_thread};
use crate::vfs::{Sink, Source, Walking};
use crate::wait::{Deadline, Ready, WaitQueue};

/// Whether the last byte of a send is out of band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    None,
    LastByte,
}

/// What Linux takes of a send buffer for a message besides its bytes.
const MESSAGE: usize = 32;

/// See the module.
pub struct UnixSocket {
    /// Where it was made.
    home: Arc<NetNamespace>,
    pub(super) kind: Kind,
    pub(super) options: Options,
    queue: WaitQueue,
    pub(super) inbox: Arc<Inbox>,
    pub(super) state: Mutex<State>,
    this: Weak<UnixSocket>,
    /// Number of the inode, 0 until it has one.
    pub(super) ino: AtomicU64,
}

pub(super) struct State {
    pub(super) name: Option<Name>,
    pub(super) role: Role,
    /// Credentials of whoever made, connected or listened, for the peer's SO_PEERCRED.
    own: Identity,
    peer_credentials: Option<Identity>,
    /// shutdown(SHUT_WR).
    pub(super) write_shut: bool,
    /// What SO_ERROR or the next call tells.
    error: Option<Errno>,
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

    fn make(home: &Arc<NetNamespace>, kind: Kind, own: Identity) -> Arc<Self> {
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

    fn put(
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
    fn bind_for_sender(&self, task: &Current) -> Result<(), Errno> {
        if !self.options.wants_sender() || self.state.lock().name.is_some() {
            return Ok(());
        }
        let name = name::bind(task, Name::Unnamed, &self.this)?;
        self.state.lock().name = Some(name);
        Ok(())
    }

    /// True unless the socket is connected to another one than `sender`.
    fn hears(&self, sender: &UnixSocket) -> bool {
        match &self.state.lock().role {
            Role::Connected { peer, .. } => std::ptr::eq(peer.as_ptr(), sender),
            _ => true,
        }
    }

    /// Credentials go with data where the receiver, or the sender, asked for them.
    fn label(&self, control: Control, receiver: Option<&Arc<UnixSocket>>) -> Label {
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
            return match &name {
                Name::Unnamed => Ok(()),
                // What is there already is found first.
                Name::Path(path) if task.walk(path, Walking::empty()).is_ok() => Err(EADDRINUSE),
                _ => Err(EINVAL),
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
            self.bind_for_sender(task)?;
            let peer = name::find(task, &name)?;
            if peer.kind != self.kind {
                return Err(EPROTOTYPE.into());
            }
            if !peer.hears(self) {
                return Err(EPERM.into());
            }
            self.join(&peer, Some(name));
            return Ok(());
        }
        let name = Name::parse(to)?;
        self.bind_for_sender(task)?;
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
            Role::Listening { waiting, .. } => match waiting.pop_front() {
                None if self.inbox.is_refused() => Err(EINVAL),
                accepted => accepted.ok_or(EAGAIN),
            },
            _ => Err(EINVAL),
        }?;
        self.inbox.room.notify(Ready::WRITABLE);
        Ok(accepted)
    }

    fn send(&self, src: &mut Source<'_>, message: &mut Outgoing<'_>) -> Result<usize, Errno> {
        let urgency = if message.flags.contains(MessageFlags::OOB) {
            if self.kind != Kind::Stream || src.remaining() == 0 {
                return Err(EOPNOTSUPP);
            }
            Urgency::LastByte
        } else {
            Urgency::None
        };
        if self.kind == Kind::Datagram {
            self.bind_for_sender(message.task)?;
        }
        let to = match &message.to {
            Some(to) if self.kind == Kind::Datagram => {
                let peer = name::find(message.task, &Name::parse(to)?)?;
                if peer.kind != self.kind {
                    return Err(EPROTOTYPE);
                }
                if !peer.hears(self) {
                    return Err(EPERM);
                }
                (peer.inbox.clone(), Some(peer))
            }
            Some(_) if self.peer().is_err() => return Err(EOPNOTSUPP),
            Some(_) if self.kind == Kind::Stream => return Err(EISCONN),
            _ => self.destination()?,
        };
        let label = self.label(message.control.clone(), to.1.as_ref());
        let count = self.put(src, label, to, urgency)?;
        // Descriptors go with the first bytes only.
        message.control = Control::default();
        Ok(count)
    }

    fn send_plain(&self, src: &mut Source<'_>, _: MessageFlags) -> Result<usize, Errno> {
        let to = self.destination()?;
        let label = self.label(Control::default(), to.1.as_ref());
        self.put(src, label, to, Urgency::None)
    }

    fn receive(&self, dst: &mut Sink<'_>, flags: MessageFlags) -> Result<Received, Errno> {
        let stream = self.kind == Kind::Stream;
        let urgent = flags.contains(MessageFlags::OOB);
        if urgent && !stream {
            return Err(EOPNOTSUPP);
        }
        if self.kind != Kind::Datagram && !matches!(self.state.lock().role, Role::Connected { .. })
        {
            return Err(if stream { EINVAL } else { ENOTCONN });
        }
        let peek = flags.contains(MessageFlags::PEEK);
        let offset = self.options.peek_offset().filter(|_| peek && !urgent);
        let manner = Manner {
            peek,
            offset: offset.unwrap_or(0),
            inline: self.options.kept(SO_OOBINLINE) != 0,
            apart: self.options.wants_sender(),
        };
        let wanted = dst.remaining() > 0;
        let received = match (urgent, stream) {
            (true, _) => self.inbox.take_urgent(dst, manner),
            (false, true) => self.inbox.take_stream(dst, manner),
            (false, false) => self.inbox.take_message(dst, manner),
        };
        // Who does not wait is not told that nothing will come any more.
        let received = match received {
            Ok(nothing)
                if self.kind == Kind::Datagram
                    && flags.contains(MessageFlags::DONTWAIT)
                    && nothing.from.is_none()
                    && nothing.whole == 0
                    && self.inbox.is_refused() =>
            {
                Err(EAGAIN)
            }
            received => received,
        };
        let ended = match &received {
            Ok(received) => wanted && received.count == 0 && self.inbox.waiting(false) == 0,
            Err(error) => *error == EAGAIN,
        };
        if ended && let Some(error) = self.state.lock().error.take() {
            return Err(error);
        }
        let received = received?;
        if peek {
            self.options.peeked(received.count);
            return Ok(received);
        }
        self.options.taken(if stream {
            received.count
        } else {
            received.whole
        });
        self.inbox.room.notify(Ready::WRITABLE);
        if let Some(peer) = self.peer_socket() {
            peer.queue.notify(Ready::WRITABLE);
        }
        Ok(received)
    }

    fn shutdown(&self, how: Shutdown) -> Result<(), Errno> {
        let inbox = {
            let mut state = self.state.lock();
            state.write_shut |= how.write;
            match &state.role {
                Role::Connected { inbox, .. } => Some(inbox.clone()),
                _ => None,
            }
        };
        if let Some(inbox) = inbox.filter(|_| how.write && self.kind != Kind::Datagram) {
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
        asked: Asked,
    ) -> Result<Vec<u8>, Errno> {
        self.own_option(task, level, name, asked)
    }

    fn set_option(&self, _: &Current, _: i32, _: i32, _: Given<'_>) -> Result<(), Errno> {
        Err(EOPNOTSUPP)
    }

    fn peer_identity(&self) -> Option<Identity> {
        self.state.lock().peer_credentials.clone()
    }

    fn take_error(&self) -> Option<Errno> {
        self.state.lock().error.take()
    }

    fn note_inode(&self, ino: u64) {
        self.ino.store(ino, Ordering::Relaxed);
    }

    fn ioctl(&self, task: &mut Current, command: u32, argument: u64) -> SysResult {
        match command {
            SIOCATMARK if self.kind == Kind::Stream => {
                let at_mark = i32::from(self.inbox.is_at_mark());
                task.mem().write(UserAddr::new(argument).cast(), &at_mark)?;
                Ok(0)
            }
            SIOCATMARK => Err(EOPNOTSUPP.into()),
            _ => Err(ENOTTY.into()),
        }
    }

    fn is_listening(&self) -> bool {
        matches!(self.state.lock().role, Role::Listening { .. })
    }

    fn readable_bytes(&self) -> Result<usize, Errno> {
        if self.is_listening() {
            return Err(EINVAL);
        }
        Ok(self.inbox.waiting(self.kind == Kind::Datagram))
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
            } if self.kind != Kind::Datagram => {
                let mut ready = Ready::WRITABLE | Ready::HUP;
                ready.set(Ready::READABLE | Ready::RDHUP, self.inbox.is_refused());
                return ready;
            }
            State { write_shut, .. } => (None, *write_shut),
        };
        ready.set(Ready::READABLE, self.inbox.is_readable());
        ready.set(Ready::PRI, self.inbox.has_urgent());
        ready.set(Ready::ERR, self.state.lock().error.is_some());
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
        let unread = self.inbox.refuse(true);
        match role {
            Role::Connected { peer, inbox, .. } if self.kind != Kind::Datagram => {
                inbox.end();
                if let Some(peer) = peer.upgrade() {
                    if unread {
                        peer.state.lock().error = Some(ECONNRESET);
                    }
                    peer.queue.notify(Ready::all());
                }
            }
            // Connections that nobody accepted end as their sockets are dropped.
            role => drop(role),
        }
        self.inbox.room.notify(Ready::all());
    }
}
