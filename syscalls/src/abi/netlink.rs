//! Messages of netlink(7) and rtnetlink(7).

use super::layout;
use crate::flags::numbers;

layout! {
    /// The head of a message, netlink(7); the next one begins at a multiple of 4.
    pub struct NlMsgHdr {
        /// With this head, bytes.
        pub len: u32,
        pub kind: u16,
        pub flags: u16,
        pub seq: u32,
        pub pid: u32,
    }

    /// The head of an attribute, rtnetlink(7); the next one begins at a multiple of 4.
    pub struct RtAttr {
        /// With this head, bytes.
        pub len: u16,
        pub kind: u16,
    }

    /// `struct ifinfomsg`.
    pub struct IfInfoMsg {
        pub family: u8,
        pub pad: u8,
        /// `ARPHRD_*`.
        pub kind: u16,
        pub index: i32,
        pub flags: u32,
        pub change: u32,
    }

    /// `struct ifaddrmsg`.
    pub struct IfAddrMsg {
        pub family: u8,
        pub prefixlen: u8,
        pub flags: u8,
        pub scope: u8,
        pub index: u32,
    }

    /// `struct rtmsg`.
    pub struct RtMsg {
        pub family: u8,
        pub dst_len: u8,
        pub src_len: u8,
        pub tos: u8,
        pub table: u8,
        pub protocol: u8,
        pub scope: u8,
        pub kind: u8,
        pub flags: u32,
    }

    /// `struct tcmsg`.
    pub struct TcMsg {
        pub family: u8,
        pub pad: [u8; 3],
        pub index: i32,
        pub handle: u32,
        pub parent: u32,
        pub info: u32,
    }

    /// `struct genlmsghdr`.
    pub struct GenlMsgHdr {
        pub command: u8,
        pub version: u8,
        pub reserved: u16,
    }

    /// `struct unix_diag_req`.
    pub struct UnixDiagReq {
        pub family: u8,
        pub protocol: u8,
        pub pad: u16,
        /// A bit for each state.
        pub states: u32,
        pub ino: u32,
        /// `UDIAG_SHOW_*`.
        pub show: u32,
        pub cookie: [u32; 2],
    }

    /// `struct unix_diag_msg`.
    pub struct UnixDiagMsg {
        pub family: u8,
        pub kind: u8,
        pub state: u8,
        pub pad: u8,
        pub ino: u32,
        pub cookie: [u32; 2],
    }

    /// `struct fib_rule_hdr`.
    pub struct FibRuleHdr {
        pub family: u8,
        pub dst_len: u8,
        pub src_len: u8,
        pub tos: u8,
        pub table: u8,
        pub pad0: u8,
        pub pad1: u8,
        pub action: u8,
        pub flags: u32,
    }

    /// `struct ifa_cacheinfo`.
    pub struct IfaCacheInfo {
        /// Seconds, as the next.
        pub preferred: u32,
        pub valid: u32,
        /// Hundredths of seconds since boot, as the next.
        pub created: u32,
        pub updated: u32,
    }

    /// Which socket, sock_diag(7).
    pub struct InetDiagSockId {
        /// Big-endian, as all up to `interface`.
        pub sport: [u8; 2],
        pub dport: [u8; 2],
        pub src: [u8; 16],
        pub dst: [u8; 16],
        pub interface: u32,
        pub cookie: [u32; 2],
    }

    /// `struct inet_diag_req_v2`, sock_diag(7).
    pub struct InetDiagReq {
        pub family: u8,
        pub protocol: u8,
        pub extensions: u8,
        pub pad: u8,
        /// Bits of states.
        pub states: u32,
        pub id: InetDiagSockId,
    }

    /// `struct inet_diag_msg`, sock_diag(7).
    pub struct InetDiagMsg {
        pub family: u8,
        pub state: u8,
        pub timer: u8,
        pub retrans: u8,
        pub id: InetDiagSockId,
        /// Milliseconds.
        pub expires: u32,
        pub rqueue: u32,
        pub wqueue: u32,
        pub uid: u32,
        pub inode: u32,
    }
}

