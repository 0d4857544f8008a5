//! Sockets, socket(7).

use super::fs::IoVec;
use super::layout;
use crate::flags::{flags, numbers};
use crate::uaddr::{UserAddr, UserPtr};

layout! {
    /// A message's parts, sendmsg(2).
    pub struct MsgHdr {
        pub name: UserAddr,
        pub namelen: i32,
        pub pad0: u32,
        pub iov: UserPtr<IoVec>,
        pub iovlen: u64,
        pub control: UserAddr,
        pub controllen: u64,
        pub flags: u32,
        pub pad1: u32,
    }

    /// One of several messages, sendmmsg(2).
    pub struct MMsgHdr {
        pub hdr: MsgHdr,
        /// Bytes sent or received.
        pub len: u32,
        pub pad0: u32,
    }

    /// The head of an ancillary message, cmsg(3); the next one begins at a multiple of 8.
    pub struct CmsgHdr {
        /// With this head, bytes.
        pub len: u64,
        pub level: i32,
        pub kind: i32,
    }

    /// An address of `AF_UNIX`, unix(7).
    pub struct SockaddrUn {
        pub family: u16,
        pub path: [u8; 108],
    }

    /// An address of `AF_INET`, ip(7).
    pub struct SockaddrIn {
        pub family: u16,
        /// Big-endian.
        pub port: [u8; 2],
        pub addr: [u8; 4],
        pub zero: [u8; 8],
    }

    /// An address of `AF_INET6`, ipv6(7).
    pub struct SockaddrIn6 {
        pub family: u16,
        /// Big-endian.
        pub port: [u8; 2],
        /// Big-endian.
        pub flowinfo: [u8; 4],
        pub addr: [u8; 16],
        pub scope_id: u32,
    }

    /// An address of `AF_NETLINK`, netlink(7).
    pub struct SockaddrNl {
        pub family: u16,
        pub pad0: u16,
        pub pid: u32,
        pub groups: u32,
    }

    /// An address of `AF_PACKET`, packet(7).
    pub struct SockaddrLl {
        pub family: u16,
        /// Big-endian.
        pub protocol: [u8; 2],
        pub ifindex: i32,
        pub hatype: u16,
        pub pkttype: u8,
        pub halen: u8,
        pub addr: [u8; 8],
    }

    /// Who is at the other end, `SO_PEERCRED` and `SCM_CREDENTIALS`, unix(7).
    pub struct Ucred {
        pub pid: i32,
        pub uid: u32,
        pub gid: u32,
    }

    /// `SO_LINGER`, socket(7).
    pub struct Linger {
        pub onoff: i32,
        /// In seconds.
        pub linger: i32,
    }
}

/// The largest address, bytes.
pub const SOCKADDR_STORAGE: usize = 128;

flags! {
    /// accept4(2), and in the `type` of socket(2).
    pub struct SocketFlags: u32, "SOCK_", refused {
        NONBLOCK = 0o4000;
        CLOEXEC = 0o2_000_000;
    }

    /// send(2) and recv(2).
    pub struct MessageFlags: u32, "MSG_", ignored {
        OOB = 0x1;
        PEEK = 0x2;
        DONTROUTE = 0x4;
        CTRUNC = 0x8;
        PROBE = 0x10;
        TRUNC = 0x20;
        DONTWAIT = 0x40;
        EOR = 0x80;
        WAITALL = 0x100;
        FIN = 0x200;
        SYN = 0x400;
        CONFIRM = 0x800;
        RST = 0x1000;
        ERRQUEUE = 0x2000;
        NOSIGNAL = 0x4000;
        MORE = 0x8000;
        WAITFORONE = 0x1_0000;
        BATCH = 0x4_0000;
        ZEROCOPY = 0x400_0000;
        FASTOPEN = 0x2000_0000;
        CMSG_CLOEXEC = 0x4000_0000;
        CMSG_COMPAT = 0x8000_0000;
    }
}

