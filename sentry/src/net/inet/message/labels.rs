//! What goes with datagrams besides data: ancillary messages of IP, ip(7) and ipv6(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use syscalls::Errno;
use syscalls::abi::net::{
    IP_ORIGDSTADDR, IP_PKTINFO, IP_PROTOCOL, IP_RECVERR, IP_RECVTOS, IP_RECVTTL, IP_TOS, IP_TTL,
    IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, IPV6_2292HOPLIMIT, IPV6_2292PKTINFO, IPV6_DONTFRAG,
    IPV6_HOPLIMIT, IPV6_ORIGDSTADDR, IPV6_PKTINFO, IPV6_RECVERR, IPV6_RECVHOPLIMIT,
    IPV6_RECVPKTINFO, IPV6_RECVTCLASS, IPV6_TCLASS, In6Pktinfo, InPktinfo, SO_MARK, SO_PRIORITY,
    SO_RCVMARK, SO_RCVPRIORITY, SOL_SOCKET, UDP_GRO, UDP_SEGMENT,
};
use syscalls::errno::EINVAL;
use zerocopy::{FromBytes, IntoBytes};

use super::super::addr::{Endpoint, Family};
use super::Base;
use super::errors::Queued;
use super::inbox::Datagram;
use crate::net::control::Note;
use crate::net::timestamp;

/// What a sender asks for in one message.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::net::inet) struct Wishes {
    pub(in crate::net::inet) source: Option<IpAddr>,
    pub(in crate::net::inet) link: u32,
    pub(in crate::net::inet) ttl: Option<u8>,
    pub(in crate::net::inet) tos: Option<u8>,
    /// Bytes of each datagram that the data is cut into.
    pub(in crate::net::inet) segment: Option<usize>,
}

/// A number of exactly four bytes.
fn number(body: &[u8]) -> Result<i32, Errno> {
    let bytes = <[u8; 4]>::try_from(body).map_err(|_| EINVAL)?;
    Ok(i32::from_ne_bytes(bytes))
}

/// A number from `least` up to what a byte holds.
fn byte(number: i32, least: u8) -> Result<Option<u8>, Errno> {
    let byte = u8::try_from(number).ok().filter(|&byte| byte >= least);
    byte.map(Some).ok_or(EINVAL)
}

/// The same, where -1 is the default.
fn byte_or_default(body: &[u8]) -> Result<Option<u8>, Errno> {
    match number(body)? {
        -1 => Ok(None),
        number => byte(number, 0),
    }
}

impl Wishes {
    /// What goes with a message on a socket of `family`; what is meant for the other one
    /// does not count.
    pub(in crate::net::inet) fn read(family: Family, notes: &[Note]) -> Result<Self, Errno> {
        let mut wishes = Wishes::default();
        for note in notes {
            let body = note.body.as_slice();
            match (family, note.level, note.kind) {
                (Family::V4, IPPROTO_IPV6, _) | (Family::V6, IPPROTO_IP, _) => {}
                (_, IPPROTO_IP, IP_PKTINFO) => {
                    let info = InPktinfo::read_from_bytes(body).map_err(|_| EINVAL)?;
                    wishes.link = u32::try_from(info.ifindex).map_err(|_| EINVAL)?;
                    let source = Ipv4Addr::from(info.spec_dst);
                    wishes.source = (!source.is_unspecified()).then_some(source.into());
                }
                (_, IPPROTO_IPV6, IPV6_PKTINFO | IPV6_2292PKTINFO) => {
                    let (info, _) = In6Pktinfo::read_from_prefix(body).map_err(|_| EINVAL)?;
                    wishes.link = info.ifindex;
                    let source = IpAddr::V6(Ipv6Addr::from(info.addr)).to_canonical();
                    wishes.source = (!source.is_unspecified()).then_some(source);
                }
                (_, IPPROTO_IP, IP_TTL) => wishes.ttl = byte(number(body)?, 1)?,
                // What UDP carries is told by its socket.
                (_, IPPROTO_IP, IP_PROTOCOL) => drop(byte(number(body)?, 1)?),
                (_, IPPROTO_IP, IP_TOS) => {
                    wishes.tos = match *body {
                        [tos] => Some(tos),
                        _ => byte(number(body)?, 0)?,
                    };
                }
                (_, IPPROTO_IPV6, IPV6_HOPLIMIT | IPV6_2292HOPLIMIT) => {
                    wishes.ttl = byte_or_default(body)?;
                }
                (_, IPPROTO_IPV6, IPV6_TCLASS) => wishes.tos = byte_or_default(body)?,
                (_, IPPROTO_IPV6, IPV6_DONTFRAG) => drop(number(body)?),
                (_, IPPROTO_UDP, UDP_SEGMENT) => {
                    let size = <[u8; 2]>::try_from(body).map_err(|_| EINVAL)?;
                    wishes.segment = Some(u16::from_ne_bytes(size).into());
                }
                (_, IPPROTO_IP | IPPROTO_IPV6, _) => return Err(EINVAL),
                _ => {}
            }
        }
        Ok(wishes)
    }
}

