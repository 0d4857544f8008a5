//! Packets that come in: which raw sockets get copies.

use std::net::IpAddr;

use syscalls::abi::net::{IPPROTO_ICMP, IPPROTO_ICMPV6};

use super::super::addr::{Endpoint, Family};
use super::super::message::Datagram;
use super::super::message::errors::Told;
use super::super::packet::{Head, Packet};
use super::super::stack::Stack;
use super::RawSocket;
use crate::net::filter::Circumstances;
use crate::time::now_realtime;

impl Stack {
    /// Hands out copies of a packet; true if a socket is there for its protocol.
    pub(in crate::net::inet) fn offer_raw(&self, link: u32, packet: &Packet) -> bool {
        if self.raws.is_empty() {
            return false;
        }
        let mut heard = false;
        for socket in self.raws.all() {
            if socket.fits(link, &packet.head) {
                heard = true;
                socket.offer(link, packet);
            }
        }
        heard
    }

    /// The raw sockets of a packet's protocol hear of what became of it.
    pub(in crate::net::inet) fn tell_raw(
        &self,
        told: &Told,
        head: &Head,
        about: &[u8],
        body: &[u8],
    ) {
        if self.raws.is_empty() {
            return;
        }
        // The packet went from here: for this socket, its ends are the other way round.
        let back = Head {
            from: head.to,
            to: head.from,
            ..*head
        };
        let to = Endpoint {
            ip: head.to,
            port: 0,
        };
        for socket in self.raws.all() {
            if !socket.fits(0, &back) {
                continue;
            }
            let connected = socket.inner.lock().peer.is_some();
            let data = match socket.version() {
                Family::V4 => about,
                Family::V6 => body,
            };
            socket.tell(told, connected, to, || data.to_vec());
        }
    }
}

impl RawSocket {
    /// True if the socket is for packets with such a head.
    fn fits(&self, link: u32, head: &Head) -> bool {
        let device = self.options.device();
        if self.protocol != i32::from(head.protocol)
            || self.version() != Family::of(head.to)
            || (device != 0 && link != 0 && device != link)
        {
            return false;
        }
        let inner = self.inner.lock();
        let from_peer = inner.peer.is_none_or(|peer| peer.ip == head.from);
        let to_group = head.to.is_multicast() && self.groups.has(head.to, link);
        from_peer && (inner.local.is_unspecified() || inner.local == head.to || to_group)
    }

    /// True unless ICMP_FILTER keeps a message out.
    fn passes_filter(&self, packet: &Packet) -> bool {
        let Some(&kind) = packet.body().first() else {
            return true;
        };
        let filter = self.inner.lock().filter;
        let icmp = match self.version() {
            // The filter of IPv4 knows the first 32 types.
            Family::V4 => self.protocol == IPPROTO_ICMP && kind < 32,
            Family::V6 => self.protocol == IPPROTO_ICMPV6,
        };
        let word = filter.get(usize::from(kind / 32)).copied().unwrap_or(0);
        !icmp || word & 1 << (kind % 32) == 0
    }

    fn offer(&self, link: u32, packet: &Packet) {
        let head = packet.head;
        let group = head.to.is_multicast();
        let source = Some(head.from);
        let blocked = group && self.groups.hears(head.to, link, source) == Some(false);
        if blocked || !self.passes_filter(packet) {
            return;
        }
        let checked = self.inner.lock().checksum.is_some();
        if checked && packet.head.checksum(packet.body()) != 0 {
            return;
        }
        let data = match head.to {
            IpAddr::V4(_) => packet.bytes(),
            IpAddr::V6(_) => packet.body(),
        };
        let known = Circumstances {
            link,
            ..Circumstances::default()
        };
        let Some(wanted) = self.options.admitted(data, known) else {
            return;
        };
        let data = data.get(..wanted).unwrap_or(data);
        self.take_in(Datagram {
            data: data.to_vec(),
            from: Endpoint {
                ip: head.from,
                port: 0,
            },
            to: head.to,
            port: 0,
            link,
            ttl: head.ttl,
            tos: head.tos,
            at: now_realtime(),
            segment: None,
        });
    }
}
