//! The socket as calls see it.

use std::net::IpAddr;

use syscalls::abi::net::{AF_UNSPEC, IPPROTO_RAW, MessageFlags};
use syscalls::errno::{EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EINVAL, ENOTCONN, EOPNOTSUPP};
use syscalls::{Errno, Stop};

use super::RawSocket;
use crate::net::inet::addr::{Endpoint, Family, Mixed};
use crate::net::inet::message::labels::Wishes;
use crate::net::{Address, Asked, Given, Kind, Options, Outgoing, Received, Shutdown, Socket};
use crate::task::Current;
use crate::vfs::{Sink, Source};
use crate::wait::{Ready, WaitQueue};

impl RawSocket {
    /// Where a message goes. Old programs leave the family out.
    fn destination(&self, to: &Address) -> Result<Endpoint, Errno> {
        let mut to = to.clone();
        if i32::from(to.family) == AF_UNSPEC {
            to.family = u16::try_from(self.version().raw()).unwrap_or(0);
        }
        let to = Endpoint::remote(&to, self.version(), Mixed::Refused)?;
        let own = u16::try_from(self.protocol).unwrap_or(0);
        // For IPv6, the port is the protocol again.
        let other = to.port != 0 && to.port != own && self.protocol != IPPROTO_RAW;
        if self.version() == Family::V6 && (other || to.port > 255) {
            return Err(EINVAL);
        }
        Ok(to)
    }

    /// What bind(2) asks for; the family does not matter for IPv4.
    fn bind_address(&self, to: &Address) -> Result<IpAddr, Errno> {
        let mut to = to.clone();
        match self.version() {
            Family::V4 => to.family = u16::try_from(self.version().raw()).unwrap_or(0),
            Family::V6 if i32::from(to.family) != self.version().raw() => return Err(EINVAL),
            Family::V6 => {}
        }
        let ip = Endpoint::local(&to, self.version())?.ip;
        if Family::of(ip) == self.version() {
            Ok(ip)
        } else {
            Err(EADDRNOTAVAIL)
        }
    }
}

impl Socket for RawSocket {
    fn family(&self) -> i32 {
        self.version().raw()
    }

    fn kind(&self) -> Kind {
        Kind::Raw
    }

    fn protocol(&self) -> i32 {
        self.protocol
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn take_error(&self) -> Option<Errno> {
        self.errors.take()
    }

    fn note_inode(&self, ino: u64) {
        self.set_ino(ino);
    }

    fn bind(&self, _: &Current, to: &Address) -> Result<(), Errno> {
        let ip = self.bind_address(to)?;
        let network = self.stack.links.get();
        let anywhere = ip.is_unspecified()
            || ip.is_multicast()
            || network.is_broadcast(ip)
            || self.numbers.free_bind();
        if !anywhere && !network.may_bind(ip) {
            return Err(EADDRNOTAVAIL);
        }
        let mut inner = self.inner.lock();
        if inner.peer.is_some() {
            return Err(EINVAL);
        }
        inner.local = ip;
        inner.bound = !ip.is_unspecified();
        Ok(())
    }

    fn connect(&self, _: &Current, to: &Address, _: bool) -> Result<(), Stop> {
        if i32::from(to.family) == AF_UNSPEC {
            let mut inner = self.inner.lock();
            inner.peer = None;
            if !inner.bound {
                inner.local = self.version().any();
            }
            return Ok(());
        }
        if i32::from(to.family) != self.version().raw() && self.version() == Family::V6 {
            return Err(EAFNOSUPPORT.into());
        }
        let to = Endpoint::remote(to, self.version(), Mixed::Refused)?;
        let local = self.inner.lock().local;
        let way = self.way(local, to.ip, Wishes::default())?;
        let mut inner = self.inner.lock();
        if inner.local.is_unspecified() {
            inner.local = way.source;
        }
        inner.peer = Some(Endpoint { ip: way.to, ..to });
        Ok(())
    }

    fn send(&self, src: &mut Source<'_>, message: &mut Outgoing<'_>) -> Result<usize, Errno> {
        let to = message.to.as_ref().map(|to| self.destination(to));
        let wishes = Wishes::read(self.version(), &message.control.notes)?;
        self.send_to(src, to.transpose()?, wishes, message.flags)
    }

    fn send_plain(&self, src: &mut Source<'_>, flags: MessageFlags) -> Result<usize, Errno> {
        self.send_to(src, None, Wishes::default(), flags)
    }

    fn receive(&self, dst: &mut Sink<'_>, flags: MessageFlags) -> Result<Received, Errno> {
        if flags.contains(MessageFlags::OOB) {
            return Err(EOPNOTSUPP);
        }
        if flags.contains(MessageFlags::ERRQUEUE) {
            return self.receive_error(dst);
        }
        if let Some(error) = self.errors.take() {
            return Err(error);
        }
        let (local, shut) = {
            let inner = self.inner.lock();
            (inner.local, inner.shut.read)
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
        self.local_end().address(self.version())
    }

    fn peer(&self) -> Result<Address, Errno> {
        let peer = self.inner.lock().peer;
        let peer = peer.filter(|peer| peer.port != 0).ok_or(ENOTCONN)?;
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
