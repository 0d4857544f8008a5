//! The socket as calls see it.

use syscalls::abi::net::{AF_INET, AF_INET6, AF_UNSPEC, MessageFlags, SO_REUSEADDR, SO_REUSEPORT};
use syscalls::errno::{EAGAIN, EINVAL, ENOTCONN, EOPNOTSUPP};
use syscalls::{Errno, Stop};

use super::DatagramSocket;
use crate::net::inet::addr::{Endpoint, Family, Mixed};
use crate::net::inet::message::labels::Wishes;
use crate::net::inet::stack::FreeBind;
use crate::net::{Address, Asked, Given, Kind, Options, Outgoing, Received, Shutdown, Socket};
use crate::task::Current;
use crate::vfs::{Sink, Source};
use crate::wait::{Ready, WaitQueue};

impl DatagramSocket {
    /// Where a message goes: for IPv6, no family means no address. Old programs leave the
    /// family out for IPv4.
    fn destination(&self, to: &Address) -> Result<Option<Endpoint>, Errno> {
        let to = match (self.version(), i32::from(to.family)) {
            (Family::V4, AF_UNSPEC) => &Address {
                family: u16::try_from(AF_INET).map_err(|_| EINVAL)?,
                data: to.data.clone(),
            },
            (Family::V6, AF_UNSPEC) => return Ok(None),
            (Family::V6, AF_INET | AF_INET6) | (Family::V4, _) => to,
            (Family::V6, _) => return Err(EINVAL),
        };
        Endpoint::remote(to, self.version(), Mixed::Allowed).map(Some)
    }

    fn disconnect(&self) {
        let dropped = {
            let mut inner = self.inner.lock();
            inner.peer = None;
            if inner.bound {
                self.restate(&inner);
                None
            } else {
                inner.local = Endpoint::any(self.version());
                inner.hold.take()
            }
        };
        drop(dropped);
    }

    /// connect(2): from now on the socket has one peer.
    fn connect_to(&self, to: Endpoint) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        let way = self.way(inner.local.ip, to.ip, Wishes::default())?;
        if inner.hold.is_none() {
            self.take_port(&mut inner, Endpoint::any(self.version()))?;
        }
        if inner.local.ip.is_unspecified() {
            inner.local.ip = way.source;
        }
        inner.peer = Some(Endpoint { ip: way.to, ..to });
        self.restate(&inner);
        Ok(())
    }
}

impl Socket for DatagramSocket {
    fn family(&self) -> i32 {
        self.version().raw()
    }

    fn kind(&self) -> Kind {
        Kind::Datagram
    }

    fn protocol(&self) -> i32 {
        self.protocol
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn option_changed(&self, name: i32) {
        if matches!(name, SO_REUSEADDR | SO_REUSEPORT) {
            self.restate(&self.inner.lock());
        }
    }

    fn take_error(&self) -> Option<Errno> {
        self.errors.take()
    }

    fn note_inode(&self, ino: u64) {
        self.set_ino(ino);
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
        if inner.hold.is_some() {
            return Err(EINVAL);
        }
        self.take_port(&mut inner, at)?;
        inner.bound = true;
        Ok(())
    }

    fn connect(&self, _: &Current, to: &Address, _: bool) -> Result<(), Stop> {
        if i32::from(to.family) == AF_UNSPEC {
            self.disconnect();
            return Ok(());
        }
        let to = Endpoint::remote(to, self.version(), Mixed::Allowed)?;
        Ok(self.connect_to(to)?)
    }

    fn send(&self, src: &mut Source<'_>, message: &mut Outgoing<'_>) -> Result<usize, Errno> {
        let to = match &message.to {
            Some(to) => self.destination(to)?,
            None => None,
        };
        let wishes = Wishes::read(self.version(), &message.control.notes)?;
        self.send_to(src, to, wishes, message.flags)
    }

    fn send_plain(&self, src: &mut Source<'_>, flags: MessageFlags) -> Result<usize, Errno> {
        self.send_to(src, None, Wishes::default(), flags)
    }

    fn receive(&self, dst: &mut Sink<'_>, flags: MessageFlags) -> Result<Received, Errno> {
        if flags.contains(MessageFlags::ERRQUEUE) {
            return self.receive_error(dst);
        }
        if flags.contains(MessageFlags::OOB) && self.pings() {
            return Err(EOPNOTSUPP);
        }
        if let Some(error) = self.errors.take() {
            return Err(error);
        }
        let (local, shut) = {
            let inner = self.inner.lock();
            (inner.local.ip, inner.shut.read)
        };
        match self.receive_next(dst, flags, local) {
            Err(EAGAIN) if shut => Ok(Received::default()),
            received => received,
        }
    }

    fn shutdown(&self, how: Shutdown) -> Result<(), Errno> {
        let connected = {
            let mut inner = self.inner.lock();
            inner.shut.add(how);
            inner.peer.is_some()
        };
        self.queue.notify(Ready::all());
        if connected { Ok(()) } else { Err(ENOTCONN) }
    }

    fn local(&self) -> Address {
        self.inner.lock().local.address(self.version())
    }

    fn peer(&self) -> Result<Address, Errno> {
        let peer = self.inner.lock().peer.ok_or(ENOTCONN)?;
        Ok(peer.address(self.version()))
    }

    fn get_option(
        &self,
        _: &Current,
        level: i32,
        name: i32,
        asked: Asked,
    ) -> Result<Vec<u8>, Errno> {
        self.own_option(level, name, asked)
    }

    fn set_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: Given<'_>,
    ) -> Result<(), Errno> {
        self.change_own_option(task, level, name, value)
    }

    fn readable_bytes(&self) -> Result<usize, Errno> {
        Ok(self.inbox.next_len().unwrap_or(0))
    }

    fn poll(&self) -> Ready {
        let shut = self.inner.lock().shut;
        self.readiness(shut)
    }

    fn queue(&self) -> &WaitQueue {
        &self.queue
    }
}
