//! What the Sentry may do with sockets of the host beyond [`sentry`](super::sentry), where its
//! sandbox has any: `--network=host`. It is given them and makes none.
//!
//! Options are listed one by one. What is not here: what changes a socket's nature
//! (`IPV6_ADDRFORM`, `TCP_ULP`, `TCP_REPAIR`, `UDP_ENCAP`), what has the host read or write at
//! an address (`TCP_ZEROCOPY_RECEIVE`, `SO_ZEROCOPY`), eBPF, and what is for routers.

use syscalls::abi::net as abi;
use syscalls::abi::net::{SOL_ICMPV6, SOL_IP, SOL_IPV6, SOL_RAW, SOL_SOCKET, SOL_TCP, SOL_UDP};

use super::list::{Allow, Arg};
use crate::host::socket;

/// An option of a host's socket that a guest may set and ask for.
#[derive(Clone, Copy, Debug)]
pub struct SocketOption {
    /// SOL_*.
    pub level: i32,
    /// The option.
    pub name: i32,
    /// The most bytes that the host looks at or tells.
    pub max: usize,
}

macro_rules! options {
    ($($level:ident { $($name:ident $max:literal,)* })*) => {
        /// All of them.
        pub const OPTIONS: &[SocketOption] = &[$($(
            SocketOption { level: $level, name: abi::$name, max: $max },
        )*)*];
        const SET: &[Allow] = &[$($(
            Allow("setsockopt", "an option of a socket")
                .when(&[Arg(1).is($level), Arg(2).is(abi::$name)]),
        )*)*];
        const GET: &[Allow] = &[$($(
            Allow("getsockopt", "an option of a socket")
                .when(&[Arg(1).is($level), Arg(2).is(abi::$name)]),
        )*)*];
    };
}

