//! Frames that pass by: which packet sockets get copies.

use std::net::IpAddr;

use syscalls::abi::net::{AF_PACKET, PACKET_IGNORE_OUTGOING, SockaddrLl};
use zerocopy::FromZeros;

use super::{ADDRESS, ALL, Direction, Frame, HEAD, PacketSocket};
use crate::net::inet::Stack;
use crate::net::inet::packet::Packet;
use crate::net::netlink;
use crate::time::now_realtime;

/// ETH_P_IP and ETH_P_IPV6.
const IP: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// PACKET_*.
const FOR_HOST: u8 = 0;
const BROADCAST: u8 = 1;
const MULTICAST: u8 = 2;
const FOR_OTHERS: u8 = 3;
const OUTGOING: u8 = 4;

/// The frame that carries a packet over the loopback.
fn framed(packet: &Packet) -> Vec<u8> {
    let kind = match packet.head.to {
        IpAddr::V4(_) => IP,
        IpAddr::V6(_) => IPV6,
    };
    let mut frame = vec![0; 2 * ADDRESS];
    frame.extend_from_slice(&kind.to_be_bytes());
    frame.extend_from_slice(packet.bytes());
    frame
}

impl Stack {
    /// Shows a packet of this sandbox to those who listen in.
    pub(in crate::net) fn tap(&self, link: u32, direction: Direction, packet: &Packet) {
        if !self.taps.is_empty() {
            self.tap_frame(link, direction, &framed(packet), None);
        }
    }

    /// Shows a frame to those who listen in, but for its sender.
    pub(in crate::net) fn tap_frame(
        &self,
        link: u32,
        direction: Direction,
        frame: &[u8],
        sender: Option<&PacketSocket>,
    ) {
        let network = self.links.get();
        let Some(link) = network.link(link) else {
            return;
        };
        let Some(kind) = frame.get(12..HEAD).and_then(|kind| kind.first_chunk::<2>()) else {
            return;
        };
        let (to, from) = (frame.get(..6), frame.get(6..12).unwrap_or_default());
        let mut name = SockaddrLl::new_zeroed();
        name.family = u16::try_from(AF_PACKET).unwrap_or(0);
        name.protocol = *kind;
        name.ifindex = i32::try_from(link.index).unwrap_or(0);
        name.hatype = netlink::hardware(link);
        name.halen = 6;
        name.pkttype = match (direction, to) {
            (Direction::Out, _) => OUTGOING,
            (Direction::In, Some(to)) if to == link.mac => FOR_HOST,
            (Direction::In, Some([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])) => BROADCAST,
            (Direction::In, Some([first, ..])) if first & 1 != 0 => MULTICAST,
            (Direction::In, _) => FOR_OTHERS,
        };
        for (place, byte) in name.addr.iter_mut().zip(from) {
            *place = *byte;
        }
        let protocol = u16::from_be_bytes(*kind);
        for socket in self.taps.all() {
            let own = sender.is_some_and(|sender| std::ptr::eq(sender, &*socket));
            if !(own && direction == Direction::Out)
                && socket.wants(link.index, direction, protocol)
            {
                socket.take_in(Frame {
                    bytes: frame.to_vec(),
                    len: frame.len() - socket.start(),
                    from: name,
                    open: sender.is_none() && link.is_loopback() && is_open(frame),
                    at: now_realtime(),
                });
            }
        }
    }
}

/// True for what the loopback carries without its checksum.
fn is_open(frame: &[u8]) -> bool {
    const UDP: u8 = 17;
    match frame.get(HEAD..) {
        Some([first, ..]) if first >> 4 == 4 => frame.get(HEAD + 9) == Some(&UDP),
        Some([_, ..]) => frame.get(HEAD + 6) == Some(&UDP),
        _ => false,
    }
}

impl PacketSocket {
    fn wants(&self, link: u32, direction: Direction, protocol: u16) -> bool {
        let inner = self.inner.lock();
        let own = match inner.protocol {
            0 => false,
            ALL => direction == Direction::In || self.options.kept(-PACKET_IGNORE_OUTGOING) == 0,
            own => direction == Direction::In && own == protocol,
        };
        own && (inner.link == 0 || inner.link == link)
    }
}
