//! Raw sockets, raw(7): whole packets of IPv4, and what packets of IPv6 carry, of one
//! protocol, for whom CAP_NET_RAW allows it.
//!
//! They get copies of what comes in ([`Stack::offer_raw`]) beside those whom it is for.

mod deliver;
mod options;
mod send;
mod socket;

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::abi::net::{IP_HDRINCL, IPPROTO_ICMPV6, IPPROTO_IP, IPPROTO_RAW};
use syscalls::errno::{EINVAL, EPERM, EPROTONOSUPPORT};

use super::super::{Kind, Shutdown};
use super::addr::{Endpoint, Family};
use super::links::Way;
use super::message::Base;
use super::message::labels::Wishes;
use super::stack::Stack;
use crate::sync::{Level, Mutex};
use crate::task::{Capabilities, Current};

/// A raw socket.
pub struct RawSocket {
    base: Base,
    inner: Mutex<Inner>,
}

impl Deref for RawSocket {
    type Target = Base;

    fn deref(&self) -> &Base {
        &self.base
    }
}

struct Inner {
    /// What is received must be for this address, unless that is unspecified.
    local: IpAddr,
    /// bind(2) chose it.
    bound: bool,
    peer: Option<Endpoint>,
    shut: Shutdown,
    /// ICMP_FILTER, ICMPV6_FILTER: a bit for each type that is not wanted.
    filter: [u32; 8],
    /// IPV6_CHECKSUM: where the kernel puts and checks one.
    checksum: Option<usize>,
    /// MSG_MORE: a packet that grows, where it goes and what its sender wants.
    corked: Option<(Way, Wishes, Vec<u8>)>,
}

/// Where the checksum of ICMPv6 is.
const ICMP_CHECKSUM: usize = 2;
/// Protocols are one byte.
const LAST: i32 = 255;

impl RawSocket {
    /// A socket that is neither bound nor connected; `EPROTONOSUPPORT`, `EPERM`.
    pub fn create(
        stack: &Arc<Stack>,
        task: &Current,
        family: Family,
        protocol: i32,
    ) -> Result<Arc<Self>, Errno> {
        match protocol {
            0 => return Err(EPROTONOSUPPORT),
            1..=LAST => {}
            _ => return Err(EINVAL),
        }
        if !task
            .creds
            .get()
            .has_in(&task.net.get().user, Capabilities::NET_RAW)
        {
            return Err(EPERM);
        }
        let icmp = family == Family::V6 && protocol == IPPROTO_ICMPV6;
        let inner = Inner {
            local: family.any(),
            bound: false,
            peer: None,
            shut: Shutdown {
                read: false,
                write: false,
            },
            filter: [0; 8],
            checksum: icmp.then_some(ICMP_CHECKSUM),
            corked: None,
        };
        let base = Base::new(stack, task, (family, Kind::Raw, protocol));
        if protocol == IPPROTO_RAW {
            base.numbers.put(IPPROTO_IP, IP_HDRINCL, 1);
        }
        let socket = Arc::new(RawSocket {
            base,
            inner: Mutex::new(Level::Endpoint, inner),
        });
        stack.raws.add(&Arc::downgrade(&socket));
        Ok(socket)
    }

    /// What getsockname(2) tells: the protocol is the port.
    fn local_end(&self) -> Endpoint {
        Endpoint {
            ip: self.inner.lock().local,
            port: u16::try_from(self.protocol).unwrap_or(0),
        }
    }

    /// For lists of sockets.
    pub(super) fn summary(&self) -> super::datagram::Summary {
        let local = self.local_end();
        let peer = self.inner.lock().peer;
        super::datagram::Summary {
            local,
            peer: peer.unwrap_or_else(|| Endpoint::any(Family::of(local.ip))),
            connected: peer.is_some(),
            unread: self.inbox.charge(),
            drops: self.inbox.drops(),
            uid: self.uid,
            ino: self.ino(),
        }
    }
}
