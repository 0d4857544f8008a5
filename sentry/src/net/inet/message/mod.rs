//! What sockets of whole messages have in common, whatever protocol they speak: those of
//! UDP and ping (`datagram`), and raw ones (`raw`).

pub(in crate::net::inet) mod errors;
pub(in crate::net::inet) mod groups;
mod inbox;
pub(in crate::net::inet) mod labels;
mod options;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use syscalls::Errno;
use syscalls::abi::net::{
    IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IP_RECVERR, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6,
    IPV6_MULTICAST_HOPS, IPV6_MULTICAST_IF, IPV6_MULTICAST_LOOP, IPV6_RECVERR, IPV6_TCLASS,
    IPV6_UNICAST_HOPS, MessageFlags, SO_BROADCAST, SO_REUSEADDR,
};
use syscalls::errno::{EACCES, ENETUNREACH};

use self::errors::{Errors, Told};
use self::groups::Groups;
use self::inbox::Inbox;
pub(in crate::net) use self::inbox::{Datagram, truesize};
use self::labels::Wishes;
pub(in crate::net::inet) use self::options::group_request;
use super::addr::{Endpoint, Family, Version};
use super::links::Way;
use super::options::{Numbers, Who};
use super::stack::Stack;
use crate::net::{Control, Kind, Options, Received, Shutdown};
use crate::task::Current;
use crate::vfs::Sink;
use crate::wait::{Ready, WaitQueue};

/// See the module.
pub struct Base {
    version: Version,
    pub(in crate::net::inet) kind: Kind,
    /// IPPROTO_*.
    pub(in crate::net::inet) protocol: i32,
    pub(in crate::net::inet) stack: Arc<Stack>,
    pub(in crate::net::inet) options: Options,
    pub(in crate::net::inet) numbers: Numbers,
    pub(in crate::net::inet) queue: WaitQueue,
    pub(in crate::net::inet) inbox: Inbox,
    pub(in crate::net::inet) errors: Errors,
    pub(in crate::net::inet) groups: Groups,
    pub(in crate::net::inet) uid: u32,
    ino: AtomicU64,
}

/// What the header of a packet that is sent says besides addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net::inet) struct Marks {
    pub(in crate::net::inet) ttl: u8,
    pub(in crate::net::inet) tos: u8,
    /// The sender's host gets what goes to a group as well.
    pub(in crate::net::inet) loops: bool,
}

impl Drop for Base {
    fn drop(&mut self) {
        if !self.groups.is_empty() {
            self.stack.regroup();
        }
    }
}

impl Base {
    pub(in crate::net::inet) fn new(
        stack: &Arc<Stack>,
        task: &Current,
        (family, kind, protocol): (Family, Kind, i32),
    ) -> Self {
        let options = Options::default();
        // INET_PROTOSW_REUSE.
        if kind == Kind::Raw || protocol == family.icmp() {
            options.keep(SO_REUSEADDR, 1);
        }
        Base {
            version: Version::new(family),
            kind,
            protocol,
            stack: stack.clone(),
            options,
            numbers: Numbers::default(),
            queue: WaitQueue::new(),
            inbox: Inbox::default(),
            errors: Errors::default(),
            groups: Groups::default(),
            uid: task.creds.get().uid.fs,
            ino: AtomicU64::new(0),
        }
    }

    /// AF_INET or AF_INET6.
    pub(in crate::net::inet) fn version(&self) -> Family {
        self.version.get()
    }

    /// IPV6_ADDRFORM: it is a socket of IPv4 from now on, without the groups of IPv6.
    pub(in crate::net::inet) fn lower(&self) {
        self.groups.leave_v6();
        self.version.lower();
    }

    pub(in crate::net::inet) fn who(&self) -> Who {
        Who {
            family: self.version(),
            kind: self.kind,
        }
    }

    /// Number of the inode, 0 until it has one.
    pub(in crate::net::inet) fn ino(&self) -> u64 {
        self.ino.load(Ordering::Relaxed)
    }

    pub(in crate::net::inet) fn set_ino(&self, ino: u64) {
        self.ino.store(ino, Ordering::Relaxed);
    }

    /// The way to an address, from a socket that is bound to `local`.
    pub(in crate::net::inet) fn way(
        &self,
        local: IpAddr,
        to: IpAddr,
        wishes: Wishes,
    ) -> Result<Way, Errno> {
        let network = self.stack.links.get();
        let bound = !local.is_unspecified();
        let other_version = bound && local.is_ipv4() != to.is_ipv4();
        if other_version || (self.version() == Family::V6 && self.numbers.v6_only() && to.is_ipv4())
        {
            return Err(ENETUNREACH);
        }
        let mut device = self.options.device();
        let mut source = wishes.source.or(bound.then_some(local));
        if wishes.link != 0 {
            device = wishes.link;
        }
        if to.is_multicast() {
            source = source.filter(|ip| !ip.is_multicast());
            let (link, address) = self.groups.outgoing();
            let by_number = self.numbers.get(IPPROTO_IPV6, IPV6_MULTICAST_IF);
            if device == 0 {
                device = match to {
                    IpAddr::V4(_) => link,
                    IpAddr::V6(_) => u32::try_from(by_number).unwrap_or(0),
                };
            }
            source = source.or(address.map(IpAddr::V4));
        }
        let way = network.way(to, source.filter(|ip| !ip.is_multicast()), device)?;
        if network.is_broadcast(to) && self.options.kept(SO_BROADCAST) == 0 {
            return Err(EACCES);
        }
        Ok(way)
    }

