//! Options of IP, TCP and UDP that are numbers: one table says what Linux takes and tells.
//! Who obeys one asks for it by name; the rest are kept and told, because in memory there
//! is nothing to retransmit, to mark or to delay.

use syscalls::Errno;
use syscalls::abi::net as abi;
use syscalls::abi::net::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP};
use syscalls::errno::{EINVAL, ENOPROTOOPT, EOPNOTSUPP, EPERM};

use super::addr::Family;
use crate::net::Kind;
use crate::sync::{Level, Mutex};
use crate::task::{Capabilities, Current};

/// What values an option takes.
#[derive(Clone, Copy)]
enum Takes {
    /// Anything; what is not 0 counts as 1.
    Flag,
    /// A number from a range.
    Range(i32, i32),
    /// A number from a range, or -1 for the default.
    OrDefault(i32, i32),
}

/// Which sockets have it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Has {
    All,
    Datagrams,
    Raw,
}

struct Row(i32, i32, i32, Takes, Has);

use Takes::{Flag, OrDefault, Range};

const TCP: i32 = IPPROTO_TCP;
const UDP: i32 = IPPROTO_UDP;
const LITE: i32 = abi::IPPROTO_UDPLITE;
const IP: i32 = IPPROTO_IP;
const V6: i32 = IPPROTO_IPV6;
const ANY: Takes = Range(i32::MIN, i32::MAX);
const POSITIVE: Takes = Range(0, i32::MAX);

