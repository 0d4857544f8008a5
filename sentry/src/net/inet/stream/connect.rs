//! connect(2).

use std::net::IpAddr;

use syscalls::errno::{
    EADDRNOTAVAIL, EAGAIN, EALREADY, ECONNABORTED, ECONNREFUSED, ECONNRESET, EINPROGRESS, EISCONN,
    ENETUNREACH, ETIMEDOUT,
};
use syscalls::{Errno, Stop};

use super::{Flow, Inner, OPEN, Role, StreamSocket};
use crate::net::inet::addr::{Endpoint, Family, Mixed};
use crate::net::inet::links::LOOPBACK;
use crate::net::inet::ports::{Hold, Use};
use crate::net::{Address, Shutdown};
use crate::task::Current;
use crate::wait::{Deadline, Ready};

impl StreamSocket {
    /// Connects to `to`, or goes on with what an earlier call began.
    pub(super) fn connect_to(
        &self,
        task: &Current,
        to: &Address,
        nonblocking: bool,
    ) -> Result<(), Stop> {
        if self.begin(to)? {
            self.knock();
            if nonblocking {
                return Err(EINPROGRESS.into());
            }
        } else if nonblocking {
            return self.outcome().map_err(|error| {
                let told = if error == EAGAIN { EALREADY } else { error };
                told.into()
            });
        }
        let deadline = self.options.send_timeout().map(Deadline::after);
        let wait = || Ok(self.outcome()?);
        match task.block_on(&self.queue, Ready::WRITABLE, deadline, wait) {
            Err(Stop::Errno(ETIMEDOUT)) if deadline.is_some_and(|d| d.left().is_none()) => {
                Err(EINPROGRESS.into())
            }
            result => result,
        }
    }

    /// Takes a port and notes where to; false if an earlier call did.
    fn begin(&self, to: &Address) -> Result<bool, Errno> {
        let network = self.stack.links.get();
        let mut inner = self.inner.lock();
        if inner.connecting {
            return Ok(false);
        }
        if !matches!(inner.role, Role::Idle) {
            return Err(EISCONN);
        }
        let remote = Endpoint::remote(to, self.version(), Mixed::Refused)?;
        if remote.ip.is_multicast() || network.is_broadcast(remote.ip) {
            return Err(ENETUNREACH);
        }
        self.check_version(&inner, remote.ip)?;
        let source = inner.bound.then_some(inner.local.ip);
        let way = network.way(remote.ip, source, self.options.device())?;
        let remote = Endpoint {
            ip: way.to,
            port: remote.port,
        };
        let port = inner.hold.as_ref().map_or(0, |hold| hold.port());
        let local = Endpoint {
            ip: way.source,
            port,
        };
        let terms = self.terms(local);
        match &inner.hold {
            Some(hold) if hold.is_connected(terms.cover, remote) => return Err(EADDRNOTAVAIL),
            Some(hold) => hold.change(terms, Use::Connected(remote)),
            None => {
                let range = self.stack.ephemeral();
                let ports = &self.stack.tcp;
                inner.hold = Some(ports.for_connection(range, terms, remote, &self.this)?);
            }
        }
        let port = inner.hold.as_ref().map_or(0, |hold| hold.port());
        inner.local = local.with_port(port);
        inner.role = Role::Connecting(remote);
        inner.connecting = true;
        inner.shut = OPEN;
        inner.error = None;
        Ok(true)
    }

    /// `ENETUNREACH` where a socket cannot speak the version of `to`.
    fn check_version(&self, inner: &Inner, to: IpAddr) -> Result<(), Errno> {
        let only = self.version() == Family::V6 && self.numbers.v6_only() && to.is_ipv4();
        let local = inner.local.ip;
        let bound = inner.bound && !local.is_unspecified();
        if only || (bound && local.is_ipv4() != to.is_ipv4()) {
            return Err(ENETUNREACH);
        }
        Ok(())
    }

