//! Sockets of AF_PACKET, packet(7): frames as interfaces carry them, for whom CAP_NET_RAW
//! allows it.
//!
//! On the loopback they see what becomes a packet there (`inet/crossing.rs`), on other
//! interfaces what arrives and what packet sockets send. With a [`ring`], frames lie in
//! memory that the program maps. Differs from Linux: what the sandbox's own stack sends out
//! by another interface is not shown.

mod options;
mod ring;
mod send;
mod socket;
mod tap;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use syscalls::Errno;
use syscalls::abi::net::{AF_PACKET, SockaddrLl};
use syscalls::errno::{EINVAL, EPERM, ESOCKTNOSUPPORT};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use self::ring::{Put, Rings};
use super::filter::Circumstances;
use super::inet::message::truesize;
use super::inet::{Network, Stack};
use super::{Address, Kind, Options, netlink};
use crate::sync::{Level, Mutex};
use crate::task::{Capabilities, Current};
use crate::wait::{Ready, WaitQueue};

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Direction {
    In,
    Out,
}

/// A packet socket.
pub struct PacketSocket {
    kind: Kind,
    stack: Arc<Stack>,
    options: Options,
    queue: WaitQueue,
    inner: Mutex<Inner>,
    inbox: Mutex<Inbox>,
    rings: Mutex<Rings>,
    uid: u32,
    ino: AtomicU64,
}

struct Inner {
    /// ETH_P_*; 0 for none.
    protocol: u16,
    /// The interface's number, 0 for all.
    link: u32,
    error: Option<Errno>,
}

/// A frame that came.
#[derive(Clone)]
struct Frame {
    /// From the head of the link layer on.
    bytes: Vec<u8>,
    /// How many bytes of data it had, whatever a filter left of them.
    len: usize,
    from: SockaddrLl,
    /// Its checksum is still open.
    open: bool,
    /// When, `CLOCK_REALTIME`, nanoseconds.
    at: i128,
}

#[derive(Default)]
struct Inbox {
    waiting: VecDeque<Frame>,
    charge: usize,
    /// PACKET_STATISTICS, since it was asked for.
    seen: u32,
    drops: u32,
}

/// Bytes of the head of a frame.
const HEAD: usize = 14;
/// ETH_P_ALL.
const ALL: u16 = 3;
/// Bytes of an address of the link layer.
const ADDRESS: usize = 6;
/// Bytes of `struct sockaddr_ll` before the address.
const BEFORE_ADDRESS: usize = 12;

impl PacketSocket {
    /// A socket of the protocol, in network order; `EPERM`, `ESOCKTNOSUPPORT`.
    pub fn create(task: &Current, kind: Kind, protocol: i32) -> Result<Arc<Self>, Errno> {
        if !task
            .creds
            .get()
            .has_in(&task.net.get().user, Capabilities::NET_RAW)
        {
            return Err(EPERM);
        }
        if !matches!(kind, Kind::Raw | Kind::Datagram) {
            return Err(ESOCKTNOSUPPORT);
        }
        let [a, b, ..] = protocol.to_ne_bytes();
        let stack = task.net.get().internet.clone();
        if stack.links.host().is_some() {
            return Err(EPERM.why("packet sockets of the host's network"));
        }
        let socket = Arc::new(PacketSocket {
            kind,
            options: Options::default(),
            queue: WaitQueue::new(),
            inner: Mutex::new(
                Level::Endpoint,
                Inner {
                    protocol: u16::from_be_bytes([a, b]),
                    link: 0,
                    error: None,
                },
            ),
            inbox: Mutex::new(Level::Socket, Inbox::default()),
            rings: Mutex::new(Level::Socket, Rings::default()),
            stack: stack.clone(),
            uid: task.creds.get().uid.fs,
            ino: AtomicU64::new(0),
        });
        stack.taps.add(&Arc::downgrade(&socket));
        Ok(socket)
    }

    /// Puts a frame into the inbox, as much of it as the socket's filter wants.
    fn take_in(&self, mut frame: Frame) {
        if self.options.has_filter() {
            let start = self.start();
            let known = Circumstances {
                protocol: u16::from_be_bytes(frame.from.protocol),
                kind: frame.from.pkttype,
                link: frame.from.ifindex.cast_unsigned(),
                hardware: frame.from.hatype,
            };
            let data = frame.bytes.get(start..).unwrap_or_default();
            let Some(wanted) = self.options.admitted(data, known) else {
                return;
            };
            frame.len = data.len();
            frame.bytes.truncate(start + wanted);
        }
        let lost = self.inbox.lock().drops > 0;
        let put = self.rings.lock().put(self.kind, &frame, self.start(), lost);
        if put != Put::NoRing {
            let mut inbox = self.inbox.lock();
            if put == Put::Lost {
                inbox.drops = inbox.drops.saturating_add(1);
            } else {
                inbox.seen = inbox.seen.saturating_add(1);
            }
            drop(inbox);
            if put == Put::Told {
                self.queue.notify(Ready::READABLE);
            }
            return;
        }
        let taken = {
            let mut inbox = self.inbox.lock();
            // As Linux: what crosses the limit is still taken.
            let room = inbox.charge <= self.options.receive_limit();
            if room {
                inbox.seen = inbox.seen.saturating_add(1);
                inbox.charge += truesize(frame.bytes.len());
                inbox.waiting.push_back(frame);
            } else {
                inbox.drops = inbox.drops.saturating_add(1);
            }
            room
        };
        if taken {
            self.queue.notify(Ready::READABLE);
        }
    }

    fn address(network: &Network, link: u32, protocol: u16) -> (SockaddrLl, usize) {
        let mut name = SockaddrLl::new_zeroed();
        name.protocol = protocol.to_be_bytes();
        name.ifindex = i32::try_from(link).unwrap_or(0);
        if let Some(link) = network.link(link) {
            name.hatype = netlink::hardware(link);
            name.halen = 6;
            for (place, byte) in name.addr.iter_mut().zip(link.mac) {
                *place = byte;
            }
        }
        (name, BEFORE_ADDRESS + usize::from(name.halen))
    }

    /// As calls pass it.
    fn named(name: &SockaddrLl, len: usize) -> Address {
        let bytes = name.as_bytes();
        Address {
            family: u16::try_from(AF_PACKET).unwrap_or(0),
            data: bytes.get(2..len).unwrap_or_default().to_vec(),
        }
    }

    /// An address that a call passes; `EINVAL`.
    fn parse(address: &Address) -> Result<SockaddrLl, Errno> {
        let bytes = address.to_bytes();
        let (name, _) = SockaddrLl::read_from_prefix(&bytes).map_err(|_| EINVAL)?;
        let len = BEFORE_ADDRESS + usize::from(name.halen);
        if bytes.len() < len {
            Err(EINVAL)
        } else {
            Ok(name)
        }
    }

    /// A line of /proc/net/packet.
    pub(crate) fn line(&self) -> String {
        let inner = self.inner.lock();
        format!(
            "{:016x} 3 {:4} {:04x} {:5} 1 {:6} {:6} {:6}\n",
            0,
            self.kind.raw(),
            inner.protocol,
            inner.link,
            self.inbox.lock().charge,
            self.uid,
            self.ino.load(Ordering::Relaxed)
        )
    }
}
