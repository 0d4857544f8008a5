//! What the kernel itself says and hears by ICMP, RFC 792 and RFC 4443.

use std::net::IpAddr;

use syscalls::Errno;
use syscalls::abi::net::{IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP};
use syscalls::errno::{
    ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, ENOPROTOOPT, EOPNOTSUPP, EPROTO,
};

use super::addr::{Endpoint, Family};
use super::message::Datagram;
use super::message::errors::Told;
use super::packet::{Fragments, HEAD_V6, Head, Packet, checksum, put};
use super::stack::Stack;
use crate::time::now_realtime;

/// Types of messages.
const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const ECHO: u8 = 8;
const EXCEEDED: u8 = 11;
const PARAMETER: u8 = 12;
const UNREACHABLE_6: u8 = 1;
const TOO_BIG_6: u8 = 2;
const EXCEEDED_6: u8 = 3;
const PARAMETER_6: u8 = 4;
const ECHO_6: u8 = 128;
const ECHO_REPLY_6: u8 = 129;
/// Bytes before what a message carries.
const HEAD: usize = 8;
/// The most bytes of a message about a packet, its own headers included.
const ABOUT_V4: usize = 576;
const ABOUT_V6: usize = 1280;
/// Hops and precedence of what the kernel says.
const TTL: u8 = 64;
const INTERNETWORK_CONTROL: u8 = 0xc0;
/// ICMP's own pace of identifications does not matter; it is never 0.
const ID: u16 = 1;

/// Whom nobody was there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Port,
    Protocol,
}

/// What ICMP tells of a connection, (ours, theirs).
pub(super) type News = ((Endpoint, Endpoint), Errno);

/// The packet that carries a message, whose checksum is filled in.
pub(super) fn packet(head: Head, mut message: Vec<u8>, fragments: Fragments) -> Packet {
    let head = Head {
        protocol: u8::try_from(Family::of(head.to).icmp()).unwrap_or(0),
        ..head
    };
    put(&mut message, 2, [0, 0]);
    let sum = match head.to {
        IpAddr::V4(_) => checksum(&message),
        IpAddr::V6(_) => head.checksum(&message),
    };
    put(&mut message, 2, sum.to_be_bytes());
    let id = match fragments {
        Fragments::Never => 0,
        Fragments::Allowed => ID,
    };
    Packet::new(head, &message, id, fragments)
}

/// True if the checksum of a message is right.
fn is_whole(packet: &Packet) -> bool {
    0 == match packet.head.to {
        IpAddr::V4(_) => checksum(packet.body()),
        IpAddr::V6(_) => packet.head.checksum(packet.body()),
    }
}

/// What `from` answers to an echo request.
pub(super) fn echo(request: &Packet, from: IpAddr) -> Option<Packet> {
    let (asks, answers) = match request.head.to {
        IpAddr::V4(_) => (ECHO, ECHO_REPLY),
        IpAddr::V6(_) => (ECHO_6, ECHO_REPLY_6),
    };
    let [kind, 0, ..] = *request.body() else {
        return None;
    };
    if kind != asks || request.body().len() < HEAD || !is_whole(request) {
        return None;
    }
    let mut message = request.body().to_vec();
    *message.first_mut()? = answers;
    let head = Head {
        from,
        to: request.head.from,
        ttl: TTL,
        ..request.head
    };
    Some(packet(head, message, Fragments::Allowed))
}

/// What its sender hears of a packet that nobody was there for.
pub(super) fn unreachable(lost: &Packet, missing: Missing) -> Option<Packet> {
    let head = lost.head;
    if head.to.is_multicast() || head.from.is_unspecified() {
        return None;
    }
    let (most, start, tos) = match head.to {
        IpAddr::V4(_) => {
            let code = match missing {
                Missing::Port => 3,
                Missing::Protocol => 2,
            };
            let tos = head.tos & 0x1e | INTERNETWORK_CONTROL;
            (ABOUT_V4 - 20 - HEAD, [UNREACHABLE, code], tos)
        }
        IpAddr::V6(_) => {
            let start = match missing {
                Missing::Port => [UNREACHABLE_6, 4],
                // An unknown next header; where it stands follows.
                Missing::Protocol => [PARAMETER_6, 1],
            };
            (ABOUT_V6 - HEAD_V6 - HEAD, start, head.tos)
        }
    };
    let mut message = start.to_vec();
    message.resize(HEAD, 0);
    if start == [PARAMETER_6, 1]
        && head.to.is_ipv6()
        && let Some(place) = message.last_mut()
    {
        *place = 6;
    }
    let about = lost.bytes();
    message.extend_from_slice(about.get(..most).unwrap_or(about));
    let head = Head {
        from: head.to,
        to: head.from,
        ttl: TTL,
        tos,
        protocol: 0,
    };
    Some(packet(head, message, Fragments::Allowed))
}

