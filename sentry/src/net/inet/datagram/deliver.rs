//! Datagrams that came for this sandbox: who gets them.

use std::sync::Arc;

use syscalls::abi::net::{
    IP_MULTICAST_ALL, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, IPV6_MULTICAST_ALL, UDP_GRO,
};

use super::super::addr::Endpoint;
use super::super::message::{Base, Datagram};
use super::super::outside::is_everybodys;
use super::super::ports::Ports;
use super::super::stack::Stack;
use super::DatagramSocket;
use crate::net::filter::Circumstances;

/// Bytes of the head of UDP.
const HEAD: usize = 8;

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Delivery {
    /// Someone has the port; there may have been no room.
    Done,
    /// Nobody has it.
    NoPort,
}

impl Stack {
    /// Hands a datagram of the protocol that `ports` belong to to whom it is for.
    pub(in crate::net) fn deliver(
        &self,
        ports: &Ports<DatagramSocket>,
        datagram: Datagram,
    ) -> Delivery {
        let to = Endpoint {
            ip: datagram.to,
            port: datagram.port,
        };
        if !to.ip.is_multicast() && !self.links.get().is_broadcast(to.ip) {
            let found = ports.find(to, datagram.from, datagram.link);
            return match found {
                Some(socket) => {
                    socket.judge(datagram);
                    Delivery::Done
                }
                None => Delivery::NoPort,
            };
        }
        let listening = ports.find_all(to, datagram.from, datagram.link);
        let members: Vec<Arc<DatagramSocket>> = if to.ip.is_multicast() {
            let joined = |socket: &Arc<DatagramSocket>| socket.groups.has(to.ip, datagram.link);
            let anyone = is_everybodys(to.ip) || self.datagrams.all().iter().any(joined);
            let wanted = |socket: &Arc<DatagramSocket>| {
                let source = Some(datagram.from.ip);
                let hears = socket.groups.hears(to.ip, datagram.link, source);
                hears.unwrap_or_else(|| anyone && socket.hears_all())
            };
            listening.into_iter().filter(wanted).collect()
        } else {
            listening
        };
        for socket in members {
            socket.judge(datagram.clone());
        }
        Delivery::Done
    }
}

impl DatagramSocket {
    /// Takes what the socket's filter wants of a datagram, which it sees from the head of
    /// UDP on.
    fn judge(&self, mut datagram: Datagram) {
        if self.options.has_filter() {
            let head = if self.pings() { 0 } else { HEAD };
            let mut seen = Vec::with_capacity(head + datagram.data.len());
            if !self.pings() {
                let len = u16::try_from(head + datagram.data.len()).unwrap_or(0);
                for word in [datagram.from.port, datagram.port, len, 0] {
                    seen.extend_from_slice(&word.to_be_bytes());
                }
            }
            seen.extend_from_slice(&datagram.data);
            let known = Circumstances {
                link: datagram.link,
                ..Circumstances::default()
            };
            let Some(wanted) = self.options.admitted(&seen, known) else {
                return;
            };
            datagram.data.truncate(wanted.saturating_sub(head));
        }
        let Some(size) = datagram.segment else {
            return self.take_in(datagram);
        };
        if self.numbers.is_set(IPPROTO_UDP, UDP_GRO) {
            return self.take_in(datagram);
        }
        for piece in datagram.data.chunks(size) {
            self.take_in(Datagram {
                data: piece.to_vec(),
                segment: None,
                ..datagram
            });
        }
    }
}

impl Base {
    /// IP_MULTICAST_ALL: what others on this host joined is heard as well.
    fn hears_all(&self) -> bool {
        self.numbers.is_set(IPPROTO_IP, IP_MULTICAST_ALL)
            && self.numbers.is_set(IPPROTO_IPV6, IPV6_MULTICAST_ALL)
    }
}
