//! Listeners: connections that wait to be accepted, and clients that wait for room.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::errno::{EAGAIN, EINVAL};

use super::{Flow, Half, Inner, OPEN, Role, Shared, StreamSocket};
use crate::net::inet::addr::Endpoint;
use crate::net::inet::ports::Use;
use crate::wait::{Ready, WaitQueue};

/// See the module.
pub(super) struct Listener {
    ready: VecDeque<Arc<StreamSocket>>,
    /// Clients for whom there was no room, the first first.
    waiting: VecDeque<Weak<StreamSocket>>,
    backlog: usize,
}

impl Listener {
    pub(super) fn new(backlog: usize) -> Self {
        Listener {
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            backlog,
        }
    }

    pub(super) fn backlog(&self) -> usize {
        self.backlog
    }

    pub(super) fn set_backlog(&mut self, backlog: usize) {
        self.backlog = backlog;
    }

    /// Connections that can be accepted.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// One more connection can be accepted.
    pub(super) fn add(&mut self, child: Arc<StreamSocket>) {
        self.ready.push_back(child);
    }

    pub(super) fn is_full(&self) -> bool {
        // As in Linux: one more than the backlog.
        self.ready.len() > self.backlog
    }
}

impl StreamSocket {
    /// A client knocks at this listener: it is connected at once, or waits for room. False
    /// if this is no listener any more.
    pub(super) fn offer(&self, client: &Arc<StreamSocket>, from: Endpoint, to: Endpoint) -> bool {
        let flow = {
            let mut inner = self.inner.lock();
            let Role::Listening(listener) = &mut inner.role else {
                return false;
            };
            if listener.is_full() {
                listener.waiting.push_back(client.this.clone());
                return true;
            }
            let (child, flow) = self.bear(client, from, to);
            listener.ready.push_back(child);
            flow
        };
        self.show_begin((from, to), true);
        self.queue.notify(Ready::READABLE);
        client.established(flow);
        true
    }

    /// The listener's side of a connection with `client`, and the client's view of it.
    fn bear(
        &self,
        client: &StreamSocket,
        from: Endpoint,
        to: Endpoint,
    ) -> (Arc<StreamSocket>, Flow) {
        let queue = WaitQueue::new();
        let mine = client.queue.clone();
        let up = Arc::new(Half::new(queue.clone(), mine.clone(), self.window()));
        let down = Arc::new(Half::new(mine, queue.clone(), client.window()));
        let flow = Flow {
            tx: up.clone(),
            rx: down.clone(),
            remote: to,
        };
        let shared = Shared {
            family: self.version(),
            options: self.options.inherit(),
            numbers: self.numbers.inherit(),
            uid: self.uid,
            queue,
        };
        let child = Self::make(&self.stack, shared, |this| {
            let terms = self.terms(to);
            Inner {
                local: to,
                bound: true,
                port_chosen: false,
                hold: Some(self.stack.tcp.for_accepted(to.port, terms, from, this)),
                role: Role::Connected(Flow {
                    tx: down,
                    rx: up,
                    remote: from,
                }),
                error: None,
                connecting: false,
                shut: OPEN,
                unaccepted: true,
            }
        });
        (child, flow)
    }

    /// accept(2): the next connection; `EAGAIN` if there is none.
    pub(super) fn accept_next(&self) -> Result<Arc<StreamSocket>, Errno> {
        let (child, next) = {
            let mut inner = self.inner.lock();
            let Role::Listening(listener) = &mut inner.role else {
                return Err(EINVAL);
            };
            let child = listener.ready.pop_front().ok_or(EAGAIN)?;
            (child, listener.waiting.pop_front())
        };
        child.inner.lock().unaccepted = false;
        if let Some(client) = next.and_then(|client| client.upgrade()) {
            client.knock_again();
        }
        Ok(child)
    }

    /// listen(2), on a socket that has a port.
    pub(super) fn start_listening(&self, backlog: usize) -> Result<(), Errno> {
        let mut inner = self.inner.lock();
        let terms = self.terms(inner.local);
        let Inner { role, hold, .. } = &mut *inner;
        match role {
            Role::Connecting(_) | Role::Connected(_) => Err(EINVAL),
            Role::Listening(listener) => {
                listener.set_backlog(backlog);
                Ok(())
            }
            Role::Idle => {
                let hold = hold.as_ref().ok_or(EINVAL)?;
                hold.change_checked(terms, Use::Listening)?;
                *role = Role::Listening(Listener::new(backlog));
                inner.shut = OPEN;
                Ok(())
            }
        }
    }

    /// The end of a listener: connections that nobody accepted are reset, clients that wait
    /// are refused.
    pub(super) fn dissolve(listener: Listener) {
        let Listener { ready, waiting, .. } = listener;
        drop(ready);
        for client in waiting.iter().filter_map(Weak::upgrade) {
            client.knock_again();
        }
    }
}
