//! Sockets, socket(7).

use super::fs::IoVec;
use super::layout;
use crate::flags::flags;
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
}

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
