//! Packets of IP as bytes, for those who want to see or make them: raw and packet sockets,
//! and what ICMP has to say. Other data of this sandbox never becomes a packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::addr::Endpoint;

/// Bytes of the headers, without options.
pub(in crate::net) const HEAD_V4: usize = 20;
pub(in crate::net) const HEAD_V6: usize = 40;
const HEAD_UDP: usize = 8;
/// What the header of IPv4 says of fragments: there may be none.
const DONT_FRAGMENT: u16 = 0x4000;
/// IPPROTO_UDP.
const UDP: u8 = 17;

/// What the header of a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct Head {
    pub(in crate::net) from: IpAddr,
    pub(in crate::net) to: IpAddr,
    /// IPPROTO_*.
    pub(in crate::net) protocol: u8,
    pub(in crate::net) ttl: u8,
    pub(in crate::net) tos: u8,
}

/// A whole packet.
#[derive(Clone, Debug)]
pub(in crate::net) struct Packet {
    pub(in crate::net) head: Head,
    bytes: Vec<u8>,
    /// Where what the protocol says begins.
    start: usize,
}

/// Whether a packet may be cut up on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Fragments {
    Never,
    Allowed,
}

/// The sum of the 16-bit words, folded: what a checksum is the complement of.
fn sum(bytes: &[u8], start: u32) -> u16 {
    let (words, rest) = bytes.as_chunks::<2>();
    let words = words
        .iter()
        .map(|word| u32::from(u16::from_be_bytes(*word)));
    let last = rest.first().map_or(0, |byte| u32::from(*byte) << 8);
    // At most 2^15 words of a packet: 32 bits are enough.
    let mut sum = start + words.sum::<u32>() + last;
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    u16::try_from(sum).unwrap_or(0)
}

/// The checksum of what stands alone: headers of IPv4, messages of ICMP.
pub(in crate::net) fn checksum(bytes: &[u8]) -> u16 {
    !sum(bytes, 0)
}

impl Head {
    /// The sum of the pseudo header over `len` bytes.
    fn pseudo(&self, len: usize) -> u16 {
        let len = u32::try_from(len).unwrap_or(0);
        let ends = match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
            (IpAddr::V6(from), IpAddr::V6(to)) => [from.octets(), to.octets()].concat(),
            _ => Vec::new(),
        };
        sum(
            &ends,
            u32::from(self.protocol) + (len & 0xffff) + (len >> 16),
        )
    }

    /// The checksum over the pseudo header and `body`.
    pub(in crate::net) fn checksum(&self, body: &[u8]) -> u16 {
        !sum(body, self.pseudo(body.len()).into())
    }
}

