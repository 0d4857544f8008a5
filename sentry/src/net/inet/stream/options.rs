//! Options of TCP, tcp(7), beyond plain numbers.

use syscalls::Errno;
use syscalls::abi::net::{
    IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MTU, IP_MULTICAST_IF, IP_PROTOCOL, IPPROTO_IP,
    IPPROTO_IPV6, IPPROTO_TCP, IPV6_ADDRFORM, IPV6_MTU, IPV6_MULTICAST_IF, IPV6_PATHMTU,
    IPV6_PKTINFO, IPV6_V6ONLY, SOL_SOCKET, TCP_CONGESTION, TCP_FASTOPEN, TCP_FASTOPEN_KEY,
    TCP_INFO, TCP_MAXSEG, TCP_SAVED_SYN, TCP_ULP, TCP_WINDOW_CLAMP,
};
use syscalls::errno::{EINVAL, ENOENT, ENOPROTOOPT, ENOTCONN, EPROTO};
use zerocopy::IntoBytes;

use super::StreamSocket;
use crate::net::inet::addr::Family;
use crate::net::inet::message::group_request;
use crate::net::inet::options::{self, Who, told};
use crate::net::{Asked, Given, Kind};
use crate::task::Current;

/// Bytes of a name of a congestion control.
const CONGESTION_NAME: usize = 16;
/// Those that exist, in the order of their numbers here.
const CONGESTION: [&str; 2] = ["cubic", "reno"];
/// Bytes of the keys of TCP_FASTOPEN_KEY.
const KEY: usize = 16;
const TWO_KEYS: usize = 32;
/// The largest packet of IP.
const LARGEST: u32 = 65535;
/// What fits the loopback's packets beside the headers.
pub(super) const LOOPBACK_SEGMENT: i32 = 65483;

impl StreamSocket {
    fn who(&self) -> Who {
        Who {
            family: self.version(),
            kind: Kind::Stream,
        }
    }

    pub(super) fn change_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: Given<'_>,
    ) -> Result<(), Errno> {
        match (level, name) {
            (IPPROTO_TCP, TCP_CONGESTION) => {
                let name = self.name(value)?;
                let known = CONGESTION.iter().any(|other| other.as_bytes() == name);
                if !known {
                    return Err(ENOENT);
                }
                *self.congestion.lock() = name;
                Ok(())
            }
            (IPPROTO_TCP, TCP_ULP) => {
                self.name(value)?;
                Err(ENOENT.why("no protocol above TCP"))
            }
            // Connections have their windows, and are open.
            (IPPROTO_TCP, TCP_WINDOW_CLAMP) if value.number()? == 0 && self.flow().is_some() => {
                Err(EINVAL)
            }
            (IPPROTO_TCP, TCP_FASTOPEN) if value.number()? >= 0 && self.flow().is_some() => {
                Err(EINVAL)
            }
            (IPPROTO_TCP, TCP_FASTOPEN_KEY) => match value.len() {
                KEY | TWO_KEYS => Ok(()),
                _ => Err(EINVAL),
            },
            (IPPROTO_IPV6, IPV6_V6ONLY)
                if self.version() == Family::V6 && self.inner.lock().hold.is_some() =>
            {
                Err(EINVAL)
            }
            (IPPROTO_IPV6, IPV6_ADDRFORM) if self.version() == Family::V6 => {
                let remote = self.flow().map(|flow| flow.remote);
                options::check_form(value.number_or_null()?, remote, &self.numbers)?;
                self.version.lower();
                Ok(())
            }
            (IPPROTO_IPV6, IPV6_PKTINFO) if self.version() == Family::V6 => {
                options::set_info(value)
            }
            (IPPROTO_IP, IP_MULTICAST_IF) => Err(EINVAL),
            (IPPROTO_IP | IPPROTO_IPV6, _)
                if self.who().has_level(level)
                    && name != IPV6_MULTICAST_IF
                    && group_request(level, name).is_some() =>
            {
                let least = group_request(level, name).unwrap_or(0);
                let old = matches!(name, IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP);
                let whole = old && level == IPPROTO_IP;
                if !whole && value.len() < least {
                    return Err(EINVAL);
                }
                // Streams have no groups.
                Err(EPROTO)
            }
            _ => self.numbers.change(task, self.who(), (level, name), value),
        }
    }

    /// A name that a program gives.
    fn name(&self, value: Given<'_>) -> Result<Vec<u8>, Errno> {
        let name = value.bytes()?;
        if name.is_empty() {
            return Err(EINVAL);
        }
        let name = name.get(..CONGESTION_NAME - 1).unwrap_or(&name);
        Ok(crate::sysctl::first_line(name).to_vec())
    }

    pub(super) fn option(&self, level: i32, name: i32, asked: Asked) -> Result<Vec<u8>, Errno> {
        let room = self.who().room(level, asked)?;
        match (level, name) {
            (IPPROTO_TCP, TCP_INFO) => Ok(self.info().as_bytes().to_vec()),
            (IPPROTO_TCP, TCP_CONGESTION) => {
                let mut name = self.congestion.lock().clone();
                if name.is_empty() {
                    name = CONGESTION
                        .first()
                        .map_or(&b""[..], |n| n.as_bytes())
                        .to_vec();
                }
                name.resize(CONGESTION_NAME, 0);
                Ok(name)
            }
            (IPPROTO_TCP, TCP_ULP | TCP_SAVED_SYN | TCP_FASTOPEN_KEY) => Ok(Vec::new()),
            (IPPROTO_TCP, TCP_MAXSEG) if self.flow().is_some() => {
                Ok(LOOPBACK_SEGMENT.to_ne_bytes().to_vec())
            }
            (IPPROTO_IPV6, IPV6_ADDRFORM) => options::form(self.flow().map(|flow| flow.remote)),
            (IPPROTO_IPV6, IPV6_PATHMTU) if room < options::PATH_MTU => Err(EINVAL),
            (IPPROTO_IP, IP_MTU) | (IPPROTO_IPV6, IPV6_MTU | IPV6_PATHMTU) => {
                let flow = self.flow().ok_or(ENOTCONN)?;
                let network = self.stack.links.get();
                let way = network.way(flow.remote.ip, None, 0)?;
                let mtu = i32::try_from(way.mtu.min(LARGEST)).unwrap_or(i32::MAX);
                Ok(mtu.to_ne_bytes().to_vec())
            }
            (IPPROTO_IP, IP_MULTICAST_IF | IP_PROTOCOL) => Ok(told(level, 0, room)),
            (SOL_SOCKET, _) => Err(ENOPROTOOPT),
            _ => self.numbers.tell(self.who(), level, name, room),
        }
    }
}
