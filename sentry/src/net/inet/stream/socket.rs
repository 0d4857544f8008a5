//! The socket as calls see it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use syscalls::abi::fs::{SIOCATMARK, SIOCOUTQNSD};
use syscalls::abi::net::{
    AF_UNSPEC, IPPROTO_TCP, MessageFlags, SO_OOBINLINE, SO_RCVBUF, SO_RCVBUFFORCE, SO_RCVLOWAT,
    SO_REUSEADDR, SO_REUSEPORT, SOMAXCONN, TCP_INQ,
};
use syscalls::errno::{EAGAIN, ECONNRESET, EINVAL, EISCONN, ENOTCONN, ENOTTY, EPIPE};
use syscalls::{Errno, Stop, SysResult, UserAddr};

use super::half::{Take, UrgentData};
use super::shown::End;
use super::{Flow, Inner, OPEN, Role, StreamSocket, TcpState};
use crate::net::control::Note;
use crate::net::inet::addr::Endpoint;
use crate::net::inet::ports::Use;
use crate::net::inet::stack::FreeBind;
use crate::net::timestamp;
use crate::net::{
    Address, Asked, Control, Given, Kind, Options, Outgoing, Received, Shutdown, Socket,
};
use crate::task::Current;
use crate::time::now_realtime;
use crate::vfs::{Sink, Source};
use crate::wait::{Ready, WaitQueue};

impl StreamSocket {
    fn urgent_data(&self) -> UrgentData {
        if self.options.kept(SO_OOBINLINE) != 0 {
            UrgentData::Inline
        } else {
            UrgentData::Apart
        }
    }

    /// The connection a send uses.
    fn sending(&self) -> Result<Flow, Errno> {
        let mut inner = self.inner.lock();
        if let Some(error) = Self::take_error(&mut inner) {
            return Err(error);
        }
        match &inner.role {
            _ if inner.shut.write => Err(EPIPE),
            Role::Connected(flow) => Ok(flow.clone()),
            Role::Connecting(_) => Err(EAGAIN),
            Role::Idle | Role::Listening(_) => Err(EPIPE),
        }
    }

    /// The connection a receive uses, if the receiving side is open: `None` means the end.
    fn receiving(&self) -> Result<Option<(Flow, bool)>, Errno> {
        let mut inner = self.inner.lock();
        match &inner.role {
            Role::Connected(flow) => Ok(Some((flow.clone(), inner.shut.read))),
            Role::Connecting(_) => Err(EAGAIN),
            Role::Listening(_) => Err(ENOTCONN),
            Role::Idle => match inner.error.take() {
                Some(error) => Err(error),
                None if inner.shut.read => Ok(None),
                None => Err(ENOTCONN),
            },
        }
    }

    fn send_bytes(&self, src: &mut Source<'_>, flags: MessageFlags) -> Result<usize, Errno> {
        let flow = self.sending()?;
        let limit = self.send_limit();
        let shown = self.is_shown(flow.remote).then(|| src.clone());
        let sent = if flags.contains(MessageFlags::OOB) {
            flow.tx.write_urgent(src, limit)
        } else {
            flow.tx.write(src, limit)
        };
        match sent {
            Err(ECONNRESET) => {
                // It was sent; the answer is a reset.
                let count = src.remaining();
                src.skip(count);
                flow.was_reset();
                Ok(count)
            }
            Ok(count) => {
                if let Some(data) = shown.filter(|_| count > 0) {
                    self.show_data(&flow, data, count);
                }
                Ok(count)
            }
            sent => sent,
        }
    }

    fn receive_bytes(&self, dst: &mut Sink<'_>, flags: MessageFlags) -> Result<usize, Errno> {
        let Some((flow, shut)) = self.receiving()? else {
            return Ok(0);
        };
        let peeks = flags.contains(MessageFlags::PEEK) && !flags.contains(MessageFlags::OOB);
        let offset = self.options.peek_offset().filter(|_| peeks).unwrap_or(0);
        if offset > 0 && offset >= flow.rx.len() && flow.rx.finished().is_none() && !shut {
            return Err(EAGAIN);
        }
        let take = if flags.contains(MessageFlags::PEEK) {
            Take::Peek(offset)
        } else if flags.contains(MessageFlags::TRUNC) {
            Take::Discard
        } else {
            Take::Consume
        };
        if flags.contains(MessageFlags::OOB) {
            if self.urgent_data() == UrgentData::Inline {
                return Err(EINVAL);
            }
            return flow.rx.read_urgent(dst, take);
        }
        let wanted = dst.remaining() > 0;
        let read = flow.rx.read(dst, take, self.urgent_data());
        if let Ok(count) = read {
            if peeks {
                self.options.peeked(count);
            } else {
                self.options.taken(count);
            }
        }
        match read {
            Ok(0) if wanted && flow.rx.finished().is_none() => match flow.rx.take_error() {
                Some(error) => Err(error),
                None => Ok(0),
            },
            Err(EAGAIN) if shut => Ok(0),
            read => read,
        }
    }

