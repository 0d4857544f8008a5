//! Sockets whose other side is outside the sandbox: what the way out does with them.

use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::abi::net::{IPPROTO_TCP, SO_KEEPALIVE, TCP_KEEPIDLE, TCP_NODELAY};
use syscalls::errno::{ENETUNREACH, EPIPE};

use super::{Flow, Half, Inner, OPEN, Role, Shared, StreamSocket};
use crate::net::inet::addr::Endpoint;
use crate::net::inet::outside::Opening;
use crate::wait::{Ready, WaitQueue};

/// What a program wants of a connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::net::inet) struct Wishes {
    /// TCP_NODELAY.
    pub(in crate::net::inet) no_delay: bool,
    /// SO_KEEPALIVE: seconds after which the other side is asked whether it is there.
    pub(in crate::net::inet) keep_alive: Option<u64>,
}

impl StreamSocket {
    /// As for a listener of the sandbox, but on the interface with the number.
    pub(super) fn knock_outside(&self, from: Endpoint, to: Endpoint, link: u32) {
        let Some(outside) = self.stack.outside() else {
            return self.failed(ENETUNREACH);
        };
        let line = outside.line();
        let opening = Opening {
            socket: self.this.clone(),
            local: from,
            remote: to,
            link,
            tx: Arc::new(Half::new(line.queue.clone(), self.queue.clone(), 0)),
            rx: Arc::new(Half::new(
                self.queue.clone(),
                line.queue.clone(),
                self.window(),
            )),
            line,
        };
        outside.connect(opening);
    }

    /// The other side is there.
    pub(in crate::net::inet) fn reached(
        &self,
        remote: Endpoint,
        (tx, rx): (&Arc<Half>, &Arc<Half>),
    ) {
        self.established(Flow {
            tx: tx.clone(),
            rx: rx.clone(),
            remote,
        });
    }

    /// It is not; unless the program wants something else by now.
    pub(in crate::net::inet) fn came_to_nothing(&self, remote: Endpoint, why: Errno) {
        let waits = matches!(self.inner.lock().role, Role::Connecting(to) if to == remote);
        if waits {
            self.failed(why);
        }
    }

    /// True for a listener that has room for one more.
    pub(in crate::net::inet) fn has_room(&self) -> bool {
        match &self.inner.lock().role {
            Role::Listening(listener) => !listener.is_full(),
            _ => false,
        }
    }

    /// A connection from outside, (ours, theirs), is there to be accepted: its socket, what
    /// that sends, and what it receives. `None` if there is no room any more.
    pub(in crate::net::inet) fn greet(
        &self,
        (local, remote): (Endpoint, Endpoint),
        line: &WaitQueue,
    ) -> Option<(Weak<StreamSocket>, Arc<Half>, Arc<Half>)> {
        let queue = WaitQueue::new();
        let tx = Arc::new(Half::new(line.clone(), queue.clone(), 0));
        let rx = Arc::new(Half::new(queue.clone(), line.clone(), self.window()));
        let socket = {
            let mut inner = self.inner.lock();
            let Role::Listening(listener) = &mut inner.role else {
                return None;
            };
            if listener.is_full() {
                return None;
            }
            let shared = Shared {
                family: self.version(),
                options: self.options.inherit(),
                numbers: self.numbers.inherit(),
                uid: self.uid,
                queue,
            };
            let flow = Flow {
                tx: tx.clone(),
                rx: rx.clone(),
                remote,
            };
            let terms = self.terms(local);
            let child = Self::make(&self.stack, shared, |this| Inner {
                local,
                bound: true,
                port_chosen: false,
                hold: Some(self.stack.tcp.for_accepted(local.port, terms, remote, this)),
                role: Role::Connected(flow),
                error: None,
                connecting: false,
                shut: OPEN,
                unaccepted: true,
            });
            let socket = child.this.clone();
            listener.add(child);
            socket
        };
        self.queue.notify(Ready::READABLE);
        Some((socket, tx, rx))
    }

    /// What the program wants of the connection.
    pub(in crate::net::inet) fn wishes(&self) -> Wishes {
        let idle = self.numbers.get(IPPROTO_TCP, TCP_KEEPIDLE);
        let alive = self.options.kept(SO_KEEPALIVE) != 0;
        Wishes {
            no_delay: self.numbers.is_set(IPPROTO_TCP, TCP_NODELAY),
            keep_alive: u64::try_from(idle).ok().filter(|&idle| alive && idle > 0),
        }
    }

    /// The connection has ended before its time; (what was sent, what was received).
    pub(in crate::net::inet) fn cut(tx: &Half, rx: &Half, why: Errno) {
        let why = if rx.finished().is_some() { EPIPE } else { why };
        rx.reset(Some(why));
        tx.reset(None);
    }
}