fn note(level: i32, kind: i32, body: &[u8]) -> Note {
    Note {
        level,
        kind,
        body: body.to_vec(),
    }
}

impl Base {
    /// The messages that this socket's program wants with a datagram.
    pub(in crate::net::inet) fn notes(&self, datagram: &Datagram, local: IpAddr) -> Vec<Note> {
        let mut notes = Vec::new();
        timestamp::note(&self.options, datagram.at, &mut notes);
        for (wanted, told) in [(SO_RCVMARK, SO_MARK), (SO_RCVPRIORITY, SO_PRIORITY)] {
            if self.options.kept(wanted) != 0 {
                notes.push(note(SOL_SOCKET, told, &[0; 4]));
            }
        }
        if let Some(size) = datagram.segment {
            let size = i32::try_from(size).unwrap_or(0);
            notes.push(note(IPPROTO_UDP, UDP_GRO, size.as_bytes()));
        }
        match (self.version(), datagram.to) {
            (Family::V4, IpAddr::V4(to)) => self.notes_v4(datagram, (to, local), &mut notes),
            (Family::V6, to) => {
                self.notes_v6(datagram, to, &mut notes);
                if let IpAddr::V4(to) = to {
                    self.notes_v4(datagram, (to, local), &mut notes);
                }
            }
            (Family::V4, IpAddr::V6(_)) => {}
        }
        notes
    }

    fn notes_v4(
        &self,
        datagram: &Datagram,
        (to, local): (Ipv4Addr, IpAddr),
        notes: &mut Vec<Note>,
    ) {
        let wants = |name| self.numbers.is_set(IPPROTO_IP, name);
        if wants(IP_PKTINFO) {
            // The local address is what an answer would come from.
            let local = match local {
                IpAddr::V4(ip) if !ip.is_unspecified() && to.is_multicast() => ip,
                _ => to,
            };
            let info = InPktinfo {
                ifindex: i32::try_from(datagram.link).unwrap_or(0),
                spec_dst: local.octets(),
                addr: to.octets(),
            };
            notes.push(note(IPPROTO_IP, IP_PKTINFO, info.as_bytes()));
        }
        if wants(IP_RECVTTL) {
            let ttl = i32::from(datagram.ttl);
            notes.push(note(IPPROTO_IP, IP_TTL, ttl.as_bytes()));
        }
        if wants(IP_RECVTOS) {
            notes.push(note(IPPROTO_IP, IP_TOS, &[datagram.tos]));
        }
        if wants(IP_ORIGDSTADDR) {
            let to = Endpoint {
                ip: to.into(),
                port: datagram.port,
            };
            let address = to.address(Family::V4).to_bytes();
            notes.push(note(IPPROTO_IP, IP_ORIGDSTADDR, &address));
        }
    }

    fn notes_v6(&self, datagram: &Datagram, to: IpAddr, notes: &mut Vec<Note>) {
        // Packets of IPv4 have no hop limit and no traffic class.
        let own = to.is_ipv6();
        let wants = |name| self.numbers.is_set(IPPROTO_IPV6, name);
        let to = match to {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        if wants(IPV6_RECVPKTINFO) {
            let info = In6Pktinfo {
                addr: to.octets(),
                ifindex: datagram.link,
            };
            notes.push(note(IPPROTO_IPV6, IPV6_PKTINFO, info.as_bytes()));
        }
        if own && wants(IPV6_RECVHOPLIMIT) {
            let hops = i32::from(datagram.ttl);
            notes.push(note(IPPROTO_IPV6, IPV6_HOPLIMIT, hops.as_bytes()));
        }
        if own && wants(IPV6_RECVTCLASS) {
            let class = i32::from(datagram.tos);
            notes.push(note(IPPROTO_IPV6, IPV6_TCLASS, class.as_bytes()));
        }
        if wants(IPV6_ORIGDSTADDR) {
            let to = Endpoint {
                ip: to.into(),
                port: datagram.port,
            };
            let address = to.address(Family::V6).to_bytes();
            notes.push(note(IPPROTO_IPV6, IPV6_ORIGDSTADDR, &address));
        }
    }

    /// The message that describes an error of the queue.
    pub(in crate::net::inet) fn note_error(&self, queued: &Queued) -> Note {
        let family = queued.to.map_or(self.version(), |to| Family::of(to.ip));
        let mut body = queued.error.as_bytes().to_vec();
        let offender = Endpoint {
            ip: queued.offender.unwrap_or(family.any()),
            port: 0,
        };
        let mut offender_bytes = offender.address(family).to_bytes();
        if queued.offender.is_none() {
            // The kernel has no address.
            offender_bytes.fill(0);
        }
        body.extend_from_slice(&offender_bytes);
        match family {
            Family::V4 => note(IPPROTO_IP, IP_RECVERR, &body),
            Family::V6 => note(IPPROTO_IPV6, IPV6_RECVERR, &body),
        }
    }
}
