//! Sockets of the host's network, as its /proc/net lists them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use syscalls::Errno;

use super::HostNetwork;
use crate::net::inet::list::{Listed, Protocol};
use crate::net::inet::{Endpoint, Family};

/// Nanoseconds of a tick of /proc/net/tcp.
const TICK: u64 = 10_000_000;
/// The timer of TIME_WAIT.
const WAITS: &str = "03";

impl HostNetwork {
    /// The sockets of a protocol and a family that have a port.
    pub(in crate::net) fn list(
        &self,
        protocol: Protocol,
        family: Family,
    ) -> Result<Vec<Listed>, Errno> {
        let name = match (protocol, family) {
            (Protocol::Tcp, Family::V4) => "tcp",
            (Protocol::Tcp, Family::V6) => "tcp6",
            (Protocol::Udp, Family::V4) => "udp",
            (Protocol::Udp, Family::V6) => "udp6",
            (Protocol::Raw, Family::V4) => "raw",
            (Protocol::Raw, Family::V6) => "raw6",
        };
        let text = self.table(name)?;
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().skip(1);
        Ok(lines.filter_map(|line| parse(line, family)).collect())
    }
}

/// An address and a port, as hexadecimal words in the byte order of the host.
fn end(text: &str) -> Option<Endpoint> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok();
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?.to_ne_bytes()).into(),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let mut octets = [0; 16];
            for (place, byte) in octets.iter_mut().zip(words.map(u32::to_ne_bytes).concat()) {
                *place = byte;
            }
            IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
        }
        _ => return None,
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Endpoint { ip, port })
}

fn parse(line: &str, family: Family) -> Option<Listed> {
    let hex = |text: &str| usize::from_str_radix(text, 16).ok();
    let mut words = line.split_whitespace().skip(1);
    let (local, remote) = (end(words.next()?)?, end(words.next()?)?);
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let (unsent, unread) = words.next()?.split_once(':')?;
    let (timer, when) = words.next()?.split_once(':')?;
    let uid = words.nth(1)?.parse().ok()?;
    let ino = words.nth(1)?.parse().ok()?;
    let when = u64::from_str_radix(when, 16).ok()?;
    Some(Listed {
        family,
        local,
        remote,
        state,
        unsent: hex(unsent)?,
        unread: hex(unread)?,
        expires: if timer == WAITS { when * TICK } else { 0 },
        drops: 0,
        uid,
        ino,
    })
}

#[cfg(test)]
mod tests {
    use super::{Family, parse};

    #[test]
    fn lines_are_what_they_say() {
        let line = "   1: 0100007F:1F40 0200007F:9C40 06 00000001:0000000A 03:00000177 00000000     7        0 123 3 0";
        let socket = parse(line, Family::V4).unwrap();
        assert_eq!(socket.local, "127.0.0.1:8000".parse().map(from).unwrap());
        assert_eq!(socket.remote, "127.0.0.2:40000".parse().map(from).unwrap());
        assert_eq!((socket.state, socket.unsent, socket.unread), (6, 1, 10));
        assert_eq!((socket.uid, socket.ino), (7, 123));
        assert_eq!(socket.expires, 3_750_000_000);
        let line = "   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1";
        let socket = parse(line, Family::V6).unwrap();
        assert_eq!(socket.local, "[::1]:80".parse().map(from).unwrap());
        for len in 0..line.len() - 8 {
            let _ = parse(&line[..len], Family::V6);
        }
    }

    fn from(at: std::net::SocketAddr) -> super::Endpoint {
        super::Endpoint {
            ip: at.ip(),
            port: at.port(),
        }
    }
}
