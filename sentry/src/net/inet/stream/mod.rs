//! Sockets of TCP, tcp(7).
//!
//! A connection is two [`Half`]s. `connect.rs` and `listen.rs` bring sockets together
//! (`outside.rs`: with the way out of the sandbox),
//! `socket.rs` is what calls see, `close.rs` the ways to end. States are what RFC 9293 calls
//! them, as far as one can see them from outside: acknowledgements take no time here.

mod chunk;
mod close;
mod connect;
pub mod half;
mod info;
mod listen;
mod options;
mod outside;
mod shown;
mod socket;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use syscalls::Errno;

pub(super) use self::close::Lingering;
pub use self::half::Half;
use self::listen::Listener;
use super::super::{Options, Shutdown};
use super::addr::{Cover, Endpoint, Family, Version};
use super::options::Numbers;
use super::ports::{Hold, Terms};
use super::stack::Stack;
use crate::sync::{Level, Mutex};
use crate::task::Current;
use crate::wait::WaitQueue;

/// A socket of TCP.
pub struct StreamSocket {
    version: Version,
    pub(super) stack: Arc<Stack>,
    pub(super) options: Options,
    /// Options of TCP and IP.
    pub(super) numbers: Numbers,
    queue: WaitQueue,
    inner: Mutex<Inner>,
    this: Weak<StreamSocket>,
    /// TCP_CONGESTION, empty until chosen.
    congestion: Mutex<Vec<u8>>,
    /// Who made it.
    pub(super) uid: u32,
    /// Number of the inode, 0 until it has one.
    ino: AtomicU64,
}

struct Inner {
    local: Endpoint,
    /// bind(2) chose the address; else it goes with the connection.
    bound: bool,
    /// bind(2) chose the port.
    port_chosen: bool,
    hold: Option<Hold<StreamSocket>>,
    role: Role,
    /// What SO_ERROR or the next call tells.
    error: Option<Errno>,
    /// connect(2) has begun and nobody was told how it ended.
    connecting: bool,
    shut: Shutdown,
    /// Made by a listener and not yet accepted.
    unaccepted: bool,
}

/// What a socket has from its maker.
struct Shared {
    family: Family,
    options: Options,
    numbers: Numbers,
    uid: u32,
    queue: WaitQueue,
}

enum Role {
    Idle,
    Listening(Listener),
    Connecting(Endpoint),
    Connected(Flow),
}

/// A connection, as one side sees it.
#[derive(Clone)]
pub(super) struct Flow {
    /// What this side sends.
    pub(super) tx: Arc<Half>,
    /// What it receives.
    pub(super) rx: Arc<Half>,
    /// The other side.
    pub(super) remote: Endpoint,
}

/// States of a connection, as TCP_INFO and /proc/net/tcp number them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in RFC 9293")]
pub enum TcpState {
    Established = 1,
    SynSent = 2,
    FinWait2 = 5,
    TimeWait = 6,
    Close = 7,
    CloseWait = 8,
    Listen = 10,
}

/// What a new socket's SO_SNDBUF says (net.ipv4.tcp_wmem).
const SEND_BUFFER: i32 = 16384;
/// What a new socket's SO_RCVBUF says (net.ipv4.tcp_rmem).
const RECEIVE_BUFFER: i32 = 131_072;
/// How far the buffers of a connection grow whose program did not choose.
const GROWN_SEND: usize = 1 << 20;
/// Likewise.
const GROWN_RECEIVE: usize = 512 << 10;

const OPEN: Shutdown = Shutdown {
    read: false,
    write: false,
};

impl StreamSocket {
    /// A socket that is neither bound nor connected.
    #[must_use]
    pub fn new(stack: &Arc<Stack>, task: &Current, family: Family) -> Arc<Self> {
        let inner = Inner {
            local: Endpoint::any(family),
            bound: false,
            port_chosen: false,
            hold: None,
            role: Role::Idle,
            error: None,
            connecting: false,
            shut: OPEN,
            unaccepted: false,
        };
        let shared = Shared {
            family,
            options: Options::with_buffers(SEND_BUFFER, RECEIVE_BUFFER),
            numbers: Numbers::default(),
            uid: task.creds.get().uid.fs,
            queue: WaitQueue::new(),
        };
        Self::make(stack, shared, |_| inner)
    }

