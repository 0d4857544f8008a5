//! Sending datagrams.

use std::net::IpAddr;

use syscalls::Errno;
use syscalls::abi::net::{
    IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IP_RECVERR, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6,
    IPPROTO_UDP, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_IF, IPV6_MULTICAST_LOOP, IPV6_RECVERR,
    IPV6_TCLASS, IPV6_UNICAST_HOPS, MessageFlags, SO_BROADCAST, SockExtendedErr, UDP_CORK,
    UDP_SEGMENT,
};
use syscalls::errno::{
    EACCES, ECONNREFUSED, EDESTADDRREQ, EFAULT, EINVAL, EMSGSIZE, ENETUNREACH, EOPNOTSUPP, EPIPE,
};
use zerocopy::FromZeros;

use super::super::addr::{Endpoint, Family};
use super::super::links::{LOOPBACK, Way};
use super::deliver::Delivery;
use super::errors::Queued;
use super::inbox::Datagram;
use super::labels::Wishes;
use super::{DatagramSocket, Inner};
use crate::time::now_realtime;
use crate::vfs::Source;
use crate::wait::Ready;

/// The most data of one datagram: what the length fields of IP and UDP leave.
const MAX_V4: usize = 65507;
const MAX_V6: usize = 65527;
/// Datagrams that one send is cut into at most.
const MAX_SEGMENTS: usize = 64;
/// Who told of an error, `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6`.
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;

impl DatagramSocket {
    pub(super) fn send_to(
        &self,
        src: &mut Source<'_>,
        to: Option<Endpoint>,
        wishes: Wishes,
        flags: MessageFlags,
    ) -> Result<usize, Errno> {
        if flags.contains(MessageFlags::OOB) {
            return Err(EOPNOTSUPP);
        }
        let len = src.remaining();
        let (to, way) = {
            let mut inner = self.inner.lock();
            if inner.shut.write {
                return Err(EPIPE);
            }
            self.aim(&mut inner, to, wishes)?
        };
        let most = match to.ip {
            IpAddr::V4(_) => MAX_V4,
            IpAddr::V6(_) => MAX_V6,
        };
        if len > most {
            return Err(EMSGSIZE);
        }
        if let Some(error) = self.errors.take() {
            return Err(error);
        }
        let mut data = vec![0; len];
        if src.read(&mut data)? < len {
            return Err(EFAULT);
        }
        let Some((to, data)) = self.cork(to, data, flags) else {
            return Ok(len);
        };
        let segment = wishes.segment.or_else(|| {
            let kept = self.numbers.get(IPPROTO_UDP, UDP_SEGMENT);
            usize::try_from(kept).ok().filter(|&size| size > 0)
        });
        match segment {
            Some(size) if size > 0 && size < data.len() => {
                if data.len().div_ceil(size) > MAX_SEGMENTS {
                    return Err(EINVAL);
                }
                for piece in data.chunks(size) {
                    self.emit(piece.to_vec(), to, way, wishes)?;
                }
            }
            _ => self.emit(data, to, way, wishes)?,
        }
        Ok(len)
    }

    /// Where the datagram goes and how; takes a port if the socket has none.
    fn aim(
        &self,
        inner: &mut Inner,
        to: Option<Endpoint>,
        wishes: Wishes,
    ) -> Result<(Endpoint, Way), Errno> {
        let corked = inner.corked.as_ref().map(|(to, _)| *to);
        let to = to.or(corked).or(inner.peer).ok_or(EDESTADDRREQ)?;
        if to.port == 0 {
            return Err(EINVAL);
        }
        let way = self.way(inner, to.ip, wishes)?;
        if inner.hold.is_none() {
            let at = Endpoint::any(self.family);
            self.take_port(inner, at)?;
        }
        let to = Endpoint { ip: way.to, ..to };
        Ok((to, way))
    }

