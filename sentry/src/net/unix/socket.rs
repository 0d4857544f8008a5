//! The socket as calls see it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::abi::fs::SIOCATMARK;
use syscalls::abi::net::{AF_UNIX, MessageFlags, SO_OOBINLINE, SOMAXCONN};
use syscalls::errno::{
    EADDRINUSE, EAGAIN, ECONNRESET, EINVAL, EISCONN, ENOTCONN, ENOTTY, EOPNOTSUPP, EPERM,
    EPROTOTYPE, ETIMEDOUT,
};
use syscalls::{Errno, Stop, SysResult, UserAddr};

use super::super::control::{self, Control, Identity};
use super::super::{Address, Asked, Given, Kind, Options, Outgoing, Received, Shutdown, Socket};
use super::UnixSocket;
use super::connection::{Role, State, Urgency};
use super::inbox::Manner;
use super::name::{self, Name};
use crate::task::Current;
use crate::vfs::{Sink, Source, Walking};
use crate::wait::{Deadline, Ready, WaitQueue};

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
        if self.kind == Kind::SeqPacket && self.peer().is_err() {
            return Err(ENOTCONN);
        }
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