/// What a code of "unreachable" means, and whether it is final.
fn meaning_v4(kind: u8, code: u8) -> Option<(Errno, bool)> {
    Some(match (kind, code) {
        (UNREACHABLE, 0 | 6 | 8 | 9 | 11) => (ENETUNREACH, matches!(code, 6 | 9)),
        (UNREACHABLE, 2) => (ENOPROTOOPT, true),
        (UNREACHABLE, 3) => (ECONNREFUSED, true),
        (UNREACHABLE, 4) => (EMSGSIZE, false),
        (UNREACHABLE, 5) => (EOPNOTSUPP, false),
        (UNREACHABLE, 1 | 12) => (EHOSTUNREACH, false),
        (UNREACHABLE, 7 | 10 | 13..=15) => (EHOSTUNREACH, true),
        (EXCEEDED, _) => (EHOSTUNREACH, false),
        (PARAMETER, _) => (EPROTO, true),
        _ => return None,
    })
}

fn meaning_v6(kind: u8, code: u8) -> Option<(Errno, bool)> {
    Some(match (kind, code) {
        (UNREACHABLE_6, 0) => (ENETUNREACH, false),
        (UNREACHABLE_6, 1 | 5 | 6) => (syscalls::errno::EACCES, true),
        (UNREACHABLE_6, 4) => (ECONNREFUSED, true),
        (UNREACHABLE_6, _) => (EHOSTUNREACH, false),
        (TOO_BIG_6, _) => (EMSGSIZE, false),
        (EXCEEDED_6, _) => (EHOSTUNREACH, false),
        (PARAMETER_6, _) => (EPROTO, true),
        _ => return None,
    })
}

impl Stack {
    /// What a message says of something that was sent from here. The sockets of datagrams
    /// hear it; news of a connection come back.
    pub(super) fn hear_error(&self, packet: &Packet) -> Option<News> {
        let [kind, code, _, _, a, b, c, d, ref about @ ..] = *packet.body() else {
            return None;
        };
        let (why, is_final) = match packet.head.to {
            IpAddr::V4(_) => meaning_v4(kind, code),
            IpAddr::V6(_) => meaning_v6(kind, code),
        }?;
        if !is_whole(packet) {
            return None;
        }
        // Only its beginning came along: its length says more than there is.
        let (head, body) = begin(about)?;
        let ports = body.get(..4)?;
        let port = |at: usize| Some(u16::from_be_bytes(ports.get(at..at + 2)?.try_into().ok()?));
        let end = |ip, port| Endpoint { ip, port };
        let (local, remote) = (end(head.from, port(0)?), end(head.to, port(2)?));
        let told = Told {
            why,
            is_final,
            kind,
            code,
            // What is told with EMSGSIZE is the largest packet that fits.
            info: match (why, head.to) {
                (EMSGSIZE, IpAddr::V4(_)) => u32::from(u16::from_be_bytes([c, d])),
                (EMSGSIZE, IpAddr::V6(_)) => u32::from_be_bytes([a, b, c, d]),
                _ => 0,
            },
            offender: packet.head.from,
        };
        self.tell_raw(&told, &head, about, body);
        match i32::from(head.protocol) {
            IPPROTO_TCP => return Some(((local, remote), why)),
            IPPROTO_UDP => {
                if let Some(socket) = self.udp.find(local, remote, 0) {
                    socket.tell(&told, remote, || {
                        body.get(HEAD..).unwrap_or_default().to_vec()
                    });
                }
            }
            IPPROTO_ICMP | IPPROTO_ICMPV6 => {
                let ident = body.get(4..6)?;
                let ident = u16::from_be_bytes(ident.try_into().ok()?);
                let local = end(head.from, ident);
                if let Some(socket) = self.ping.find(local, end(head.to, 0), 0) {
                    socket.tell(&told, end(head.to, 0), || body.to_vec());
                }
            }
            _ => {}
        }
        None
    }

    /// An answer to an echo request of a ping socket.
    pub(super) fn take_pong(&self, link: u32, packet: &Packet) {
        let answers = match packet.head.to {
            IpAddr::V4(_) => ECHO_REPLY,
            IpAddr::V6(_) => ECHO_REPLY_6,
        };
        let [kind, 0, _, _, a, b, ..] = *packet.body() else {
            return;
        };
        if kind != answers || !is_whole(packet) {
            return;
        }
        let ident = u16::from_be_bytes([a, b]);
        let datagram = Datagram {
            data: packet.body().to_vec(),
            from: Endpoint {
                ip: packet.head.from,
                port: 0,
            },
            to: packet.head.to,
            port: ident,
            link,
            ttl: packet.head.ttl,
            tos: packet.head.tos,
            at: now_realtime(),
            segment: None,
        };
        self.deliver(&self.ping, datagram);
    }
}

/// The head of the packet that a message is about, and what is there of the rest.
fn begin(about: &[u8]) -> Option<(Head, &[u8])> {
    let mut whole = about.to_vec();
    // As long as it says that it is, or it is none.
    whole.resize(about.len().max(usize::from(u16::MAX) + HEAD_V6), 0);
    let packet = Packet::parse(whole)?;
    let start = packet.bytes().len() - packet.body().len();
    Some((packet.head, about.get(start..)?))
}

/// What a program may send as an echo request by a ping socket; `EINVAL` for anything else.
pub(super) fn is_request(family: Family, message: &[u8]) -> bool {
    let asks = match family {
        Family::V4 => ECHO,
        Family::V6 => ECHO_6,
    };
    matches!(*message, [kind, 0, ..] if kind == asks) && message.len() >= HEAD
}
