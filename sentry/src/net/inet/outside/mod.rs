//! What leads out of the sandbox: a stack of TCP/IP (`smoltcp`) over one packet socket for
//! each interface that the container's network namespace has.
//!
//! One thread owns all of it ([`engine`]) and sleeps until a frame arrives, a timer runs out
//! or somebody has a [`Command`] for it. Nothing in it is shared, so that nothing is locked.
//! It meets the sandbox's sockets where another socket of the sandbox would: a connection's
//! two [`Half`]s ([`streams`]), a datagram's way into an inbox ([`datagrams`]).
//!
//! Each connection is a stack's socket in a set of its own. A frame is looked at ([`frame`])
//! to find whose it is, and given to that set alone: thousands of idle connections cost
//! nothing. Frames that are nobody's go to the empty set, and the stack answers as the
//! standards want it.
//!
//! Memory is bounded: half-open connections are few, the oldest gives way ([`streams`]);
//! neighbours, fragments and packets that wait for a neighbour have fixed room.
//!
//! Differs from Linux: of selective acknowledgements only that there are any is used; a route to a network on
//! the link needs an address in it.

mod asking;
mod datagrams;
mod engine;
mod fragments;
mod frame;
mod members;
mod recovery;
mod resolver;
mod streams;
mod wire;

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use nix::sys::eventfd::{EfdFlags, EventFd};
use platform::host;
use syscalls::Errno;

pub(in crate::net::inet) use self::members::is_everybodys;
use super::addr::Endpoint;
use super::links::Network;
use super::stack::Stack;
use super::stream::{Half, StreamSocket};
use crate::sync::{Level, Mutex};
use crate::wait::{Ready, Registration, WaitQueue, Wake};

/// Host stack of the thread, bytes; untouched ones cost nothing.
const STACK: usize = 4 << 20;

/// The way out. Its thread lives as long as the sandbox.
pub(super) struct Outside {
    commands: Mutex<Vec<Command>>,
    bell: EventFd,
    /// The bell has rung and was not heard yet.
    rung: AtomicBool,
    next_id: AtomicU64,
    /// Docker's resolver answers ([`resolver`]).
    resolves: bool,
}

/// What the thread is to do.
enum Command {
    /// A socket connects.
    Connect(Opening),
    /// Something happened to a connection's halves.
    Touched(u64),
    /// A question to Docker's resolver, and who asks.
    Ask(Endpoint, Vec<u8>),
    /// A socket has joined or left a group.
    Regroup,
    /// A packet of IP goes out by the interface with the number.
    Packet(u32, Vec<u8>),
    /// A frame goes out by the interface with the number.
    Frame(u32, Vec<u8>),
}

/// A connection that a socket of the sandbox begins.
pub(super) struct Opening {
    pub(super) socket: Weak<StreamSocket>,
    pub(super) local: Endpoint,
    pub(super) remote: Endpoint,
    /// The interface's number.
    pub(super) link: u32,
    pub(super) tx: Arc<Half>,
    pub(super) rx: Arc<Half>,
    pub(super) line: Line,
}

/// Tells the thread of what happens to a connection's halves.
pub(super) struct Line {
    id: u64,
    touch: Arc<Touch>,
    /// Where halves report to.
    pub(super) queue: WaitQueue,
    _registration: Registration,
}

struct Touch {
    id: u64,
    /// It was told and has not looked yet.
    told: AtomicBool,
    outside: Weak<Outside>,
}

impl Wake for Touch {
    fn wake(&self, _: Ready) {
        if !self.told.swap(true, Ordering::AcqRel)
            && let Some(outside) = self.outside.upgrade()
        {
            outside.order(Command::Touched(self.id));
        }
    }
}

impl Outside {
    /// Takes over `network`: from now on its interfaces are the sandbox's. `sockets` are
    /// packet sockets ([`platform::host::packet`]) on those beyond the loopback, in their
    /// order. One more is a socket connected to Docker's resolver.
    pub(super) fn open(
        stack: &Arc<Stack>,
        network: &Network,
        sockets: Vec<OwnedFd>,
    ) -> Result<Arc<Self>, Errno> {
        let beyond = network.links.iter().filter(|link| !link.is_loopback());
        let beyond = beyond.count();
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let outside = Arc::new(Outside {
            commands: Mutex::new(Level::Leaf, Vec::new()),
            bell: EventFd::from_value_and_flags(0, flags).map_err(host::errno)?,
            rung: AtomicBool::new(false),
            next_id: AtomicU64::new(0),
            resolves: sockets.len() > beyond,
        });
        let (stack, network) = (Arc::downgrade(stack), network.clone());
        let shared = outside.clone();
        // The stack's interfaces are large: they are made where they stay.
        let run = move || engine::Engine::new(stack, shared, &network, sockets).run();
        let builder = std::thread::Builder::new().name("network".into());
        builder.stack_size(STACK).spawn(run)?;
        Ok(outside)
    }

    /// A line for a new connection.
    pub(super) fn line(self: &Arc<Self>) -> Line {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let touch = Arc::new(Touch {
            id,
            told: AtomicBool::new(false),
            outside: Arc::downgrade(self),
        });
        let queue = WaitQueue::new();
        let registration = queue.register(touch.clone(), Ready::all());
        Line {
            id,
            touch,
            queue,
            _registration: registration,
        }
    }

    /// Begins a connection; the socket hears how it ends.
    pub(super) fn connect(&self, opening: Opening) {
        self.order(Command::Connect(opening));
    }

    /// Asks Docker's resolver, if `to` is where it answers. False if not.
    pub(super) fn ask(&self, from: Endpoint, to: Endpoint, question: &[u8]) -> bool {
        let asks = self.resolves && to == resolver::PLACE;
        if asks {
            self.order(Command::Ask(from, question.to_vec()));
        }
        asks
    }

    /// Somebody has joined or left a group: who is on the link is told.
    pub(super) fn regroup(&self) {
        self.order(Command::Regroup);
    }

    /// True for where Docker's resolver answers, if it does.
    pub(super) fn resolves_at(&self, to: Endpoint) -> bool {
        self.resolves && to == resolver::PLACE
    }

    fn order(&self, command: Command) {
        self.commands.lock().push(command);
        if !self.rung.swap(true, Ordering::AcqRel) {
            // Full only if it rings already.
            let _ = self.bell.write(1);
        }
    }

    fn take_orders(&self) -> Vec<Command> {
        if self.rung.swap(false, Ordering::AcqRel) {
            let _ = self.bell.read();
        }
        std::mem::take(&mut *self.commands.lock())
    }
}
