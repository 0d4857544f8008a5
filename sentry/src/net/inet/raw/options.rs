//! Options of raw sockets, raw(7) and ipv6(7).

use syscalls::Errno;
use syscalls::abi::net::{
    AF_INET, ICMP_FILTER, IP_MTU, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_IP, IPPROTO_IPV6,
    IPV6_ADDRFORM, IPV6_CHECKSUM, IPV6_HDRINCL, IPV6_MTU, IPV6_PATHMTU, IPV6_PKTINFO, SOL_RAW,
    SOL_SOCKET,
};
use syscalls::errno::{EINVAL, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP};

use super::super::addr::Family;
use super::super::options;
use super::RawSocket;
use crate::net::{Asked, Given};
use crate::task::Current;

/// Bytes of the filters.
const FILTER_V4: usize = 4;
const FILTER_V6: usize = 32;

impl RawSocket {
    /// Whether getsockopt(2) knows an option of these levels.
    fn filter_level(&self, level: i32, name: i32) -> Result<(), Errno> {
        match (self.version(), level, name) {
            (Family::V6, SOL_RAW, IPV6_CHECKSUM) => Ok(()),
            (Family::V4, IPPROTO_ICMPV6, _) => Err(EOPNOTSUPP),
            _ => self.filter_len(level, name).map(drop),
        }
    }

    /// The bytes of the filter that the level has on this socket.
    fn filter_len(&self, level: i32, name: i32) -> Result<usize, Errno> {
        let (icmp, len) = match (self.version(), level) {
            (Family::V4, SOL_RAW) => (IPPROTO_ICMP, FILTER_V4),
            (Family::V6, IPPROTO_ICMPV6) => (IPPROTO_ICMPV6, FILTER_V6),
            _ => return Err(ENOPROTOOPT),
        };
        match (level, name) {
            // Any name of ICMPv6's level is refused where there is none.
            (SOL_RAW, ICMP_FILTER) | (IPPROTO_ICMPV6, _) if self.protocol != icmp => {
                Err(EOPNOTSUPP)
            }
            (_, ICMP_FILTER) => Ok(len),
            _ => Err(ENOPROTOOPT),
        }
    }

    /// setsockopt(2), but for SOL_SOCKET.
    pub(super) fn change_own_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: Given<'_>,
    ) -> Result<(), Errno> {
        match (level, name) {
            (SOL_RAW | IPPROTO_IPV6, IPV6_CHECKSUM) if self.version() == Family::V6 => {
                let offset = value.number()?;
                if self.protocol == IPPROTO_ICMPV6 && level == IPPROTO_IPV6 {
                    return Err(EINVAL);
                }
                if offset > 0 && offset % 2 != 0 {
                    return Err(EINVAL);
                }
                self.inner.lock().checksum = usize::try_from(offset).ok();
                Ok(())
            }
            // What is not known at this level is read all the same.
            (SOL_RAW, _) if self.version() == Family::V6 => {
                value.number()?;
                Err(ENOPROTOOPT)
            }
            (SOL_RAW | IPPROTO_ICMPV6, _) => {
                let len = self.filter_len(level, name)?;
                let value = value.bytes()?;
                let value = value.get(..len.min(value.len())).unwrap_or_default();
                let mut inner = self.inner.lock();
                let mut bytes = inner.filter.map(u32::to_ne_bytes).concat();
                for (place, byte) in bytes.iter_mut().zip(value) {
                    *place = *byte;
                }
                for (word, bytes) in inner.filter.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *word = u32::from_ne_bytes(*bytes);
                }
                Ok(())
            }
            (IPPROTO_IPV6, IPV6_HDRINCL) if self.version() == Family::V6 => {
                self.numbers
                    .put(level, name, i32::from(value.number()? != 0));
                Ok(())
            }
            (IPPROTO_IPV6, IPV6_ADDRFORM) if self.version() == Family::V6 => {
                match value.number_or_null()? {
                    AF_INET => Err(ENOPROTOOPT),
                    _ => Err(EINVAL),
                }
            }
            (IPPROTO_IPV6, IPV6_PKTINFO) if self.version() == Family::V6 => {
                options::set_info(value)
            }
            (IPPROTO_IP | IPPROTO_IPV6, _) => self.change_option(task, level, name, value),
            _ => Err(ENOPROTOOPT),
        }
    }

    /// getsockopt(2), but for SOL_SOCKET.
    pub(super) fn own_option(&self, level: i32, name: i32, asked: Asked) -> Result<Vec<u8>, Errno> {
        if matches!(level, SOL_RAW | IPPROTO_ICMPV6) {
            self.filter_level(level, name)?;
        }
        let room = match level {
            SOL_RAW | IPPROTO_ICMPV6 => asked.room()?,
            _ => self.who().room(level, asked)?,
        };
        match (level, name) {
            (SOL_RAW | IPPROTO_IPV6, IPV6_CHECKSUM) if self.version() == Family::V6 => {
                let checksum = self.inner.lock().checksum;
                let at = checksum.and_then(|at| i32::try_from(at).ok());
                Ok(at.unwrap_or(-1).to_ne_bytes().to_vec())
            }
            (SOL_RAW | IPPROTO_ICMPV6, _) => {
                let len = self.filter_len(level, name)?;
                let mut bytes = self.inner.lock().filter.map(u32::to_ne_bytes).concat();
                bytes.truncate(len);
                Ok(bytes)
            }
            (IPPROTO_IPV6, IPV6_PATHMTU) if room < options::PATH_MTU => Err(EINVAL),
            (IPPROTO_IP, IP_MTU) | (IPPROTO_IPV6, IPV6_MTU | IPV6_PATHMTU) => {
                let (local, peer) = {
                    let inner = self.inner.lock();
                    (inner.local, inner.peer.ok_or(ENOTCONN)?)
                };
                self.mtu(local, peer.ip)
            }
            (SOL_SOCKET, _) => Err(ENOPROTOOPT),
            _ => self.option(level, name, room),
        }
    }
}