    /// Looks for whom the connection is, and asks to be let in.
    fn knock(&self) {
        let (from, to) = match &*self.inner.lock() {
            Inner {
                role: Role::Connecting(to),
                local,
                ..
            } => (*local, *to),
            _ => return,
        };
        let network = self.stack.links.get();
        if !network.is_local(to.ip) {
            let way = network.way(to.ip, Some(from.ip), self.options.device());
            return match way {
                Ok(way) => self.knock_outside(from, to, way.link),
                Err(why) => self.failed(why),
            };
        }
        let outside = self.stack.outside();
        if outside.is_some_and(|outside| outside.resolves_at(to)) {
            return self.knock_outside(from, to, LOOPBACK);
        }
        let listener = self.stack.tcp.find(to, from, self.options.device());
        let taken = match (listener, self.this.upgrade()) {
            (Some(listener), Some(this)) => listener.offer(&this, from, to),
            _ => false,
        };
        if !taken {
            self.show_begin((from, to), false);
            self.failed(ECONNREFUSED);
        }
    }

    /// Room may have come, or the listener gone.
    pub(super) fn knock_again(&self) {
        self.knock();
    }

    /// The other side let this one in.
    pub(super) fn established(&self, flow: Flow) {
        let late = {
            let mut inner = self.inner.lock();
            if matches!(inner.role, Role::Connecting(_)) {
                inner.role = Role::Connected(flow);
                None
            } else {
                Some(flow)
            }
        };
        if let Some(flow) = late {
            // Given up in the meantime.
            flow.abort();
        }
        self.queue.notify(Ready::WRITABLE);
    }

    /// The attempt came to nothing.
    pub(super) fn failed(&self, why: Errno) {
        let hold = {
            let mut inner = self.inner.lock();
            inner.error = Some(why);
            inner.shut = Shutdown {
                read: true,
                write: true,
            };
            self.leave(&mut inner)
        };
        drop(hold);
        self.queue.notify(Ready::all());
    }

    /// Forgets the peer; an address and port that bind(2) gave stay. What is returned is to
    /// be dropped without the lock.
    pub(super) fn leave(&self, inner: &mut Inner) -> impl Drop + use<> {
        let role = std::mem::replace(&mut inner.role, Role::Idle);
        let mut hold = None;
        if inner.port_chosen {
            if let Some(kept) = &inner.hold {
                kept.change(self.terms(inner.local), Use::Bound);
            }
        } else {
            hold = inner.hold.take();
            inner.local.port = 0;
        }
        if !inner.bound {
            let any = Endpoint::any(self.version());
            inner.local = any.with_port(inner.local.port);
        }
        Left(Some(role), hold)
    }

    /// How the attempt ended; `EAGAIN` while it goes on.
    fn outcome(&self) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        match inner.role {
            Role::Connecting(_) => Err(EAGAIN),
            Role::Connected(_) => {
                inner.connecting = false;
                Ok(())
            }
            Role::Idle | Role::Listening(_) => {
                inner.connecting = false;
                inner.shut = OPEN;
                Err(inner.error.take().unwrap_or(ECONNABORTED))
            }
        }
    }

    /// connect(2) to AF_UNSPEC: the connection is reset, the socket can be used anew.
    pub(super) fn disconnect(&self) {
        let left = {
            let mut inner = self.inner.lock();
            inner.connecting = false;
            inner.shut = OPEN;
            let connected = matches!(inner.role, Role::Connected(_));
            inner.error = connected.then_some(ECONNRESET);
            self.leave(&mut inner)
        };
        drop(left);
        self.queue.notify(Ready::all());
    }

    /// The port that bind(2) takes, or listen(2) for a socket without one.
    pub(super) fn take_port(&self, inner: &mut Inner, at: Endpoint) -> Result<(), Errno> {
        let range = self.stack.ephemeral();
        self.stack.forget_old();
        let hold = self
            .stack
            .tcp
            .bind(at.port, range, self.terms(at), &self.this)?;
        inner.local = at.with_port(hold.port());
        inner.hold = Some(hold);
        Ok(())
    }
}

/// What a socket had; ends when dropped.
struct Left(Option<Role>, Option<Hold<StreamSocket>>);

impl Drop for Left {
    fn drop(&mut self) {
        match self.0.take() {
            Some(Role::Connected(flow)) => flow.abort(),
            Some(Role::Listening(listener)) => StreamSocket::dissolve(listener),
            Some(Role::Idle | Role::Connecting(_)) | None => {}
        }
        self.1 = None;
    }
}