numbers! {
    /// Address families, socket(2).
    pub const FAMILIES: i32 {
        AF_UNSPEC = 0;
        AF_UNIX = 1;
        AF_INET = 2;
        AF_INET6 = 10;
        AF_NETLINK = 16;
        AF_PACKET = 17;
        AF_ALG = 38;
        AF_VSOCK = 40;
        AF_XDP = 44;
    }

    /// Socket types, the lower four bits of `type`, socket(2).
    pub const SOCKET_TYPES: i32 {
        SOCK_STREAM = 1;
        SOCK_DGRAM = 2;
        SOCK_RAW = 3;
        SOCK_RDM = 4;
        SOCK_SEQPACKET = 5;
        SOCK_DCCP = 6;
        SOCK_PACKET = 10;
    }

    /// Protocols of the internet families, ip(7).
    pub const PROTOCOLS: i32 {
        IPPROTO_IP = 0;
        IPPROTO_ICMP = 1;
        IPPROTO_TCP = 6;
        IPPROTO_UDP = 17;
        IPPROTO_IPV6 = 41;
        IPPROTO_ICMPV6 = 58;
        IPPROTO_UDPLITE = 136;
        IPPROTO_RAW = 255;
    }

    /// `level` of setsockopt(2).
    pub const OPTION_LEVELS: i32 {
        SOL_IP = 0;
        SOL_SOCKET = 1;
        SOL_TCP = 6;
        SOL_UDP = 17;
        SOL_IPV6 = 41;
        SOL_ICMPV6 = 58;
        SOL_RAW = 255;
        SOL_PACKET = 263;
        SOL_NETLINK = 270;
    }

    /// Options of `SOL_SOCKET`, socket(7).
    pub const SOCKET_OPTIONS: i32 {
        SO_DEBUG = 1;
        SO_REUSEADDR = 2;
        SO_TYPE = 3;
        SO_ERROR = 4;
        SO_DONTROUTE = 5;
        SO_BROADCAST = 6;
        SO_SNDBUF = 7;
        SO_RCVBUF = 8;
        SO_KEEPALIVE = 9;
        SO_OOBINLINE = 10;
        SO_NO_CHECK = 11;
        SO_PRIORITY = 12;
        SO_LINGER = 13;
        SO_BSDCOMPAT = 14;
        SO_REUSEPORT = 15;
        SO_PASSCRED = 16;
        SO_PEERCRED = 17;
        SO_RCVLOWAT = 18;
        SO_SNDLOWAT = 19;
        SO_RCVTIMEO = 20;
        SO_SNDTIMEO = 21;
        SO_BINDTODEVICE = 25;
        SO_ATTACH_FILTER = 26;
        SO_DETACH_FILTER = 27;
        SO_PEERNAME = 28;
        SO_TIMESTAMP = 29;
        SO_ACCEPTCONN = 30;
        SO_PEERSEC = 31;
        SO_SNDBUFFORCE = 32;
        SO_RCVBUFFORCE = 33;
        SO_PASSSEC = 34;
        SO_TIMESTAMPNS = 35;
        SO_MARK = 36;
        SO_TIMESTAMPING = 37;
        SO_PROTOCOL = 38;
        SO_DOMAIN = 39;
        SO_RXQ_OVFL = 40;
        SO_PEEK_OFF = 42;
        SO_LOCK_FILTER = 44;
        SO_BUSY_POLL = 46;
        SO_MAX_PACING_RATE = 47;
        SO_INCOMING_CPU = 49;
        SO_MEMINFO = 55;
        SO_COOKIE = 57;
        SO_PEERGROUPS = 59;
        SO_ZEROCOPY = 60;
        SO_TXTIME = 61;
        SO_BINDTOIFINDEX = 62;
        SO_BUF_LOCK = 72;
        SO_PASSPIDFD = 76;
        SO_PEERPIDFD = 77;
    }

    /// Options of `SOL_TCP`, tcp(7).
    pub const TCP_OPTIONS: i32 {
        TCP_NODELAY = 1;
        TCP_MAXSEG = 2;
        TCP_CORK = 3;
        TCP_KEEPIDLE = 4;
        TCP_KEEPINTVL = 5;
        TCP_KEEPCNT = 6;
        TCP_SYNCNT = 7;
        TCP_LINGER2 = 8;
        TCP_DEFER_ACCEPT = 9;
        TCP_WINDOW_CLAMP = 10;
        TCP_INFO = 11;
        TCP_QUICKACK = 12;
        TCP_CONGESTION = 13;
        TCP_USER_TIMEOUT = 18;
        TCP_FASTOPEN = 23;
        TCP_NOTSENT_LOWAT = 25;
        TCP_FASTOPEN_CONNECT = 30;
        TCP_ULP = 31;
    }

    /// Ancillary messages of `SOL_SOCKET`, unix(7).
    pub const ANCILLARY: i32 {
        SCM_RIGHTS = 1;
        SCM_CREDENTIALS = 2;
        SCM_SECURITY = 3;
        SCM_PIDFD = 4;
    }

    /// `how` of shutdown(2).
    pub const SHUTDOWNS: i32 {
        SHUT_RD = 0;
        SHUT_WR = 1;
        SHUT_RDWR = 2;
    }
}

/// Mask of the type in `type`, socket(2).
pub const SOCK_TYPE_MASK: i32 = 0xf;
/// The longest backlog that listen(2) takes.
pub const SOMAXCONN: i32 = 4096;
/// The most descriptors in one message, unix(7).
pub const SCM_MAX_FD: usize = 253;
/// The most messages of one sendmmsg(2).
pub const MMSG_MAX: u32 = 1024;