numbers! {
    /// Protocols of `AF_NETLINK`, netlink(7).
    pub const NETLINK_PROTOCOLS: i32 {
        NETLINK_ROUTE = 0;
        NETLINK_USERSOCK = 2;
        NETLINK_SOCK_DIAG = 4;
        NETLINK_KOBJECT_UEVENT = 15;
        NETLINK_GENERIC = 16;
    }

    /// Options of `SOL_NETLINK`, netlink(7).
    pub const NETLINK_OPTIONS: i32 {
        NETLINK_ADD_MEMBERSHIP = 1;
        NETLINK_DROP_MEMBERSHIP = 2;
        NETLINK_PKTINFO = 3;
        NETLINK_BROADCAST_ERROR = 4;
        NETLINK_NO_ENOBUFS = 5;
        NETLINK_LISTEN_ALL_NSID = 8;
        NETLINK_LIST_MEMBERSHIPS = 9;
        NETLINK_CAP_ACK = 10;
        NETLINK_EXT_ACK = 11;
        NETLINK_GET_STRICT_CHK = 12;
    }

    /// Kinds of messages, rtnetlink(7) and sock_diag(7).
    pub const MESSAGES: u16 {
        NLMSG_ERROR = 2;
        NLMSG_DONE = 3;
        RTM_NEWLINK = 16;
        RTM_GETLINK = 18;
        RTM_SETLINK = 19;
        RTM_NEWADDR = 20;
        RTM_DELADDR = 21;
        RTM_GETADDR = 22;
        RTM_NEWROUTE = 24;
        RTM_GETROUTE = 26;
        RTM_GETNEIGH = 30;
        RTM_NEWRULE = 32;
        RTM_GETRULE = 34;
        RTM_NEWQDISC = 36;
        RTM_GETQDISC = 38;
    }

    /// Flags of messages, netlink(7).
    pub const MESSAGE_FLAGS: u16 {
        NLM_F_REQUEST = 1;
        NLM_F_MULTI = 2;
        NLM_F_ACK = 4;
        NLM_F_DUMP = 0x300;
        NLM_F_CAPPED = 0x100;
    }

    /// Attributes of interfaces.
    pub const LINK_ATTRIBUTES: u16 {
        IFLA_ADDRESS = 1;
        IFLA_BROADCAST = 2;
        IFLA_IFNAME = 3;
        IFLA_MTU = 4;
        IFLA_QDISC = 6;
        IFLA_TXQLEN = 13;
        IFLA_OPERSTATE = 16;
        IFLA_LINKMODE = 17;
        IFLA_STATS64 = 23;
        IFLA_GROUP = 27;
        IFLA_PROMISCUITY = 30;
        IFLA_NUM_TX_QUEUES = 31;
        IFLA_NUM_RX_QUEUES = 32;
        IFLA_CARRIER = 33;
        IFLA_CARRIER_CHANGES = 35;
        IFLA_ALT_IFNAME = 53;
    }

    /// Attributes of addresses.
    pub const ADDRESS_ATTRIBUTES: u16 {
        IFA_ADDRESS = 1;
        IFA_LOCAL = 2;
        IFA_LABEL = 3;
        IFA_BROADCAST = 4;
        IFA_CACHEINFO = 6;
        IFA_FLAGS = 8;
    }

    /// Attributes of routes.
    pub const ROUTE_ATTRIBUTES: u16 {
        RTA_DST = 1;
        RTA_OIF = 4;
        RTA_GATEWAY = 5;
        RTA_PRIORITY = 6;
        RTA_PREFSRC = 7;
        RTA_TABLE = 15;
    }

    /// Attributes of rules.
    pub const RULE_ATTRIBUTES: u16 {
        FRA_PRIORITY = 6;
        FRA_SUPPRESS_PREFIXLEN = 14;
        FRA_TABLE = 15;
    }
}

/// The kind of all messages of sock_diag(7).
pub const SOCK_DIAG_BY_FAMILY: u16 = 20;
