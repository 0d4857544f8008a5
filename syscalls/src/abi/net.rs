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

    /// `PACKET_ADD_MEMBERSHIP`, packet(7).
    pub struct PacketMreq {
        pub ifindex: i32,
        pub kind: u16,
        pub alen: u16,
        pub address: [u8; 8],
    }

    /// `PACKET_AUXDATA`, packet(7).
    pub struct TpacketAuxdata {
        pub status: u32,
        pub len: u32,
        pub snaplen: u32,
        pub mac: u16,
        pub net: u16,
        pub vlan_tci: u16,
        pub vlan_tpid: u16,
    }

    /// Who is at the other end, `SO_PEERCRED` and `SCM_CREDENTIALS`, unix(7).
    pub struct Ucred {
        pub pid: i32,
        pub uid: u32,
        pub gid: u32,
    }

    /// `IP_PKTINFO`, ip(7).
    pub struct InPktinfo {
        pub ifindex: i32,
        pub spec_dst: [u8; 4],
        pub addr: [u8; 4],
    }

    /// `IPV6_PKTINFO`, ipv6(7).
    pub struct In6Pktinfo {
        pub addr: [u8; 16],
        pub ifindex: u32,
    }

    /// `IP_RECVERR`, ip(7).
    pub struct SockExtendedErr {
        pub errno: u32,
        /// `SO_EE_ORIGIN_*`.
        pub origin: u8,
        pub kind: u8,
        pub code: u8,
        pub pad: u8,
        pub info: u32,
        pub data: u32,
    }

    /// `TCP_INFO`, tcp(7).
    pub struct TcpInfo {
        pub state: u8,
        pub ca_state: u8,
        pub retransmits: u8,
        pub probes: u8,
        pub backoff: u8,
        pub options: u8,
        pub wscale: u8,
        pub bits: u8,
        /// Microseconds, as all times here unless they say otherwise.
        pub rto: u32,
        pub ato: u32,
        pub snd_mss: u32,
        pub rcv_mss: u32,
        /// Segments; of a listener: connections that wait to be accepted.
        pub unacked: u32,
        /// Segments; of a listener: the backlog.
        pub sacked: u32,
        pub lost: u32,
        pub retrans: u32,
        pub fackets: u32,
        /// Milliseconds ago.
        pub last_data_sent: u32,
        pub last_ack_sent: u32,
        pub last_data_recv: u32,
        pub last_ack_recv: u32,
        pub pmtu: u32,
        pub rcv_ssthresh: u32,
        pub rtt: u32,
        pub rttvar: u32,
        pub snd_ssthresh: u32,
        pub snd_cwnd: u32,
        pub advmss: u32,
        pub reordering: u32,
        pub rcv_rtt: u32,
        pub rcv_space: u32,
        pub total_retrans: u32,
        /// Bytes a second.
        pub pacing_rate: u64,
        pub max_pacing_rate: u64,
        pub bytes_acked: u64,
        pub bytes_received: u64,
        pub segs_out: u32,
        pub segs_in: u32,
        pub notsent_bytes: u32,
        pub min_rtt: u32,
        pub data_segs_in: u32,
        pub data_segs_out: u32,
        pub delivery_rate: u64,
        pub busy_time: u64,
        pub rwnd_limited: u64,
        pub sndbuf_limited: u64,
        pub delivered: u32,
        pub delivered_ce: u32,
        pub bytes_sent: u64,
        pub bytes_retrans: u64,
        pub dsack_dups: u32,
        pub reord_seen: u32,
        pub rcv_ooopack: u32,
        pub snd_wnd: u32,
        pub rcv_wnd: u32,
        pub rehash: u32,
        pub total_rto: u16,
        pub total_rto_recoveries: u16,
        pub total_rto_time: u32,
    }

    /// `IP_ADD_MEMBERSHIP` and `IP_MULTICAST_IF`, ip(7).
    pub struct IpMreqn {
        pub multiaddr: [u8; 4],
        pub address: [u8; 4],
        pub ifindex: i32,
    }

    /// `IP_ADD_SOURCE_MEMBERSHIP`, ip(7).
    pub struct IpMreqSource {
        pub multiaddr: [u8; 4],
        pub interface: [u8; 4],
        pub source: [u8; 4],
    }

    /// `IPV6_JOIN_GROUP`, ipv6(7).
    pub struct Ipv6Mreq {
        pub multiaddr: [u8; 16],
        pub ifindex: u32,
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
        SO_WIFI_STATUS = 41;
        SO_NOFCS = 43;
        SO_SELECT_ERR_QUEUE = 45;
        SO_BPF_EXTENSIONS = 48;
        SO_CNX_ADVICE = 53;
        SO_TIMESTAMP_NEW = 63;
        SO_TIMESTAMPNS_NEW = 64;
        SO_TIMESTAMPING_NEW = 65;
        SO_RCVTIMEO_NEW = 66;
        SO_SNDTIMEO_NEW = 67;
        SO_DETACH_REUSEPORT_BPF = 68;
        SO_PREFER_BUSY_POLL = 69;
        SO_BUSY_POLL_BUDGET = 70;
        SO_NETNS_COOKIE = 71;
        SO_RESERVE_MEM = 73;
        SO_TXREHASH = 74;
        SO_RCVMARK = 75;
        SO_PASSPIDFD = 76;
        SO_PEERPIDFD = 77;
        SO_RCVPRIORITY = 82;
        SO_PASSRIGHTS = 83;
        SO_INQ = 84;
    }

    /// Options of `SOL_PACKET`, packet(7).
    pub const PACKET_OPTIONS: i32 {
        PACKET_ADD_MEMBERSHIP = 1;
        PACKET_DROP_MEMBERSHIP = 2;
        PACKET_RX_RING = 5;
        PACKET_STATISTICS = 6;
        PACKET_COPY_THRESH = 7;
        PACKET_AUXDATA = 8;
        PACKET_ORIGDEV = 9;
        PACKET_VERSION = 10;
        PACKET_HDRLEN = 11;
        PACKET_RESERVE = 12;
        PACKET_TX_RING = 13;
        PACKET_LOSS = 14;
        PACKET_VNET_HDR = 15;
        PACKET_TIMESTAMP = 17;
        PACKET_FANOUT = 18;
        PACKET_TX_HAS_OFF = 19;
        PACKET_QDISC_BYPASS = 20;
        PACKET_ROLLOVER_STATS = 21;
        PACKET_FANOUT_DATA = 22;
        PACKET_IGNORE_OUTGOING = 23;
        PACKET_VNET_HDR_SZ = 24;
    }

    /// Options of `SOL_RAW` and `SOL_ICMPV6`, raw(7).
    pub const RAW_OPTIONS: i32 {
        ICMP_FILTER = 1;
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
        TCP_MD5SIG = 14;
        TCP_USER_TIMEOUT = 18;
        TCP_REPAIR = 19;
        TCP_REPAIR_QUEUE = 20;
        TCP_QUEUE_SEQ = 21;
        TCP_REPAIR_OPTIONS = 22;
        TCP_FASTOPEN = 23;
        TCP_NOTSENT_LOWAT = 25;
        TCP_THIN_LINEAR_TIMEOUTS = 16;
        TCP_THIN_DUPACK = 17;
        TCP_TIMESTAMP = 24;
        TCP_CC_INFO = 26;
        TCP_SAVE_SYN = 27;
        TCP_SAVED_SYN = 28;
        TCP_REPAIR_WINDOW = 29;
        TCP_FASTOPEN_CONNECT = 30;
        TCP_ULP = 31;
        TCP_MD5SIG_EXT = 32;
        TCP_FASTOPEN_KEY = 33;
        TCP_FASTOPEN_NO_COOKIE = 34;
        TCP_INQ = 36;
        TCP_TX_DELAY = 37;
        TCP_IS_MPTCP = 43;
        TCP_RTO_MAX_MS = 44;
    }

    /// Options of `SOL_UDP`, udp(7).
    pub const UDP_OPTIONS: i32 {
        UDP_CORK = 1;
        UDPLITE_SEND_CSCOV = 10;
        UDPLITE_RECV_CSCOV = 11;
        UDP_ENCAP = 100;
        UDP_NO_CHECK6_TX = 101;
        UDP_NO_CHECK6_RX = 102;
        UDP_SEGMENT = 103;
        UDP_GRO = 104;
    }

    /// Options of `SOL_IP`, ip(7).
    pub const IP_LEVEL_OPTIONS: i32 {
        IP_TOS = 1;
        IP_TTL = 2;
        IP_HDRINCL = 3;
        IP_OPTIONS = 4;
        IP_ROUTER_ALERT = 5;
        IP_RECVOPTS = 6;
        IP_RETOPTS = 7;
        IP_PKTINFO = 8;
        IP_PKTOPTIONS = 9;
        IP_MTU_DISCOVER = 10;
        IP_RECVERR = 11;
        IP_RECVTTL = 12;
        IP_RECVTOS = 13;
        IP_MTU = 14;
        IP_FREEBIND = 15;
        IP_PASSSEC = 18;
        IP_TRANSPARENT = 19;
        IP_ORIGDSTADDR = 20;
        IP_MINTTL = 21;
        IP_NODEFRAG = 22;
        IP_CHECKSUM = 23;
        IP_BIND_ADDRESS_NO_PORT = 24;
        IP_RECVFRAGSIZE = 25;
        IP_RECVERR_RFC4884 = 26;
        IP_MULTICAST_IF = 32;
        IP_MULTICAST_TTL = 33;
        IP_MULTICAST_LOOP = 34;
        IP_ADD_MEMBERSHIP = 35;
        IP_DROP_MEMBERSHIP = 36;
        IP_UNBLOCK_SOURCE = 37;
        IP_BLOCK_SOURCE = 38;
        IP_ADD_SOURCE_MEMBERSHIP = 39;
        IP_DROP_SOURCE_MEMBERSHIP = 40;
        IP_MSFILTER = 41;
        MCAST_JOIN_GROUP = 42;
        MCAST_BLOCK_SOURCE = 43;
        MCAST_UNBLOCK_SOURCE = 44;
        MCAST_LEAVE_GROUP = 45;
        MCAST_JOIN_SOURCE_GROUP = 46;
        MCAST_LEAVE_SOURCE_GROUP = 47;
        MCAST_MSFILTER = 48;
        IP_MULTICAST_ALL = 49;
        IP_UNICAST_IF = 50;
        IP_LOCAL_PORT_RANGE = 51;
        IP_PROTOCOL = 52;
    }

    /// Options of `SOL_IPV6`, ipv6(7).
    pub const IPV6_OPTIONS: i32 {
        IPV6_ADDRFORM = 1;
        IPV6_2292PKTINFO = 2;
        IPV6_2292HOPOPTS = 3;
        IPV6_2292DSTOPTS = 4;
        IPV6_2292RTHDR = 5;
        IPV6_CHECKSUM = 7;
        IPV6_2292HOPLIMIT = 8;
        IPV6_FLOWINFO = 11;
        IPV6_UNICAST_HOPS = 16;
        IPV6_MULTICAST_IF = 17;
        IPV6_MULTICAST_HOPS = 18;
        IPV6_MULTICAST_LOOP = 19;
        IPV6_JOIN_GROUP = 20;
        IPV6_LEAVE_GROUP = 21;
        IPV6_ROUTER_ALERT = 22;
        IPV6_MTU_DISCOVER = 23;
        IPV6_MTU = 24;
        IPV6_RECVERR = 25;
        IPV6_V6ONLY = 26;
        IPV6_JOIN_ANYCAST = 27;
        IPV6_LEAVE_ANYCAST = 28;
        IPV6_MULTICAST_ALL = 29;
        IPV6_ROUTER_ALERT_ISOLATE = 30;
        IPV6_RECVERR_RFC4884 = 31;
        IPV6_FLOWLABEL_MGR = 32;
        IPV6_HDRINCL = 36;
        IPV6_FLOWINFO_SEND = 33;
        IPV6_RECVPKTINFO = 49;
        IPV6_PKTINFO = 50;
        IPV6_RECVHOPLIMIT = 51;
        IPV6_HOPLIMIT = 52;
        IPV6_RECVHOPOPTS = 53;
        IPV6_HOPOPTS = 54;
        IPV6_RTHDRDSTOPTS = 55;
        IPV6_RECVRTHDR = 56;
        IPV6_RTHDR = 57;
        IPV6_RECVDSTOPTS = 58;
        IPV6_DSTOPTS = 59;
        IPV6_RECVPATHMTU = 60;
        IPV6_PATHMTU = 61;
        IPV6_DONTFRAG = 62;
        IPV6_RECVTCLASS = 66;
        IPV6_TCLASS = 67;
        IPV6_AUTOFLOWLABEL = 70;
        IPV6_ADDR_PREFERENCES = 72;
        IPV6_MINHOPCOUNT = 73;
        IPV6_ORIGDSTADDR = 74;
        IPV6_TRANSPARENT = 75;
        IPV6_UNICAST_IF = 76;
        IPV6_RECVFRAGSIZE = 77;
        IPV6_FREEBIND = 78;
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
