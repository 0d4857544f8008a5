//! Datagrams and messages of ICMP between the sandbox's sockets and the outside.
//!
//! The stack hands whole packets over, put together from their fragments, and sends whole
//! packets, cut where that is needed; what is for groups of IPv6 goes past it.

use std::net::IpAddr;

use super::super::addr::Endpoint;
use super::super::datagram::Delivery;
use super::super::icmp::{self, News};
use super::super::message::Datagram;
use super::super::packet::Packet;
use super::super::stack::Stack;
use super::engine::{Engine, Port, now};
use super::{Command, Outside, fragments};
use crate::time::now_realtime;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, TxToken};
use smoltcp::socket::raw::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::time::Instant;
use smoltcp::wire::{
    Icmpv4DstUnreachable, Icmpv4Packet, Icmpv4Repr, Icmpv6DstUnreachable, Icmpv6Packet, Icmpv6Repr,
    IpProtocol, IpRepr, IpVersion, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr, UdpPacket, UdpRepr,
};

/// Packets that wait, and bytes of them.
const WAITING: usize = 256;
const ROOM: usize = 512 << 10;

/// Sockets of the stack for whole packets.
pub(super) struct Packets {
    sockets: SocketSet<'static>,
    all: [(IpVersion, SocketHandle); 2],
    /// That of the packet that was cut last.
    identity: u32,
}

/// A packet of IP, taken apart.
struct Parts<'a> {
    from: IpAddr,
    to: IpAddr,
    ttl: u8,
    protocol: IpProtocol,
    payload: &'a [u8],
}

impl Packets {
    pub(super) fn new() -> Self {
        let mut sockets = SocketSet::new(Vec::new());
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; WAITING], vec![0; ROOM]);
        let all = [IpVersion::Ipv4, IpVersion::Ipv6].map(|version| {
            let socket = Socket::new(Some(version), None, buffer(), buffer());
            (version, sockets.add(socket))
        });
        let mut identity = [0; 4];
        // Where the host has none, they begin at zero.
        let _ = platform::host::random::fill(&mut identity);
        Packets {
            sockets,
            all,
            identity: u32::from_ne_bytes(identity),
        }
    }

    /// Puts a packet, in pieces that fit `mtu`, with the other packets that go out; drops
    /// what there is no room for.
    fn push(&mut self, packet: &[u8], mtu: usize) {
        // The stack takes it for granted that there is a destination; who asked from nowhere,
        // or made such a head, gets nothing.
        if take_apart(packet).is_none_or(|parts| parts.to.is_unspecified()) {
            return;
        }
        self.identity = self.identity.wrapping_add(1);
        for piece in fragments::cut(packet, mtu, self.identity) {
            self.push_piece(&piece);
        }
    }

    fn push_piece(&mut self, packet: &[u8]) {
        let version = IpVersion::of_packet(packet).ok();
        let fits = |(v, _): &&(IpVersion, SocketHandle)| Some(*v) == version;
        if let Some((_, handle)) = self.all.iter().find(fits) {
            let _ = self.sockets.get_mut::<Socket>(*handle).send_slice(packet);
        }
    }
}

impl Engine {
    pub(super) fn send_packet(&mut self, link: u32, packet: &[u8]) {
        if let Some(port) = self.ports.iter_mut().find(|port| port.link == link) {
            port.packets.push(packet, port.wire.mtu());
            // One after the other, so that none is lost for want of room.
            port.send_packets(now());
        }
    }
}

impl Port {
    /// Sends a frame as it is.
    pub(super) fn send_frame(&mut self, frame: &[u8]) {
        if let Some(token) = self.wire.transmit(now()) {
            token.consume(frame.len(), |room| room.copy_from_slice(frame));
        }
    }

    /// The frame that the wire holds is no connection's.
    pub(super) fn take_packet(&mut self) {
        self.wire.offer();
        let sockets = &mut self.packets.sockets;
        self.stack
            .poll_ingress_single(now(), &mut self.wire, sockets);
    }

    /// Sends what waits; when to try again.
    pub(super) fn send_packets(&mut self, now: Instant) -> Option<Instant> {
        let sockets = &mut self.packets.sockets;
        self.stack.poll_maintenance(now);
        while self.stack.poll_egress(now, &mut self.wire, sockets)
            != smoltcp::iface::PollResult::None
        {}
        let at = self.stack.poll_at(now, sockets)?;
        Some(at.max(now + smoltcp::time::Duration::from_millis(1)))
    }

    /// Hands packets that have arrived to whom they are for.
    pub(super) fn hear_packets(&mut self, guest: &Stack) -> Vec<News> {
        let mut news = Vec::new();
        for packet in std::mem::take(&mut self.groups) {
            news.extend(self.hear(guest, &packet));
        }
        for (_, handle) in self.packets.all {
            loop {
                let socket = self.packets.sockets.get_mut::<Socket>(handle);
                let Ok(packet) = socket.recv().map(<[u8]>::to_vec) else {
                    break;
                };
                news.extend(self.hear(guest, &packet));
            }
        }
        news
    }

    fn hear(&mut self, guest: &Stack, packet: &[u8]) -> Option<News> {
        let parts = take_apart(packet)?;
        let network = guest.links.get();
        let to_all = parts.to.is_multicast() || network.is_broadcast(parts.to);
        if parts.from.is_multicast() || !(to_all || network.is_local(parts.to)) {
            return None;
        }
        let whole = Packet::parse(packet.to_vec());
        if let Some(whole) = &whole {
            guest.offer_raw(self.link, whole);
        }
        let mtu = self.wire.mtu();
        match parts.protocol {
            IpProtocol::Udp => {
                if deliver(guest, self.link, &parts) == Some(Delivery::NoPort)
                    && let Some(answer) = no_port(packet, &parts)
                {
                    self.packets.push(&answer, mtu);
                }
                None
            }
            IpProtocol::Icmp | IpProtocol::Icmpv6 => {
                let packet = whole?;
                // What does not fit a frame is no longer the stack's.
                let large = packet.head.to.is_ipv6() && packet.bytes().len() > mtu;
                if large && let Some(answer) = icmp::echo(&packet, packet.head.to) {
                    self.packets.push(answer.bytes(), mtu);
                }
                guest.take_pong(self.link, &packet);
                guest.hear_error(&packet)
            }
            _ => None,
        }
    }
}

