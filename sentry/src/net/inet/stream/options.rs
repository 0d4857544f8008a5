//! Options of TCP, tcp(7), beyond plain numbers.

use syscalls::Errno;
use syscalls::abi::net::{
    IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPV6_V6ONLY, SOL_SOCKET, TCP_CONGESTION, TCP_INFO,
    TCP_MAXSEG, TCP_ULP,
};
use syscalls::errno::{EINVAL, ENOENT, ENOPROTOOPT};
use zerocopy::IntoBytes;

use super::{Role, StreamSocket};
use crate::net::Kind;
use crate::net::inet::options::{Who, told};
use crate::task::Current;

/// Bytes of a name of a congestion control.
const CONGESTION_NAME: usize = 16;
/// Those that exist, in the order of their numbers here.
const CONGESTION: [&str; 2] = ["cubic", "reno"];
/// The largest segment that a program may ask for.
const MAX_SEGMENT: i32 = 32767;
/// The smallest.
const MIN_SEGMENT: i32 = 88;
/// What Linux says of a connection that there is not yet.
const DEFAULT_SEGMENT: i32 = 536;
/// What fits the loopback's packets beside the headers.
pub(super) const LOOPBACK_SEGMENT: i32 = 65483;

impl StreamSocket {
    fn who(&self) -> Who {
        Who {
            family: self.family,
            kind: Kind::Stream,
        }
    }

    pub(super) fn change_option(
        &self,
        task: &Current,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Errno> {
        match (level, name) {
            (IPPROTO_TCP, TCP_CONGESTION) => {
                let name = value.get(..CONGESTION_NAME - 1).unwrap_or(value);
                let name = crate::sysctl::first_line(name);
                let known = CONGESTION.iter().any(|other| other.as_bytes() == name);
                if value.is_empty() {
                    return Err(EINVAL);
                }
                if !known {
                    return Err(ENOENT);
                }
                *self.congestion.lock() = name.to_vec();
                Ok(())
            }
            (IPPROTO_TCP, TCP_ULP) => Err(ENOENT.why("no protocol above TCP")),
            (IPPROTO_TCP, TCP_MAXSEG) => {
                let value = value.first_chunk::<4>().ok_or(EINVAL)?;
                let value = i32::from_ne_bytes(*value);
                if value != 0 && !(MIN_SEGMENT..=MAX_SEGMENT).contains(&value) {
                    return Err(EINVAL);
                }
                Ok(())
            }
            (IPPROTO_IPV6, IPV6_V6ONLY) if self.inner.lock().hold.is_some() => Err(EINVAL),
            (IPPROTO_TCP, _) if value.len() < 4 => Err(EINVAL),
            (IPPROTO_TCP | IPPROTO_IP | IPPROTO_IPV6, _) => {
                self.numbers.change(task, self.who(), (level, name), value)
            }
            _ => Err(ENOPROTOOPT),
        }
    }

    pub(super) fn option(&self, level: i32, name: i32, room: usize) -> Result<Vec<u8>, Errno> {
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
            (IPPROTO_TCP, TCP_ULP) => Ok(Vec::new()),
            (IPPROTO_TCP, TCP_MAXSEG) => {
                let connected = matches!(self.inner.lock().role, Role::Connected(_));
                let segment = if connected {
                    LOOPBACK_SEGMENT
                } else {
                    DEFAULT_SEGMENT
                };
                Ok(segment.to_ne_bytes().to_vec())
            }
            (SOL_SOCKET, _) => Err(ENOPROTOOPT),
            _ => Ok(told(
                level,
                self.numbers.tell(self.who(), level, name)?,
                room,
            )),
        }
    }
}
