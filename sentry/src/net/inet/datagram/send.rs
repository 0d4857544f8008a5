//! Sending datagrams.

use std::net::IpAddr;

use syscalls::Errno;
use syscalls::abi::net::{IPPROTO_UDP, MessageFlags, SO_ZEROCOPY, UDP_CORK, UDP_SEGMENT};
use syscalls::errno::{EDESTADDRREQ, EINVAL, EMSGSIZE, ENETUNREACH, EOPNOTSUPP, EPIPE};

use super::super::addr::Endpoint;
use super::super::icmp;
use super::super::links::{LOOPBACK, Way};
use super::super::message::errors::Told;
use super::super::message::labels::Wishes;
use super::super::message::{Base, Datagram};
use super::super::packet::{Head, Packet};
use super::deliver::Delivery;
use super::{DatagramSocket, Inner};
use crate::time::now_realtime;
use crate::vfs::Source;

/// The most data of one datagram: what the length fields of IP and UDP leave.
const MAX_V4: usize = 65507;
const MAX_V6: usize = 65527;
/// The largest packet of IPv4.
const MAX_PACKET: usize = 65535;
/// Datagrams that one send is cut into at most.
const MAX_SEGMENTS: usize = 128;

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
            if len <= MAX_PACKET || to.ip.is_ipv6() {
                self.too_large(to, way.mtu);
            }
            return Err(EMSGSIZE);
        }
        if flags.contains(MessageFlags::PROBE) {
            return Ok(len);
        }
        if let Some(error) = self.errors.take() {
            return Err(error);
        }
        let data = src.read_all()?;
        if self.pings() && !icmp::is_request(self.version(), &data) {
            return Err(EINVAL);
        }
        let Some((to, data)) = self.cork(to, data, flags)? else {
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
                // What stays here is cut where it is received.
                let whole = way.link == LOOPBACK && !self.pings();
                if whole {
                    self.emit(data, to, way, (wishes, Some(size)))?;
                } else {
                    for piece in data.chunks(size) {
                        self.emit(piece.to_vec(), to, way, (wishes, None))?;
                    }
                }
            }
            _ => self.emit(data, to, way, (wishes, None))?,
        }
        if flags.contains(MessageFlags::ZEROCOPY) && self.options.kept(SO_ZEROCOPY) != 0 {
            self.copied();
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
        if to.port == 0 && !self.pings() {
            return Err(EINVAL);
        }
        let way = self.way(inner.local.ip, to.ip, wishes)?;
        if inner.hold.is_none() {
            let at = Endpoint::any(self.version());
            self.take_port(inner, at)?;
        }
        let to = Endpoint { ip: way.to, ..to };
        Ok((to, way))
    }

    /// Adds to a datagram that grows; gives it back once it is whole. `EMSGSIZE`: it has
    /// become too large, and is lost.
    fn cork(
        &self,
        to: Endpoint,
        data: Vec<u8>,
        flags: MessageFlags,
    ) -> Result<Option<(Endpoint, Vec<u8>)>, Errno> {
        let more = flags.contains(MessageFlags::MORE) || self.numbers.is_set(IPPROTO_UDP, UDP_CORK);
        let mut inner = self.inner.lock();
        if self.pings() || (!more && inner.corked.is_none()) {
            return Ok(Some((to, data)));
        }
        let (to, mut whole) = inner.corked.take().unwrap_or((to, Vec::new()));
        whole.extend_from_slice(&data);
        if whole.len() > MAX_V4 {
            return Err(EMSGSIZE);
        }
        if more {
            inner.corked = Some((to, whole));
            return Ok(None);
        }
        Ok(Some((to, whole)))
    }

    /// UDP_CORK was taken off: what was held back goes.
    pub(super) fn uncork(&self) -> Result<(), Errno> {
        let Some((to, data)) = self.inner.lock().corked.take() else {
            return Ok(());
        };
        let wishes = Wishes::default();
        let (to, way) = self.aim(&mut self.inner.lock(), Some(to), wishes)?;
        self.emit(data, to, way, (wishes, None))
    }

    /// Sends one datagram on its way.
    fn emit(
        &self,
        data: Vec<u8>,
        to: Endpoint,
        way: Way,
        (wishes, segment): (Wishes, Option<usize>),
    ) -> Result<(), Errno> {
        let port = self.inner.lock().local.port;
        let group = to.ip.is_multicast();
        let marks = self.marks(to.ip, wishes);
        if self.pings() {
            return self.emit_ping(data, port, way, marks);
        }
        let datagram = Datagram {
            data,
            from: Endpoint {
                ip: way.source,
                port,
            },
            to: to.ip,
            port: to.port,
            link: way.link,
            ttl: marks.ttl,
            tos: marks.tos,
            at: now_realtime(),
            segment,
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
        if group && !marks.loops && way.link != LOOPBACK {
            return Ok(());
        }
        let kept = self.wants_errors(to.ip).then(|| datagram.data.clone());
        let shown = self.show(&datagram);
        if self.stack.deliver(&self.ports, datagram) == Delivery::NoPort {
            let answer = shown.and_then(|packet| icmp::unreachable(&packet, icmp::Missing::Port));
            if let Some(answer) = answer {
                self.stack.show(&answer);
            }
            self.tell(&Told::no_port(to.ip), to, || kept.unwrap_or_default());
        }
        Ok(())
    }

    /// Those who listen in see a datagram that stays in this sandbox as a packet.
    fn show(&self, datagram: &Datagram) -> Option<Packet> {
        if self.protocol != IPPROTO_UDP || !self.stack.is_watched() {
            return None;
        }
        let head = Head {
            from: datagram.from.ip,
            to: datagram.to,
            protocol: 0,
            ttl: datagram.ttl,
            tos: datagram.tos,
        };
        let ports = (datagram.from.port, datagram.port);
        let packet = Packet::udp(head, ports, &datagram.data);
        self.stack.show(&packet);
        Some(packet)
    }

    /// Hears of what became of a datagram to `to`.
    pub(in crate::net::inet) fn tell(
        &self,
        told: &Told,
        to: Endpoint,
        data: impl FnOnce() -> Vec<u8>,
    ) {
        let connected = self.inner.lock().peer.is_some();
        Base::tell(self, told, connected, to, data);
    }
}
