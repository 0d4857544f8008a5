//! NETLINK_SOCK_DIAG, sock_diag(7): what `ss` lists.

use std::net::IpAddr;

use syscalls::Errno;
use syscalls::abi::net::{AF_INET, AF_INET6, AF_UNIX, IPPROTO_TCP, IPPROTO_UDP};
use syscalls::abi::netlink::{
    InetDiagMsg, InetDiagReq, InetDiagSockId, NLM_F_DUMP, SOCK_DIAG_BY_FAMILY,
};
use syscalls::errno::{EINVAL, ENOENT, EOPNOTSUPP};

use super::message::{Message, Request, dump};
use super::unix_diag;
use crate::net::NetNamespace;
use crate::net::inet::Family;
use crate::net::inet::list::{Listed, Protocol};

/// Families that there are.
const AF_MAX: i32 = 46;
/// The timer of TIME_WAIT.
const WAITS: u8 = 3;

/// The datagrams that answer a request.
pub(super) fn answer(
    namespace: &NetNamespace,
    request: &Request<'_>,
    pid: u32,
) -> Result<Vec<Vec<u8>>, Errno> {
    if request.head.kind != SOCK_DIAG_BY_FAMILY {
        return Err(EINVAL);
    }
    let family = request.body.first().copied().ok_or(EINVAL)?;
    match i32::from(family) {
        AF_UNIX => return unix_diag::answer(namespace, request, pid),
        AF_MAX.. => return Err(EINVAL),
        _ => {}
    }
    let asked: InetDiagReq = request.fixed()?;
    let family = match i32::from(asked.family) {
        AF_INET => Family::V4,
        AF_INET6 => Family::V6,
        _ => return Err(ENOENT),
    };
    let protocol = match i32::from(asked.protocol) {
        IPPROTO_TCP => Protocol::Tcp,
        IPPROTO_UDP => Protocol::Udp,
        _ => return Err(ENOENT),
    };
    if request.head.flags & NLM_F_DUMP == 0 {
        return Err(EOPNOTSUPP.why("one socket of sock_diag"));
    }
    let listed = match namespace.internet.links.host() {
        Some(host) => host.list(protocol, family)?,
        None => namespace.internet.list(protocol, family),
    };
    let fits = |socket: &&Listed| asked.states & (1 << socket.state) != 0;
    let messages = listed.iter().filter(fits).map(message).collect();
    Ok(dump(messages, &request.head, pid))
}

fn padded(family: Family, ip: IpAddr) -> [u8; 16] {
    let mut bytes = [0; 16];
    match (family, ip) {
        (Family::V4, IpAddr::V4(ip)) => {
            if let Some(start) = bytes.first_chunk_mut::<4>() {
                *start = ip.octets();
            }
        }
        (Family::V6, IpAddr::V4(ip)) => bytes = ip.to_ipv6_mapped().octets(),
        (_, IpAddr::V6(ip)) => bytes = ip.octets(),
    }
    bytes
}

fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn message(socket: &Listed) -> Message {
    let id = InetDiagSockId {
        sport: socket.local.port.to_be_bytes(),
        dport: socket.remote.port.to_be_bytes(),
        src: padded(socket.family, socket.local.ip),
        dst: padded(socket.family, socket.remote.ip),
        interface: 0,
        cookie: [u32::MAX; 2],
    };
    let fixed = InetDiagMsg {
        family: u8::try_from(socket.family.raw()).unwrap_or(0),
        state: socket.state,
        timer: if socket.expires > 0 { WAITS } else { 0 },
        retrans: 0,
        id,
        expires: u32::try_from(socket.expires / 1_000_000).unwrap_or(0),
        rqueue: count(socket.unread),
        wqueue: count(socket.unsent),
        uid: socket.uid,
        inode: u32::try_from(socket.ino).unwrap_or(0),
    };
    Message::new(SOCK_DIAG_BY_FAMILY, &fixed)
}