    fn listening_poll(inner: &Inner) -> Option<Ready> {
        let Role::Listening(listener) = &inner.role else {
            return None;
        };
        Some(if listener.ready() > 0 {
            Ready::READABLE
        } else {
            Ready::empty()
        })
    }
}

impl Socket for StreamSocket {
    fn family(&self) -> i32 {
        self.version().raw()
    }

    fn kind(&self) -> Kind {
        Kind::Stream
    }

    fn protocol(&self) -> i32 {
        IPPROTO_TCP
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn option_changed(&self, name: i32) {
        let inner = self.inner.lock();
        match (name, &inner.role) {
            (SO_REUSEADDR | SO_REUSEPORT, Role::Idle | Role::Listening(_)) => {
                if let Some(hold) = &inner.hold {
                    let used = match inner.role {
                        Role::Listening(_) => Use::Listening,
                        _ => Use::Bound,
                    };
                    hold.change(self.terms(inner.local), used);
                }
            }
            (SO_RCVBUF | SO_RCVBUFFORCE, Role::Connected(flow)) => {
                flow.rx.set_window(self.window());
            }
            _ => {}
        }
    }

    fn take_error(&self) -> Option<Errno> {
        Self::take_error(&mut self.inner.lock())
    }

    fn note_inode(&self, ino: u64) {
        self.ino.store(ino, Ordering::Relaxed);
    }

    fn bind(&self, task: &Current, to: &Address) -> Result<(), Errno> {
        let at = Endpoint::local(to, self.version())?;
        if self.numbers.v6_only() && at.ip.is_ipv4() {
            return Err(EINVAL);
        }
        let free = if self.numbers.free_bind() {
            FreeBind::Yes
        } else {
            FreeBind::No
        };
        self.stack.check_bind(task, at, free)?;
        let mut inner = self.inner.lock();
        if inner.hold.is_some() || !matches!(inner.role, Role::Idle) {
            return Err(EINVAL);
        }
        self.take_port(&mut inner, at)?;
        inner.bound = !at.ip.is_unspecified();
        inner.port_chosen = at.port != 0;
        Ok(())
    }

    fn connect(&self, task: &Current, to: &Address, nonblocking: bool) -> Result<(), Stop> {
        if i32::from(to.family) == AF_UNSPEC {
            self.disconnect();
            return Ok(());
        }
        self.connect_to(task, to, nonblocking)
    }

    fn listen(&self, _: &Current, backlog: i32) -> Result<(), Errno> {
        let most = self.stack.setting("net.core.somaxconn", SOMAXCONN.into());
        // A negative backlog is a very large one.
        let wanted = if backlog < 0 {
            i64::MAX
        } else {
            backlog.into()
        };
        let backlog = usize::try_from(wanted.min(most)).unwrap_or(0);
        {
            let mut inner = self.inner.lock();
            if inner.hold.is_none() && matches!(inner.role, Role::Idle) {
                let at = inner.local.with_port(0);
                self.take_port(&mut inner, at)?;
            }
        }
        self.start_listening(backlog)
    }

    fn accept(&self) -> Result<Arc<dyn Socket>, Errno> {
        Ok(self.accept_next()?)
    }

    fn linger(&self, task: &Current) {
        self.close_and_wait(task);
    }

    fn send(&self, src: &mut Source<'_>, message: &mut Outgoing<'_>) -> Result<usize, Errno> {
        let opens = message.flags.contains(MessageFlags::FASTOPEN);
        if opens && self.flow().is_some() {
            return Err(EISCONN);
        }
        if opens && let Some(to) = message.to.take() {
            match self.connect_to(message.task, &to, true) {
                Err(Stop::Errno(syscalls::errno::EINPROGRESS)) | Ok(()) => {}
                Err(Stop::Errno(error)) => return Err(error),
                Err(Stop::Restart(_) | Stop::Registers) => return Err(EAGAIN),
            }
        }
        self.send_bytes(src, message.flags)
    }

    fn send_plain(&self, src: &mut Source<'_>, flags: MessageFlags) -> Result<usize, Errno> {
        self.send_bytes(src, flags)
    }

    fn receive(&self, dst: &mut Sink<'_>, flags: MessageFlags) -> Result<Received, Errno> {
        if flags.contains(MessageFlags::ERRQUEUE) {
            return Err(EAGAIN);
        }
        let count = self.receive_bytes(dst, flags)?;
        let mut control = Control::default();
        if count > 0 && !flags.contains(MessageFlags::OOB) {
            // Bytes carry no time of their own here.
            timestamp::note(&self.options, now_realtime(), &mut control.notes);
        }
        if self.numbers.is_set(IPPROTO_TCP, TCP_INQ) {
            let left = self.flow().map_or(0, |flow| flow.rx.len());
            let left = i32::try_from(left).unwrap_or(i32::MAX);
            control.notes.push(Note {
                level: IPPROTO_TCP,
                kind: TCP_INQ,
                body: left.to_ne_bytes().to_vec(),
            });
        }
        Ok(Received {
            control,
            count,
            whole: count,
            told: flags & MessageFlags::OOB,
            ..Received::default()
        })
    }

    fn shutdown(&self, how: Shutdown) -> Result<(), Errno> {
        let ended = {
            let mut inner = self.inner.lock();
            match &inner.role {
                Role::Listening(_) if !how.read => return Ok(()),
                Role::Listening(_) | Role::Connecting(_) => {
                    inner.connecting = false;
                    inner.shut = OPEN;
                    Some(self.leave(&mut inner))
                }
                Role::Idle => {
                    inner.shut.add(how);
                    return Err(ENOTCONN);
                }
                Role::Connected(flow) => {
                    if flow.state() == TcpState::Close {
                        return Err(ENOTCONN);
                    }
                    let flow = flow.clone();
                    inner.shut.add(how);
                    let local = inner.local;
                    drop(inner);
                    if how.write && flow.tx.finished().is_none() {
                        self.show_end(local, &flow, End::Finish);
                        flow.tx.finish();
                    }
                    None
                }
            }
        };
        drop(ended);
        self.queue.notify(Ready::all());
        Ok(())
    }

    fn local(&self) -> Address {
        self.inner.lock().local.address(self.version())
    }

    fn peer(&self) -> Result<Address, Errno> {
        let flow = self.flow().ok_or(ENOTCONN)?;
        if flow.state() == TcpState::Close {
            return Err(ENOTCONN);
        }
        Ok(flow.remote.address(self.version()))
    }

    fn get_option(
        &self,
        _: &Current,
        level: i32,
        name: i32,
        asked: Asked,
    ) -> Result<Vec<u8>, Errno> {
        self.option(level, name, asked)
    }

    fn set_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: Given<'_>,
    ) -> Result<(), Errno> {
        self.change_option(task, level, name, value)
    }

