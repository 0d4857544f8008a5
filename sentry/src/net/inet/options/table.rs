//! The rows: what Linux takes and tells, on which sockets.

use syscalls::Errno;
use syscalls::abi::net as abi;
use syscalls::abi::net::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE};
use syscalls::errno::{EINVAL, ENOPROTOOPT, EPERM};

use crate::net::given::Takes;
use crate::net::given::Takes::{Any, By, Flag, OrDefault, Range};

/// Kinds of sockets, to be added up.
pub(super) const STREAM: u8 = 1;
pub(super) const DATAGRAM: u8 = 2;
pub(super) const RAW: u8 = 4;
const MESSAGES: u8 = DATAGRAM | RAW;
const ALL: u8 = u8::MAX;
const NONE: u8 = 0;

/// An option.
pub(super) struct Row {
    pub(super) level: i32,
    pub(super) name: i32,
    pub(super) default: i32,
    pub(super) takes: Takes,
    /// Which sockets can set it, and what others are told.
    pub(super) set: (u8, Errno),
    /// Likewise for getting it.
    pub(super) get: (u8, Errno),
    /// The least bytes of a value that is set, where the level is content with less.
    pub(super) least: usize,
}

impl Row {
    const fn new(level: i32, name: i32, default: i32, takes: Takes) -> Self {
        Row {
            level,
            name,
            default,
            takes,
            set: (ALL, ENOPROTOOPT),
            get: (ALL, ENOPROTOOPT),
            least: 0,
        }
    }

    const fn set_by(mut self, who: u8, others: Errno) -> Self {
        self.set = (who, others);
        self
    }

    const fn get_by(mut self, who: u8, others: Errno) -> Self {
        self.get = (who, others);
        self
    }

    const fn at_least(mut self, least: usize) -> Self {
        self.least = least;
        self
    }

    /// Refused, both ways.
    const fn refused(level: i32, name: i32, set: Errno, get: Errno) -> Self {
        Row::new(level, name, 0, Any)
            .set_by(NONE, set)
            .get_by(NONE, get)
    }
}

const fn tcp(name: i32, default: i32, takes: Takes) -> Row {
    Row::new(IPPROTO_TCP, name, default, takes)
}

const fn udp(name: i32, default: i32, takes: Takes) -> Row {
    Row::new(IPPROTO_UDP, name, default, takes)
}

const fn ip(name: i32, default: i32, takes: Takes) -> Row {
    Row::new(IPPROTO_IP, name, default, takes)
}

const fn v6(name: i32, default: i32, takes: Takes) -> Row {
    Row::new(IPPROTO_IPV6, name, default, takes)
}

const NOT_NEGATIVE: Takes = Range(0, i32::MAX);

/// TCP_MAXSEG: 0 is what the connection wants.
fn segment(value: i32, default: i32) -> Result<i32, Errno> {
    match value {
        0 => Ok(default),
        _ => Range(88, 32767).admit(value, default),
    }
}

/// TCP_LINGER2, seconds.
fn linger(value: i32, default: i32) -> Result<i32, Errno> {
    Ok(match value {
        0 => default,
        ..0 => -1,
        _ => value.min(120),
    })
}

/// TCP_DEFER_ACCEPT: seconds become so many answers, each of which waits twice as long as
/// the one before, two minutes at most; and are told as seconds again.
fn defer(value: i32, _: i32) -> Result<i32, Errno> {
    let (mut seconds, mut wait) = (0, 1);
    for _ in 0..255 {
        if seconds >= value {
            break;
        }
        seconds += wait;
        wait = (wait * 2).min(120);
    }
    Ok(seconds)
}

/// TCP_WINDOW_CLAMP: no less than half of the least buffer.
fn clamp(value: i32, _: i32) -> Result<i32, Errno> {
    const LEAST: i32 = 1152;
    Ok(if value == 0 { 0 } else { value.max(LEAST) })
}

/// TCP_THIN_DUPACK has no meaning any more.
fn no_dupack(value: i32, _: i32) -> Result<i32, Errno> {
    Range(0, 1).admit(value, 0).map(|_| 0)
}