    /// The way to an address, as the socket is bound.
    pub(super) fn way(&self, inner: &Inner, to: IpAddr, wishes: Wishes) -> Result<Way, Errno> {
        let network = self.stack.links.get();
        let local = inner.local.ip;
        let bound = !local.is_unspecified();
        let other_version = bound && local.is_ipv4() != to.is_ipv4();
        if other_version || (self.family == Family::V6 && self.numbers.v6_only() && to.is_ipv4()) {
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

    /// Adds to a datagram that grows; gives it back once it is whole.
    fn cork(
        &self,
        to: Endpoint,
        data: Vec<u8>,
        flags: MessageFlags,
    ) -> Option<(Endpoint, Vec<u8>)> {
        let more = flags.contains(MessageFlags::MORE) || self.numbers.is_set(IPPROTO_UDP, UDP_CORK);
        let mut inner = self.inner.lock();
        if !more && inner.corked.is_none() {
            return Some((to, data));
        }
        let (to, mut whole) = inner.corked.take().unwrap_or((to, Vec::new()));
        whole.extend_from_slice(&data);
        if more && whole.len() <= MAX_V4 {
            inner.corked = Some((to, whole));
            return None;
        }
        Some((to, whole))
    }

    /// UDP_CORK was taken off: what was held back goes.
    pub(super) fn uncork(&self) -> Result<(), Errno> {
        let Some((to, data)) = self.inner.lock().corked.take() else {
            return Ok(());
        };
        let wishes = Wishes::default();
        let (to, way) = self.aim(&mut self.inner.lock(), Some(to), wishes)?;
        self.emit(data, to, way, wishes)
    }

    /// Sends one datagram on its way.
    fn emit(&self, data: Vec<u8>, to: Endpoint, way: Way, wishes: Wishes) -> Result<(), Errno> {
        let port = self.inner.lock().local.port;
        let group = to.ip.is_multicast();
        let (ttl, tos, loops) = match to.ip {
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
        let datagram = Datagram {
            data,
            from: Endpoint {
                ip: way.source,
                port,
            },
            to: to.ip,
            port: to.port,
            link: way.link,
            ttl: wishes
                .ttl
                .unwrap_or_else(|| u8::try_from(ttl).unwrap_or(64)),
            tos: wishes.tos.unwrap_or_else(|| u8::try_from(tos).unwrap_or(0)),
            at: now_realtime(),
        };
        let asked = self.stack.outside().is_some_and(|outside| {
            let resolves = way.link == LOOPBACK && self.protocol == IPPROTO_UDP;
            resolves && outside.ask(datagram.from, to, &datagram.data)
        });
        if asked {
            return Ok(());
        }
        if way.link != LOOPBACK {
            let outside = self
                .stack
                .outside()
                .filter(|_| self.protocol == IPPROTO_UDP);
            match outside {
                Some(outside) => outside.send(&datagram),
                None if group => {}
                None => return Err(ENETUNREACH.why("no way out of the sandbox")),
            }
            if !group {
                return Ok(());
            }
        }
        // What goes out by the loopback comes back whatever the program wants.
        if group && !loops && way.link != LOOPBACK {
            return Ok(());
        }
        let wants_errors = match to.ip {
            IpAddr::V4(_) => self.numbers.is_set(IPPROTO_IP, IP_RECVERR),
            IpAddr::V6(_) => self.numbers.is_set(IPPROTO_IPV6, IPV6_RECVERR),
        };
        let kept = wants_errors.then(|| datagram.data.clone());
        if self.stack.deliver(&self.ports, datagram) == Delivery::NoPort {
            self.refused(to, kept);
        }
        Ok(())
    }

    /// ICMP says that nobody has the port at `to`, to which `data` was sent.
    pub(in crate::net) fn refused_outside(&self, to: Endpoint, data: Vec<u8>) {
        let wants_errors = match to.ip {
            IpAddr::V4(_) => self.numbers.is_set(IPPROTO_IP, IP_RECVERR),
            IpAddr::V6(_) => self.numbers.is_set(IPPROTO_IPV6, IPV6_RECVERR),
        };
        self.refused(to, wants_errors.then_some(data));
    }

    /// Nobody has the port at `to`: as if ICMP had said so. `data` is there if the program
    /// wants to hear the circumstances.
    pub(in crate::net) fn refused(&self, to: Endpoint, data: Option<Vec<u8>>) {
        let connected = self.inner.lock().peer.is_some();
        if let Some(data) = data {
            let (origin, kind, code) = match to.ip {
                // Destination unreachable: port unreachable.
                IpAddr::V4(_) => (ORIGIN_ICMP, 3, 3),
                IpAddr::V6(_) => (ORIGIN_ICMP6, 1, 4),
            };
            let error = SockExtendedErr {
                errno: ECONNREFUSED.raw().into(),
                origin,
                kind,
                code,
                ..SockExtendedErr::new_zeroed()
            };
            self.errors.queue(Queued {
                error,
                offender: to.ip,
                to,
                data,
            });
        } else if !connected {
            return;
        }
        self.errors.set(ECONNREFUSED);
        self.queue.notify(Ready::ERR);
    }
}
