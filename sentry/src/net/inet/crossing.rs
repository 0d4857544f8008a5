//! Packets that come in, from the loopback or from outside: who listens in, and what the
//! kernel itself makes of them.
//!
//! Datagrams and streams between sockets of this sandbox never become packets, unless
//! somebody looks ([`Stack::is_watched`]): then copies are made for them.

use syscalls::Errno;
use syscalls::abi::net::{IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDP};
use syscalls::errno::ENETUNREACH;

use super::datagram::Delivery;
use super::icmp;
use super::links::{LOOPBACK, Way};
use super::message::Datagram;
use super::packet::Packet;
use super::stack::Stack;
use crate::net::packet::Direction;
use crate::time::now_realtime;

impl Stack {
    /// True if copies of packets are wanted.
    pub(in crate::net) fn is_watched(&self) -> bool {
        !(self.raws.is_empty() && self.taps.is_empty())
    }

    /// Sends a packet on its way; `ENETUNREACH` without a way out.
    pub(in crate::net) fn dispatch(&self, way: Way, packet: &Packet) -> Result<(), Errno> {
        if way.link == LOOPBACK {
            self.cross(packet);
            return Ok(());
        }
        let outside = self.outside().ok_or(ENETUNREACH)?;
        outside.packet(way.link, packet.bytes());
        Ok(())
    }

    /// A packet crosses the loopback.
    pub(in crate::net) fn cross(&self, packet: &Packet) {
        self.tap(LOOPBACK, Direction::Out, packet);
        self.tap(LOOPBACK, Direction::In, packet);
        self.take_packet(packet);
    }

    /// Copies of what crosses the loopback without being a packet. True if a raw socket
    /// took one.
    pub(in crate::net) fn show(&self, packet: &Packet) -> bool {
        self.tap(LOOPBACK, Direction::Out, packet);
        self.tap(LOOPBACK, Direction::In, packet);
        self.offer_raw(LOOPBACK, packet)
    }

    /// Sends a frame out by an interface beyond the loopback; `ENETUNREACH`.
    pub(in crate::net) fn send_frame(&self, link: u32, frame: &[u8]) -> Result<(), Errno> {
        let outside = self.outside().ok_or(ENETUNREACH)?;
        outside.frame(link, frame);
        Ok(())
    }

    /// The kernel takes a packet that arrives on the loopback.
    pub(in crate::net) fn take_packet(&self, packet: &Packet) {
        let network = self.links.get();
        let to = packet.head.to;
        // What is for others was lost on the way round.
        if !(network.is_local(to) || to.is_multicast() || network.is_broadcast(to)) {
            return;
        }
        let heard = self.offer_raw(LOOPBACK, packet);
        match i32::from(packet.head.protocol) {
            IPPROTO_ICMP if to.is_ipv4() => self.hear_icmp(packet),
            IPPROTO_ICMPV6 if to.is_ipv6() => self.hear_icmp(packet),
            IPPROTO_UDP => self.hear_udp(packet),
            // Segments that no connection in memory has sent.
            syscalls::abi::net::IPPROTO_TCP => {}
            _ if !heard => self.answer(icmp::unreachable(packet, icmp::Missing::Protocol)),
            _ => {}
        }
    }

    /// The kernel says something itself.
    fn answer(&self, packet: Option<Packet>) {
        if let Some(packet) = packet {
            self.cross(&packet);
        }
    }

    fn hear_icmp(&self, packet: &Packet) {
        let silent = self.setting("net.ipv4.icmp_echo_ignore_all", 0) != 0;
        let groups = packet.head.to.is_multicast() || self.links.get().is_broadcast(packet.head.to);
        let network = self.links.get();
        let own = |ip| {
            if groups {
                network.way(ip, None, 0).map(|way| way.source).ok()
            } else {
                None
            }
        };
        let from = own(packet.head.from).unwrap_or(packet.head.to);
        if let Some(answer) = icmp::echo(packet, from)
            && !(groups && packet.head.to.is_ipv4())
            && !(silent && packet.head.to.is_ipv4())
        {
            return self.cross(&answer);
        }
        self.take_pong(LOOPBACK, packet);
        // What it says of a connection in memory is no news there.
        let _ = self.hear_error(packet);
    }

    fn hear_udp(&self, packet: &Packet) {
        let Some((from, to, data)) = packet.as_udp() else {
            return;
        };
        let datagram = Datagram {
            data: data.to_vec(),
            from,
            to: to.ip,
            port: to.port,
            link: LOOPBACK,
            ttl: packet.head.ttl,
            tos: packet.head.tos,
            at: now_realtime(),
            segment: None,
        };
        if self.deliver(&self.udp, datagram) == Delivery::NoPort {
            self.answer(icmp::unreachable(packet, icmp::Missing::Port));
        }
    }
}