/// TCP_FASTOPEN: no more than net.core.somaxconn.
fn fast_open(value: i32, _: i32) -> Result<i32, Errno> {
    Ok(NOT_NEGATIVE.admit(value, 0)?.min(abi::SOMAXCONN))
}

fn low_byte(value: i32, _: i32) -> Result<i32, Errno> {
    Ok(value & 0xff)
}

/// IP_LOCAL_PORT_RANGE: the lower and the upper end, 0 for none.
fn port_range(value: i32, _: i32) -> Result<i32, Errno> {
    let bits = value.cast_unsigned();
    let (low, high) = (bits & 0xffff, bits >> 16);
    if low != 0 && high != 0 && low > high {
        return Err(EINVAL);
    }
    Ok(value)
}

/// IPV6_MTU: none, or what every network carries.
fn mtu(value: i32, _: i32) -> Result<i32, Errno> {
    match value {
        0 => Ok(0),
        _ => Range(1280, i32::MAX).admit(value, 0),
    }
}

/// IPV6_ADDR_PREFERENCES, RFC 5014.
fn preferences(value: i32, _: i32) -> Result<i32, Errno> {
    const TEMPORARY: i32 = 1;
    const PUBLIC: i32 = 2;
    const CARE_OF: i32 = 4;
    const CGA: i32 = 8;
    const EITHER: i32 = 0x100;
    const HOME: i32 = 0x400;
    const NOT_CGA: i32 = 0x800;
    let age = match value & (TEMPORARY | PUBLIC | EITHER) {
        0 | EITHER => EITHER,
        one @ (TEMPORARY | PUBLIC) => one,
        _ => return Err(EINVAL),
    };
    let place = match value & (HOME | CARE_OF) {
        0 | HOME => HOME,
        CARE_OF => CARE_OF,
        _ => return Err(EINVAL),
    };
    if value & (CGA | NOT_CGA) == CGA | NOT_CGA {
        return Err(EINVAL);
    }
    Ok(age | place)
}

