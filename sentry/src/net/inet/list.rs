//! All internet sockets, for those who list them: /proc/net and sock_diag(7).

use syscalls::abi::net::IPPROTO_UDP;

use super::addr::{Endpoint, Family};
use super::datagram::Summary;
use super::stack::Stack;
use super::stream::TcpState;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Sockets of TCP.
    Tcp,
    /// Sockets of UDP.
    Udp,
    /// Raw sockets; their ports are protocols.
    Raw,
}

/// One socket, or a connection that outlives its own.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// The socket's version of IP.
    pub family: Family,
    /// This side.
    pub local: Endpoint,
    /// The other side.
    pub remote: Endpoint,
    /// As TCP numbers states; 7 for a datagram socket without a peer, 1 for one with.
    pub state: u8,
    /// Bytes sent and not received; of a listener: its backlog.
    pub unsent: usize,
    /// Bytes received and not read; of a listener: connections to be accepted.
    pub unread: usize,
    /// Nanoseconds until it is forgotten; 0 for one that has a socket.
    pub expires: u64,
    /// Datagrams that found no room.
    pub drops: u64,
    /// Whose it is.
    pub uid: u32,
    /// Number of the inode, 0 without one.
    pub ino: u64,
}

impl Listed {
    /// True for a listener.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.state == TcpState::Listen as u8
    }
}

impl Stack {
    /// The sockets of a protocol and a family that have a port.
    #[must_use]
    pub fn list(&self, protocol: Protocol, family: Family) -> Vec<Listed> {
        let mut listed = match protocol {
            Protocol::Tcp => self.list_streams(),
            Protocol::Udp => self.list_datagrams(),
            Protocol::Raw => {
                let all = self.raws.all();
                all.iter()
                    .map(|raw| raw.summary().listed(raw.version()))
                    .collect()
            }
        };
        listed.retain(|socket| socket.family == family && socket.local.port != 0);
        listed
    }

    fn list_streams(&self) -> Vec<Listed> {
        let sockets = self.streams.all();
        let mut listed: Vec<_> = sockets
            .iter()
            .map(|socket| {
                let summary = socket.summary();
                Listed {
                    family: socket.version(),
                    local: summary.local,
                    remote: summary.remote,
                    state: summary.state as u8,
                    unsent: summary.unsent,
                    unread: summary.unread,
                    expires: 0,
                    drops: 0,
                    uid: summary.uid,
                    ino: summary.ino,
                }
            })
            // What is neither connected nor listens is in no table of Linux's.
            .filter(|socket| socket.state != TcpState::Close as u8)
            .collect();
        listed.extend(self.lingering(|connection| Listed {
            family: connection.family,
            local: connection.local,
            remote: connection.remote,
            state: connection.state() as u8,
            unsent: 0,
            unread: 0,
            expires: connection.left(),
            drops: 0,
            uid: 0,
            ino: 0,
        }));
        listed.sort_by_key(|socket| !socket.listens());
        listed
    }

    fn list_datagrams(&self) -> Vec<Listed> {
        let mut sockets = self.datagrams.all();
        sockets.retain(|socket| socket.protocol == IPPROTO_UDP);
        let listed = sockets
            .iter()
            .map(|udp| udp.summary().listed(udp.version()));
        listed.collect()
    }
}

impl Summary {
    fn listed(self, family: Family) -> Listed {
        let state = if self.connected {
            TcpState::Established
        } else {
            TcpState::Close
        };
        Listed {
            family,
            local: self.local,
            remote: self.peer,
            state: state as u8,
            unsent: 0,
            unread: self.unread,
            expires: 0,
            drops: self.drops,
            uid: self.uid,
            ino: self.ino,
        }
    }
}
