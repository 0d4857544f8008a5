//! Sockets of UDP and UDP-Lite, udp(7) and udplite(7), and ping sockets, icmp(7). In memory
//! no checksum is ever wrong, so that the first two differ in nothing but their ports. A
//! ping socket's port is the identification of its echo requests.
//!
//! A datagram for an address of this sandbox goes from the sender's buffer into the inboxes
//! of those whom it is for (`deliver.rs`); where nobody is, the sender hears of it as from
//! an ICMP message.

mod deliver;
mod options;
pub(super) mod ping;
mod send;
mod socket;

use std::ops::Deref;
use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::abi::net::{IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDPLITE};

pub(in crate::net) use self::deliver::Delivery;
use super::super::{Kind, Shutdown};
use super::addr::{Cover, Endpoint, Family};
use super::message::Base;
use super::ports::{Hold, Ports, Terms, Use};
use super::stack::Stack;
use crate::sync::{Level, Mutex};
use crate::task::Current;

/// A socket of UDP, UDP-Lite or for echo requests.
pub struct DatagramSocket {
    base: Base,
    /// Those of the protocol.
    ports: Arc<Ports<DatagramSocket>>,
    inner: Mutex<Inner>,
    this: Weak<DatagramSocket>,
}

impl Deref for DatagramSocket {
    type Target = Base;

    fn deref(&self) -> &Base {
        &self.base
    }
}

struct Inner {
    local: Endpoint,
    /// bind(2) chose address and port; else they go with connect(2).
    bound: bool,
    hold: Option<Hold<DatagramSocket>>,
    peer: Option<Endpoint>,
    shut: Shutdown,
    /// A datagram that grows, MSG_MORE and UDP_CORK.
    corked: Option<(Endpoint, Vec<u8>)>,
}

impl DatagramSocket {
    /// A socket that is neither bound nor connected.
    #[must_use]
    pub fn new(stack: &Arc<Stack>, task: &Current, family: Family, protocol: i32) -> Arc<Self> {
        let ports = match protocol {
            IPPROTO_UDPLITE => &stack.udp_lite,
            IPPROTO_ICMP | IPPROTO_ICMPV6 => &stack.ping,
            _ => &stack.udp,
        };
        let inner = Inner {
            local: Endpoint::any(family),
            bound: false,
            hold: None,
            peer: None,
            shut: Shutdown {
                read: false,
                write: false,
            },
            corked: None,
        };
        let socket = Arc::new_cyclic(|this| DatagramSocket {
            base: Base::new(stack, task, (family, Kind::Datagram, protocol)),
            ports: ports.clone(),
            inner: Mutex::new(Level::Endpoint, inner),
            this: this.clone(),
        });
        stack.datagrams.add(&socket.this);
        socket
    }

    fn terms(&self, local: Endpoint) -> Terms {
        let cover = Cover::new(self.version(), local.ip, self.numbers.v6_only());
        Terms::new(cover, &self.options, self.uid)
    }

    /// Takes a port, any for 0.
    fn take_port(&self, inner: &mut Inner, at: Endpoint) -> Result<(), Errno> {
        let range = self.stack.ephemeral();
        let terms = self.terms(at);
        let hold = self.ports.bind(at.port, range, terms, &self.this)?;
        inner.local = at.with_port(hold.port());
        inner.hold = Some(hold);
        Ok(())
    }

    /// Tells the table of ports what the socket is now.
    fn restate(&self, inner: &Inner) {
        if let Some(hold) = &inner.hold {
            let used = inner.peer.map_or(Use::Bound, Use::Connected);
            hold.change(self.terms(inner.local), used);
        }
    }

    /// For lists of sockets.
    pub(super) fn summary(&self) -> Summary {
        let inner = self.inner.lock();
        let any = Endpoint::any(Family::of(inner.local.ip));
        Summary {
            local: inner.local,
            peer: inner.peer.unwrap_or(any),
            connected: inner.peer.is_some(),
            unread: self.inbox.charge(),
            drops: self.inbox.drops(),
            uid: self.uid,
            ino: self.ino(),
        }
    }
}

/// What lists of sockets tell of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    pub(super) local: Endpoint,
    pub(super) peer: Endpoint,
    pub(super) connected: bool,
    /// Bytes that wait, as the receive buffer counts them.
    pub(super) unread: usize,
    pub(super) drops: u64,
    pub(super) uid: u32,
    pub(super) ino: u64,
}