    fn make(
        stack: &Arc<Stack>,
        shared: Shared,
        inner: impl FnOnce(&Weak<StreamSocket>) -> Inner,
    ) -> Arc<Self> {
        let Shared {
            family,
            options,
            numbers,
            uid,
            queue,
        } = shared;
        let socket = Arc::new_cyclic(|this| StreamSocket {
            version: Version::new(family),
            stack: stack.clone(),
            options,
            numbers,
            queue,
            inner: Mutex::new(Level::Endpoint, inner(this)),
            this: this.clone(),
            congestion: Mutex::new(Level::Leaf, Vec::new()),
            uid,
            ino: AtomicU64::new(0),
        });
        stack.streams.add(&socket.this);
        socket
    }

    /// AF_INET or AF_INET6.
    pub(super) fn version(&self) -> Family {
        self.version.get()
    }

    /// What the socket says about the port it has or wants at `local`.
    fn terms(&self, local: Endpoint) -> Terms {
        let cover = Cover::new(self.version(), local.ip, self.numbers.v6_only());
        Terms::new(cover, &self.options, self.uid)
    }

    fn flow(&self) -> Option<Flow> {
        match &self.inner.lock().role {
            Role::Connected(flow) => Some(flow.clone()),
            _ => None,
        }
    }

    /// Bytes that may wait to be received by the peer, apart from its window.
    fn send_limit(&self) -> usize {
        if self.options.send_is_set() {
            self.options.send_limit()
        } else {
            GROWN_SEND
        }
    }

    /// Bytes that the receive buffer takes.
    fn window(&self) -> usize {
        if self.options.receive_is_set() {
            self.options.receive_limit()
        } else {
            GROWN_RECEIVE
        }
    }

    /// What SO_ERROR or the next call tells, once.
    fn take_error(inner: &mut Inner) -> Option<Errno> {
        let own = inner.error.take();
        own.or_else(|| match &inner.role {
            Role::Connected(flow) => flow.rx.take_error(),
            _ => None,
        })
    }

    /// For lists of sockets.
    pub(super) fn summary(&self) -> Summary {
        let inner = self.inner.lock();
        let (remote, queues) = match &inner.role {
            Role::Connected(flow) => (flow.remote, (flow.tx.unsent(), flow.rx.len())),
            Role::Connecting(remote) => (*remote, (0, 0)),
            Role::Listening(listener) => (
                Endpoint::any(Family::of(inner.local.ip)),
                (listener.backlog(), listener.ready()),
            ),
            Role::Idle => (Endpoint::any(Family::of(inner.local.ip)), (0, 0)),
        };
        Summary {
            state: inner.state(),
            local: inner.local,
            remote,
            unsent: queues.0,
            unread: queues.1,
            uid: self.uid,
            ino: self.ino.load(Ordering::Relaxed),
        }
    }
}

impl Inner {
    fn state(&self) -> TcpState {
        match &self.role {
            Role::Idle => TcpState::Close,
            Role::Listening(_) => TcpState::Listen,
            Role::Connecting(_) => TcpState::SynSent,
            Role::Connected(flow) => flow.state(),
        }
    }
}

impl Flow {
    /// The state of the connection for this side while it has its socket.
    pub(super) fn state(&self) -> TcpState {
        if self.rx.is_dead() {
            return TcpState::Close;
        }
        match (self.tx.finished(), self.rx.finished()) {
            (None, None) => TcpState::Established,
            (Some(_), None) => TcpState::FinWait2,
            (None, Some(_)) => TcpState::CloseWait,
            (Some(_), Some(_)) => TcpState::Close,
        }
    }
}

/// What lists of sockets tell of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    pub(super) state: TcpState,
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
    /// Bytes sent and not received; a listener's backlog.
    pub(super) unsent: usize,
    /// Bytes received and not read; connections that wait to be accepted.
    pub(super) unread: usize,
    pub(super) uid: u32,
    pub(super) ino: u64,
}
