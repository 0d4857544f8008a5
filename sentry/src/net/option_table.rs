//! Options of SOL_SOCKET whose value is a number that is kept and told again: what Linux
//! takes, on which sockets. Who obeys one asks for it by name.

use syscalls::abi::net as abi;
use syscalls::abi::net::{AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX};

use super::given::Takes;
use super::{Kind, Socket};

/// Which sockets have an option: the sum of these. Others say `EOPNOTSUPP`.
const TCP: u8 = 1;
const UDP: u8 = 2;
const RAW: u8 = 4;
const STREAM: u8 = 8;
const DATAGRAMS: u8 = 16;
const NETLINK: u8 = 32;
const PACKET: u8 = 64;
const UNIX: u8 = STREAM | DATAGRAMS;
const ALL: u8 = u8::MAX;

/// Which calls know the option; the other one says `ENOPROTOOPT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Both,
    Set,
    Get,
}

use Known::{Both, Get, Set};
use Takes::{Any, Flag, Range};

/// Name, default, values, sockets, calls.
pub(super) struct Row {
    pub(super) name: i32,
    pub(super) default: i32,
    pub(super) takes: Takes,
    who: u8,
    pub(super) known: Known,
}

const fn row(name: i32, default: i32, takes: Takes, who: u8, known: Known) -> Row {
    Row {
        name,
        default,
        takes,
        who,
        known,
    }
}

const NOT_NEGATIVE: Takes = Range(0, i32::MAX);

const ROWS: &[Row] = &[
    row(abi::SO_DEBUG, 0, Flag, ALL, Both),
    row(abi::SO_REUSEADDR, 0, Flag, ALL, Both),
    row(abi::SO_REUSEPORT, 0, Flag, ALL, Both),
    row(abi::SO_DONTROUTE, 0, Flag, ALL, Both),
    row(abi::SO_BROADCAST, 0, Flag, ALL, Both),
    row(abi::SO_KEEPALIVE, 0, Flag, ALL, Both),
    row(abi::SO_OOBINLINE, 0, Flag, ALL, Both),
    row(abi::SO_NO_CHECK, 0, Flag, ALL, Both),
    row(abi::SO_PRIORITY, 0, Any, ALL, Both),
    row(abi::SO_BSDCOMPAT, 0, Range(0, 0), ALL, Both),
    row(abi::SO_PASSCRED, 0, Flag, UNIX | NETLINK, Both),
    row(abi::SO_RCVLOWAT, 1, Any, ALL, Both),
    row(abi::SO_SNDLOWAT, 1, Any, ALL, Get),
    row(abi::SO_PASSSEC, 0, Flag, UNIX | NETLINK, Both),
    row(abi::SO_TIMESTAMP, 0, Flag, ALL, Both),
    row(abi::SO_TIMESTAMPNS, 0, Flag, ALL, Both),
    row(abi::SO_TIMESTAMP_NEW, 0, Flag, ALL, Both),
    row(abi::SO_TIMESTAMPNS_NEW, 0, Flag, ALL, Both),
    row(abi::SO_MARK, 0, Any, ALL, Both),
    row(abi::SO_TIMESTAMPING, 0, Any, ALL, Both),
    row(abi::SO_TIMESTAMPING_NEW, 0, Any, ALL, Both),
    row(abi::SO_RXQ_OVFL, 0, Flag, ALL, Both),
    row(abi::SO_WIFI_STATUS, 0, Flag, ALL, Both),
    row(abi::SO_PEEK_OFF, -1, Any, TCP | UDP | UNIX, Both),
    row(abi::SO_NOFCS, 0, Flag, ALL, Both),
    row(abi::SO_LOCK_FILTER, 0, Flag, ALL, Both),
    row(abi::SO_SELECT_ERR_QUEUE, 0, Flag, ALL, Both),
    row(abi::SO_BUSY_POLL, 0, NOT_NEGATIVE, ALL, Both),
    row(abi::SO_MAX_PACING_RATE, -1, Any, ALL, Both),
    row(abi::SO_BPF_EXTENSIONS, 64, Any, ALL, Get),
    row(abi::SO_INCOMING_CPU, -1, Any, ALL, Both),
    row(abi::SO_CNX_ADVICE, 0, Any, ALL, Set),
    row(abi::SO_ZEROCOPY, 0, Range(0, 1), TCP | UDP, Both),
    row(abi::SO_PREFER_BUSY_POLL, 0, Flag, ALL, Both),
    row(abi::SO_BUSY_POLL_BUDGET, 0, Range(0, 65535), ALL, Set),
    row(abi::SO_TXREHASH, 1, Takes::By(rehash), TCP, Both),
    row(abi::SO_RCVMARK, 0, Flag, ALL, Both),
    row(abi::SO_PASSPIDFD, 0, Flag, UNIX, Both),
    row(abi::SO_RCVPRIORITY, 0, Flag, ALL, Both),
    row(abi::SO_PASSRIGHTS, 1, Flag, UNIX, Both),
    row(abi::SO_INQ, 0, Range(0, 1), STREAM, Set),
];

/// -1 is what net.core.txrehash says.
fn rehash(value: i32, default: i32) -> Result<i32, syscalls::Errno> {
    Takes::OrDefault(0, 1).admit(value, default)
}

/// Which sockets do not even know an option that others have: `ENOPROTOOPT`.
fn is_unknown(name: i32, bit: u8) -> bool {
    name == abi::SO_INQ && bit != STREAM
}

/// The row of an option.
pub(super) fn find(name: i32) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// How many bits a socket is in the rows' sums.
fn bit(socket: &dyn Socket) -> u8 {
    match (socket.family(), socket.kind()) {
        (AF_INET | AF_INET6, Kind::Stream) => TCP,
        (AF_INET | AF_INET6, Kind::Datagram) => UDP,
        (AF_INET | AF_INET6, _) => RAW,
        (AF_UNIX, Kind::Stream) => STREAM,
        (AF_UNIX, _) => DATAGRAMS,
        (AF_NETLINK, _) => NETLINK,
        (AF_PACKET, _) => PACKET,
        _ => 0,
    }
}

impl Row {
    /// True if the socket has the option.
    pub(super) fn fits(&self, socket: &dyn Socket) -> bool {
        self.who & bit(socket) != 0
    }

    /// True if the socket has never heard of it.
    pub(super) fn is_unknown_to(&self, socket: &dyn Socket) -> bool {
        is_unknown(self.name, bit(socket))
    }
}
