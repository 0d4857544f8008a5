//! What a connection over the loopback would be as segments, for raw and packet sockets.
//!
//! Data go from one socket to the other without any. Where somebody listens in
//! ([`Stack::is_watched`](crate::net::inet::Stack)), segments are made for them, as TCP
//! would send them if nothing was ever lost or late: numbers begin at a hash of both ends,
//! so that nobody has to remember them.

use std::hash::{DefaultHasher, Hash, Hasher};

use syscalls::abi::net::IPPROTO_TCP;

use super::options::LOOPBACK_SEGMENT;
use super::{Flow, StreamSocket};
use crate::net::inet::addr::Endpoint;
use crate::net::inet::packet::{Fragments, Head, Packet, put};
use crate::vfs::Source;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;
/// Bytes of the header, and where its checksum is.
const HEAD: u8 = 20;
const CHECKSUM: usize = 16;
/// What a side tells that begins: the largest segment, selective acknowledgements, a
/// window that is scaled by 2^7.
const BEGINNING: [u8; 12] = [2, 4, 0xff, 0xd7, 1, 1, 4, 2, 1, 3, 3, 7];
/// The window that is told, scaled.
const WINDOW: u16 = 512;
const TTL: u8 = 64;

/// How one side ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Finish,
    Reset,
}

/// The number before the first byte that goes from one end to the other.
fn start(from: Endpoint, to: Endpoint) -> u32 {
    let mut hasher = DefaultHasher::new();
    (from, to).hash(&mut hasher);
    let [a, b, c, d, ..] = hasher.finish().to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d])
}

/// A number after so many bytes.
fn after(start: u32, bytes: u64) -> u32 {
    let [a, b, c, d, ..] = bytes.to_le_bytes();
    start.wrapping_add(u32::from_le_bytes([a, b, c, d]))
}

fn segment(
    (from, to): (Endpoint, Endpoint),
    (sequence, acknowledged): (u32, u32),
    flags: u8,
    rest: &[u8],
) -> Packet {
    let options = if flags & SYN != 0 { 12 } else { 0 };
    let mut body = Vec::with_capacity(rest.len() + usize::from(HEAD));
    body.extend_from_slice(&from.port.to_be_bytes());
    body.extend_from_slice(&to.port.to_be_bytes());
    body.extend_from_slice(&sequence.to_be_bytes());
    body.extend_from_slice(&acknowledged.to_be_bytes());
    body.extend_from_slice(&[(HEAD + options) << 2, flags]);
    body.extend_from_slice(&WINDOW.to_be_bytes());
    body.extend_from_slice(&[0; 4]);
    body.extend_from_slice(rest);
    let head = Head {
        from: from.ip,
        to: to.ip,
        protocol: u8::try_from(IPPROTO_TCP).unwrap_or(0),
        ttl: TTL,
        tos: 0,
    };
    let sum = head.checksum(&body);
    put(&mut body, CHECKSUM, sum.to_be_bytes());
    Packet::new(head, &body, 0, Fragments::Never)
}

impl StreamSocket {
    /// True if somebody would see what goes to `remote`.
    pub(super) fn is_shown(&self, remote: Endpoint) -> bool {
        self.stack.is_watched() && self.stack.links.get().is_local(remote.ip)
    }

    /// A connection is asked for, and granted or not.
    pub(super) fn show_begin(&self, (from, to): (Endpoint, Endpoint), granted: bool) {
        if !self.is_shown(to) {
            return;
        }
        let (asks, answers) = (start(from, to), start(to, from));
        let next = (asks.wrapping_add(1), answers.wrapping_add(1));
        let stack = &self.stack;
        stack.show(&segment((from, to), (asks, 0), SYN, &BEGINNING));
        if !granted {
            stack.show(&segment((to, from), (0, next.0), RST | ACK, &[]));
            return;
        }
        let welcome = (answers, next.0);
        stack.show(&segment((to, from), welcome, SYN | ACK, &BEGINNING));
        stack.show(&segment((from, to), next, ACK, &[]));
    }

    /// The numbers of a connection: the next byte of this side, and of the other.
    fn numbers_of(local: Endpoint, flow: &Flow) -> (u32, u32) {
        let remote = flow.remote;
        let ended = |finished: Option<u64>| 1 + u64::from(finished.is_some());
        (
            after(start(local, remote), flow.tx.sent() + 1),
            after(
                start(remote, local),
                flow.rx.sent() + ended(flow.rx.finished()),
            ),
        )
    }

    /// `data` were sent: the last ones so far.
    pub(super) fn show_data(&self, flow: &Flow, mut data: Source<'_>, count: usize) {
        data.limit(count);
        let Ok(data) = data.read_all() else { return };
        let local = self.inner.lock().local;
        let (next, acknowledged) = Self::numbers_of(local, flow);
        let mut at = next.wrapping_sub(u32::try_from(count).unwrap_or(0));
        let most = usize::try_from(LOOPBACK_SEGMENT).unwrap_or(1);
        let there = (local, flow.remote);
        for piece in data.chunks(most) {
            let packet = segment(there, (at, acknowledged), PSH | ACK, piece);
            self.stack.show(&packet);
            at = at.wrapping_add(u32::try_from(piece.len()).unwrap_or(0));
        }
        let back = (flow.remote, local);
        self.stack
            .show(&segment(back, (acknowledged, next), ACK, &[]));
    }

    /// This side ends the connection.
    pub(super) fn show_end(&self, local: Endpoint, flow: &Flow, how: End) {
        if !self.is_shown(flow.remote) {
            return;
        }
        let (next, acknowledged) = Self::numbers_of(local, flow);
        let (there, back) = ((local, flow.remote), (flow.remote, local));
        if how == End::Reset {
            let packet = segment(there, (next, acknowledged), RST | ACK, &[]);
            self.stack.show(&packet);
            return;
        }
        let packet = segment(there, (next, acknowledged), FIN | ACK, &[]);
        self.stack.show(&packet);
        let answer = (acknowledged, next.wrapping_add(1));
        self.stack.show(&segment(back, answer, ACK, &[]));
    }
}
