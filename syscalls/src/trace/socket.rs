//! Socket addresses, messages and options.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use zerocopy::FromBytes;

use super::Line;
use super::args::Count;
use super::text::quote;
use super::value::show_number;
use crate::abi::net::{
    AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, ANCILLARY, CmsgHdr, FAMILIES, MessageFlags, MsgHdr,
    OPTION_LEVELS, PROTOCOLS, SOCK_TYPE_MASK, SOCKADDR_STORAGE, SOCKET_OPTIONS, SOCKET_TYPES,
    SOL_SOCKET, SOL_TCP, SockaddrIn, SockaddrIn6, SockaddrNl, SocketFlags, TCP_OPTIONS,
};
use crate::uaddr::{UserAddr, UserPtr};

impl Line<'_> {
    /// The type of socket(2) with its flags.
    pub(crate) fn socket_type(&mut self, kind: i32) {
        self.named(kind & SOCK_TYPE_MASK, SOCKET_TYPES);
        let flags = u32::from_ne_bytes((kind & !SOCK_TYPE_MASK).to_ne_bytes());
        if flags != 0 {
            self.put("|");
            self.with(|out| crate::flags::show(SocketFlags::from_bits_retain(flags), out));
        }
    }

    /// The protocol of socket(2).
    pub(crate) fn protocol(&mut self, protocol: i32, domain: i32) {
        match domain {
            AF_INET | AF_INET6 => self.named(protocol, PROTOCOLS),
            _ => self.plain(protocol),
        }
    }

    /// An address that the call reads.
    pub(crate) fn address(&mut self, at: UserPtr<u8>, len: i32) {
        let len = usize::try_from(len).unwrap_or(0).min(SOCKADDR_STORAGE);
        let mut bytes = vec![0; len];
        if at.is_null() || len < 2 || self.mem.peek(at.addr(), &mut bytes) < len {
            return self.plain(at);
        }
        self.with(|out| show_address(out, &bytes));
    }

    /// An address that the call writes; its length is written too.
    pub(crate) fn filled_address(&mut self, at: UserPtr<u8>, len: UserPtr<i32>) {
        if at.is_null() {
            self.put("NULL");
        } else if self.written_by_call(&at).is_some() {
            let len = self.read::<i32>(len.addr()).unwrap_or(0);
            self.address(at, len);
        }
    }

    /// An option's name.
    pub(crate) fn option(&mut self, option: i32, level: i32) {
        match level {
            SOL_SOCKET => self.named(option, SOCKET_OPTIONS),
            SOL_TCP => self.named(option, TCP_OPTIONS),
            _ => self.plain(option),
        }
    }

    /// An option's level.
    pub(crate) fn option_level(&mut self, level: i32) {
        self.named(level, OPTION_LEVELS);
    }

    /// An option's value that the call reads.
    pub(crate) fn option_value<N: Count>(&mut self, at: UserPtr<u8>, len: N) {
        match len.count() {
            4 => self.number(at.addr().cast::<i32>()),
            len => self.data(at, len),
        }
    }

    /// An option's value that the call writes.
    pub(crate) fn filled_option(&mut self, at: UserPtr<u8>, len: UserPtr<i32>) {
        if self.written_by_call(&at).is_some() {
            let len = self.read::<i32>(len.addr()).unwrap_or(0);
            self.option_value(at, len);
        }
    }

    /// A message that the call sends.
    pub(crate) fn message(&mut self, at: UserPtr<MsgHdr>) {
        self.show_message(at, u64::MAX);
    }

    /// A message that the call receives.
    pub(crate) fn filled_message(&mut self, at: UserPtr<MsgHdr>) {
        if let Some(received) = self.written_by_call(&at) {
            self.show_message(at, received);
        }
    }

    fn show_message(&mut self, at: UserPtr<MsgHdr>, bytes: u64) {
        let Some(message) = self.read::<MsgHdr>(at.addr()) else {
            return self.plain(at);
        };
        self.put("{msg_name=");
        self.address(message.name.cast(), message.namelen);
        self.put(&format!(", msg_namelen={}, msg_iov=", message.namelen));
        self.show_buffers(message.iov, message.iovlen, bytes);
        self.put(&format!(", msg_iovlen={}", message.iovlen));
        if message.controllen != 0 {
            self.put(", msg_control=");
            self.ancillary(message.control, message.controllen);
        }
        self.put(&format!(
            ", msg_controllen={}, msg_flags=",
            message.controllen
        ));
        let flags = MessageFlags::from_bits_retain(message.flags);
        self.with(|out| crate::flags::show(flags, out));
        self.put("}");
    }

    /// The first ancillary message.
    fn ancillary(&mut self, at: UserAddr, len: u64) {
        let head = (len >= size_of::<CmsgHdr>() as u64).then(|| self.read::<CmsgHdr>(at));
        let Some(Some(head)) = head else {
            return self.plain(at);
        };
        self.with(|out| {
            write!(out, "[{{cmsg_len={}, cmsg_level=", head.len)?;
            show_number(out, OPTION_LEVELS, i64::from(head.level))?;
            out.write_str(", cmsg_type=")?;
            match head.level {
                SOL_SOCKET => show_number(out, ANCILLARY, i64::from(head.kind))?,
                _ => write!(out, "{:#x}", head.kind)?,
            }
            out.write_str(if head.len < len { "}, ...]" } else { "}]" })
        });
    }
}

/// Prints an address of at least two bytes.
fn show_address(out: &mut String, bytes: &[u8]) -> std::fmt::Result {
    let family = i32::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
    out.write_str("{sa_family=")?;
    show_number(out, FAMILIES, i64::from(family))?;
    let rest = &bytes[2..];
    match family {
        AF_UNIX => match rest.split_first() {
            None => {}
            // A name in the abstract space: all its bytes count.
            Some((0, name)) => {
                out.write_str(", sun_path=@")?;
                quote(out, name)?;
            }
            Some(_) => {
                out.write_str(", sun_path=")?;
                let end = rest.iter().position(|&byte| byte == 0);
                quote(out, &rest[..end.unwrap_or(rest.len())])?;
            }
        },
        AF_INET => {
            if let Ok((addr, _)) = SockaddrIn::read_from_prefix(bytes) {
                let port = u16::from_be_bytes(addr.port);
                let host = Ipv4Addr::from(addr.addr);
                write!(
                    out,
                    ", sin_port=htons({port}), sin_addr=inet_addr(\"{host}\")"
                )?;
            }
        }
        AF_INET6 => {
            if let Ok((addr, _)) = SockaddrIn6::read_from_prefix(bytes) {
                let port = u16::from_be_bytes(addr.port);
                let flow = u32::from_be_bytes(addr.flowinfo);
                let host = Ipv6Addr::from(addr.addr);
                write!(
                    out,
                    ", sin6_port=htons({port}), sin6_flowinfo=htonl({flow}), inet_pton(AF_INET6, \"{host}\", &sin6_addr), sin6_scope_id={}",
                    addr.scope_id
                )?;
            }
        }
        AF_NETLINK => {
            if let Ok((addr, _)) = SockaddrNl::read_from_prefix(bytes) {
                write!(out, ", nl_pid={}, nl_groups={:08x}", addr.pid, addr.groups)?;
            }
        }
        _ => {
            out.write_str(", sa_data=")?;
            quote(out, rest)?;
        }
    }
    out.write_char('}')
}