fn take_apart(packet: &[u8]) -> Option<Parts<'_>> {
    match IpVersion::of_packet(packet).ok()? {
        IpVersion::Ipv4 => {
            let ip = Ipv4Packet::new_checked(packet).ok()?;
            Some(Parts {
                from: ip.src_addr().into(),
                to: ip.dst_addr().into(),
                ttl: ip.hop_limit(),
                protocol: ip.next_header(),
                payload: packet.get(ip.header_len().into()..ip.total_len().into())?,
            })
        }
        IpVersion::Ipv6 => {
            let ip = Ipv6Packet::new_checked(packet).ok()?;
            Some(Parts {
                from: ip.src_addr().into(),
                to: ip.dst_addr().into(),
                ttl: ip.hop_limit(),
                protocol: ip.next_header(),
                payload: packet.get(ip.header_len()..ip.total_len())?,
            })
        }
    }
}

fn deliver(guest: &Stack, link: u32, parts: &Parts<'_>) -> Option<Delivery> {
    let udp = UdpPacket::new_checked(parts.payload).ok()?;
    let datagram = Datagram {
        data: udp.payload().to_vec(),
        from: Endpoint {
            ip: parts.from,
            port: udp.src_port(),
        },
        to: parts.to,
        port: udp.dst_port(),
        link,
        ttl: parts.ttl,
        // The stack does not tell.
        tos: 0,
        at: now_realtime(),
        segment: None,
    };
    Some(guest.deliver(&guest.udp, datagram))
}

/// What ICMP says to who sent `packet` to a port that nobody has.
fn no_port(packet: &[u8], parts: &Parts<'_>) -> Option<Vec<u8>> {
    let caps = ChecksumCapabilities::default();
    match (parts.from, parts.to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let ip = Ipv4Packet::new_checked(packet).ok()?;
            let header = Ipv4Repr::parse(&ip, &ChecksumCapabilities::ignored()).ok()?;
            // 576 bytes in all at most.
            let data = parts.payload.get(..parts.payload.len().min(520))?;
            let icmp = Icmpv4Repr::DstUnreachable {
                reason: Icmpv4DstUnreachable::PortUnreachable,
                header,
                data,
            };
            let ip = Ipv4Repr {
                src_addr: to,
                dst_addr: from,
                next_header: IpProtocol::Icmp,
                payload_len: icmp.buffer_len(),
                hop_limit: 64,
            };
            let mut answer = vec![0; ip.buffer_len() + icmp.buffer_len()];
            ip.emit(&mut Ipv4Packet::new_unchecked(&mut answer), &caps);
            let body = answer.get_mut(ip.buffer_len()..)?;
            icmp.emit(&mut Icmpv4Packet::new_unchecked(body), &caps);
            Some(answer)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let ip = Ipv6Packet::new_checked(packet).ok()?;
            let header = Ipv6Repr::parse(&ip).ok()?;
            let data = parts.payload.get(..parts.payload.len().min(1180))?;
            let icmp = Icmpv6Repr::DstUnreachable {
                reason: Icmpv6DstUnreachable::PortUnreachable,
                header,
                data,
            };
            let ip = Ipv6Repr {
                src_addr: to,
                dst_addr: from,
                next_header: IpProtocol::Icmpv6,
                payload_len: icmp.buffer_len(),
                hop_limit: 64,
            };
            let mut answer = vec![0; ip.buffer_len() + icmp.buffer_len()];
            ip.emit(&mut Ipv6Packet::new_unchecked(&mut answer));
            let body = answer.get_mut(ip.buffer_len()..)?;
            icmp.emit(&to, &from, &mut Icmpv6Packet::new_unchecked(body), &caps);
            Some(answer)
        }
        _ => None,
    }
}

impl Outside {
    /// Sends a packet out by an interface.
    pub(in crate::net::inet) fn packet(&self, link: u32, packet: &[u8]) {
        self.order(Command::Packet(link, packet.to_vec()));
    }

    /// Sends a frame out by an interface.
    pub(in crate::net::inet) fn frame(&self, link: u32, frame: &[u8]) {
        self.order(Command::Frame(link, frame.to_vec()));
    }

    /// Sends a datagram of UDP out by its interface.
    pub(in crate::net::inet) fn send(&self, datagram: &Datagram) {
        let udp = UdpRepr {
            src_port: datagram.from.port,
            dst_port: datagram.port,
        };
        let (from, to) = (datagram.from.ip.into(), datagram.to.into());
        let payload_len = udp.header_len() + datagram.data.len();
        let ttl = datagram.ttl.max(1);
        let ip = IpRepr::new(from, to, IpProtocol::Udp, payload_len, ttl);
        let caps = ChecksumCapabilities::default();
        let mut packet = vec![0; ip.header_len() + payload_len];
        ip.emit(&mut packet, &caps);
        if let Some(body) = packet.get_mut(ip.header_len()..) {
            udp.emit(
                &mut UdpPacket::new_unchecked(body),
                &from,
                &to,
                datagram.data.len(),
                |room| room.copy_from_slice(&datagram.data),
                &caps,
            );
        }
        self.order(Command::Packet(datagram.link, packet));
    }
}
