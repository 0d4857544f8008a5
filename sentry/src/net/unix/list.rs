//! Sockets for those who list them: /proc/net/unix and sock_diag(7).

use super::UnixSocket;
use super::connection::Role;
use crate::net::Kind;
use std::sync::atomic::Ordering;

/// One socket.
#[derive(Clone, Debug)]
pub struct Listed {
    /// SOCK_*.
    pub kind: i32,
    /// As TCP numbers states: 1, 7 or 10.
    pub state: u8,
    /// Number of the inode, 0 without one.
    pub ino: u64,
    /// The same of the other side, if there is one.
    pub peer: Option<u64>,
    /// Its name: the bytes of `sun_path`, which begin with NUL for an abstract one.
    pub name: Option<Vec<u8>>,
    /// Inodes of connections that wait to be accepted.
    pub waiting: Vec<u64>,
    /// The most of them.
    pub backlog: usize,
    /// Bytes to be received.
    pub unread: usize,
    /// SO_COOKIE.
    pub cookie: u64,
    /// shutdown(2): 1 for receiving, 2 for sending.
    pub shut: u8,
    /// How many refer to it.
    pub references: usize,
}

const ESTABLISHED: u8 = 1;
const CLOSE: u8 = 7;
const LISTEN: u8 = 10;

impl UnixSocket {
    /// What lists tell of it.
    pub(crate) fn listed(&self) -> Listed {
        let ino = |socket: &UnixSocket| socket.ino.load(Ordering::Relaxed);
        let state = self.state.lock();
        let (number, peer, waiting, backlog) = match &state.role {
            Role::Idle => (CLOSE, None, Vec::new(), 0),
            Role::Connected { peer, .. } => {
                let peer = peer.upgrade().map(|peer| ino(&peer));
                (ESTABLISHED, peer, Vec::new(), 0)
            }
            Role::Listening { waiting, backlog } => {
                let waiting = waiting.iter().map(|socket| ino(socket)).collect();
                (LISTEN, None, waiting, *backlog)
            }
        };
        let name = state.name.as_ref().map(|name| name.address().data);
        let read_shut = u8::from(self.inbox.is_refused());
        Listed {
            kind: self.kind.raw(),
            state: number,
            ino: ino(self),
            peer,
            name,
            waiting,
            backlog,
            unread: self.inbox.waiting(self.kind == Kind::Datagram),
            cookie: self.options.cookie(),
            shut: read_shut | u8::from(state.write_shut) << 1,
            references: if peer.is_some() { 3 } else { 2 },
        }
    }
}
