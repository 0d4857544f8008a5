//! Options of a socket, udp(7), and those that depend on what it is bound to.

use syscalls::Errno;
use syscalls::abi::net::{
    AF_INET, IP_MTU, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, IPPROTO_UDPLITE, IPV6_ADDRFORM,
    IPV6_MTU, IPV6_PATHMTU, IPV6_PKTINFO, IPV6_V6ONLY, SOL_SOCKET, UDP_CORK,
};
use syscalls::errno::{EBUSY, EINVAL, ENOPROTOOPT, ENOTCONN};

use super::super::addr::Family;
use super::super::options;
use super::DatagramSocket;
use crate::net::{Asked, Given};
use crate::task::Current;

impl DatagramSocket {
    /// setsockopt(2), but for SOL_SOCKET.
    pub(super) fn change_own_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: Given<'_>,
    ) -> Result<(), Errno> {
        match (level, name) {
            (IPPROTO_IPV6, IPV6_V6ONLY)
                if self.version() == Family::V6 && self.inner.lock().hold.is_some() =>
            {
                Err(EINVAL)
            }
            (IPPROTO_IPV6, IPV6_ADDRFORM) if self.version() == Family::V6 => {
                let (peer, corked) = {
                    let inner = self.inner.lock();
                    let corked = inner.corked.as_ref();
                    (inner.peer, corked.is_some_and(|(to, _)| to.ip.is_ipv6()))
                };
                let family = value.number_or_null()?;
                if corked && family == AF_INET {
                    return Err(EBUSY);
                }
                options::check_form(family, peer, &self.numbers)?;
                self.lower();
                self.stack.regroup();
                Ok(())
            }
            (IPPROTO_IPV6, IPV6_PKTINFO) if self.version() == Family::V6 => {
                options::set_info(value)
            }
            (IPPROTO_UDP | IPPROTO_UDPLITE | IPPROTO_IP | IPPROTO_IPV6, _) => {
                self.change_option(task, level, name, value)?;
                if (level, name) == (IPPROTO_UDP, UDP_CORK) && !self.numbers.is_set(level, name) {
                    return self.uncork();
                }
                Ok(())
            }
            _ => Err(ENOPROTOOPT),
        }
    }

    /// getsockopt(2), but for SOL_SOCKET.
    pub(super) fn own_option(&self, level: i32, name: i32, asked: Asked) -> Result<Vec<u8>, Errno> {
        let room = self.who().room(level, asked)?;
        match (level, name) {
            (IPPROTO_IPV6, IPV6_ADDRFORM) => options::form(self.inner.lock().peer),
            (IPPROTO_IPV6, IPV6_PATHMTU) if room < options::PATH_MTU => Err(EINVAL),
            (IPPROTO_IP, IP_MTU) | (IPPROTO_IPV6, IPV6_MTU | IPV6_PATHMTU) => {
                let (local, peer) = {
                    let inner = self.inner.lock();
                    (inner.local.ip, inner.peer.ok_or(ENOTCONN)?)
                };
                self.mtu(local, peer.ip)
            }
            (SOL_SOCKET, _) => Err(ENOPROTOOPT),
            _ => self.option(level, name, room),
        }
    }
}
