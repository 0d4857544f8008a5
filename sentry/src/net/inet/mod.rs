//! Sockets of AF_INET and AF_INET6, ip(7) and ipv6(7).
//!
//! [`stack`](self::stack) holds what all share: [`links`](self::links) are interfaces and
//! routes, [`ports`](self::ports) who has which port. `stream`, `datagram` and `raw` are the
//! sockets; the last two have [`message`] in common.
//! [`list`](self::list) is for those who look; [`crossing`] and [`icmp`] are about packets.
//! None of them knows whether its peer is in this sandbox: streams talk through the two
//! halves of a connection, datagrams go to whoever [`Stack::deliver`] finds. [`outside`](self::outside)
//! is the way to peers that are not.

pub mod addr;
mod crossing;
pub mod datagram;
mod icmp;
pub mod links;
pub mod list;
pub(super) mod message;
pub mod options;
mod outside;
pub(super) mod packet;
pub mod ports;
pub mod raw;
pub mod stack;
pub mod stream;

use std::sync::Arc;

use syscalls::Errno;
use syscalls::abi::net::{IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE};
use syscalls::errno::{EINVAL, EPROTONOSUPPORT, ESOCKTNOSUPPORT};

pub use self::addr::{Endpoint, Family};
use self::datagram::DatagramSocket;
pub use self::links::{Link, Network, Prefix, Route};
use self::raw::RawSocket;
pub(crate) use self::stack::Registry;
pub use self::stack::Stack;
use self::stream::StreamSocket;
use super::{Kind, Socket};
use crate::task::Current;

/// A new socket.
pub(super) fn create(
    task: &Current,
    family: Family,
    kind: Kind,
    protocol: i32,
) -> Result<Arc<dyn Socket>, Errno> {
    let stack = &task.net.get().internet;
    // IPPROTO_MAX.
    if !(0..=262).contains(&protocol) {
        return Err(EINVAL);
    }
    if let Some(host) = stack.links.host() {
        return host.create(task, family, kind, protocol);
    }
    match (kind, protocol) {
        (Kind::Stream, 0 | IPPROTO_TCP) => Ok(StreamSocket::new(stack, task, family)),
        (Kind::Datagram, 0 | IPPROTO_UDP) => {
            Ok(DatagramSocket::new(stack, task, family, IPPROTO_UDP))
        }
        (Kind::Datagram, IPPROTO_UDPLITE) => {
            Ok(DatagramSocket::new(stack, task, family, IPPROTO_UDPLITE))
        }
        (Kind::Datagram, _) if protocol == family.icmp() => {
            datagram::ping::permit(stack, task)?;
            Ok(DatagramSocket::new(stack, task, family, protocol))
        }
        (Kind::Raw, _) => Ok(RawSocket::create(stack, task, family, protocol)?),
        (Kind::Stream | Kind::Datagram, _) => Err(EPROTONOSUPPORT),
        _ => Err(ESOCKTNOSUPPORT),
    }
}
