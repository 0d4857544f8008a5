//! Options of IP, TCP and UDP that are numbers: one table says what Linux takes and tells.
//! Who obeys one asks for it by name; the rest are kept and told, because in memory there
//! is nothing to retransmit, to mark or to delay.

mod table;

use syscalls::Errno;
use syscalls::abi::net as abi;
use syscalls::abi::net::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP};
use syscalls::errno::{EADDRNOTAVAIL, EINVAL, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP, EPERM};

use self::table::{ANY_LENGTH, DATAGRAM, RAW, Row, STREAM, row};
use super::addr::{Endpoint, Family};
use crate::net::{Asked, Given, Kind};
use crate::sync::{Level, Mutex};
use crate::task::{Capabilities, Current};

const TCP: i32 = IPPROTO_TCP;
const UDP: i32 = IPPROTO_UDP;
const LITE: i32 = abi::IPPROTO_UDPLITE;
const IP: i32 = IPPROTO_IP;
const V6: i32 = IPPROTO_IPV6;

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
        let chosen = self.chosen(level, name);
        chosen.unwrap_or_else(|| row(level, name).map_or(0, |row| row.default))
    }

    /// A number, if the program chose one.
    fn chosen(&self, level: i32, name: i32) -> Option<i32> {
        let all = self.0.lock();
        let mut found = all.iter().filter(|n| (n.0, n.1) == (level, name));
        found.next().map(|n| n.2)
    }

    /// True if a flag is set.
    #[must_use]
    pub fn is_set(&self, level: i32, name: i32) -> bool {
        self.get(level, name) != 0
    }

    /// Chooses one.
    pub(super) fn put(&self, level: i32, name: i32, value: i32) {
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
        value: Given<'_>,
    ) -> Result<(), Errno> {
        let (level, name) = name;
        if !who.has_level(level) {
            return Err(ENOPROTOOPT);
        }
        match (level, name) {
            (IP, abi::IP_OPTIONS) => return self.change_ip_options(value),
            (V6, name) if HEADERS.contains(&name) => return set_header(value),
            _ => {}
        }
        let row = row(level, name);
        let lacks = |row: &Row| row.set.0 & who.bit() == 0 && name != abi::IPV6_ROUTER_ALERT;
        if level == V6 && row.is_some_and(lacks) {
            return Err(row.map_or(ENOPROTOOPT, |row| row.set.1));
        }
        let mut number = number(level, name, value, row)?;
        let row = row.ok_or(ENOPROTOOPT)?;
        if row.set.0 & who.bit() == 0 {
            return Err(row.set.1);
        }
        if value.len() < row.least {
            return Err(EINVAL);
        }
        number = row.takes.admit(number, row.default)?;
        // Streams keep the bits that tell of congestion for themselves.
        if who.kind == Kind::Stream && matches!((level, name), TOS | TCLASS) {
            number &= !3;
        }
        check(task, level, name, number)?;
        self.put(level, name, number);
        Ok(())
    }

    /// IP_OPTIONS: those that do nothing.
    fn change_ip_options(&self, value: Given<'_>) -> Result<(), Errno> {
        let bytes = value.bytes()?;
        let mut word = [0; 4];
        if bytes.len() > word.len() || bytes.iter().any(|&byte| byte > 1) {
            return Err(EINVAL.why("options of IP"));
        }
        if bytes.is_empty() {
            self.0
                .lock()
                .retain(|n| (n.0, n.1) != (IP, abi::IP_OPTIONS));
            return Ok(());
        }
        for (place, byte) in word.iter_mut().zip(bytes) {
            *place = byte;
        }
        self.put(IP, abi::IP_OPTIONS, i32::from_ne_bytes(word));
        Ok(())
    }

    /// getsockopt(2) when `room` bytes were offered; `ENOPROTOOPT`, and for a level that is
    /// not the socket's what its version of IP says.
    pub fn tell(&self, who: Who, level: i32, name: i32, room: usize) -> Result<Vec<u8>, Errno> {
        who.check_level(level)?;
        match (level, name) {
            (IP, abi::IP_OPTIONS) => {
                let chosen = self.chosen(level, name);
                return Ok(chosen.map_or_else(Vec::new, |word| word.to_ne_bytes().to_vec()));
            }
            (IP, abi::IP_PKTOPTIONS) if who.kind == Kind::Stream => return Ok(Vec::new()),
            // Headers of options that the program did not choose.
            (V6, name) if HEADERS.contains(&name) => return Ok(Vec::new()),
            (IP, abi::IP_MSFILTER) | (IP | V6, abi::MCAST_MSFILTER) => return Err(EINVAL),
            (IP, abi::IP_MULTICAST_ALL) if who.family == Family::V6 => {
                let chosen = self.chosen(level, name).unwrap_or(0);
                return Ok(told(level, chosen, room));
            }
            _ => {}
        }
        let row = row(level, name).ok_or(ENOPROTOOPT)?;
        if row.get.0 & who.bit() == 0 {
            return Err(row.get.1);
        }
        Ok(told(level, self.get(level, name), room))
    }
}

const TOS: (i32, i32) = (IP, abi::IP_TOS);
const TCLASS: (i32, i32) = (V6, abi::IPV6_TCLASS);

