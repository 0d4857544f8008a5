//! Unix sockets for sock_diag(7): what `ss -x` lists.

use syscalls::Errno;
use syscalls::abi::net::AF_UNIX;
use syscalls::abi::netlink::{NLM_F_DUMP, SOCK_DIAG_BY_FAMILY, UnixDiagMsg, UnixDiagReq};
use syscalls::errno::{EINVAL, ENOENT, ESTALE};

use super::message::{Message, Request, dump, single};
use crate::net::NetNamespace;
use crate::net::unix::Listed;

/// UDIAG_SHOW_*.
const SHOW_NAME: u32 = 1;
const SHOW_PEER: u32 = 4;
const SHOW_WAITING: u32 = 8;
const SHOW_QUEUES: u32 = 16;
/// UNIX_DIAG_*.
const NAME: u16 = 0;
const PEER: u16 = 2;
const WAITING: u16 = 3;
const QUEUES: u16 = 4;
const SHUT: u16 = 6;
/// A cookie that does not matter.
const ANY: [u32; 2] = [u32::MAX; 2];

/// The datagrams that answer a request.
pub(super) fn answer(
    namespace: &NetNamespace,
    request: &Request<'_>,
    pid: u32,
) -> Result<Vec<Vec<u8>>, Errno> {
    if request.body.len() < size_of::<UnixDiagReq>() {
        return Err(EINVAL);
    }
    let asked: UnixDiagReq = request.fixed()?;
    let all = namespace.unix.all();
    let mut listed = all.iter().map(|socket| socket.listed());
    if request.head.flags & NLM_F_DUMP == NLM_F_DUMP {
        let fits = |socket: &Listed| asked.states & 1 << socket.state != 0;
        let messages = listed
            .filter(fits)
            .map(|socket| message(&socket, asked.show));
        return Ok(dump(messages.collect(), &request.head, pid));
    }
    if asked.ino == 0 {
        return Err(EINVAL);
    }
    let found = listed.find(|socket| socket.ino == u64::from(asked.ino));
    let found = found.ok_or(ENOENT)?;
    if asked.cookie != ANY && asked.cookie != cookie(&found) {
        return Err(ESTALE);
    }
    Ok(vec![single(
        message(&found, asked.show),
        &request.head,
        pid,
    )])
}

fn cookie(socket: &Listed) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = socket.cookie.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}

fn number(ino: u64) -> u32 {
    u32::try_from(ino).unwrap_or(0)
}

fn message(socket: &Listed, show: u32) -> Message {
    let fixed = UnixDiagMsg {
        family: u8::try_from(AF_UNIX).unwrap_or(0),
        kind: u8::try_from(socket.kind).unwrap_or(0),
        state: socket.state,
        pad: 0,
        ino: number(socket.ino),
        cookie: cookie(socket),
    };
    let mut message = Message::new(SOCK_DIAG_BY_FAMILY, &fixed);
    if show & SHOW_NAME != 0
        && let Some(name) = &socket.name
    {
        // A path goes without the NUL that ends it.
        let name = match name.split_last() {
            Some((0, path)) if name.first() != Some(&0) => path,
            _ => name,
        };
        message.put(NAME, name);
    }
    if show & SHOW_PEER != 0
        && let Some(peer) = socket.peer
    {
        message.number(PEER, number(peer));
    }
    if show & SHOW_WAITING != 0 && socket.state == LISTEN {
        let all = socket.waiting.iter().map(|ino| number(*ino).to_ne_bytes());
        message.put(WAITING, &all.collect::<Vec<_>>().concat());
    }
    if show & SHOW_QUEUES != 0 {
        let (read, write) = match socket.state {
            LISTEN => (socket.waiting.len(), socket.backlog),
            _ => (socket.unread, 0),
        };
        let both = [read, write].map(|n| u32::try_from(n).unwrap_or(u32::MAX).to_ne_bytes());
        message.put(QUEUES, &both.concat());
    }
    message.put(SHUT, &[socket.shut]);
    message
}

/// As TCP numbers states.
const LISTEN: u8 = 10;