/// Level, name, default, values, sockets.
const ROWS: &[Row] = &[
    Row(TCP, abi::TCP_NODELAY, 0, Flag, Has::All),
    Row(TCP, abi::TCP_CORK, 0, Flag, Has::All),
    Row(TCP, abi::TCP_KEEPIDLE, 7200, Range(1, 32767), Has::All),
    Row(TCP, abi::TCP_KEEPINTVL, 75, Range(1, 32767), Has::All),
    Row(TCP, abi::TCP_KEEPCNT, 9, Range(1, 127), Has::All),
    Row(TCP, abi::TCP_SYNCNT, 6, Range(1, 127), Has::All),
    Row(TCP, abi::TCP_LINGER2, 60, Range(-1, 120), Has::All),
    Row(TCP, abi::TCP_DEFER_ACCEPT, 0, ANY, Has::All),
    Row(TCP, abi::TCP_WINDOW_CLAMP, 0, POSITIVE, Has::All),
    Row(TCP, abi::TCP_QUICKACK, 1, Flag, Has::All),
    Row(TCP, abi::TCP_USER_TIMEOUT, 0, POSITIVE, Has::All),
    Row(TCP, abi::TCP_FASTOPEN, 0, POSITIVE, Has::All),
    Row(TCP, abi::TCP_FASTOPEN_CONNECT, 0, Range(0, 1), Has::All),
    Row(TCP, abi::TCP_FASTOPEN_NO_COOKIE, 0, Range(0, 1), Has::All),
    Row(TCP, abi::TCP_NOTSENT_LOWAT, 0, ANY, Has::All),
    Row(TCP, abi::TCP_THIN_LINEAR_TIMEOUTS, 0, Range(0, 1), Has::All),
    Row(TCP, abi::TCP_THIN_DUPACK, 0, Range(0, 1), Has::All),
    Row(TCP, abi::TCP_SAVE_SYN, 0, Range(0, 2), Has::All),
    Row(TCP, abi::TCP_INQ, 0, Range(0, 1), Has::All),
    Row(TCP, abi::TCP_TX_DELAY, 0, POSITIVE, Has::All),
    Row(UDP, abi::UDP_CORK, 0, Flag, Has::All),
    Row(UDP, abi::UDP_NO_CHECK6_TX, 0, Flag, Has::All),
    Row(UDP, abi::UDP_NO_CHECK6_RX, 0, Flag, Has::All),
    Row(UDP, abi::UDP_SEGMENT, 0, Range(0, 65535), Has::All),
    Row(UDP, abi::UDP_GRO, 0, Flag, Has::All),
    Row(LITE, abi::UDPLITE_SEND_CSCOV, 0, Range(0, 65535), Has::All),
    Row(LITE, abi::UDPLITE_RECV_CSCOV, 0, Range(0, 65535), Has::All),
    Row(IP, abi::IP_TOS, 0, Range(0, 255), Has::All),
    Row(IP, abi::IP_TTL, 64, OrDefault(1, 255), Has::All),
    Row(IP, abi::IP_HDRINCL, 0, Flag, Has::Raw),
    Row(IP, abi::IP_RECVOPTS, 0, Flag, Has::All),
    Row(IP, abi::IP_RETOPTS, 0, Flag, Has::All),
    Row(IP, abi::IP_PKTINFO, 0, Flag, Has::All),
    Row(IP, abi::IP_MTU_DISCOVER, 1, Range(0, 5), Has::All),
    Row(IP, abi::IP_RECVERR, 0, Flag, Has::All),
    Row(IP, abi::IP_RECVTTL, 0, Flag, Has::All),
    Row(IP, abi::IP_RECVTOS, 0, Flag, Has::All),
    Row(IP, abi::IP_FREEBIND, 0, Flag, Has::All),
    Row(IP, abi::IP_TRANSPARENT, 0, Flag, Has::All),
    Row(IP, abi::IP_ORIGDSTADDR, 0, Flag, Has::All),
    Row(IP, abi::IP_MINTTL, 0, Range(0, 255), Has::All),
    Row(IP, abi::IP_NODEFRAG, 0, Flag, Has::Raw),
    Row(IP, abi::IP_BIND_ADDRESS_NO_PORT, 0, Flag, Has::All),
    Row(IP, abi::IP_RECVFRAGSIZE, 0, Range(0, 1), Has::Raw),
    Row(IP, abi::IP_RECVERR_RFC4884, 0, Range(0, 1), Has::All),
    Row(
        IP,
        abi::IP_MULTICAST_TTL,
        1,
        OrDefault(0, 255),
        Has::Datagrams,
    ),
    Row(IP, abi::IP_MULTICAST_LOOP, 1, Flag, Has::All),
    Row(IP, abi::IP_MULTICAST_ALL, 1, Range(0, 1), Has::All),
    Row(IP, abi::IP_UNICAST_IF, 0, POSITIVE, Has::All),
    Row(V6, abi::IPV6_UNICAST_HOPS, 64, OrDefault(0, 255), Has::All),
    Row(
        V6,
        abi::IPV6_MULTICAST_HOPS,
        1,
        OrDefault(0, 255),
        Has::Datagrams,
    ),
    Row(V6, abi::IPV6_MULTICAST_LOOP, 1, Range(0, 1), Has::All),
    Row(V6, abi::IPV6_MULTICAST_ALL, 1, Flag, Has::All),
    Row(V6, abi::IPV6_MULTICAST_IF, 0, POSITIVE, Has::Datagrams),
    Row(V6, abi::IPV6_MTU_DISCOVER, 1, Range(0, 5), Has::All),
    Row(V6, abi::IPV6_RECVERR, 0, Flag, Has::All),
    Row(V6, abi::IPV6_RECVERR_RFC4884, 0, Range(0, 1), Has::All),
    Row(V6, abi::IPV6_V6ONLY, 0, Flag, Has::All),
    Row(V6, abi::IPV6_FLOWINFO_SEND, 0, Flag, Has::All),
    Row(V6, abi::IPV6_RECVPKTINFO, 0, Flag, Has::All),
    Row(V6, abi::IPV6_RECVHOPLIMIT, 0, Flag, Has::All),
    Row(V6, abi::IPV6_RECVPATHMTU, 0, Flag, Has::All),
    Row(V6, abi::IPV6_DONTFRAG, 0, Flag, Has::All),
    Row(V6, abi::IPV6_RECVTCLASS, 0, Flag, Has::All),
    Row(V6, abi::IPV6_TCLASS, 0, OrDefault(0, 255), Has::All),
    Row(V6, abi::IPV6_AUTOFLOWLABEL, 1, Flag, Has::All),
    Row(V6, abi::IPV6_MINHOPCOUNT, 0, Range(0, 255), Has::All),
    Row(V6, abi::IPV6_ORIGDSTADDR, 0, Flag, Has::All),
    Row(V6, abi::IPV6_TRANSPARENT, 0, Flag, Has::All),
    Row(V6, abi::IPV6_UNICAST_IF, 0, POSITIVE, Has::All),
    Row(V6, abi::IPV6_FREEBIND, 0, Flag, Has::All),
    Row(V6, abi::IPV6_RECVFRAGSIZE, 0, Flag, Has::All),
    Row(V6, abi::IPV6_HDRINCL, 0, Flag, Has::Raw),
];

fn row(level: i32, name: i32) -> Option<&'static Row> {
    ROWS.iter().find(|row| (row.0, row.1) == (level, name))
}

/// The numbers that a socket's program chose.
pub struct Numbers(Mutex<Vec<(i32, i32, i32)>>);

impl Default for Numbers {
    fn default() -> Self {
        Numbers(Mutex::new(Level::Leaf, Vec::new()))
    }
}

impl Numbers {
    /// What an accepted socket has of its listener's.
    #[must_use]
    pub fn inherit(&self) -> Self {
        let copy = self.0.lock().clone();
        Numbers(Mutex::new(Level::Leaf, copy))
    }

    /// A number, chosen or default; 0 for one that does not exist.
    #[must_use]
    pub fn get(&self, level: i32, name: i32) -> i32 {
        let chosen = {
            let all = self.0.lock();
            let mut found = all.iter().filter(|n| (n.0, n.1) == (level, name));
            found.next().map(|n| n.2)
        };
        chosen.unwrap_or_else(|| row(level, name).map_or(0, |row| row.2))
    }

