//! Datagrams and messages of ICMP between the sandbox's sockets and the outside.
//!
//! The stack hands whole packets over, put together from their fragments, and sends whole
//! packets, cut where that is needed.

use std::net::IpAddr;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::raw::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::time::Instant;
use smoltcp::wire::{
    Icmpv4DstUnreachable, Icmpv4Packet, Icmpv4Repr, Icmpv6DstUnreachable, Icmpv6Packet, Icmpv6Repr,
    IpAddress, IpProtocol, IpRepr, IpVersion, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr,
    UdpPacket, UdpRepr,
};
use syscalls::Errno;
use syscalls::errno::{ECONNREFUSED, EHOSTUNREACH, ENETUNREACH};

use super::super::addr::Endpoint;
use super::super::datagram::{Datagram, Delivery};
use super::super::stack::Stack;
use super::engine::{Engine, Port, now};
use super::{Command, Outside};
use crate::time::now_realtime;

/// Packets that wait, and bytes of them.
const WAITING: usize = 256;
const ROOM: usize = 512 << 10;

/// Sockets of the stack for whole packets.
pub(super) struct Packets {
    sockets: SocketSet<'static>,
    all: Vec<(IpVersion, IpProtocol, SocketHandle)>,
}

/// A packet of IP, taken apart.
struct Parts<'a> {
    from: IpAddr,
    to: IpAddr,
    ttl: u8,
    protocol: IpProtocol,
    payload: &'a [u8],
}

/// Whose connection ICMP tells of, (ours, theirs), and what.
pub(super) type News = ((Endpoint, Endpoint), Errno);

impl Packets {
    pub(super) fn new() -> Self {
        let mut sockets = SocketSet::new(Vec::new());
        let kinds = [
            (IpVersion::Ipv4, IpProtocol::Udp),
            (IpVersion::Ipv6, IpProtocol::Udp),
            (IpVersion::Ipv4, IpProtocol::Icmp),
            (IpVersion::Ipv6, IpProtocol::Icmpv6),
        ];
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; WAITING], vec![0; ROOM]);
        let all = kinds.map(|(version, protocol)| {
            let socket = Socket::new(Some(version), Some(protocol), buffer(), buffer());
            (version, protocol, sockets.add(socket))
        });
        Packets {
            sockets,
            all: all.to_vec(),
        }
    }

    /// Puts a packet with the other packets that go out; drops it where there is no room.
    fn push(&mut self, packet: &[u8]) {
        let version = IpVersion::of_packet(packet).ok();
        let protocol = take_apart(packet).map(|parts| parts.protocol);
        let fits = |(v, p, _): &&(IpVersion, IpProtocol, SocketHandle)| {
            Some(*v) == version && Some(*p) == protocol
        };
        if let Some((.., handle)) = self.all.iter().find(fits) {
            let _ = self.sockets.get_mut::<Socket>(*handle).send_slice(packet);
        }
    }
}

impl Engine {
    pub(super) fn send_packet(&mut self, link: u32, packet: &[u8]) {
        if let Some(port) = self.ports.iter_mut().find(|port| port.link == link) {
            port.packets.push(packet);
            // One after the other, so that none is lost for want of room.
            port.send_packets(now());
        }
    }
}

impl Port {
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
        for (.., handle) in self.packets.all.clone() {
            loop {
                let socket = self.packets.sockets.get_mut::<Socket>(handle);
                let Ok(packet) = socket.recv().map(<[u8]>::to_vec) else {
                    break;
                };
                let Some(parts) = take_apart(&packet) else {
                    continue;
                };
                match parts.protocol {
                    IpProtocol::Udp => {
                        if deliver(guest, self.link, &parts) == Some(Delivery::NoPort)
                            && let Some(answer) = no_port(&packet, &parts)
                        {
                            self.packets.push(&answer);
                        }
                    }
                    _ => news.extend(hear(guest, &parts)),
                }
            }
        }
        news
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

/// What a message of ICMP tells of something that was sent from here.
fn hear(guest: &Stack, parts: &Parts<'_>) -> Option<News> {
    let unreachable = |network, port, code| match code {
        code if code == network => ENETUNREACH,
        code if code == port => ECONNREFUSED,
        _ => EHOSTUNREACH,
    };
    let (why, about) = match parts.protocol {
        IpProtocol::Icmp => match parts.payload {
            [3, code, _, _, _, _, _, _, about @ ..] => (unreachable(0, 3, *code), about),
            _ => return None,
        },
        _ => match parts.payload {
            [1, code, _, _, _, _, _, _, about @ ..] => (unreachable(0, 4, *code), about),
            _ => return None,
        },
    };
    // Only its beginning came along: lengths say more than there is.
    let (from, to, protocol, begin) = match about.first()? >> 4 {
        4 => {
            let header = usize::from(about.first()? & 15) * 4;
            let ip = Ipv4Packet::new_unchecked(about.get(..20)?);
            let begin = about.get(header..)?;
            (
                ip.src_addr().into(),
                ip.dst_addr().into(),
                ip.next_header(),
                begin,
            )
        }
        6 => {
            let ip = Ipv6Packet::new_unchecked(about.get(..40)?);
            let begin = about.get(40..)?;
            (
                IpAddress::from(ip.src_addr()),
                IpAddress::from(ip.dst_addr()),
                ip.next_header(),
                begin,
            )
        }
        _ => return None,
    };
    let ports = begin.get(..4)?;
    let port = |at: usize| Some(u16::from_be_bytes(ports.get(at..at + 2)?.try_into().ok()?));
    let end = |ip: IpAddress, port| Endpoint {
        ip: ip.into(),
        port,
    };
    let (local, remote) = (end(from, port(0)?), end(to, port(2)?));
    match protocol {
        IpProtocol::Tcp => Some(((local, remote), why)),
        IpProtocol::Udp => {
            let data = begin.get(8..).unwrap_or_default().to_vec();
            if why == ECONNREFUSED
                && let Some(socket) = guest.udp.find(local, remote, 0)
            {
                socket.refused_outside(remote, data);
            }
            None
        }
        _ => None,
    }
}

impl Outside {
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