    /// What the options, and one message's own wishes, say of a packet to `to`.
    pub(in crate::net::inet) fn marks(&self, to: IpAddr, wishes: Wishes) -> Marks {
        let group = to.is_multicast();
        let (ttl, tos, loops) = match to {
            IpAddr::V4(_) => {
                let name = if group { IP_MULTICAST_TTL } else { IP_TTL };
                let loops = self.numbers.is_set(IPPROTO_IP, IP_MULTICAST_LOOP);
                let number = |name| self.numbers.get(IPPROTO_IP, name);
                (number(name), number(IP_TOS), loops)
            }
            IpAddr::V6(_) => {
                let name = if group {
                    IPV6_MULTICAST_HOPS
                } else {
                    IPV6_UNICAST_HOPS
                };
                let loops = self.numbers.is_set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP);
                let number = |name| self.numbers.get(IPPROTO_IPV6, name);
                (number(name), number(IPV6_TCLASS), loops)
            }
        };
        Marks {
            ttl: wishes
                .ttl
                .unwrap_or_else(|| u8::try_from(ttl).unwrap_or(64)),
            tos: wishes.tos.unwrap_or_else(|| u8::try_from(tos).unwrap_or(0)),
            loops,
        }
    }

    /// IP_MTU of a socket that is bound to `local` and connected to `peer`.
    pub(in crate::net::inet) fn mtu(&self, local: IpAddr, peer: IpAddr) -> Result<Vec<u8>, Errno> {
        let way = self.way(local, peer, Wishes::default())?;
        let mtu = i32::try_from(way.mtu).unwrap_or(i32::MAX);
        Ok(mtu.to_ne_bytes().to_vec())
    }

    /// True if the program wants the queue of errors about what it sends to `to`.
    pub(in crate::net::inet) fn wants_errors(&self, to: IpAddr) -> bool {
        match to {
            IpAddr::V4(_) => self.numbers.is_set(IPPROTO_IP, IP_RECVERR),
            IpAddr::V6(_) => self.numbers.is_set(IPPROTO_IPV6, IPV6_RECVERR),
        }
    }

    /// Hears of what became of a packet to `to`; `data` was in it.
    pub(in crate::net::inet) fn tell(
        &self,
        told: &Told,
        connected: bool,
        to: Endpoint,
        data: impl FnOnce() -> Vec<u8>,
    ) {
        if self.wants_errors(to.ip) {
            self.errors.queue(told.queued(to, data()));
        } else if !connected || !told.is_final {
            return;
        }
        self.errors.set(told.why);
        self.queue.notify(Ready::ERR);
    }

    /// A packet to `to` is larger than what its way takes.
    pub(in crate::net::inet) fn too_large(&self, to: Endpoint, mtu: u32) {
        if self.wants_errors(to.ip) {
            // No packet of IPv4 is larger, whatever the way takes.
            let most = if to.ip.is_ipv4() { mtu.min(65535) } else { mtu };
            self.errors.too_large(to, most);
            self.queue.notify(Ready::ERR);
        }
    }

    /// MSG_ZEROCOPY is done.
    pub(in crate::net::inet) fn copied(&self) {
        self.errors.copied();
        self.queue.notify(Ready::ERR);
    }

    /// Puts something that came into the inbox.
    pub(in crate::net::inet) fn take_in(&self, datagram: Datagram) {
        if self.inbox.put(datagram, self.options.receive_limit()) {
            self.queue.notify(Ready::READABLE);
        }
    }

    /// What a socket is ready for whose sides are shut like this.
    pub(in crate::net::inet) fn readiness(&self, shut: Shutdown) -> Ready {
        let mut ready = Ready::WRITABLE;
        ready.set(Ready::ERR, self.errors.any());
        ready.set(Ready::HUP, shut.read && shut.write);
        ready.set(Ready::READABLE | Ready::RDHUP, shut.read);
        if self.inbox.next_len().is_some() {
            ready |= Ready::READABLE;
        }
        ready
    }

    /// MSG_ERRQUEUE.
    pub(in crate::net::inet) fn receive_error(
        &self,
        dst: &mut Sink<'_>,
    ) -> Result<Received, Errno> {
        let queued = self.errors.next()?;
        let whole = queued.data.len();
        let count = dst.write(&queued.data)?;
        let control = Control {
            notes: vec![self.note_error(&queued)],
            ..Control::default()
        };
        Ok(Received {
            count,
            whole,
            from: queued.to.map(|to| to.address(self.version())),
            control,
            told: MessageFlags::ERRQUEUE,
        })
    }

    /// The next message, for a socket that is bound to `local`.
    pub(in crate::net::inet) fn receive_next(
        &self,
        dst: &mut Sink<'_>,
        flags: MessageFlags,
        local: IpAddr,
    ) -> Result<Received, Errno> {
        let peeks = flags.contains(MessageFlags::PEEK);
        let datagram = match self.options.peek_offset() {
            Some(offset) if peeks => self.inbox.peek_from(offset)?,
            _ if peeks => self.inbox.peek()?,
            _ => self.inbox.take()?,
        };
        let whole = datagram.data.len();
        let room = whole.min(dst.remaining());
        let count = dst.write(datagram.data.get(..room).unwrap_or_default())?;
        if peeks {
            self.options.peeked(count);
        } else {
            self.options.taken(count);
        }
        self.options.note_stamp(datagram.at);
        let control = Control {
            notes: self.notes(&datagram, local),
            ..Control::default()
        };
        Ok(Received {
            count,
            whole,
            from: Some(datagram.from.address(self.version())),
            control,
            told: MessageFlags::empty(),
        })
    }
}
