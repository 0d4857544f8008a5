//! Sockets: what socket calls have in common. Families implement [`Socket`].

mod address;
mod calls;
mod control;
mod file;
mod filter;
mod given;
pub mod host;
pub mod inet;
mod interface_ioctl;
mod message;
mod namespace;
pub mod netlink;
mod option_calls;
mod option_table;
mod options;
pub mod packet;
mod timestamp;
pub mod unix;

use std::sync::Arc;

use syscalls::abi::net::{
    AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, MessageFlags, SOCK_DGRAM, SOCK_PACKET,
    SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM, SOL_SOCKET,
};
use syscalls::errno::{
    EAFNOSUPPORT, EINVAL, ENODEV, ENOPROTOOPT, ENOTTY, EOPNOTSUPP, EPROTONOSUPPORT, ESOCKTNOSUPPORT,
};
use syscalls::{Errno, Stop, SysResult};

pub use self::address::Address;
pub use self::control::Control;
pub use self::file::SocketFile;
pub(crate) use self::file::socket_at;
pub use self::given::{Asked, Given};
use self::inet::Family;
pub use self::namespace::NetNamespace;
pub use self::options::Options;
use crate::mm::Mappable;
use crate::task::Current;
use crate::vfs::{Sink, Source};
use crate::wait::{Ready, WaitQueue};

/// Semantics of a socket, socket(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SOCK_STREAM.
    Stream,
    /// SOCK_DGRAM.
    Datagram,
    /// SOCK_SEQPACKET.
    SeqPacket,
    /// SOCK_RAW.
    Raw,
}

impl Kind {
    /// From the type argument without flags.
    pub fn new(raw: i32) -> Result<Self, Errno> {
        match raw {
            SOCK_STREAM => Ok(Kind::Stream),
            SOCK_DGRAM => Ok(Kind::Datagram),
            SOCK_SEQPACKET => Ok(Kind::SeqPacket),
            SOCK_RAW => Ok(Kind::Raw),
            ..=SOCK_PACKET => Err(ESOCKTNOSUPPORT),
            _ => Err(EINVAL),
        }
    }

    /// SO_TYPE.
    #[must_use]
    pub fn raw(self) -> i32 {
        match self {
            Kind::Stream => SOCK_STREAM,
            Kind::Datagram => SOCK_DGRAM,
            Kind::SeqPacket => SOCK_SEQPACKET,
            Kind::Raw => SOCK_RAW,
        }
    }
}

/// shutdown(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Nothing is received any more.
    pub read: bool,
    /// Nothing is sent any more.
    pub write: bool,
}

impl Shutdown {
    /// One direction more, or both.
    pub(crate) fn add(&mut self, how: Shutdown) {
        self.read |= how.read;
        self.write |= how.write;
    }
}

/// What one send carries besides data.
pub struct Outgoing<'a> {
    /// The destination, if the call gave one.
    pub to: Option<Address>,
    /// Descriptors and credentials.
    pub control: Control,
    /// MSG_*.
    pub flags: MessageFlags,
    /// Who sends.
    pub task: &'a Current,
}

/// What one receive got besides data.
#[derive(Default)]
pub struct Received {
    /// Bytes put into the buffers.
    pub count: usize,
    /// Bytes of the whole datagram.
    pub whole: usize,
    /// The sender, where that can differ.
    pub from: Option<Address>,
    /// Descriptors and credentials.
    pub control: Control,
    /// What recvmsg(2) tells in its flags.
    pub told: MessageFlags,
}