options! {
    SOL_SOCKET {
        SO_DEBUG 4, SO_REUSEADDR 4, SO_TYPE 4, SO_ERROR 4, SO_DONTROUTE 4, SO_BROADCAST 4,
        SO_SNDBUF 4, SO_RCVBUF 4, SO_KEEPALIVE 4, SO_OOBINLINE 4, SO_NO_CHECK 4, SO_PRIORITY 4,
        SO_LINGER 8, SO_BSDCOMPAT 4, SO_REUSEPORT 4, SO_RCVLOWAT 4, SO_SNDLOWAT 4,
        SO_BINDTODEVICE 16, SO_DETACH_FILTER 4, SO_TIMESTAMP 4, SO_ACCEPTCONN 4,
        SO_SNDBUFFORCE 4, SO_RCVBUFFORCE 4, SO_TIMESTAMPNS 4, SO_MARK 4, SO_TIMESTAMPING 8,
        SO_PROTOCOL 4, SO_DOMAIN 4, SO_RXQ_OVFL 4, SO_WIFI_STATUS 4, SO_PEEK_OFF 4, SO_NOFCS 4,
        SO_LOCK_FILTER 4, SO_SELECT_ERR_QUEUE 4, SO_BUSY_POLL 4, SO_MAX_PACING_RATE 8,
        SO_BPF_EXTENSIONS 4, SO_INCOMING_CPU 4, SO_CNX_ADVICE 4, SO_MEMINFO 64, SO_COOKIE 8,
        SO_BINDTOIFINDEX 4, SO_TIMESTAMP_NEW 4, SO_TIMESTAMPNS_NEW 4, SO_TIMESTAMPING_NEW 8,
        SO_PREFER_BUSY_POLL 4, SO_BUSY_POLL_BUDGET 4, SO_NETNS_COOKIE 8, SO_BUF_LOCK 4,
        SO_TXREHASH 4, SO_RCVMARK 4, SO_RCVPRIORITY 4,
    }
    SOL_TCP {
        TCP_NODELAY 4, TCP_MAXSEG 4, TCP_CORK 4, TCP_KEEPIDLE 4, TCP_KEEPINTVL 4, TCP_KEEPCNT 4,
        TCP_SYNCNT 4, TCP_LINGER2 4, TCP_DEFER_ACCEPT 4, TCP_WINDOW_CLAMP 4, TCP_INFO 512,
        TCP_QUICKACK 4, TCP_CONGESTION 16, TCP_MD5SIG 256, TCP_MD5SIG_EXT 256,
        TCP_THIN_LINEAR_TIMEOUTS 4, TCP_THIN_DUPACK 4, TCP_USER_TIMEOUT 4, TCP_FASTOPEN 4,
        TCP_TIMESTAMP 4, TCP_NOTSENT_LOWAT 4, TCP_CC_INFO 64, TCP_SAVE_SYN 4,
        TCP_SAVED_SYN 512, TCP_FASTOPEN_CONNECT 4, TCP_FASTOPEN_KEY 32,
        TCP_FASTOPEN_NO_COOKIE 4, TCP_INQ 4, TCP_TX_DELAY 4, TCP_IS_MPTCP 4, TCP_RTO_MAX_MS 4,
    }
    SOL_UDP {
        UDP_CORK 4, UDPLITE_SEND_CSCOV 4, UDPLITE_RECV_CSCOV 4, UDP_NO_CHECK6_TX 4,
        UDP_NO_CHECK6_RX 4, UDP_SEGMENT 4, UDP_GRO 4,
    }
    SOL_IP {
        IP_TOS 4, IP_TTL 4, IP_HDRINCL 4, IP_OPTIONS 40, IP_RECVOPTS 4, IP_RETOPTS 4,
        IP_PKTINFO 4, IP_MTU_DISCOVER 4, IP_RECVERR 4, IP_RECVTTL 4, IP_RECVTOS 4, IP_MTU 4,
        IP_FREEBIND 4, IP_PASSSEC 4, IP_TRANSPARENT 4, IP_ORIGDSTADDR 4, IP_MINTTL 4,
        IP_NODEFRAG 4, IP_CHECKSUM 4, IP_BIND_ADDRESS_NO_PORT 4, IP_RECVFRAGSIZE 4,
        IP_RECVERR_RFC4884 4, IP_MULTICAST_IF 12, IP_MULTICAST_TTL 4, IP_MULTICAST_LOOP 4,
        IP_ADD_MEMBERSHIP 12, IP_DROP_MEMBERSHIP 12, IP_UNBLOCK_SOURCE 12, IP_BLOCK_SOURCE 12,
        IP_ADD_SOURCE_MEMBERSHIP 12, IP_DROP_SOURCE_MEMBERSHIP 12, IP_MSFILTER 4096,
        MCAST_JOIN_GROUP 136, MCAST_BLOCK_SOURCE 264, MCAST_UNBLOCK_SOURCE 264,
        MCAST_LEAVE_GROUP 136, MCAST_JOIN_SOURCE_GROUP 264, MCAST_LEAVE_SOURCE_GROUP 264,
        MCAST_MSFILTER 4096, IP_MULTICAST_ALL 4, IP_UNICAST_IF 4, IP_LOCAL_PORT_RANGE 4,
        IP_PROTOCOL 4,
    }
    SOL_IPV6 {
        IPV6_2292PKTINFO 4, IPV6_2292HOPOPTS 4, IPV6_2292DSTOPTS 4, IPV6_2292RTHDR 4,
        IPV6_CHECKSUM 4, IPV6_2292HOPLIMIT 4, IPV6_FLOWINFO 4, IPV6_UNICAST_HOPS 4,
        IPV6_MULTICAST_IF 4, IPV6_MULTICAST_HOPS 4, IPV6_MULTICAST_LOOP 4, IPV6_JOIN_GROUP 20,
        IPV6_LEAVE_GROUP 20, IPV6_MTU_DISCOVER 4, IPV6_MTU 4, IPV6_RECVERR 4, IPV6_V6ONLY 4,
        IPV6_JOIN_ANYCAST 20, IPV6_LEAVE_ANYCAST 20, IPV6_MULTICAST_ALL 4,
        IPV6_RECVERR_RFC4884 4, IPV6_FLOWLABEL_MGR 32, IPV6_FLOWINFO_SEND 4, IPV6_HDRINCL 4,
        IPV6_RECVPKTINFO 4, IPV6_PKTINFO 20, IPV6_RECVHOPLIMIT 4, IPV6_HOPLIMIT 4,
        IPV6_RECVHOPOPTS 4, IPV6_HOPOPTS 2048, IPV6_RTHDRDSTOPTS 2048, IPV6_RECVRTHDR 4,
        IPV6_RTHDR 2048, IPV6_RECVDSTOPTS 4, IPV6_DSTOPTS 2048, IPV6_RECVPATHMTU 4,
        IPV6_PATHMTU 32, IPV6_DONTFRAG 4, IPV6_RECVTCLASS 4, IPV6_TCLASS 4,
        IPV6_AUTOFLOWLABEL 4, IPV6_ADDR_PREFERENCES 4, IPV6_MINHOPCOUNT 4, IPV6_ORIGDSTADDR 4,
        IPV6_TRANSPARENT 4, IPV6_UNICAST_IF 4, IPV6_RECVFRAGSIZE 4, IPV6_FREEBIND 4,
        MCAST_JOIN_GROUP 136, MCAST_BLOCK_SOURCE 264, MCAST_UNBLOCK_SOURCE 264,
        MCAST_LEAVE_GROUP 136, MCAST_JOIN_SOURCE_GROUP 264, MCAST_LEAVE_SOURCE_GROUP 264,
        MCAST_MSFILTER 4096,
    }
    SOL_RAW { ICMP_FILTER 4, }
    SOL_ICMPV6 { ICMP_FILTER 32, }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "request numbers are small"
)]
mod requests {
    use super::socket;

