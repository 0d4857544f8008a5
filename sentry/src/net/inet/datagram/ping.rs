//! Ping sockets, icmp(7): whoever net.ipv4.ping_group_range names sends echo requests
//! without any privilege.

use syscalls::Errno;
use syscalls::abi::net::{IPPROTO_ICMP, IPPROTO_ICMPV6};
use syscalls::errno::EACCES;

use super::super::icmp;
use super::super::links::Way;
use super::super::message::Marks;
use super::super::packet::{Fragments, Head, put};
use super::super::stack::Stack;
use super::DatagramSocket;
use crate::task::Current;

/// Whether `task` may have a ping socket; `EACCES`.
pub(in crate::net::inet) fn permit(stack: &Stack, task: &Current) -> Result<(), Errno> {
    let text = stack.text_setting("net.ipv4.ping_group_range", "1\t0");
    let mut numbers = text.split_whitespace().map(str::parse::<u32>);
    let (Some(Ok(low)), Some(Ok(high))) = (numbers.next(), numbers.next()) else {
        return Err(EACCES);
    };
    let creds = task.creds.get();
    let mut groups = creds.groups.iter().copied().chain([creds.gid.effective]);
    if groups.any(|group| (low..=high).contains(&group)) {
        Ok(())
    } else {
        Err(EACCES)
    }
}

impl DatagramSocket {
    /// True for a ping socket.
    pub(super) fn pings(&self) -> bool {
        matches!(self.protocol, IPPROTO_ICMP | IPPROTO_ICMPV6)
    }

    /// Sends an echo request: its identification is the socket's.
    pub(super) fn emit_ping(
        &self,
        mut message: Vec<u8>,
        ident: u16,
        way: Way,
        marks: Marks,
    ) -> Result<(), Errno> {
        put(&mut message, 4, ident.to_be_bytes());
        let head = Head {
            from: way.source,
            to: way.to,
            protocol: 0,
            ttl: marks.ttl,
            tos: marks.tos,
        };
        let packet = icmp::packet(head, message, Fragments::Never);
        self.stack.dispatch(way, &packet)
    }
}
