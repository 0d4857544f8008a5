//! Looks at a frame: what is it, and whose.

use std::net::IpAddr;

use smoltcp::wire::{
    ArpOperation, ArpPacket, EthernetFrame, EthernetProtocol, IPV6_HEADER_LEN, Icmpv6Message,
    Icmpv6Packet, IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet, TcpOption, TcpPacket,
    TcpSeqNumber, UdpPacket,
};

use super::super::addr::Endpoint;
use super::fragments;
use super::recovery::Ack;
use super::wire::Arrived;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A segment of TCP.
    Segment(Segment),
    /// A neighbour says who it is.
    Neighbour(IpAddr),
    /// A part of a packet of IPv6.
    Fragment,
    /// A packet of IPv6 for a group, other than what neighbours say of themselves.
    Group,
    /// Something else that the stack understands or not.
    Other,
    /// Its checksum is wrong, or it makes no sense.
    Broken,
}

/// A segment of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) from: Endpoint,
    pub(super) to: Endpoint,
    pub(super) kind: Kind,
    /// What it acknowledges.
    pub(super) ack: Option<Ack>,
}

/// What a segment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Begins a connection.
    Opens,
    /// Ends one at once.
    Resets,
    /// Anything else.
    Goes,
}

/// See the module.
pub(super) fn look(arrived: Arrived<'_>) -> Seen {
    parse(arrived).unwrap_or(Seen::Broken)
}

fn parse(arrived: Arrived<'_>) -> Option<Seen> {
    let frame = EthernetFrame::new_checked(arrived.bytes).ok()?;
    match frame.ethertype() {
        EthernetProtocol::Arp => {
            let arp = ArpPacket::new_checked(frame.payload()).ok()?;
            let address: [u8; 4] = arp.source_protocol_addr().try_into().ok()?;
            match arp.operation() {
                ArpOperation::Reply | ArpOperation::Request => {
                    Some(Seen::Neighbour(address.into()))
                }
                ArpOperation::Unknown(_) => Some(Seen::Other),
            }
        }
        EthernetProtocol::Ipv4 => {
            let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
            if packet.more_frags() || packet.frag_offset() != 0 {
                return Some(Seen::Other);
            }
            let (from, to) = (packet.src_addr().into(), packet.dst_addr().into());
            transport(
                packet.next_header(),
                from,
                to,
                packet.payload(),
                arrived.trusted,
            )
        }
        EthernetProtocol::Ipv6 => {
            let packet = Ipv6Packet::new_checked(frame.payload()).ok()?;
            let whole = frame.payload();
            if fragments::place(whole).is_some() {
                return Some(Seen::Fragment);
            }
            let (from, to) = (packet.src_addr(), packet.dst_addr());
            let seen = transport(
                packet.next_header(),
                from.into(),
                to.into(),
                packet.payload(),
                arrived.trusted,
            )?;
            let neighbours = packet.next_header() == IpProtocol::Icmpv6;
            Some(match seen {
                Seen::Other if to.is_multicast() && !neighbours => Seen::Group,
                seen => seen,
            })
        }
        EthernetProtocol::Unknown(_) => Some(Seen::Other),
    }
}

fn transport(
    protocol: IpProtocol,
    from: IpAddress,
    to: IpAddress,
    payload: &[u8],
    trusted: bool,
) -> Option<Seen> {
    match protocol {
        IpProtocol::Tcp if from.is_unspecified() || to.is_unspecified() => None,
        IpProtocol::Tcp => {
            let tcp = TcpPacket::new_checked(payload).ok()?;
            if !trusted && !tcp.verify_checksum(&from, &to) {
                return None;
            }
            let kind = match (tcp.rst(), tcp.syn() && !tcp.ack()) {
                (true, _) => Kind::Resets,
                (false, true) => Kind::Opens,
                (false, false) => Kind::Goes,
            };
            let end = |ip: IpAddress, port| Endpoint {
                ip: ip.into(),
                port,
            };
            Some(Seen::Segment(Segment {
                from: end(from, tcp.src_port()),
                to: end(to, tcp.dst_port()),
                kind,
                ack: tcp.ack().then(|| acknowledges(&tcp)),
            }))
        }
        IpProtocol::Udp => {
            let udp = UdpPacket::new_checked(payload).ok()?;
            (trusted || udp.verify_checksum(&from, &to)).then_some(Seen::Other)
        }
        IpProtocol::Icmpv6 => {
            let icmp = Icmpv6Packet::new_checked(payload).ok()?;
            Some(match icmp.msg_type() {
                Icmpv6Message::NeighborAdvert | Icmpv6Message::NeighborSolicit => {
                    Seen::Neighbour(from.into())
                }
                _ => Seen::Other,
            })
        }
        _ => Some(Seen::Other),
    }
}