/// The number that a program gives, as its level reads it.
fn number(level: i32, name: i32, value: Given<'_>, row: Option<&Row>) -> Result<i32, Errno> {
    let first = || value.prefix::<1>().map(|[byte]| byte.into());
    match (level, value.len()) {
        (TCP | UDP | LITE, _) => value.number(),
        (_, _) if row.is_none() => Ok(0),
        (IP, 4..) => value.number(),
        (IP, 1..) => first(),
        (V6, 4..) => value.number_or_null(),
        (V6, _) if !ANY_LENGTH.contains(&name) => Err(EINVAL),
        _ => Ok(0),
    }
}

/// What else must be true of a number.
fn check(task: &Current, level: i32, name: i32, number: i32) -> Result<(), Errno> {
    match (level, name) {
        (IP, abi::IP_TRANSPARENT) | (V6, abi::IPV6_TRANSPARENT) if number != 0 => {
            let creds = task.creds.get();
            if creds.has(Capabilities::NET_ADMIN) || creds.has(Capabilities::NET_RAW) {
                return Ok(());
            }
            Err(EPERM)
        }
        (IP, abi::IP_UNICAST_IF) | (V6, abi::IPV6_UNICAST_IF) if number != 0 => {
            let index = u32::from_be_bytes(number.to_ne_bytes());
            let network = task.net.get().internet.links.get();
            network.link(index).map(drop).ok_or(EADDRNOTAVAIL)
        }
        _ => Ok(()),
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
    pub(super) fn has_level(self, level: i32) -> bool {
        match level {
            IP => self.family == Family::V4 || self.kind != Kind::Raw,
            V6 => self.family == Family::V6,
            TCP => self.kind == Kind::Stream,
            UDP | LITE => self.kind == Kind::Datagram,
            _ => false,
        }
    }

    /// What getsockopt(2) says of a level that the socket does not have.
    pub(super) fn check_level(self, level: i32) -> Result<(), Errno> {
        match self.family {
            _ if self.has_level(level) => Ok(()),
            Family::V4 => Err(EOPNOTSUPP),
            Family::V6 => Err(ENOPROTOOPT),
        }
    }

    /// How many bytes a program offers at a level of the socket's. A negative number is a
    /// large one for IPv6.
    pub(super) fn room(self, level: i32, asked: Asked) -> Result<usize, Errno> {
        if level == abi::SOL_SOCKET {
            return asked.room();
        }
        self.check_level(level)?;
        match asked.room() {
            Err(_) if level == V6 => Ok(PATH_MTU),
            room => room,
        }
    }

    /// Its bit in the rows' sums.
    fn bit(self) -> u8 {
        match self.kind {
            Kind::Stream => STREAM,
            Kind::Datagram => DATAGRAM,
            Kind::Raw | Kind::SeqPacket => RAW,
        }
    }
}

/// What getsockopt(2) gives for a number, when `room` bytes were offered: options of IP
/// shrink to a byte where they fit.
pub(super) fn told(level: i32, number: i32, room: usize) -> Vec<u8> {
    match u8::try_from(number) {
        Ok(byte) if level == IP && (1..4).contains(&room) => vec![byte],
        _ => number.to_ne_bytes().to_vec(),
    }
}

/// Headers of IPv6 that a program can add to its packets.
const HEADERS: [i32; 4] = [
    abi::IPV6_HOPOPTS,
    abi::IPV6_RTHDRDSTOPTS,
    abi::IPV6_RTHDR,
    abi::IPV6_DSTOPTS,
];

/// One of [`HEADERS`]: none.
fn set_header(value: Given<'_>) -> Result<(), Errno> {
    // They are at least one and at most 256 times 8 bytes.
    match value.len() {
        0 => Ok(()),
        len if len % 8 != 0 || len > 256 * 8 => Err(EINVAL),
        _ => Err(ENOPROTOOPT.why("headers of IPv6")),
    }
}

/// Bytes of `struct ip6_mtuinfo`.
pub(super) const PATH_MTU: usize = 32;

/// What IPV6_ADDRFORM tells of a socket with such a peer.
pub(super) fn form(peer: Option<Endpoint>) -> Result<Vec<u8>, Errno> {
    peer.ok_or(ENOTCONN)?;
    Ok(abi::AF_INET6.to_ne_bytes().to_vec())
}

/// IPV6_ADDRFORM: whether a socket with such a peer can become one of IPv4.
pub(super) fn check_form(
    family: i32,
    peer: Option<Endpoint>,
    numbers: &Numbers,
) -> Result<(), Errno> {
    if family != abi::AF_INET {
        return Err(EINVAL);
    }
    let peer = peer.ok_or(ENOTCONN)?;
    if peer.ip.is_ipv6() || numbers.v6_only() {
        return Err(EADDRNOTAVAIL);
    }
    Ok(())
}

/// IPV6_PKTINFO for good: none.
pub(super) fn set_info(value: Given<'_>) -> Result<(), Errno> {
    let info = value.prefix::<{ size_of::<abi::In6Pktinfo>() }>()?;
    if info.iter().all(|&byte| byte == 0) {
        return Ok(());
    }
    Err(ENOPROTOOPT.why("IPV6_PKTINFO of a socket"))
}