/// A socket of some family. Calls do not wait: `EAGAIN` means to wait on
/// [`Socket::queue`] (or, for sending, [`Socket::send_queue`]).
#[allow(unused_variables, reason = "defaults refuse whatever the arguments")]
pub trait Socket: Send + Sync {
    /// AF_*.
    fn family(&self) -> i32;
    /// SOCK_*.
    fn kind(&self) -> Kind;
    /// Takes a datagram of the kernel's own; `EINVAL` for what is no netlink socket.
    fn deliver(&self, datagram: &[u8]) -> Result<(), Errno> {
        Err(EINVAL)
    }
    /// IPPROTO_*, SO_PROTOCOL.
    fn protocol(&self) -> i32 {
        0
    }
    /// Settings that setsockopt(2) changes.
    fn options(&self) -> &Options;
    /// True for an option of SOL_SOCKET that is the family's own business like those of other
    /// levels.
    fn has_own(&self, level: i32, name: i32) -> bool {
        level != SOL_SOCKET
    }
    /// An option of SOL_SOCKET was set.
    fn option_changed(&self, name: i32) {}
    /// Who is at the other end, where that is known: SO_PEERCRED.
    fn peer_identity(&self) -> Option<control::Identity> {
        None
    }
    /// What SO_ERROR tells, once.
    fn take_error(&self) -> Option<Errno> {
        None
    }
    /// The number of the inode that descriptors of the socket show.
    fn note_inode(&self, ino: u64) {}
    /// bind(2).
    fn bind(&self, task: &Current, to: &Address) -> Result<(), Errno>;
    /// connect(2); may wait.
    fn connect(&self, task: &Current, to: &Address, nonblocking: bool) -> Result<(), Stop>;
    /// listen(2).
    fn listen(&self, task: &Current, backlog: i32) -> Result<(), Errno> {
        Err(EOPNOTSUPP)
    }
    /// accept(2): the new socket.
    fn accept(&self) -> Result<Arc<dyn Socket>, Errno> {
        Err(EOPNOTSUPP)
    }
    /// The peer of a socket that was just accepted.
    fn accepted_from(&self) -> Address {
        self.peer().unwrap_or_else(|_| Address::unnamed())
    }
    /// The last descriptor is about to be closed by `task`, which waits for what is sent as
    /// long as SO_LINGER says; see [`FileOps::linger`](crate::vfs::FileOps::linger).
    fn linger(&self, task: &Current) {}
    /// Sends; returns how much of `src` was taken.
    fn send(&self, src: &mut Source<'_>, message: &mut Outgoing<'_>) -> Result<usize, Errno>;
    /// write(2): sends without an address or ancillary data.
    fn send_plain(&self, src: &mut Source<'_>, flags: MessageFlags) -> Result<usize, Errno>;
    /// Receives.
    fn receive(&self, dst: &mut Sink<'_>, flags: MessageFlags) -> Result<Received, Errno>;
    /// shutdown(2).
    fn shutdown(&self, how: Shutdown) -> Result<(), Errno>;
    /// getsockname(2).
    fn local(&self) -> Address;
    /// getpeername(2); `ENOTCONN`.
    fn peer(&self) -> Result<Address, Errno>;
    /// A family's own option (getsockopt(2)).
    fn get_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        asked: Asked,
    ) -> Result<Vec<u8>, Errno> {
        Err(ENOPROTOOPT)
    }
    /// A family's own option (setsockopt(2)).
    fn set_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: Given<'_>,
    ) -> Result<(), Errno> {
        Err(ENOPROTOOPT)
    }
    /// True once listen(2) was called.
    fn is_listening(&self) -> bool {
        false
    }
    /// Bytes to read (FIONREAD).
    fn readable_bytes(&self) -> Result<usize, Errno>;
    /// Bytes sent and not yet received (TIOCOUTQ).
    fn unsent_bytes(&self) -> Result<usize, Errno> {
        Ok(0)
    }
    /// What mmap(2) maps.
    fn mappable(&self) -> Result<Arc<dyn Mappable>, Errno> {
        Err(ENODEV)
    }
    /// A family's own ioctl(2).
    fn ioctl(&self, task: &mut Current, command: u32, argument: u64) -> SysResult {
        Err(ENOTTY.into())
    }
    /// What it is ready for.
    fn poll(&self) -> Ready;
    /// Told of every change of [`Socket::poll`].
    fn queue(&self) -> &WaitQueue;
    /// Where a sender waits for room at `to`; the socket's own queue for connected ones.
    fn send_queue(&self, task: &Current, to: Option<&Address>) -> WaitQueue {
        self.queue().clone()
    }
}

/// A new socket.
/// True for families that there are.
fn is_family(family: i32) -> bool {
    matches!(
        family,
        AF_INET | AF_INET6 | AF_NETLINK | AF_PACKET | AF_UNIX
    )
}

fn create(
    task: &Current,
    family: i32,
    kind: Kind,
    protocol: i32,
) -> Result<Arc<dyn Socket>, Errno> {
    match family {
        AF_INET => inet::create(task, Family::V4, kind, protocol),
        AF_INET6 => inet::create(task, Family::V6, kind, protocol),
        AF_NETLINK => Ok(netlink::NetlinkSocket::create(task, kind, protocol)?),
        AF_PACKET => Ok(packet::PacketSocket::create(task, kind, protocol)?),
        AF_UNIX if kind == Kind::Raw => create(task, family, Kind::Datagram, protocol),
        AF_UNIX if protocol == 0 || protocol == AF_UNIX => Ok(unix::UnixSocket::new(task, kind)),
        AF_UNIX => Err(EPROTONOSUPPORT),
        _ => Err(EAFNOSUPPORT.why("address family")),
    }
}
