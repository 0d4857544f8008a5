//! `--network=host`: sockets of AF_INET and AF_INET6 are sockets of the host.
//!
//! The Sentry makes none itself. A process of its own, the *maker* ([`maker`]), lives in the
//! network namespace in question, makes sockets there and hands them over; it binds them where
//! that takes a privilege, and tells about the namespace: interfaces, tables of /proc/net. So
//! the Sentry's own namespace stays empty and its filter without socket(2).
//!
//! Calls of the guest become calls of the host on such a descriptor ([`socket`]), never one
//! that waits: who has to wait does so as for every host descriptor, by
//! [`Watcher`](crate::fs::host::Watcher). What goes in or out is copied through buffers of the
//! Sentry's. Options are those of one list, which the filter has too
//! ([`platform::seccomp::sockets`]).
//!
//! Differs from Linux: MSG_ZEROCOPY copies, and SO_ZEROCOPY cannot be set; data that a fault
//! keeps from being copied out are lost; packet sockets cannot be had.

mod list;
pub mod maker;
mod message;
mod options;
mod socket;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use syscalls::Errno;
use syscalls::abi::net::{IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE};
use syscalls::errno::{EINVAL, EPERM, EPROTONOSUPPORT, ESOCKTNOSUPPORT};

use self::maker::Maker;
use self::socket::HostSocket;
use super::inet::{Family, Network};
use super::{Kind, Socket};
use crate::task::{Capabilities, Current};

/// The network of the host, as far as a sandbox has it.
pub struct HostNetwork {
    maker: Maker,
}

/// The last number of a protocol in a packet of IP.
const LAST_PROTOCOL: i32 = 255;

impl HostNetwork {
    /// By the maker at the other end of `channel`.
    #[must_use]
    pub fn new(channel: OwnedFd) -> Self {
        HostNetwork {
            maker: Maker::new(channel),
        }
    }

    /// Interfaces, addresses and routes as they are now.
    pub(super) fn network(&self) -> Result<Network, Errno> {
        self.maker.network()
    }

    /// A file of /proc/net as it is now; `ENOENT` for one that is not shown.
    pub(crate) fn table(&self, name: &str) -> Result<Vec<u8>, Errno> {
        self.maker.table(name)
    }

    /// A new socket.
    pub(super) fn create(
        self: &Arc<Self>,
        task: &Current,
        family: Family,
        kind: Kind,
        protocol: i32,
    ) -> Result<Arc<dyn Socket>, Errno> {
        let protocol = match (kind, protocol) {
            (Kind::Stream, 0) => IPPROTO_TCP,
            (Kind::Datagram, 0) => IPPROTO_UDP,
            (_, protocol) => protocol,
        };
        match (kind, protocol) {
            (Kind::Stream, IPPROTO_TCP) | (Kind::Datagram, IPPROTO_UDP | IPPROTO_UDPLITE) => {}
            (Kind::Datagram, _) if protocol == family.icmp() => {}
            (Kind::Raw, 0) => return Err(EPROTONOSUPPORT),
            (Kind::Raw, 1..=LAST_PROTOCOL) => {
                let namespace = task.net.get();
                let creds = task.creds.get();
                if !creds.has_in(&namespace.user, Capabilities::NET_RAW) {
                    return Err(EPERM);
                }
            }
            (Kind::Raw, _) => return Err(EINVAL),
            (Kind::Stream | Kind::Datagram, _) => return Err(EPROTONOSUPPORT),
            _ => return Err(ESOCKTNOSUPPORT),
        }
        let fd = self.maker.socket(family.raw(), kind.raw(), protocol)?;
        Ok(HostSocket::new(task, self, fd, (family, kind, protocol))?)
    }
}