pub(super) const ROWS: &[Row] = &[
    tcp(abi::TCP_NODELAY, 0, Flag),
    tcp(abi::TCP_MAXSEG, 536, By(segment)),
    tcp(abi::TCP_CORK, 0, Flag),
    tcp(abi::TCP_KEEPIDLE, 7200, Range(1, 32767)),
    tcp(abi::TCP_KEEPINTVL, 75, Range(1, 32767)),
    tcp(abi::TCP_KEEPCNT, 9, Range(1, 127)),
    tcp(abi::TCP_SYNCNT, 6, Range(1, 127)),
    tcp(abi::TCP_LINGER2, 60, By(linger)),
    tcp(abi::TCP_DEFER_ACCEPT, 0, By(defer)),
    tcp(abi::TCP_WINDOW_CLAMP, 0, By(clamp)),
    tcp(abi::TCP_QUICKACK, 1, Flag),
    Row::refused(IPPROTO_TCP, abi::TCP_MD5SIG, EINVAL, ENOPROTOOPT),
    tcp(abi::TCP_THIN_LINEAR_TIMEOUTS, 0, Range(0, 1)),
    tcp(abi::TCP_THIN_DUPACK, 0, By(no_dupack)),
    tcp(abi::TCP_USER_TIMEOUT, 0, NOT_NEGATIVE),
    tcp(abi::TCP_REPAIR, 0, Any).set_by(NONE, EPERM),
    Row::refused(IPPROTO_TCP, abi::TCP_REPAIR_QUEUE, EPERM, EINVAL),
    Row::refused(IPPROTO_TCP, abi::TCP_QUEUE_SEQ, EINVAL, EINVAL),
    Row::refused(IPPROTO_TCP, abi::TCP_REPAIR_OPTIONS, EINVAL, ENOPROTOOPT),
    tcp(abi::TCP_FASTOPEN, 0, By(fast_open)),
    tcp(abi::TCP_NOTSENT_LOWAT, 0, Any),
    tcp(abi::TCP_CC_INFO, 0, Any).set_by(NONE, ENOPROTOOPT),
    tcp(abi::TCP_SAVE_SYN, 0, Range(0, 2)),
    Row::refused(IPPROTO_TCP, abi::TCP_REPAIR_WINDOW, EPERM, EINVAL),
    tcp(abi::TCP_FASTOPEN_CONNECT, 0, Range(0, 1)),
    Row::refused(IPPROTO_TCP, abi::TCP_MD5SIG_EXT, EINVAL, ENOPROTOOPT),
    tcp(abi::TCP_FASTOPEN_NO_COOKIE, 0, Range(0, 1)),
    tcp(abi::TCP_INQ, 0, Range(0, 1)),
    tcp(abi::TCP_TX_DELAY, 0, NOT_NEGATIVE),
    tcp(abi::TCP_IS_MPTCP, 0, Any).set_by(NONE, ENOPROTOOPT),
    tcp(abi::TCP_RTO_MAX_MS, 120_000, Range(1000, 120_000)),
    udp(abi::UDP_CORK, 0, Flag),
    // No protocol is carried in UDP.
    udp(
        abi::UDP_ENCAP,
        0,
        By(|value, _| if value == 0 { Ok(0) } else { Err(ENOPROTOOPT) }),
    ),
    udp(abi::UDP_NO_CHECK6_TX, 0, Flag),
    udp(abi::UDP_NO_CHECK6_RX, 0, Flag),
    udp(abi::UDP_SEGMENT, 0, Range(0, 65535)),
    udp(abi::UDP_GRO, 0, Flag),
    Row::new(IPPROTO_UDPLITE, abi::UDPLITE_SEND_CSCOV, 0, Range(0, 65535)),
    Row::new(IPPROTO_UDPLITE, abi::UDPLITE_RECV_CSCOV, 0, Range(0, 65535)),
    ip(abi::IP_TOS, 0, By(low_byte)),
    ip(abi::IP_TTL, 64, OrDefault(1, 255)).at_least(1),
    ip(abi::IP_HDRINCL, 0, Flag).set_by(RAW, ENOPROTOOPT),
    ip(abi::IP_ROUTER_ALERT, 0, Flag).set_by(RAW, EINVAL),
    ip(abi::IP_RECVOPTS, 0, Flag),
    ip(abi::IP_RETOPTS, 0, Flag),
    ip(abi::IP_PKTINFO, 0, Flag),
    ip(abi::IP_MTU_DISCOVER, 1, Range(0, 5)),
    ip(abi::IP_RECVERR, 0, Flag),
    ip(abi::IP_RECVTTL, 0, Flag),
    ip(abi::IP_RECVTOS, 0, Flag),
    ip(abi::IP_FREEBIND, 0, Flag).at_least(1),
    ip(abi::IP_PASSSEC, 0, Flag),
    ip(abi::IP_TRANSPARENT, 0, Flag).at_least(1),
    ip(abi::IP_ORIGDSTADDR, 0, Flag),
    ip(abi::IP_MINTTL, 0, Range(0, 255)).at_least(1),
    ip(abi::IP_NODEFRAG, 0, Flag).set_by(RAW, ENOPROTOOPT),
    ip(abi::IP_CHECKSUM, 0, Flag),
    ip(abi::IP_BIND_ADDRESS_NO_PORT, 0, Flag),
    ip(abi::IP_RECVFRAGSIZE, 0, Flag).set_by(MESSAGES, EINVAL),
    ip(abi::IP_RECVERR_RFC4884, 0, Range(0, 1)),
    ip(abi::IP_MULTICAST_TTL, 1, OrDefault(0, 255))
        .set_by(MESSAGES, EINVAL)
        .at_least(1),
    ip(abi::IP_MULTICAST_LOOP, 1, Flag).at_least(1),
    ip(abi::IP_MULTICAST_ALL, 1, Range(0, 1)).at_least(1),
    ip(abi::IP_UNICAST_IF, 0, Any).at_least(4),
    ip(abi::IP_LOCAL_PORT_RANGE, 0, By(port_range)).at_least(4),
    v6(abi::IPV6_2292PKTINFO, 0, Flag),
    v6(abi::IPV6_2292HOPOPTS, 0, Flag),
    v6(abi::IPV6_2292DSTOPTS, 0, Flag),
    v6(abi::IPV6_2292RTHDR, 0, Flag),
    v6(abi::IPV6_2292HOPLIMIT, 0, Flag),
    v6(abi::IPV6_FLOWINFO, 0, Flag),
    v6(abi::IPV6_UNICAST_HOPS, 64, OrDefault(0, 255)),
    v6(abi::IPV6_MULTICAST_IF, 0, Any).set_by(MESSAGES, ENOPROTOOPT),
    v6(abi::IPV6_MULTICAST_HOPS, 1, OrDefault(0, 255)).set_by(MESSAGES, ENOPROTOOPT),
    v6(abi::IPV6_MULTICAST_LOOP, 1, Range(0, 1)),
    v6(abi::IPV6_ROUTER_ALERT, 0, Any).set_by(NONE, ENOPROTOOPT),
    v6(abi::IPV6_MTU_DISCOVER, 1, Range(0, 5)),
    v6(abi::IPV6_MTU, 0, By(mtu)),
    v6(abi::IPV6_RECVERR, 0, Flag),
    v6(abi::IPV6_V6ONLY, 0, Flag).set_by(STREAM | DATAGRAM, EINVAL),
    v6(abi::IPV6_MULTICAST_ALL, 1, Flag),
    v6(abi::IPV6_ROUTER_ALERT_ISOLATE, 0, Flag),
    v6(abi::IPV6_RECVERR_RFC4884, 0, Range(0, 1)),
    Row::refused(IPPROTO_IPV6, abi::IPV6_FLOWLABEL_MGR, EINVAL, EINVAL),
    v6(abi::IPV6_FLOWINFO_SEND, 0, Flag),
    v6(abi::IPV6_HDRINCL, 0, Flag)
        .set_by(RAW, ENOPROTOOPT)
        .get_by(RAW, ENOPROTOOPT),
    v6(abi::IPV6_RECVPKTINFO, 0, Flag),
    v6(abi::IPV6_RECVHOPLIMIT, 0, Flag),
    v6(abi::IPV6_RECVHOPOPTS, 0, Flag),
    v6(abi::IPV6_RECVRTHDR, 0, Flag),
    v6(abi::IPV6_RECVDSTOPTS, 0, Flag),
    v6(abi::IPV6_RECVPATHMTU, 0, Flag),
    v6(abi::IPV6_DONTFRAG, 0, Flag),
    v6(abi::IPV6_RECVTCLASS, 0, Flag),
    v6(abi::IPV6_TCLASS, 0, OrDefault(0, 255)),
    v6(abi::IPV6_AUTOFLOWLABEL, 1, Flag),
    v6(abi::IPV6_ADDR_PREFERENCES, 0x500, By(preferences)),
    v6(abi::IPV6_MINHOPCOUNT, 0, Range(0, 255)),
    v6(abi::IPV6_ORIGDSTADDR, 0, Flag),
    v6(abi::IPV6_TRANSPARENT, 0, Flag),
    v6(abi::IPV6_UNICAST_IF, 0, Any),
    v6(abi::IPV6_RECVFRAGSIZE, 0, Flag),
    v6(abi::IPV6_FREEBIND, 0, Flag),
];

/// Options of IPv6 that take a value of any length.
pub(super) const ANY_LENGTH: [i32; 3] = [
    abi::IPV6_DONTFRAG,
    abi::IPV6_AUTOFLOWLABEL,
    abi::IPV6_RECVFRAGSIZE,
];

pub(super) fn row(level: i32, name: i32) -> Option<&'static Row> {
    ROWS.iter()
        .find(|row| (row.level, row.name) == (level, name))
}