    fn is_listening(&self) -> bool {
        matches!(self.inner.lock().role, Role::Listening(_))
    }

    fn readable_bytes(&self) -> Result<usize, Errno> {
        let inner = self.inner.lock();
        match &inner.role {
            Role::Listening(_) => Err(EINVAL),
            Role::Connected(flow) => {
                let before_mark = flow.rx.before_urgent().filter(|&ahead| ahead > 0);
                Ok(flow.rx.len().min(before_mark.unwrap_or(usize::MAX)))
            }
            Role::Idle | Role::Connecting(_) => Ok(0),
        }
    }

    fn unsent_bytes(&self) -> Result<usize, Errno> {
        let inner = self.inner.lock();
        match &inner.role {
            Role::Listening(_) => Err(EINVAL),
            Role::Connected(flow) => Ok(flow.tx.unsent()),
            Role::Idle | Role::Connecting(_) => Ok(0),
        }
    }

    fn ioctl(&self, task: &mut Current, command: u32, argument: u64) -> SysResult {
        match command {
            SIOCATMARK => {}
            // Everything is sent at once.
            SIOCOUTQNSD if self.is_listening() => return Err(EINVAL.into()),
            SIOCOUTQNSD => {
                task.mem().write(UserAddr::new(argument).cast(), &0_i32)?;
                return Ok(0);
            }
            _ => return Err(ENOTTY.into()),
        }
        let flow = self.flow();
        let at_mark = flow.is_some_and(|flow| flow.rx.before_urgent() == Some(0));
        task.mem()
            .write(UserAddr::new(argument).cast(), &i32::from(at_mark))?;
        Ok(0)
    }

    fn poll(&self) -> Ready {
        let (flow, shut, error) = {
            let inner = self.inner.lock();
            if let Some(ready) = Self::listening_poll(&inner) {
                return ready;
            }
            let flow = match &inner.role {
                Role::Connected(flow) => Some(flow.clone()),
                Role::Connecting(_) => return Ready::empty(),
                Role::Idle | Role::Listening(_) => None,
            };
            (flow, inner.shut, inner.error.is_some())
        };
        let state = flow.as_ref().map_or(TcpState::Close, Flow::state);
        let mut ready = Ready::empty();
        let ended = flow
            .as_ref()
            .is_some_and(|flow| flow.rx.finished().is_some() || flow.rx.is_dead());
        let read_shut = shut.read || ended;
        let dead = flow.as_ref().is_some_and(|flow| flow.rx.is_dead());
        let write_shut = shut.write || dead;
        ready.set(
            Ready::HUP,
            state == TcpState::Close || (read_shut && write_shut),
        );
        ready.set(Ready::READABLE | Ready::RDHUP, read_shut);
        let Some(flow) = flow else {
            ready |= Ready::WRITABLE;
            ready.set(Ready::ERR, error);
            return ready;
        };
        let least = usize::try_from(self.options.kept(SO_RCVLOWAT))
            .unwrap_or(1)
            .max(1);
        if flow.rx.is_readable(least) {
            ready |= Ready::READABLE;
        }
        if write_shut || flow.tx.is_writable(self.send_limit()) {
            ready |= Ready::WRITABLE;
        }
        ready.set(Ready::PRI, flow.rx.has_urgent());
        ready.set(Ready::ERR, error || flow.rx.has_error());
        ready
    }

    fn queue(&self) -> &WaitQueue {
        &self.queue
    }
}
