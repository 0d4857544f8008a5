//! The process that makes sockets: what is said to it, and by whom. Packets of JSON, one
//! question at a time, each with one answer; descriptors go with them.
//!
//! The maker trusts the Sentry with nothing beyond what the list of [`Question`]s says: it
//! makes sockets of the internet alone, and binds none but these.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use platform::host::fdpass;
use serde::{Deserialize, Serialize};
use syscalls::Errno;
use syscalls::abi::net::{
    IP_TRANSPARENT, IPV6_TRANSPARENT, SO_BINDTODEVICE, SO_BINDTOIFINDEX, SO_MARK, SO_PRIORITY,
    SO_RCVMARK, SOL_IP, SOL_IPV6, SOL_SOCKET,
};
use syscalls::errno::{EBADMSG, EINTR, ENETDOWN};

use crate::net::inet::Network;
use crate::sync::{Level, Mutex};

/// The longest packet, bytes.
pub const MAX_PACKET: usize = 4096;
/// The files of /proc/net that are shown as the host has them.
pub const TABLES: &[&str] = &[
    "arp",
    "dev",
    "if_inet6",
    "netstat",
    "raw",
    "raw6",
    "route",
    "snmp",
    "sockstat",
    "sockstat6",
    "tcp",
    "tcp6",
    "udp",
    "udp6",
];
/// The most bytes of a table or a network.
const MAX_TEXT: usize = 64 << 20;
/// Read at once, bytes.
const CHUNK: usize = 64 << 10;

/// Options that CAP_NET_RAW lets a program set, by level and name.
pub const PRIVILEGED: &[(i32, i32)] = &[
    (SOL_SOCKET, SO_MARK),
    (SOL_SOCKET, SO_PRIORITY),
    (SOL_SOCKET, SO_RCVMARK),
    (SOL_SOCKET, SO_BINDTODEVICE),
    (SOL_SOCKET, SO_BINDTOIFINDEX),
    (SOL_IP, IP_TRANSPARENT),
    (SOL_IPV6, IPV6_TRANSPARENT),
];

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// A socket, socket(2): it comes with the answer.
    Socket {
        /// AF_INET or AF_INET6.
        family: i32,
        /// SOCK_STREAM, SOCK_DGRAM or SOCK_RAW.
        kind: i32,
        /// IPPROTO_*.
        protocol: i32,
    },
    /// Bind the socket that comes with this; bind(2).
    Bind(Vec<u8>),
    /// Set an option of the socket that comes with this, one of [`PRIVILEGED`].
    Option {
        /// SOL_*.
        level: i32,
        /// The option.
        name: i32,
        /// What it is set to.
        value: Vec<u8>,
    },
    /// Interfaces, addresses, routes: a file with a [`Network`] as JSON comes with the answer.
    Network,
    /// A file of /proc/net: it comes with the answer. Reading it from the start tells how
    /// things are now.
    Table(String),
}

/// What is answered: the number of an error, or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply(pub u16);

/// The Sentry's side.
pub(super) struct Maker {
    channel: OwnedFd,
    /// Whose question is on its way. The maker never waits for anything, so that nobody waits
    /// here for long.
    turn: Mutex<()>,
}

impl Maker {
    pub(super) fn new(channel: OwnedFd) -> Self {
        Maker {
            channel,
            turn: Mutex::new(Level::Leaf, ()),
        }
    }

    pub(super) fn socket(&self, family: i32, kind: i32, protocol: i32) -> Result<OwnedFd, Errno> {
        let question = Question::Socket {
            family,
            kind,
            protocol,
        };
        self.ask(&question, &[])?.ok_or(ENETDOWN)
    }

    pub(super) fn bind(&self, socket: BorrowedFd<'_>, address: &[u8]) -> Result<(), Errno> {
        self.ask(&Question::Bind(address.to_vec()), &[socket])
            .map(drop)
    }

    pub(super) fn set_option(
        &self,
        socket: BorrowedFd<'_>,
        (level, name): (i32, i32),
        value: &[u8],
    ) -> Result<(), Errno> {
        let question = Question::Option {
            level,
            name,
            value: value.to_vec(),
        };
        self.ask(&question, &[socket]).map(drop)
    }

    pub(super) fn network(&self) -> Result<Network, Errno> {
        let file = self.ask(&Question::Network, &[])?.ok_or(ENETDOWN)?;
        serde_json::from_slice(&text(&file)?).map_err(|_| EBADMSG)
    }

    pub(super) fn table(&self, name: &str) -> Result<Vec<u8>, Errno> {
        let file = self.ask(&Question::Table(name.to_owned()), &[])?;
        text(&file.ok_or(ENETDOWN)?)
    }

    /// `ENETDOWN` if the maker is gone.
    fn ask(&self, question: &Question, fds: &[BorrowedFd<'_>]) -> Result<Option<OwnedFd>, Errno> {
        let bytes = serde_json::to_vec(question).map_err(|_| EBADMSG)?;
        let mut answer = vec![0; MAX_PACKET];
        let received = {
            let _turn = self.turn.lock();
            self.exchange(&bytes, fds, &mut answer)
        };
        let received = received.map_err(|error| {
            log::error!("the process that makes sockets: {error}");
            ENETDOWN
        })?;
        let bytes = answer.get(..received.len).unwrap_or_default();
        let reply: Reply = serde_json::from_slice(bytes).map_err(|_| ENETDOWN)?;
        match reply.0 {
            0 => Ok(received.fds.into_iter().next()),
            error => Err(Errno::from_raw(error.into())),
        }
    }

    fn exchange(
        &self,
        question: &[u8],
        fds: &[BorrowedFd<'_>],
        answer: &mut [u8],
    ) -> Result<fdpass::Received, Errno> {
        again(|| fdpass::send(self.channel.as_fd(), question, fds))?;
        again(|| fdpass::receive(self.channel.as_fd(), answer))
    }
}

fn again<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(EINTR) => {}
            result => return result,
        }
    }
}

/// All of a file.
fn text(file: &OwnedFd) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::new();
    let mut chunk = vec![0; CHUNK];
    while all.len() < MAX_TEXT {
        let at = i64::try_from(all.len()).map_err(|_| EBADMSG)?;
        let count =
            again(|| nix::sys::uio::pread(file, &mut chunk, at).map_err(platform::host::errno))?;
        match chunk.get(..count) {
            None | Some([]) => break,
            Some(more) => all.extend_from_slice(more),
        }
    }
    Ok(all)
}