    pub(super) const UNSENT: i32 = socket::UNSENT as i32;
    pub(super) const NOT_SENT: i32 = socket::NOT_SENT as i32;
    pub(super) const AT_MARK: i32 = socket::AT_MARK as i32;
    pub(super) const STAMP: i32 = socket::STAMP as i32;
    pub(super) const STAMP_NS: i32 = socket::STAMP_NS as i32;
}
use requests::{AT_MARK, NOT_SENT, STAMP, STAMP_NS, UNSENT};

const CALLS: &[Allow] = &[
    Allow("bind", "a socket's address"),
    Allow("connect", "a socket's peer"),
    Allow("listen", "servers"),
    Allow("getsockname", "a socket's address"),
    Allow("getpeername", "a socket's peer"),
    Allow("setsockopt", "a filter of packets")
        .when(&[Arg(1).is(SOL_SOCKET), Arg(2).is(abi::SO_ATTACH_FILTER)]),
    Allow("ioctl", "bytes that a socket has not sent").when(&[Arg(1).is(UNSENT)]),
    Allow("ioctl", "bytes that a socket has not sent").when(&[Arg(1).is(NOT_SENT)]),
    Allow("ioctl", "urgent data").when(&[Arg(1).is(AT_MARK)]),
    Allow("ioctl", "when a packet came").when(&[Arg(1).is(STAMP)]),
    Allow("ioctl", "when a packet came").when(&[Arg(1).is(STAMP_NS)]),
];

/// The rows.
#[must_use]
pub fn rows() -> Vec<Allow> {
    [CALLS, SET, GET].concat()
}

/// The option, if it is one that guests may use.
#[must_use]
pub fn option(level: i32, name: i32) -> Option<SocketOption> {
    let mut options = OPTIONS.iter();
    options
        .find(|option| (option.level, option.name) == (level, name))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::rows;
    use crate::seccomp::sentry::{self, For};
    use crate::seccomp::{Otherwise, Program};

    #[test]
    fn the_wider_filter_compiles() {
        let all = [sentry::rows(For::Ptrace), rows()].concat();
        Program::compile_with_threads(&all, Otherwise::Trap).unwrap();
    }

    #[test]
    fn no_other_mode_has_these_calls() {
        let others = sentry::rows(For::Systrap);
        for row in rows().iter().filter(|row| row.call != "ioctl") {
            assert!(
                others.iter().all(|other| other.call != row.call),
                "{}",
                row.call
            );
        }
        assert!(others.iter().all(|row| row.call != "socket"));
    }
}