impl Packet {
    /// A packet of `head` and `body`.
    pub(in crate::net) fn new(head: Head, body: &[u8], id: u16, fragments: Fragments) -> Self {
        let mut bytes = match (head.from, head.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let len = u16::try_from(HEAD_V4 + body.len()).unwrap_or(u16::MAX);
                let place = match fragments {
                    Fragments::Never => DONT_FRAGMENT,
                    Fragments::Allowed => 0,
                };
                let mut header = vec![0x45, head.tos];
                header.extend_from_slice(&len.to_be_bytes());
                header.extend_from_slice(&id.to_be_bytes());
                header.extend_from_slice(&place.to_be_bytes());
                header.extend_from_slice(&[head.ttl, head.protocol, 0, 0]);
                header.extend_from_slice(&from.octets());
                header.extend_from_slice(&to.octets());
                let sum = checksum(&header).to_be_bytes();
                put(&mut header, 10, sum);
                header
            }
            (from, to) => {
                let octets = |ip| match ip {
                    IpAddr::V4(ip) => Ipv4Addr::to_ipv6_mapped(&ip).octets(),
                    IpAddr::V6(ip) => ip.octets(),
                };
                let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
                let mut header = vec![0x60 | head.tos >> 4, head.tos << 4, 0, 0];
                header.extend_from_slice(&len.to_be_bytes());
                header.extend_from_slice(&[head.protocol, head.ttl]);
                header.extend_from_slice(&octets(from));
                header.extend_from_slice(&octets(to));
                header
            }
        };
        let start = bytes.len();
        bytes.extend_from_slice(body);
        Packet { head, bytes, start }
    }

    /// A datagram of UDP as the loopback carries it: the checksum is left open, only its
    /// pseudo header is in it.
    pub(in crate::net) fn udp(head: Head, ports: (u16, u16), data: &[u8]) -> Self {
        let head = Head {
            protocol: UDP,
            ..head
        };
        let len = HEAD_UDP + data.len();
        let mut body = Vec::with_capacity(len);
        body.extend_from_slice(&ports.0.to_be_bytes());
        body.extend_from_slice(&ports.1.to_be_bytes());
        body.extend_from_slice(&u16::try_from(len).unwrap_or(0).to_be_bytes());
        body.extend_from_slice(&head.pseudo(len).to_be_bytes());
        body.extend_from_slice(data);
        Packet::new(head, &body, 0, Fragments::Never)
    }

    /// Takes a packet apart; `None` for what is none.
    pub(in crate::net) fn parse(mut bytes: Vec<u8>) -> Option<Self> {
        let (head, start, len) = match *bytes.as_slice() {
            [first, tos, a, b, _, _, _, _, ttl, protocol, ..] if first >> 4 == 4 => {
                let at = |at: usize| bytes.get(at..at + 4)?.first_chunk::<4>().copied();
                let head = Head {
                    from: Ipv4Addr::from(at(12)?).into(),
                    to: Ipv4Addr::from(at(16)?).into(),
                    protocol,
                    ttl,
                    tos,
                };
                let start = usize::from(first & 15) * 4;
                (head, start, usize::from(u16::from_be_bytes([a, b])))
            }
            [first, second, _, _, a, b, protocol, ttl, ..] if first >> 4 == 6 => {
                let at = |at: usize| bytes.get(at..at + 16)?.first_chunk::<16>().copied();
                let head = Head {
                    from: Ipv6Addr::from(at(8)?).into(),
                    to: Ipv6Addr::from(at(24)?).into(),
                    protocol,
                    ttl,
                    tos: first << 4 | second >> 4,
                };
                let len = HEAD_V6 + usize::from(u16::from_be_bytes([a, b]));
                (head, HEAD_V6, len)
            }
            _ => return None,
        };
        if start < HEAD_V4 || len < start || len > bytes.len() {
            return None;
        }
        bytes.truncate(len);
        Some(Packet { head, bytes, start })
    }

    /// All of it.
    pub(in crate::net) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the protocol says.
    pub(in crate::net) fn body(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// As a datagram of UDP: the ends, and the data. `None` for a wrong checksum.
    pub(in crate::net) fn as_udp(&self) -> Option<(Endpoint, Endpoint, &[u8])> {
        let body = self.body();
        let [a, b, c, d, e, f, g, h, ..] = *body else {
            return None;
        };
        let len = usize::from(u16::from_be_bytes([e, f]));
        let whole = body.get(..len)?;
        let unchecked = self.head.to.is_ipv4() && (g, h) == (0, 0);
        if !unchecked && self.head.checksum(whole) != 0 {
            return None;
        }
        let end = |ip, port| Endpoint {
            ip,
            port: u16::from_be_bytes(port),
        };
        let (from, to) = (end(self.head.from, [a, b]), end(self.head.to, [c, d]));
        Some((from, to, whole.get(HEAD_UDP..)?))
    }
}

/// Overwrites two bytes.
pub(in crate::net) fn put(bytes: &mut [u8], at: usize, word: [u8; 2]) {
    if let Some(place) = bytes.get_mut(at..at + 2) {
        place.copy_from_slice(&word);
    }
}

#[cfg(test)]
mod tests {
    use super::{Fragments, Head, Packet, checksum};

    #[test]
    fn packets_are_read_as_they_were_written() {
        for (from, to) in [("127.0.0.1", "127.0.0.2"), ("::1", "fe80::1")] {
            let head = Head {
                from: from.parse().unwrap(),
                to: to.parse().unwrap(),
                protocol: 99,
                ttl: 3,
                tos: 0x48,
            };
            let packet = Packet::new(head, b"body", 7, Fragments::Never);
            if head.from.is_ipv4() {
                assert_eq!(checksum(&packet.bytes()[..20]), 0);
            }
            let mut longer = packet.bytes().to_vec();
            longer.extend_from_slice(b"padding");
            let again = Packet::parse(longer).unwrap();
            assert_eq!((again.head, again.body()), (head, &b"body"[..]));
            for len in 0..packet.bytes().len() {
                assert!(Packet::parse(packet.bytes()[..len].to_vec()).is_none());
            }
        }
    }
}