    /// True if a flag is set.
    #[must_use]
    pub fn is_set(&self, level: i32, name: i32) -> bool {
        self.get(level, name) != 0
    }

    fn put(&self, level: i32, name: i32, value: i32) {
        let mut all = self.0.lock();
        all.retain(|n| (n.0, n.1) != (level, name));
        all.push((level, name, value));
    }

    /// IPV6_V6ONLY.
    #[must_use]
    pub fn v6_only(&self) -> bool {
        self.is_set(V6, abi::IPV6_V6ONLY)
    }

    /// IP_FREEBIND and its siblings.
    #[must_use]
    pub fn free_bind(&self) -> bool {
        self.is_set(IP, abi::IP_FREEBIND)
            || self.is_set(IP, abi::IP_TRANSPARENT)
            || self.is_set(V6, abi::IPV6_FREEBIND)
            || self.is_set(V6, abi::IPV6_TRANSPARENT)
    }

    /// setsockopt(2) of a number. `ENOPROTOOPT` if there is none of that name for this
    /// socket, `EINVAL` for a value it does not take, `EPERM`.
    pub fn change(
        &self,
        task: &Current,
        who: Who,
        name: (i32, i32),
        value: &[u8],
    ) -> Result<(), Errno> {
        let (level, name) = name;
        if (level, name) == (IP, abi::IP_MULTICAST_TTL) && who.kind == Kind::Stream {
            return Err(EINVAL);
        }
        let Row(.., takes, _) = who.row(level, name).ok_or(ENOPROTOOPT)?;
        let value = match (value.first_chunk::<4>(), value.first()) {
            (Some(bytes), _) => i32::from_ne_bytes(*bytes),
            // Options of IP take a byte as well.
            (None, Some(&byte)) if level == IP => byte.into(),
            _ => return Err(EINVAL),
        };
        let value = match *takes {
            Flag => i32::from(value != 0),
            Range(least, most) if (least..=most).contains(&value) => value,
            OrDefault(_, _) if value == -1 => row(level, name).map_or(0, |row| row.2),
            OrDefault(least, most) if (least..=most).contains(&value) => value,
            _ => return Err(EINVAL),
        };
        let privileged = matches!(
            (level, name),
            (IP, abi::IP_TRANSPARENT) | (V6, abi::IPV6_TRANSPARENT)
        );
        if privileged && value != 0 {
            let creds = task.creds.get();
            if !creds.has(Capabilities::NET_ADMIN) && !creds.has(Capabilities::NET_RAW) {
                return Err(EPERM);
            }
        }
        self.put(level, name, value);
        Ok(())
    }

    /// getsockopt(2) of a number; `ENOPROTOOPT`, and for a level that is not the socket's
    /// what its version of IP says.
    pub fn tell(&self, who: Who, level: i32, name: i32) -> Result<i32, Errno> {
        let readable = |row: &&Row| row.4 != Has::Raw || row.1 == abi::IP_HDRINCL;
        match row(level, name).filter(|_| who.has_level(level)) {
            Some(_) if level == IP && row(level, name).filter(readable).is_some() => {}
            Some(_) => {
                who.row(level, name).ok_or(ENOPROTOOPT)?;
            }
            None if who.has_level(level) => return Err(ENOPROTOOPT),
            None => return Err(who.unknown_level()),
        }
        Ok(self.get(level, name))
    }
}

/// Which socket an option is for.
#[derive(Clone, Copy)]
pub struct Who {
    /// Its version of IP.
    pub family: Family,
    /// Its kind.
    pub kind: Kind,
}

impl Who {
    fn has_level(self, level: i32) -> bool {
        match level {
            IP => true,
            V6 => self.family == Family::V6,
            TCP => self.kind == Kind::Stream,
            UDP | LITE => self.kind == Kind::Datagram,
            _ => false,
        }
    }

    /// What getsockopt(2) says of a level that the socket does not have.
    fn unknown_level(self) -> Errno {
        match self.family {
            Family::V4 => EOPNOTSUPP,
            Family::V6 => ENOPROTOOPT,
        }
    }

    fn row(self, level: i32, name: i32) -> Option<&'static Row> {
        let level_fits = self.has_level(level);
        let kind_fits = |row: &&Row| match row.4 {
            Has::All => true,
            Has::Datagrams => self.kind != Kind::Stream,
            Has::Raw => self.kind == Kind::Raw,
        };
        row(level, name).filter(|_| level_fits).filter(kind_fits)
    }
}

/// What getsockopt(2) gives for a number, when `room` bytes were offered: options of IP
/// shrink to a byte where they fit.
#[must_use]
pub fn told(level: i32, number: i32, room: usize) -> Vec<u8> {
    match u8::try_from(number) {
        Ok(byte) if level == IP && (1..4).contains(&room) => vec![byte],
        _ => number.to_ne_bytes().to_vec(),
    }
}