fn acknowledges(tcp: &TcpPacket<&[u8]>) -> Ack {
    let pure = tcp.payload().is_empty() && !tcp.syn() && !tcp.fin() && !tcp.rst();
    Ack {
        number: tcp.ack_number(),
        window: tcp.window_len(),
        pure,
        selective: pure && selects(tcp.options()),
    }
}

/// Whether options of TCP have ranges that are acknowledged selectively.
fn selects(mut options: &[u8]) -> bool {
    while let Ok((rest, option)) = TcpOption::parse(options) {
        match option {
            TcpOption::SackRange(_) => return true,
            TcpOption::EndOfList => return false,
            _ if rest.is_empty() => return false,
            _ => options = rest,
        }
    }
    false
}

/// A segment of TCP, its window one more or less; its checksum is wrong then.
pub(super) fn with_another_window(frame: &[u8]) -> Vec<u8> {
    let mut copy = frame.to_vec();
    let start = EthernetFrame::<&[u8]>::header_len();
    let first = copy.get(start).copied().unwrap_or_default();
    let ip = match first >> 4 {
        4 => usize::from(first & 15) * 4,
        _ => IPV6_HEADER_LEN,
    };
    // The lower byte of the window.
    if let Some(byte) = copy.get_mut(start + ip + 15) {
        *byte ^= 1;
    }
    copy
}

/// Up to where a frame that is sent continues a stream of TCP.
pub(super) fn end_of_segment(frame: &[u8]) -> Option<TcpSeqNumber> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let segment = match frame.ethertype() {
        EthernetProtocol::Ipv4 => {
            let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
            let is_tcp = packet.next_header() == IpProtocol::Tcp;
            is_tcp.then(|| packet.payload())?
        }
        EthernetProtocol::Ipv6 => {
            let packet = Ipv6Packet::new_checked(frame.payload()).ok()?;
            let is_tcp = packet.next_header() == IpProtocol::Tcp;
            is_tcp.then(|| packet.payload())?
        }
        _ => return None,
    };
    let tcp = TcpPacket::new_checked(segment).ok()?;
    let len = tcp.segment_len();
    (len > 0 && !tcp.rst()).then(|| tcp.seq_number() + len)
}

#[cfg(test)]
mod tests {
    use super::{Seen, look};
    use crate::net::inet::outside::wire::Arrived;

    /// Whatever arrives, it is looked at and nothing else happens.
    #[test]
    fn garbage_is_no_frame() {
        let mut bytes = vec![0u8; 90];
        for seed in 0..20_000u32 {
            let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
            for byte in &mut bytes {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = state.to_be_bytes()[0];
            }
            // A type that the stack knows.
            let kind: [u8; 2] = [[8, 0], [8, 6], [0x86, 0xdd]][seed as usize % 3];
            bytes[12..14].copy_from_slice(&kind);
            if kind == [8, 0] {
                bytes[14] = 0x45;
                bytes[23] = [6, 17, 1][seed as usize / 3 % 3];
            }
            let len = 14 + seed as usize % 77;
            let frame = Arrived {
                bytes: &bytes[..len],
                trusted: seed % 2 == 0,
            };
            let _: Seen = look(frame);
        }
    }
}
